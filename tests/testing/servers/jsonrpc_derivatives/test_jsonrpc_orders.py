"""Orders do what was asked of the engine, end in its words, and what it refuses it refuses by its codes."""

from decimal import Decimal

import pytest

from tests.testing.servers.jsonrpc_derivatives.talk import BTC, XBT, D, Json, Row, Talk, rehearse
from trueup.testing.servers.jsonrpc_derivatives import world
from trueup.venues.paper.faults import Outage, TimeOut

LIMIT: Row = {"type": "limit", "price": 50_000}


def test_a_market_order_is_filled_and_tells_its_trades() -> None:
    async def story(talk: Talk) -> None:
        params = {"instrument_name": BTC, "amount": 0.5, "type": "market", "label": "mine"}
        answer = await talk.ask("private/buy", **params)
        order, trades = answer["order"], answer["trades"]
        assert (order["order_state"], order["filled_amount"], order["label"]) == ("filled", D("0.5"), "mine")
        assert order["average_price"] == D("60000.6")
        assert order["price"] > 60_000, "how far it might have gone"
        assert [(trade["amount"], trade["price"], trade["state"]) for trade in trades] == [
            (D("0.4"), D("60000.5"), "open"),
            (D("0.1"), D(60_001), "filled"),
        ]
        assert {trade["order_id"] for trade in trades} == {order["order_id"]}
        assert {trade["label"] for trade in trades} == {"mine"}
        assert trades[0]["fee"] == D("60000.5") * D("0.4") * D("0.0005")
        assert trades[1]["trade_seq"] - trades[0]["trade_seq"] > 1, "others trade, too"

    rehearse(story)


def test_amounts_are_coins_or_dollars_or_contracts() -> None:
    async def story(talk: Talk) -> None:
        linear = await talk.ask("private/buy", instrument_name=BTC, contracts=100, type="market")
        assert (linear["order"]["amount"], linear["order"]["contracts"]) == (D("0.1"), 100)
        inverse = await talk.ask("private/sell", instrument_name=XBT, contracts=20, type="market")
        assert (inverse["order"]["amount"], inverse["order"]["contracts"]) == (200, 20)
        assert talk.exchange.truth(talk.account).positions == {"BTC/USDC:USDC": D("0.1"), "BTC/USD:BTC": D(-200)}
        both = await talk.refusal("private/buy", instrument_name=XBT, contracts=20, amount=100, type="market")
        assert (both.code, both.data["param"]) == (-32602, "contracts")

    rehearse(story)


def test_a_resting_order_is_listed_found_edited_and_cancelled_under_one_id() -> None:
    async def story(talk: Talk) -> None:
        order = await talk.order("buy", "0.1", label="rests", **LIMIT)
        order_id = order["order_id"]
        assert (order["order_state"], order["filled_amount"], order["replaced"]) == ("open", 0, False)
        for method, params in LISTS.items():
            assert [row["order_id"] for row in await talk.ask(method, **params)] == [order_id], method
        edited = (await talk.ask("private/edit", order_id=order_id, amount=0.2, price=51_000))["order"]
        assert (edited["order_id"], edited["amount"], edited["price"]) == (order_id, D("0.2"), 51_000)
        assert edited["replaced"] is True
        by_label = await talk.ask("private/edit_by_label", label="rests", instrument_name=BTC, amount=0.3)
        assert (by_label["order"]["order_id"], by_label["order"]["amount"]) == (order_id, D("0.3"))
        cancelled = await talk.ask("private/cancel", order_id=order_id)
        assert (cancelled["order_state"], cancelled["cancel_reason"]) == ("cancelled", "user_request")
        assert (await talk.refusal("private/cancel", order_id=order_id)).code == 11044
        assert (await talk.refusal("private/edit", order_id=order_id, amount=0.2)).code == 11044
        found = await talk.ask("private/get_order_state", order_id=order_id)
        assert (found["order_state"], found["label"]) == ("cancelled", "rests")
        assert [await talk.ask(method, **params) for method, params in LISTS.items()] == [[]] * len(LISTS)

    rehearse(story)


def test_what_was_filled_before_an_edit_stays_filled() -> None:
    async def story(talk: Talk) -> None:
        order = await talk.order("buy", "0.6", type="limit", price=59_999)
        talk.move("59998")
        half = await talk.ask("private/get_order_state", order_id=order["order_id"])
        assert half["filled_amount"] == D("0.4")
        low = await talk.refusal("private/edit", order_id=order["order_id"], amount=0.4)
        assert low.data["param"] == "amount"
        edited = (await talk.ask("private/edit", order_id=order["order_id"], amount=0.7, price=59_000))["order"]
        assert (edited["amount"], edited["filled_amount"], edited["order_state"]) == (D("0.7"), D("0.4"), "open")
        talk.move("58990")
        ended = await talk.ask("private/get_order_state", order_id=order["order_id"])
        assert (ended["order_state"], ended["filled_amount"]) == ("filled", D("0.7"))
        assert abs(ended["average_price"] * D("0.7") - (D("0.4") * 59_999 + D("0.3") * 59_000)) < D("1e-7")
        trades = await talk.ask("private/get_user_trades_by_order", order_id=order["order_id"], sorting="asc")
        assert [trade["amount"] for trade in trades] == [D("0.4"), D("0.3")]
        assert talk.exchange.truth(talk.account).positions == {"BTC/USDC:USDC": D("0.7")}

    rehearse(story)


def test_a_label_is_no_key_and_may_come_again() -> None:
    async def story(talk: Talk) -> None:
        first = await talk.order("buy", "0.1", label="twice")
        second = await talk.order("buy", "0.1", label="twice")
        assert first["order_id"] != second["order_id"]
        found = await talk.ask("private/get_order_state_by_label", currency="USDC", label="twice")
        assert [row["order_id"] for row in found] == [second["order_id"], first["order_id"]]
        assert await talk.ask("private/get_order_state_by_label", currency="BTC", label="twice") == []
        assert await talk.ask("private/get_order_state_by_label", currency="USDC", label="once") == []
        assert talk.exchange.truth(talk.account).positions == {"BTC/USDC:USDC": D("0.2")}

    rehearse(story)


def test_a_trigger_order_waits_under_an_id_of_its_own_and_makes_an_order_when_it_fires() -> None:
    async def story(talk: Talk) -> None:
        await talk.order("buy", "0.1")
        stop: Row = {"trigger": "mark_price", "reduce_only": True, "label": "stop"}
        waits = await talk.order("sell", "0.1", type="stop_market", trigger_price=59_000, **stop)
        assert (waits["order_state"], waits["price"], waits["triggered"]) == ("untriggered", "market_price", False)
        assert waits["order_id"].startswith("USDC-SLMS-")
        assert [row["order_id"] for row in await talk.ask("private/get_open_orders", type="trigger_all")] == [
            waits["order_id"]
        ]
        assert await talk.ask("private/get_open_orders", type="limit") == []
        talk.move("58999")
        made, fired = await talk.ask("private/get_order_state_by_label", currency="USDC", label="stop")
        assert (fired["order_id"], fired["order_state"]) == (waits["order_id"], "triggered")
        assert (made["trigger_order_id"], made["order_state"], made["order_type"]) == (
            waits["order_id"],
            "filled",
            "market",
        )
        (trade, _) = (await talk.ask("private/get_user_trades_by_currency", currency="USDC"))["trades"]
        assert (trade["order_id"], trade["label"]) == (made["order_id"], "stop")
        assert await talk.ask("private/get_open_orders") == []

    rehearse(story)


def test_a_trigger_order_that_fires_with_nothing_left_to_reduce_makes_an_order_that_ends_unfilled() -> None:
    async def story(talk: Talk) -> None:
        await talk.order("buy", "0.1")
        waits = await talk.order(
            "sell", "0.1", type="stop_market", trigger_price=59_000, reduce_only=True, label="late"
        )
        talk.trade("-0.1")
        talk.move("58000")
        made, fired = await talk.ask("private/get_order_state_by_label", currency="USDC", label="late")
        assert (fired["order_id"], fired["order_state"]) == (waits["order_id"], "triggered")
        assert (made["order_state"], made["filled_amount"]) == ("cancelled", 0)

    rehearse(story)


def test_a_trigger_order_is_cancelled_and_edited_before_it_fires() -> None:
    async def story(talk: Talk) -> None:
        await talk.order("buy", "0.1")
        waits = await talk.order("sell", "0.1", type="stop_limit", price=58_000, trigger_price=59_000)
        edited = (await talk.ask("private/edit", order_id=waits["order_id"], trigger_price=58_500, price=57_000))[
            "order"
        ]
        assert (edited["trigger_price"], edited["price"], edited["order_state"]) == (58_500, 57_000, "untriggered")
        talk.move("58900")
        cancelled = await talk.ask("private/cancel", order_id=waits["order_id"])
        assert (cancelled["order_state"], cancelled["triggered"]) == ("cancelled", False)

    rehearse(story)


def test_times_in_force() -> None:
    async def story(talk: Talk) -> None:
        away = await talk.order("buy", "0.1", time_in_force="immediate_or_cancel", **LIMIT)
        assert (away["order_state"], away["filled_amount"]) == ("cancelled", 0)
        part = await talk.order("buy", "1", type="limit", price=60_001, time_in_force="immediate_or_cancel")
        assert (part["order_state"], part["filled_amount"]) == ("cancelled", D("0.8"))
        none = await talk.order("buy", "1", type="limit", price=60_001, time_in_force="fill_or_kill")
        assert (none["order_state"], none["filled_amount"]) == ("cancelled", 0)
        crossing = {"instrument_name": BTC, "amount": 0.1, "price": 61_000, "post_only": True}
        refused = await talk.refusal("private/buy", reject_post_only=True, **crossing)
        assert (refused.code, refused.message) == (11054, "post_only_reject")
        moved = (await talk.ask("private/buy", **crossing))["order"]
        assert (moved["order_state"], moved["price"]) == ("open", 60_000)
        sold = (await talk.ask("private/sell", **(crossing | {"price": 59_000})))["order"]
        assert (sold["order_state"], sold["price"]) == ("open", 60_000)

    rehearse(story)


def test_a_position_is_closed_at_the_market_or_with_a_limit() -> None:
    async def story(talk: Talk) -> None:
        await talk.order("sell", "0.2")
        rests = await talk.ask("private/close_position", instrument_name=BTC, type="limit", price=50_000)
        order = rests["order"]
        assert (order["direction"], order["amount"], order["reduce_only"]) == ("buy", D("0.2"), True)
        await talk.ask("private/cancel", order_id=order["order_id"])
        closed = await talk.ask("private/close_position", instrument_name=BTC, type="market")
        assert (closed["order"]["order_state"], len(closed["trades"])) == ("filled", 1)
        for kind in ("market", "limit"):
            nothing = await talk.refusal("private/close_position", instrument_name=BTC, type=kind, price=50_000)
            assert nothing.code == 11030

    rehearse(story)


def test_orders_are_cancelled_by_label_by_instrument_by_currency_and_all() -> None:
    async def story(talk: Talk) -> None:
        async def rest() -> None:
            for name, label in ((BTC, "a"), (BTC, "b"), (XBT, "a")):
                size = "0.1" if name == BTC else "10"
                await talk.order("buy", size, name, label=label, **LIMIT)

        for method, params, count in (
            ("private/cancel_by_label", {"label": "a"}, 2),
            ("private/cancel_by_label", {"label": "a", "currency": "BTC"}, 1),
            ("private/cancel_all_by_instrument", {"instrument_name": BTC}, 2),
            ("private/cancel_all_by_currency", {"currency": "BTC"}, 1),
            ("private/cancel_all", {}, 3),
        ):
            await rest()
            assert await talk.ask(method, **params) == count, method
            await talk.ask("private/cancel_all")

    rehearse(story)


REFUSED: list[tuple[Json, int, str]] = [
    ({"amount": 0.0015}, -32602, "amount"),
    ({"amount": 0}, -32602, "amount"),
    ({"amount": "much"}, -32602, "amount"),
    ({"price": 50_000.3}, -32602, "price"),
    ({"price": None}, -32602, "price"),
    ({"price": 1}, 10005, ""),
    ({"price": 900_000}, 10007, ""),
    ({"amount": 10_000}, 10009, ""),
    ({"reduce_only": True}, 11030, ""),
    ({"label": "x" * 65}, -32602, "label"),
    ({"type": "iceberg"}, -32602, "type"),
    ({"type": "trailing_stop"}, 10033, ""),
    ({"time_in_force": "good_til_day"}, 10033, ""),
    ({"type": "stop_limit"}, -32602, "trigger_price"),
    ({"type": "stop_market", "trigger_price": 59_000}, 10035, ""),
    ({"type": "take_market", "trigger_price": 61_000}, 10034, ""),
    ({"instrument_name": "BTC_USDC"}, 13020, ""),
    ({"time_in_force": "immediate_or_cancel", "post_only": True}, 11047, ""),
]


@pytest.mark.parametrize(("changed", "code", "param"), REFUSED)
def test_what_is_wrong_with_an_order_is_told_by_its_code(changed: Json, code: int, param: str) -> None:
    async def story(talk: Talk) -> None:
        terms = {"instrument_name": BTC, "amount": 0.1, "type": "limit", "price": 50_000} | changed
        refused = await talk.refusal("private/buy", **terms)
        assert (refused.status, refused.code) == (400, code)
        assert not param or refused.data["param"] == param
        assert await talk.ask("private/get_open_orders") == []

    rehearse(story)


def test_an_order_that_came_too_late_is_not_placed() -> None:
    async def story(talk: Talk) -> None:
        late = await talk.refusal(
            "private/buy", instrument_name=BTC, amount=0.1, type="market", valid_until=talk.now_ms
        )
        assert late.code == 13888
        await talk.order("buy", "0.1", valid_until=talk.now_ms + 1)

    rehearse(story)


def test_unknown_orders_are_not_found() -> None:
    async def story(talk: Talk) -> None:
        for method in ("private/cancel", "private/edit", "private/get_order_state"):
            unknown = await talk.refusal(method, order_id="USDC-12345", amount=0.1)
            assert (unknown.code, unknown.message) == (10004, "order_not_found")

    rehearse(story)


def test_the_end_of_an_order_is_told_for_half_an_hour_and_then_only_as_history() -> None:
    async def story(talk: Talk) -> None:
        order = await talk.order("buy", "0.1", label="past")
        rests = await talk.order("buy", "0.1", label="rests", **LIMIT)
        past = {"currency": "USDC"}
        assert [row["label"] for row in await talk.ask("private/get_order_history_by_currency", **past)] == ["past"]
        assert await talk.ask("private/get_order_history_by_currency", historical=True, **past) == []
        talk.clock.pass_ms(31 * 60_000)
        await talk.log_in()
        assert (await talk.refusal("private/get_order_state", order_id=order["order_id"])).code == 10004
        assert await talk.ask("private/get_order_state_by_label", currency="USDC", label="past") == []
        assert (await talk.ask("private/get_order_state", order_id=rests["order_id"]))["order_state"] == "open"
        assert await talk.ask("private/get_order_history_by_currency", **past) == []
        old = await talk.ask("private/get_order_history_by_instrument", instrument_name=BTC, historical=True)
        assert [row["order_id"] for row in old] == [order["order_id"]]

    rehearse(story)


def test_an_order_whose_time_ran_out_has_no_answer_and_stands() -> None:
    async def story(talk: Talk) -> None:
        body = {"jsonrpc": "2.0", "id": 1, "method": "private/buy"}
        params = {"instrument_name": BTC, "amount": 0.1, "type": "market", "label": "lost"}
        assert (await talk.post(body | {"params": params})).status_code == 504
        (found,) = await talk.ask("private/get_order_state_by_label", currency="USDC", label="lost")
        assert (found["order_state"], found["api"]) == ("filled", True)

    rehearse(story, TimeOut(account=world.DERIBIT, nth=1, placed=True))


def test_while_the_exchange_is_down_it_is_under_maintenance() -> None:
    async def story(talk: Talk) -> None:
        await talk.order("buy", "0.1")
        talk.step(1_000)
        down = await talk.refusal("private/get_positions")
        assert (down.status, down.code) == (503, 11051)

    rehearse(story, Outage(account=world.DERIBIT, nth=1, for_ms=60_000))


def test_somebodys_order_by_hand_shows_as_made_on_the_web() -> None:
    async def story(talk: Talk) -> None:
        talk.trade("0.1")
        (order,) = await talk.ask("private/get_order_history_by_currency", currency="USDC")
        assert (order["web"], order["api"], order["label"]) == (True, False, "")
        assert isinstance(order["price"], Decimal | int)

    rehearse(story)


LISTS: dict[str, Json] = {
    "private/get_open_orders": {},
    "private/get_open_orders_by_currency": {"currency": "USDC"},
    "private/get_open_orders_by_instrument": {"instrument_name": BTC},
    "private/get_open_orders_by_label": {"currency": "USDC", "label": "rests"},
}
