"""The history in pages: nothing is lost between two of them, at their ends, between the two stores, or by a cut."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.venues.jsonrpc_derivatives.live.engine_script import (
    MS,
    Answering,
    Fault,
    HandClock,
    Row,
    Script,
    entry,
    run,
    summaries,
    summary,
    trade,
)
from trueup.model.errors import BadInput, Malformed, Unavailable
from trueup.model.events import Fact, FillBooked, FundingPaid, TransferBooked
from trueup.model.facts import fact_key
from trueup.model.times import from_ms
from trueup.venues.jsonrpc_derivatives import history
from trueup.venues.jsonrpc_derivatives.history import OVERLAP_MS, RECENT_MS
from trueup.venues.jsonrpc_derivatives.live import EngineVenue

TRADES = "private/get_user_trades_by_currency_and_time"
LOG = "private/get_transaction_log"

HOUR_MS = 3_600_000

Pages = list[tuple[Sequence[Fact], str]]


def trades_of(rows: Sequence[Row], size: int, *, kept_ms: int = 24 * HOUR_MS, delay_ms: int = 60_000) -> Answering:
    """Trades as the engine pages them: recent ones at once, older ones from another store that lags behind."""

    def answer(params: Row) -> object:
        chosen = [
            row
            for row in sorted(rows, key=lambda row: int(row["timestamp"]))
            if params["start_timestamp"] <= row["timestamp"] <= params["end_timestamp"]
            and (row["timestamp"] <= MS - delay_ms if params["historical"] else row["timestamp"] > MS - kept_ms)
        ]
        return {"trades": chosen[:size], "has_more": len(chosen) > size}

    return answer


def log_of(rows: Sequence[Row], size: int) -> Answering:
    """The log as the engine pages it: newest first, on from the entry that comes next."""

    def answer(params: Row) -> object:
        newest = sorted(rows, key=lambda row: int(row["id"]), reverse=True)
        chosen = [
            row
            for row in newest
            if params["start_timestamp"] <= row["timestamp"] <= params["end_timestamp"]
            and row["id"] <= params.get("continuation", 10**9)
        ]
        return {"logs": chosen[:size], "continuation": chosen[size]["id"] if len(chosen) > size else None}

    return answer


async def pages(venue: EngineVenue, cursor: str | None = None) -> Pages:
    return [page async for page in venue.history(cursor)]


def pulled(script: Script, cursor: str | None = None) -> Pages:
    found: Pages = run(lambda venue: pages(venue, cursor), script)
    return found


def keys(found: Pages) -> set[str | None]:
    return {fact_key(fact) for facts, _ in found for fact in facts if isinstance(fact, FillBooked | TransferBooked)}


def numbers(found: Pages) -> set[str]:
    return {fact.venue_trade_id for facts, _ in found for fact in facts if isinstance(fact, FillBooked)}


def test_an_account_where_nothing_happened_has_one_empty_page() -> None:
    found = pulled(Script())
    assert [list(facts) for facts, _ in found if facts] == []
    assert len(found) >= 1
    assert pulled(Script(), found[-1][1])[-1][1] == found[-1][1]


def test_a_page_that_ends_within_a_millisecond_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "TRADES_MAX", 3)
    rows = [trade(number, MS - 10_000 + number // 2) for number in range(10)]
    script = Script()
    script.answers[TRADES] = trades_of(rows, 3)
    assert numbers(pulled(script)) == {f"ETH-{number}" for number in range(10)}


def test_more_trades_of_one_millisecond_than_a_page_holds_are_told_to_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "TRADES_MAX", 3)
    rows = [trade(number, MS - 5_000) for number in range(5)] + [trade(9, MS - 4_000)]
    script = Script()
    script.answers[TRADES] = trades_of(rows, 3)

    async def story(venue: EngineVenue) -> tuple[Pages, Sequence[str]]:
        return await pages(venue), venue.warnings

    found, warnings = run(story, script)
    assert "ETH-9" in numbers(found)
    assert len(warnings) == 1
    assert "some of that one may be missing" in warnings[0]


def test_both_stores_are_asked_where_a_pull_goes_back_far_and_one_else() -> None:
    day = 24 * HOUR_MS
    rows = [trade(1, MS - 3 * day), trade(2, MS - day + HOUR_MS // 2), trade(3, MS - 1_000)]
    script = Script()
    script.answers[TRADES] = trades_of(rows, 1_000)
    found = pulled(script)
    assert numbers(found) == {"ETH-1", "ETH-2", "ETH-3"}
    assert [params["historical"] for params in script.of(TRADES)] == [True, False]
    later = Script()
    later.answers[TRADES] = trades_of(rows, 1_000)
    assert numbers(pulled(later, found[-1][1])) == {"ETH-3"}, "the overlap"
    assert [params["historical"] for params in later.of(TRADES)] == [False]


def test_of_the_last_day_the_store_that_lags_behind_proves_nothing() -> None:
    late, rows = trade(2, MS - 2 * HOUR_MS), [trade(1, MS - 72 * HOUR_MS), trade(3, MS - HOUR_MS)]
    script = Script()
    old, recent = trades_of(rows, 1_000), trades_of([*rows, late], 1_000)
    script.answers[TRADES] = lambda params: (old if params["historical"] else recent)(params)

    async def story(venue: EngineVenue) -> Pages:
        first = await anext(aiter(venue.history(None)))
        return [first, *await pages(venue, first[1])]

    assert numbers(run(story, script)) == {"ETH-1", "ETH-2", "ETH-3"}


def test_a_place_moves_on_where_nothing_happens_so_that_the_old_store_is_left_alone() -> None:
    script, clock = Script(), HandClock()

    async def story(venue: EngineVenue) -> list[str]:
        cursors = [(await pages(venue))[-1][1]]
        for hours in (1, 40):
            script.at += hours * HOUR_MS
            clock.skip(hours * 3_600)
            cursors.append((await pages(venue, cursors[-1]))[-1][1])
        return cursors

    cursors = run(story, script, clock)
    assert len(set(cursors)) == 3
    assert [params["historical"] for params in script.of(TRADES)] == [True, False, False, True, False]


def test_a_pull_looks_back_a_little_before_the_last_one_ended() -> None:
    script = Script()
    script.answers[TRADES] = trades_of([trade(1, MS - 1_000)], 1_000)
    script.answers[LOG] = log_of([entry(1, ms=MS - 500)], 250)
    cursor = pulled(script)[-1][1]
    again = Script()
    pulled(again, cursor)
    assert again.of(TRADES)[0]["start_timestamp"] == MS - 1_000 - OVERLAP_MS
    assert again.of(LOG)[0]["start_timestamp"] == MS - 500 - OVERLAP_MS


def test_the_log_is_read_backwards_by_its_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "LOG_MAX", 2)
    script = Script()
    script.answers[LOG] = log_of([entry(number, ms=MS - 90_000 + number) for number in range(1, 8)], 2)
    found = pulled(script)
    assert [params.get("continuation") for params in script.of(LOG)] == [None, 5, 3, 1]
    assert len({params["end_timestamp"] for params in script.of(LOG)}) == 1
    assert len(keys(found)) == 7


def test_a_log_that_goes_on_by_the_token_that_was_just_given_is_not_taken_for_its_end() -> None:
    """Else the cursor would pass by everything that is older than the page."""
    rows = [entry(number, ms=MS - 90_000 + number) for number in range(1, 8)]
    script = Script()
    told = log_of(rows, 2)
    script.answers[LOG] = lambda params: {**cast("Row", told({**params, "continuation": 5})), "continuation": 5}
    with pytest.raises(Malformed, match="token that was just given"):
        pulled(script)


def test_a_pull_that_was_cut_off_within_a_window_goes_on_there_and_then_up_to_now() -> None:
    rows = [entry(number, ms=MS - 90_000 + number) for number in range(1, 8)]
    script = Script()
    told, left = log_of(rows, 2), iter(range(2))

    def breaking(params: Row) -> object:
        return Fault(10040, "retry") if next(left, None) is None else told(params)

    script.answers[LOG] = breaking
    cursors: Pages = []

    async def story(venue: EngineVenue) -> None:
        async for page in venue.history(None):
            cursors.append(page)

    with pytest.raises(Unavailable, match="retry"):
        run(story, script)
    place = json.loads(cursors[-1][1])["places"]["USDC"]
    assert (place["token"], place["log"]) == ("3", 0)
    after = Script()
    after.answers[LOG] = log_of([*rows, entry(8, ms=MS - 10)], 2)
    rest = pulled(after, cursors[-1][1])
    assert after.of(LOG)[0]["continuation"] == 3
    assert keys(cursors) | keys(rest) == keys(pulled(after))


def test_what_the_log_says_of_money_is_booked_and_trades_are_not_booked_twice() -> None:
    rows = [
        entry(1, "deposit"),
        entry(2, "trade", instrument_name="ETH_USDC-PERPETUAL", interest_pl=0, trade_id="ETH-1"),
        entry(3, "trade", instrument_name="ETH_USDC-PERPETUAL", interest_pl=-0.125, trade_id="ETH-2"),
        entry(4, "settlement", instrument_name="ETH_USDC-PERPETUAL", interest_pl=0.5, change=7),
        entry(5, "correction", change=-1),
    ]
    script = Script()
    script.answers[LOG] = log_of(rows, 250)
    facts = [fact for page, _ in pulled(script) for fact in page]
    funding = {fact.venue_id: fact.amount for fact in facts if isinstance(fact, FundingPaid)}
    assert funding == {"USDC:3": Decimal("-0.125"), "USDC:4": Decimal("0.5")}
    moved = {(fact.reason, fact.amount) for fact in facts if isinstance(fact, TransferBooked)}
    assert moved == {("deposit", Decimal("5.5")), ("correction", Decimal(-1))}


def test_a_delivery_ends_a_dated_future_at_its_price() -> None:
    row = entry(
        7, "delivery", instrument_name="BTC-26DEC25", side="close sell", amount=1000, price=88000.5, commission=0.0001,
        currency="BTC", trade_id=None,
    )  # fmt: skip
    script = Script()
    script.answers[LOG] = log_of([row, {**row, "id": 8, "trade_id": "BTC-9"}], 250)
    (fill,) = (fact for page, _ in pulled(script) for fact in page if isinstance(fact, FillBooked))
    assert (fill.instrument, fill.side, fill.quantity) == ("BTC/USD:BTC-26DEC25", "sell", Decimal(1000))
    assert (fill.price, fill.fee, fill.fee_currency) == (Decimal("88000.5"), Decimal("0.0001"), "BTC")
    assert fill.venue_trade_id == "delivery BTC:7"


def test_rows_that_cannot_be_read_are_put_on_record_and_stop_no_other() -> None:
    bad = trade(2, instrument_name="BTC-27DEC26-100000-C")
    timeless = {**trade(3), "timestamp": "yesterday"}
    script = Script()
    script.answers[TRADES] = {"trades": [trade(1), bad, timeless], "has_more": False}

    async def story(venue: EngineVenue) -> tuple[Pages, Sequence[str], int]:
        found = await pages(venue)
        return found, sorted({row.field for row in venue.refused()}), len(venue.refused())

    found, fields, left = run(story, script)
    assert numbers(found) == {"ETH-1"}
    assert (fields, left) == (["instrument_name", "timestamp"], 0)


@pytest.mark.parametrize("result", [{}, {"trades": None}, {"trades": 3}, [], {"trades": [], "has_more": True}])
def test_an_answer_that_is_no_list_of_trades_is_not_an_empty_one(result: object) -> None:
    script = Script()
    script.answers[TRADES] = result
    with pytest.raises(Malformed):
        pulled(script)


def test_every_currency_of_the_account_is_asked_for() -> None:
    script = Script()
    money = summary("ETH", 0), summary("BTC", 1), summary("SOL", 0), summary("USDC", 5)
    script.answers["private/get_account_summaries"] = summaries(*money)
    pulled(script)
    assert [params["currency"] for params in script.of(LOG)] == ["BTC", "USDC", "ETH", "SOL"], "those with money first"


def test_an_account_without_currencies_is_not_one_without_a_past() -> None:
    script = Script()
    script.answers["private/get_account_summaries"] = summaries()
    with pytest.raises(Malformed, match="no currency is listed"):
        pulled(script)


@pytest.mark.parametrize("cursor", ["", "x", "[]", '{"places": {"USDC": {"trades": "soon"}}}', '{"unknown": 1}'])
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(BadInput, match="not a cursor"):
        pulled(Script(), cursor)


def test_a_cursor_for_a_time_begins_there() -> None:
    script = Script()

    async def story(venue: EngineVenue) -> Pages:
        return await pages(venue, await venue.cursor_at(from_ms(MS - 5_000)))

    run(story, script)
    assert script.of(TRADES)[0]["start_timestamp"] == MS - 5_000 - OVERLAP_MS
    assert script.of(LOG)[0]["start_timestamp"] == MS - 5_000 - OVERLAP_MS


AGES = st.integers(0, RECENT_MS * 2) | st.integers(0, 5)


@settings(max_examples=30, deadline=None)
@given(st.lists(AGES, max_size=24), st.integers(2, 5), st.integers(0, 24))
def test_whatever_the_pages_and_wherever_it_is_cut_all_trades_are_told(ages: list[int], size: int, cut: int) -> None:
    ages = [age for age in ages if ages.count(age) < size]  # more of one millisecond than a page are a warning
    rows = [trade(number, MS - age) for number, age in enumerate(ages)]
    script = Script()
    script.answers[TRADES] = trades_of(rows, size)

    async def story(venue: EngineVenue) -> Pages:
        found: Pages = []
        async for page in venue.history(None):
            found.append(page)
            if len(found) == cut:
                break
        return [*found, *await pages(venue, found[-1][1])]

    assert numbers(run(story, script)) == {str(row["trade_id"]) for row in rows}
