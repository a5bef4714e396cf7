"""Whatever happens: dense ids, a balance that every transaction proves, and what OANDA's reader makes of it all."""

from collections import Counter
from collections.abc import Callable, Iterable
from decimal import Decimal
from itertools import pairwise
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.testing.servers.kit.ticking import HandClock
from tests.testing.servers.oanda.talk import Row, Talk
from trueup.model.events import Fact, FillBooked, FundingPaid, InstrumentDefined, OrderReported, TransferBooked
from trueup.model.identifiers import AccountId
from trueup.model.numbers import ZERO
from trueup.testing.servers.oanda.demo import (
    ACCOUNT,
    ACCOUNT_ID,
    COLLATERAL,
    DEPOSIT,
    HEDGED_ACCOUNT,
    HEDGED_ACCOUNT_ID,
    demo_exchange,
    demo_markets,
)
from trueup.venues.oanda.reader import OandaReader
from trueup.venues.paper.exchange import PaperExchange

EURO, YEN = "EUR/USD", "USD/JPY"

ACCOUNTS = [(ACCOUNT_ID, ACCOUNT), (HEDGED_ACCOUNT_ID, HEDGED_ACCOUNT)]

units = st.integers(-3, 3).filter(bool).map(lambda n: str(n * 1_000))
instruments = st.sampled_from(["EUR_USD", "USD_JPY"])
prices = {"EUR_USD": "1.08%03d", "USD_JPY": "150.%03d"}
steps = st.one_of(
    st.tuples(st.just("market"), instruments, units),
    st.tuples(st.just("limit"), instruments, units, st.integers(0, 999)),
    st.tuples(st.just("stop"), instruments, units, st.integers(0, 999)),
    st.tuples(st.just("reduce"), instruments, units),
    st.tuples(st.just("close"), instruments),
    st.tuples(st.just("close trade")),
    st.tuples(st.just("protected"), instruments, units),
    st.tuples(st.just("cancel")),
    st.tuples(st.just("replace"), st.integers(0, 999)),
    st.tuples(st.just("by hand"), st.sampled_from([EURO, YEN]), st.sampled_from(["buy", "sell"])),
    st.tuples(st.just("advance"), st.integers(1, 4_000)),
    st.tuples(st.just("deposit"), st.integers(-50, 50).filter(bool)),
)


def take(talk: Talk, account: AccountId, step: tuple[Any, ...]) -> None:
    """Take a step; that the server refuses one is part of the story."""
    TAKEN[step[0]](talk, account, *step[1:])


def _post(talk: Talk, **order: object) -> None:
    talk.ask("POST", "/orders", {"order": order})


def _protected(talk: Talk, _account: AccountId, name: str, size: str) -> None:
    onward = {"takeProfitOnFill": {"price": prices[name] % 999}, "stopLossOnFill": {"price": prices[name] % 0}}
    _post(talk, type="MARKET", instrument=name, units=size, **onward)


def _close_trade(talk: Talk, _account: AccountId) -> None:
    for trade in talk.get("/openTrades")["trades"][:1]:
        talk.ask("PUT", f"/trades/{trade['id']}/close", {"units": "1000"})


def _cancel(talk: Talk, _account: AccountId) -> None:
    for order in talk.get("/pendingOrders")["orders"][:1]:
        talk.put(f"/orders/{order['id']}/cancel")


def _replace(talk: Talk, _account: AccountId, at: int) -> None:
    for order in talk.get("/pendingOrders")["orders"][:1]:
        name = order.get("instrument", "EUR_USD")
        talk.ask("PUT", f"/orders/{order['id']}", {"order": order | {"price": prices[name] % at}})


def _advance(talk: Talk, _account: AccountId, seconds: int) -> None:
    talk.clock.pass_s(seconds)
    talk.exchange.advance()


TAKEN: dict[str, Callable[..., object]] = {
    "market": lambda talk, _, name, size: _post(talk, type="MARKET", instrument=name, units=size),
    "limit": lambda talk, _, name, size, at: _post(
        talk, type="LIMIT", instrument=name, units=size, price=prices[name] % at
    ),
    "stop": lambda talk, _, name, size, at: _post(
        talk, type="STOP", instrument=name, units=size, price=prices[name] % at
    ),
    "reduce": lambda talk, _, name, size: _post(
        talk, type="MARKET", instrument=name, units=size, positionFill="REDUCE_ONLY"
    ),
    "protected": _protected,
    "close": lambda talk, _, name: talk.ask("PUT", f"/positions/{name}/close", {}),
    "close trade": _close_trade,
    "cancel": _cancel,
    "replace": _replace,
    "by hand": lambda talk, account, symbol, side: talk.exchange.trade_by_hand(account, symbol, side, Decimal(1_000)),
    "advance": _advance,
    "deposit": lambda talk, account, amount: talk.exchange.deposit(account, "USD", Decimal(amount)),
}


def read(talk: Talk, account: AccountId, *answers: Row) -> tuple[list[Fact], list[str]]:
    """What the reader makes of answers; the notes are what does not hold together."""
    reader = OandaReader(account)
    facts: list[Fact] = []
    notes = []
    for answer in ({"account": talk.get("/summary")["account"], "lastTransactionID": "1"}, *answers):
        reading = reader.read("answer", msgspec.json.encode(answer))
        assert not reading.refused
        facts += reading.facts
        notes += [reading.note] * bool(reading.note)
    return facts, notes


def assert_proven(rows: Iterable[Row], balance: Decimal) -> None:
    """Each transaction's balance follows from the one before."""
    running = ZERO
    for row in rows:
        if "accountBalance" in row:
            field = {"TRANSFER_FUNDS": "amount", "DAILY_FINANCING": "financing", "ORDER_FILL": "pl"}[row["type"]]
            running += Decimal(row[field]) - Decimal(row.get("commission", 0))
            assert running == Decimal(row["accountBalance"]), row
    assert running == balance


@pytest.mark.parametrize(("account_id", "account"), ACCOUNTS)
@settings(max_examples=60, deadline=None)
@given(story=st.lists(steps, max_size=25))
def test_any_story_can_be_proved(account_id: str, account: AccountId, story: list[tuple[Any, ...]]) -> None:
    talk = _costly()
    talk.account_id = account_id
    for step in story:
        take(talk, account, step)
    rows = talk.transactions()
    assert [int(row["id"]) for row in rows] == list(range(1, len(rows) + 1))
    assert all(earlier["time"] <= later["time"] for earlier, later in pairwise(rows))
    assert_proven(rows, talk.balance())

    facts, notes = read(talk, account, talk.get("/transactions/idrange?from=1&to=100000"))
    assert not [note for note in notes if "unexplained" in note or "not in this answer" in note]
    cash = sum((fact.amount for fact in facts if isinstance(fact, TransferBooked | FundingPaid)), ZERO)
    fills = [fact for fact in facts if isinstance(fact, FillBooked)]
    cash += sum(((fill.settled_amount or ZERO) - fill.fee for fill in fills), ZERO)
    assert cash == talk.balance()

    held: Counter[tuple[str, str]] = Counter()
    for fill in fills:
        held[fill.instrument, fill.position_side] += int(fill.quantity if fill.side == "buy" else -fill.quantity)
    truth = talk.exchange.snapshot(account).positions or {}
    assert {key: size for key, size in held.items() if size} == {
        key: int(position.quantity) for key, position in truth.items() if position.quantity
    }
    _assert_same_state(talk, account, facts)


def _assert_same_state(talk: Talk, account: AccountId, facts: Iterable[Fact]) -> None:
    """What the account's answer states is what its transactions come to, and what the exchange has."""
    snapshot = OandaReader(account).read("account", msgspec.json.encode(talk.get(""))).snapshot
    truth = talk.exchange.snapshot(account)
    assert snapshot is not None
    assert truth.positions is not None
    assert truth.open_orders is not None
    assert {key: position.quantity for key, position in (snapshot.positions or {}).items()} == {
        key: position.quantity for key, position in truth.positions.items()
    }
    assert snapshot.balances == {"USD": talk.balance()}
    assert len(snapshot.open_orders or {}) == len(truth.open_orders)
    newest = {fact.venue_order_id: fact for fact in facts if isinstance(fact, OrderReported)}
    working = {name for name, fact in newest.items() if fact.status in {"open", "partially_filled"}}
    assert working == set(snapshot.open_orders or {})


def test_every_answer_of_the_account_is_read() -> None:
    talk = _eventful()
    for path in (
        "",
        "/summary",
        "/positions",
        "/openPositions",
        "/positions/EUR_USD",
        "/openTrades",
        "/trades?state=ALL",
        "/trades/5",
        "/orders?state=ALL",
        "/pendingOrders",
        "/instruments",
        "/changes?sinceTransactionID=1",
        "/transactions/5",
        "/transactions/sinceid?id=1",
    ):
        reader = OandaReader(ACCOUNT)
        reader.read("account", msgspec.json.encode(talk.get("")))
        reading = reader.read(path, msgspec.json.encode(talk.get(path)))
        assert not reading.refused, path
        assert reading.rows, path


def test_instruments_are_the_exchanges() -> None:
    talk = Talk()
    reading = OandaReader(ACCOUNT).read("instruments", msgspec.json.encode(talk.get("/instruments")))
    read_terms = [fact.instrument for fact in reading.facts if isinstance(fact, InstrumentDefined)]
    assert read_terms == list(talk.exchange.instruments(ACCOUNT))


def test_yen_are_converted_at_the_rate_of_the_moment() -> None:
    talk = Talk()
    talk.order(type="MARKET", instrument="USD_JPY", units="1000")
    talk.exchange.move(YEN, Decimal("151.000"))
    fill = talk.put("/positions/USD_JPY/close", {"longUnits": "ALL"})["longOrderFillTransaction"]
    # bought at 150.258, sold at 150.992: 734 yen, at 151 to the dollar
    assert (fill["pl"], fill["accountBalance"]) == ("4.8609", "100004.8609")
    assert fill["gainQuoteHomeConversionFactor"] == "0.00662252"


def test_financing_is_shared_by_trades() -> None:
    talk = Talk()
    for size in ("1000", "2000"):
        talk.order(type="MARKET", units=size)
    talk.clock.pass_s(3_600)
    talk.exchange.advance()
    row = next(row for row in talk.transactions() if row["type"] == "DAILY_FINANCING")
    (position,) = row["positionFinancings"]
    parts = [Decimal(part["financing"]) for part in position["openTradeFinancings"]]
    assert Decimal(row["financing"]) == Decimal(position["financing"]) == sum(parts) < ZERO
    trades = talk.get("/openTrades")["trades"]
    assert sorted(Decimal(trade["financing"]) for trade in trades) == sorted(parts)
    assert Decimal(talk.get("/positions/EUR_USD")["position"]["financing"]) == sum(parts)


def test_who_is_ruined_is_closed_out() -> None:
    clock = HandClock()
    exchange = demo_exchange(clock, Random(1))
    talk = Talk(exchange=exchange, clock=clock)
    talk.order(type="MARKET", units="4000000", clientExtensions={"id": "big"})
    talk.order(type="LIMIT", units="1000", price="1.05")
    exchange.move(EURO, Decimal("1.07000"))
    rows = talk.transactions()[5:]
    assert [row["type"] for row in rows] == ["LIMIT_ORDER", "ORDER_CANCEL", "MARKET_ORDER", "ORDER_FILL"]
    assert rows[1]["reason"] == "INSUFFICIENT_MARGIN"
    assert (rows[2]["reason"], rows[2]["marginCloseout"]) == (
        "MARGIN_CLOSEOUT",
        {"reason": "MARGIN_CHECK_VIOLATION"},
    )
    assert rows[3]["reason"] == "MARKET_ORDER_MARGIN_CLOSEOUT"
    facts, _ = read(talk, ACCOUNT, talk.get("/transactions/idrange?from=1&to=100000"))
    assert [fact.liquidation for fact in facts if isinstance(fact, FillBooked)] == ["", "margin_closeout"]


def test_what_was_done_before_the_server_came_is_there() -> None:
    clock = HandClock()
    exchange = demo_exchange(clock, Random(1))
    exchange.trade_by_hand(ACCOUNT, EURO, "buy", Decimal(500))
    assert _types(Talk(exchange=exchange, clock=clock)) == [
        "CREATE",
        "CLIENT_CONFIGURE",
        "TRANSFER_FUNDS",
        "MARKET_ORDER",
        "ORDER_FILL",
    ]


def test_an_account_without_any_history_has_no_transactions() -> None:
    clock = HandClock()
    exchange = PaperExchange(demo_exchange(clock, Random(1)).markets.values(), clock=clock, random=Random(1))
    for account in (ACCOUNT, HEDGED_ACCOUNT):
        exchange.open_account(account, {})
    talk = Talk(exchange=exchange, clock=clock)
    assert _types(talk) == []
    assert talk.get("/summary")["lastTransactionID"] == "0"


def _costly() -> Talk:
    """The demo with commissions, and so shallow that orders are filled in parts."""
    clock = HandClock()
    costs = {"depth": Decimal(1_300), "taker_fee": Decimal("0.00007"), "maker_fee": Decimal("0.00003")}
    markets = [msgspec.structs.replace(market, **costs) for market in demo_markets()]
    exchange = PaperExchange(markets, clock=clock, random=Random(7))
    for account in (ACCOUNT, HEDGED_ACCOUNT):
        exchange.open_account(account, {**DEPOSIT, **COLLATERAL}, hedged=account == HEDGED_ACCOUNT)
    return Talk(exchange=exchange, clock=clock)


def _types(talk: Talk) -> list[str]:
    return [row["type"] for row in talk.get("/transactions/sinceid?id=0")["transactions"]]


def _eventful() -> Talk:
    """Some of everything."""
    talk = Talk()
    stories: list[tuple[Any, ...]] = [
        ("protected", "EUR_USD", "2000"),
        ("limit", "EUR_USD", "1000", 100),
        ("market", "USD_JPY", "-1000"),
        ("market", "EUR_USD", "-500"),
        ("advance", 3_700),
        ("replace", 90),
        ("close", "USD_JPY"),
    ]
    for step in stories:
        take(talk, ACCOUNT, step)
    return talk
