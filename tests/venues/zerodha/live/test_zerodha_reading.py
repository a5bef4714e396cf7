"""Reading an account at Kite over a socket: the day's capture, the state, prices, and what a person is told."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import TypeVar

import pytest
import stamina

from tests.venues.zerodha.kite_rows import ACCOUNT, NS, holding, order, position, trade
from tests.venues.zerodha.live.loopback import NIFTY, SBIN, Loopback, connected, pulled, refusal
from trueup.engine.pulling import pull
from trueup.engine.store import Store
from trueup.journal.embedded import EmbeddedStorage
from trueup.model.errors import AuthenticationFailed, BadInput, Malformed, Unavailable, VenueError
from trueup.model.events import FillBooked, InstrumentDefined, OpeningBalance, OpeningPosition, OrderReported
from trueup.model.orders import OrderRequest
from trueup.model.times import NS_PER_SECOND
from trueup.venues.zerodha import history
from trueup.venues.zerodha.live import ZerodhaVenue

T = TypeVar("T")


@pytest.fixture(autouse=True)
def _quick_looks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(history, "PAUSES_S", (0.0, 0.0))
    with stamina.set_testing(True, attempts=2, cap=True):  # without the pauses between
        yield


def run(loopback: Loopback, story: Callable[[ZerodhaVenue], Awaitable[T]], **more: object) -> T:
    async def told() -> T:
        async with connected(loopback, **more) as venue:
            return await story(venue)

    return asyncio.run(told())


def carried() -> Loopback:
    """An account that held something when the day began, and traded since."""
    return Loopback(
        net=[
            position("NIFTY26NOVFUT", 65, overnight_quantity=130, buy_value=3120000, day_buy_value=0),
            position("SBIN", 4, exchange="NSE", product="CNC"),
        ],
        holdings=[holding("SBIN", 6)],
        states={"7001": [order(7001, "COMPLETE", quantity=4, filled=4, tag="mine")]},
        trades=[trade(1, quantity=4)],
    )


def test_a_history_begins_with_what_was_held_when_the_day_began() -> None:
    facts, _ = run(carried(), pulled)
    opened = {fact.instrument: fact for fact in facts if isinstance(fact, OpeningPosition)}
    assert {symbol: (one.quantity, one.price) for symbol, one in opened.items()} == {
        NIFTY: (Decimal(130), Decimal(24000)),
        SBIN: (Decimal(6), Decimal("90.25")),
    }
    assert {one.venue_time for one in opened.values()} == {NS - (9 * 3600 + 15 * 60 + 1) * NS_PER_SECOND}
    (shares,) = [fact for fact in facts if isinstance(fact, OpeningBalance)]
    assert (shares.currency, shares.amount) == ("NSE.SBIN.CNC@equity", Decimal(6))
    (fill,) = [fact for fact in facts if isinstance(fact, FillBooked)]
    assert (fill.client_order_id, fill.fee, fill.fee_currency) == ("mine", Decimal(0), "")
    defined = {fact.instrument.symbol: fact.instrument for fact in facts if isinstance(fact, InstrumentDefined)}
    assert (defined[NIFTY].price_tick, defined[NIFTY].quantity_step) == (Decimal("0.05"), Decimal(65))


def test_a_short_that_was_carried_is_opened_at_what_it_was_sold_for() -> None:
    row = position("NIFTY26NOVFUT", -65, overnight_quantity=-65, sell_value=1_600_000, day_sell_value=7_000)
    facts, _ = run(Loopback(net=[row]), pulled)
    (opened,) = [fact for fact in facts if isinstance(fact, OpeningPosition)]
    assert (opened.quantity, opened.price) == (Decimal(-65), Decimal(1_593_000) / 65)


def test_what_the_positions_do_not_tell_of_a_basis_is_unknown() -> None:
    for fields in ({}, {"buy_value": 5, "day_buy_value": 5}, {"buy_value": "much", "day_buy_value": 0}):
        row = position("NIFTY26NOVFUT", 65, overnight_quantity=65, **fields)
        facts, _ = run(Loopback(net=[row]), pulled)
        assert [fact.price for fact in facts if isinstance(fact, OpeningPosition)] == [None]


def test_an_account_does_not_begin_where_what_it_held_cannot_be_read() -> None:
    for loopback in (
        Loopback(net=[position("NIFTY26NOVFUT", "many")]),
        Loopback(holdings=[holding("SBIN", 6, opening_quantity=None)]),
    ):
        with pytest.raises(Malformed, match="What was held when 2026-11-20 began cannot be read"):
            run(loopback, pulled)


def test_later_captures_tell_the_day_again_without_its_opening() -> None:
    async def story(venue: ZerodhaVenue) -> None:
        _, cursor = await pulled(venue)
        again, later = await pulled(venue, cursor)
        assert [type(fact) for fact in again] == [InstrumentDefined, OrderReported, InstrumentDefined, FillBooked]
        assert later == cursor

    run(carried(), story)


def test_a_pull_since_a_time_begins_with_the_day_and_says_what_is_lost() -> None:
    async def story(venue: ZerodhaVenue) -> None:
        cursor = await venue.cursor_at(NS - 5 * 86_400 * NS_PER_SECOND)
        facts, _ = await pulled(venue, cursor)
        assert any(isinstance(fact, OpeningPosition) for fact in facts)
        assert any("nothing from before 2026-11-20" in warning for warning in venue.warnings)

    run(carried(), story)


def test_a_missed_day_is_alarmed_until_it_is_old_and_kept_in_the_journal(tmp_path: Path) -> None:
    loopback = carried()
    with_store = Store.open(EmbeddedStorage.open(tmp_path / "data", create=True), loopback.clock)

    async def days(venue: ZerodhaVenue) -> None:
        ledger = with_store.ledger(ACCOUNT)
        first = await pull(ledger, venue)
        assert not [warning for warning in first.warnings if "missing" in warning]
        loopback.clock.skip(72)
        loopback.states.clear()
        loopback.trades.clear()
        second = await pull(ledger, venue)
        (told,) = [warning for warning in second.warnings if "missing" in warning]
        assert "Trades of 2026-11-20 may be missing: it was last captured at 2026-11-20 09:15 IST" in told

    async def restarted(venue: ZerodhaVenue) -> None:
        third = await pull(with_store.ledger(ACCOUNT), venue)
        assert [warning for warning in third.warnings if "2026-11-20 may be missing" in warning]

    try:
        run(loopback, days)
        run(loopback, restarted)
    finally:
        with_store.close()


def test_looking_back_makes_up_for_no_day_that_was_missed() -> None:
    loopback = carried()

    async def story(venue: ZerodhaVenue) -> None:
        _, cursor = await pulled(venue)
        loopback.clock.skip(72)
        await pulled(venue, cursor)
        before = [warning for warning in venue.warnings if "missing" in warning]
        await pulled(venue, await venue.cursor_at(loopback.clock.now()))
        await pulled(venue)
        assert [warning for warning in venue.warnings if "missing" in warning] == before
        assert len(before) == 1

    run(loopback, story)


def test_trades_that_the_orders_tell_of_are_waited_for() -> None:
    loopback = carried()
    loopback.say("GET /trades", (200, []), (200, []))

    async def story(venue: ZerodhaVenue) -> None:
        facts, _ = await pulled(venue)
        assert any(isinstance(fact, FillBooked) for fact in facts)
        assert not [warning for warning in venue.warnings if "pull again" in warning]

    run(loopback, story)
    assert loopback.asked("GET /trades") == 3


def test_a_capture_that_lacks_a_trade_does_not_count_as_made() -> None:
    loopback = carried()
    whole, loopback.trades = loopback.trades, []
    loopback.clock.skip(9)

    async def story(venue: ZerodhaVenue) -> None:
        _, cursor = await pulled(venue)
        assert '"captured":0' in cursor
        assert any("Of order 7001 4 are filled, and Kite lists trades of 0" in one for one in venue.warnings)
        loopback.trades = whole
        _, cursor = await pulled(venue, cursor)
        assert '"captured":0' not in cursor

    run(loopback, story)


def test_a_cursor_of_another_venue_is_refused() -> None:
    with pytest.raises(BadInput, match="not a cursor of Kite"):
        run(Loopback(), lambda venue: pulled(venue, '{"places":{}}'))


def test_rows_that_cannot_be_read_are_put_aside_with_their_bytes() -> None:
    loopback = carried()
    loopback.trades.append(trade(2, quantity="many"))
    loopback.states["7002"] = [order(7002, "OPEN", quantity="many")]

    async def story(venue: ZerodhaVenue) -> None:
        await pulled(venue)
        assert [(row.file, row.field) for row in venue.refused()] == [("/orders", "quantity"), ("/trades", "quantity")]
        assert venue.refused() == []

    run(loopback, story)


def test_the_login_of_another_user_is_refused() -> None:
    loopback = carried()
    with pytest.raises(AuthenticationFailed, match="The login is of AB1234, and this account is ZZ9999's"):
        run(loopback, pulled, learnt={"user_id": "ZZ9999"})
    assert loopback.requests == []


def test_a_token_that_turns_out_to_be_of_another_user_is_refused() -> None:
    loopback = carried()
    loopback.say("GET /user/profile", (200, {"user_id": "ZZ9999", "exchanges": [], "products": []}))
    with pytest.raises(Malformed, match="another user than AB1234"):
        run(loopback, pulled, learnt={"user_id": "AB1234"})


def test_trades_are_captured_where_the_days_instruments_cannot_be_had() -> None:
    loopback = carried()
    loopback.say("GET /instruments", *[refusal(503, "NetworkException", "down")] * 2)

    async def story(venue: ZerodhaVenue) -> None:
        facts, _ = await pulled(venue)
        assert any(isinstance(fact, FillBooked) for fact in facts)
        assert any("Steps and expiries" in warning for warning in venue.warnings)
        await venue.instruments()
        assert not any("Steps and expiries" in warning for warning in venue.warnings)

    run(loopback, story)


def test_lots_of_a_commodity_are_told_by_its_position() -> None:
    row = position("LEADMINI26NOVFUT", 2, exchange="MCX", multiplier=1000)
    fill = trade(3, quantity=2, exchange="MCX", tradingsymbol="LEADMINI26NOVFUT", product="NRML")
    facts, _ = run(Loopback(net=[row], trades=[fill]), pulled)
    (terms,) = [fact.instrument for fact in facts if isinstance(fact, InstrumentDefined)]
    assert (terms.contract_size, terms.wallet) == (Decimal(1000), "commodity")


# --- the state --------------------------------------------------------------------------------------------------------


def test_the_state_has_shares_positions_and_open_orders_and_the_earliest_time() -> None:
    loopback = carried()
    loopback.states["7002"] = [order(7002, "TRIGGER PENDING", tag="stop")]

    async def story(venue: ZerodhaVenue) -> None:
        state = await venue.snapshot()
        assert {key[0]: one.quantity for key, one in (state.positions or {}).items()} == {NIFTY: 65, SBIN: 10}
        assert set(state.open_orders or {}) == {"7002"}
        assert (state.balances, state.failed) == (None, {})
        assert state.cut is not None
        assert abs(state.cut - loopback.clock.now()) <= NS_PER_SECOND

    run(loopback, story)


@pytest.mark.parametrize(
    ("path", "part", "other"),
    [
        ("/portfolio/positions", "positions", "open_orders"),
        ("/portfolio/holdings", "positions", "open_orders"),
        ("/orders", "open_orders", "positions"),
    ],
)
def test_a_part_that_could_not_be_read_is_named_and_never_empty(path: str, part: str, other: str) -> None:
    async def story(venue: ZerodhaVenue) -> None:
        await venue.instruments()
        loopback.say(f"GET {path}", *[refusal(503, "NetworkException", "down")] * 2)
        state = await venue.snapshot()
        assert getattr(state, part) is None
        assert getattr(state, other) is not None
        assert set(state.failed) == {part}

    loopback = carried()
    run(loopback, story)


@pytest.mark.parametrize(
    ("rows", "row", "part"),
    [
        ("net", position("NIFTY26NOVFUT", "many"), "positions"),
        ("holdings", holding("SBIN", "many"), "positions"),
    ],
)
def test_a_row_that_cannot_be_read_fails_its_part(rows: str, row: dict[str, object], part: str) -> None:
    loopback = carried()
    getattr(loopback, rows).append(row)
    state = run(loopback, lambda venue: venue.snapshot())
    assert state.positions is None
    assert set(state.failed) == {part}


def test_where_nothing_can_be_read_there_is_no_state() -> None:
    loopback = carried()

    async def story(venue: ZerodhaVenue) -> None:
        await venue.instruments()
        for path in ("/portfolio/positions", "/portfolio/holdings", "/orders"):
            loopback.say(f"GET {path}", *[refusal(503, "NetworkException", "down")] * 2)
        with pytest.raises(Unavailable):
            await venue.snapshot()

    run(loopback, story)


def test_shares_that_are_gone_are_stated_as_none() -> None:
    loopback = carried()

    async def story(venue: ZerodhaVenue) -> None:
        await pulled(venue)
        loopback.net, loopback.holdings = [], []
        state = await venue.snapshot()
        assert {key[0]: one.quantity for key, one in (state.positions or {}).items()} == {SBIN: 0}

    run(loopback, story)


# --- whose it is, and prices ------------------------------------------------------------------------------------------


def test_a_first_look_tells_whose_it_is_what_it_has_and_what_is_due() -> None:
    found = " ".join(run(carried(), lambda venue: venue.check()))
    for words in (
        "the login is AB1234's, for NSE, NFO",
        "2 positions and 0 open orders",
        "1000 INR (equity) and 0 INR (commodity)",
        "The login ends at about 2026-11-21 06:00 IST",
        "captured next at 2026-11-20 16:10 IST",
        "clock is +",
    ):
        assert words in found


def test_a_login_that_is_over_names_the_remedy_and_a_new_one_is_taken_at_once(tmp_path: Path) -> None:
    loopback = carried()

    async def story(venue: ZerodhaVenue) -> None:
        loopback.say("GET /user/profile", refusal(403, "TokenException", "Incorrect `api_key` or `access_token`."))
        with pytest.raises(AuthenticationFailed, match=r"Log in: trueup venues login zerodha:rules\."):
            await venue.check()
        assert await venue.check()

    run(loopback, story)
    with pytest.raises(AuthenticationFailed, match="Nobody is logged in"):
        run(loopback, lambda venue: venue.check(), token_file=tmp_path / "none")


def test_without_a_key_nothing_is_sent() -> None:
    loopback = Loopback()
    with pytest.raises(AuthenticationFailed, match="No API key"):
        run(loopback, lambda venue: venue.check(), api_key=None)
    assert loopback.requests == []


@pytest.mark.parametrize("answer", [refusal(403, "TokenException", "no"), (500, b"<html>"), (0, None), (200, b"{}")])
def test_the_token_is_in_nothing_that_is_told(answer: tuple[int, object]) -> None:
    loopback = Loopback()
    loopback.say("GET /user/profile", answer, answer)
    with pytest.raises(VenueError) as caught:
        run(loopback, lambda venue: venue.check())
    assert "planted" not in f"{caught.value} {caught.value!r} {caught.value.__cause__!r}"


def test_marks_are_last_prices_and_none_is_made_up() -> None:
    loopback = Loopback()
    loopback.say("GET /quote/ltp", (200, {"NFO:NIFTY26NOVFUT": {"instrument_token": 1001986, "last_price": 24512.35}}))

    async def story(venue: ZerodhaVenue) -> None:
        marks = await venue.marks([NIFTY, SBIN, "NFO.NIFTY25OCTFUT.NRML/INR:INR", "NOBODY/TRADES:THIS"])
        assert [(mark.instrument, mark.price) for mark in marks] == [(NIFTY, Decimal("24512.35"))]
        assert await venue.marks([]) == []

    run(loopback, story)
    assert loopback.asked("GET /quote/ltp") == 1


def test_the_days_instruments_are_asked_for_once_a_day_and_kept_between_starts(tmp_path: Path) -> None:
    loopback = carried()

    async def story(venue: ZerodhaVenue) -> None:
        await venue.instruments()
        await venue.instruments()

    for _ in range(2):
        run(loopback, story, folder=tmp_path, random=Random(1))
    assert loopback.asked("GET /instruments") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["instruments-2026-11-20.csv.gz"]
    loopback.clock.skip(23)  # before half past eight the day's file is not made
    run(loopback, story, folder=tmp_path)
    assert loopback.asked("GET /instruments") == 1
    loopback.clock.skip(1)
    run(loopback, story, folder=tmp_path)
    assert loopback.asked("GET /instruments") == 2
    assert [path.name for path in tmp_path.iterdir()] == ["instruments-2026-11-21.csv.gz"]


def test_a_kept_file_that_is_damaged_is_fetched_anew(tmp_path: Path) -> None:
    (tmp_path / "instruments-2026-11-20.csv.gz").write_bytes(b"\x1f\x8bcut off")
    loopback = carried()
    run(loopback, lambda venue: venue.instruments(), folder=tmp_path)
    run(loopback, lambda venue: venue.instruments(), folder=tmp_path)
    assert loopback.asked("GET /instruments") == 1


def test_where_the_days_instruments_cannot_be_kept_that_is_told_and_nothing_stops(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    loopback = carried()

    async def story(venue: ZerodhaVenue) -> None:
        for _ in range(2):
            facts, _ = await pulled(venue)
            assert any(isinstance(fact, FillBooked) for fact in facts)
        assert any("are asked for at each start" in warning for warning in venue.warnings)

    run(loopback, story, folder=tmp_path / "file" / "below")
    assert loopback.asked("GET /instruments") == 1


def test_calls_are_counted_by_the_limit_that_they_come_under() -> None:
    loopback = carried()
    loopback.say("GET /quote/ltp", (200, {}))

    async def story(venue: ZerodhaVenue) -> None:
        await venue.marks([NIFTY])
        await venue.place(OrderRequest(NIFTY, "buy", Decimal(65)))
        counted = {name: health.messages for name, health in venue.health.items()}
        assert counted == {"orders": 1, "quotes": 1, "rest": len(loopback.requests) - 2, "stream": 0}

    run(loopback, story)
