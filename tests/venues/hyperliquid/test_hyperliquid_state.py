"""The venue's side of the comparison: what it states, what it leaves open, and what could not be read."""

from decimal import Decimal
from typing import Any

import pytest

from tests.venues.hyperliquid.saved import ACCOUNT, ME, MS, TIME, only, read
from trueup.model.differences import VenuePosition, VenueSnapshot
from trueup.model.errors import Malformed
from trueup.model.events import OrderReported
from trueup.model.positions import OpenOrder
from trueup.ports import Reading
from trueup.venues.hyperliquid.reader import HyperliquidReader

META = {"universe": [{"name": "BTC", "szDecimals": 5, "maxLeverage": 40}, {"name": "ETH", "szDecimals": 4}]}
DEX_META = {
    "collateralToken": 0,
    "universe": [{"name": "xyz:XYZ100", "szDecimals": 4}, {"name": "xyz:TSLA", "szDecimals": 3}],
}


def held(coin: str = "BTC", szi: str = "-0.03", **changes: object) -> dict[str, Any]:
    row = {
        "coin": coin,
        "szi": szi,
        "leverage": {"type": "cross", "value": 20},
        "entryPx": "61700.0",
        "positionValue": "1830.0",
        "unrealizedPnl": "21.0",
        "liquidationPx": None,
        **changes,
    }
    return {"type": "oneWay", "position": row}


def state(*positions: object, **changes: object) -> dict[str, Any]:
    whole = {"assetPositions": list(positions), "marginSummary": {"accountValue": "1021.5"}, "time": TIME, **changes}
    return {name: value for name, value in whole.items() if value is not None}


def snapshot(reading: Reading) -> VenueSnapshot:
    assert reading.snapshot is not None
    return reading.snapshot


def test_positions_and_cash_at_the_answers_time() -> None:
    reading = read(state(held(), held("ETH", "0.0", unrealizedPnl="0.0")))
    assert (reading.kind, reading.rows, list(reading.refused)) == ("clearinghouseState", 2, [])
    assert reading.snapshot == VenueSnapshot(
        account=ACCOUNT,
        cut=TIME * MS,
        positions={
            ("BTC/USDC:USDC", "net"): VenuePosition(
                instrument="BTC/USDC:USDC",
                position_side="net",
                quantity=Decimal("-0.03"),
                entry_price=Decimal(61700),
                mark_price=Decimal(61000),
                leverage=Decimal(20),
                margin_mode="cross",
                liquidation_price=None,
                unrealized_pnl=Decimal(21),
            )
        },
        balances={"USDC": Decimal("1000.5")},
        source=("saved.json",),
    )
    assert "builder dexes" in reading.note


def test_a_mark_that_the_venue_rounded_away_is_unknown() -> None:
    (position,) = (snapshot(read(state(held(szi="0.03", positionValue="1000.0")))).positions or {}).values()
    assert position.mark_price is None


def test_what_a_position_does_not_state_is_unknown() -> None:
    bare = {"position": {"coin": "BTC", "szi": "0.5", "leverage": {"value": 10}}}
    (position,) = (snapshot(read(state(bare))).positions or {}).values()
    assert position == VenuePosition("BTC/USDC:USDC", "net", Decimal("0.5"), leverage=Decimal(10))
    (position,) = (snapshot(read(state({"position": {"coin": "BTC", "szi": "0.5"}}))).positions or {}).values()
    assert position.leverage is None


def test_a_flat_account_is_flat() -> None:
    answer = snapshot(read(state()))
    assert (answer.positions, answer.balances) == ({}, {"USDC": Decimal("1021.5")})


@pytest.mark.parametrize(
    "answer",
    [
        state(held(), marginSummary=None),
        state(held(), marginSummary={"accountValue": None}),
        state(held(unrealizedPnl=None)),
    ],
)
def test_cash_that_is_not_stated_is_unknown(answer: dict[str, Any]) -> None:
    reading = read(answer)
    assert snapshot(reading).balances is None
    assert "cash balance is not stated" in reading.note
    assert snapshot(read(state(held(), time=None))).cut is None


@pytest.mark.parametrize(
    "bad",
    [held(szi="NaN"), held(leverage={"type": "odd", "value": 3}), None, {"position": 5}, held(entryPx="1_0")],
)
def test_a_position_that_cannot_be_read_fails_them_all(bad: object) -> None:
    reading = read(state(held("ETH"), bad))
    assert len(reading.refused) == 1
    answer = snapshot(reading)
    assert answer.positions is None
    assert answer.balances is None
    assert set(answer.failed) == {"positions"}


def test_a_coin_held_twice_is_refused() -> None:
    assert "second position" in read(state(held(), held())).refused[0].problem


def test_a_coin_without_a_market_is_unmapped_and_the_others_stand() -> None:
    answer = snapshot(read(state(held(), held("@107", "5", unrealizedPnl="0.5"))))
    assert set(answer.positions or {}) == {("BTC/USDC:USDC", "net")}
    assert answer.unmapped == {"@107": "@107 5: no market of this name is known"}
    assert answer.balances == {"USDC": Decimal("1000.0")}


@pytest.mark.parametrize("answer", [state(time="soon"), state(marginSummary=[]), {"assetPositions": 5}])
def test_an_answer_that_makes_no_sense_is_refused(answer: dict[str, Any]) -> None:
    with pytest.raises(Malformed, match=r"^saved.json: "):
        read(answer)


# --- scope ------------------------------------------------------------------------------------------------------------


def test_with_meta_the_positions_speak_for_the_markets_of_their_dex() -> None:
    reader = HyperliquidReader(ACCOUNT)
    read(META, reader=reader)
    reading = read(state(held("SOL")), reader=reader)
    assert snapshot(reading).position_scope == frozenset({"BTC/USDC:USDC", "ETH/USDC:USDC", "SOL/USDC:USDC"})
    assert reading.note == ""


def test_a_builder_dex_is_a_wallet_of_its_own() -> None:
    reader = HyperliquidReader(ACCOUNT)
    bare = snapshot(read(state(held("xyz:XYZ100")), reader=reader))
    assert bare.position_scope == frozenset({"xyz:XYZ100/USDC:USDC"})
    assert bare.balances == {"USDC@xyz": Decimal("1000.5")}
    read(DEX_META, reader=reader)
    known = snapshot(read(state(held("xyz:XYZ100")), reader=reader))
    assert known.position_scope == frozenset({"xyz:XYZ100/USDC:USDC", "xyz:TSLA/USDC:USDC"})


def test_the_request_says_which_dex_it_was() -> None:
    request = {"type": "clearinghouseState", "user": ME, "dex": "xyz"}
    answer = snapshot(read(state(), request))
    assert (answer.positions, answer.position_scope, answer.balances) == ({}, frozenset(), None)
    reader = HyperliquidReader(ACCOUNT)
    read(DEX_META, reader=reader)
    assert snapshot(read(state(), request, reader=reader)).balances == {"USDC@xyz": Decimal("1021.5")}
    feed = {"channel": "clearinghouseState", "data": {"dex": "xyz", "user": ME, "clearinghouseState": state()}}
    assert snapshot(read(feed)).position_scope == frozenset()


def test_cash_of_a_mixture_of_dexes_is_unclear() -> None:
    assert snapshot(read(state(held(), held("xyz:XYZ100")))).balances is None
    request = {"type": "clearinghouseState", "user": ME}
    assert snapshot(read(state(held("xyz:XYZ100")), request)).balances is None


# --- spot -------------------------------------------------------------------------------------------------------------


def test_spot_balances_include_what_is_held_and_name_their_wallet() -> None:
    answer = read({"balances": [{"coin": "PURR", "token": 1, "total": "2000", "hold": "100"}]})
    assert answer.kind == "spotClearinghouseState"
    assert snapshot(answer).balances == {"PURR@spot": Decimal(2000), "USDC@spot": Decimal(0)}
    assert snapshot(read({"balances": []})).balances == {"USDC@spot": Decimal(0)}
    feed = {"channel": "spotState", "data": {"user": ME, "spotState": {"balances": []}}}
    assert snapshot(read(feed)).balances == {"USDC@spot": Decimal(0)}


@pytest.mark.parametrize("bad", [{"coin": "PURR"}, {"coin": "A@spot", "total": "1"}, 5])
def test_a_balance_that_cannot_be_read_fails_them_all(bad: object) -> None:
    reading = read({"balances": [{"coin": "USDC", "total": "1"}, bad]})
    assert len(reading.refused) == 1
    assert snapshot(reading).balances is None
    assert set(snapshot(reading).failed) == {"balances"}


# --- orders -----------------------------------------------------------------------------------------------------------


def order(**changes: object) -> dict[str, Any]:
    row = {"coin": "ETH", "side": "B", "limitPx": "2800.0", "sz": "0.5", "oid": 7107, "timestamp": TIME, **changes}
    return {name: value for name, value in row.items() if value is not None}


def the_order(reading: Reading) -> OpenOrder:
    ((number, found),) = (snapshot(reading).open_orders or {}).items()
    assert number == found.venue_order_id
    return found


def test_an_open_order() -> None:
    reading = read([order(origSz="0.75", orderType="Limit", reduceOnly=True, cloid="0x0a", isTrigger=False)])
    assert reading.kind == "frontendOpenOrders"
    assert the_order(reading) == OpenOrder(
        account=ACCOUNT,
        instrument="ETH/USDC:USDC",
        position_side="net",
        side="buy",
        quantity=Decimal("0.75"),
        filled=Decimal("0.25"),
        status="partially_filled",
        venue_order_id="7107",
        client_order_id="0x0a",
        price=Decimal(2800),
        trigger_price=None,
        order_type="limit",
        reduce_only=True,
        updated_at=TIME * MS,
    )


def test_an_open_order_of_old_states_only_what_is_left() -> None:
    reading = read([order()])
    assert reading.kind == "openOrders"
    found = the_order(reading)
    assert (found.quantity, found.filled, found.status) == (Decimal("0.5"), Decimal(0), "open")


def test_a_trigger_order() -> None:
    found = the_order(
        read([order(orderType="Stop Market", isTrigger=True, triggerPx="65000.0", sz="0.0", origSz="0.0")])
    )
    assert (found.order_type, found.trigger_price, found.quantity) == ("stop_market", Decimal(65000), Decimal(0))


def test_an_order_in_a_coin_without_a_market_is_unmapped() -> None:
    answer = snapshot(read([order(), order(coin="@107", oid=2)]))
    assert set(answer.open_orders or {}) == {"7107"}
    assert set(answer.unmapped) == {"@107"}


@pytest.mark.parametrize(
    "changes",
    [{"sz": "-1"}, {"sz": "0.9", "origSz": "0.5"}, {"side": "X"}, {"timestamp": 0}, {"isTrigger": True}, {"coin": 5}],
)
def test_an_order_that_cannot_be_read_fails_them_all(changes: dict[str, Any]) -> None:
    reading = read([order(oid=1), order(**changes)])
    assert [refusal.row for refusal in reading.refused] == [2]
    assert snapshot(reading).open_orders is None
    assert set(snapshot(reading).failed) == {"open_orders"}


def test_an_empty_list_of_orders_is_known_by_its_request_alone() -> None:
    answer = snapshot(read([], {"type": "frontendOpenOrders", "user": ME}))
    assert answer.open_orders == {}
    with pytest.raises(Malformed, match="does not say what it is"):
        read([])


def report(status: str, **changes: object) -> dict[str, Any]:
    return {"order": order(origSz="0.75", orderType="Limit", **changes), "status": status, "statusTimestamp": TIME + 7}


@pytest.mark.parametrize(
    ("word", "left", "status", "filled"),
    [
        ("open", "0.75", "open", "0"),
        ("open", "0.5", "partially_filled", "0.25"),
        ("triggered", "0.75", "open", "0"),
        ("filled", "0.0", "filled", "0.75"),
        ("filled", "0.75", "filled", "0.75"),
        ("canceled", "0.5", "canceled", "0.25"),
        ("marginCanceled", "0.75", "canceled", "0"),
        ("scheduledCancel", "0.75", "canceled", "0"),
        ("rejected", "0.75", "rejected", "0"),
        ("iocCancelRejected", "0.75", "rejected", "0"),
    ],
)
def test_what_became_of_an_order(word: str, left: str, status: str, filled: str) -> None:
    found = only(read([report(word, sz=left)]), OrderReported)
    assert (found.status, found.filled, found.quantity) == (status, Decimal(filled), Decimal("0.75"))
    assert (found.report_id, found.venue_time) == (f"7107:{word}:{TIME + 7}", (TIME + 7) * MS)


def test_reports_come_in_several_wrappings() -> None:
    expected = read([report("open")])
    assert expected.kind == "historicalOrders"
    assert read({"channel": "orderUpdates", "data": [report("open")]}).facts == expected.facts
    assert read({"status": "order", "order": report("open")}).facts == expected.facts


def test_a_report_that_cannot_be_read_is_refused_and_the_others_stand() -> None:
    reading = read([report("open"), report("lost"), report("open", coin="@1"), report("open", oid=8)])
    assert [found.venue_order_id for found in reading.facts if isinstance(found, OrderReported)] == ["7107", "8"]
    assert [refusal.field for refusal in reading.refused] == ["status", "coin"]
