"""A server in front of an exchange, asked without a socket, and what a test wants to know of its answers."""

from decimal import Decimal
from random import Random
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from tests.testing.servers.kit.ticking import MONDAY, HandClock
from trueup.testing.servers.asgi import Request
from trueup.testing.servers.oanda.demo import (
    ACCOUNT,
    ACCOUNT_ID,
    HEDGED_ACCOUNT,
    HEDGED_ACCOUNT_ID,
    TOKEN,
    demo_exchange,
)
from trueup.testing.servers.oanda.hours import Hours, in_new_york
from trueup.testing.servers.oanda.server import OandaServer
from trueup.venues.paper.exchange import PaperExchange

Row = dict[str, Any]

EURO = "EUR_USD"


class Talk:
    """The demo's exchange behind a server, and its clock."""

    def __init__(
        self,
        *,
        exchange: PaperExchange | None = None,
        clock: HandClock | None = None,
        hours: Hours = in_new_york,
        requests_max: int = 0,
        transactions_max: int = 1_000,
    ) -> None:
        self.clock = clock or HandClock(MONDAY)
        self.exchange = exchange or demo_exchange(self.clock, Random(7))
        self.server = OandaServer(
            self.exchange,
            {ACCOUNT_ID: ACCOUNT, HEDGED_ACCOUNT_ID: HEDGED_ACCOUNT},
            clock=self.clock,
            tokens={TOKEN: (ACCOUNT_ID, HEDGED_ACCOUNT_ID), "other-token": ()},
            hours=hours,
            requests_max=requests_max,
            transactions_max=transactions_max,
            heartbeat_s=0.05,
            price_s=0.01,
        )
        self.account_id = ACCOUNT_ID

    def ask(
        self, method: str, path: str, body: object = None, *, token: str = TOKEN, headers: dict[str, str] | None = None
    ) -> tuple[int, Row]:
        """The status and body of an answer; ``path`` is below the account, or whole where it begins with ``/v3``."""
        path, _, query = path.partition("?")
        whole = path if path.startswith("/v3") else f"/v3/accounts/{self.account_id}{path}"
        request = Request(
            method,
            whole,
            whole,
            dict(parse_qsl(query)),
            {"authorization": f"Bearer {token}", "host": "127.0.0.1:1", **(headers or {})},
            msgspec.json.encode(body) if body is not None else b"",
        )
        answer = self.server.answer(request)
        return answer.status, msgspec.json.decode(answer.body)

    def get(self, path: str) -> Row:
        """An answer that must be given."""
        status, row = self.ask("GET", path)
        assert status == 200, row
        return row

    def order(self, expected: int = 201, /, **order: object) -> Row:
        """Order, in euros where nothing else is said."""
        status, row = self.ask("POST", "/orders", {"order": {"instrument": EURO, **order}})
        assert status == expected, row
        return row

    def put(self, path: str, body: object = None, expected: int = 200) -> Row:
        """Change something."""
        status, row = self.ask("PUT", path, body)
        assert status == expected, row
        return row

    def transactions(self) -> list[Row]:
        """All there are."""
        rows: list[Row] = self.get("/transactions/idrange?from=1&to=100000")["transactions"]
        return rows

    def balance(self) -> Decimal:
        return Decimal(self.get("/summary")["account"]["balance"])


def kinds(rows: list[Row]) -> list[str]:
    return [row["type"] for row in rows]
