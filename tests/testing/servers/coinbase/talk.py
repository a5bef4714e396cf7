"""A Coinbase in front of an exchange, asked without a socket, with tokens that are signed here by hand."""

import json
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from decimal import Decimal
from itertools import count
from random import Random
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.testing.servers.kit.ticking import MONDAY, HandClock
from trueup.model.identifiers import Side
from trueup.model.times import NS_PER_SECOND
from trueup.testing.servers.asgi import Request
from trueup.testing.servers.coinbase.demo import (
    ACCOUNT,
    DEPOSITS,
    ED25519_KEY_NAME,
    KEY_NAME,
    demo_keys,
    demo_markets,
    ed25519_private_key,
    private_key,
)
from trueup.testing.servers.coinbase.server import CoinbaseServer
from trueup.venues.paper.exchange import PaperExchange
from trueup.venues.paper.faults import NO_FAULTS, AnyFault, FaultPlan

Row = dict[str, Any]
D = Decimal

ROOT = "/api/v3/brokerage"
HOST = "127.0.0.1:1"
BTC, FUTURE, ENDING = "BTC-USD", "BIP-20DEC30-CDE", "BIT-29DEC28-CDE"
BTC_SYMBOL, FUTURE_SYMBOL = "BTC/USD", "BTC/USD:USD-BIP-20DEC30"

_NONCES = count(1)


def token(
    uri: str | None,
    now: int,
    *,
    key: str = KEY_NAME,
    sign: Callable[[bytes], bytes] | None = None,
    header: Mapping[str, object] | None = None,
    **claims: object,
) -> str:
    """A token, made as the venue's documentation says; what is named is other than it should be."""
    ed25519 = key != KEY_NAME
    head = {"alg": "EdDSA" if ed25519 else "ES256", "typ": "JWT", "kid": key, "nonce": f"{next(_NONCES):032x}"}
    said: Row = {"sub": key, "iss": "cdp", "nbf": now, "exp": now + 120} | ({} if uri is None else {"uri": uri})
    parts = ".".join(_base64(json.dumps(part).encode()) for part in (head | dict(header or {}), said | claims))
    return f"{parts}.{_base64((sign or (signed_ed25519 if ed25519 else signed_ec))(parts.encode()))}"


def signed_ec(data: bytes) -> bytes:
    key = load_pem_private_key(private_key().encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def signed_ed25519(data: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(b64decode(ed25519_private_key())[:32]).sign(data)


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


class Talk:
    """The demo's markets behind a server, and its clock."""

    def __init__(
        self,
        *faults: AnyFault,
        deposits: Mapping[str, Decimal] = DEPOSITS,
        private_max: int = 0,
        public_max: int = 0,
        older_positions: bool = False,
        settles_after: int = 0,
        beat_s: float = 1.0,
        idle_s: float = 60.0,
        subscribe_s: float = 5.0,
    ) -> None:
        self.clock = HandClock(MONDAY)
        plan = FaultPlan(faults) if faults else NO_FAULTS
        self.exchange = PaperExchange(demo_markets(), clock=self.clock, random=Random(7), plan=plan)
        self.exchange.open_account(ACCOUNT, deposits)
        self.server = CoinbaseServer(
            self.exchange,
            demo_keys(),
            clock=self.clock,
            private_max=private_max,
            public_max=public_max,
            older_positions=older_positions,
            settles_after=settles_after,
            beat_s=beat_s,
            idle_s=idle_s,
            subscribe_s=subscribe_s,
        )
        self._named = count(1)

    @property
    def now(self) -> int:
        """Seconds."""
        return self.clock.now() // NS_PER_SECOND

    def ask(
        self, method: str, path: str, body: object = None, *, bearer: str | None = None, key: str = ED25519_KEY_NAME
    ) -> tuple[int, Any]:
        """The status of an answer, and what it says."""
        path, _, query = path.partition("?")
        whole = f"{ROOT}{path}"
        if bearer is None:
            bearer = token(f"{method} {HOST}{whole}", self.now, key=key)
        pairs = parse_qsl(query, keep_blank_values=True)
        request = Request(
            method,
            whole,
            whole,
            dict(reversed(pairs)),
            {"host": HOST} | ({"authorization": f"Bearer {bearer}"} if bearer else {}),
            b"" if body is None else msgspec.json.encode(body),
            client="127.0.0.1",
            pairs=pairs,
        )
        answer = self.server.answer(request)
        is_json = answer.headers["content-type"] == "application/json"
        return answer.status, json.loads(answer.body) if is_json else answer.body.decode()

    def get(self, path: str) -> Row:
        """An answer that must be given."""
        status, row = self.ask("GET", path)
        assert status == 200, row
        answer: Row = row
        return answer

    def post(self, path: str, body: object) -> Row:
        """Change something, which must be answered."""
        status, row = self.ask("POST", path, body)
        assert status == 200, row
        answer: Row = row
        return answer

    def order(self, product: str, side: str, kind: str, name: str = "", /, **terms: object) -> Row:
        """Order; the answer may decline."""
        name = name or f"client-{next(self._named)}"
        configuration = {kind: terms}
        body = {"client_order_id": name, "product_id": product, "side": side, "order_configuration": configuration}
        return self.post("/orders", body)

    def placed(self, product: str, side: str, kind: str, name: str = "", /, **terms: object) -> str:
        """Order; gives the order's id."""
        row = self.order(product, side, kind, name, **terms)
        assert row["success"], row
        order_id: str = row["success_response"]["order_id"]
        return order_id

    def declined(self, product: str, side: str, kind: str, /, **terms: object) -> tuple[str, str]:
        """Order what is not taken; gives the venue's two words for why."""
        row = self.order(product, side, kind, "", **terms)
        assert not row["success"], row
        assert "success_response" not in row
        return row["error_response"]["error"], row["error_response"]["preview_failure_reason"]

    def shown(self, order_id: str) -> Row:
        """An order as it stands."""
        row: Row = self.get(f"/orders/historical/{order_id}")["order"]
        return row

    def fills(self, query: str = "limit=250") -> list[Row]:
        rows: list[Row] = self.get(f"/orders/historical/fills?{query}")["fills"]
        return rows

    def wallet(self, currency: str) -> tuple[Decimal, Decimal]:
        """What is available of a currency, and what is on hold."""
        rows = {row["currency"]: row for row in self.get("/accounts?limit=250")["accounts"]}
        row = rows[currency]
        return D(row["available_balance"]["value"]), D(row["hold"]["value"])

    def trade(self, quantity: str, symbol: str = FUTURE_SYMBOL) -> None:
        """A market order by hand: positive buys, negative sells."""
        side: Side = "buy" if D(quantity) > 0 else "sell"
        self.exchange.trade_by_hand(ACCOUNT, symbol, side, abs(D(quantity)))
