"""What is read is what happened: trades in pages, positions, summaries, and a log that adds up to the balance."""

from decimal import Decimal
from random import Random

import pytest

from tests.testing.servers.jsonrpc_derivatives.talk import BTC, EVER, XBT, D, Row, Talk, eventful, rehearse
from tests.venues.paper.world import HandClock
from trueup.model.errors import BadInput
from trueup.model.events import FundingPaid
from trueup.model.instruments import Instrument
from trueup.model.numbers import exact
from trueup.testing.servers.jsonrpc_derivatives import world
from trueup.testing.servers.jsonrpc_derivatives.markets import Markets
from trueup.venues.paper.exchange import PaperExchange
from trueup.venues.paper.faults import PartialSnapshot
from trueup.venues.paper.markets import Market

TINY = D("1e-7")
"""How far figures of an inverse contract may lie apart, which are shown to eight places."""


def test_positions_are_what_is_held_and_flat_ones_are_listed_as_zero() -> None:
    async def story(talk: Talk) -> None:
        await talk.order("buy", "0.5")
        await talk.order("sell", "1000", XBT)
        talk.trade("0.1", "ETH_USDC-PERPETUAL")
        talk.trade("-0.1", "ETH_USDC-PERPETUAL")
        rows = {row["instrument_name"]: row for row in await talk.ask("private/get_positions")}
        assert {name: (row["size"], row["direction"]) for name, row in rows.items()} == {
            BTC: (D("0.5"), "buy"),
            XBT: (D(-1_000), "sell"),
            "ETH_USDC-PERPETUAL": (0, "zero"),
        }
        assert rows[BTC]["average_price"] == D("60000.6")
        assert rows[BTC]["floating_profit_loss"] == D("0.5") * (60_000 - D("60000.6"))
        assert rows[XBT]["size_currency"] == D("-0.01666667")
        for currency, names in (("USDC", {BTC, "ETH_USDC-PERPETUAL"}), ("BTC", {XBT}), ("ETH", set())):
            listed = await talk.ask("private/get_positions", currency=currency)
            assert {row["instrument_name"] for row in listed} == names
        assert await talk.ask("private/get_positions", kind="option") == []
        assert await talk.ask("private/get_position", instrument_name=BTC) == rows[BTC]
        untraded = await talk.ask("private/get_position", instrument_name="SOL_USDC-PERPETUAL")
        assert (untraded["size"], untraded["direction"]) == (0, "zero")

    rehearse(story)


def test_the_summary_is_cash_and_the_session_and_together_what_the_exchange_has() -> None:
    async def story(talk: Talk) -> None:
        await eventful(talk)
        whole = await talk.ask("private/get_account_summaries")
        rows = {row["currency"]: row for row in whole["summaries"]}
        assert set(rows) >= {"USDC", "BTC", "ETH"}
        snapshot = talk.exchange.snapshot(talk.account)
        for currency, floating in (("USDC", "BTC/USDC:USDC"), ("BTC", "BTC/USD:BTC")):
            row, held = rows[currency], (snapshot.positions or {})[floating, "net"]
            with exact():
                assert row["equity"] == (snapshot.balances or {})[currency] + (held.unrealized_pnl or 0)
                assert row["equity"] == row["balance"] + row["session_rpl"] + row["session_upl"]
            assert await talk.ask("private/get_account_summary", currency=currency) == row
        for name, size in talk.exchange.truth(talk.account).positions.items():
            talk.exchange.trade_by_hand(talk.account, name, "sell" if size > 0 else "buy", abs(size))
        flat = await talk.ask("private/get_account_summary", currency="USDC")
        assert flat["equity"] == talk.exchange.truth(talk.account).balances["USDC"]
        assert (flat["session_upl"], flat["maintenance_margin"]) == (0, 0)

    rehearse(story)


def test_the_changes_of_the_log_add_up_to_the_balance_and_funding_is_told_by_settlements() -> None:
    async def story(talk: Talk) -> None:
        await eventful(talk)
        talk.step()
        await talk.log_in()
        for currency in ("USDC", "BTC"):
            rows = (await talk.ask("private/get_transaction_log", currency=currency, **EVER))["logs"]
            oldest_first = rows[::-1]
            assert [row["user_seq"] for row in oldest_first] == sorted(row["user_seq"] for row in rows)
            balance = D(0)
            for row in oldest_first:
                balance += row["change"]
                assert abs(row["balance"] - balance) < TINY
            summary = await talk.ask("private/get_account_summary", currency=currency)
            assert abs(summary["balance"] - balance) < TINY
            facts, _ = talk.exchange.history(talk.account, None)
            funded = [fact for fact in facts if isinstance(fact, FundingPaid)]
            paid = [row["interest_pl"] for row in oldest_first if row["type"] == "settlement"]
            assert paid == [fact.amount for fact in funded if fact.currency == currency]
            settled = [row for row in rows if row["type"] == "settlement"]
            assert all(abs(row["change"] - row["session_rpl"] - row["session_upl"]) < TINY for row in settled)
            assert len(settled) == 2

    rehearse(story)


def test_the_log_is_continued_page_by_page_and_leaves_nothing_out() -> None:
    async def story(talk: Talk) -> None:
        await eventful(talk)
        every = (await talk.ask("private/get_transaction_log", currency="USDC", **EVER))["logs"]
        told: list[Row] = []
        more: dict[str, int] = {}
        while True:
            page = await talk.ask("private/get_transaction_log", currency="USDC", count=2, **EVER, **more)
            told += page["logs"]
            if page["continuation"] is None:
                break
            more = {"continuation": page["continuation"]}
        assert told == every
        assert len(every) > 4
        deposits = await talk.ask("private/get_transaction_log", currency="USDC", query="deposit", **EVER)
        assert {row["type"] for row in deposits["logs"]} == {"deposit"}
        late = {"start_timestamp": talk.now_ms, "end_timestamp": talk.now_ms}
        newest = await talk.ask("private/get_transaction_log", currency="USDC", **late)
        assert {row["timestamp"] for row in newest["logs"]} == {talk.now_ms}
        assert (await talk.refusal("private/get_transaction_log", currency="USDC")).data["param"] == "start_timestamp"
        assert (await talk.refusal("private/get_transaction_log", currency="any", **EVER)).code == -32602
        assert (await talk.refusal("private/get_transaction_log", currency="USDC", count=251, **EVER)).code == -32602

    rehearse(story)


@pytest.mark.parametrize("sorting", ["asc", "desc"])
def test_trades_come_in_pages_from_either_end(sorting: str) -> None:
    async def story(talk: Talk) -> None:
        for number in range(7):
            talk.trade("0.001" if number % 2 else "-0.002")
            talk.clock.pass_ms(10)
        asked = {"currency": "USDC", "sorting": sorting, **EVER}
        every = (await talk.ask("private/get_user_trades_by_currency_and_time", count=1_000, **asked))["trades"]
        ids = [int(row["trade_id"].removeprefix("USDC-")) for row in every]
        assert ids == sorted(ids, reverse=sorting == "desc")
        assert len(set(ids)) == 7
        first = await talk.ask("private/get_user_trades_by_currency_and_time", count=3, **asked)
        assert (first["trades"], first["has_more"]) == (every[:3], True)
        assert (await talk.ask("private/get_user_trades_by_currency_and_time", count=7, **asked))["has_more"] is False

    rehearse(story)


def test_trades_are_chosen_by_id_by_number_by_time_and_by_contract() -> None:
    async def story(talk: Talk) -> None:
        for _ in range(4):
            talk.trade("0.001")
            talk.trade("10", XBT)
            talk.clock.pass_ms(1_000)
        by_currency = "private/get_user_trades_by_currency"
        usdc = (await talk.ask(by_currency, currency="USDC"))["trades"]
        assert [row["instrument_name"] for row in usdc] == [BTC] * 4
        assert usdc[0]["trade_seq"] > usdc[3]["trade_seq"], "newest first, where nothing is said"
        from_second = await talk.ask(by_currency, currency="USDC", start_id=usdc[2]["trade_id"])
        assert from_second["trades"] == usdc[2::-1], "oldest first, where it is said where to begin"
        till_third = await talk.ask(by_currency, currency="USDC", end_id=usdc[1]["trade_id"], sorting="desc")
        assert till_third["trades"] == usdc[1:]
        xbt = (await talk.ask("private/get_user_trades_by_instrument", instrument_name=XBT, sorting="asc"))["trades"]
        assert [row["trade_id"].isdigit() for row in xbt] == [True] * 4
        numbered = {"start_seq": xbt[1]["trade_seq"], "end_seq": xbt[2]["trade_seq"]}
        assert (await talk.ask("private/get_user_trades_by_instrument", instrument_name=XBT, **numbered))[
            "trades"
        ] == xbt[1:3]
        timed = {"start_timestamp": xbt[1]["timestamp"], "end_timestamp": xbt[2]["timestamp"]}
        by_time = "private/get_user_trades_by_instrument_and_time"
        assert (await talk.ask(by_time, instrument_name=XBT, **timed))["trades"] == xbt[1:3]
        assert (await talk.refusal(by_time, instrument_name=XBT)).data["param"] == "start_timestamp"
        assert (await talk.refusal(by_currency, currency="USDC", count=1_001)).code == -32602
        assert (await talk.ask(by_currency, currency="USDC", kind="option"))["trades"] == []

    rehearse(story)


def test_a_days_trades_are_recent_and_older_ones_historical() -> None:
    async def story(talk: Talk) -> None:
        talk.trade("0.001")
        read = {"currency": "USDC", "sorting": "asc", **EVER}
        by_time = "private/get_user_trades_by_currency_and_time"

        async def told() -> list[int]:
            return [len((await talk.ask(by_time, historical=past, **read))["trades"]) for past in (False, True)]

        assert await told() == [1, 0], "it takes a while until it is found as history"
        talk.clock.pass_ms(60_000)
        assert await told() == [1, 1]
        talk.clock.pass_ms(24 * 3_600_000)
        await talk.log_in()
        assert await told() == [0, 1]

    rehearse(story)


def test_a_liquidation_is_told_in_the_trade_in_the_log_and_by_orders_that_it_ended() -> None:
    async def story(talk: Talk) -> None:
        talk.exchange.deposit(talk.account, "USDC", D(-99_000))
        await talk.order("buy", "0.3")
        await talk.order("buy", "0.001", type="limit", price=20_000, label="resting")
        waits = await talk.order("sell", "0.1", type="stop_market", trigger_price=30_000, reduce_only=True)
        talk.move("56000")
        (trade, *_) = (await talk.ask("private/get_user_trades_by_currency", currency="USDC"))["trades"]
        assert (trade["order_type"], trade["liquidation"], trade["direction"]) == ("liquidation", "T", "sell")
        (order,) = await talk.ask("private/get_order_state_by_label", currency="USDC", label="resting")
        assert (order["order_state"], order["cancel_reason"]) == ("cancelled", "autoliquidation")
        stop = await talk.ask("private/get_order_state", order_id=waits["order_id"])
        assert (stop["order_state"], stop["triggered"]) == ("cancelled", False)
        forced = await talk.ask("private/get_order_state", order_id=trade["order_id"])
        assert forced["is_liquidation"] is True
        log = await talk.ask("private/get_transaction_log", currency="USDC", **EVER)
        assert log["logs"][0]["type"] == "liquidation"

    rehearse(story)


def test_markets_are_described_and_priced() -> None:
    async def story(talk: Talk) -> None:
        rows = {row["instrument_name"]: row for row in await talk.ask("public/get_instruments", currency="any")}
        assert set(rows) >= {BTC, XBT}
        assert [row["instrument_name"] for row in await talk.ask("public/get_instruments", currency="BTC")] == [XBT]
        assert await talk.ask("public/get_instruments", currency="any", kind="spot") == []
        assert await talk.ask("public/get_instruments", currency="any", expired=True) == []
        assert await talk.ask("public/get_instrument", instrument_name=BTC) == rows[BTC]
        assert (rows[BTC]["future_type"], rows[XBT]["future_type"]) == ("linear", "reversed")
        assert (rows[XBT]["contract_size"], rows[XBT]["min_trade_amount"], rows[XBT]["tick_size"]) == (10, 10, D("0.5"))
        ticker = await talk.ask("public/ticker", instrument_name=BTC)
        assert (ticker["best_bid_price"], ticker["mark_price"], ticker["best_ask_price"]) == (
            D("59999.5"),
            60_000,
            D("60000.5"),
        )
        currencies = {row["currency"] for row in await talk.ask("public/get_currencies")}
        assert currencies >= {"USDC", "BTC", "ETH", "SOL"}

    rehearse(story)


def test_where_the_exchange_does_not_say_how_things_stand_it_is_to_be_asked_again() -> None:
    async def story(talk: Talk) -> None:
        again = await talk.refusal("private/get_positions")
        assert (again.code, again.message) == (10040, "retry")
        assert await talk.ask("private/get_positions") == []

    rehearse(story, PartialSnapshot(account=world.DERIBIT, nth=1, part="positions"))


@pytest.mark.parametrize(
    "changed",
    [
        {"native_symbol": "BTCPERP"},
        {"native_symbol": "ETH_USDC-PERPETUAL"},
        {"kind": "spot", "native_symbol": "BTC_USDC"},
        {"contract_size": Decimal(10)},
        {"settle": "USDT"},
    ],
)
def test_markets_that_the_engine_could_not_have_are_refused(changed: Row) -> None:
    terms: Row = {"base": "BTC", "quote": "USDC", "settle": "USDC", "native_symbol": BTC, "kind": "linear"} | changed
    instrument = Instrument("BTC/USDC:USDC", price_tick=D(1), quantity_step=D(1), **terms)
    market = Market(instrument, price=D(60_000), depth=D(1))
    with pytest.raises(BadInput):
        Markets(PaperExchange([market], clock=HandClock(), random=Random(1)))
