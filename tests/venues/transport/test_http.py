"""What becomes of one call over a real socket, and when it is made again."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from email.utils import formatdate

import msgspec
import pytest
import stamina

from tests.venues.transport.rawserver import Answering, Exchange, serving
from trueup.engine.clock import SystemClock
from trueup.model.errors import OutcomeUnknown, RateLimited, Rejected, Unavailable, VenueError
from trueup.model.times import NS_PER_SECOND
from trueup.venues.transport import http
from trueup.venues.transport.breaker import FAILURES_MAX, State
from trueup.venues.transport.http import ATTEMPTS, BUDGET, Answer, Call, HttpTransport
from trueup.venues.transport.limiter import Limiter, Priority, Window
from trueup.venues.transport.skew import ClockSkew

READ = Call("GET", "/state")
WRITE = Call("POST", "/order", content=b'{"a":1}', writes=True)
NEVER_S = 60.0
"""Longer than any of these tests."""


def judge(call: Call, answer: Answer) -> VenueError | None:
    match answer.status:
        case 200:
            return None
        case 429:
            return RateLimited("too many")
        case 503:
            return OutcomeUnknown("the venue failed") if call.writes else Unavailable("the venue failed")
        case _:
            return Rejected("no", venue_text=answer.body.decode())


@pytest.fixture(autouse=True)
def _without_pauses() -> Iterator[None]:
    """Retries come at once, and as many as in production."""
    with stamina.set_testing(True, attempts=ATTEMPTS, cap=True):
        yield


@asynccontextmanager
async def reaching(answering: Answering) -> AsyncIterator[tuple[HttpTransport, list[Exchange]]]:
    async with serving(answering) as (base, seen):
        transport = HttpTransport("venue", http.client(base), judge, Limiter([Window(1000, 1.0)]), SystemClock())
        try:
            yield transport, seen
        finally:
            await transport.aclose()


async def fine(exchange: Exchange) -> None:
    await exchange.answer(body=b'{"fine":true}', date="Sun, 22 Nov 2026 10:00:00 GMT")


async def never(exchange: Exchange) -> None:
    await asyncio.sleep(NEVER_S)


async def hang_up(exchange: Exchange) -> None:
    exchange.reset()


async def half(exchange: Exchange) -> None:
    await exchange.raw(b'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"half":')
    exchange.reset()


async def nonsense(exchange: Exchange) -> None:
    await exchange.raw(b"good morning\r\n\r\n")


async def lies_about_its_coding(exchange: Exchange) -> None:
    await exchange.answer(body=b"not gzip", content_encoding="gzip")


async def drip(exchange: Exchange) -> None:
    await exchange.raw(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
    while not exchange.writer.is_closing():  # until the client has had enough
        await exchange.raw(b" ")
        await asyncio.sleep(0.01)


async def drip_the_head(exchange: Exchange) -> None:
    await exchange.raw(b"HTTP/1.1 200 OK\r\nx-long: ")
    while not exchange.writer.is_closing():
        await exchange.raw(b"x")
        await asyncio.sleep(0.01)


def in_turn(*answerings: Answering) -> Answering:
    """Answers the first request by the first of them, the second by the second."""
    left = list(answerings)

    async def answering(exchange: Exchange) -> None:
        await left.pop(0)(exchange)

    return answering


def test_an_answer_comes_with_its_bytes_its_headers_and_our_times_around_it() -> None:
    async def story() -> None:
        clock = SystemClock()
        async with reaching(fine) as (transport, seen):
            before = clock.now()
            answer = await transport.request(Call("GET", "/state", query={"user": "a b"}, headers={"X-Key": "k"}))
            assert before <= answer.sent_at <= answer.received_at <= clock.now()
            assert (answer.status, answer.body) == (200, b'{"fine":true}')
            assert answer.headers["date"] == "Sun, 22 Nov 2026 10:00:00 GMT"
            assert seen[0].line in {"GET /state?user=a+b HTTP/1.1", "GET /state?user=a%20b HTTP/1.1"}
            assert seen[0].headers["x-key"] == "k"
            assert (transport.health.messages, transport.health.errors) == (1, 0)

    asyncio.run(story())


@pytest.mark.parametrize("answering", [hang_up, half, nonsense, lies_about_its_coding])
def test_a_write_that_may_have_arrived_is_unknown_and_is_not_made_again(answering: Answering) -> None:
    async def story() -> None:
        async with reaching(answering) as (transport, seen):
            with pytest.raises(OutcomeUnknown, match="look it up") as unknown:
                await transport.request(WRITE)
            assert "POST /order" in unknown.value.message
            assert [exchange.body for exchange in seen] == [WRITE.content]

    asyncio.run(story())


@pytest.mark.parametrize("answering", [never, drip, drip_the_head])
def test_a_write_whose_answer_takes_too_long_is_unknown(answering: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "OPEN_S", 2.0)

    async def story() -> None:
        async with reaching(answering) as (transport, _):
            with pytest.raises(OutcomeUnknown):
                await transport.request(msgspec.structs.replace(WRITE, answer_s=0.2))

    asyncio.run(story())


def test_reads_that_hang_leave_connections_for_what_is_urgent() -> None:
    asked = asyncio.Event()

    async def answering(exchange: Exchange) -> None:
        asked.set()
        await (fine(exchange) if exchange.line.startswith("POST") else never(exchange))

    async def story() -> None:
        async with reaching(answering) as (transport, seen):
            reads = [asyncio.create_task(transport.request(READ)) for _ in range(2 * http.CONNECTIONS)]
            while len(seen) < http.CONNECTIONS - http.CONNECTIONS_KEPT:
                asked.clear()
                await asked.wait()
            urgent = msgspec.structs.replace(WRITE, priority=Priority.CANCEL)
            assert (await transport.request(urgent)).status == 200
            for read in reads:
                read.cancel()
            assert {type(error) for error in await asyncio.gather(*reads, return_exceptions=True)} <= {
                asyncio.CancelledError,
                Unavailable,
            }

    asyncio.run(story())


@pytest.mark.parametrize("answering", [hang_up, half, nonsense, lies_about_its_coding])
def test_a_read_without_an_answer_is_made_again_within_bounds(answering: Answering) -> None:
    async def story() -> None:
        async with reaching(answering) as (transport, seen):
            with pytest.raises(Unavailable, match="safe to ask again"):
                await transport.request(READ)
            assert len(seen) == ATTEMPTS

    asyncio.run(story())


def test_a_read_that_works_the_second_time_has_worked() -> None:
    async def story() -> None:
        async with reaching(in_turn(hang_up, fine)) as (transport, _):
            assert (await transport.request(READ)).status == 200

    asyncio.run(story())


def test_what_never_left_is_unavailable_for_a_write_too() -> None:
    async def story() -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))  # nobody listens there
            base = f"http://127.0.0.1:{closed.getsockname()[1]}"
            transport = HttpTransport("venue", http.client(base), judge, Limiter([]), SystemClock())
            with pytest.raises(Unavailable, match="venue cannot be reached") as away:
                await transport.request(WRITE)
            assert away.value.remedy == "Nothing was sent; it is safe to try again."
            await transport.aclose()

    asyncio.run(story())


def test_a_refusal_keeps_the_venues_words_and_is_not_made_again() -> None:
    async def refuse(exchange: Exchange) -> None:
        await exchange.answer("400 Bad Request", b"tick size")

    async def story() -> None:
        async with reaching(refuse) as (transport, seen):
            with pytest.raises(Rejected) as refused:
                await transport.request(READ)
            assert refused.value.venue_text == "tick size"
            assert (len(seen), transport.breaker.state) == (1, State.CLOSED)

    asyncio.run(story())


def test_too_many_requests_hold_back_what_may_wait_and_nothing_else() -> None:
    async def limited(exchange: Exchange) -> None:
        await exchange.answer("429 Too Many Requests", retry_after="3600")

    async def story() -> None:
        async with reaching(in_turn(limited, fine)) as (transport, _):
            with pytest.raises(RateLimited):
                await transport.request(WRITE)
            with pytest.raises(RateLimited, match="held the call back"):
                await transport.limiter.acquire(1, Priority.REST, wait_s=0)
            cancel = msgspec.structs.replace(WRITE, priority=Priority.CANCEL)
            assert (await transport.request(cancel)).status == 200

    asyncio.run(story())


def test_the_breaker_opens_on_failures_of_the_venue_and_urgent_calls_still_go() -> None:
    async def broken(exchange: Exchange) -> None:
        await exchange.answer("503 Service Unavailable")

    async def story() -> None:
        async with reaching(broken) as (transport, seen):
            for _ in range(FAILURES_MAX):
                with pytest.raises(OutcomeUnknown):
                    await transport.request(WRITE)
            with pytest.raises(Unavailable, match="left alone"):
                await transport.request(WRITE)
            assert len(seen) == FAILURES_MAX
            with pytest.raises(OutcomeUnknown):
                await transport.request(msgspec.structs.replace(WRITE, priority=Priority.CANCEL))
            assert len(seen) == FAILURES_MAX + 1

    asyncio.run(story())


def test_retries_are_a_small_share_of_the_traffic_whatever_fails() -> None:
    async def broken(exchange: Exchange) -> None:
        await exchange.answer("503 Service Unavailable")

    async def story() -> None:
        async with reaching(broken) as (transport, seen):
            transport.breaker.failed = lambda: None  # type: ignore[method-assign]  # the budget alone is on trial
            calls = 20
            for _ in range(calls):
                with pytest.raises(Unavailable):
                    await transport.request(READ)
            assert len(seen) == calls + BUDGET

    asyncio.run(story())


def test_a_call_is_signed_when_its_turn_has_come_and_again_for_each_attempt() -> None:
    async def story() -> None:
        stamps = iter(["1", "2"])
        async with reaching(in_turn(hang_up, fine)) as (transport, seen):
            await transport.request(READ, lambda call: msgspec.structs.replace(call, headers={"nonce": next(stamps)}))
            assert [exchange.headers["nonce"] for exchange in seen] == ["1", "2"]

    asyncio.run(story())


def test_a_redirect_is_not_followed() -> None:
    async def elsewhere(exchange: Exchange) -> None:
        await exchange.answer("307 Temporary Redirect", location="/other")

    async def story() -> None:
        async with reaching(elsewhere) as (transport, seen):
            with pytest.raises(Rejected):
                await transport.request(READ)
            assert len(seen) == 1

    asyncio.run(story())


def test_an_answer_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "ANSWER_BYTES_MAX", 1_000)

    async def endless(exchange: Exchange) -> None:
        await exchange.answer(body=b" " * 2_000)

    async def story() -> None:
        async with reaching(endless) as (transport, _):
            with pytest.raises(OutcomeUnknown, match="longer than 1000 bytes"):
                await transport.request(WRITE)

    asyncio.run(story())


def dated(text: str, *, cached: bool = False) -> Answering:
    async def answering(exchange: Exchange) -> None:
        await (exchange.answer(date=text, age="3600") if cached else exchange.answer(date=text))

    return answering


def in_an_hour() -> str:
    return formatdate(SystemClock().now() / NS_PER_SECOND + 3600, usegmt=True)


@asynccontextmanager
async def keeping_time(answering: Answering) -> AsyncIterator[tuple[HttpTransport, ClockSkew]]:
    skew = ClockSkew(refused_ms=60_000)
    async with serving(answering) as (base, _):
        transport = HttpTransport("venue", http.client(base), judge, Limiter([]), SystemClock(), skew)
        try:
            yield transport, skew
        finally:
            await transport.aclose()


TIMED = msgspec.structs.replace(WRITE, timed=True)


def test_a_venue_whose_clock_is_too_far_off_is_sent_nothing_that_carries_a_time_but_what_is_urgent() -> None:
    async def story() -> None:
        async with keeping_time(dated(in_an_hour())) as (transport, skew):
            await transport.request(READ)
            assert skew.offset is not None
            assert abs(skew.offset.offset_ns - 3600 * NS_PER_SECOND) <= skew.offset.error_ns + NS_PER_SECOND
            with pytest.raises(Unavailable, match="Nothing was sent") as refused:
                await transport.request(TIMED)
            assert "clock is" in refused.value.message
            assert transport.breaker.state is State.CLOSED
            assert (await transport.request(WRITE)).status == 200
            assert (await transport.request(msgspec.structs.replace(TIMED, priority=Priority.CANCEL))).status == 200

    asyncio.run(story())


@pytest.mark.parametrize("answering", [dated("half past nine"), dated(in_an_hour(), cached=True), dated("")])
def test_a_time_that_cannot_be_read_or_is_a_caches_says_nothing_of_the_clock(answering: Answering) -> None:
    async def story() -> None:
        async with keeping_time(answering) as (transport, skew):
            await transport.request(READ)
            assert skew.offset is None
            assert (await transport.request(TIMED)).status == 200

    asyncio.run(story())


def test_clocks_that_agree_are_no_reason_to_refuse() -> None:
    async def story() -> None:
        async with keeping_time(dated(formatdate(SystemClock().now() / NS_PER_SECOND, usegmt=True))) as (transport, _):
            await transport.request(READ)
            assert (await transport.request(TIMED)).status == 200

    asyncio.run(story())
