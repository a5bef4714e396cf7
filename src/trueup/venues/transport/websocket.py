"""A WebSocket connection as :mod:`stream` wants it; every wait in it is bounded."""

import asyncio
import logging
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidURI, WebSocketException

from trueup.model.errors import Unavailable

OPEN_S = 10.0
SEND_S = 10.0
MESSAGE_BYTES_MAX = 16 << 20
"""The longest message: a snapshot of an account with thousands of fills stays below."""

MESSAGES_MAX = 64
"""Messages that wait in the connection before the venue is slowed down; a reader's backlog is bounded further up."""


_LOGGER = logging.getLogger(__name__)
_LOGGER.setLevel(logging.INFO)  # below that the library writes down addresses, headers and messages, tokens included


class WebSocket:
    """A :class:`trueup.venues.transport.stream.Connection`. Made by :func:`open_websocket`."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def receive(self) -> str | bytes:
        """The next message. Raises :class:`Unavailable` at the end of the connection."""
        try:
            return await self._connection.recv()
        except (OSError, WebSocketException) as error:
            raise Unavailable(f"The connection ended: {error}.") from error

    async def send(self, message: str) -> None:
        """Say something. Raises :class:`Unavailable` at the end of the connection, and when the venue does not read."""
        try:
            async with asyncio.timeout(SEND_S):
                await self._connection.send(message)
        except (OSError, WebSocketException) as error:  # a time-out is an OSError
            raise Unavailable(f"The connection ended: {error}.") from error

    async def aclose(self) -> None:
        """Hang up, politely within a bound."""
        await self._connection.close()


class _Straight(connect):
    """Follows no redirect: that would carry credentials to wherever it points."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


async def open_websocket(url: str) -> WebSocket:
    """Connect. Raises :class:`Unavailable`."""
    where = urlsplit(url)._replace(query="").geturl()  # some venues take their token there
    try:
        connection = await _Straight(
            url,
            open_timeout=OPEN_S,
            close_timeout=OPEN_S,
            ping_interval=None,  # venues have pings of their own, and silence is watched further up
            max_size=MESSAGE_BYTES_MAX,
            max_queue=MESSAGES_MAX,
            proxy=None,
            logger=_LOGGER,
        )
    except InvalidURI as error:
        raise Unavailable(f"{where} is not the address of a WebSocket: {error.msg}.") from None  # it repeats the query
    except (OSError, WebSocketException) as error:  # a time-out is an OSError
        raise Unavailable(f"{where} cannot be reached: {str(error) or type(error).__name__}.") from error
    return WebSocket(connection)
