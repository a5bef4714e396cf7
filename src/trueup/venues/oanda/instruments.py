"""OANDA's instruments: ``EUR_USD`` is EUR bought with USD, and so are metals and CFDs (``XAU_USD``, ``DE30_EUR``).

All are linear: a unit is one of the base, and the P&L of a price difference is in the quote currency. (What reaches the
balance is that P&L in the home currency, as each fill states it.)
"""

import re
from decimal import Decimal

from trueup.model.errors import BadInput
from trueup.model.instruments import Instrument
from trueup.model.numbers import ONE, quotient
from trueup.venues import rows
from trueup.venues.rows import Row

_NAME = re.compile(r"([A-Z0-9]{1,20})_([A-Z]{3})", re.ASCII)
_PRECISION_MAX = 18


def from_name(name: str) -> Instrument:
    """The terms that the name alone gives; steps and leverage stay unknown.

    Raises:
        BadInput: Not ``BASE_QUOTE``.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise BadInput(
            "instrument",
            rows.shown(name),
            "not the name of an OANDA instrument",
            remedy='Names are like "EUR_USD" or "DE30_EUR".',
        )
    base, quote = match.groups()
    return Instrument(f"{base}/{quote}", name, "linear", base, quote, quote)


def from_row(row: Row) -> Instrument:
    """The terms of one row of the instruments answer."""
    named = from_name(rows.text(row, "name"))
    return Instrument(
        symbol=named.symbol,
        native_symbol=named.native_symbol,
        kind=named.kind,
        base=named.base,
        quote=named.quote,
        settle=named.settle,
        price_tick=_step(row, "displayPrecision"),
        quantity_step=_step(row, "tradeUnitsPrecision"),
        max_leverage=_leverage(rows.positive(row, "marginRate")),
    )


def _step(row: Row, field: str) -> Decimal:
    """``10 ** -precision``."""
    precision = rows.integer(row, field)
    if not 0 <= precision <= _PRECISION_MAX:
        raise BadInput(field, precision, "not a number of decimal places", remedy="Check the row at its source.")
    return ONE.scaleb(-precision)


def _leverage(margin_rate: Decimal) -> Decimal | None:
    """``1 / margin rate`` where that is a number (0.02 gives 50); None where it would have to be rounded (0.03)."""
    leverage = quotient(ONE, margin_rate)
    return leverage if leverage * margin_rate == ONE else None
