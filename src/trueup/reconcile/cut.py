"""Our book as it was at the venue's cut: what happened later is taken back, so that both sides speak of one instant."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from msgspec.structs import replace

from trueup.model import events as e
from trueup.model.identifiers import PositionKey
from trueup.model.numbers import ZERO, exact
from trueup.model.positions import Position
from trueup.reconcile.explain.effects import Effects, effects
from trueup.reconcile.state import OurState


def at_cut(ours: OurState, quantities: Mapping[PositionKey, Decimal], later: Iterable[e.Fact]) -> OurState:
    """The book without what is later than the cut, to be compared with the venue alone: no database knows this state.

    A position that was another one then has an unknown average; one that was flat then is left out. A balance that
    later facts moved by an unknown amount is unknown, and compares as such.

    Args:
        ours: The book now.
        quantities: Signed quantities at the cut (:meth:`trueup.book.book.Book.as_of_cut`).
        later: Our facts after the cut.
    """
    with exact():
        moved = _sum(effects(fact, ours.instruments) for fact in later)
        positions = {key: _was(held, quantities.get(key, ZERO)) for key, held in ours.positions.items()}
        balances = dict(ours.balances)
        for currency in moved.keys() & balances.keys():
            amount, now = moved[currency], balances[currency]
            if amount is None:
                balances[currency] = replace(now, realized_unknown=now.realized_unknown + 1)
            else:
                balances[currency] = replace(now, opening=now.opening - amount)
    return replace(ours, positions={key: held for key, held in positions.items() if held.quantity}, balances=balances)


def _was(held: Position, quantity: Decimal) -> Position:
    return held if held.quantity == quantity else replace(held, quantity=quantity, cost=None)


def _sum(changes: Iterable[Effects]) -> dict[str, Decimal | None]:
    moved: dict[str, Decimal | None] = {}
    for change in changes:
        for subject, amount in change.items():
            before = moved.get(subject, ZERO)
            moved[subject] = None if before is None or amount is None else before + amount
    return moved
