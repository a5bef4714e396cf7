"""Positions, holdings and cash: each alone, and what they say together."""

from decimal import Decimal

import pytest

from tests.venues.zerodha.kite_rows import ACCOUNT, holding, margins, net, position, problems, read
from trueup.model.differences import VenueSnapshot
from trueup.ports import Reading
from trueup.venues.files import merge_snapshots
from trueup.venues.zerodha.reader import ZerodhaReader

SHARES = {"exchange": "NSE", "product": "CNC"}


def snapshot_of(reading: Reading) -> VenueSnapshot:
    assert reading.snapshot is not None
    return reading.snapshot


def quantities(snapshot: VenueSnapshot) -> dict[str, Decimal]:
    return {symbol: position.quantity for (symbol, _), position in (snapshot.positions or {}).items()}


def test_positions_are_those_of_net_and_flat_ones_are_left_out() -> None:
    found = snapshot_of(read(net(position("A26DECFUT", -50), position("B26DECFUT", 0))))
    assert quantities(found) == {"NFO.A26DECFUT.NRML/INR:INR": -50}
    stated = (found.positions or {})["NFO.A26DECFUT.NRML/INR:INR", "net"]
    assert (stated.entry_price, stated.mark_price) == (Decimal(50), Decimal("51.25"))
    assert (found.balances, found.open_orders, found.cut) == (None, None, None)


def test_the_average_of_what_was_carried_is_no_entry() -> None:
    found = snapshot_of(read(net(position("A26DECFUT", 50, overnight_quantity=50))))
    assert [one.entry_price for one in (found.positions or {}).values()] == [None]


def test_products_do_not_net() -> None:
    rows = [position("A26DECFUT", 50), position("A26DECFUT", -50, product="MIS")]
    assert quantities(snapshot_of(read(net(*rows)))) == {
        "NFO.A26DECFUT.NRML/INR:INR": 50,
        "NFO.A26DECFUT.MIS/INR:INR": -50,
    }


@pytest.mark.parametrize(
    "rows",
    [
        [position("A26DECFUT", 50), position("A26DECFUT", 50)],
        [position("A26DECFUT", 50), position("B26DECFUT", "many")],
        [position("A26DECFUT", 50), "row"],
        [position("A26DECFUT", 50, multiplier=0)],
        [position("SBIN", 1, multiplier=2, **SHARES)],
    ],
)
def test_a_part_with_a_row_at_fault_is_unknown_as_a_whole(rows: list[object]) -> None:
    found = snapshot_of(read(net(*rows)))
    assert (found.positions, list(found.failed)) == (None, ["positions"])


def test_delivery_is_holdings_and_what_today_changed() -> None:
    reader = ZerodhaReader(ACCOUNT)
    rows = [position("SBIN", -4, **SHARES), position("TCS", 3, **SHARES), position("A26DECFUT", 50)]
    first = read(net(*rows), reader)
    assert quantities(snapshot_of(first)) == {"NFO.A26DECFUT.NRML/INR:INR": 50}
    assert "once positions and holdings were both read" in first.note
    second = read([holding("SBIN", 10), holding("INFY", 7)], reader)
    assert quantities(snapshot_of(second)) == {
        "NFO.A26DECFUT.NRML/INR:INR": 50,
        "NSE.INFY.CNC/INR": 7,
        "NSE.SBIN.CNC/INR": 6,
        "NSE.TCS.CNC/INR": 3,
    }
    assert second.note == ""
    merged = merge_snapshots([snapshot_of(first), snapshot_of(second)])
    assert merged.positions == snapshot_of(second).positions


def test_what_positions_carried_overnight_is_counted_once() -> None:
    reader = ZerodhaReader(ACCOUNT)
    read(net(position("SBIN", 6, overnight_quantity=10, **SHARES)), reader)
    assert quantities(snapshot_of(read([holding("SBIN", 10)], reader))) == {"NSE.SBIN.CNC/INR": 6}


def test_holdings_and_positions_say_the_same_in_either_order() -> None:
    answers: list[object] = [net(position("SBIN", -4, **SHARES)), [holding("SBIN", 10)], margins(equity=5.5)]
    found = []
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        reader = ZerodhaReader(ACCOUNT)
        readings = [read(answers[place], reader) for place in order]
        found.append(snapshot_of(readings[-1]))
    assert found[0] == found[1] == found[2]
    assert found[0].balances == {"INR@equity": Decimal("5.5"), "NSE.SBIN.CNC@equity": Decimal(6)}


@pytest.mark.parametrize(
    ("fields", "held"),
    [
        ({}, 10),
        ({"quantity": 0, "t1_quantity": 10}, 10),
        ({"quantity": 10, "t1_quantity": 10}, 10),
        ({"quantity": 6, "used_quantity": 4}, 10),
        ({"quantity": 10, "used_quantity": 4}, 10),
        ({"quantity": 0, "collateral_quantity": 10}, 10),
        ({"quantity": 3, "t1_quantity": 3, "collateral_quantity": 4}, 10),
        ({"quantity": 11}, None),
        ({"quantity": 3, "t1_quantity": 3}, None),
        ({"t1_quantity": -1}, None),
    ],
)
def test_shares_are_those_the_day_began_with_where_the_parts_agree(fields: dict[str, object], held: int | None) -> None:
    reader = ZerodhaReader(ACCOUNT)
    read(net(), reader)
    reading = read([{**holding("SBIN", 10), **fields}], reader)
    if held is None:
        assert len(reading.refused) == 1
        assert list(snapshot_of(reading).failed) == ["positions"]
    else:
        assert quantities(snapshot_of(reading)) == {"NSE.SBIN.CNC/INR": held}


def test_shares_on_borrowed_money_are_held_apart() -> None:
    reader = ZerodhaReader(ACCOUNT)
    read(net(), reader)
    lent = {"quantity": 5, "used_quantity": 0, "average_price": 80}
    found = snapshot_of(read([holding("SBIN", 10, mtf=lent)], reader))
    assert quantities(found) == {"NSE.SBIN.CNC/INR": 10, "NSE.SBIN.MTF/INR": 5}
    sold = read([holding("SBIN", 10, mtf={**lent, "used_quantity": 1})], reader)
    assert problems(sold) == [(1, "used_quantity")]


def test_cash_is_stated_alone_only_where_no_shares_can_be_beside_it() -> None:
    alone = read(margins(equity=100.05, commodity=7))
    assert snapshot_of(alone).balances == {"INR@equity": Decimal("100.05"), "INR@commodity": Decimal(7)}
    reader = ZerodhaReader(ACCOUNT)
    read([holding("SBIN", 10)], reader)
    beside = read(margins(equity=100.05, commodity=7), reader)
    assert snapshot_of(beside).balances == {"INR@commodity": Decimal(7)}
    assert "Cash of the equity segment is stated once" in beside.note
    whole = read(net(), reader)
    assert snapshot_of(whole).balances == {
        "INR@equity": Decimal("100.05"),
        "INR@commodity": Decimal(7),
        "NSE.SBIN.CNC@equity": Decimal(10),
    }


def test_cash_that_is_not_stated_is_unknown() -> None:
    reading = read({"equity": {"available": {"cash": None}, "utilised": {}}, "commodity": None})
    assert (snapshot_of(reading).balances, list(snapshot_of(reading).failed)) == (None, ["balances"])
