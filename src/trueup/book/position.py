"""What each fact does to one position. Facts arrive here in venue order; ``track.py`` sees to that."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from sys import intern
from typing import Any

from trueup.book.holding import Holding
from trueup.book.valuation import contract_value
from trueup.model import events as e
from trueup.model.identifiers import EXTERNAL
from trueup.model.instruments import Instrument
from trueup.model.numbers import ONE, ZERO, quotient
from trueup.model.positions import Cycle

Versions = Mapping[int, Instrument]
Matched = Mapping[str, Decimal]
"""How much of each declared trade venue fills have superseded, by declaration id."""


class PositionState(Holding):
    """One position: the holding as a whole, its strategies' parts, and the round trip in progress.

    Attributes:
        versions: The instrument's terms by version; ``instrument`` is the version in force.
        plain: Whether a quantity's value is quantity times price.
        settled: Realised P&L that reaches the cash balance another way than as ours: the venue settles it by a rule of
            its own, or the balance's opening cut contains it.
        settled_unknown: Closes of unknown P&L of which the same is true.
        cash_cut: What happened before this venue time is inside the opening cut of the balance that is posted to.
        split_gain: What splits added to a spot holding; its balance of coins gains the same.
        strategy: The only strategy so far; None before the first, and when ``parts`` keeps several apart.
        funding: Received, by currency.
        opened_at: When the round trip in progress began, None when flat; ``opened_…`` are the sums at that moment.
        since: Venue time of the first fact that says something about the quantity; None before it.
        posted_since: Venue time of the first fact whose P&L was posted to a balance; None before it.
        peak: The quantity of the largest size in the round trip in progress.
        closed: Round trips that ended, the newest last, until the track hands them on; ``cycles`` counts all.
    """

    __slots__ = (
        "cash_cut", "closed", "cycles", "fee_value", "funding", "instrument", "leverage", "liquidations", "margin_mode",
        "opened_at", "opened_fees", "opened_funding", "opened_realized", "opened_unknown", "parts", "peak", "plain",
        "posted_since", "settle", "settled", "settled_unknown", "since", "split_gain", "spot", "strategy",
        "unconfirmed", "updated_at", "version", "versions",
    )  # fmt: skip

    def __init__(self, versions: Versions, cash_cut: int = 0) -> None:
        super().__init__(inverse=False)
        self.versions = versions
        self.use(min(versions))
        self.cash_cut = cash_cut
        self.settled = ZERO
        self.settled_unknown = 0
        self.split_gain = ZERO
        self.fee_value: Decimal | None = ZERO
        self.funding: dict[str, Decimal] = {}
        self.unconfirmed = ZERO
        self.leverage: Decimal | None = None
        self.margin_mode: str | None = None
        self.liquidations = 0
        self.updated_at = 0
        self.strategy: str | None = None
        self.parts: dict[str, Holding] | None = None
        self.cycles = 0
        self.closed: list[Cycle] = []
        self.opened_at: int | None = None
        self.opened_realized = ZERO
        self.opened_unknown = 0
        self.opened_fees: Mapping[str, Decimal] = _NOTHING
        self.opened_funding: Mapping[str, Decimal] = _NOTHING
        self.peak = ZERO
        self.since: int | None = None
        self.posted_since: int | None = None

    def use(self, version: int) -> None:
        """Fold what follows under a version of the terms."""
        self.version = version
        self.instrument = instrument = self.versions[version]
        self.settle = instrument.settle
        self.spot = instrument.kind == "spot"
        self.inverse = instrument.kind == "inverse"
        self.plain = not self.inverse and instrument.contract_size == ONE

    def apply(self, event: Any, matched: Matched) -> None:  # noqa: ANN401 - the table below types each kind
        """Fold one fact of this position."""
        if type(event) is e.FillBooked:
            self.fill(event)
            return
        self.updated_at = event.venue_time
        if type(event) is e.TradeDeclared:
            remaining = event.quantity - matched.get(event.declaration_id, ZERO)
            if remaining:
                self.declared(event, remaining)
        else:
            _APPLY[type(event)](self, event)

    def fill(self, event: e.FillBooked) -> None:
        """A venue trade, with its fee."""
        self.updated_at = time = event.venue_time
        if event.instrument_version != self.version:
            self.use(event.instrument_version)
        part = None if event.strategy == self.strategy else self._part(event.strategy)
        held, realized, unknown = self.quantity, self.realized, self.unknown
        turned = self._trade(event.quantity if event.side == "buy" else -event.quantity, event.price, part)
        fee = event.fee
        if fee:
            if event.fee_currency == self.settle:
                self.fee_sum += fee
                if part is not None:
                    part.fee_sum += fee
            elif self._pay_in_other_currency(event, part):
                turned = True
        if event.settled_amount is not None or time < self.cash_cut:
            self._settle(realized, unknown)
        if turned:
            self._turn(held, time, event)
        elif self.realized is realized and (self.quantity > self.peak) is (held > ZERO):  # it grew
            self.peak = self.quantity
        if event.liquidation:
            self.liquidations += 1

    def declared(self, event: e.TradeDeclared, remaining: Decimal) -> None:
        """A declared trade, as far as no venue fill has superseded it."""
        self.use(event.instrument_version)
        quantity = remaining if event.side == "buy" else -remaining
        held, realized, unknown = self.quantity, self.realized, self.unknown
        self._trade(quantity, event.price, self._part(event.strategy))
        if event.venue_time < self.cash_cut:
            self._settle(realized, unknown)
        self._turn(held, event.venue_time)
        self.unconfirmed += quantity

    def _trade(self, quantity: Decimal, price: Decimal, part: Holding | None) -> bool:
        instrument = self.instrument
        value = quantity * price if self.plain else contract_value(instrument, quantity, price)
        if part is not None:
            part.trade(quantity, value, price, instrument)
        return self.trade(quantity, value, price, instrument)

    def _pay_in_other_currency(self, event: e.FillBooked, part: Holding | None) -> bool:
        """Book such a fee; True when it changed the quantity."""
        self.charge(event.fee_currency, event.fee, self.settle)
        if part is not None:
            part.charge(event.fee_currency, event.fee, self.settle)
        self._value_fee(event.fee_currency, event.fee_value)
        in_coins = self.spot and event.fee_currency == self.instrument.base
        if in_coins:  # inventory goes out at the fill's price, and the proceeds are the fee
            self._trade(-event.fee, event.price, part)
        return in_coins

    def _value_fee(self, currency: str, value: Decimal | None) -> None:
        """A fee in a third currency counts at its worth when it was paid; one of unknown worth leaves all unknown."""
        instrument, known = self.instrument, self.fee_value
        if currency not in (instrument.quote, instrument.base, instrument.settle):
            self.fee_value = None if known is None or value is None else known + value

    def _settle(self, realized: Decimal, unknown: int) -> None:
        """What was realised since reaches the balance another way."""
        self.settled += self.realized - realized
        self.settled_unknown += self.unknown - unknown

    def _part(self, strategy: str) -> Holding | None:
        """The strategy's own part, or None while a single strategy holds everything."""
        parts = self.parts
        if parts is None:
            if strategy == self.strategy:
                return None
            if self.strategy is None:
                self.strategy = intern(strategy)
                return None
            self.parts = parts = {self.strategy: self.part()}
            self.strategy = None
        part = parts.get(strategy)
        if part is None:
            part = parts[intern(strategy)] = Holding(inverse=self.inverse)
        return part

    # --- facts other than trades --------------------------------------------------------------------------------------

    def fee(self, event: e.FeeCharged) -> None:
        """A fee apart from a fill; nobody's order caused it."""
        part = self._part(EXTERNAL)
        self.charge(event.currency, event.amount, self.settle)
        self._value_fee(event.currency, None)
        if part is not None:
            part.charge(event.currency, event.amount, self.settle)

    def fund(self, event: e.FundingPaid) -> None:
        """Funding received, or paid when negative."""
        self.funding[event.currency] = self.funding.get(event.currency, ZERO) + event.amount

    def flag_liquidation(self, _event: e.LiquidationFlagged) -> None:
        """The venue's word that it liquidated; its trades arrive as fills."""
        self.liquidations += 1

    def split(self, event: e.SplitBooked) -> None:
        """Quantity times ``new / old``; of what rounding adds to several strategies ``external`` takes the sum."""
        new, old = Decimal(event.new), Decimal(event.old)
        held, after = self.quantity, quotient(self.quantity * new, old)
        if self.parts is not None:
            for part in self.parts.values():
                part.scale_to(quotient(part.quantity * new, old))
            after = sum((part.quantity for part in self.parts.values()), ZERO)
        if held and event.quantity_after is not None:
            rounding = event.quantity_after.copy_sign(held) - after
            after += rounding
            if self.parts is not None and rounding:
                self.parts.setdefault(EXTERNAL, Holding(inverse=self.inverse)).quantity += rounding
        self.scale_to(after)
        if self.spot and event.venue_time >= self.cash_cut:
            self.split_gain += after - held
        self.unconfirmed = quotient(self.unconfirmed * new, old)
        self.peak = quotient(self.peak * new, old)
        self._turn(held, event.venue_time)

    def roll(self, event: e.RollBooked) -> None:
        """Carry the strategy's basis from the near contract into this one (domain rule 3.12)."""
        part = self._part(event.strategy) or self
        basis = contract_value(self.instrument, event.quantity, event.near_basis)
        part.carried += basis - contract_value(self.instrument, event.quantity, event.near_price)

    def set_leverage(self, event: e.LeverageSet) -> None:
        """Leverage from now on."""
        self.leverage = event.leverage

    def set_margin_mode(self, event: e.MarginModeSet) -> None:
        """Margin mode from now on."""
        self.margin_mode = event.margin_mode

    def open_at(self, event: e.OpeningPosition) -> None:
        """A cut: the position is what the evidence says; what our facts do not explain belongs to ``external``."""
        self.use(event.instrument_version)
        held, after = self.quantity, event.quantity
        before = self.cost if self.known else None
        part = self._part(EXTERNAL) if held != after else None
        self.bring_to(after, None if event.price is None else contract_value(self.instrument, after, event.price))
        if part is not None:
            quantity = part.quantity + after - held
            part.bring_to(quantity, self._rest_of_cost(part, quantity, before))
        self.unconfirmed = ZERO
        self._turn(held, event.venue_time)

    def adjust(self, event: e.AdjustmentBooked) -> None:
        """A synthetic change of the quantity: its P&L is kept apart from what was really traded."""
        if not event.quantity:
            return
        self.use(event.instrument_version)
        held, unknown, part = self.quantity, self.unknown, self._part(EXTERNAL)
        self.adjust_by(event.quantity, event.price, self.instrument)
        if part is not None:
            part.adjust_by(event.quantity, event.price, self.instrument)
        self._settle(self.realized, unknown)
        self._turn(held, event.venue_time)

    def _rest_of_cost(self, part: Holding, quantity: Decimal, before: Decimal | None) -> Decimal | None:
        """Cost of a part that takes all the difference a cut made; None when that is unknown or no possible cost."""
        if before is None or not self.known or not part.known:
            return None
        cost = part.cost + self.cost - before
        return cost if (cost > ZERO) is (quantity > ZERO) else None

    # --- round trips --------------------------------------------------------------------------------------------------

    def _turn(self, held: Decimal, time: int, fill: e.FillBooked | None = None) -> None:
        """End the round trip and begin another, if that is what the change from ``held`` at ``time`` was.

        Of the fee of the ``fill`` that did it, the share of what it opened counts for the new round trip.
        """
        if self.since is None:  # the first fact about the quantity finds the position flat, so it comes by here
            self.since = time
        after = self.quantity
        if held and after and (held > ZERO) is (after > ZERO):
            self.peak = max(after, self.peak) if held > ZERO else min(after, self.peak)
            return
        currency, fee = ("", ZERO) if fill is None or not after else (fill.fee_currency, _opening_fee(fill, held))
        if fee:
            self.charge(currency, -fee, self.settle)
        if held:
            self.cycles += 1
            self.closed.append(self._cycle(time, liquidated=fill is not None and bool(fill.liquidation)))
        self.opened_at = time if after else None
        self.opened_realized, self.opened_unknown = self.realized, self.unknown
        self.opened_fees = self.fees(self.settle)
        self.opened_funding = self.funding.copy()
        if fee:
            self.charge(currency, fee, self.settle)
        self.peak = after

    def _cycle(self, time: int, *, liquidated: bool) -> Cycle:
        return Cycle(
            number=self.cycles,
            side="long" if self.peak > ZERO else "short",
            quantity=abs(self.peak),
            opened_at=self.opened_at or 0,
            closed_at=time,
            realized_pnl=self.realized - self.opened_realized if self.unknown == self.opened_unknown else None,
            fees=_since(self.fees(self.settle), self.opened_fees),
            funding=_since(self.funding, self.opened_funding),
            liquidated=liquidated,
        )

    # --- copies -------------------------------------------------------------------------------------------------------

    def fresh(self) -> "PositionState":
        """The same position before its first fact."""
        return type(self)(self.versions, self.cash_cut)

    def copy(self) -> "PositionState":
        """An independent copy: a checkpoint to refold from. Round trips that ended stay where they are."""
        other = type(self).__new__(type(self))
        for name in _COPIED:
            setattr(other, name, getattr(self, name))
        for name in _COPIED_DEEP:
            setattr(other, name, getattr(self, name).copy())
        other.closed = []
        parts = self.parts
        other.parts = None if parts is None else {strategy: part.part() for strategy, part in parts.items()}
        return other


def _opening_fee(fill: e.FillBooked, held: Decimal) -> Decimal:
    """Of a fill's fee, the share of what it opened: all from flat, pro rata in a flip (domain rule 3.2)."""
    if not held or not fill.fee:
        return fill.fee
    return fill.fee - quotient(fill.fee * min(abs(held), fill.quantity), fill.quantity)


def _since(now: Mapping[str, Decimal], then: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """What was added by currency since ``then``, without zeros."""
    return {currency: gain for currency, amount in now.items() if (gain := amount - then.get(currency, ZERO))}


_NOTHING: Mapping[str, Decimal] = {}

_COPIED_DEEP = ("other_fees", "funding")
_COPIED = tuple(
    name for name in (*Holding.__slots__, *PositionState.__slots__) if name not in (*_COPIED_DEEP, "parts", "closed")
)

_APPLY: dict[type, Callable[[PositionState, Any], None]] = {
    e.FeeCharged: PositionState.fee,
    e.FundingPaid: PositionState.fund,
    e.LiquidationFlagged: PositionState.flag_liquidation,
    e.SplitBooked: PositionState.split,
    e.RollBooked: PositionState.roll,
    e.LeverageSet: PositionState.set_leverage,
    e.MarginModeSet: PositionState.set_margin_mode,
    e.OpeningPosition: PositionState.open_at,
    e.AdjustmentBooked: PositionState.adjust,
}
