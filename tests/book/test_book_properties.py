"""What must hold of any story at every instant: nothing appears or vanishes, parts add up, no digit is lost."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Context, Decimal, getcontext, setcontext
from fractions import Fraction
from threading import Thread

from hypothesis import given
from hypothesis import strategies as st

from tests.book.stories import stories
from tests.book.world import BTC, ETHQUANTO, SPOT, XBTUSD, D, World, folded
from trueup.book.book import Book
from trueup.book.fifo import FifoState
from trueup.book.holding import Holding
from trueup.book.position import PositionState
from trueup.book.snapshot import snapshot, state_hash
from trueup.book.valuation import fx_translation, pnl, unrealized_pnl
from trueup.model import events as e
from trueup.model.facts import order_key, position_key
from trueup.model.identifiers import PositionKey
from trueup.model.instruments import Instrument
from trueup.model.numbers import EXACT, ONE, ZERO, exact
from trueup.model.positions import Position

INSTRUMENTS = {instrument.symbol: instrument for instrument in (BTC, XBTUSD, SPOT, ETHQUANTO)}
MARKS = st.sampled_from([D("0.5"), D(95), D(100), D("133.7")])
KNOWN = ("fill", "fill", "fill", "fee", "funding", "split", "adjust", "declare", "leverage")
TINY = D("1e-18")
"""More than the 28 digits of a quotient can be off in any of these stories."""


def by_position(world: World) -> Mapping[PositionKey, Sequence[e.PositionFact]]:
    found: dict[PositionKey, list[e.PositionFact]] = {}
    for event in world.events:
        key = position_key(event)
        if key is not None:
            found.setdefault(key, []).append(event)  # type: ignore[arg-type]  # what has a position is its fact
    return {key: sorted(facts, key=order_key) for key, facts in found.items()}


# --- average cost and first in, first out -----------------------------------------------------------------------------


def total(state: PositionState, mark: Decimal) -> Decimal:
    open_gain = unrealized_pnl(state.instrument, state.quantity, state.cost, mark)
    assert open_gain is not None
    return state.realized + state.adjusted + open_gain


@given(stories(KNOWN), MARKS)
def test_average_and_fifo_agree_in_total_at_every_instant(world: World, mark: Decimal) -> None:
    with exact():
        for (symbol, _), facts in by_position(world).items():
            average, fifo = PositionState({1: INSTRUMENTS[symbol]}), FifoState({1: INSTRUMENTS[symbol]})
            for fact in facts:
                average.apply(fact, {})
                fifo.apply(fact, {})
                assert average.quantity == fifo.quantity == sum((lot.quantity for lot in fifo.lots), ZERO)
                assert total(average, mark) == total(fifo, mark)
                assert fifo.cost == sum((lot.cost for lot in fifo.lots if lot.cost is not None), ZERO)


@given(stories((*KNOWN, "opening", "opening of unknown basis", "adjust without a price")))
def test_fifo_knows_at_least_what_average_cost_knows(world: World) -> None:
    with exact():
        for (symbol, _), facts in by_position(world).items():
            average, fifo = PositionState({1: INSTRUMENTS[symbol]}), FifoState({1: INSTRUMENTS[symbol]})
            for fact in facts:
                average.apply(fact, {})
                fifo.apply(fact, {})
                assert fifo.known or not average.known
                assert all(lot.cost is not None for lot in fifo.lots) is fifo.known
                assert fifo.quantity == average.quantity


# --- parts ------------------------------------------------------------------------------------------------------------


@given(stories())
def test_quantities_and_fees_of_strategies_add_up_at_every_instant(world: World) -> None:
    with exact():
        for state in instants(world):
            if state.parts is not None:
                parts = state.parts.values()
                assert sum((part.quantity for part in parts), ZERO) == state.quantity
                for currency in ("USDC", "BTC", "BNB"):
                    paid = sum((part.fees(state.settle).get(currency, ZERO) for part in parts), ZERO)
                    assert paid == state.fees(state.settle).get(currency, ZERO)


@given(stories((*KNOWN, "roll")))
def test_profits_of_strategies_add_up_at_every_instant(world: World) -> None:
    with exact():
        for state in instants(world):
            if state.parts is not None:
                parts = sum((paid_in(part, state.instrument) for part in state.parts.values()), ZERO)
                assert abs(parts - paid_in(state, state.instrument)) < TINY
                assert state.inverse or parts == paid_in(state, state.instrument)


def instants(world: World) -> Iterator[PositionState]:
    """Each position after each of its facts."""
    for (symbol, _), facts in by_position(world).items():
        state = PositionState({1: INSTRUMENTS[symbol]})
        for fact in facts:
            state.apply(fact, {})
            yield state


def paid_in(holding: Holding, instrument: Instrument) -> Decimal:
    """What a holding cost less what it brought, whatever was bought and sold meanwhile."""
    return -pnl(instrument, ZERO, holding.cost) - holding.realized - holding.adjusted


@given(stories())
def test_what_is_unknown_has_no_cost_and_what_is_flat_is_known(world: World) -> None:
    with exact():
        for state in instants(world):
            for holding in (state, *(state.parts or {}).values()):
                assert holding.known or not holding.cost
                assert holding.quantity or (holding.known and not holding.cost)
            assert (state.opened_at is None) is (not state.quantity)
            assert abs(state.peak) >= abs(state.quantity)


# --- conservation -----------------------------------------------------------------------------------------------------

FLOWS = ("fill", "fill", "fill", "fee", "funding", "adjust", "transfer", "cash", "flag")
RATES = st.fixed_dictionaries({name: st.sampled_from([D("0.9"), D(1), D(64_000)]) for name in ("USDC", "BTC", "BNB")})


def signed(quantity: Decimal, side: str) -> Fraction:
    return Fraction(quantity) * (1 if side == "buy" else -1)


def equity(facts: Iterable[e.Event], mark: Decimal) -> dict[str, Fraction]:
    """What the account is worth by currency, from the raw facts alone: cash that moved, and positions at the mark.

    A derivative pays, all in all, what it is worth now less what was paid for it, whatever its average cost was.
    """
    worth: dict[str, Fraction] = {}

    def add(currency: str, amount: Fraction) -> None:
        worth[currency] = worth.get(currency, Fraction(0)) + amount

    for fact in facts:
        match fact:
            case e.FillBooked():
                instrument, quantity = INSTRUMENTS[fact.instrument], signed(fact.quantity, fact.side)
                add(fact.fee_currency, -Fraction(fact.fee))
                if instrument.kind == "spot":
                    add(instrument.base, quantity)
                    add(instrument.quote, -quantity * Fraction(fact.price))
                else:
                    add(instrument.settle, since(instrument, quantity, fact.price, mark))
            case e.AdjustmentBooked(instrument=symbol) if fact.quantity and INSTRUMENTS[symbol].kind != "spot":
                assert fact.price is not None
                gain = since(INSTRUMENTS[symbol], Fraction(fact.quantity), fact.price, mark)
                add(INSTRUMENTS[symbol].settle, gain)
            case e.AdjustmentBooked():
                add(fact.currency, Fraction(fact.cash))
            case e.FundingPaid() | e.TransferBooked():
                add(fact.currency, Fraction(fact.amount))
            case e.FeeCharged():
                add(fact.currency, -Fraction(fact.amount))
            case _:
                pass
    return {currency: amount for currency, amount in worth.items() if amount}


def since(instrument: Instrument, quantity: Fraction, price: Decimal, mark: Decimal) -> Fraction:
    """Gain of a quantity traded at a price, at the mark."""
    size = quantity * Fraction(instrument.contract_size)
    if instrument.kind == "inverse":
        return size / Fraction(price) - size / Fraction(mark)
    return size * (Fraction(mark) - Fraction(price))


def booked(book: Book, mark: Decimal) -> dict[str, Decimal]:
    """The same from the book's own figures: balances, unrealised P&L, and what adjustments realised apart."""
    worth = {name: balance.total or ZERO for name, balance in book.balances().items()}
    for position in book.positions().values():
        if position.instrument.kind != "spot":
            settle = position.instrument.settle
            worth[settle] = worth.get(settle, ZERO) + gains(position, mark) + position.adjusted_pnl
    return worth


def gains(position: Position, mark: Decimal) -> Decimal:
    open_gain = unrealized_pnl(position.instrument, position.quantity, position.cost, mark)
    assert open_gain is not None
    return open_gain


@given(stories(FLOWS), MARKS)
def test_equity_is_conserved_at_every_instant(world: World, mark: Decimal) -> None:
    book = Book(world.book.account)
    for count, event in enumerate(world.events):
        folded([event], book=book)
        with exact():
            found = booked(book, mark)
        expected = equity(world.events[: count + 1], mark)
        for currency in found.keys() | expected.keys():
            off = Fraction(found.get(currency, ZERO)) - expected.get(currency, Fraction(0))
            assert abs(off) < Fraction(TINY), currency


@given(stories(("fill", "fill", "fee", "funding", "adjust", "transfer", "cash"), (BTC, SPOT)), MARKS, st.lists(RATES))
def test_what_equity_gained_is_explained_to_the_last_digit(
    world: World, mark: Decimal, rates: Sequence[Mapping[str, Decimal]]
) -> None:
    """Change of equity = realised + unrealised + funding - fees + transfers + adjustments + FX translation."""
    book = Book(world.book.account)
    home = dict.fromkeys(("USDC", "BTC", "BNB"), ONE_TO_ONE)
    explained, held = ZERO, dict.fromkeys(home, ZERO)
    with exact():
        for count, event in enumerate(world.events):
            now = {**home, **rates[count % len(rates)]} if rates else home
            explained += sum((fx_translation(held[name], home[name], now[name]) for name in home), ZERO)
            home = now
            folded([event], book=book)
            after = {name: booked(book, mark).get(name, ZERO) for name in home}
            parts = {name: sources(book, name, mark) for name in home}
            assert after == parts
            explained += sum(((after[name] - held[name]) * home[name] for name in home), ZERO)
            held = after
            assert explained == sum((held[name] * home[name] for name in home), ZERO)


ONE_TO_ONE = D(1)


def sources(book: Book, currency: str, mark: Decimal) -> Decimal:
    """Equity of one currency by where it came from."""
    positions = [p for p in book.positions().values() if p.instrument.kind != "spot"]
    settled = [p for p in positions if p.instrument.settle == currency]
    realized = sum((p.realized_pnl + p.adjusted_pnl + gains(p, mark) for p in settled), ZERO)
    balance = book.balances().get(currency)
    if balance is None:
        return realized
    flows = (balance.traded, balance.funding, balance.fees, balance.adjustments, *balance.transfers.values())
    return realized + sum(flows, ZERO)


@given(stories(("fill", "fill", "fee", "split", "funding"), (SPOT,)))
def test_a_spot_position_is_the_balance(world: World) -> None:
    """But for fees apart in coins, which come out of the balance alone, and splits, which venues do to balances."""
    facts = [event for event in world.events if not isinstance(event, e.FeeCharged | e.SplitBooked | e.FundingPaid)]
    book = folded(facts)
    held = sum((position.quantity for position in book.positions().values()), ZERO)
    coins = book.balances().get("BTC")
    assert held == (ZERO if coins is None else coins.total)


# --- exactness --------------------------------------------------------------------------------------------------------

LONG = st.integers(1, 10**72 - 1).map(lambda digits: EXACT.scaleb(D(digits), -36))


@given(st.lists(st.tuples(st.booleans(), LONG, LONG, LONG), max_size=8), LONG, LONG)
def test_numbers_of_thirty_six_digits_on_either_side_lose_none(
    trades: Sequence[tuple[bool, Decimal, Decimal, Decimal]], size: Decimal, mark: Decimal
) -> None:
    for kind in ("spot", "linear", "inverse", "quanto"):
        instrument = Instrument("X/Y", "XY", kind, "X", "Y", "Y", ONE if kind == "spot" else size)
        world = World(instrument)
        for n, (buys, quantity, price, fee) in enumerate(trades):
            trade = world.buy if buys else world.sell
            strategy = "ab"[n % 2]
            trade(f"{quantity:f}", f"{price:f}", fee=f"{fee:f}", fee_currency="XY"[n % 2], strategy=strategy)
            world.split(7, 3).roll(instrument, f"{quantity:f}", f"{price:f}", f"{fee:f}", f"{price:f}", strategy)
        book = world.book
        with exact():
            for position in book.positions().values():
                assert unrealized_pnl(instrument, position.quantity, position.cost, mark) is not None
            for balance in book.balances().values():
                assert balance.total is not None


def test_the_remainder_of_every_rounding_is_taken_by_the_last_close() -> None:
    world = World().buy("3", "100")
    for _ in range(3):
        world.sell("1", "100")
    assert world.position.realized_pnl == D(0)
    world = World().buy("0.7", "1").buy("0.00001", "99999.99")
    for quantity in ("0.3", "0.1", "0.007", "0.29301"):
        world.sell(quantity, "7")
    expected = Fraction("0.70001") * 7 - Fraction("0.7") - Fraction("0.9999999")
    assert Fraction(world.position.realized_pnl) == expected


@given(stories())
def test_a_hostile_context_of_the_thread_changes_nothing(world: World) -> None:
    expected = world.book
    seen: list[object] = []

    def elsewhere() -> None:
        setcontext(Context(prec=3, rounding="ROUND_UP", Emax=5, Emin=-5, traps=[]))
        book = world.book
        seen.extend((book.positions(), book.balances(), snapshot(book), state_hash(book), book.as_of_cut(5 * 10**9)))
        seen.append([(p.entry_price, p.cost) for p in book.positions().values()])
        seen.append([(b.known, b.total) for b in book.balances().values()])
        assert getcontext().prec == 3

    thread = Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [
        expected.positions(),
        expected.balances(),
        snapshot(expected),
        state_hash(expected),
        expected.as_of_cut(5 * 10**9),
        [(p.entry_price, p.cost) for p in expected.positions().values()],
        [(b.known, b.total) for b in expected.balances().values()],
    ]
