"""Saved answers of Coinbase from the command line: what was taken back leaves no trace, and the state agrees."""

from pathlib import Path

from tests.cli.program import Trueup, written
from tests.venues.coinbase.coinbase_rows import FUTURE, FUTURE_SYMBOL, fill, future, order

SPOT = ("--venue", "coinbase", "--account", "main")


def at(hour: int) -> dict[str, object]:
    return {"trade_time": f"2026-03-02T{hour}:00:00Z", "sequence_timestamp": None}


FILLS = [
    fill("e", trade_id="t", **at(10)),
    fill("r", trade_id="t", trade_type="REVERSAL", **at(12)),
    fill("b", price="110", **at(11)),
    fill("s", side="SELL", size="1", price="120", **at(13)),
    fill("x", product_id=FUTURE, size="3", price="90000", **at(13)),
]


def test_a_trade_that_was_taken_back_is_as_if_it_never_happened(trueup: Trueup, tmp_path: Path) -> None:
    told = written(tmp_path / "fills.json", {"fills": FILLS, "cursor": ""})
    terms = written(tmp_path / "products.json", {"products": [future()]})
    report = trueup("import", told, terms, *SPOT, "--json")
    assert report.code == 0, report.err
    held = {row["instrument"]: row for row in trueup("positions", "--json").json}
    btc, cfm = held["BTC/USD"], held[FUTURE_SYMBOL]
    assert (btc["quantity"], btc["entry_price"], btc["realized_pnl"]) == ("1", "110", "10")
    assert (cfm["quantity"], cfm["entry_price"], cfm["cost"]) == ("3", "90000", "2700")

    held_now = {"product_id": FUTURE, "side": "LONG", "number_of_contracts": "3", "contract_size": "0.01"}
    balances = {"USD": "-101", "BTC": "1"}
    accounts = [
        {"uuid": name, "currency": name, "available_balance": {"value": amount, "currency": name}, "hold": None}
        for name, amount in balances.items()
    ]
    states = [
        written(tmp_path / "accounts.json", {"accounts": accounts, "has_next": False}),
        written(tmp_path / "positions.json", {"positions": [held_now]}),
    ]
    agreed = trueup("reconcile", *SPOT, "--snapshot", *states)
    assert agreed.code == 0, agreed.out + agreed.err
    other = written(tmp_path / "other.json", {"positions": [{**held_now, "number_of_contracts": "4"}]})
    differs = trueup("reconcile", *SPOT, "--snapshot", states[0], other)
    assert differs.code == 1, differs.out + differs.err


def test_an_order_that_is_open_at_the_venue_alone_is_found(trueup: Trueup, tmp_path: Path) -> None:
    told = written(tmp_path / "fills.json", {"fills": FILLS[:3]})
    assert trueup("import", told, *SPOT).code == 0
    listed = written(tmp_path / "orders.json", {"orders": [order("o-9")], "has_next": False})
    found = trueup("reconcile", *SPOT, "--snapshot", listed)
    assert "o-9" in found.out + found.err
