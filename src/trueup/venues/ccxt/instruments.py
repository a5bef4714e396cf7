"""ccxt's markets as instruments. What lives only here: which are booked, and what a contract of each is worth."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from trueup.model.errors import BadInput
from trueup.model.instruments import Instrument, InstrumentKind
from trueup.model.numbers import ONE, parse_decimal
from trueup.ports import Refused
from trueup.venues import rows
from trueup.venues.ccxt.corrections import Correction
from trueup.venues.rows import Row

TICK_SIZE = 4
DECIMAL_PLACES = 2
"""ccxt's ways to write a precision; the third counts significant digits, and is no step."""


def instruments_of(
    markets: Iterable[Row], correction: Correction, precision_mode: int
) -> tuple[Mapping[str, Instrument], list[Refused]]:
    """Every market that can be booked, by symbol, and those that should be and cannot be understood.

    Options are neither: their premium is not what this book knows of.
    """
    booked = [market for market in markets if market.get("option") is not True and market.get("symbol")]
    found, refused = rows.read_each("markets", booked, lambda market: _instrument(market, correction, precision_mode))
    return {terms.symbol: terms for terms in found}, refused


def _instrument(market: Row, correction: Correction, precision_mode: int) -> Instrument:
    kind = _kind(market)
    base, quote = rows.text(market, "base"), rows.text(market, "quote")
    precision = market.get("precision")
    steps: Row = precision if isinstance(precision, Mapping) else {}
    ends = market.get("expiry") is not None and market.get("swap") is not True  # some state a day for perpetuals
    return Instrument(
        rows.text(market, "symbol"),
        rows.identifier(market, "id"),
        kind,
        base,
        quote,
        quote if kind == "spot" else rows.text(market, "settle"),
        contract_size=ONE if kind == "spot" else _contract_size(market, correction),
        price_tick=_step(steps, "price", precision_mode),
        quantity_step=_step(steps, "amount", precision_mode),
        expiry=rows.milliseconds(market, "expiry") if ends else None,
        max_leverage=_leverage(market),
    )


def _kind(market: Row) -> InstrumentKind:
    if market.get("spot") is True:
        return "spot"
    if market.get("linear") is True:
        return "linear"
    if market.get("inverse") is True:
        return "inverse"
    raise BadInput(
        "symbol",
        rows.text(market, "symbol"),
        "neither linear nor inverse",
        remedy="What a point of it is worth is not stated; book it with the generic venue.",
    )


def _contract_size(market: Row, correction: Correction) -> Decimal:
    """Raises :class:`BadInput` where it is not stated: unknown is not 1."""
    return (
        parse_decimal(correction.unit_size, "contractSize")
        if correction.unit_size
        else rows.positive(market, "contractSize")
    )


def _step(steps: Row, field: str, mode: int) -> Decimal | None:
    """A step; None where none is stated, or as a binary float."""
    value = steps.get(field)
    if value is None or value == "" or isinstance(value, float):
        return None
    number = parse_decimal(value, field)
    if mode == DECIMAL_PLACES:
        return ONE.scaleb(-int(number))
    return number if mode == TICK_SIZE and number > 0 else None


def _leverage(market: Row) -> Decimal | None:
    limits = market.get("limits")
    leverage = limits.get("leverage") if isinstance(limits, Mapping) else None
    most = leverage.get("max") if isinstance(leverage, Mapping) else None
    return None if most is None or isinstance(most, float) else parse_decimal(most, "limits.leverage.max")
