"""Fills, and what the venue takes back or replaces of them.

A fill's identity is its ``entry_id``. Rows of one ``trade_id`` are one trade's story: a ``FILL``, perhaps a
``REVERSAL`` that takes it back, perhaps a ``CORRECTION`` that stands in its place. What is taken back is booked as a
fill of its own, the other way round and with the fee returned, at the time of the fill that it takes back: so position,
cost and cash are those of an account in which it never happened. Its identity is made of that fill's, and so is the
same whether a reversal says it, a correction, or both. It needs the fill's own terms, so that must have been read.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from trueup.model.errors import BadInput
from trueup.model.events import FillBooked
from trueup.model.facts import order_key, terms
from trueup.model.instruments import Instrument
from trueup.model.numbers import bounded, exact, quotient
from trueup.ports import Refused
from trueup.venues import rows
from trueup.venues.coinbase.context import SIDES, Context
from trueup.venues.rows import Row

TRADES_MAX = 200_000
"""Trades that are kept, newest read first, for what takes them back."""

_LIQUIDITY = {"MAKER": "maker", "TAKER": "taker"}
_FILL, _REVERSAL, _CORRECTION, _SYNTHETIC = "FILL", "REVERSAL", "CORRECTION", "SYNTHETIC"
_STEPS = {word: word for word in (_FILL, _REVERSAL, _CORRECTION, _SYNTHETIC)}
_RANKS = {_FILL: 0, _REVERSAL: 1, _CORRECTION: 2}

Key = tuple[str, tuple[Any, ...]]
"""A row's entry id and terms: two rows may claim one id, and then the book has to see both."""


class _Step(msgspec.Struct, frozen=True):
    """One row of a trade's story, as if it were a fill."""

    kind: str
    trade: str
    fill: FillBooked
    key: Key

    @property
    def when(self) -> tuple[int, int, str]:
        return self.fill.venue_sequence, _RANKS[self.kind], str(self.key)


class Trades:
    """The trades read so far: from them is told what a later row takes back or replaces."""

    def __init__(self) -> None:
        self._by_trade: dict[str, dict[Key, _Step]] = {}

    def read(
        self, context: Context, items: Sequence[object]
    ) -> tuple[Sequence[FillBooked], Sequence[Instrument], Sequence[Refused]]:
        """The fills of one answer in venue order, the instruments they name, and the rows that were refused."""
        used: dict[str, Instrument] = {}
        own: dict[Key, tuple[int, object]] = {}
        refused: list[Refused] = []
        touched: dict[str, None] = {}
        for number, item in enumerate(items, 1):
            try:
                step = _step(context, rows.as_row(item), used)
            except BadInput as error:
                refused.append(rows.refused(context.name, number, item, error))
                continue
            self._keep(step)
            own.setdefault(step.key, (number, item))
            touched[step.trade] = None
        fills: dict[Key, FillBooked] = {}
        for trade in touched:
            story = self._by_trade[trade]
            if len(story) == 1:  # by far the most frequent
                (step,) = story.values()
                if step.kind == _FILL:
                    fills[step.key] = step.fill
                    continue
            booked, problems = _told(story.values())
            fills.update((_key(fill), fill) for fill in booked)
            refused += [rows.refused(context.name, *own[key], error) for key, error in problems if key in own]
        self._forget_oldest()
        refused.sort(key=lambda refusal: refusal.row)
        return _in_order(fills), list(used.values()), refused

    def _keep(self, step: _Step) -> None:
        story = self._by_trade.pop(step.trade, {})
        story[step.key] = step
        self._by_trade[step.trade] = story

    def _forget_oldest(self) -> None:
        while len(self._by_trade) > TRADES_MAX:
            del self._by_trade[next(iter(self._by_trade))]


def _in_order(fills: Mapping[Key, FillBooked]) -> Sequence[FillBooked]:
    """Fills in venue order; those that claim one id, by their terms."""
    if len({identity for identity, _ in fills}) == len(fills):
        return sorted(fills.values(), key=order_key)
    return sorted(fills.values(), key=lambda fill: (order_key(fill), str(terms(fill))))


def _key(fill: FillBooked) -> Key:
    return fill.venue_trade_id, terms(fill)


def _told(story: Iterable[_Step]) -> tuple[list[FillBooked], list[tuple[Key, BadInput]]]:
    """What the rows of one trade come to: facts, and which rows were not booked and why."""
    booked: list[FillBooked] = []
    problems: list[tuple[Key, BadInput]] = []
    standing: list[FillBooked] = []
    for step in sorted(story, key=lambda step: step.when):
        fill = step.fill
        if step.kind == _FILL:
            standing.append(fill)
            booked.append(fill)
            continue
        if step.kind == _REVERSAL:
            same = [one for one in standing if _same(one, fill)]
        else:
            same = [one for one in standing if (one.instrument, one.side) == (fill.instrument, fill.side)]
        if len(same) > 1 or not (same or (booked and step.kind == _CORRECTION)):
            problems.append((step.key, _unclear(step, len(same))))
            continue
        for one in same:
            standing.remove(one)
            booked.append(_taken_back(one))
        if step.kind == _CORRECTION:
            standing.append(fill)
            booked.append(fill)
    return booked, problems


def _same(fill: FillBooked, reversal: FillBooked) -> bool:
    """Whether a reversal is of this fill. On which side it is written, and with which sign its fee, is not known."""
    return (fill.instrument, fill.quantity, fill.price, abs(fill.fee)) == (
        reversal.instrument,
        reversal.quantity,
        reversal.price,
        abs(reversal.fee),
    )


def _taken_back(fill: FillBooked) -> FillBooked:
    return msgspec.structs.replace(
        fill,
        side="sell" if fill.side == "buy" else "buy",
        fee=-fill.fee,
        venue_trade_id=f"{fill.venue_trade_id}:reversed",
        liquidity="",
    )


def _unclear(step: _Step, candidates: int) -> BadInput:
    what = "takes back" if step.kind == _REVERSAL else "replaces"
    problem = f"it {what} one of {candidates} equal fills" if candidates else f"the fill that it {what} was not read"
    return BadInput(
        "trade_type",
        step.kind,
        f"{problem} (trade {rows.shown(step.trade)})",
        remedy="Import it in one answer with all fills of its order (orders/historical/fills?order_ids=…).",
    )


def _step(context: Context, row: Row, used: dict[str, Instrument]) -> _Step:
    """The row as it stands. Notes the instrument it names as used. Raises :class:`BadInput`."""
    kind = rows.one_of(row, "trade_type", _STEPS)
    if kind == _SYNTHETIC:
        raise BadInput(
            "trade_type",
            kind,
            "the venue does not say what such a fill moves",
            remedy="Compare the balances; where it moved them, book it in the generic format.",
        )
    instrument = context.products.instrument(rows.text(row, "product_id"))
    price, time = rows.positive(row, "price"), rows.moment(row, "trade_time")
    fill = FillBooked(
        account=context.account,
        instrument=instrument.symbol,
        position_side="net",
        side=rows.one_of(row, "side", SIDES),
        quantity=_quantity(row, instrument, price, signed=kind == _REVERSAL),
        price=price,
        fee=rows.decimal(row, "commission"),
        fee_currency=instrument.quote,
        venue_time=time,
        venue_trade_id=rows.identifier(row, "entry_id"),
        venue_order_id=rows.optional_identifier(row, "order_id"),
        liquidity=_LIQUIDITY.get(rows.optional_text(row, "liquidity_indicator"), ""),
        venue_sequence=rows.moment(row, "sequence_timestamp") if row.get("sequence_timestamp") else time,
    )
    used[instrument.symbol] = instrument
    return _Step(kind, rows.identifier(row, "trade_id"), fill, _key(fill))


def _quantity(row: Row, instrument: Instrument, price: Decimal, *, signed: bool) -> Decimal:
    """The size in the instrument's units: where it is stated in quote currency, what that buys, if that is a number."""
    size = abs(rows.decimal(row, "size")) if signed else rows.positive(row, "size")
    if not size:
        raise BadInput("size", "0", "not greater than zero", remedy="Check the row at its source.")
    if not rows.flag(row, "size_in_quote", default=False):
        return size
    with exact():
        worth = price * instrument.contract_size
        quantity = quotient(size, worth)
        if quantity * worth == size and bounded(quantity):
            return quantity
    raise BadInput(
        "size",
        rows.shown(row["size"]),
        f"in quote currency, and not the price times a quantity that can be written down (price {price})",
        remedy="Take the quantity from the order's filled_size, and book the fill in the generic format.",
    )
