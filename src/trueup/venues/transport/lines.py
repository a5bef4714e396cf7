"""Lines of JSON over one HTTP answer that does not end, as :mod:`stream` wants its connections.

How long the venue may be silent, the stream decides; giving up on a wait ends the connection. Nobody listens at the
other end: a conversation over lines has an empty ``hello`` and no ``ping_s``.
"""

import asyncio
from collections import deque

import httpx

from trueup.model.errors import Unavailable
from trueup.ports import Clock
from trueup.venues.transport.http import CONNECT_S, Answer, Call, Judge, read_body, words

LINE_BYTES_MAX = 1 << 20
"""The longest line: a hundred times any transaction."""

OK = 200


class Lines:
    """A :class:`trueup.venues.transport.stream.Connection`. Made by :func:`open_lines`."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self._chunks = response.aiter_bytes()
        self._lines: deque[bytes] = deque()
        self._begun = bytearray()

    async def receive(self) -> bytes:
        """The next line that is not empty. Raises :class:`Unavailable` at the end, and for a line without one."""
        while not self._lines:
            self._take(await self._chunk())
        return self._lines.popleft()

    async def send(self, message: str) -> None:
        """Nobody listens. Raises TypeError."""
        raise TypeError(f"a stream of lines only listens; not sent: {len(message)} characters")

    async def aclose(self) -> None:
        """Hang up."""
        await self._response.aclose()

    async def _chunk(self) -> bytes:
        try:
            return await anext(self._chunks)
        except StopAsyncIteration:
            raise Unavailable("The venue ended the stream.") from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise Unavailable(f"The connection ended: {words(error)}.") from error

    def _take(self, chunk: bytes) -> None:
        self._begun += chunk
        if b"\n" in chunk:
            *whole, self._begun = self._begun.split(b"\n")
            self._lines.extend(bytes(line) for line in map(bytearray.strip, whole) if line)
        if len(self._begun) > LINE_BYTES_MAX:
            raise Unavailable(f"A line is longer than {LINE_BYTES_MAX} bytes.")


async def open_lines(name: str, http: httpx.AsyncClient, call: Call, judge: Judge, clock: Clock) -> Lines:
    """Ask for an answer that does not end.

    Args:
        name: Of the venue, for messages.
        http: As :func:`trueup.venues.transport.http.client` makes it; stays open.
        call: ``answer_s`` bounds the time until the answer begins.
        judge: The venue's table, for an answer that is not the stream.
        clock: For the times around such an answer.

    Raises:
        VenueError: What the table says of another answer; :class:`Unavailable` where there is none, or nothing is said.
    """
    sent_at = clock.now()
    request = http.build_request(
        call.method,
        call.path,
        params=call.query or None,
        headers={"Accept-Encoding": "identity", **call.headers},  # a compressor would hold lines back
        timeout=httpx.Timeout(None, connect=CONNECT_S, pool=CONNECT_S),
    )
    try:
        async with asyncio.timeout(CONNECT_S + call.answer_s):
            response = await http.send(request, stream=True)
    except (httpx.TransportError, TimeoutError) as error:
        raise Unavailable(f"{name} does not open {call.path}: {words(error)}.") from error
    if response.status_code == OK:
        return Lines(response)
    try:
        body = await read_body(response, call.answer_s)
    except (httpx.TransportError, httpx.DecodingError, TimeoutError) as error:
        raise Unavailable(f"{name} answered {call.path} with status {response.status_code}.") from error
    finally:
        await response.aclose()
    answer = Answer(response.status_code, dict(response.headers), body, sent_at, clock.now())
    raise judge(call, answer) or Unavailable(f"{name} answered {call.path} with status {answer.status}.")
