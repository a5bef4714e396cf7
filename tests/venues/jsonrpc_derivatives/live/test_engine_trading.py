"""What is sent for an order, what is made of the answer, and how an order is found before anything is sent again."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.venues.jsonrpc_derivatives.live.engine_script import (
    HANG_UP,
    MS,
    Fault,
    Row,
    Script,
    order,
    position,
    run,
    summaries,
    summary,
)
from trueup.model.errors import BadInput, Malformed, OutcomeUnknown, Rejected
from trueup.model.orders import Amendment, OrderRequest, OrderType, TimeInForce
from trueup.venues.jsonrpc_derivatives import desk
from trueup.venues.jsonrpc_derivatives.desk import VALID_MS

ETH = "ETH/USDC:USDC"
BY_LABEL, HISTORY = "private/get_order_state_by_label", "private/get_order_history_by_currency"
DATA = Path(__file__).resolve().parents[4].parent / "shared" / "venue-data" / "deribit" / "nautilus"


@pytest.fixture(autouse=True)
def no_settling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "SETTLE_S", 0.0)


def limit(**changes: Any) -> OrderRequest:  # noqa: ANN401 - of any field
    return OrderRequest(**{
        "instrument": ETH, "side": "buy", "quantity": Decimal("0.500"), "client_order_id": "ours",
        "order_type": "limit", "price": Decimal("3000.50"), **changes,
    })  # fmt: skip


def placed(request: OrderRequest, **answer: object) -> tuple[Row, Any]:
    """What is sent for an order, and what is reported."""
    script = Script()
    for method in ("private/buy", "private/sell"):
        script.answers[method] = {"order": order(**answer), "trades": []}
    report = run(lambda venue: venue.place(request), script)
    (params,) = [*script.of("private/buy"), *script.of("private/sell")]
    return params, report


def test_a_limit_order_is_sent_with_exact_numbers_its_label_and_an_end() -> None:
    params, report = placed(limit())
    assert params == {
        "instrument_name": "ETH_USDC-PERPETUAL",
        "amount": 0.5,
        "type": "limit",
        "price": 3000.5,
        "time_in_force": "good_til_cancelled",
        "reduce_only": False,
        "label": "ours",
        "valid_until": MS + VALID_MS,
    }
    assert (report.status, report.quantity, report.client_order_id) == ("open", Decimal("0.5"), "ours")


def test_a_number_loses_no_digit_on_its_way() -> None:
    seen: list[bytes] = []

    class Keeping(Script):
        async def __call__(self, exchange: Any) -> None:  # noqa: ANN401 - as the script has it
            seen.append(exchange.body)
            await super().__call__(exchange)

    script = Keeping()
    script.answers["private/buy"] = {"order": order(), "trades": []}
    run(lambda venue: venue.place(limit(quantity=Decimal("0.1234567890123456789"))), script)
    assert b'"amount":0.1234567890123456789' in seen[-1]


def test_dollars_are_the_amount_of_what_settles_in_the_coin() -> None:
    request = OrderRequest("BTC/USD:BTC", "sell", Decimal(30), "x")
    params, _ = placed(request, instrument_name="BTC-PERPETUAL", direction="sell", amount=30.0, label="x")
    assert (params["instrument_name"], params["amount"], params["type"]) == ("BTC-PERPETUAL", 30, "market")


@pytest.mark.parametrize(
    ("kind", "price", "sent"),
    [("stop", None, "stop_market"), ("stop_limit", Decimal(2800), "stop_limit"), ("take_profit", None, "take_market")],
)
def test_a_trigger_waits_for_the_mark_price(kind: OrderType, price: Decimal | None, sent: str) -> None:
    request = limit(order_type=kind, side="sell", price=price, trigger_price=Decimal(2900), reduce_only=True)
    params, report = placed(
        request, order_type=sent, order_state="untriggered", trigger_price=2900, price=price and 2800, direction="sell"
    )
    assert (params["type"], params["trigger"], params["trigger_price"]) == (sent, "mark_price", 2900)
    assert params.get("price") == price
    assert params["reduce_only"] is True
    assert (report.status, report.trigger_price) == ("open", Decimal(2900))


@pytest.mark.parametrize(
    ("force", "sent"),
    [("ioc", "immediate_or_cancel"), ("fok", "fill_or_kill"), ("gtc", "good_til_cancelled")],
)
def test_times_in_force(force: TimeInForce, sent: str) -> None:
    params, _ = placed(limit(time_in_force=force))
    assert params["time_in_force"] == sent
    assert "post_only" not in params


def test_what_only_rests_is_refused_and_not_moved_to_another_price() -> None:
    params, _ = placed(limit(time_in_force="post_only"))
    assert (params["post_only"], params["reject_post_only"]) == (True, True)


@pytest.mark.parametrize(
    "request_",
    [
        limit(price=None),
        limit(order_type="market"),
        limit(order_type="stop", price=None),
        limit(trigger_price=Decimal(1)),
        limit(order_type="stop", price=None, trigger_price=Decimal(1), time_in_force="ioc"),
        limit(position_side="long"),
        limit(client_order_id="x" * 65),
        limit(instrument="BTC/EUR:BTC"),
        limit(instrument="nonsense"),
    ],
)
def test_what_the_engine_has_no_form_for_is_refused_before_it_is_sent(request_: OrderRequest) -> None:
    script = Script()
    with pytest.raises(Rejected):
        run(lambda venue: venue.place(request_), script)
    assert script.of("private/buy") == []


def test_an_order_that_was_taken_and_refused_at_once_was_refused() -> None:
    with pytest.raises(Rejected, match="reduce_direction") as refusal:
        placed(limit(), order_state="rejected", reject_reason="reduce_direction")
    assert refusal.value.venue_code == "reduce_direction"


@pytest.mark.parametrize("answer", [{}, [], "ok", {"order": {"order_id": "1"}}, {"order": order(amount="x")}])
def test_an_answer_that_cannot_be_read_leaves_the_outcome_unknown(answer: object) -> None:
    script = Script()
    script.answers["private/buy"] = answer
    with pytest.raises(OutcomeUnknown, match="Look it up"):
        run(lambda venue: venue.place(limit()), script)


# --- cancel, amend, close ---------------------------------------------------------------------------------------------


def test_a_cancel_tells_what_was_filled() -> None:
    script = Script()
    script.answers["private/cancel"] = order(order_state="cancelled", filled_amount=0.25)
    report = run(lambda venue: venue.cancel(ETH, "USDC-1"), script)
    assert (report.status, report.filled) == ("canceled", Decimal("0.25"))


@pytest.mark.parametrize("code", [11044, 10010, 10004])
def test_a_cancel_of_what_is_over_tells_how_it_ended(code: int) -> None:
    script = Script()
    script.answers["private/cancel"] = Fault(code)
    script.answers["private/get_order_state"] = order(order_state="filled", filled_amount=0.5)
    assert run(lambda venue: venue.cancel(ETH, "USDC-1"), script).status == "filled"


FIRED = order(
    order_id="USDC-SLMB-1", order_state="triggered", order_type="stop_limit", trigger_price=2900, filled_amount=None
)


@pytest.mark.parametrize("label", ["ours", ""])
def test_a_cancel_of_a_trigger_that_fired_cancels_the_order_that_it_made(label: str) -> None:
    script = Script()
    made = order(order_id="USDC-7", trigger_order_id="USDC-SLMB-1", label=label)
    cancelled = {**made, "order_state": "cancelled"}
    script.answers["private/cancel"] = lambda params: Fault(11044) if params["order_id"] != "USDC-7" else cancelled
    script.answers["private/get_order_state"] = {**FIRED, "label": label}
    script.answers[BY_LABEL if label else "private/get_open_orders"] = [order(order_id="USDC-6"), made]
    report = run(lambda venue: venue.cancel(ETH, "USDC-SLMB-1"), script)
    assert (report.venue_order_id, report.status) == ("USDC-7", "canceled")


def test_a_cancel_of_a_trigger_that_fired_and_traded_tells_what_it_became() -> None:
    script = Script()
    script.answers["private/cancel"] = Fault(11044)
    script.answers["private/get_order_state"] = FIRED
    script.answers[BY_LABEL] = [FIRED, order(order_id="USDC-7", order_state="filled", trigger_order_id="USDC-SLMB-1")]
    assert run(lambda venue: venue.cancel(ETH, "USDC-SLMB-1"), script).venue_order_id == "USDC-7"
    assert len(script.of("private/cancel")) == 1


def test_a_trigger_that_fired_is_over_itself() -> None:
    script = Script()
    script.answers["private/cancel"] = Fault(11044)
    script.answers["private/get_order_state"] = FIRED
    assert run(lambda venue: venue.cancel(ETH, "USDC-SLMB-1"), script).status == "canceled"


def test_a_cancel_of_what_nobody_knows_is_none() -> None:
    script = Script()
    script.answers["private/cancel"] = script.answers["private/get_order_state"] = Fault(10004)
    assert run(lambda venue: venue.cancel(ETH, "USDC-1"), script) is None


def test_a_cancel_that_fails_is_not_taken_for_a_missing_order() -> None:
    script = Script()
    script.answers["private/cancel"] = HANG_UP
    with pytest.raises(OutcomeUnknown):
        run(lambda venue: venue.cancel(ETH, "USDC-1"), script)


def test_a_change_says_again_what_the_order_had() -> None:
    script = Script()
    script.answers["private/get_order_state"] = order(filled_amount=0.125, post_only=True, reduce_only=True)
    script.answers["private/edit"] = {"order": order(amount=0.625, price=2990), "trades": []}
    amendment = Amendment(quantity=Decimal("0.5"), price=Decimal(2990))
    run(lambda venue: venue.amend(ETH, "USDC-1", amendment), script)
    (params,) = script.of("private/edit")
    assert params == {"order_id": "USDC-1", "amount": 0.625, "price": 2990, "post_only": True, "reduce_only": True}


def test_a_change_of_a_trigger_keeps_the_rest() -> None:
    script = Script()
    stop = order(order_type="stop_market", order_state="untriggered", price="market_price", trigger_price=2900.5)
    script.answers["private/get_order_state"] = stop
    script.answers["private/edit"] = {"order": {**stop, "trigger_price": 2850}, "trades": []}
    report = run(lambda venue: venue.amend(ETH, "USDC-1", Amendment(trigger_price=Decimal(2850))), script)
    (params,) = script.of("private/edit")
    assert params == {"order_id": "USDC-1", "amount": 0.5, "trigger_price": 2850}
    assert report.trigger_price == Decimal(2850)


def test_a_change_of_what_the_order_does_not_have_is_refused_before_it_is_sent() -> None:
    script = Script()
    script.answers["private/get_order_state"] = order()
    with pytest.raises(Rejected, match="trigger_price"):
        run(lambda venue: venue.amend(ETH, "USDC-1", Amendment(trigger_price=Decimal(1))), script)
    assert script.of("private/edit") == []


@pytest.mark.skipif(not DATA.is_dir(), reason="the recorded answers are not beside this checkout")
def test_the_recorded_answer_to_a_change_is_read() -> None:
    recorded = json.loads((DATA / "ws_order_edit_response.json").read_text())["result"]
    script = Script()
    script.answers["private/get_order_state"] = recorded["order"]
    script.answers["private/edit"] = recorded
    report = run(lambda venue: venue.amend(ETH, "USDC-104819327443", Amendment(price=Decimal("3067.2"))), script)
    assert (report.venue_order_id, report.price) == ("USDC-104819327443", Decimal("3067.2"))


@pytest.mark.parametrize(("size", "method"), [(0.75, "private/sell"), (-0.75, "private/buy")])
def test_a_close_is_an_order_that_only_reduces_and_can_be_found(size: float, method: str) -> None:
    script = Script()
    script.answers["private/get_position"] = position("ETH_USDC-PERPETUAL", size)
    script.answers[method] = {"order": order(order_state="filled", amount=0.75, filled_amount=0.75), "trades": []}
    assert run(lambda venue: venue.close(ETH, "net", "out"), script).status == "filled"
    (params,) = script.of(method)
    assert (params["amount"], params["type"]) == (0.75, "market")
    assert (params["reduce_only"], params["label"]) == (True, "out")


def test_a_close_of_what_is_flat_is_refused_unless_it_was_this_one_that_closed_it() -> None:
    script = Script()
    script.answers["private/get_position"] = {**position("ETH_USDC-PERPETUAL", 1), "size": 0}
    with pytest.raises(Rejected, match="flat"):
        run(lambda venue: venue.close(ETH, "net", "out"), script)
    script.answers[BY_LABEL] = [order(label="out", order_state="filled", filled_amount=0.5)]
    assert run(lambda venue: venue.close(ETH, "net", "out"), script).status == "filled"
    assert script.of("private/sell") == []


@pytest.mark.parametrize(("symbol", "side"), [(ETH, "long"), ("SOL/USDC", "net")])
def test_there_is_one_position_and_none_in_a_pair(symbol: str, side: str) -> None:
    with pytest.raises(Rejected, match=r"no .* position"):
        run(lambda venue: venue.close(symbol, side, "out"), Script())


# --- find -------------------------------------------------------------------------------------------------------------


def test_an_order_is_looked_for_by_its_label_in_every_currency() -> None:
    script = Script()
    script.answers["private/get_account_summaries"] = summaries(summary("BTC", 1), summary("USDC", 5))
    script.answers[BY_LABEL] = lambda params: [order()] if params["currency"] == "USDC" else []
    assert run(lambda venue: venue.find("ours"), script).venue_order_id == "USDC-1"
    assert [params["currency"] for params in script.of(BY_LABEL)] == ["BTC", "USDC"]
    assert script.of(HISTORY) == []


def test_of_orders_with_one_label_the_newest_is_told() -> None:
    script = Script()
    old = order(order_id="USDC-1", order_state="cancelled", creation_timestamp=MS - 9)
    script.answers[BY_LABEL] = [old, order(order_id="USDC-2"), {**old, "order_id": "USDC-0"}]
    assert run(lambda venue: venue.find("ours"), script).venue_order_id == "USDC-2"


def test_of_a_trigger_that_fired_the_order_that_it_made_is_told() -> None:
    script = Script()
    fired = order(order_id="USDC-SLMB-1", order_state="triggered", order_type="stop_market", trigger_price=2900)
    made = order(order_id="USDC-7", order_state="filled", filled_amount=0.5, trigger_order_id="USDC-SLMB-1")
    for listed in ([fired, made], [made, fired]):
        script.answers[BY_LABEL] = listed
        report = run(lambda venue: venue.find("ours"), script)
        assert (report.venue_order_id, report.status) == ("USDC-7", "filled")


def test_an_order_of_the_past_is_found_among_the_newest_of_its_currency() -> None:
    script = Script()
    script.answers[HISTORY] = [order(label="other"), order(order_id="USDC-5", order_state="cancelled")]
    assert run(lambda venue: venue.find("ours"), script).venue_order_id == "USDC-5"
    (params,) = script.of(HISTORY)
    assert (params["historical"], params["include_unfilled"]) == (True, True)


def test_an_order_that_waits_for_its_trigger_is_found_among_the_open_ones() -> None:
    script = Script()
    waiting = order(order_state="untriggered", order_type="stop_market", price="market_price", trigger_price=2900)
    script.answers["private/get_open_orders"] = [order(label="other"), waiting]
    assert run(lambda venue: venue.find("ours"), script).status == "open"


def test_what_is_not_found_is_looked_for_a_second_time() -> None:
    script = Script()
    assert run(lambda venue: venue.find("ours"), script) is None
    assert len(script.of(BY_LABEL)) == 2


@pytest.mark.parametrize("answer", [{"no": "list"}, [order(amount="NaN")], ["text"]])
def test_an_answer_that_cannot_be_read_is_not_an_order_that_is_not_there(answer: object) -> None:
    script = Script()
    script.answers[BY_LABEL] = answer
    with pytest.raises(Malformed):
        run(lambda venue: venue.find("ours"), script)


def test_a_look_that_fails_is_not_an_order_that_is_not_there() -> None:
    script = Script()
    script.answers[HISTORY] = Fault(13021, "forbidden")
    with pytest.raises(Exception, match="forbidden"):
        run(lambda venue: venue.find("ours"), script)


def test_no_label_names_no_order() -> None:
    with pytest.raises(BadInput):
        run(lambda venue: venue.find(""), Script())
