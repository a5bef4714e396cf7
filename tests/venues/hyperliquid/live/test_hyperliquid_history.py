"""The history, page by page: nothing twice, nothing missed, what the venue forgets is told."""

import asyncio
import json
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from decimal import Decimal
from functools import cache
from typing import Any

import pytest
import stamina
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.venues.hyperliquid.live.scripted import HANG_UP, HandClock, Row, Script, run
from tests.venues.hyperliquid.saved import ACCOUNT, ME, RECORDINGS, TIME, fill
from trueup.model.errors import BadInput, Malformed, Unavailable
from trueup.model.events import Fact, FillBooked, FundingPaid, InstrumentDefined, OpeningPosition, TransferBooked
from trueup.model.times import from_ms
from trueup.venues.hyperliquid.history import CUT_MIN, FILLS, SLICES, cursor_at, pages
from trueup.venues.hyperliquid.live import HyperliquidVenue
from trueup.venues.hyperliquid.reader import HyperliquidReader
from trueup.venues.hyperliquid.retention import FILLS_KEPT, FILLS_NEAR, SLICES_KEPT
from trueup.venues.hyperliquid.session import Fields, Session
from trueup.venues.transport.http import Answer
from trueup.venues.transport.limiter import Priority

FUNDING = "userFunding"
LEDGER = "userNonFundingLedgerUpdates"
Page = tuple[Sequence[Fact], str]


@pytest.fixture(autouse=True)
def _without_pauses() -> Iterator[None]:
    with stamina.set_testing(True, attempts=2, cap=True):
        yield


class Direct(Session):
    """A session whose reads are answered here, without a socket."""

    def __init__(self, answer: Callable[[str, Fields], object]) -> None:
        super().__init__(
            ACCOUNT,
            address=ME,
            rest_url="http://127.0.0.1:9",
            dexes=("",),
            clock=HandClock(),
            instruments=(),
            learnt={},
        )
        self._answer = answer
        self.calls: list[tuple[str, Fields]] = []

    async def ask(self, kind: str, fields: Fields, priority: Priority = Priority.RECONCILE) -> Answer:
        self.calls.append((kind, fields))
        return Answer(200, {}, json.dumps(self._answer(kind, fields)).encode(), 0, 0)

    async def ready(self, priority: Priority = Priority.RECONCILE) -> None:
        pass


@cache
def _session() -> Direct:
    return Direct(lambda _kind, _fields: [])


def direct(answer: Callable[[str, Fields], object]) -> Direct:
    """A session as new, but for what it takes long to make and is not used here: the way to a venue."""
    session = copy(_session())
    session._answer, session.calls = answer, []
    session.warnings, session._refused = deque(), deque()
    session.reader = HyperliquidReader(ACCOUNT, ME)
    return session


class Lists:
    """The lists of a venue: oldest first from a time on, so many rows at most, of the newest only."""

    def __init__(self, rows: Mapping[str, Sequence[Row]], *, page: int = 2_000, kept: int = FILLS_KEPT) -> None:
        self.rows = {kind: list(given) for kind, given in rows.items()}
        self.page = page
        self.kept = kept

    def __call__(self, kind: str, fields: Fields) -> object:
        rows = self.rows.get(kind, [])
        if kind == SLICES:
            return list(reversed(rows))[: self.page]
        start: Any = fields["startTime"]
        return [row for row in rows[-self.kept :] if row["time"] >= start][: self.page]


def fills(times: Sequence[int], first: int = 1) -> list[Row]:
    return [fill(time=time, tid=first + place, oid=place) for place, time in enumerate(sorted(times))]


def funding(time: int, coin: str = "BTC", usdc: str = "-0.5") -> Row:
    delta = {"type": "funding", "coin": coin, "usdc": usdc, "szi": "1", "fundingRate": "0.00001"}
    return {"time": time, "hash": "0x" + "0" * 64, "delta": delta}


def deposit(time: int, number: int) -> Row:
    return {"time": time, "hash": f"0x{number:064x}", "delta": {"type": "deposit", "usdc": "10.0"}}


def pull(session: Session, cursor: str | None = None, *, cut_min: int = CUT_MIN, stop_after: int = -1) -> list[Page]:
    async def story() -> list[Page]:
        read: list[Page] = []
        async for page in pages(session, cursor, cut_min=cut_min):
            read.append(page)
            if len(read) == stop_after:
                break
        return read

    return asyncio.run(story())


def told(read: Sequence[Page]) -> Counter[str]:
    """How often each fact came that is not a definition or an opening, by identity."""
    found: Counter[str] = Counter()
    for facts, _ in read:
        for fact in facts:
            if isinstance(fact, FillBooked):
                found[fact.venue_trade_id] += 1
            elif isinstance(fact, FundingPaid | TransferBooked):
                found[fact.venue_id] += 1
    return found


counts = st.lists(st.integers(1, 6), max_size=25)
"""How many fills each millisecond has."""


@settings(max_examples=150, deadline=None)
@given(counts, st.integers(0, 4), st.data())
def test_every_fill_comes_exactly_once_whatever_the_milliseconds_and_pages(
    per_ms: list[int], more: int, data: st.DataObject
) -> None:
    times = [TIME + 3 * place for place, count in enumerate(per_ms) for _ in range(count)]
    page = max(per_ms, default=0) + 1 + more
    lists = Lists({FILLS: fills(times)}, page=page)
    session = direct(lists)
    read = pull(session, cut_min=page)
    assert told(read) == Counter({str(tid): 1 for tid in range(1, len(times) + 1)})
    assert not session.warnings
    stop = data.draw(st.integers(1, len(read)))
    before = pull(direct(lists), cut_min=page, stop_after=stop)
    resumed = direct(lists)
    after = pull(resumed, before[-1][1], cut_min=page)
    assert set(told(before)) | set(told(after)) == {str(tid) for tid in range(1, len(times) + 1)}
    assert set((told(before) + told(after)).values()) <= {1, 2}
    assert not resumed.warnings


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(2, 9))
def test_a_millisecond_that_fills_a_page_is_stated_and_everything_else_comes_once(per_ms: list[int], page: int) -> None:
    times = [TIME + place for place, count in enumerate(per_ms) for _ in range(count)]
    session = direct(Lists({FILLS: fills(times)}, page=page))
    read = pull(session, cut_min=page)
    overfull = {TIME + place for place, count in enumerate(per_ms) if count >= page}
    missed = {str(row["tid"]) for row in fills(times)} - set(told(read))
    assert len(session.warnings) == len(overfull)
    assert max(told(read).values()) == 1
    by_tid = {str(row["tid"]): row["time"] for row in fills(times)}
    assert {by_tid[tid] for tid in missed} <= overfull


def test_the_lists_are_read_side_by_side_in_nearly_venue_order() -> None:
    lists = Lists(
        {
            FILLS: fills([TIME + 10 * place for place in range(10)]),
            FUNDING: [funding(TIME + 25), funding(TIME + 25, "ETH"), funding(TIME + 65)],
            LEDGER: [deposit(TIME - 5, 1), deposit(TIME + 55, 2)],
            SLICES: [{"fill": fill(time=TIME + 33, tid=99), "twapId": 7}],
        },
        page=4,
    )
    read = pull(direct(lists), cut_min=4)
    assert set(told(read).values()) == {1}
    assert len(told(read)) == 10 + 3 + 2 + 1
    assert read[0][0], "the first page has facts, or there is only one"
    for facts, _ in read:
        defined = [isinstance(fact, InstrumentDefined) for fact in facts]
        assert defined == sorted(defined, reverse=True), "instruments come before what uses them"


def test_slices_that_stand_among_the_fills_too_are_the_same_facts() -> None:
    rows = fills([TIME, TIME + 1])
    lists = Lists({FILLS: rows, SLICES: [{"fill": row, "twapId": 7} for row in rows]})
    read = pull(direct(lists))
    facts = [fact for page, _ in read for fact in page if isinstance(fact, FillBooked)]
    assert len(facts) == 4
    assert len(set(facts)) == 2


def test_a_pull_without_news_asks_once_a_list_and_repeats_the_last_millisecond_only() -> None:
    lists = Lists({FILLS: fills([TIME, TIME + 1, TIME + 1]), FUNDING: [funding(TIME)]})
    cursor = pull(direct(lists))[-1][1]
    session = direct(lists)
    again = pull(session, cursor)
    assert [kind for kind, _ in session.calls] == [SLICES, LEDGER, FUNDING, FILLS]
    assert told(again) == Counter({"2": 1, "3": 1, f"{TIME}:BTC:-0.5": 1})
    assert again[-1][1] == cursor


def test_an_account_without_a_history_has_one_empty_page() -> None:
    ((facts, cursor),) = pull(direct(Lists({})))
    assert not facts
    assert pull(direct(Lists({})), cursor) == [((), cursor)]


def test_a_late_row_of_a_millisecond_that_was_read_comes_with_the_next_pull() -> None:
    lists = Lists({FILLS: fills([TIME])})
    cursor = pull(direct(lists))[-1][1]
    lists.rows[FILLS].append(fill(time=TIME, tid=50))
    assert "50" in told(pull(direct(lists), cursor))


def test_a_pull_may_begin_at_a_time() -> None:
    lists = Lists({FILLS: fills([TIME, TIME + 1, TIME + 2]), LEDGER: [deposit(TIME, 1), deposit(TIME + 1, 2)]})
    session = direct(lists)
    assert len(told(pull(session, cursor_at(from_ms(TIME + 1))))) == 3
    assert not session.warnings


@pytest.mark.parametrize("cursor", ["", "5", "{}", '{"places":{"x":{"at":"y"}}}', '{"places":{},"more":1}'])
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(BadInput, match="not a cursor"):
        pull(direct(Lists({})), cursor)


def test_a_cursor_says_nothing_of_a_list_that_it_does_not_name() -> None:
    cursor = '{"places":{"userFunding":{"at":5,"anchor":""}}}'
    session = direct(Lists({FILLS: fills([TIME])}))
    assert told(pull(session, cursor)) == Counter({"1": 1})
    assert dict(session.calls)[FUNDING]["startTime"] == 5


# --- what the venue forgets -------------------------------------------------------------------------------------------


def test_many_fills_since_the_last_pull_are_told_before_any_is_lost() -> None:
    lists = Lists({FILLS: fills([TIME])})
    cursor = pull(direct(lists))[-1][1]
    lists.rows[FILLS] += fills([TIME + 1 + place for place in range(FILLS_NEAR)], first=2)
    session = direct(lists)
    assert len(told(pull(session, cursor))) == FILLS_NEAR + 1
    (warning,) = session.warnings
    assert "pull more often" in warning


def test_a_first_pull_of_all_that_is_kept_says_what_cannot_be_had() -> None:
    session = direct(Lists({FILLS: fills([TIME + place for place in range(FILLS_KEPT + 500)])}))
    assert len(told(pull(session))) == FILLS_KEPT
    near, gone = session.warnings
    assert "pull more often" in near
    assert "cannot be had" in gone


def test_fills_that_were_forgotten_between_two_pulls_are_never_jumped_over_silently() -> None:
    lists = Lists({FILLS: fills([TIME])}, kept=100)
    cursor = pull(direct(lists))[-1][1]
    lists.rows[FILLS] += fills([TIME + 1 + place for place in range(100)], first=2)
    session = direct(lists)
    pull(session, cursor)
    (warning,) = session.warnings
    assert "Fills are missing between" in warning
    lists.rows[FILLS].pop()  # one less, and nothing was lost
    quiet = direct(lists)
    pull(quiet, cursor)
    assert not quiet.warnings


def test_a_full_list_of_slices_says_that_there_may_be_more() -> None:
    rows = [{"fill": row, "twapId": 1} for row in fills([TIME + place for place in range(SLICES_KEPT)])]
    session = direct(Lists({SLICES: rows}))
    cursor = pull(session)[-1][1]
    (warning,) = session.warnings
    assert "TWAP" in warning
    quiet = direct(Lists({SLICES: rows}))
    assert len(told(pull(quiet, cursor))) == 1
    assert not quiet.warnings


# --- answers that are not as they should be ---------------------------------------------------------------------------


def test_a_row_that_cannot_be_read_is_refused_and_stops_no_other() -> None:
    bad = [{"time": "yesterday"}, 5, fill(px="NaN", time=TIME + 1, tid=7)]
    session = direct(Lists({}))
    session._answer = lambda kind, _: [fill(tid=1), *bad] if kind == FILLS else []
    assert set(told(pull(session))) == {"1"}
    refused = session.refused()
    assert {row.field for row in refused} >= {"row", "px"}
    assert not session.refused()


def test_a_coin_that_is_not_known_makes_the_markets_be_asked_for_again() -> None:
    known = {
        "universe": [{"tokens": [1, 0], "name": "@9", "index": 9}],
        "tokens": [{"name": "USDC", "szDecimals": 8, "index": 0}, {"name": "NEW", "szDecimals": 2, "index": 1}],
    }
    lists = Lists({FILLS: [fill(coin="@9", dir="Buy", feeToken="NEW")]})

    def answer(kind: str, fields: Fields) -> object:
        others = {"spotMeta": known, "meta": {"universe": []}, "userRole": {"role": "user"}}
        return others.get(kind) or lists(kind, fields)

    session = direct(answer)
    (instrument,) = {f.instrument for page, _ in pull(session) for f in page if isinstance(f, FillBooked)}
    assert instrument == "NEW/USDC"
    assert not session.refused()


@pytest.mark.parametrize("body", [b"null", b"{}", b"<html>", b'{"error":"x"}', b"5"])
def test_an_answer_that_is_no_list_moves_no_cursor(body: bytes) -> None:
    script = Script()
    script.info[FILLS] = body

    async def story(venue: HyperliquidVenue) -> list[Page]:
        return [page async for page in venue.history(None)]

    with pytest.raises(Malformed):
        run(story, script)


def test_a_full_answer_that_begins_with_the_newest_is_not_believed() -> None:
    rows = fills([TIME + place for place in range(CUT_MIN)])
    session = direct(lambda kind, _: rows[::-1] if kind == FILLS else [])
    with pytest.raises(Malformed, match="newest rows come first"):
        pull(session)


def test_a_full_answer_in_which_no_row_says_its_time_is_not_paged_through() -> None:
    session = direct(lambda kind, _: [{"time": "yesterday"}] * CUT_MIN if kind == FILLS else [])
    with pytest.raises(Malformed, match="none of 500 rows"):
        pull(session, stop_after=5)


def test_a_short_answer_may_come_in_any_order() -> None:
    rows = fills([TIME + place for place in range(10)])
    session = direct(Lists({FILLS: rows}))
    straight = told(pull(session))
    session = direct(lambda kind, fields: Lists({FILLS: rows})(kind, fields)[::-1])  # type: ignore[index]
    assert told(pull(session)) == straight


# --- over a socket ----------------------------------------------------------------------------------------------------


def test_a_pull_that_is_cut_off_goes_on_where_it_was() -> None:
    number = 3 * CUT_MIN
    lists = Lists({FILLS: fills([TIME + place for place in range(number)])}, page=CUT_MIN)
    script = Script()
    asked = 0

    def answer(request: Row) -> object:
        nonlocal asked
        asked += 1
        return HANG_UP if 2 <= asked <= 3 else lists(FILLS, request)

    script.info[FILLS] = answer

    async def story(venue: HyperliquidVenue) -> list[Page]:
        read: list[Page] = []

        async def go_on(cursor: str | None) -> None:
            async for page in venue.history(cursor):
                read.append(page)  # noqa: PERF401 - what came before it breaks off counts

        with pytest.raises(Unavailable):
            await go_on(None)
        assert len(told(read)) == CUT_MIN - 1
        await go_on(read[-1][1])
        return read

    read = run(story, script)
    assert told(read) == Counter({str(tid): 1 for tid in range(1, number + 1)})


def test_long_answers_are_counted_by_their_rows() -> None:
    lists = Lists({FILLS: fills([TIME + place for place in range(1_000)])})
    script = Script()
    script.info[FILLS] = lambda asked: lists(FILLS, asked)

    async def story(venue: HyperliquidVenue) -> tuple[int | None, int]:
        await venue.instruments()
        limiter = venue._session.transport.limiter
        before = limiter.left()
        assert before is not None
        async for _ in venue.history(None):
            pass
        return limiter.left(), before

    left, before = run(story, script)
    assert before - left == 5 * 20 + 1_000 // 20  # five requests, and what the rows weigh


def test_openings_are_what_the_first_fill_says_was_held() -> None:
    lists = Lists({FILLS: [fill(startPosition="2.5")]})
    facts = [fact for page, _ in pull(direct(lists)) for fact in page]
    (opening,) = [fact for fact in facts if isinstance(fact, OpeningPosition)]
    assert opening.quantity == Decimal("2.5")


@pytest.mark.skipif(not RECORDINGS.exists(), reason="the recorded answers are not here")
def test_recorded_fills_come_once_whatever_the_page() -> None:
    rows = json.loads((RECORDINGS / "sdk-cassettes" / "user_fills_oldest200.json").read_bytes())
    rows.sort(key=lambda row: row["time"])
    most = max(Counter(row["time"] for row in rows).values())
    whole = told(pull(direct(Lists({FILLS: rows}))))
    assert sum(whole.values()) == len(rows) == 200
    for page in (most + 1, most + 7, 199):
        session = direct(Lists({FILLS: rows}, page=page))
        assert told(pull(session, cut_min=page)) == whole
        assert not session.warnings
