"""Fills come newest first, and are told oldest first, each behind a cursor that leaves nothing out."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.venues.coinbase.coinbase_rows import NS, cash_of, fill, position_of
from tests.venues.coinbase.live.scripted import (
    FUTURE_ROW,
    NOT_FOUND,
    Asked,
    Row,
    Script,
    Status,
    at,
    newest_first,
    run,
    turns,
    venue,
)
from trueup.model.errors import BadInput, Malformed, Unavailable
from trueup.model.events import Fact, FillBooked, InstrumentDefined
from trueup.venues.coinbase import history
from trueup.venues.coinbase.live import CoinbaseVenue

FILLS = "GET orders/historical/fills"


def fills(facts: Sequence[Fact]) -> list[FillBooked]:
    return [fact for fact in facts if isinstance(fact, FillBooked)]


def made(number: int, second: float, **fields: object) -> Row:
    return fill(f"e{number}", sequence_timestamp=at(second), trade_time=at(second), **fields)


async def told(adapter: CoinbaseVenue, cursor: str | None = None, **options: int) -> list[tuple[Sequence[Fact], str]]:
    return [page async for page in history.pages(adapter._session, cursor, **options)]


def test_nothing_ever_happened_and_the_cursor_stays() -> None:
    ((facts, cursor),) = run(told, Script())
    assert (facts, cursor) == ((), '{"at":0}')


def test_a_pull_begins_before_its_cursor_because_a_fill_may_be_listed_late() -> None:
    script = Script(**{FILLS: newest_first([made(1, 0), made(2, 100)], 10)})
    run(lambda adapter: told(adapter, f'{{"at":{NS + 110 * 10**9}}}'), script)
    assert script.last(FILLS).query["start_sequence_timestamp"] == [at(50)]


def test_the_cursor_never_goes_back() -> None:
    script = Script(**{FILLS: newest_first([made(1, 0)], 10)})
    later = f'{{"at":{NS + 5 * 10**9}}}'
    ((facts, cursor),) = run(lambda adapter: told(adapter, later), script)
    assert (len(fills(facts)), cursor) == (1, later)


@settings(deadline=None, max_examples=40)
@example(seconds=[0, 1_000, 2_000], page=2, gathered=5, resumed=0, chunk=1)
@given(
    seconds=st.lists(st.integers(0, 3_000), max_size=60),
    page=st.integers(1, 7),
    gathered=st.integers(1, 60),
    resumed=st.integers(0, 6),
    chunk=st.integers(1, 9),
)
def test_every_fill_is_told_from_the_cursor_of_any_page_on(
    seconds: list[int], page: int, gathered: int, resumed: int, chunk: int
) -> None:
    listed = [made(number, second) for number, second in enumerate(seconds)]
    script = Script(**{FILLS: newest_first(listed, page)})
    most = max([sum(s - 120 <= other <= s for other in seconds) for s in seconds], default=1) + gathered

    async def story(adapter: CoinbaseVenue) -> None:
        pages = await told(adapter, gathered_max=most)
        assert all(len(fills(facts)) <= chunk for facts, _ in pages)
        before = {f.venue_trade_id for facts, _ in pages[: resumed + 1] for f in fills(facts)}
        cursor = pages[min(resumed, len(pages) - 1)][1]
        behind = {f.venue_trade_id for facts, _ in await told(adapter, cursor, gathered_max=most) for f in fills(facts)}
        assert before | behind == {row["entry_id"] for row in listed}
        cursors = [history._decode(cursor) for _, cursor in pages]
        assert cursors == sorted(cursors)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(history, "CHUNK", chunk)
        run(story, script)


def test_of_a_very_long_history_the_oldest_part_is_told_before_the_rest_is_kept() -> None:
    script = Script(**{FILLS: newest_first([made(number, 100 * number) for number in range(10)], 3)})
    pages = run(lambda adapter: told(adapter, gathered_max=4), script)
    assert [len(fills(facts)) for facts, _ in pages] == [
        4,
        4,
        4,
    ]  # each round begins with the last fill of the one before
    assert len([asked for asked in script.asked if asked.what == FILLS and "cursor" not in asked.query]) == 3


def test_more_in_one_instant_than_is_gathered_is_not_taken_for_the_end() -> None:
    script = Script(**{FILLS: newest_first([made(number, 0) for number in range(9)], 2)})
    with pytest.raises(Malformed, match="later ones are not told"):
        run(lambda adapter: told(adapter, f'{{"at":{NS}}}', gathered_max=3), script)


def test_a_reversal_of_what_an_earlier_process_read_is_told_with_its_order() -> None:
    first, back = made(1, 0, trade_id="t"), made(2, 900, trade_id="t", trade_type="REVERSAL")
    script = Script(**{FILLS: newest_first([first, back], 10)})

    async def story(adapter: CoinbaseVenue) -> list[FillBooked]:
        (page,) = await told(adapter, f'{{"at":{NS + 800 * 10**9}}}')
        assert adapter.refused() == []
        return fills(page[0])

    booked = run(story, script)
    assert (position_of(booked), cash_of(booked)) == (Decimal(0), Decimal(0))
    assert [asked.query.get("order_ids") for asked in script.asked if asked.what == FILLS] == [None, ["o-1"]]


def test_a_future_that_was_not_listed_is_asked_for_by_name() -> None:
    product = {**FUTURE_ROW, "product_id": "ET-24APR26-CDE"}
    script = Script(**{FILLS: newest_first([made(1, 0, product_id="ET-24APR26-CDE")], 10), "GET product": product})

    async def story(adapter: CoinbaseVenue) -> Sequence[Fact]:
        ((facts, _),) = await told(adapter)
        assert adapter.refused() == []
        return facts

    facts = run(story, script)
    assert [type(fact) for fact in facts] == [InstrumentDefined, FillBooked]


def test_a_row_that_cannot_be_read_is_kept_and_stops_no_other() -> None:
    rows: list[Row] = [made(1, 0, price="many"), made(2, 1), made(3, 2, product_id="ZZ-24APR26-CDE")]
    script = Script(**{FILLS: newest_first(rows, 10), "GET product": NOT_FOUND})

    async def story(adapter: CoinbaseVenue) -> None:
        ((facts, _),) = await told(adapter)
        assert [f.venue_trade_id for f in fills(facts)] == ["e2"]
        assert sorted(refused.field for refused in adapter.refused()) == ["price", "product_id"]
        assert adapter.refused() == []

    run(story, script)


@pytest.mark.parametrize("cursor", ["", "7", '{"id":7}', "{"])
def test_a_cursor_of_another_venue_is_refused(cursor: str) -> None:
    with pytest.raises(BadInput, match="not a cursor of Coinbase"):
        run(lambda adapter: told(adapter, cursor), Script())


def test_a_page_that_fails_tells_nothing_that_would_move_the_cursor() -> None:
    pages = newest_first([made(number, number) for number in range(4)], 2)

    def broken(asked: Asked) -> object:
        return Status("503 Service Unavailable") if "cursor" in asked.query else pages(asked)

    with pytest.raises(Unavailable):
        run(lambda adapter: anext(aiter(adapter.history(None))), Script(**{FILLS: broken}))


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"fills": 7}', b"<html>", b'{"fills": [], "cursor": 7.5}'])
def test_an_answer_that_is_not_a_list_is_not_an_empty_one(body: bytes) -> None:
    with pytest.raises(Malformed):
        run(told, Script(**{FILLS: turns(body)}))


def test_a_time_before_everything_is_the_beginning() -> None:
    assert asyncio.run(_cursor_at(-5)) == '{"at":0}'
    assert asyncio.run(_cursor_at(NS)) == f'{{"at":{NS}}}'


async def _cursor_at(time: int) -> str:
    async with venue(Script()) as adapter:
        return await adapter.cursor_at(time)
