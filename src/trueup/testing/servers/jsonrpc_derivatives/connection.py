"""One WebSocket: what is heard and said over it, who has said who it is, and the heartbeats that it asked for."""

import asyncio
from collections.abc import Callable

from trueup.model.errors import Unavailable
from trueup.ports import Clock
from trueup.testing.servers import asgi
from trueup.testing.servers.jsonrpc_derivatives import wire
from trueup.testing.servers.jsonrpc_derivatives.auth import Access
from trueup.testing.servers.jsonrpc_derivatives.feeds import Feeds
from trueup.testing.servers.jsonrpc_derivatives.markets import Markets


class Connection:
    """One client's connection.

    Attributes:
        feeds: Its channels.
        access: What its client may do; None until it has said who it is.
    """

    def __init__(self, socket: asgi.WebSocket, markets: Markets, clock: Clock) -> None:
        self.feeds = Feeds(markets)
        self.access: Access | None = None
        self._socket = socket
        self._clock = clock
        self._interval_s = 0
        self._beaten = 0.0
        self._heard = 0.0
        self._tested = False

    def beat_every(self, interval_s: int) -> None:
        """Send heartbeats from now on; none where the interval is 0."""
        self._interval_s, self._tested = interval_s, False
        self._beaten = self._heard = asyncio.get_running_loop().time()

    async def run(self, hear: Callable[[str | bytes], None], push_s: float) -> None:
        """Hear and speak until the client is gone or the connection is to end."""
        listening = asyncio.ensure_future(self._listen(hear))
        listening.add_done_callback(lambda _: self.feeds.woken.set())
        try:
            await self._speak(listening, push_s)
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def _listen(self, hear: Callable[[str | bytes], None]) -> None:
        """Raises :class:`Disconnected` at the end."""
        while True:
            message = await self._socket.receive()
            self._heard, self._tested = asyncio.get_running_loop().time(), False
            hear(message)

    async def _speak(self, listening: "asyncio.Future[None]", push_s: float) -> None:
        while not listening.done():
            self.feeds.woken.clear()
            while (message := self.feeds.taken()) is not None:
                await self._socket.send(wire.encode(message).decode())
            if self.feeds.ended:
                await self._socket.close(reason=self.feeds.ended)
                return
            try:
                async with asyncio.timeout(push_s):
                    await self.feeds.woken.wait()
            except TimeoutError:
                self._look()
        listening.result()

    def _look(self) -> None:
        """Tell what gathered and what has changed, and beat."""
        try:
            self.feeds.flush(self._clock.now())
        except (Unavailable, wire.Refusal) as error:
            self.feeds.end(str(error))
        self._beat(asyncio.get_running_loop().time())

    def _beat(self, now: float) -> None:
        """Every interval a sign of life; whoever was silent is asked for one, and hung up on without an answer."""
        if not self._interval_s or now - self._beaten < self._interval_s:
            return
        self._beaten = now
        if self._tested:
            self.feeds.end("heartbeat")
            return
        self._tested = now - self._heard >= self._interval_s
        sort = "test_request" if self._tested else "heartbeat"
        self.feeds.say({"jsonrpc": "2.0", "method": "heartbeat", "params": {"type": sort}})
