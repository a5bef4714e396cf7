"""The engine as an ASGI application: JSON-RPC over ``/api/v2`` and the WebSocket ``/ws/api/v2``."""

from collections.abc import Mapping

import msgspec

from trueup.model.errors import OutcomeUnknown, Unavailable
from trueup.model.identifiers import AccountId
from trueup.ports import Clock
from trueup.testing.servers import asgi
from trueup.testing.servers.jsonrpc_derivatives import wire
from trueup.testing.servers.jsonrpc_derivatives.accounts import Accounts
from trueup.testing.servers.jsonrpc_derivatives.auth import Access, Auth, unauthorized
from trueup.testing.servers.jsonrpc_derivatives.connection import Connection
from trueup.testing.servers.jsonrpc_derivatives.credits import Credits
from trueup.testing.servers.jsonrpc_derivatives.desk import Desk
from trueup.testing.servers.jsonrpc_derivatives.history import AccountHistory
from trueup.testing.servers.jsonrpc_derivatives.markets import ANY, KINDS, Markets
from trueup.testing.servers.jsonrpc_derivatives.params import Params
from trueup.testing.servers.jsonrpc_derivatives.reads import READS
from trueup.testing.servers.jsonrpc_derivatives.trading import WRITES
from trueup.testing.servers.jsonrpc_derivatives.wire import Row
from trueup.venues.paper.exchange import PaperExchange

VERSION = "1.2.26"
API = "/api/v2"
AUTH = "public/auth"
PUSH_S = 0.1
"""How often channels of an interval tell, and it is looked whether anything has changed."""

_PUBLIC = frozenset({
    "public/auth", "public/get_currencies", "public/get_instrument", "public/get_instruments", "public/get_time",
    "public/hello", "public/test", "public/ticker",
})  # fmt: skip
_SOCKET_ONLY = frozenset({
    "public/disable_heartbeat", "public/set_heartbeat", "public/subscribe", "public/unsubscribe", "private/subscribe",
    "private/unsubscribe",
})  # fmt: skip
_KNOWN = _PUBLIC | _SOCKET_ONLY | READS.keys() | WRITES.keys()
_OUTAGE = "system_maintenance"


class Call(msgspec.Struct, frozen=True):
    """One request, however it came.

    Attributes:
        host: That was asked.
        client: Where it came from.
        access: What was said of who asks, apart from the parameters.
        connection: Over which it came; None over HTTP.
    """

    request_id: object
    method: str
    params: Params
    host: str
    client: str
    access: Access | None
    connection: Connection | None = None


class JsonRpcServer:
    """Speaks the engine's protocol for accounts of a paper exchange.

    Args:
        exchange: Where the accounts are.
        accounts: Those that keys may open.
        auth: Keys and tokens.
        clock: Whose ``now`` is the venue's time.
        testnet: What answers say of that.
        limited: Whether requests cost credits.
        heartbeat_s: The shortest interval of heartbeats that may be asked for.

    Raises:
        BadInput: Markets that the engine could not have.
        AuthenticationFailed: An account that is not open at the exchange.
    """

    def __init__(
        self,
        exchange: PaperExchange,
        accounts: tuple[AccountId, ...],
        auth: Auth,
        *,
        clock: Clock,
        testnet: bool = True,
        limited: bool = True,
        heartbeat_s: int = 10,
    ) -> None:
        self.exchange = exchange
        self._clock = clock
        self._auth = auth
        self._testnet = testnet
        self._credits = Credits(clock) if limited else None
        self._heartbeat_s = heartbeat_s
        self._markets = markets = Markets(exchange)
        shown = Accounts(exchange, markets)
        self._desks = {
            account: Desk(account, AccountHistory(exchange, account, place, markets), exchange, markets, shown, clock)
            for place, account in enumerate(accounts)
        }

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        """Answer one request, or hold one WebSocket."""
        if scope["type"] == "websocket":
            await self._hold(asgi.opened(scope), asgi.WebSocket(receive, send))
        elif scope["type"] == "http":
            await asgi.reply(send, self._http(await asgi.request(scope, receive)))

    # --- HTTP ---------------------------------------------------------------------------------------------------------

    def _http(self, request: asgi.Request) -> asgi.Answer:
        if request.path != API and not request.path.startswith(f"{API}/"):
            return self._sent(404, b"")
        if request.method not in {"GET", "POST"}:
            return self._sent(405, b"")
        came, request_id, status = self._clock.now(), None, 200
        try:
            request_id, method, values = _asked(request)
            access = None if method == AUTH else self._auth.of_request(request)
            call = Call(request_id, method, Params(values), request.headers.get("host", ""), request.client, access)
            said: Row = {"result": self._answer(call)}
        except wire.Refusal as refusal:
            said, status = {"error": refusal.row()}, refusal.status
        except Unavailable:
            said, status = {"error": wire.refused(11051, _OUTAGE).row()}, wire.CLOSED
        except OutcomeUnknown:
            return self._sent(504, b"")
        return self._sent(status, wire.encode(self._enveloped(request_id, said, came)))

    def _sent(self, status: int, body: bytes) -> asgi.Answer:
        headers = {"content-type": "application/json", "date": asgi.http_date(self._clock.now())}
        return asgi.Answer(status, body, headers)

    def _enveloped(self, request_id: object, said: Row, came: int) -> Row:
        return wire.envelope(request_id, said, came, self._clock.now(), testnet=self._testnet)

    # --- methods ------------------------------------------------------------------------------------------------------

    def _answer(self, call: Call) -> object:
        """The result of a request. Raises :class:`wire.Refusal`, and what the exchange does."""
        if call.method not in _KNOWN:
            raise wire.Refusal(-32601, "Method not found")
        if call.method in _SOCKET_ONLY and call.connection is None:
            raise wire.refused(10030, "must_be_websocket_request")
        access = self._access(call)
        self._charge(call, access)
        if call.method in READS or call.method in WRITES:
            return self._private(call, access)
        if call.method in _SOCKET_ONLY and call.connection is not None:
            if call.method.startswith("private") and access is None:
                raise unauthorized("required")
            return self._of_connection(call.connection, call, access)
        return self._public(call)

    def _access(self, call: Call) -> Access | None:
        if "access_token" in call.params:
            return self._auth.access(call.params.text("access_token"), call.connection)
        return call.access

    def _charge(self, call: Call, access: Access | None) -> None:
        who = call.client if access is None else access.account
        if self._credits is None or self._credits.take(who, call.method, matching=call.method in WRITES):
            return
        if call.connection is not None:
            call.connection.feeds.end("too_many_requests")
        raise wire.refused(10028, "too_many_requests")

    def _private(self, call: Call, access: Access | None) -> object:
        if access is None:
            raise unauthorized("required")
        if call.method in WRITES and not access.trades:
            raise wire.refused(13021, "forbidden", "scope")
        desk = self._desks[access.account]
        desk.history.catch_up()
        return (READS.get(call.method) or WRITES[call.method])(desk, call.params)

    def _public(self, call: Call) -> object:
        params, markets = call.params, self._markets
        match call.method:
            case "public/auth":
                access, row = self._auth.grant(params, call.host, call.connection)
                if call.connection is not None:
                    call.connection.access = access
                    call.connection.feeds.belong(self._desks[access.account])
                return row
            case "public/get_time":
                return wire.milliseconds(self._clock.now())
            case "public/get_instruments":
                currency, kind = markets.currency(params.text("currency", ANY)), params.choice("kind", KINDS, ANY)
                found = [] if params.flag("expired") else markets.chosen(currency, kind)
                return [contract.row() for contract in found]
            case "public/get_instrument":
                return markets.named(params.text("instrument_name")).row()
            case "public/ticker":
                return markets.ticker(markets.named(params.text("instrument_name")), self._clock.now())
            case "public/get_currencies":
                return markets.currency_rows()
            case _:
                return {"version": VERSION}  # of hello and test

    def _of_connection(self, connection: Connection, call: Call, access: Access | None) -> object:
        if access is not None:
            connection.feeds.belong(self._desks[access.account])
        match call.method:
            case "public/set_heartbeat":
                connection.beat_every(call.params.integer("interval", least=self._heartbeat_s))
                return "ok"
            case "public/disable_heartbeat":
                connection.beat_every(0)
                return "ok"
            case "public/subscribe" | "private/subscribe":
                return connection.feeds.subscribe(call.params.words("channels"))
            case _:
                return connection.feeds.unsubscribe(call.params.words("channels"))

    # --- WebSocket ----------------------------------------------------------------------------------------------------

    async def _hold(self, request: asgi.Request, socket: asgi.WebSocket) -> None:
        if request.path.rstrip("/") != f"/ws{API}":
            await socket.refuse(404)
            return
        await socket.accept()
        connection = Connection(socket, self._markets, self._clock)
        try:
            await connection.run(lambda message: self._heard(message, request, connection), PUSH_S)
        finally:
            connection.feeds.leave()

    def _heard(self, message: str | bytes, request: asgi.Request, connection: Connection) -> None:
        """Answer a message, or end the connection where no answer can be given."""
        came, request_id = self._clock.now(), None
        try:
            request_id, method, values = _read(_decoded(message))
            host = request.headers.get("host", "")
            call = Call(request_id, method, Params(values), host, request.client, connection.access, connection)
            said: Row = {"result": self._answer(call)}
        except wire.Refusal as refusal:
            said = {"error": refusal.row()}
        except Unavailable:
            said = {"error": wire.refused(11051, _OUTAGE).row()}
        except OutcomeUnknown as error:
            connection.feeds.end(error.message)
            return
        connection.feeds.say(self._enveloped(request_id, said, came))


def _decoded(text: str | bytes) -> object:
    try:
        return wire.decode(text)
    except msgspec.DecodeError:
        raise wire.Refusal(-32700, "Parse error") from None


def _asked(request: asgi.Request) -> tuple[object, str, Mapping[str, object]]:
    """Id, method and parameters of an HTTP request: in a JSON-RPC body, or the method in the path.

    With a method in the path the body may hold the parameters alone, and a query may do so without any body.
    """
    path = request.path.removeprefix(API).strip("/")
    body = _decoded(request.body) if request.body else None
    if not path or (isinstance(body, dict) and not body.keys().isdisjoint(("jsonrpc", "method"))):
        return _read({"method": path, **body} if path and isinstance(body, dict) else body)
    return None, path, body if isinstance(body, dict) else request.query


def _read(message: object) -> tuple[object, str, Mapping[str, object]]:
    """Id, method and parameters of a JSON-RPC request. Raises :class:`wire.Refusal`."""
    if isinstance(message, dict) and isinstance(message.get("method"), str):
        values = message.get("params") or {}
        if isinstance(values, dict):
            return message.get("id"), message["method"].removeprefix("/"), values
    raise wire.Refusal(-32600, "Invalid Request")
