"""ORDER_FILL: one transaction, the trades it closed and opened, and the money it moved.

- **Price.** What each part of a fill was priced at stands with the trade it closed, reduced or opened, and OANDA calls
  that the official price. ``fullVWAP`` is the price without a guaranteed stop's clamp and ``price`` is deprecated; they
  serve, in this order, for older rows whose parts have no price.
- **Parts.** Mostly all parts share one price and one position, and the transaction is one fill. Where they do not
  (a guaranteed stop closed some trades at another price; a hedging account closed one side and opened the other), each
  price and side is a fill of its own. The first has the transaction's id, so that reading the transaction again under
  the other account mode is a conflict and never a second fill; the next are ``ID:2``, ``ID:3``, …
- **Money.** All amounts are in the home currency: ``pl`` goes to the balance as OANDA settled it, commission and
  guaranteed-execution fee are the fee (of the first part, since OANDA states them for the transaction), financing is a
  fact of its own. ``pl`` and financing are after conversion costs; half-spread cost is already in the price.
"""

from collections.abc import Iterator
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from trueup.model.errors import BadInput
from trueup.model.events import FillBooked, FundingPaid
from trueup.model.identifiers import PositionSide
from trueup.model.numbers import ONE, ZERO, canonical, parse_decimal
from trueup.venues import rows
from trueup.venues.oanda import fields
from trueup.venues.oanda.known import Known, Trade
from trueup.venues.rows import Row

_FORCED = {
    "MARKET_ORDER_MARGIN_CLOSEOUT": "margin_closeout",
    "MARKET_ORDER_DELAYED_TRADE_CLOSE": "delayed_trade_close",
}
"""Fill reasons that mean the venue closed the position, not the client."""


class _Part(msgspec.Struct, frozen=True):
    """What a fill did to one position at one price.

    Attributes:
        quantity: Positive, in units.
        pl: Realised, in the home currency.
    """

    position_side: PositionSide
    price: Decimal
    quantity: Decimal
    pl: Decimal


def fills(row: Row, known: Known) -> list[FillBooked | FundingPaid]:
    """The fills of one transaction and, where it is not zero, their financing.

    Raises:
        BadInput: A field at fault, an unknown home currency, or parts that do not add up to the whole.
    """
    booked = [_fill(row, known, index, part) for index, part in enumerate(_parts(row, known), start=1)]
    financing = fields.amount(row, "financing")
    return [*booked, _financing(booked[0], financing)] if financing else [*booked]


def opened(row: Row, known: Known) -> tuple[str, Trade] | None:
    """The id and terms of the trade that the fill opened, if it opened one."""
    if not row.get("tradeOpened"):
        return None
    trade, symbol = rows.record(row, "tradeOpened"), known.instrument(rows.text(row, "instrument")).symbol
    units = fields.units(trade)
    return rows.identifier(trade, "tradeID"), Trade(symbol, "buy" if units > 0 else "sell", abs(units))


def follow(row: Row, known: Known) -> None:
    """Keep which trades are held, and whether the fill opened one while the other side stayed held.

    Only an account with long and short side by side can do that: any other closes all of the one side first.
    """
    if row.get("tradesClosed"):
        for closed in rows.records(row, "tradesClosed"):
            trade_id = rows.identifier(rows.as_row(closed, "tradesClosed"), "tradeID")
            known.held.pop(trade_id, None)
            known.closed.add(trade_id)
    found = opened(row, known)
    if found is None:
        return
    number, (opened_id, trade) = fields.transaction_id(row), found
    against = (
        since < number and other.instrument == trade.instrument and other.side != trade.side
        for since, other in known.held.values()
    )
    known.two_sided = known.two_sided or bool(row.get("tradeReduced")) or any(against)
    known.held[opened_id] = number, trade


def home_currency(row: Row, known: Known) -> str:
    """The quote currency, where the fill proves that it is the home currency: both conversion factors are one.

    Empty where it proves nothing.
    """
    if row.get("homeConversionFactors"):
        factors = rows.record(row, "homeConversionFactors")
        both = [rows.record(factors, field).get("factor") for field in ("gainQuoteHome", "lossQuoteHome")]
    else:
        both = [row.get("gainQuoteHomeConversionFactor"), row.get("lossQuoteHomeConversionFactor")]
    if any(factor is None or parse_decimal(factor, "conversion factor") != ONE for factor in both):
        return ""
    return known.instrument(rows.text(row, "instrument")).quote


def _fill(row: Row, known: Known, index: int, part: _Part) -> FillBooked:
    number, home, first = fields.transaction_id(row), known.home_currency(), index == 1
    return FillBooked(
        account=known.account,
        instrument=known.instrument(rows.text(row, "instrument")).symbol,
        position_side=part.position_side,
        side="buy" if fields.units(row) > 0 else "sell",
        quantity=part.quantity,
        price=part.price,
        fee=fields.amount(row, "commission") + fields.amount(row, "guaranteedExecutionFee") if first else ZERO,
        fee_currency=home,
        venue_time=fields.time(row),
        venue_trade_id=str(number) if first else f"{number}:{index}",
        venue_order_id=rows.optional_identifier(row, "orderID"),
        client_order_id=rows.optional_text(row, "clientOrderID"),
        venue_sequence=number,
        settled_amount=part.pl,
        settled_currency=home,
        liquidation=_FORCED.get(rows.optional_text(row, "reason"), ""),
    )


def _financing(fill: FillBooked, amount: Decimal) -> FundingPaid:
    """Financing paid with a fill is that of the trades it closed, which are the first part."""
    return FundingPaid(
        account=fill.account,
        instrument=fill.instrument,
        amount=amount,
        currency=fill.settled_currency,
        venue_time=fill.venue_time,
        venue_id=f"{fill.venue_trade_id}:financing",
        position_side=fill.position_side,
    )


def _parts(row: Row, known: Known) -> list[_Part]:
    """The parts of a fill, closes first; one where all share a position and a price."""
    units, pl = fields.units(row), rows.decimal(row, "pl")
    trades = list(_trades(row))
    if not trades:
        known.check_mode()
        if known.hedging:
            raise _no_sides()
        return [_Part("net", _price(row), abs(units), pl)]
    _check_sum("units", units, sum((fields.units(trade) for trade, _ in trades), ZERO))
    merged: dict[tuple[PositionSide, Decimal], _Part] = {}
    for trade, closes in trades:
        side = known.position_side(buys=units > 0, closes=closes)
        price = _price(row) if trade.get("price") is None else rows.positive(trade, "price")
        realized = rows.decimal(trade, "realizedPL") if closes else ZERO
        before = merged.get((side, price), _Part(side, price, ZERO, ZERO))
        quantity = before.quantity + abs(fields.units(trade))
        merged[side, price] = _Part(side, price, quantity, before.pl + realized)
    parts = list(merged.values())
    if len(parts) == 1:
        return [replace(parts[0], pl=pl)]
    _check_sum("pl", pl, sum((part.pl for part in parts), ZERO))
    return parts


def _trades(row: Row) -> Iterator[tuple[Row, bool]]:
    """The trades a fill touched, each with whether it was closed or reduced."""
    if row.get("tradesClosed"):
        for trade in rows.records(row, "tradesClosed"):
            yield rows.as_row(trade, "tradesClosed"), True
    if row.get("tradeReduced"):
        yield rows.record(row, "tradeReduced"), True
    if row.get("tradeOpened"):
        yield rows.record(row, "tradeOpened"), False


def _price(row: Row) -> Decimal:
    return rows.positive(row, "price" if row.get("fullVWAP") is None else "fullVWAP")


def _check_sum(field: str, whole: Decimal, parts: Decimal) -> None:
    if whole != parts:
        raise BadInput(
            field,
            canonical(whole),
            f"its parts add up to {canonical(parts)}",
            remedy="Fetch the transaction again (GET /accounts/ID/transactions/ID).",
        )


def _no_sides() -> BadInput:
    return BadInput(
        "tradesClosed",
        "",
        "the account holds long and short positions side by side, and the fill does not say which it closed",
        remedy="Fetch the transaction again (GET /accounts/ID/transactions/ID).",
    )
