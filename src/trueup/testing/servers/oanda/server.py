"""The application: who may ask, how often, and which path is answered by what."""

import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

import msgspec

from trueup.model.errors import BadInput, OutcomeUnknown, Unavailable
from trueup.model.identifiers import AccountId
from trueup.model.numbers import exact
from trueup.ports import Clock
from trueup.testing.servers import asgi
from trueup.testing.servers.asgi import Answer, Receive, Request, Scope, Send
from trueup.testing.servers.oanda import queries, wire
from trueup.testing.servers.oanda.books import Books
from trueup.testing.servers.oanda.desk import CREATED, Desk
from trueup.testing.servers.oanda.hours import Hours, in_new_york
from trueup.testing.servers.oanda.markets import Markets
from trueup.testing.servers.oanda.shows import Shows
from trueup.testing.servers.oanda.streams import HEARTBEAT_S, PRICE_S, Streams
from trueup.testing.servers.oanda.wire import Refusal, Row
from trueup.venues.paper.exchange import PaperExchange

REQUESTS_MAX = 120
"""In a second, by token."""

TRANSACTIONS_MAX = 1_000
"""In one answer."""

_ACCOUNT_ID = re.compile(r"\d{3}-\d{3}-\d{1,9}-\d{3}", re.ASCII)
_BEARER = "Bearer "


class Room(msgspec.Struct, frozen=True):
    """One account with those who answer for it."""

    account: AccountId
    books: Books
    desk: Desk
    shows: Shows


class OandaServer:
    """An ASGI application that speaks OANDA's v20 protocol for accounts of an exchange.

    It is strict where the venue is not known to be kind: a client's id finds an order only while that is pending.

    Args:
        exchange: Whose markets are pairs such as ``EUR_USD``.
        accounts: By OANDA's account id, such as ``101-004-1234567-001``.
        clock: For everything that carries a time, and for the limit of requests.
        tokens: The account ids that each may see.
        home_currency: Of every account. Deposits in another one are collateral of the exchange and show nowhere.
        hours: When markets are open.
        requests_max: In a second, by token; 0 for as many as one likes.
        transactions_max: In one answer.
        heartbeat_s, price_s: Between signs of life of a stream, and between looks at the prices.

    Raises:
        BadInput: Markets or an account id that OANDA could not have.
        AuthenticationFailed: An account that is not open at the exchange.
    """

    def __init__(
        self,
        exchange: PaperExchange,
        accounts: Mapping[str, AccountId],
        *,
        clock: Clock,
        tokens: Mapping[str, Sequence[str]],
        home_currency: str = "USD",
        hours: Hours = in_new_york,
        requests_max: int = REQUESTS_MAX,
        transactions_max: int = TRANSACTIONS_MAX,
        heartbeat_s: float = HEARTBEAT_S,
        price_s: float = PRICE_S,
    ) -> None:
        self._clock = clock
        self._hours = hours
        self._tokens = tokens
        self._markets = Markets(exchange, home_currency)
        self._rooms = {name: self._room(exchange, name, account) for name, account in accounts.items()}
        self._requests_max = requests_max
        self._transactions_max = transactions_max
        self._recent: dict[str, deque[float]] = {token: deque() for token in tokens}
        self._streams = Streams(exchange, self._markets, clock, hours, heartbeat_s=heartbeat_s, price_s=price_s)
        self._request = 0

    def _room(self, exchange: PaperExchange, name: str, account: AccountId) -> Room:
        if _ACCOUNT_ID.fullmatch(name) is None:
            raise BadInput(
                "accounts", name, "not an account id of OANDA", remedy='Write it like "101-004-1234567-001".'
            )
        books = Books(exchange, account, name, self._markets, self._clock)
        return Room(account, books, Desk(books, self._clock, self._hours), Shows(books))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "websocket":
            await asgi.WebSocket(receive, send).refuse(404)
            return
        request = await asgi.request(scope, receive)
        if request.method == "GET" and request.path.endswith("/stream"):
            await self._stream(request, receive, send)
            return
        await asgi.reply(send, self.answer(request))

    async def _stream(self, request: Request, receive: Receive, send: Send) -> None:
        path = _parts(request)
        try:
            room = self._enter(request, path)
            lines = {"transactions": self._streams.transactions, "pricing": self._streams.prices}.get(path[3])
            if lines is None or len(path) != _STREAM_PATH:
                raise _no_such_path()
            opened = lines(room.account, room.books, request.query)
        except Refusal as refusal:
            await asgi.reply(send, self._refused(refusal))
            return
        except Unavailable:
            await asgi.reply(send, self._refused(_closed()))
            return
        headers = {"date": self._date(), "content-type": "application/octet-stream"}
        await asgi.stream(receive, send, opened, headers)

    def answer(self, request: Request) -> Answer:
        """Answer a request that is no stream."""
        self._request += 1
        try:
            with exact():
                status, row = self._answered(request, _parts(request))
        except Refusal as refusal:
            return self._refused(refusal)
        except Unavailable:
            return self._refused(_closed())
        except OutcomeUnknown:
            return self._refused(Refusal(504, "The request timed out"))
        if request.headers.get("accept-datetime-format", "").upper() == "UNIX":
            return self._json(status, wire.as_unix(row))
        return self._json(status, row)

    def _answered(self, request: Request, path: list[str]) -> tuple[int, Row]:
        if path[:2] == ["v3", "accounts"] and len(path) == 2:  # noqa: PLR2004 - what was just compared
            seen = self._tokens[self._token(request)]
            return 200, {"accounts": [{"id": name, "tags": []} for name in seen]}
        room = self._enter(request, path)
        route = _route(path[3:])
        if route is None:
            raise _no_such_path()
        methods, wild = route
        if request.method not in methods:
            raise Refusal(405, f"Method {request.method} is not allowed for this resource")
        room.books.sync()
        room.books.request_id = f"42{self._request:015d}" if request.method != "GET" else ""
        try:
            return methods[request.method](self, room, request, *wild)
        finally:
            room.books.request_id = ""

    # --- who asks -----------------------------------------------------------------------------------------------------

    def _token(self, request: Request) -> str:
        """The token, which must be known and within its limits."""
        header = request.headers.get("authorization", "")
        token = header.removeprefix(_BEARER)
        if not header.startswith(_BEARER) or token not in self._tokens:
            raise Refusal(401, "Insufficient authorization to perform request.")
        recent, now = self._recent[token], self._clock.monotonic()
        while recent and now - recent[0] >= 1:
            recent.popleft()
        if self._requests_max and len(recent) >= self._requests_max:
            raise Refusal(429, "The rate limit was exceeded")
        recent.append(now)
        return token

    def _enter(self, request: Request, path: list[str]) -> Room:
        """The account that a path is about, to whoever may see it."""
        token = self._token(request)
        if path[:2] != ["v3", "accounts"] or len(path) <= 2:  # noqa: PLR2004 - the two and the account's id
            raise _no_such_path()
        name = path[2]
        if _ACCOUNT_ID.fullmatch(name) is None:
            raise wire.invalid("accountID")
        if name not in self._tokens[token] or name not in self._rooms:
            raise Refusal(403, "The provided request was forbidden.")
        return self._rooms[name]

    # --- answers ------------------------------------------------------------------------------------------------------

    def _date(self) -> str:
        return asgi.http_date(self._clock.now())

    def _json(self, status: int, row: object) -> Answer:
        return asgi.json(row, status, {"date": self._date(), "requestid": f"42{self._request:015d}"})

    def _refused(self, refusal: Refusal) -> Answer:
        return self._json(refusal.status, refusal.row)

    def instruments(self, room: Room, request: Request) -> tuple[int, Row]:
        """``GET instruments``."""
        names = queries.names(request.query.get("instruments"), self._markets) or list(self._markets)
        rows = [self._markets.row(name) for name in names]
        return 200, {"instruments": rows, "lastTransactionID": room.books.last_id}

    def pricing(self, room: Room, request: Request) -> tuple[int, Row]:
        """``GET pricing``."""
        del room
        names = queries.names(request.query.get("instruments"), self._markets)
        if not names:
            raise wire.invalid("instruments")
        now = self._clock.now()
        rows = [self._markets.price_row(name, now, tradeable=self._hours(now)) for name in names]
        return 200, {"time": wire.stamp(now), "prices": rows}

    def transactions(self, room: Room, request: Request) -> tuple[int, Row]:
        """``GET transactions``: links to pages of them."""
        host = request.headers.get("host", "")
        base = f"http://{host}/v3/accounts/{room.books.account_id}/transactions"
        return 200, queries.pages(room.books, request.query, base, self._clock.now())

    def id_range(self, room: Room, request: Request) -> tuple[int, Row]:
        """``GET transactions/idrange``."""
        return 200, queries.id_range(room.books, request.query, self._transactions_max)

    def since_id(self, room: Room, request: Request) -> tuple[int, Row]:
        """``GET transactions/sinceid``."""
        return 200, queries.since_id(room.books, request.query, self._transactions_max)


_STREAM_PATH = 5
"""Parts of the path of a stream."""

Handler = Callable[..., tuple[int, Row]]


def _parts(request: Request) -> list[str]:
    """The path, taken apart before it is unescaped."""
    return [unquote(part) for part in request.raw_path.strip("/").split("/")]


def _closed() -> Refusal:
    return Refusal(503, "The service is unavailable")


def _no_such_path() -> Refusal:
    return Refusal(404, "The resource requested does not exist")


def _told(room: Room, **row: object) -> tuple[int, Row]:
    return 200, {**row, "lastTransactionID": room.books.last_id}


def _body(request: Request) -> Mapping[str, Any]:
    """The body, its numbers exact."""
    if not request.body:
        return {}
    try:
        body = _JSON.decode(request.body)
    except msgspec.DecodeError:
        raise Refusal(400, "Invalid JSON") from None
    if not isinstance(body, dict):
        raise Refusal(400, "Invalid JSON")
    return body


_JSON = msgspec.json.Decoder(float_hook=Decimal)

_ROUTES: Mapping[tuple[str, ...], Mapping[str, Handler]] = {
    (): {"GET": lambda _s, room, _r: _told(room, account=room.shows.account())},
    ("summary",): {"GET": lambda _s, room, _r: _told(room, account=room.shows.summary())},
    ("changes",): {"GET": lambda _s, room, r: (200, room.shows.changes(queries.since(room.books, r.query)))},
    ("instruments",): {"GET": OandaServer.instruments},
    ("pricing",): {"GET": OandaServer.pricing},
    ("positions",): {"GET": lambda _s, room, _r: _told(room, positions=room.shows.positions())},
    ("openPositions",): {"GET": lambda _s, room, _r: _told(room, positions=room.shows.positions(only_open=True))},
    ("positions", "*"): {
        "GET": lambda _s, room, _r, name: _told(
            room, position=room.shows.position(queries.known(name, room.books.markets))
        )
    },
    ("positions", "*", "close"): {"PUT": lambda _s, room, r, name: (200, room.desk.close_position(name, _body(r)))},
    ("trades",): {"GET": lambda _s, room, r: _told(room, trades=queries.trades(room.books, room.shows, r.query))},
    ("openTrades",): {"GET": lambda _s, room, _r: _told(room, trades=queries.trades(room.books, room.shows, {}))},
    ("trades", "*"): {
        "GET": lambda _s, room, _r, spec: _told(room, trade=room.shows.trade(queries.trade(room.books, spec)))
    },
    ("trades", "*", "close"): {"PUT": lambda _s, room, r, spec: (200, room.desk.close_trade(spec, _body(r)))},
    ("orders",): {
        "GET": lambda _s, room, r: _told(room, orders=queries.orders(room.books, r.query)),
        "POST": lambda _s, room, r: (CREATED, room.desk.create(_body(r))),
    },
    ("pendingOrders",): {"GET": lambda _s, room, _r: _told(room, orders=queries.orders(room.books, {}, count=None))},
    ("orders", "*"): {
        "GET": lambda _s, room, _r, spec: _told(room, order=queries.order(room.books, spec)),
        "PUT": lambda _s, room, r, spec: (CREATED, room.desk.replace(spec, _body(r))),
    },
    ("orders", "*", "cancel"): {"PUT": lambda _s, room, _r, spec: (200, room.desk.cancel(spec))},
    ("transactions",): {"GET": OandaServer.transactions},
    ("transactions", "idrange"): {"GET": OandaServer.id_range},
    ("transactions", "sinceid"): {"GET": OandaServer.since_id},
    ("transactions", "*"): {
        "GET": lambda _s, room, _r, number: _told(room, transaction=queries.transaction(room.books, number))
    },
}
"""Below an account: the path, and who answers which method; ``*`` stands for what the answer is about."""


def _route(path: Sequence[str]) -> tuple[Mapping[str, Handler], list[str]] | None:
    for pattern, methods in _ROUTES.items():
        if len(pattern) == len(path) and all(part in {"*", asked} for part, asked in zip(pattern, path, strict=True)):
            return methods, [asked for part, asked in zip(pattern, path, strict=True) if part == "*"]
    return None
