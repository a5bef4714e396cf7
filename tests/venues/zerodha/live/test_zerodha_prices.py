"""Last prices: what the stream told while it is connected, and else what Kite is asked."""

import asyncio
from decimal import Decimal

from tests.venues.zerodha.kite_rows import ACCOUNT, answer
from tests.venues.zerodha.live.loopback import CSV, NIFTY, SBIN, StillClock
from trueup.model.venues import Mark
from trueup.venues.transport.http import Call
from trueup.venues.zerodha import calls
from trueup.venues.zerodha.instruments import Key
from trueup.venues.zerodha.known import Known
from trueup.venues.zerodha.listing import Listing
from trueup.venues.zerodha.prices import NAMES_MAX, Prices
from trueup.venues.zerodha.ticks import Tick

TOKEN = 1001986
TICK = Tick(TOKEN, tradable=True, last_price=Decimal("24500.05"), venue_time=7)


def told(symbols: list[str], *, streaming: bool, ticks: tuple[Tick, ...] = (TICK,)) -> tuple[list[Mark], list[str]]:
    asked: list[str] = []

    async def ask(call: Call) -> bytes:
        asked.append(call.path)
        return answer({"NSE:SBIN": {"last_price": 780.5}, "NFO:NIFTY26NOVFUT": {"last_price": 24499}})

    async def csv() -> bytes:
        return CSV.encode()

    async def marks() -> list[Mark]:
        known = Known(ACCOUNT, (), {})
        listing = Listing(csv, None, StillClock())
        await listing.load()
        prices = Prices(ask, known, listing)
        assert prices.tokens() == []
        known.instrument(Key.of_symbol(NIFTY))
        assert prices.tokens() == [TOKEN]
        prices.ticker.last.update((tick.token, tick) for tick in ticks)
        return list(await prices.marks(symbols, streaming=streaming))

    return asyncio.run(marks()), asked


def test_what_the_stream_told_needs_no_question() -> None:
    assert told([NIFTY], streaming=True) == ([Mark(NIFTY, Decimal("24500.05"), 7)], [])


def test_what_it_did_not_tell_is_asked() -> None:
    marks, asked = told([NIFTY, SBIN], streaming=True)
    assert {mark.instrument: mark.price for mark in marks} == {NIFTY: Decimal("24500.05"), SBIN: Decimal("780.5")}
    assert asked == [calls.last_prices(["NSE:SBIN"]).path]


def test_what_it_told_before_it_was_lost_no_longer_holds() -> None:
    marks, asked = told([NIFTY], streaming=False)
    assert ([mark.price for mark in marks], len(asked)) == ([Decimal(24499)], 1)


def test_several_products_of_one_symbol_are_one_question() -> None:
    marks, asked = told([SBIN, "NSE.SBIN.MIS/INR:INR"], streaming=False)
    assert (len(marks), asked) == (2, [calls.last_prices(["NSE:SBIN"]).path])
    assert NAMES_MAX < 1_000


def test_no_prices_are_streamed_that_would_make_the_frames_of_all_others_unreadable() -> None:
    async def csv() -> bytes:
        return CSV.replace("1001986,", f"{TOKEN | 0xFF},").encode()

    async def ask(call: Call) -> bytes:
        raise AssertionError(call)

    async def wanted() -> list[int]:
        known, listing = Known(ACCOUNT, (), {}), Listing(csv, None, StillClock())
        await listing.load()
        for symbol in (NIFTY, SBIN):
            known.instrument(Key.of_symbol(symbol))
        return Prices(ask, known, listing).tokens()

    assert asyncio.run(wanted()) == [779521]
