"""An ASGI application on a port of the loopback interface, inside the running loop, for as long as a block lasts."""

import asyncio
import socket
from asyncio import BaseTransport
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import msgspec
from uvicorn import Config, Server
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from trueup.testing.servers.asgi import App, Disconnected, Receive, Scope, Send

HOST = "127.0.0.1"

KEEP_ALIVE_S = 3_600
"""An idle connection outlives any rehearsal: that it ends is a fault, and faults are planned."""

STOP_S = 30.0
"""For the requests under way to notice that the server stops; then it is an error."""

TRANSPORT = "trueup.transport"
"""The extension of a scope that holds the connection itself, for who wants to break it."""


class Address(msgspec.Struct, frozen=True):
    """Where a server listens.

    Attributes:
        http, ws: Base addresses, without a slash at the end.
    """

    host: str
    port: int
    http: str
    ws: str


@asynccontextmanager
async def serving(app: App, *, port: int = 0) -> AsyncIterator[Address]:
    """Serve an application; 0 takes a free port. Signals are left alone.

    Raises:
        OSError: The port cannot be had.
        ExceptionGroup: When the block ends: errors of the application that were not answers of it.
    """
    house = _House(app)
    with socket.create_server((HOST, port)) as listener:
        # Connections inherit it. Without it the body of an answer waits until its head is acknowledged, 40 ms later.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server = Server(_config(house))
        server.config.load()
        server.lifespan = server.config.lifespan_class(server.config)
        await server.startup(sockets=[listener])
        taken: int = listener.getsockname()[1]
        try:
            yield Address(HOST, taken, f"http://{HOST}:{taken}", f"ws://{HOST}:{taken}")
        finally:
            await _stop(server)
    if house.errors:
        raise ExceptionGroup("the application failed", house.errors)


def _config(app: "_House") -> Config:
    """Without dates and server names of its own: what an answer says is for the application to decide."""
    return Config(
        app,
        http=_Http,
        ws=_WebSocket,
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        interface="asgi3",
        lifespan="off",
        proxy_headers=False,
        log_config=None,
        log_level="critical",
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE_S,
    )


async def _stop(server: Server) -> None:
    """Take no more connections, end the requests under way, break what is left."""
    for listening in server.servers:
        listening.close()
    state = server.server_state
    async with asyncio.timeout(STOP_S):
        while state.tasks:
            for task in state.tasks:
                task.cancel()
            await asyncio.wait(state.tasks)
        while state.connections:
            for connection in state.connections:
                connection.transport.abort()
            await asyncio.sleep(0)


class _House:
    """The application, with its errors kept for whoever serves it."""

    def __init__(self, app: App) -> None:
        self.errors: list[Exception] = []
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with suppress(Disconnected):
                await self._app(scope, receive, send)
        except asyncio.CancelledError:
            return  # the server stops; it breaks the connection itself
        except Exception as error:
            self.errors.append(error)
            raise


class _Http(H11Protocol):
    """HTTP whose scope holds the connection."""

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(cast("asyncio.Transport", transport))
        self.app = cast("Any", _with_transport(cast("App", self.app), transport))


class _WebSocket(WebSocketsSansIOProtocol):
    """A WebSocket whose scope holds the connection."""

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self.app = cast("Any", _with_transport(cast("App", self.app), transport))


def _with_transport(app: App, transport: BaseTransport) -> App:
    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        scope["extensions"] = {**scope.get("extensions", {}), TRANSPORT: transport}
        await app(scope, receive, send)

    return call
