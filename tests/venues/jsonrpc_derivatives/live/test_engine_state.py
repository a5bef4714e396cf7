"""The account's state now: cash as a book keeps it, what failed by name, and the moment that it is of."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from tests.venues.jsonrpc_derivatives.live.engine_script import (
    MS,
    Fault,
    HandClock,
    Row,
    Script,
    Status,
    order,
    position,
    run,
    summaries,
    summary,
)
from trueup.model.differences import VenueSnapshot
from trueup.model.errors import Unavailable
from trueup.model.times import from_ms
from trueup.model.venues import Mark

SUMMARIES, POSITIONS, ORDERS = (
    "private/get_account_summaries",
    "private/get_positions",
    "private/get_open_orders",
)
DATA = Path(__file__).resolve().parents[4].parent / "shared" / "venue-data" / "deribit" / "nautilus"


def snapshot(script: Script) -> VenueSnapshot:
    found: VenueSnapshot = run(lambda venue: venue.snapshot(), script, HandClock())
    return found


def test_cash_is_equity_without_what_is_not_realised() -> None:
    """Settled each day or not: 100 paid in, 7 realised, 3 of it before the last settlement, and 20 not realised."""
    script = Script()
    row = summary("USDC", 127, balance=103, session_rpl=4, session_upl=20, futures_pl=20, maintenance_margin=5)
    script.answers[SUMMARIES] = summaries(row, summary("BTC", 0.5))
    script.answers[POSITIONS] = [position("ETH_USDC-PERPETUAL", 0.25)]
    found = snapshot(script)
    assert found.balances == {"USDC": Decimal(107), "BTC": Decimal("0.5")}
    assert found.failed == {}


def test_funding_of_the_session_is_left_out_until_it_is_settled() -> None:
    script = Script()
    script.answers[SUMMARIES] = summaries(summary("USDC", 98, futures_pl=0), summary("BTC", 1.25, futures_pl=0.25))
    script.answers[POSITIONS] = [
        position("ETH_USDC-PERPETUAL", 1, realized_funding=-1.5),
        position("SOL_USDC-PERPETUAL", -1, realized_funding=-0.5),
        position("BTC-PERPETUAL", 10, realized_funding=0.125),
    ]
    assert snapshot(script).balances == {"USDC": Decimal(100), "BTC": Decimal("0.875")}


def test_options_make_balances_unknown_and_are_told_as_positions_that_nothing_explains() -> None:
    script = Script()
    script.answers[SUMMARIES] = summaries(summary("BTC", 1, options_value=-0.0086), summary("USDC", 5))
    script.answers[POSITIONS] = [position("BTC-27DEC26-100000-C", 0.5)]
    found = snapshot(script)
    assert found.balances is None
    assert "BTC" in found.failed["balances"]
    assert list(found.unmapped) == ["BTC-27DEC26-100000-C"]
    assert found.positions == {}


def test_the_positions_speak_for_every_instrument_since_all_were_asked_for() -> None:
    script = Script()
    script.answers[POSITIONS] = [position("BTC-PERPETUAL", -30), {**position("ETH-PERPETUAL", 1), "size": 0.0}]
    found = snapshot(script)
    assert script.of(POSITIONS) == [{"currency": "any"}]
    assert found.position_scope is None
    assert found.positions is not None
    assert {key: held.quantity for key, held in found.positions.items()} == {("BTC/USD:BTC", "net"): Decimal(-30)}


def test_open_orders_are_those_that_wait_for_a_trigger_too() -> None:
    script = Script()
    waiting = order(order_id="USDC-SLMB-1", order_state="untriggered", order_type="stop_market", price="market_price")
    script.answers[ORDERS] = [order(), {**waiting, "trigger_price": 2900.5, "filled_amount": None}]
    orders = snapshot(script).open_orders
    assert orders is not None
    assert orders.keys() == {"USDC-1", "USDC-SLMB-1"}
    assert orders["USDC-SLMB-1"].trigger_price == Decimal("2900.5")


@pytest.mark.parametrize(
    ("method", "failed"),
    [
        (SUMMARIES, {"balances"}),
        (POSITIONS, {"positions", "balances"}),  # the funding is in them
        (ORDERS, {"open_orders"}),
    ],
)
def test_a_part_that_fails_is_unknown_and_not_empty(method: str, failed: set[str]) -> None:
    script = Script()
    script.answers[method] = Fault(11094, "internal_server_error")
    found = snapshot(script)
    assert found.failed.keys() == failed
    assert (found.balances is None) is ("balances" in failed)
    assert (found.positions is None) is ("positions" in failed)
    assert (found.open_orders is None) is ("open_orders" in failed)


def test_a_state_of_which_nothing_could_be_read_is_an_error() -> None:
    script = Script()
    for method in (SUMMARIES, POSITIONS, ORDERS):
        script.answers[method] = Status("503 Service Unavailable")
    with pytest.raises(Unavailable):
        snapshot(script)


@pytest.mark.parametrize(
    ("method", "result", "part"),
    [
        (SUMMARIES, summaries(), "balances"),
        (SUMMARIES, {"summaries": [{"currency": "USDC"}]}, "balances"),
        (SUMMARIES, {"summaries": 5}, "balances"),
        (POSITIONS, {"no": "list"}, "positions"),
        (POSITIONS, [position("BTC-PERPETUAL", 1), "text"], "positions"),
        (ORDERS, [order(amount="NaN")], "open_orders"),
    ],
)
def test_an_answer_that_cannot_be_read_fails_its_part(method: str, result: object, part: str) -> None:
    script = Script()
    script.answers[method] = result
    assert part in snapshot(script).failed


def test_the_oldest_of_the_answers_is_the_moment_of_them_all() -> None:
    script = Script()

    def later(_: Row) -> object:
        script.at += 50
        return []

    script.answers[POSITIONS] = script.answers[ORDERS] = later
    cut = snapshot(script).cut
    assert cut is not None
    assert from_ms(MS) <= cut <= from_ms(MS + 100)


def test_terms_of_what_can_be_booked_are_asked_for_by_kind() -> None:
    listed = {"instrument_name": "ETH_USDC-PERPETUAL", "tick_size": 0.05, "min_trade_amount": 0.001, "max_leverage": 50}
    script = Script()
    script.answers["public/get_instruments"] = lambda params: [listed] if params["kind"] == "future" else []
    (terms,) = run(lambda venue: venue.instruments(), script)
    assert (terms.symbol, terms.price_tick, terms.quantity_step) == ("ETH/USDC:USDC", Decimal("0.05"), Decimal("0.001"))
    assert [params["kind"] for params in script.of("public/get_instruments")] == ["future", "spot"]


def test_a_mark_is_the_engines_and_what_is_not_traded_has_none() -> None:
    script = Script()
    tickers: dict[str, object] = {
        "ETH_USDC-PERPETUAL": {"mark_price": 3067.25, "timestamp": MS},
        "BTC-PERPETUAL": Fault(13020, "not_found"),
        "SOL_USDC": {"mark_price": None},
    }
    script.answers["public/ticker"] = lambda params: tickers[params["instrument_name"]]
    asked = ["ETH/USDC:USDC", "BTC/USD:BTC", "SOL/USDC", "NOBODY/TRADES:THIS"]
    assert run(lambda venue: venue.marks(asked), script) == [Mark("ETH/USDC:USDC", Decimal("3067.25"), from_ms(MS))]


@pytest.mark.skipif(not DATA.is_dir(), reason="the recorded answers are not beside this checkout")
def test_a_recorded_summary_adds_up_as_it_is_read() -> None:
    """Equity is cash, the session's P&L and the worth of options; so cash by average prices follows."""
    recorded = json.loads((DATA / "http_get_account_summaries.json").read_text(), parse_float=Decimal)["result"]
    btc, eth = recorded["summaries"]
    parts = ("balance", "futures_session_rpl", "futures_session_upl", "options_value")
    assert abs(sum(Decimal(btc[part]) for part in parts) - btc["equity"]) <= Decimal("0.00000001")
    script = Script()
    script.answers[SUMMARIES] = json.loads(json.dumps({**recorded, "summaries": [eth]}, default=float))
    assert snapshot(script).balances == {"ETH": Decimal(100)}
    script.answers[SUMMARIES] = json.loads(json.dumps(recorded, default=float))
    assert "options are held" in snapshot(script).failed["balances"]
