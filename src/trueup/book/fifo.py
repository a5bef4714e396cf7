"""First in, first out: the tax and statement view, folded on demand from the same facts as average cost.

The sum of realised and unrealised P&L equals that of average cost at every instant; only the split differs (domain
rule 3.5).
"""

from collections import deque
from collections.abc import Iterable
from decimal import Decimal

from trueup.book.position import Matched, PositionState, Versions
from trueup.model.events import PositionFact
from trueup.model.facts import fact_key, order_key
from trueup.model.instruments import Instrument
from trueup.model.numbers import ZERO, exact, quotient
from trueup.model.positions import Lot


class FifoState(PositionState):
    """A position whose closes take the oldest lots first.

    Attributes:
        lots: What is left of each opening, the oldest first, signed.
    """

    __slots__ = ("lots", "source")

    def __init__(self, versions: Versions, cash_cut: int = 0) -> None:
        super().__init__(versions, cash_cut)
        self.lots: deque[Lot] = deque()
        self.source = ""

    def bring_to(self, quantity: Decimal, value: Decimal | None) -> None:
        """An opening cut becomes one lot of its own."""
        if quantity == self.quantity and (self.known or value is None):
            return
        super().bring_to(quantity, value)
        self.lots.clear()
        if quantity:
            self._lot(quantity, value)

    def scale_to(self, quantity: Decimal) -> None:
        """A split scales every lot; what rounding leaves goes to the newest."""
        held, rest = self.quantity, quantity
        super().scale_to(quantity)
        older, self.lots = self.lots, deque()
        while older:
            lot = older.popleft()
            scaled = quotient(lot.quantity * quantity, held) if older else rest
            rest -= scaled
            self.lots.append(Lot(scaled, lot.cost, lot.opened_at, lot.source))

    def trade(self, quantity: Decimal, value: Decimal, price: Decimal, instrument: Instrument) -> bool:
        """Opening adds a lot; closing takes from the oldest, see :meth:`_reduce`."""
        held = self.quantity
        turned = super().trade(quantity, value, price, instrument)
        if turned:
            self.lots.clear()
            if self.quantity:
                self._lot(self.quantity, self.cost)
        elif (held > ZERO) is (quantity > ZERO):
            self._lot(quantity, value)
        return turned

    def _reduce(self, quantity: Decimal, held: Decimal) -> Decimal | None:
        del held
        shares = []
        while quantity:
            lot = self.lots.popleft()
            taken, share = -lot.quantity, lot.cost
            if abs(lot.quantity) > abs(quantity):
                taken = quantity
                share = None if share is None else quotient(share * -taken, lot.quantity)
                left = None if lot.cost is None or share is None else lot.cost - share
                self.lots.appendleft(Lot(lot.quantity + taken, left, lot.opened_at, lot.source))
            quantity -= taken
            shares.append(share)
        total = _sum(shares)
        if total is not None:
            self.cost -= total
            return -total
        left = _sum(lot.cost for lot in self.lots)  # known once the lot of unknown basis, always the oldest, is gone
        self.known, self.cost = left is not None, left or ZERO
        return None

    def _lot(self, quantity: Decimal, value: Decimal | None) -> None:
        self.lots.append(Lot(quantity, value, self.updated_at, self.source))


def _sum(costs: Iterable[Decimal | None]) -> Decimal | None:
    """None when a part is unknown."""
    total = ZERO
    for cost in costs:
        if cost is None:
            return None
        total += cost
    return total


def fold_fifo(facts: Iterable[PositionFact], versions: Versions, matched: Matched) -> FifoState:
    """Fold the facts of one position, in any order, first in first out."""
    state = FifoState(versions)
    with exact():
        for fact in sorted(facts, key=order_key):
            state.source = fact_key(fact) or ""
            state.apply(fact, matched)
    return state
