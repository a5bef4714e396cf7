"""First in, first out: lots, unknown basis, splits and cuts."""

from collections.abc import Sequence
from decimal import Decimal

from tests.book.world import BTC, XBTUSD, World, ds
from trueup.book.fifo import FifoState, fold_fifo
from trueup.model.facts import position_key
from trueup.model.instruments import Instrument


def fifo(world: World, instrument: Instrument = BTC) -> FifoState:
    key = (instrument.symbol, "net")
    facts = [event for event in world.events if position_key(event) == key]
    return fold_fifo(reversed(facts), {1: instrument}, {})  # type: ignore[arg-type]  # what has a position is a fact


def lots(state: FifoState) -> Sequence[tuple[Decimal | None, ...]]:
    return [(lot.quantity, lot.cost) for lot in state.lots]


def test_closes_take_the_oldest_lots_and_parts_of_them() -> None:
    state = fifo(World().buy("1", "100").buy("2", "110").buy("3", "120").sell("2.5", "130"))
    assert lots(state) == [ds("0.5", 55), ds(3, 360)]
    assert (state.realized, state.cost) == ds(65 - 5, 415)
    assert [lot.opened_at for lot in state.lots] == [2 * 10**9, 3 * 10**9]


def test_shorts_too() -> None:
    state = fifo(World().sell("1", "100").sell("2", "110").buy("2", "90"))
    assert (lots(state), state.realized) == ([ds(-1, -110)], Decimal(30))


def test_a_flip_leaves_one_lot_at_its_price() -> None:
    state = fifo(World().buy("1", "100").buy("1", "110").sell("5", "120"))
    assert (lots(state), state.realized) == ([ds(-3, -360)], Decimal(30))


def test_a_close_leaves_none() -> None:
    assert lots(fifo(World().buy("1", "100").sell("1", "120"))) == []


def test_an_unknown_lot_is_the_oldest_and_known_ones_stay_known() -> None:
    world = World().opening("2").buy("2", "100").sell("1", "120")
    state = fifo(world)
    assert lots(state) == [ds(1, None), ds(2, 200)]
    assert (state.known, state.unknown) == (False, 1)
    state = fifo(world.sell("1.5", "120"))
    assert lots(state) == [ds("1.5", 150)]
    assert (state.known, state.unknown, state.cost) == (True, 2, Decimal(150))
    state = fifo(world.sell("1", "120"))
    assert (state.realized, state.unknown, state.cost) == (Decimal(20), 2, Decimal(50))


def test_a_cut_becomes_one_lot_unless_the_facts_explain_it() -> None:
    world = World().buy("1", "100").buy("1", "110")
    assert lots(fifo(world.opening("2", "999"))) == [ds(1, 100), ds(1, 110)]
    assert lots(fifo(world.opening("3", "120"))) == [ds(3, 360)]
    assert lots(fifo(world.opening("0"))) == []


def test_a_split_scales_every_lot_and_the_newest_takes_the_rest() -> None:
    world = World().buy("1", "100").buy("1", "110").split(1, 3)
    state = fifo(world)
    assert sum(lot.quantity for lot in state.lots) == state.quantity
    assert lots(fifo(World().buy("1", "100").buy("3", "110").split(3, 2, "8"))) == [ds(2, 100), ds(6, 330)]


def test_inverse_lots_cost_coins() -> None:
    state = fifo(World(XBTUSD).buy("1000", "5000").buy("1000", "10000").sell("1500", "10000"), XBTUSD)
    assert (lots(state), state.realized) == ([ds(500, "0.05")], Decimal("0.1"))
