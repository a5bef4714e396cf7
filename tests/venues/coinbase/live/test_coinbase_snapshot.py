"""The state of an account: each part is an answer of its own, and one that fails is named and not taken for nothing."""

from collections.abc import Sequence
from decimal import Decimal

import pytest

from tests.venues.coinbase.coinbase_rows import FUTURE, FUTURE_SYMBOL, NS, order
from tests.venues.coinbase.live.scripted import (
    FUTURE_ROW,
    SPOT,
    Asked,
    HandClock,
    Script,
    Status,
    held,
    run,
    summary,
    usd,
    wallet,
)
from trueup.model.differences import VenueSnapshot
from trueup.model.errors import AuthenticationFailed, Unavailable
from trueup.venues.coinbase.live import CoinbaseVenue

AWAY = Status("503 Service Unavailable")
KEY = (FUTURE_SYMBOL, "net")


def state(script: Script | None = None, **options: object) -> VenueSnapshot:
    found = run(lambda venue: venue.snapshot(), script or Script(), **options)
    assert isinstance(found, VenueSnapshot)
    return found


def test_all_parts_are_one_state() -> None:
    prices = {"current_price": usd("50"), "avg_entry_price": usd("49"), "contract_size": "0.01"}
    positions = {"positions": [held("SHORT", "2", **prices)]}
    snapshot = state(Script(**{"GET cfm/positions": positions}))
    assert snapshot.balances == {"USD": Decimal("12.5"), "BTC": Decimal("0.1"), "USD@cfm": Decimal("700.5")}
    assert snapshot.positions is not None
    assert snapshot.positions[KEY].quantity == -2
    assert (snapshot.open_orders, snapshot.failed, snapshot.position_scope) == ({}, {}, frozenset({FUTURE_SYMBOL}))
    assert snapshot.cut is not None
    assert abs(snapshot.cut - NS) < 10**6


@pytest.mark.parametrize(
    ("what", "part"),
    [
        ("GET accounts", "balances"),
        ("GET cfm/balance_summary", "balances"),
        ("GET cfm/positions", "positions"),
        ("GET orders/historical/batch", "open_orders"),
    ],
)
@pytest.mark.parametrize("answer", [AWAY, b"[]", b"{}", b"<html>"])
def test_a_part_that_failed_is_named_and_the_others_stand(what: str, part: str, answer: object) -> None:
    snapshot = state(Script(**{what: answer}))
    assert list(snapshot.failed) == [part]
    assert [name for name in ("balances", "positions", "open_orders") if getattr(snapshot, name) is None] == [part]


def test_a_state_of_which_nothing_could_be_read_is_none() -> None:
    parts = ("GET accounts", "GET cfm/balance_summary", "GET cfm/positions", "GET orders/historical/batch")
    with pytest.raises(Unavailable):
        state(Script(**dict.fromkeys(parts, AWAY)))
    with pytest.raises(AuthenticationFailed):
        state(Script(**{"GET key_permissions": Status("401 Unauthorized", b"Unauthorized\n")}))


def test_wallets_are_read_to_the_last_page() -> None:
    def listed(asked: Asked) -> object:
        if "cursor" in asked.query:
            return {"accounts": [wallet("ETH", "3")], "has_next": False, "cursor": ""}
        return {"accounts": [wallet("USD", "1")], "has_next": True, "cursor": "next"}

    assert state(Script(**{"GET accounts": listed}), futures=False).balances == {"USD": Decimal(1), "ETH": Decimal(3)}


def test_a_page_without_rows_is_not_the_last_where_the_list_goes_on() -> None:
    def listed(asked: Asked) -> object:
        if asked.query["order_status"] != ["OPEN"]:
            return {"orders": [], "has_next": False}
        if "cursor" in asked.query:
            return {"orders": [order("o-1")], "has_next": False, "cursor": ""}
        return {"orders": [], "has_next": True, "cursor": "next"}

    found = state(Script(**{"GET orders/historical/batch": listed})).open_orders
    assert found is not None
    assert list(found) == ["o-1"]


def test_a_list_that_goes_on_and_does_not_say_where_is_not_taken_for_all() -> None:
    answer = {"accounts": [wallet("USD", "1")], "has_next": True, "cursor": ""}
    found = state(Script(**{"GET accounts": answer}), futures=False)
    assert (found.balances, list(found.failed)) == (None, ["balances"])


def test_an_order_on_its_way_is_open_too_and_is_counted_once() -> None:
    def listed(asked: Asked) -> object:
        if asked.query["order_status"] == ["OPEN"]:
            return {"orders": [order("o-1"), order("o-2", filled_size="1")]}
        assert asked.query["order_status"] == ["PENDING", "QUEUED", "CANCEL_QUEUED", "EDIT_QUEUED"]
        return {"orders": [order("o-1", status="PENDING"), order("o-3", status="CANCEL_QUEUED")]}

    script = Script(**{"GET orders/historical/batch": listed})
    snapshot = state(script)
    asked = [one.query["order_status"] for one in script.asked if one.what == "GET orders/historical/batch"]
    assert asked[-1] == ["OPEN"]  # what comes to rest between the two is in the later one
    assert snapshot.open_orders is not None
    assert sorted(snapshot.open_orders) == ["o-1", "o-2", "o-3"]
    assert snapshot.open_orders["o-2"].status == "partially_filled"


def test_what_is_held_in_futures_leaves_their_cash_alone_and_the_other_wallets_known() -> None:
    snapshot = state(Script(**{"GET cfm/balance_summary": summary(margin="100")}))
    assert snapshot.balances == {"USD": Decimal("12.5"), "BTC": Decimal("0.1")}
    assert not snapshot.failed


def test_without_futures_nobody_asks_for_them() -> None:
    script = Script()
    snapshot = state(script, futures=False)
    assert (snapshot.positions, snapshot.failed) == (None, {})
    assert not any("cfm" in what for what in script.whats())


def test_a_future_that_is_held_and_was_not_listed_is_asked_for_by_name() -> None:
    other = "ET-24APR26-CDE"
    answers = {
        "GET cfm/positions": {"positions": [held("LONG", "1", product_id=other), held("LONG", "2")]},
        "GET product": {**FUTURE_ROW, "product_id": other},
    }
    snapshot = state(Script(**answers))
    assert snapshot.positions is not None
    assert (len(snapshot.positions), snapshot.unmapped) == (2, {})
    snapshot = state(Script(**{**answers, "GET product": Status("404 Not Found")}))
    assert list(snapshot.unmapped) == [other]


def test_products_that_cannot_be_read_are_left_out_and_said_once() -> None:
    script = Script(**{"GET products": {"products": [{"product_id": "X"}, {"product_id": "Y"}]}})

    async def story(venue: CoinbaseVenue) -> tuple[object, Sequence[str]]:
        return await venue.instruments(), venue.warnings

    found, warnings = run(story, script)
    assert (found, len(warnings)) == ([], 2)
    assert all("left out" in warning for warning in warnings)


def test_terms_are_asked_for_again_after_a_while() -> None:
    script, clock = Script(), HandClock()

    async def story(venue: CoinbaseVenue) -> None:
        for _ in range(3):
            await venue.instruments()
            clock.at += 200 * 10**9

    run(story, script, clock=clock)
    assert [asked.what for asked in script.asked].count("GET products") == 4
    assert {tuple(asked.query.get("expiring_contract_status", ())) for asked in script.asked} == {(), ("STATUS_ALL",)}


def test_marks_are_last_prices_and_none_is_made_up() -> None:
    rows = [
        {"product_id": "BTC-USD", "price": "60000.5"},
        {"product_id": FUTURE, "price": ""},
        {"product_id": "ETH-USD", "price": "1"},
        {"product_id": 7},
        7,
    ]

    def listed(asked: Asked) -> object:
        if "product_ids" in asked.query:
            assert asked.query["product_ids"] == ["BTC-USD", FUTURE]
            return {"products": rows}
        return {"products": [SPOT if asked.query["product_type"] == ["SPOT"] else FUTURE_ROW]}

    script = Script(**{"GET products": listed})
    marks = run(lambda venue: venue.marks(["BTC/USD", FUTURE_SYMBOL, "NO/ONE", "BTC/USD"]), script)
    assert [(mark.instrument, mark.price) for mark in marks] == [("BTC/USD", Decimal("60000.5"))]
