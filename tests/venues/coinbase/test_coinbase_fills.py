"""Fills, in base or in quote, and what is taken back or replaced of them."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.venues.coinbase.coinbase_rows import (
    ACCOUNT,
    FUTURE,
    FUTURE_SYMBOL,
    NS,
    cash_of,
    fill,
    fills,
    know_future,
    position_of,
    problems,
    read_fills,
)
from trueup.model.events import InstrumentDefined
from trueup.venues.coinbase.reader import CoinbaseReader


def test_a_fill_is_booked_under_its_entry_id_with_its_fee_in_the_quote_currency() -> None:
    reading = read_fills(fill("e1", price="45123.45", size="0.005", commission="-1.14", liquidity_indicator="MAKER"))
    (defined, *_), (booked,) = reading.facts, fills(reading)
    assert isinstance(defined, InstrumentDefined)
    assert (defined.instrument.symbol, defined.instrument.kind) == ("BTC/USD", "spot")
    assert (booked.venue_trade_id, booked.instrument, booked.side) == ("e1", "BTC/USD", "buy")
    assert (booked.quantity, booked.price, booked.fee) == (Decimal("0.005"), Decimal("45123.45"), Decimal("-1.14"))
    assert (booked.fee_currency, booked.liquidity, booked.venue_time) == ("USD", "maker", NS)


def test_two_entries_of_one_trade_are_two_fills() -> None:
    """As when both sides of a trade are one's own."""
    booked = fills(read_fills(fill("e1", trade_id="t"), fill("e2", trade_id="t", side="SELL")))
    assert {one.venue_trade_id for one in booked} == {"e1", "e2"}


def test_a_size_in_quote_currency_becomes_what_it_bought() -> None:
    (booked,) = fills(read_fills(fill("e1", price="40000", size="10", size_in_quote=True)))
    assert booked.quantity == Decimal("0.00025")


def test_a_size_in_quote_currency_that_no_quantity_makes_up_is_refused() -> None:
    reading = read_fills(fill("e1", price="3", size="10", size_in_quote=True), fill("e2"))
    assert problems(reading) == [(1, "size")]
    assert "filled_size" in reading.refused[0].remedy
    assert [one.venue_trade_id for one in fills(reading)] == ["e2"]


@given(
    st.decimals(min_value="0.00000001", max_value=10**6, places=8),
    st.decimals(min_value="0.01", max_value=10**6, places=2),
)
def test_what_was_bought_is_found_again_from_what_was_spent(quantity: Decimal, price: Decimal) -> None:
    row = fill("e1", price=str(price), size=f"{quantity * price:f}", size_in_quote=True)
    (booked,) = fills(read_fills(row))
    assert booked.quantity == quantity


def test_a_future_is_refused_until_its_contract_is_known() -> None:
    row = fill("e1", product_id=FUTURE, size="3", price="90000", commission="0.6")
    reading = read_fills(row)
    assert problems(reading) == [(1, "product_id")]
    assert "products" in reading.refused[0].remedy
    (booked,) = fills(read_fills(row, reader=know_future()))
    assert (booked.instrument, booked.quantity) == (FUTURE_SYMBOL, Decimal(3))


def test_a_future_that_an_earlier_import_explained_is_known() -> None:
    instruments = [know_future()._products.instrument(FUTURE)]
    row = fill("e1", product_id=FUTURE)
    assert fills(read_fills(row, reader=CoinbaseReader(ACCOUNT, instruments)))


TAKEN = fill("r", trade_id="t", trade_type="REVERSAL", trade_time="2026-03-02T10:00:00Z", sequence_timestamp=None)
RIGHT = fill(
    "c", trade_id="t", trade_type="CORRECTION", price="101", trade_time="2026-03-02T10:00:01Z", sequence_timestamp=None
)
FIRST = fill("e", trade_id="t")


@pytest.mark.parametrize("terms", [{}, {"side": "SELL"}, {"commission": "-0.5"}, {"size": "-2"}])
def test_a_reversal_takes_the_fill_back_however_it_is_written(terms: dict[str, object]) -> None:
    reading = read_fills(FIRST, {**TAKEN, **terms})
    booked = fills(reading)
    assert not reading.refused
    assert [one.venue_trade_id for one in booked] == ["e", "e:reversed"]
    assert (position_of(booked), cash_of(booked)) == (Decimal(0), Decimal(0))
    assert {one.venue_time for one in booked} == {NS}


@pytest.mark.parametrize("story", [[FIRST, TAKEN, RIGHT], [FIRST, RIGHT]])
def test_a_correction_stands_in_place_of_the_fill_with_a_reversal_or_without(story: list[object]) -> None:
    booked = fills(read_fills(*story))
    assert (position_of(booked), cash_of(booked)) == (Decimal(2), Decimal("-202.5"))
    assert {one.venue_trade_id for one in booked} == {"e", "e:reversed", "c"}
    assert fills(read_fills(FIRST, RIGHT)) == fills(read_fills(FIRST, TAKEN, RIGHT))


def test_a_correction_may_be_corrected() -> None:
    again = {**RIGHT, "entry_id": "c2", "price": "102", "trade_time": "2026-03-02T11:00:00Z"}
    booked = fills(read_fills(FIRST, RIGHT, again))
    assert (position_of(booked), cash_of(booked)) == (Decimal(2), Decimal("-204.5"))


@pytest.mark.parametrize("row", [TAKEN, RIGHT])
def test_what_is_taken_back_must_have_been_read(row: dict[str, object]) -> None:
    reading = read_fills(row, fill("other"))
    assert problems(reading) == [(1, "trade_type")]
    assert "order_ids" in reading.refused[0].remedy
    assert [one.venue_trade_id for one in fills(reading)] == ["other"]


def test_a_reversal_of_other_terms_takes_nothing_back() -> None:
    reading = read_fills(FIRST, {**TAKEN, "size": "1"})
    assert problems(reading) == [(2, "trade_type")]
    assert [one.venue_trade_id for one in fills(reading)] == ["e"]


def test_a_reversal_read_before_its_fill_is_booked_with_it() -> None:
    reader = CoinbaseReader(ACCOUNT)
    assert problems(read_fills(TAKEN, reader=reader)) == [(1, "trade_type")]
    later = read_fills(FIRST, reader=reader)
    assert not later.refused
    assert position_of(fills(later)) == 0


def test_a_synthetic_fill_is_refused_with_what_to_do() -> None:
    reading = read_fills(fill("e1", trade_type="SYNTHETIC"))
    assert problems(reading) == [(1, "trade_type")]
    assert "generic format" in reading.refused[0].remedy


def test_two_rows_that_claim_one_id_are_both_told() -> None:
    """So that the book finds the conflict; which comes first must not hang on the order of the answer."""
    one, other = fill("e1"), fill("e1", price="99")
    assert fills(read_fills(one, other)) == fills(read_fills(other, one))
    assert len(fills(read_fills(one, other))) == 2


STORIES = [
    FIRST,
    TAKEN,
    RIGHT,
    fill("a"),
    fill("b", side="SELL"),
    fill("d", size="0"),
    fill("s", trade_type="SYNTHETIC"),
]


@given(st.permutations(STORIES))
def test_the_same_rows_in_any_order_are_the_same_facts(shuffled: list[object]) -> None:
    assert read_fills(*shuffled).facts == read_fills(*STORIES).facts


def test_a_json_number_keeps_every_digit() -> None:
    text = json.dumps({"fills": [fill("e1", price=0)]}).replace('"price": 0', '"price": 0.10000000000000000001')
    (booked,) = fills(CoinbaseReader(ACCOUNT).read("answer", text.encode()))
    assert booked.price == Decimal("0.10000000000000000001")
