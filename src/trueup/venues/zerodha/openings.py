"""What was held when the trading day began: where an account's history starts, since Kite tells no earlier trades.

- **Positions** carried overnight, at the average of what was traded before today. ``net`` sums up both: what is left of
  the bought value once today's is taken out was paid for what was carried (and of the sold value, for a short).
- **Shares** held for delivery, at the average that the holdings state.
"""

from collections.abc import Iterable, Iterator
from datetime import date, time
from decimal import Decimal

from trueup.model.errors import BadInput
from trueup.model.events import OpeningBalance, OpeningPosition
from trueup.model.numbers import ZERO, canonical, exact, quotient
from trueup.venues import rows
from trueup.venues.rows import Row
from trueup.venues.zerodha import instruments, ist
from trueup.venues.zerodha.known import Known

Opening = OpeningPosition | OpeningBalance


def openings(net: Iterable[Row], known: Known, day: date) -> list[Opening]:
    """What was held when a day began.

    Args:
        net: Rows of the positions answer, which was read before.
        known: Of positions and holdings of that day.
        day: In India.
    """
    begins = ist.at(day, time(0, 0))
    with exact():
        return [*_carried(net, known, begins), *_shares(known, begins)]


def _carried(net: Iterable[Row], known: Known, begins: int) -> Iterator[Opening]:
    for row in net:
        key = instruments.key(row)
        quantity = rows.decimal(row, "overnight_quantity")
        if quantity and not key.delivered:
            instrument = known.instrument(key)
            price = _price(row, quantity, instrument.contract_size)
            yield _opening(known, instrument.symbol, quantity, price, begins, "positions: carried overnight")


def _price(row: Row, quantity: Decimal, contract_size: Decimal) -> Decimal | None:
    """The average of what was carried; None where the row does not tell it."""
    side = "buy" if quantity > ZERO else "sell"
    try:
        value, today = rows.optional_decimal(row, f"{side}_value"), rows.optional_decimal(row, f"day_{side}_value")
    except BadInput:
        return None
    if value is None or today is None or value <= today:
        return None
    return quotient(value - today, abs(quantity) * contract_size)


def _shares(known: Known, begins: int) -> Iterator[Opening]:
    for symbol, (quantity, price) in (known.overnight or {}).items():
        instrument = known.of_symbol(symbol)
        if quantity and instrument is not None:
            yield _opening(known, symbol, quantity, price or None, begins, "holdings: held when the day began")
            currency = instruments.shares(instrument)
            yield OpeningBalance(known.account, currency, quantity, begins, f"{currency}:{begins}", "holdings")


def _opening(
    known: Known, symbol: str, quantity: Decimal, price: Decimal | None, begins: int, evidence: str
) -> OpeningPosition:
    return OpeningPosition(
        account=known.account,
        instrument=symbol,
        quantity=quantity,
        venue_time=begins,
        opening_id=f"{symbol}:{begins}",
        price=price,
        evidence=f"{evidence}, {canonical(quantity)}",
    )
