"""The engine's WebSocket, signed in: whoever opens it gets a connection that is subscribed, and answers for itself.

What happens on it without anybody asking lives only here: the sign-in, its renewal ahead of its end, and the answers to
the engine's own questions whether we are still there (``test_request``), without which it hangs up.
"""

import asyncio
from collections.abc import Callable, Sequence
from itertools import count

from trueup.model.errors import BadInput, Malformed, Unavailable
from trueup.venues import rows
from trueup.venues.files import json_value
from trueup.venues.jsonrpc_derivatives import auth, calls, errors
from trueup.venues.jsonrpc_derivatives.calls import Params
from trueup.venues.jsonrpc_derivatives.wire import Wire, row_of
from trueup.venues.rows import Row
from trueup.venues.transport.stream import Connection
from trueup.venues.transport.websocket import open_websocket

HEARTBEAT_S = 30
"""How often the engine is to say something; less often than every ten seconds is asked for."""

SIGN_IN_S = 20.0
"""How long a sign-in may take, other messages in between included."""

SUBSCRIBE_ID = 1
"""The number of the request to subscribe, by which its answer is known."""

_TEST_REQUEST = '"test_request"'


async def open_signed_in(
    title: str, url: str, wire: Wire, channels: Sequence[str], monotonic: Callable[[], float]
) -> "SignedIn":
    """Connect, sign in, and ask for channels; the answer to that is the first thing to be received.

    Raises:
        VenueError: It cannot be reached, or does not take the credential.
    """
    params = await wire.sign_in()
    connection = await open_websocket(url)
    try:
        signed_in = SignedIn(title, connection, wire, monotonic)
        await signed_in.begin(params, channels)
    except BaseException:
        await connection.aclose()
        raise
    return signed_in


class SignedIn:
    """A :class:`trueup.venues.transport.stream.Connection`. Made by :func:`open_signed_in`.

    Args:
        title: Of the place, for messages.
        connection: Open.
        wire: Makes credentials.
        monotonic: Seconds that never go back.
    """

    def __init__(self, title: str, connection: Connection, wire: Wire, monotonic: Callable[[], float]) -> None:
        self._title = title
        self._connection = connection
        self._wire = wire
        self._monotonic = monotonic
        self._numbers = count(SUBSCRIBE_ID + 1)
        self._renew_at = 0.0
        self._renewal = 0

    async def begin(self, params: Params, channels: Sequence[str]) -> None:
        """Sign in, then ask for heartbeats and channels. Raises :class:`VenueError`."""
        try:
            async with asyncio.timeout(SIGN_IN_S):
                await self._sign_in(params)
                while self._renewal:
                    self._hear(await self._connection.receive())
        except TimeoutError:
            raise Unavailable(f"{self._title} did not answer a sign-in within {SIGN_IN_S:g} s.") from None
        await self._ask("public/set_heartbeat", {"interval": HEARTBEAT_S}, next(self._numbers))
        await self._ask("private/subscribe", {"channels": list(channels)}, SUBSCRIBE_ID)

    async def receive(self) -> str | bytes:
        """The next message. Raises :class:`VenueError` at the end of the connection, or of the sign-in."""
        if self._renewal == 0 and self._monotonic() >= self._renew_at:
            await self._sign_in(await self._wire.sign_in())
        message = await self._connection.receive()
        if _TEST_REQUEST in _text(message):
            await self._ask("public/test", {}, next(self._numbers))
        if self._renewal:
            self._hear(message)
        return message

    async def send(self, message: str) -> None:
        """Say something. Raises :class:`Unavailable` at the end of the connection."""
        await self._connection.send(message)

    async def aclose(self) -> None:
        """Hang up."""
        await self._connection.aclose()

    async def _sign_in(self, params: Params) -> None:
        self._renewal = next(self._numbers)
        await self._ask(auth.METHOD, params, self._renewal)

    async def _ask(self, method: str, params: Params, number: int) -> None:
        await self._connection.send(calls.message(method, params, number).decode())

    def _hear(self, message: str | bytes) -> None:
        """Take the answer to a sign-in, if this is it. Raises :class:`VenueError` where it was refused."""
        answer = _answer(message)
        if answer is None or answer.get("id") != self._renewal:
            return
        if answer.get("error") is not None:
            raise errors.of_error(self._title, auth.METHOD, answer, writes=False)
        now = self._monotonic()
        self._renew_at, self._renewal = auth.token_of(row_of(auth.METHOD, answer), now).renew_at, 0


def _answer(message: str | bytes) -> Row | None:
    """The message as a row; None where it is none, which whoever reads it next says."""
    try:
        return rows.as_row(json_value("message", _text(message).encode()))
    except (Malformed, BadInput):
        return None


def _text(message: str | bytes) -> str:
    return message if isinstance(message, str) else message.decode(errors="replace")
