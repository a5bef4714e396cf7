"""Random stories of an account: facts of every kind, on several positions, by several strategies."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal

from hypothesis import strategies as st

from tests.book.world import ACCOUNT, BTC, ETHQUANTO, SPOT, XBTUSD, D, World
from trueup.book import track as tracks
from trueup.model import events as e
from trueup.model.instruments import Instrument

INSTRUMENTS = (BTC, XBTUSD, SPOT, ETHQUANTO)
TIMES = st.integers(1, 12)
SIZES = st.sampled_from(["0.5", "1", "1.5", "2", "3.25"])
PRICES = st.sampled_from(["90", "99.5", "100", "107", "130"])
STRATEGIES = st.sampled_from(["external", "a", "b"])
SIDES = st.sampled_from(["buy", "sell"])
CURRENCIES = st.sampled_from(["USDC", "BTC", "BNB"])
AMOUNTS = st.sampled_from(["-3", "-0.25", "0.1", "7"])

TRADES = ("fill", "fill", "fill", "fill", "settled fill", "declare")
CHANGES = ("fee", "funding", "split", "roll", "adjust", "leverage", "mode", "flag")
CUTS = ("opening", "opening of unknown basis", "adjust without a price", "opening balance")
CASH = ("transfer", "cash", "order")


@st.composite
def stories(
    draw: st.DrawFn,
    kinds: Sequence[str] = (*TRADES, *CHANGES, *CUTS, *CASH),
    instruments: Sequence[Instrument] = INSTRUMENTS,
    max_size: int = 25,
) -> World:
    """A world to which such facts were told, in any order of their times."""
    world = World(instruments[0])
    for instrument in instruments:
        world.on(instrument)
    for _ in range(draw(st.integers(0, max_size))):
        side = draw(st.sampled_from(["net", "net", "long"]))
        world.on(draw(st.sampled_from(instruments)), side).at(draw(TIMES))
        tell(draw, world, draw(st.sampled_from(kinds)))
    return world


def tell(draw: st.DrawFn, world: World, kind: str) -> None:  # noqa: C901, PLR0912 - one case a kind of fact
    size, price, strategy, amount = draw(SIZES), draw(PRICES), draw(STRATEGIES), draw(AMOUNTS)
    signed = size if draw(st.booleans()) else f"-{size}"
    match kind:
        case "fill":
            fees = {"fee": draw(AMOUNTS), "fee_currency": draw(CURRENCIES)} if draw(st.booleans()) else {}
            sequence = draw(st.integers(0, 2))
            trade = world.buy if signed is size else world.sell
            trade(size, price, strategy=strategy, venue_sequence=sequence, **fees)
        case "settled fill":
            world.buy(size, price, settled_amount=amount, settled_currency="EUR", strategy=strategy)
        case "declare":
            world.declare("buy" if signed is size else "sell", size, price, by=strategy)
        case "fee":
            world.charge(amount, draw(CURRENCIES))
        case "funding":
            world.fund(amount, draw(CURRENCIES))
        case "split":
            world.split(draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.sampled_from([None, None, size])))
        case "roll":
            world.roll(world.instrument, signed, price, price, draw(PRICES), strategy)
        case "adjust":
            world.adjust(signed, price)
        case "adjust without a price":
            world.adjust(signed)
        case "leverage":
            world.leverage(size)
        case "mode":
            world.margin_mode(draw(st.sampled_from(["cross", "isolated"])))
        case "flag":
            world.flag_liquidation()
        case "opening":
            world.opening(draw(st.sampled_from([signed, "0"])), price)
        case "opening of unknown basis":
            world.opening(signed)
        case "opening balance":
            world.opening_balance(amount, draw(CURRENCIES))
        case "transfer":
            world.transfer(amount, draw(CURRENCIES), draw(st.sampled_from(["deposit", "reward"])))
        case "cash":
            world.adjust(cash=amount, currency=draw(CURRENCIES))
        case "order":
            world.order(draw(st.sampled_from(["1", "2"])), draw(st.sampled_from(["open", "filled"])), size)
        case _:
            raise AssertionError(kind)


def decisions(world: World) -> list[e.Event]:
    """Some of every declared trade superseded, and marks."""
    declared = [event for event in world.events if isinstance(event, e.TradeDeclared)]
    return [
        *(e.DeclarationMatched(ACCOUNT, d.declaration_id, "fill|1", share(d)) for d in declared),
        e.MarkSampled(ACCOUNT, BTC.symbol, D(100), 1),
        e.Quarantined(ACCOUNT, "", "why", b""),
    ]


def share(declared: e.TradeDeclared) -> Decimal:
    return declared.quantity if int(declared.declaration_id) % 2 else declared.quantity / 2


@st.composite
def arrivals(draw: st.DrawFn, world: World) -> list[list[e.Event]]:
    """The story's facts in another order, in batches, with decisions in theirs and after what they name."""
    terms = [event for event in world.events if isinstance(event, e.InstrumentDefined)]
    facts = [event for event in world.events if not isinstance(event, e.InstrumentDefined)]
    arrived: list[e.Event] = list(draw(st.permutations(facts)))
    least = 0
    for decision in decisions(world):
        named = [n for n, event in enumerate(arrived) if names(decision, event)]
        least = draw(st.integers(max([least, *(n + 1 for n in named)]), len(arrived)))
        arrived.insert(least, decision)
        least += 1
    rest, batches = [*terms, *arrived], []
    while rest:
        size = draw(st.sampled_from([1, 2, 5, 100]))
        batches.append(rest[:size])
        rest = rest[size:]
    return batches


def names(decision: e.Event, event: e.Event) -> bool:
    return (
        isinstance(decision, e.DeclarationMatched)
        and isinstance(event, e.TradeDeclared)
        and decision.declaration_id == event.declaration_id
    )


@contextmanager
def window(facts: int) -> Iterator[None]:
    """Tracks keep so few facts that history is asked often."""
    usual, tracks.WINDOW = tracks.WINDOW, facts
    try:
        yield
    finally:
        tracks.WINDOW = usual
