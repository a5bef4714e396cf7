"""The application: who may ask, how often, and which path is answered by what."""

import asyncio
import gzip
from collections.abc import Callable, Mapping, Sequence
from random import Random
from urllib.parse import parse_qsl, unquote

import msgspec

from trueup.model.errors import OutcomeUnknown, Unavailable
from trueup.model.identifiers import AccountId
from trueup.model.numbers import exact
from trueup.model.times import NS_PER_SECOND
from trueup.ports import Clock
from trueup.testing.servers import asgi
from trueup.testing.servers.asgi import Answer, Receive, Request, Scope, Send, WebSocket
from trueup.testing.servers.zerodha import limits, ticker, wire
from trueup.testing.servers.zerodha.books import Books
from trueup.testing.servers.zerodha.desk import Desk
from trueup.testing.servers.zerodha.hours import Hours, in_india
from trueup.testing.servers.zerodha.limits import Limits
from trueup.testing.servers.zerodha.listings import COLUMNS, Listings
from trueup.testing.servers.zerodha.postbacks import post
from trueup.testing.servers.zerodha.prices import Prices
from trueup.testing.servers.zerodha.sessions import App, Sessions, check_address
from trueup.testing.servers.zerodha.shows import Shows
from trueup.testing.servers.zerodha.wire import DATA, INPUT, NETWORK, TOKEN, Refusal
from trueup.venues.paper.exchange import PaperExchange

VERSION = "3"
"""Of the protocol, which every request has to name."""


class Room(msgspec.Struct, frozen=True):
    """One app's account with those who answer for it."""

    app: App
    account: AccountId
    books: Books
    desk: Desk
    shows: Shows


class ZerodhaServer:
    """An ASGI application that speaks Kite Connect v3 for accounts of an exchange.

    Args:
        exchange: Whose markets' native symbols are like ``NSE:SBIN:CNC``, and settle in rupees.
        accounts: Of the exchange, each with its app.
        clock: For everything that carries a time, for sessions, days and limits.
        random: Where tokens come from.
        hours: When exchanges are open.
        requests_max: In a second, by what is asked for.
        heartbeat_s, tick_s: Of silence before the ticker's byte, and between its looks at the prices.
        transit_s: So long an order is on its way: what became of it is among the orders only then.

    Attributes:
        sessions: Who is logged in.
    """

    def __init__(
        self,
        exchange: PaperExchange,
        accounts: Mapping[AccountId, App],
        *,
        clock: Clock,
        random: Random,
        hours: Hours = in_india,
        requests_max: Mapping[str, int] = limits.USUAL,
        heartbeat_s: float = ticker.HEARTBEAT_S,
        tick_s: float = ticker.TICK_S,
        transit_s: float = 0.0,
    ) -> None:
        self.sessions = Sessions(tuple(accounts.values()), clock=clock, random=random)
        self.prices = Prices(Listings(exchange), clock)
        self._exchange = exchange
        self._clock = clock
        self._transit_ns = int(transit_s * NS_PER_SECOND)
        self._rooms = {app.api_key: self._room(account, app, hours) for account, app in accounts.items()}
        self._limits = Limits(clock, requests_max)
        self._heartbeat_s = heartbeat_s
        self._tick_s = tick_s
        self._posting: list[asyncio.Task[None]] = []

    def _room(self, account: AccountId, app: App, hours: Hours) -> Room:
        books = Books(self._exchange, account, app.user_id, self.prices, self._clock)
        return Room(app, account, books, Desk(books, self._clock, hours), Shows(books, self._clock, self._transit_ns))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hold one WebSocket."""
        self._post()
        if scope["type"] == "websocket":
            await self._hold(asgi.opened(scope), WebSocket(receive, send))
            return
        await asgi.reply(send, self.answer(await asgi.request(scope, receive)))

    def _post(self) -> None:
        """See to it that the apps' postbacks are posted, from the first request on. Raises what ended that."""
        for task in self._posting:
            if task.done():
                task.result()
        if not self._posting:
            rooms = [room for room in self._rooms.values() if room.app.postback_url]
            self._posting = [asyncio.ensure_future(post(room.app, room.books)) for room in rooms]

    # --- the ticker ---------------------------------------------------------------------------------------------------

    async def _hold(self, request: Request, socket: WebSocket) -> None:
        try:
            app = self.sessions.who(request.query.get("api_key", ""), request.query.get("access_token", ""))
        except Refusal as refusal:
            await socket.refuse(refusal.status)
            return
        room, ear = self._rooms[app.api_key], ticker.Ear()
        try:
            with exact():
                room.books.sync()  # what happened before is not told
            self._exchange.subscribe(room.account, ear)
        except Unavailable:
            await socket.refuse(wire.STATUSES[NETWORK])
            return
        try:
            await socket.accept()
            spoken = {"heartbeat_s": self._heartbeat_s, "tick_s": self._tick_s}
            await ticker.hold(socket, room.books, ear, self._clock, **spoken)
        finally:
            self._exchange.unsubscribe(room.account, ear)

    # --- requests -----------------------------------------------------------------------------------------------------

    def answer(self, request: Request) -> Answer:
        """Answer a request."""
        try:
            with exact():
                answer = self._answered(request)
        except Refusal as refusal:
            answer = wire.error(refusal)
        except Unavailable:
            answer = wire.error(Refusal(NETWORK, "Gateway timed out. Please try again."))
        except OutcomeUnknown:
            answer = wire.error(Refusal(DATA, "Error fetching a response from the order management system."))
        date = {"date": asgi.http_date(self._clock.now())}
        return msgspec.structs.replace(answer, headers={**date, **answer.headers})

    def _answered(self, request: Request) -> Answer:
        path = tuple(unquote(part) for part in request.raw_path.strip("/").split("/"))
        if path == ("connect", "login") and request.method == "GET":
            return Answer(302, b"", {"location": self.sessions.log_in(request.query)})
        if request.headers.get("x-kite-version") != VERSION:
            raise Refusal(INPUT, "Missing or invalid header `X-Kite-Version`.")
        if path == ("session", "token"):
            return self._session(request)
        room = self._enter(request)
        self._limits.count(room.app.api_key, _kind(path, request.method))
        methods, wild = _route(path)
        if request.method not in methods:
            raise Refusal(INPUT, f"Method {request.method} is not allowed here.", 405)
        if _kind(path, request.method) == limits.ORDERS:
            check_address(room.app, request.client)
        room.books.sync()
        answered = methods[request.method](self, room, request, *wild)
        return answered if isinstance(answered, Answer) else wire.success(answered)

    def _session(self, request: Request) -> Answer:
        if request.method == "DELETE":
            self.sessions.close(request.query.get("api_key", ""), request.query.get("access_token", ""))
            return wire.success(data=True)
        if request.method != "POST":
            raise Refusal(INPUT, f"Method {request.method} is not allowed here.", 405)
        app, token = self.sessions.open(_form(request))
        return wire.success(self._rooms[app.api_key].shows.session(app, token))

    def _enter(self, request: Request) -> Room:
        """The account of who asks."""
        scheme, _, keys = request.headers.get("authorization", "").partition(" ")
        api_key, colon, token = keys.partition(":")
        if scheme != "token" or not colon:
            raise Refusal(TOKEN, "Incorrect `api_key` or `access_token`.")
        return self._rooms[self.sessions.who(api_key, token).api_key]

    def instruments(self, _room: Room, request: Request, exchange: str = "") -> Answer:
        """``GET /instruments`` and ``/instruments/{exchange}``: a table, packed where the client can unpack it."""
        listed = [listing for listing in self.prices.listings if exchange in {"", listing.exchange}]
        table = "\n".join([COLUMNS, *(listing.line(self.prices.last(listing)) for listing in listed), ""]).encode()
        headers = {"content-type": "text/csv"}
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Answer(200, table, headers)
        return Answer(200, gzip.compress(table, mtime=0), {**headers, "content-encoding": "gzip"})


Handler = Callable[..., object]
Routes = Mapping[tuple[str, ...], Mapping[str, Handler]]


def _form(request: Request) -> dict[str, str]:
    """The fields of a form, whose body has to be one."""
    kind = request.headers.get("content-type", "").partition(";")[0]
    if request.body and kind != "application/x-www-form-urlencoded":
        raise Refusal(INPUT, "Invalid content type: a form is wanted.")
    return dict(reversed(parse_qsl(request.body.decode("latin-1"))))


def _keys(request: Request) -> list[str]:
    return [value for name, value in request.pairs if name == "i"]


def _kind(path: Sequence[str], method: str) -> str:
    """What the limits count a request as."""
    if path[0] == "quote":
        return limits.QUOTES
    return limits.ORDERS if path[0] == "orders" and method != "GET" else limits.OTHERS


_ROUTES: Routes = {
    ("user", "profile"): {"GET": lambda _s, room, _r: room.shows.profile()},
    ("user", "margins"): {"GET": lambda _s, room, _r: room.shows.margins()},
    ("user", "margins", "*"): {"GET": lambda _s, room, _r, segment: room.shows.margin(segment)},
    ("portfolio", "positions"): {
        "GET": lambda _s, room, _r: room.shows.positions(),
        "PUT": lambda _s, room, r: room.desk.convert(_form(r)),
    },
    ("portfolio", "holdings"): {"GET": lambda _s, room, _r: room.shows.holdings()},
    ("orders",): {"GET": lambda _s, room, _r: room.shows.orders()},
    ("orders", "*"): {
        "GET": lambda _s, room, _r, order_id: room.shows.order(order_id),
        "POST": lambda _s, room, r, variety: room.desk.place(variety, _form(r)),
    },
    ("orders", "*", "trades"): {"GET": lambda _s, room, _r, order_id: room.shows.trades(order_id)},
    ("orders", "*", "*"): {
        "PUT": lambda _s, room, r, variety, order_id: room.desk.modify(variety, order_id, _form(r)),
        "DELETE": lambda _s, room, _r, variety, order_id: room.desk.cancel(variety, order_id),
    },
    ("trades",): {"GET": lambda _s, room, _r: room.shows.trades()},
    ("instruments",): {"GET": ZerodhaServer.instruments},
    ("instruments", "*"): {"GET": ZerodhaServer.instruments},
    ("quote",): {"GET": lambda _s, room, r: room.shows.quotes(_keys(r), "quote")},
    ("quote", "ohlc"): {"GET": lambda _s, room, r: room.shows.quotes(_keys(r), "ohlc")},
    ("quote", "ltp"): {"GET": lambda _s, room, r: room.shows.quotes(_keys(r), "ltp")},
}
"""The path, and who answers which method; ``*`` stands for what the answer is about."""


def _route(path: Sequence[str]) -> tuple[Mapping[str, Handler], list[str]]:
    for pattern, methods in _ROUTES.items():
        if len(pattern) == len(path) and all(part in {"*", asked} for part, asked in zip(pattern, path, strict=True)):
            return methods, [asked for part, asked in zip(pattern, path, strict=True) if part == "*"]
    raise Refusal(INPUT, "Route not found", 404)
