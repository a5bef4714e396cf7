"""Seven exchanges by their documented answers over a real socket: what is held, what happened, what was asked."""

import asyncio
from collections.abc import Mapping
from decimal import Decimal

import msgspec
import pytest

from tests.venues.ccxt.replay import Saved, replaying, saved
from tests.venues.ccxt.worlds import NOW, WORLDS, bybit
from trueup.model.differences import VenueSnapshot
from trueup.model.events import Fact, FillBooked, FundingPaid, TransferBooked
from trueup.model.instruments import Instrument
from trueup.model.numbers import canonical
from trueup.ports import Refused
from trueup.venues.ccxt.live import CcxtVenue


class Told(msgspec.Struct):
    """Everything that an adapter told of one account."""

    instruments: Mapping[str, Instrument]
    snapshot: VenueSnapshot
    facts: list[Fact]
    refused: list[Refused]
    missing: set[str]


async def all_of(venue: CcxtVenue) -> tuple[VenueSnapshot, list[Fact]]:
    snapshot = await venue.snapshot()
    return snapshot, [fact async for page, _ in venue.history(str(NOW - 86_400_000)) for fact in page]


def told(exchange: str, answers: Saved, *, hedged: bool = False) -> Told:
    async def main() -> Told:
        async with replaying(exchange, answers, hedged=hedged) as (venue, replay):
            instruments = {terms.symbol: terms for terms in await venue.instruments()}
            snapshot, facts = await all_of(venue)
            methods = {request.method for request in replay.asked}
            assert methods == {"GET"}, methods
            return Told(instruments, snapshot, facts, list(venue.refused()), set(replay.missing))

    return asyncio.run(main())


def lines(facts: list[Fact]) -> set[str]:
    """Facts in short."""
    short = set()
    for fact in facts:
        match fact:
            case FillBooked():
                short.add(
                    f"fill {fact.venue_trade_id} {fact.side} {fact.quantity} at {fact.price} "
                    f"fee {fact.fee} {fact.fee_currency} {fact.client_order_id} {fact.liquidation}".rstrip()
                )
            case FundingPaid():
                short.add(f"funding {fact.instrument} {canonical(fact.amount)} {fact.currency}")
            case TransferBooked():
                short.add(f"{fact.reason} {fact.amount} {fact.currency}")
            case _:
                short.add(type(fact).__name__)
    return short


POSITIONS: Mapping[str, Mapping[str, str]] = {
    "binanceusdm": {"BTC/USDT:USDT": "-0.014"},
    "bybit": {"BTC/USDT:USDT": "0.5", "BTC/USDC:USDC": "-0.2", "BTC/USD:BTC": "-300"},
    "okx": {"BTC/USDT:USDT": "-25"},
    "krakenfutures": {"BTC/USD:BTC": "-8000"},
    "bitget": {"ETH/USDT:USDT": "-0.02"},
    "kucoinfutures": {"BTC/USDT:USDT": "-20"},
    "deribit": {"BTC/USD:BTC": "-5000.0"},
}

SIZES = {"okx": "0.01", "kucoinfutures": "0.001"}
"""What a contract is worth where that is not 1; Deribit's amounts are dollars, whatever its contracts are."""

BALANCES: Mapping[str, Mapping[str, str]] = {
    "binanceusdm": {"USDT": "1000.25"},
    "bybit": {"USDT": "2500.125", "BTC": "0.5"},
    "okx": {"USDT": "94.42612990333333"},
    "krakenfutures": {"BTC": "0.1185308247"},
    "bitget": {"USDT": "100.5"},
    "kucoinfutures": {"USDT": "97.8749050905"},
    "deribit": {"BTC": "0.50005905"},
}
"""Without the unrealised P&L that stands in most totals."""

FACTS: Mapping[str, set[str]] = {
    "binanceusdm": {
        "fill BTCUSDT:698759 sell 0.014 at 61234.50 fee 0.34291320 USDT",
        "funding BTC/USDT:USDT -0.0375 USDT",
        "internal 1000 USDT",
    },
    "bybit": {
        "fill BTCUSDT:e1 buy 0.5 at 50000.0 fee 13.75 USDT ours1",
        "fill BTCUSDT:e2 sell 0.5 at 50000.0 fee 13.75 USDT ours1 adl",
        "funding BTC/USDT:USDT -0.6364003 USDT",
        "internal 2500.12500001 USDT",
    },
    "okx": {
        "fill BTC-USDT-SWAP:123 sell 25 at 61000 fee 7.625 USDT ours87",
        "funding BTC/USDT:USDT -0.5125 USDT",
        "internal 100 USDT",
    },
    "krakenfutures": {
        "fill PI_XBTUSD:f1 buy 5000 at 27937.5 fee 0.00008957 BTC ours1",
        "funding BTC/USD:BTC -0.00001 BTC",
        "internal 250.5 USD",
    },
    "bitget": {
        "fill ETHUSDT:1103122437840805890 sell 0.02 at 1801.33 fee 0.02161596 USDT",
        "funding ETH/USDT:USDT -0.004522 USDT",
    },
    "kucoinfutures": {
        "fill XBTUSDTM:t1 sell 20 at 61100.25 fee 0.733203 USDT",
        "funding BTC/USDT:USDT 0.01586 USDT",
        "internal 100 USDT",
    },
    "deribit": {"fill BTC-PERPETUAL:48079290 sell 5000.0 at 61050.25 fee 0.00004095 BTC ours1"},
}

ORDERS = {
    "binanceusdm": ("77", "ours77", "0.010"),
    "okx": ("88", "ours88", "10"),
    "krakenfutures": ("o2", "ours2", "1000"),
}


@pytest.mark.parametrize("exchange", WORLDS)
def test_what_an_exchange_says_is_what_is_told_and_nothing_is_written(exchange: str) -> None:
    answer = told(exchange, WORLDS[exchange]())
    snapshot = answer.snapshot
    assert not snapshot.failed
    assert not snapshot.unmapped
    assert not answer.refused
    assert answer.missing <= {"GET /api/v3/account/settings"}  # by which ccxt asks whether an account is a unified one
    held = {symbol: str(position.quantity) for (symbol, _), position in (snapshot.positions or {}).items()}
    assert held == POSITIONS[exchange]
    assert {side for _, side in snapshot.positions or {}} == {"net"}
    assert snapshot.balances == {name: Decimal(amount) for name, amount in BALANCES[exchange].items()}
    found = {(id_, order.client_order_id, str(order.quantity)) for id_, order in (snapshot.open_orders or {}).items()}
    assert found == ({ORDERS[exchange]} if exchange in ORDERS else set())
    assert lines(answer.facts) == FACTS[exchange]
    for symbol, terms in answer.instruments.items():
        assert str(terms.contract_size) == SIZES.get(exchange, "1")
        assert terms.kind == ("inverse" if symbol.startswith("BTC/USD:") else "linear")


def test_a_number_keeps_every_digit_that_the_venue_wrote() -> None:
    """A position of more digits than a binary float has, as a JSON number."""
    world = WORLDS["deribit"]()
    name = "GET /api/v2/private/get_positions"
    exact = b"-5000.000000000000000000001"
    world[name] = world[name].replace(b"-5000.0", exact)
    (position,) = (told("deribit", world).snapshot.positions or {}).values()
    assert position.quantity == Decimal(exact.decode())


def test_a_position_in_what_is_not_listed_is_named_by_the_venues_own_id() -> None:
    world = bybit()
    name = "GET /v5/position/list?settleCoin=USDC"
    world[name] = world[name].replace(b"BTCPERP", b"NEWPERP")
    snapshot = told("bybit", world).snapshot
    assert set(snapshot.unmapped) == {"NEWPERP"}
    assert "NEWPERP" not in str(snapshot.positions)


def test_a_position_without_a_size_makes_the_positions_unknown_and_not_flat() -> None:
    world = WORLDS["okx"]()
    name = "GET /api/v5/account/positions"
    world[name] = world[name].replace(b'"pos":"-25"', b'"pos":""')
    answer = told("okx", world)
    assert answer.snapshot.positions is None
    assert "positions" in answer.snapshot.failed
    assert [refused.field for refused in answer.refused] == ["pos"]


def test_a_trade_without_an_id_is_refused() -> None:
    world = WORLDS["okx"]()
    name = "GET /api/v5/trade/fills-history?instType=SWAP"
    world[name] = world[name].replace(b'"tradeId":"123"', b'"tradeId":""')
    answer = told("okx", world)
    assert [(refused.file, refused.field) for refused in answer.refused] == [("fetch_my_trades", "id")]
    assert not any(isinstance(fact, FillBooked) for fact in answer.facts)


def test_a_trade_in_what_is_not_listed_is_refused_by_the_venues_own_id() -> None:
    world = WORLDS["okx"]()
    name = "GET /api/v5/trade/fills-history?instType=SWAP"
    world[name] = world[name].replace(b"BTC-USDT-SWAP", b"NEW-USDT-SWAP")
    (refused,) = told("okx", world).refused
    assert (refused.field, refused.value) == ("symbol", "NEW-USDT-SWAP")


def test_an_entry_of_the_ledger_that_is_not_known_is_put_aside() -> None:
    world = bybit()
    name = "GET /v5/account/transaction-log"
    world[name] = world[name].replace(b"TRANSFER_IN", b"GIFT_OF_THE_DAY")
    (refused,) = told("bybit", world).refused
    assert (refused.field, refused.value) == ("type", "GIFT_OF_THE_DAY")


def test_both_sides_of_a_position_are_told_apart() -> None:
    world = WORLDS["binanceusdm"]()
    name = "GET /fapi/v3/positionRisk"
    (short,) = msgspec.json.decode(world[name])
    short["positionSide"] = "SHORT"
    long = {**short, "positionSide": "LONG", "positionAmt": "0.002", "notional": "122"}
    world[name] = saved([short, long])
    trades = "GET /fapi/v1/userTrades"
    world[trades] = world[trades].replace(b'"positionSide":"BOTH"', b'"positionSide":"SHORT"')
    answer = told("binanceusdm", world)
    held = {side: position.quantity for (_, side), position in (answer.snapshot.positions or {}).items()}
    assert held == {"long": Decimal("0.002"), "short": Decimal("-0.014")}
    assert [fact.position_side for fact in answer.facts if isinstance(fact, FillBooked)] == ["short"]


@pytest.mark.parametrize("hedged", [False, True])
def test_where_a_fill_does_not_say_its_side_one_of_an_account_with_both_is_refused(*, hedged: bool) -> None:
    answer = told("bybit", bybit(), hedged=hedged)
    fills = [fact for fact in answer.facts if isinstance(fact, FillBooked)]
    assert (len(fills), len(answer.refused)) == ((0, 2) if hedged else (2, 0))


def test_a_part_that_fails_is_named_and_the_others_are_there() -> None:
    world = bybit()
    del world["GET /v5/account/wallet-balance"]
    snapshot = told("bybit", world).snapshot
    assert set(snapshot.failed) == {"balances"}
    assert snapshot.balances is None
    assert snapshot.positions
