"""Calls to a venue over HTTP. What lives only here: what becomes of one call, and when it is made again.

A call waits for its turn (:mod:`limiter`), is signed at the last moment, goes out once, and its answer is judged by the
venue's own table. What surely never left is :class:`Unavailable`. What may have arrived without an answer is
:class:`Unavailable` for a read and :class:`OutcomeUnknown` for a write. Only reads are made again, within bounds and
within a budget, so that a venue in trouble is not buried under retries.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable, Mapping, Sequence
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Literal

import httpx
import msgspec
import stamina

from trueup.model.errors import OutcomeUnknown, RateLimited, Unavailable, VenueError
from trueup.model.times import NS_PER_SECOND
from trueup.ports import Clock
from trueup.venues.transport.breaker import Breaker
from trueup.venues.transport.health import ConnectionHealth
from trueup.venues.transport.limiter import Limiter, Priority
from trueup.venues.transport.skew import ClockSkew

ANSWER_BYTES_MAX = 64 << 20
"""The longest answer that is read: larger than any venue's list of instruments."""

CONNECTIONS = 20
CONNECTIONS_KEPT = 4
"""Connections, and those of them that only urgent calls use: a venue that is slow to read from still takes a cancel."""

CONNECT_S = 10.0
"""How long a connection may take to open; apart from the answer, so that a slow one is not taken for a lost answer."""

OPEN_S = 4 * CONNECT_S
"""How long an answer may take to begin, besides its own time: one that comes a byte at a time would never do."""

RETRY_AFTER_S = 1.0
"""How long a venue is left alone that had too much and does not say for how long."""

TURN_S = 60.0
"""How long a call that may wait does so for the venue's limits."""

ATTEMPTS = 4
"""Times that a read goes out."""

RETRIES_S = 30.0
"""In which all of them must fit."""

BUDGET = 10.0
"""Retries that may be saved up."""

BUDGET_SHARE = 0.1
"""What each call that succeeds adds: whatever fails, retries stay a small share of the traffic."""

SERVER_ERROR = 500


class Call(msgspec.Struct, frozen=True):
    """One request.

    Attributes:
        path: Below the base address.
        query: A name with several values is written once for each.
        weight: What the venue's limits count it as.
        writes: Whether it may change anything at the venue: such a call is never made again by itself.
        timed: Whether it carries a time that the venue holds against its own clock.
        answer_s: How long the whole answer may take once the connection is open.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    query: Mapping[str, str | Sequence[str]] = {}
    content: bytes = b""
    headers: Mapping[str, str] = {}
    weight: int = 1
    priority: Priority = Priority.REST
    writes: bool = False
    timed: bool = False
    answer_s: float = 10.0

    def __repr__(self) -> str:
        """Without headers and content, which may be signed."""
        return f"Call({self.method} {self.path})"


class Answer(msgspec.Struct, frozen=True):
    """What came back, and our times around it in nanoseconds UTC."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    sent_at: int
    received_at: int


Judge = Callable[[Call, Answer], VenueError | None]
"""The venue's table: what an answer means where it is not the one asked for; None where it is."""

Sign = Callable[[Call], Call]
"""Adds what is only valid for a moment: nonce, token, time."""


class _WithoutQueries(logging.Filter):
    """Lets the library write down addresses without their queries: some venues take their token there."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always lets it pass."""
        args = record.args if isinstance(record.args, tuple) else ()
        record.args = tuple(arg.copy_with(query=None) if isinstance(arg, httpx.URL) else arg for arg in args)
        return True


logging.getLogger("httpx").addFilter(_WithoutQueries())


def client(base_url: str) -> httpx.AsyncClient:
    """A client for one venue: connections kept open, certificates checked, redirects refused.

    A redirect would carry credentials to wherever it points.
    """
    limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=10, keepalive_expiry=30.0)
    return httpx.AsyncClient(
        base_url=base_url, limits=limits, follow_redirects=False, trust_env=False, verify=_certificates()
    )


@cache
def _certificates() -> ssl.SSLContext:
    """Whom to trust: read once, since it takes longer than all else that a client does to begin."""
    return httpx.create_ssl_context(trust_env=False)


class HttpTransport:
    """What all calls to one venue under one key share. Belongs to one event loop.

    Args:
        name: Of the venue, for messages.
        http: As :func:`client` makes it; closed with this.
        judge: The venue's table.
        limiter: The venue's limits for this key.
        clock: For the times around an answer.
        skew: Of the venue's clock: learns from every answer, and refuses what carries a time while it is too large.

    Attributes:
        health: How the calls are doing.
    """

    def __init__(
        self,
        name: str,
        http: httpx.AsyncClient,
        judge: Judge,
        limiter: Limiter,
        clock: Clock,
        skew: ClockSkew | None = None,
    ) -> None:
        self.health = ConnectionHealth()
        self.limiter = limiter
        self.breaker = Breaker(clock.monotonic)
        self._name = name
        self._http = http
        self._judge = judge
        self._clock = clock
        self._skew = skew
        self._budget = BUDGET
        self._connections = asyncio.Semaphore(CONNECTIONS - CONNECTIONS_KEPT)

    async def request(self, call: Call, sign: Sign | None = None) -> Answer:
        """The answer to a call.

        Raises:
            VenueError: What the venue's table says of the answer, or that there was none.
        """
        if call.writes:
            return await self._once(call, sign)
        tries = 0

        async def attempt() -> Answer:
            nonlocal tries
            self._budget -= min(tries, 1)
            tries += 1
            return await self._once(call, sign)

        return await _RETRYING(self._worth_retrying, attempt)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def _worth_retrying(self, error: Exception) -> bool:
        return isinstance(error, (Unavailable, RateLimited)) and self._budget >= 1

    async def _once(self, call: Call, sign: Sign | None) -> Answer:
        self.breaker.admit(urgent=call.priority.urgent)
        try:
            await self.limiter.acquire(call.weight, call.priority, TURN_S)
            if call.priority.urgent:
                answer = await self._exchange(call if sign is None else sign(call))
            else:
                answer = await self._patiently(call, sign)
        except BaseException:
            self.breaker.abandoned()  # where the exchange itself failed, it said so first
            raise
        self.health.heard(answer.received_at)
        if answer.status >= SERVER_ERROR:
            self.breaker.failed()
        else:
            self.breaker.succeeded()
        problem = self._judge(call, answer)
        if problem is not None:
            self.health.failed(problem)
            if isinstance(problem, RateLimited):
                self.limiter.pause(_retry_after(answer))
            raise problem
        self._budget = min(BUDGET, self._budget + BUDGET_SHARE)
        return answer

    async def _patiently(self, call: Call, sign: Sign | None) -> Answer:
        """Wait for a connection and mind the clocks first: of what is urgent the venue itself may judge."""
        try:
            async with asyncio.timeout(CONNECT_S):
                await self._connections.acquire()
        except TimeoutError as error:
            raise Unavailable(
                f"Too many calls to {self._name} wait for their answers.", remedy="Nothing was sent; try again later."
            ) from error
        try:
            if self._skew is not None and call.timed:
                self._skew.require_close()
            return await self._exchange(call if sign is None else sign(call))
        finally:
            self._connections.release()

    async def _exchange(self, call: Call) -> Answer:
        request = self._http.build_request(
            call.method,
            call.path,
            params=call.query or None,
            content=call.content or None,
            headers=call.headers,
            timeout=httpx.Timeout(call.answer_s, connect=CONNECT_S, pool=CONNECT_S),
        )
        sent_at = self._clock.now()
        try:
            async with asyncio.timeout(OPEN_S + call.answer_s):
                response = await self._http.send(request, stream=True)
            try:
                body = await read_body(response, call.answer_s)
            finally:
                await response.aclose()
        except _NEVER_LEFT as error:
            raise self._failed(
                Unavailable(
                    f"{self._name} cannot be reached: {words(error)}.",
                    remedy="Nothing was sent; it is safe to try again.",
                )
            ) from error
        except (httpx.TransportError, httpx.DecodingError, TimeoutError) as error:
            raise self._failed(self._unanswered(call, words(error))) from error
        answer = Answer(response.status_code, dict(response.headers), body, sent_at, self._clock.now())
        self._learn_time(answer)
        return answer

    def _learn_time(self, answer: Answer) -> None:
        date = _date(answer)
        if self._skew is not None and date is not None:
            self._skew.answered(answer.sent_at, date, answer.received_at, NS_PER_SECOND)

    def _failed(self, error: VenueError) -> VenueError:
        self.breaker.failed()
        self.health.failed(error)
        return error

    def _unanswered(self, call: Call, why: str) -> VenueError:
        told = f"{self._name} gave no answer to {call.method} {call.path}: {why}."
        if call.writes:
            return OutcomeUnknown(told, remedy="It may have taken effect: look it up before sending anything again.")
        return Unavailable(told, remedy="It is safe to ask again.")


async def read_body(response: httpx.Response, answer_s: float) -> bytes:
    """All of it, within bounds: a body that comes a byte at a time would outlast any time-out between two of them."""
    body = bytearray()
    async with asyncio.timeout(answer_s):
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > ANSWER_BYTES_MAX:
                raise httpx.ReadError(f"the answer is longer than {ANSWER_BYTES_MAX} bytes")
    return bytes(body)


def _retry_after(answer: Answer) -> float:
    """Seconds that the venue asks to be left alone; a moment where it does not say (RFC 9110, section 10.2.3)."""
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdecimal() else RETRY_AFTER_S


def _date(answer: Answer) -> int | None:
    """When the venue says that it answered, cut to seconds (RFC 9110, section 6.6.1).

    None where it does not say, or says it in no known way; and for an answer out of a cache, which has an ``Age``.
    """
    text = answer.headers.get("date", "")
    if not text or "age" in answer.headers:
        return None
    try:
        return int(parsedate_to_datetime(text).timestamp()) * NS_PER_SECOND
    except ValueError:
        return None


def words(error: Exception) -> str:
    """What an error says, or its name: those of time-outs are silent."""
    return str(error) or type(error).__name__


_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""Before the first byte of the request: a connection was never there."""

_RETRYING = stamina.AsyncRetryingCaller(attempts=ATTEMPTS, timeout=RETRIES_S, wait_initial=0.2, wait_max=5.0)
