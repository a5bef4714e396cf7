"""The history in stretches: whatever end an exchange cuts its answers at, each row is told once and none is lost."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Literal, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trueup.model.errors import Malformed, VenueError
from trueup.model.events import Fact, FillBooked
from trueup.model.identifiers import AccountId
from trueup.model.instruments import Instrument
from trueup.model.times import NS_PER_MS
from trueup.venues.ccxt import history
from trueup.venues.ccxt.corrections import Correction, Feed
from trueup.venues.ccxt.session import Session

NOW = 1_795_000_000_000
PAGE = 4
TERMS = Instrument("BTC/USDT:USDT", "BTCUSDT", "linear", "BTC", "USDT", "USDT")

Cut = Literal["oldest", "newest", "ignores the end"]


class Clock:
    def now(self) -> int:
        return NOW * NS_PER_MS

    def monotonic(self) -> float:
        return 0.0


class Exchange:
    """Trades at some times, in answers of at most a page."""

    id = "some"
    has: dict[str, object] = {}  # noqa: RUF012 - nothing writes to it
    currencies_by_id: dict[str, dict[str, str]] = {}  # noqa: RUF012 - as above
    precisionMode = 4  # noqa: N815 - ccxt's name

    def __init__(self, times: Sequence[int], cut: Cut) -> None:
        self.times = sorted(times)
        self.cut = cut
        self.calls = 0
        self.markets = {
            TERMS.symbol: {
                "symbol": TERMS.symbol, "id": TERMS.native_symbol, "linear": True, "base": "BTC", "quote": "USDT",
                "settle": "USDT", "contractSize": "1", "precision": {},
            }
        }  # fmt: skip

    async def load_markets(self, reload: bool, params: object) -> None:
        pass

    async def fetch_my_trades(self, symbol: None, since: int, limit: int, params: dict[str, int]) -> list[object]:
        self.calls += 1
        until = NOW * 2 if self.cut == "ignores the end" else params["until"]
        found = [(n, time) for n, time in enumerate(self.times) if since <= time <= until]
        found = found[-limit:] if self.cut == "newest" else found[:limit]
        return [
            {"id": str(n), "symbol": TERMS.symbol, "side": "buy", "amount": "1", "price": "2", "timestamp": time}
            for n, time in found
        ]


def pull(exchange: Exchange, cursor: int, days: float = 1) -> list[tuple[Sequence[Fact], str]]:
    session = Session(AccountId("some:main"), exchange, Correction(), clock=Clock(), credentials={}, instruments=[])
    feeds = [Feed("fetch_my_trades", "trade", page=PAGE, days=days)]

    async def main() -> list[tuple[Sequence[Fact], str]]:
        return [page async for page in history.pages(session, feeds, (), str(cursor))]

    return asyncio.run(main())


def ids(pages: Sequence[tuple[Sequence[Fact], str]]) -> Counter[str]:
    return Counter(fact.venue_trade_id for facts, _ in pages for fact in facts if isinstance(fact, FillBooked))


moments = st.lists(st.integers(0, 3 * 86_400_000), max_size=40).map(
    lambda ago: [NOW - back for back in ago if Counter(ago)[back] < PAGE]
)


@given(moments, st.sampled_from(["oldest", "newest"]))
@settings(deadline=None)
def test_every_trade_is_told_once_whatever_end_an_answer_is_cut_at(times: list[int], cut: str) -> None:
    exchange = Exchange(times, cast("Cut", cut))
    told = ids(pull(exchange, NOW - 4 * 86_400_000))
    assert told == Counter(f"BTCUSDT:{n}" for n in range(len(times)))


@given(moments, st.sampled_from(["oldest", "newest"]))
@settings(deadline=None, max_examples=30)
def test_from_each_cursor_on_nothing_is_missing(times: list[int], cut: str) -> None:
    exchange = Exchange(times, cast("Cut", cut))
    pages = pull(exchange, NOW - 4 * 86_400_000)
    for number, (_, cursor) in enumerate(pages):
        later = ids(pull(exchange, int(cursor)))
        assert ids(pages[number + 1 :]).keys() <= later.keys()


@given(moments)
@settings(deadline=None, max_examples=30)
def test_calls_are_bounded_by_what_there_is(times: list[int]) -> None:
    exchange = Exchange(times, "newest")
    pull(exchange, NOW - 4 * 86_400_000)
    assert exchange.calls <= 5 + 4 * len(times)


def test_a_second_pull_begins_some_minutes_before_the_first_one_ended() -> None:
    pages = pull(Exchange([NOW - 10], "oldest"), NOW - 86_400_000)
    assert int(pages[-1][1]) == NOW - history.OVERLAP_MS


def test_more_rows_of_one_millisecond_than_an_answer_holds_are_said_to_be_lost() -> None:
    with pytest.raises(Malformed, match="more rows of 2026"):
        pull(Exchange([NOW - 1_000] * PAGE, "oldest"), NOW - 86_400_000)


def test_an_exchange_that_does_not_keep_to_the_end_of_a_stretch_is_not_believed() -> None:
    times = [NOW - 10_000 * n for n in range(1, 20)]
    with pytest.raises(VenueError):
        pull(Exchange(times, "ignores the end"), NOW - 3 * 86_400_000)


def test_a_first_pull_says_how_far_it_reaches() -> None:
    exchange = Exchange([], "oldest")
    session = Session(AccountId("some:main"), exchange, Correction(), clock=Clock(), credentials={}, instruments=[])

    async def main() -> None:
        async for _ in history.pages(session, [Feed("fetch_my_trades", "trade")], (), None):
            pass

    asyncio.run(main())
    (warning,) = session.warnings
    assert warning.startswith("The history is read from 2026-08-20T")
