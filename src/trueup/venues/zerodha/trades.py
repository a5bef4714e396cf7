"""The trades of the day, each a fill.

- **Identity.** Kite's trade ids repeat across exchanges and days, so a fill is known by its Indian day, exchange, order
  id and trade id together.
- **Time.** ``fill_timestamp``, to the second. ``order_timestamp`` is a clock without a day: of an order placed after
  the market closed it is the evening's before, so it dates nothing, but it must be one.
- **Fees.** Kite states none: charges come with the day's contract note. Such a fill has no fee *and no fee currency*,
  where a fill that was free of charge would name one. Charges are booked from the note as fees of their own.
"""

from typing import Literal

from trueup.model.events import FillBooked
from trueup.model.numbers import ZERO
from trueup.venues import rows
from trueup.venues.rows import Row
from trueup.venues.zerodha import instruments, ist
from trueup.venues.zerodha.known import Known

NO_FEES = "Kite states no fees per trade: book the contract note's charges as fees (the generic format's kind fee)."

SIDES: dict[str, Literal["buy", "sell"]] = {"BUY": "buy", "SELL": "sell"}


def fill(row: Row, known: Known) -> FillBooked:
    """The fill of one row; raises :class:`~trueup.model.errors.BadInput` for a field at fault."""
    key = instruments.key(row)
    dated = "exchange_timestamp" if rows.optional_text(row, "exchange_timestamp") else "fill_timestamp"
    day = ist.day(row, dated)
    at = ist.moment(row, "fill_timestamp" if rows.optional_text(row, "fill_timestamp") else dated, day)
    if rows.optional_text(row, "order_timestamp"):
        ist.moment(row, "order_timestamp", day)
    order = rows.identifier(row, "order_id")
    return FillBooked(
        account=known.account,
        instrument=known.instrument(key).symbol,
        position_side="net",
        side=rows.one_of(row, "transaction_type", SIDES),
        quantity=rows.positive(row, "quantity"),
        price=rows.positive(row, "average_price"),
        fee=ZERO,
        fee_currency="",
        venue_time=at,
        venue_trade_id=f"{day}:{key.exchange}:{order}:{rows.identifier(row, 'trade_id')}",
        venue_order_id=order,
        client_order_id=known.tags.get(order, ""),
    )
