"""The application: who may ask, how often, which path is answered by what, and the WebSocket."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from http import HTTPMethod
from typing import Any
from urllib.parse import unquote

import msgspec

from trueup.model.errors import OutcomeUnknown, Unavailable
from trueup.model.times import NS_PER_MS, NS_PER_SECOND, format_time
from trueup.ports import Clock
from trueup.testing.servers import asgi
from trueup.testing.servers.asgi import Answer, Receive, Request, Scope, Send
from trueup.testing.servers.coinbase import queries
from trueup.testing.servers.coinbase.feeds import Feeds
from trueup.testing.servers.coinbase.keys import Guard, Key
from trueup.testing.servers.coinbase.limits import Limits
from trueup.testing.servers.coinbase.products import Product, Products
from trueup.testing.servers.coinbase.rooms import Room
from trueup.testing.servers.coinbase.shows import written
from trueup.testing.servers.coinbase.wire import Refusal, Row, invalid, refusal, unauthorized
from trueup.venues.paper.exchange import PaperExchange

PRIVATE_MAX, PUBLIC_MAX = 30, 10
"""Requests in a second: of a key, and of an address without one."""

SUBSCRIBE_S = 5.0
"""A connection that subscribed to nothing for so long is closed."""

IDLE_S = 60.0
"""A connection to which nothing was sent for so long is closed: what heartbeats are for."""

BEAT_S = 1.0
PUSH_S = 0.25
"""How often it is looked whether there is something to tell."""

API_HOST = "api.coinbase.com"
"""What tokens may be made for besides the address that was reached."""

_ROOT = "/api/v3/brokerage"
_BEARER = "Bearer "
_TOO_MANY = {"errors": [{"id": "rate_limit_exceeded", "message": "Too many requests"}]}


class CoinbaseServer:
    """An ASGI application that speaks Coinbase Advanced's protocol for accounts of an exchange.

    It is strict where the venue is not known to be kind.

    Args:
        exchange: Whose markets are spot pairs such as ``BTC-USD``, and futures in a wallet of their own.
        keys: Whose tokens are good, each for one account of the exchange.
        clock: Whose ``now`` is the venue's time, and whose ``monotonic`` the seconds of the limits.
        private_max, public_max: Requests in a second; 0 for as many as one likes.
        older_positions: Whether ``cfm/positions`` is in the form that it had before 2026.
        settles_after: How many looks at orders find a new one pending still, and at fills a new one not there yet.
        subscribe_s, idle_s, beat_s: Of a WebSocket: until something is subscribed to; of silence; between heartbeats.

    Raises:
        BadInput: Markets that Coinbase could not have.
    """

    def __init__(
        self,
        exchange: PaperExchange,
        keys: Collection[Key],
        *,
        clock: Clock,
        private_max: int = PRIVATE_MAX,
        public_max: int = PUBLIC_MAX,
        older_positions: bool = False,
        settles_after: int = 0,
        subscribe_s: float = SUBSCRIBE_S,
        idle_s: float = IDLE_S,
        beat_s: float = BEAT_S,
    ) -> None:
        self.exchange = exchange
        self.products = Products(exchange)
        self._clock = clock
        self._guard = Guard(keys, clock)
        accounts = {key.account for key in keys}
        self._rooms = {
            account: Room.of(
                exchange, account, self.products, clock, older_positions=older_positions, settles_after=settles_after
            )
            for account in accounts
        }
        self._private, self._public = Limits(clock, private_max), Limits(clock, public_max)
        self._subscribe_s, self._idle_s, self._beat_s = subscribe_s, idle_s, beat_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hold one WebSocket."""
        if scope["type"] == "websocket":
            await self._hold(asgi.opened(scope), asgi.WebSocket(receive, send))
        elif scope["type"] == "http":
            await asgi.reply(send, self.answer(await asgi.request(scope, receive)))

    # --- REST ---------------------------------------------------------------------------------------------------------

    def answer(self, request: Request) -> Answer:
        """Answer a request."""
        try:
            return self._json(self._answered(request))
        except Refusal as refused:
            return self._refused(refused)
        except Unavailable:
            return self._refused(refusal(503, "UNAVAILABLE", "service unavailable"))
        except OutcomeUnknown:
            return self._refused(refusal(504, "DEADLINE_EXCEEDED", "the request timed out"))

    def _answered(self, request: Request) -> Row:
        path = _parts(request)
        public = _route(path, _PUBLIC)
        if public is not None:
            if not self._public.allows(request.client):
                raise Refusal(429, _TOO_MANY)
            methods, wild = public
            return _method(methods, request)(self, request, *wild)
        key = self._key(request)
        private = _route(path, _PRIVATE)
        if private is None:
            raise refusal(404, "NOT_FOUND", "Not Found")
        methods, wild = private
        handler = _method(methods, request)
        scope = "view" if request.method == HTTPMethod.GET or path[-1] == "preview" else "trade"
        if scope not in key.scopes:
            raise refusal(403, "PERMISSION_DENIED", "Missing required scopes")
        room = self._rooms[key.account]
        room.desk.expire()
        return handler(_Asked(self, key, room, request), *wild)

    def _key(self, request: Request) -> Key:
        """Whose request it is, within its limits."""
        header = request.headers.get("authorization", "")
        if not header.startswith(_BEARER):
            raise unauthorized()
        path = request.raw_path.partition("?")[0]
        hosts = (request.headers.get("host", ""), API_HOST)
        # Some clients take off "https://" alone, which leaves an address on loopback with its scheme.
        uris = {f"{request.method} {scheme}{host}{path}" for host in hosts for scheme in ("", "http://")}
        key = self._guard.admit(header.removeprefix(_BEARER), uris)
        if not self._private.allows(key.name):
            raise Refusal(429, _TOO_MANY)
        return key

    def _json(self, row: Row) -> Answer:
        return asgi.json(row, headers={"date": asgi.http_date(self._clock.now())})

    def _refused(self, refused: Refusal) -> Answer:
        headers = {"date": asgi.http_date(self._clock.now())}
        if isinstance(refused.said, str):
            headers["content-type"] = "text/plain; charset=utf-8"
            return Answer(refused.status, refused.said.encode(), headers)
        return asgi.json(refused.said, refused.status, headers)

    def time(self, _request: Request) -> Row:
        """``time``."""
        now = self._clock.now()
        return {
            "iso": format_time(now // NS_PER_MS * NS_PER_MS),
            "epochSeconds": str(now // NS_PER_SECOND),
            "epochMillis": str(now // NS_PER_MS),
        }

    def list_products(self, request: Request) -> Row:
        """``products``."""
        return queries.products(self.products, request, self._clock.now())

    def show_product(self, _request: Request, product_id: str) -> Row:
        """``products/{id}``."""
        return self.products.row(self.products.find(product_id), self._clock.now())

    def show_ticker(self, _request: Request, product_id: str) -> Row:
        """``products/{id}/ticker``."""
        return queries.ticker(self.products.find(product_id), self.products, self._clock.now())

    def show_book(self, request: Request) -> Row:
        """``product_book``."""
        product = self.products.find(request.query.get("product_id", ""))
        return self.products.book_answer(product, self._clock.now())

    def list_books(self, request: Request) -> Row:
        """``best_bid_ask``."""
        return queries.books(self.products, request, self._clock.now())

    # --- WebSocket ----------------------------------------------------------------------------------------------------

    async def _hold(self, request: Request, socket: asgi.WebSocket) -> None:
        if request.path.strip("/"):
            await socket.refuse(404)
            return
        await socket.accept()
        feeds = Feeds(self.exchange, self._rooms, self.products, self._guard, self._clock)
        listening = asyncio.ensure_future(self._listen(socket, feeds))
        listening.add_done_callback(lambda _: feeds.woken.set())
        try:
            await self._deliver(socket, feeds, listening)
        finally:
            feeds.leave()
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def _deliver(self, socket: asgi.WebSocket, feeds: Feeds, listening: "asyncio.Future[None]") -> None:
        """Send what waits, until the client is gone or the connection is to end."""
        now = asyncio.get_running_loop().time
        began = spoken = beaten = now()
        while not listening.done():
            feeds.woken.clear()
            if now() - beaten >= self._beat_s:
                beaten = now()
                feeds.beat()
            _look(feeds)
            while (message := feeds.taken()) is not None:
                await socket.send_json(message)
                spoken = now()
            late = not feeds.channels and now() - began > self._subscribe_s
            if feeds.ended or late or now() - spoken > self._idle_s:
                await socket.close(1000, feeds.ended or ("no subscription" if late else "idle"))
                return
            try:
                async with asyncio.timeout(min(PUSH_S, self._beat_s)):
                    await feeds.woken.wait()
            except TimeoutError:
                continue
        listening.result()

    async def _listen(self, socket: asgi.WebSocket, feeds: Feeds) -> None:
        """Do what the client says. Raises :class:`Disconnected` at the end."""
        while True:
            text = await socket.receive()
            try:
                feeds.obey(msgspec.json.decode(text))
            except msgspec.DecodeError:
                feeds.complain("failure to parse message")
            except Unavailable as error:
                feeds.end(error.message)


def _look(feeds: Feeds) -> None:
    try:
        feeds.look()
    except Unavailable as error:
        feeds.end(error.message)


# --- paths ------------------------------------------------------------------------------------------------------------


class _Asked(msgspec.Struct, frozen=True):
    """A request of a key that may make it."""

    server: CoinbaseServer
    key: Key
    room: Room
    request: Request

    @property
    def body(self) -> Mapping[str, Any]:
        """In JSON, its numbers exact. Raises :class:`Refusal`."""
        try:
            body = _JSON.decode(self.request.body)
        except msgspec.DecodeError:
            raise invalid("the body is no JSON") from None
        if not isinstance(body, dict):
            raise invalid("the body is no object")
        return body

    def account(self, name: str) -> Row:
        """``accounts/{uuid}``."""
        for wallet in self.room.shows.accounts():
            if wallet["uuid"] == name:
                return {"account": wallet}
        raise refusal(404, "NOT_FOUND", "account not found")

    def breakdown(self, name: str) -> Row:
        """``portfolios/{uuid}``."""
        if name != self.room.history.portfolio_id:
            raise refusal(404, "NOT_FOUND", "portfolio not found")
        return {"breakdown": self.room.shows.breakdown()}

    def order(self, name: str) -> Row:
        """``orders/historical/{order_id}``."""
        history = self.room.history.catch_up()
        if name not in history.orders:
            raise refusal(404, "NOT_FOUND", "order with this orderID was not found")
        history.look()
        return {"order": history.seen(history.orders[name]).row(history.user_id, history.portfolio_id)}

    def position(self, name: str) -> Row:
        """``cfm/positions/{product_id}``."""
        product: Product = self.server.products.find(name)
        held = self.room.shows.position(product)
        if held is None:
            raise refusal(404, "NOT_FOUND", "position not found")
        return {"position": self.room.shows.position_row(product, held)}


_JSON = msgspec.json.Decoder(float_hook=Decimal)

Handler = Callable[..., Row]
Routes = Mapping[str, Mapping[str, Handler]]

_PUBLIC: Routes = {
    "time": {"GET": CoinbaseServer.time},
    "market/products": {"GET": CoinbaseServer.list_products},
    "market/products/*": {"GET": CoinbaseServer.show_product},
    "market/products/*/ticker": {"GET": CoinbaseServer.show_ticker},
    "market/product_book": {"GET": CoinbaseServer.show_book},
}

_PRIVATE: Routes = {
    "accounts": {"GET": lambda a: queries.accounts(a.room.shows.accounts(), a.request)},
    "accounts/*": {"GET": _Asked.account},
    "portfolios": {"GET": lambda a: {"portfolios": [a.room.shows.portfolio()]}},
    "portfolios/*": {"GET": _Asked.breakdown},
    "products": {"GET": lambda a: a.server.list_products(a.request)},
    "products/*": {"GET": lambda a, name: a.server.show_product(a.request, name)},
    "products/*/ticker": {"GET": lambda a, name: a.server.show_ticker(a.request, name)},
    "product_book": {"GET": lambda a: a.server.show_book(a.request)},
    "best_bid_ask": {"GET": lambda a: a.server.list_books(a.request)},
    "orders": {"POST": lambda a: a.room.desk.create(a.body)},
    "orders/batch_cancel": {"POST": lambda a: a.room.desk.cancel(a.body)},
    "orders/edit": {"POST": lambda a: a.room.desk.edit(a.body)},
    "orders/preview": {"POST": lambda a: a.room.desk.preview(a.body)},
    "orders/close_position": {"POST": lambda a: a.room.desk.close(a.body)},
    "orders/historical/batch": {"GET": lambda a: queries.orders(a.room.history.catch_up(), a.request)},
    "orders/historical/fills": {
        "GET": lambda a: queries.fills(a.room.history.catch_up(), a.server.products, a.request)
    },
    "orders/historical/*": {"GET": _Asked.order},
    "transaction_summary": {"GET": lambda a: a.room.shows.transaction_summary()},
    "key_permissions": {"GET": lambda a: a.room.shows.permissions(a.key)},
    "cfm/balance_summary": {"GET": lambda a: {"balance_summary": written(a.room.shows.balance_summary(), plain=False)}},
    "cfm/positions": {"GET": lambda a: {"positions": a.room.shows.positions()}},
    "cfm/positions/*": {"GET": _Asked.position},
    "cfm/sweeps": {"GET": lambda _: {"sweeps": []}},
    "cfm/intraday/current_margin_window": {"GET": lambda a: a.room.shows.margin_window()},
}
"""Below the root: who answers which method; ``*`` stands for what the answer is about."""


def _parts(request: Request) -> list[str]:
    """The path below the root, taken apart before it is unescaped. Raises :class:`Refusal`."""
    path = request.raw_path.partition("?")[0]
    if not path.startswith(f"{_ROOT}/"):
        raise refusal(404, "NOT_FOUND", "Not Found")
    return [unquote(part) for part in path.removeprefix(f"{_ROOT}/").rstrip("/").split("/")]


def _route(path: Sequence[str], routes: Routes) -> tuple[Mapping[str, Handler], list[str]] | None:
    for pattern, methods in routes.items():
        parts = pattern.split("/")
        if len(parts) == len(path) and all(part in {"*", asked} for part, asked in zip(parts, path, strict=True)):
            return methods, [asked for part, asked in zip(parts, path, strict=True) if part == "*"]
    return None


def _method(methods: Mapping[str, Handler], request: Request) -> Handler:
    handler = methods.get(request.method)
    if handler is None:
        raise refusal(405, "METHOD_NOT_ALLOWED", "Method Not Allowed")
    return handler
