"""An exchange object of ccxt, made safe: exact numbers, our clock, no hidden writes, no retried orders.

ccxt is imported here and nowhere else, and only when an account needs it: that takes about a second and 100 MB.
"""

import json
import logging
from collections import deque
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from functools import cache
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from trueup.model.errors import BadInput, Malformed
from trueup.model.times import NS_PER_MS, NS_PER_SECOND
from trueup.ports import Clock
from trueup.venues import rows
from trueup.venues.ccxt.corrections import UNSENT
from trueup.venues.ccxt.guard import Admitting, admission, permitted
from trueup.venues.transport.secrets import Secret

Exchange = Any
"""An object of one of ccxt's classes. They are not typed, and naming them would import them."""

ANSWER_MS = 20_000
"""How long ccxt waits for one answer."""

RETRIES = 2
RETRY_PAUSE_MS = 250
"""How often ccxt makes a read again that failed on the way, and how long it waits before; orders are sent once."""

HEARD_MAX = 20_000
HEARD_AT_ONCE = 200
"""Items of streams that are kept until they are read, and how many of a message are looked at, newest last."""

_NO_EARNERS: Mapping[str, object] = {"builderFee": False, "approvedBuilderFee": False, "refSet": True}
"""With these ccxt adds no fee for its makers to an order; :mod:`guard` refuses one that has it all the same."""

_silent = logging.getLogger("trueup.venues.ccxt.silent")
_silent.disabled = True  # ccxt logs headers and bodies of requests, keys and signatures among them


class Guarded(Admitting):
    """What every exchange object of ours does differently from ccxt's own.

    Attributes:
        our_clock: Whose time requests carry.
        heard: Trades and orders that came over streams, for whoever follows them.
        connects, losses: How often a stream was connected and lost; whoever follows one sees what may be missing.
    """

    our_clock: Clock
    session: Any
    heard: deque[Mapping[str, object]]
    connects: int = 0
    losses: int = 0

    async def request(
        self,
        path: str,
        api: Sequence[str] | str = "public",
        method: str = "GET",
        params: object = None,
        config: object = None,
    ) -> object:
        """Every endpoint of a venue's table is called through this. Raises :class:`Rejected` for what may not be."""
        self.admit((method, path, (api,) if isinstance(api, str) else tuple(api)), params)
        permit = permitted()
        if method == "GET" and isinstance(params, dict):  # in an address None would be the word
            params = {name: value for name, value in params.items() if value is not None and value != UNSENT}
        if not permit.orders and isinstance(params, dict | None):
            retries = {"maxRetriesOnFailure": RETRIES, "maxRetriesOnFailureDelay": RETRY_PAUSE_MS}
            params = {**(params or {}), **retries}
        with admission():
            answer = await super().request(path, api, method, {} if params is None else params, config or {})  # type: ignore[misc] # ccxt's
        if not isinstance(answer, dict | list):  # ccxt would take it for an answer without rows
            raise Malformed(
                f"{self.id} answered {method} {path} with no JSON: {rows.shown(answer)}.",
                remedy="Something stands between us and the exchange, or it is being repaired; ask again later.",
            )
        permit.answers.append((path, answer))
        return answer

    async def fetch(self, url: str, method: str = "GET", headers: object = None, body: object = None) -> object:
        """The last step before the network. ccxt takes an answer that was cut off for a refusal: it is a failure."""
        self.admitted(method)
        try:
            return await super().fetch(url, method, headers, body)  # type: ignore[misc] # ccxt's
        except Exception as error:
            if type(error).__name__ == "ExchangeError" and _of_the_wire(error.__cause__):
                raise import_module("ccxt").NetworkError(str(error)) from error.__cause__
            raise

    def open(self, lazy: bool = False) -> None:  # noqa: FBT001, FBT002 - ccxt's signature
        """Make the session of HTTP; by itself it would send a GET again whose connection broke: some order by GET."""
        super().open(lazy)  # type: ignore[misc] # ccxt's
        if self.session is not None:
            self.session._retry_connection = False  # noqa: SLF001 - aiohttp has no other way

    async def throttle(self, cost: object = None) -> None:
        """Wait for the venue's limits; what ends or protects a position never does (invariant I8)."""
        if not permitted().urgent:
            await super().throttle(cost)  # type: ignore[misc] # ccxt's

    async def initialize_client(self) -> bool:
        """In ccxt this approves a fee for its makers at the venue; here it does nothing."""
        return True

    def on_json_response(self, body: str) -> object:
        """An answer as values; a number with a point keeps its digits, as text."""
        return json.loads(body, parse_float=str)

    def milliseconds(self) -> int:
        """The present time by our clock, as is what follows."""
        return self.our_clock.now() // NS_PER_MS

    def seconds(self) -> int:
        """In whole seconds."""
        return self.our_clock.now() // NS_PER_SECOND

    def microseconds(self) -> int:
        """In whole microseconds."""
        return self.our_clock.now() // 1_000

    def client(self, url: str) -> object:
        """The connection of a stream, reading numbers as exactly as answers are read."""
        connection = super().client(url)  # type: ignore[misc] # ccxt's
        if "resolve" not in vars(connection):
            connection.handle_text_or_binary_message = _reading(connection)
            connection.resolve = self._hearing(connection.resolve)
        return connection

    def _hearing(self, resolve: Callable[[object, object], object]) -> Callable[[object, object], object]:
        """Keep the trades and orders in a message, whether or not anybody waits for it."""

        def heard(result: object, message_hash: object) -> object:
            if isinstance(result, list):
                self.heard.extend(item for item in result[-HEARD_AT_ONCE:] if _of_ours(item))
            return resolve(result, message_hash)

        return heard

    def on_connected(self, client: object, message: object = None) -> None:
        """A stream was connected."""
        self.connects += 1
        super().on_connected(client, message)  # type: ignore[misc] # ccxt's

    def on_error(self, client: object, error: object) -> None:
        """A stream failed."""
        self.losses += 1
        super().on_error(client, error)  # type: ignore[misc] # ccxt's

    def on_close(self, client: object, error: object) -> None:
        """A stream was closed."""
        self.losses += 1
        super().on_close(client, error)  # type: ignore[misc] # ccxt's


def known() -> Sequence[str]:
    """The exchanges that ccxt knows. Raises :class:`BadInput` where it is not installed."""
    return [str(name) for name in _ccxt("")[1].exchanges]


@cache
def guarded(exchange: str) -> type:
    """The class of an exchange by ccxt's name for it, with streams where there are any.

    Raises:
        BadInput: ccxt is not installed, or knows no such exchange.
    """
    streaming, plain = _ccxt(exchange)
    if exchange not in plain.exchanges:
        raise BadInput("exchange", exchange, "ccxt knows no such exchange", remedy="See: trueup venues list --all.")
    kind = getattr(streaming if exchange in streaming.exchanges else plain, exchange)
    return type(f"Guarded_{exchange}", (Guarded, kind), {})


def make(
    exchange: str,
    credentials: Mapping[str, Secret],
    *,
    clock: Clock,
    sandbox: bool = False,
    rest_url: str = "",
    stream_url: str = "",
    options: Mapping[str, object] | None = None,
) -> Exchange:
    """An exchange object; nothing is sent before it is asked for something. Belongs to one event loop.

    Args:
        exchange: As ccxt names it.
        credentials: By ccxt's names, such as ``apiKey`` and ``secret``.
        clock: Ours.
        sandbox: Whether to use the venue's test system.
        rest_url: In place of the venue's own scheme and host; the paths stay.
        stream_url: The same for streams.
        options: Of ccxt, for this exchange.

    Raises:
        BadInput: No such exchange, or it has no test system.
    """
    made: Exchange = guarded(exchange)(
        {
            **{name: secret.reveal() for name, secret in credentials.items()},
            "enableRateLimit": True,
            "timeout": ANSWER_MS,
            "options": {**_NO_EARNERS, **(options or {})},
        }
    )
    made.heard = deque(maxlen=HEARD_MAX)
    made.our_clock, made.number, made.logger = clock, str, _silent
    made.timeout_on_exit = 0
    made.enableLastHttpResponse = made.enableLastResponseHeaders = False
    if sandbox:
        if not made.urls.get("test"):
            raise BadInput(
                "environment", "sandbox", f"{exchange} has no test system that ccxt knows", remedy='Set "live".'
            )
        made.set_sandbox_mode(True)
    if rest_url or stream_url:
        _point(made.urls["api"], made.implode_hostname, rest_url, stream_url)
    return made


def _of_ours(item: object) -> bool:
    """Whether this is a trade or an order, as ccxt makes them."""
    return isinstance(item, Mapping) and "info" in item and ("takerOrMaker" in item or "remaining" in item)


def _of_the_wire(cause: BaseException | None) -> bool:
    return cause is not None and any(kind.__name__ == "ClientError" for kind in type(cause).__mro__)


def _ccxt(exchange: str) -> tuple[Any, Any]:
    """Its classes with streams, and those without."""
    try:
        return import_module("ccxt.pro"), import_module("ccxt.async_support")
    except ImportError:
        raise BadInput("exchange", exchange, "ccxt is not installed", remedy="pip install trueup[ccxt]") from None


def _point(
    urls: MutableMapping[str, object] | list[object], implode: Callable[[str], str], rest: str, stream: str
) -> None:
    """Replace scheme and host of every address, however deep."""
    for key, value in urls.items() if isinstance(urls, MutableMapping) else enumerate(urls):
        if isinstance(value, MutableMapping | list):
            _point(value, implode, rest, stream)
        elif isinstance(value, str):
            parts = urlsplit(implode(value))
            base = stream if parts.scheme in {"ws", "wss"} else rest
            if base:
                host = urlsplit(base)
                urls[key] = urlunsplit((host.scheme, host.netloc, parts.path, parts.query, ""))  # type: ignore[index] # of its own kind


def _reading(connection: Any) -> Callable[[str | bytes], None]:  # noqa: ANN401 - ccxt's
    def read(data: str | bytes) -> None:
        text = data.decode() if isinstance(data, bytes) and connection.decompressBinary else data
        message = json.loads(text, parse_float=str) if text[:1] in {"{", "[", b"{", b"["} else text
        connection.on_message_callback(connection, message)

    return read
