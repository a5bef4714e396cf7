"""Fills become facts row by row, with an identity, and say what was held before them."""

import random
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.venues.hyperliquid.saved import ACCOUNT, ME, MS, OTHER, TIME, fill, of, only, read
from trueup.model.errors import Malformed
from trueup.model.events import FillBooked, InstrumentDefined, OpeningBalance, OpeningPosition
from trueup.model.facts import order_key, terms
from trueup.model.instruments import Instrument

PERPETUAL = Instrument("BTC/USDC:USDC", "BTC", "linear", "BTC", "USDC", "USDC")
SPOT_META = {
    "tokens": [
        {"name": "USDC", "szDecimals": 8, "index": 0},
        {"name": "HYPE", "szDecimals": 2, "index": 150},
    ],
    "universe": [{"name": "@107", "tokens": [150, 0], "index": 107}],
}


def test_a_fill_is_booked_in_full_with_its_instrument_first() -> None:
    cloid = "0x000000000000000000000000000a11ce"
    reading = read([fill(cloid=cloid, builderFee="0.1", twapId=None)])
    assert reading.kind == "userFills"
    assert reading.rows == 1
    assert reading.facts == [
        InstrumentDefined(ACCOUNT, PERPETUAL),
        FillBooked(
            account=ACCOUNT,
            instrument="BTC/USDC:USDC",
            position_side="net",
            side="buy",
            quantity=Decimal("0.05"),
            price=Decimal(60000),
            fee=Decimal("1.35"),
            fee_currency="USDC",
            venue_time=TIME * MS,
            venue_trade_id="9001",
            venue_order_id="7001",
            client_order_id=cloid,
            liquidity="taker",
            start_position=Decimal(0),
        ),
    ]


def test_sides_makers_and_rebates() -> None:
    booked = only(read([fill(side="A", crossed=False, fee="-0.0125")]), FillBooked)
    assert (booked.side, booked.liquidity, booked.fee) == ("sell", "maker", Decimal("-0.0125"))
    assert only(read([fill(crossed=None)]), FillBooked).liquidity == ""


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ""),
        ({"liquidation": {"markPx": "1", "method": "market"}}, "liquidation"),
        ({"liquidation": {"liquidatedUser": ME.upper().replace("X", "x"), "method": "backstop"}}, "liquidation"),
        ({"liquidation": {"liquidatedUser": OTHER, "method": "market"}}, ""),
        ({"liquidationMarkPx": "59000.0"}, "liquidation"),
        ({"dir": "Liquidated Cross Long"}, "liquidation"),
        ({"dir": "Auto-Deleveraging"}, "adl"),
        ({"dir": "Settlement"}, ""),
    ],
)
def test_forced_trades_are_told_from_others(changes: dict[str, Any], expected: str) -> None:
    assert only(read([fill(**changes)], address=ME), FillBooked).liquidation == expected


def test_the_other_side_of_a_liquidation_counts_as_one_where_our_address_is_unknown() -> None:
    changes = {"liquidation": {"liquidatedUser": OTHER, "method": "market"}}
    assert only(read([fill(**changes)]), FillBooked).liquidation == "liquidation"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sz", "0"),
        ("sz", "-0.05"),
        ("px", "0.0"),
        ("px", "-1"),
        ("px", "NaN"),
        ("px", "Infinity"),
        ("px", "1_000"),
        ("sz", "５"),  # noqa: RUF001 - a full-width digit is the point
        ("sz", "0x10"),
        ("side", "X"),
        ("side", None),
        ("fee", None),
        ("fee", ""),
        ("time", 0),
        ("time", "soon"),
        ("time", 10**15 * 9),
        ("coin", "a/b/c"),
        ("coin", "@"),
        ("coin", "@107"),
        ("coin", "x:y:z"),
        ("crossed", "yes"),
        ("tid", 1.5),
        ("liquidation", "yes"),
    ],
)
def test_an_impossible_row_is_refused_and_the_others_stand(field: str, value: object) -> None:
    reading = read([fill(tid=1), fill(**{field: value}), fill(tid=3)])
    assert [booked.venue_trade_id for booked in of(reading, FillBooked)] == ["1", "3"]
    (refusal,) = reading.refused
    assert (refusal.file, refusal.row, refusal.field) == ("saved.json", 2, field)
    assert refusal.problem
    assert refusal.remedy
    assert b"60000" in refusal.raw or field == "px"


def test_rows_that_are_no_rows_are_refused() -> None:
    reading = read([None, fill(), [], "x"])
    assert len(of(reading, FillBooked)) == 1
    assert [refusal.row for refusal in reading.refused] == [1, 3, 4]


def test_spot_pays_its_fee_in_what_was_bought_from_its_own_wallet() -> None:
    reading = read([fill(coin="PURR/USDC", dir="Buy", feeToken="PURR", fee="0.35", startPosition="12.5")])
    assert only(reading, InstrumentDefined).instrument == Instrument(
        "PURR/USDC", "PURR/USDC", "spot", "PURR", "USDC", "USDC", wallet="spot"
    )
    booked = only(reading, FillBooked)
    assert (booked.instrument, booked.fee_currency, booked.fee) == ("PURR/USDC", "PURR", Decimal("0.35"))


def test_a_numbered_spot_coin_needs_spot_meta_read_before_it() -> None:
    refusal = read([fill(coin="@107"), fill()]).refused[0]
    assert (refusal.field, refusal.value) == ("coin", "@107")
    assert "spotMeta" in refusal.remedy
    from trueup.venues.hyperliquid.reader import HyperliquidReader

    reader = HyperliquidReader(ACCOUNT)
    read(SPOT_META, reader=reader)
    reading = read([fill(coin="@107")], reader=reader)
    assert only(reading, InstrumentDefined).instrument.symbol == "HYPE/USDC"
    assert only(reading, FillBooked).instrument == "HYPE/USDC"


def test_a_builder_dex_pays_in_what_it_takes_its_fees_in() -> None:
    reading = read([fill(coin="km:US500", feeToken="USDH"), fill(coin="xyz:XYZ100", feeToken=None, tid=2)])
    assert {definition.instrument for definition in of(reading, InstrumentDefined)} == {
        Instrument("km:US500/USDH:USDH", "km:US500", "linear", "km:US500", "USDH", "USDH", wallet="km"),
        Instrument("xyz:XYZ100/USDC:USDC", "xyz:XYZ100", "linear", "xyz:XYZ100", "USDC", "USDC", wallet="xyz"),
    }


def test_feeds_and_twap_slices_hold_fills_too() -> None:
    feed = {"channel": "userFills", "data": {"isSnapshot": True, "user": ME, "fills": [fill()]}}
    events = {"channel": "user", "data": {"fills": [fill()]}}
    slices = [{"fill": fill(), "twapId": 3156}]
    expected = read([fill()]).facts
    assert read(feed).facts == expected
    assert read(events).facts == expected
    assert read(slices).facts == expected
    assert read(slices).kind == "userTwapSliceFills"
    assert len(read([*slices, {"twapId": 1}, 5]).refused) == 2


def test_fills_joined_by_time_are_refused() -> None:
    request = {"type": "userFillsByTime", "user": ME, "startTime": 0, "aggregateByTime": True}
    with pytest.raises(Malformed, match="aggregateByTime"):
        read([fill()], request)
    assert read([fill()], {**request, "aggregateByTime": False}).facts


# --- weak identity ----------------------------------------------------------------------------------------------------


def old(**changes: object) -> dict[str, Any]:
    """A fill of 2023: neither trade id nor fee currency."""
    return fill(tid=None, feeToken=None, **changes)


def test_a_fill_without_an_id_gets_a_weak_one_and_pays_in_usdc() -> None:
    booked = only(read([old()]), FillBooked)
    assert booked.weak
    assert booked.venue_trade_id.startswith("weak:")
    assert booked.fee_currency == "USDC"
    assert not only(read([fill()]), FillBooked).weak


ROWS = st.lists(
    st.builds(
        old,
        coin=st.sampled_from(["BTC", "ETH"]),
        px=st.sampled_from(["1.0", "2.0"]),
        sz=st.sampled_from(["1", "2"]),
        side=st.sampled_from("AB"),
        time=st.sampled_from([TIME, TIME + 1]),
        startPosition=st.sampled_from(["0.0", "1.0", "-1.0"]),
        oid=st.sampled_from([1, 2]),
    ),
    min_size=1,
    max_size=12,
)


@given(ROWS, st.randoms(use_true_random=False))
def test_the_same_rows_in_any_order_are_the_same_facts(rows: list[dict[str, Any]], order: random.Random) -> None:
    shuffled = order.sample(rows, len(rows))
    first, second = read(rows), read(shuffled)
    assert sorted(first.facts, key=repr) == sorted(second.facts, key=repr)
    fills = of(first, FillBooked)
    assert len({booked.venue_trade_id for booked in fills}) == len(rows)


@given(ROWS)
def test_overlapping_answers_name_what_they_share_alike(rows: list[dict[str, Any]]) -> None:
    # An answer that goes on where another stopped, asked from its last time again.
    page = [row for row in rows if row["time"] == TIME + 1]
    if page:
        whole = {booked.venue_trade_id: terms(booked) for booked in of(read(rows), FillBooked)}
        part = {booked.venue_trade_id: terms(booked) for booked in of(read(page), FillBooked)}
        assert part.items() <= whole.items()


# --- opening positions ------------------------------------------------------------------------------------------------


def test_a_first_fill_that_did_not_start_from_zero_is_evidence_of_an_opening() -> None:
    rows = [fill(tid=2, time=TIME + 5, startPosition="1.05"), fill(tid=1, startPosition="1.0")]
    reading = read(rows)
    opening = only(reading, OpeningPosition)
    assert opening == OpeningPosition(
        account=ACCOUNT,
        instrument="BTC/USDC:USDC",
        quantity=Decimal(1),
        venue_time=TIME * MS,
        opening_id="BTC:1",
        evidence="fill 1 of BTC states startPosition 1",
    )
    assert opening.price is None
    assert list(reading.facts) == sorted(reading.facts, key=order_key)


def test_a_spot_fill_states_what_the_wallet_held_of_the_coin() -> None:
    reading = read([fill(coin="PURR/USDC", tid=1, side="A", sz="10", startPosition="50.0")])
    position, balance = only(reading, OpeningPosition), only(reading, OpeningBalance)
    assert (position.instrument, position.quantity, position.price) == ("PURR/USDC", Decimal(50), None)
    assert balance == OpeningBalance(
        account=ACCOUNT,
        currency="PURR@spot",
        amount=Decimal(50),
        venue_time=TIME * MS,
        opening_id="PURR@spot:1",
        evidence="fill 1 of PURR/USDC states startPosition 50",
    )


def test_a_coin_traded_in_two_pairs_is_held_but_once() -> None:
    rows = [
        fill(coin="PURR/USDH", tid=2, side="A", sz="10", startPosition="40.0", time=TIME + 1),
        fill(coin="PURR/USDC", tid=1, side="A", sz="10", startPosition="50.0"),
    ]
    reading = read(rows)
    assert only(reading, OpeningPosition).opening_id == "PURR/USDC:1"
    assert only(reading, OpeningBalance).amount == 50


def test_a_fee_in_the_coin_is_part_of_where_a_spot_fill_leads() -> None:
    rows = [
        fill(coin="PURR/USDC", tid=1, sz="10", fee="0.5", feeToken="PURR", startPosition="59.5"),
        fill(coin="PURR/USDC", tid=2, sz="10", fee="0.5", feeToken="PURR", startPosition="50.0"),
    ]
    assert only(read(rows), OpeningBalance).opening_id == "PURR@spot:2"


def test_each_coin_has_its_own_opening() -> None:
    rows = [fill(tid=1), fill(coin="ETH", tid=2, startPosition="-3.0"), fill(coin="SOL", tid=3, startPosition=None)]
    assert [opening.opening_id for opening in of(read(rows), OpeningPosition)] == ["ETH:2"]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (1, 0, 2)])
def test_within_a_millisecond_the_first_is_the_one_that_no_other_leads_to(order: tuple[int, int, int]) -> None:
    chain = [
        fill(tid=31, side="A", sz="1.0", startPosition="-2.0"),
        fill(tid=12, side="A", sz="0.5", startPosition="-3.0"),
        fill(tid=23, side="B", sz="0.25", startPosition="-3.5"),
    ]
    opening = only(read([chain[index] for index in order]), OpeningPosition)
    assert (opening.opening_id, opening.quantity) == ("BTC:31", Decimal(-2))


def test_a_circle_within_a_millisecond_started_from_zero() -> None:
    rows = [fill(tid=1, side="A", sz="1", startPosition="1.0"), fill(tid=2, side="B", sz="1", startPosition="0.0")]
    assert not of(read(rows), OpeningPosition)


def test_several_possible_firsts_give_the_same_opening_in_any_order() -> None:
    rows = [fill(tid=tid, side="B", sz=f"0.{tid}", startPosition="-13417.3") for tid in (3, 1, 2)]
    assert only(read(rows), OpeningPosition) == only(read(rows[::-1]), OpeningPosition)
    assert only(read(rows), OpeningPosition).opening_id == "BTC:1"
