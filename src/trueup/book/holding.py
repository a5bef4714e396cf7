"""Average cost: the one place where a trade meets a held quantity.

A holding is a signed quantity and its signed cost. Opening adds the trade's value to the cost; closing takes out the
closed share of it (:func:`trueup.model.numbers.quotient`, the one rounding) and realises ``sign * (proceeds - share)``;
the last close takes the whole remainder. Averages are computed when shown. (Domain rules 3.1 to 3.4.)
"""

from decimal import Decimal

from trueup.book.valuation import contract_value
from trueup.model.instruments import Instrument
from trueup.model.numbers import ZERO, quotient


class Holding:
    """A signed quantity at average cost, with what its closes realised.

    Attributes:
        inverse: Whether the instrument is inverse, so that a higher value is a loss.
        known: False while a part of the cost is unknown (an opening cut without a price), until flat or flipped.
        unknown: Closes whose P&L is unknown for that reason.
        adjusted: What adjustments realised, kept apart from ``realized``.
        carried: What rolls carried into the strategy's cost (:class:`trueup.model.events.RollBooked`).
        fee_sum: Paid in the settlement currency, as nearly all fees are; ``other_fees`` are those in other currencies.
    """

    __slots__ = (
        "adjusted", "carried", "cost", "fee_sum", "inverse", "known", "other_fees", "quantity", "realized", "unknown",
    )  # fmt: skip

    def __init__(self, *, inverse: bool) -> None:
        self.inverse = inverse
        self.quantity = ZERO
        self.cost = ZERO
        self.realized = ZERO
        self.known = True
        self.unknown = 0
        self.adjusted = ZERO
        self.carried = ZERO
        self.fee_sum = ZERO
        self.other_fees: dict[str, Decimal] = {}

    def trade(self, quantity: Decimal, value: Decimal, price: Decimal, instrument: Instrument) -> bool:
        """Book a trade of signed ``quantity`` and ``value`` at ``price``; True when it opened, closed or flipped."""
        held = self.quantity
        after = self.quantity = held + quantity
        if not held:
            self.cost = value
            return True
        long = held > ZERO
        if long is (quantity > ZERO):
            if self.known:
                self.cost += value
            return False
        turned = not after or long is not (after > ZERO)
        if turned:
            share = self._close()
            if after:
                value = contract_value(instrument, -held, price)
        else:
            share = self._reduce(quantity, held)
        if share is None:
            self.unknown += 1
        elif self.inverse:
            self.realized += value - share
        else:
            self.realized += share - value
        if turned and after:
            self.cost = contract_value(instrument, after, price)
        return turned

    def adjust_by(self, quantity: Decimal, price: Decimal | None, instrument: Instrument) -> None:
        """A synthetic change: a trade whose P&L is kept apart; without a price the basis is unknown from then on."""
        if price is None:
            self.bring_to(self.quantity + quantity, None)
            return
        realized = self.realized
        self.trade(quantity, contract_value(instrument, quantity, price), price, instrument)
        self.adjusted += self.realized - realized
        self.realized = realized

    def bring_to(self, quantity: Decimal, value: Decimal | None) -> None:
        """An opening cut: the holding is ``quantity`` at cost ``value``, None when unknown, whatever came before."""
        if quantity == self.quantity and (self.known or value is None):
            return  # the facts before the cut explain it, and know its cost as well as anybody
        self.quantity = quantity
        self.carried = ZERO
        self.known = value is not None or not quantity
        self.cost = value if value is not None and quantity else ZERO

    def scale_to(self, quantity: Decimal) -> None:
        """A split: the quantity changes, the cost does not."""
        self.quantity = quantity

    def charge(self, currency: str, fee: Decimal, settle: str) -> None:
        """A fee paid, or a rebate when negative; ``settle`` is the settlement currency."""
        if currency == settle:
            self.fee_sum += fee
        else:
            self.other_fees[currency] = self.other_fees.get(currency, ZERO) + fee

    def fees(self, settle: str) -> dict[str, Decimal]:
        """Paid, by currency."""
        return {settle: self.fee_sum, **self.other_fees} if self.fee_sum else self.other_fees.copy()

    def _reduce(self, quantity: Decimal, held: Decimal) -> Decimal | None:
        """Take out the cost of the closed part; returns it signed like the trade, None when it is unknown."""
        if self.carried:
            self.carried += quotient(self.carried * quantity, held)
        if not self.known:
            return None
        share = quotient(self.cost * quantity, held)
        self.cost += share
        return share

    def _close(self) -> Decimal | None:
        """Take out all cost; returns it as :meth:`_reduce` does. What is opened next has a basis of its own."""
        share = -self.cost if self.known else None
        self.cost = self.carried = ZERO
        self.known = True
        return share

    def part(self) -> "Holding":
        """An independent holding that equals this one."""
        other = Holding(inverse=self.inverse)
        other.quantity = self.quantity
        other.cost = self.cost
        other.realized = self.realized
        other.known = self.known
        other.unknown = self.unknown
        other.adjusted = self.adjusted
        other.carried = self.carried
        other.fee_sum = self.fee_sum
        other.other_fees = self.other_fees.copy()
        return other
