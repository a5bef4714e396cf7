"""The rows of the engine's answers: trades, orders, positions, account summaries and the transaction log."""

from decimal import Decimal

import msgspec

from trueup.model.differences import VenuePosition
from trueup.model.errors import BadInput
from trueup.model.events import FillBooked, FundingPaid, OrderReported, TransferBooked
from trueup.model.identifiers import AccountId, Side
from trueup.model.instruments import Instrument, wallet_currency
from trueup.model.numbers import ZERO, canonical, exact
from trueup.venues import rows
from trueup.venues.jsonrpc_derivatives.instruments import from_name
from trueup.venues.rows import Row

_SIDES: dict[str, Side] = {"buy": "buy", "sell": "sell"}
_LIQUIDITY = {"M": "maker", "T": "taker"}
_STATUS = {
    "open": "open",
    "untriggered": "open",
    "triggered": "canceled",
    "filled": "filled",
    "cancelled": "canceled",
    "rejected": "rejected",
    "expired": "expired",
}
"""Ours for each state. A trigger that fired is over: it traded nothing, and an order of its own took its place."""

_TRANSFERS = {
    "deposit": "deposit",
    "withdrawal": "withdrawal",
    "transfer": "internal",
    "swap": "swap",
    "correction": "correction",
}
_MARKET_PRICE = "market_price"
_AS_TRADE = frozenset({"trade", "liquidation", "settlement"})
"""Entries of the log whose money is booked from trades, but for the funding that came with it."""

_DELIVERED: dict[str, Side] = {"close buy": "buy", "close sell": "sell"}


class Context(msgspec.Struct, frozen=True):
    """Of one answer.

    Attributes:
        name: The answer's, for reports.
        account: Whose facts these become.
        wallet: In which the account's trades of this engine are kept apart; empty for none.
        used: Instruments that were named, by symbol.
    """

    name: str
    account: AccountId
    wallet: str
    used: dict[str, Instrument]

    def instrument(self, row: Row) -> Instrument:
        """The instrument of a row, noted as used. Raises :class:`BadInput`."""
        instrument = from_name(rows.text(row, "instrument_name"), self.wallet)
        self.used[instrument.symbol] = instrument
        return instrument


def fill(context: Context, row: Row) -> FillBooked:
    """A trade of ours."""
    instrument = context.instrument(row)
    liquidity, forced = rows.optional_text(row, "liquidity"), rows.optional_text(row, "liquidation")
    return FillBooked(
        account=context.account,
        instrument=instrument.symbol,
        position_side="net",
        side=rows.one_of(row, "direction", _SIDES),
        quantity=rows.positive(row, "amount"),
        price=rows.positive(row, "price"),
        fee=rows.decimal(row, "fee"),
        fee_currency=rows.text(row, "fee_currency"),
        venue_time=rows.milliseconds(row, "timestamp"),
        venue_trade_id=rows.identifier(row, "trade_id"),
        venue_order_id=rows.optional_identifier(row, "order_id"),
        client_order_id=rows.optional_text(row, "label"),
        liquidity=_LIQUIDITY.get(liquidity, ""),
        venue_sequence=rows.integer(row, "trade_seq"),
        liquidation="liquidation" if liquidity and liquidity in forced else "",
    )


def order(context: Context, row: Row) -> OrderReported:
    """The newest state of an order."""
    instrument, order_id = context.instrument(row), rows.identifier(row, "order_id")
    quantity, filled = rows.decimal(row, "amount"), rows.optional_decimal(row, "filled_amount") or ZERO
    if not 0 <= filled <= quantity:
        raise BadInput(
            "filled_amount", canonical(filled), f"not between 0 and the {canonical(quantity)} asked for", remedy=_CHECK
        )
    status = rows.one_of(row, "order_state", _STATUS)
    time = rows.milliseconds(row, "last_update_timestamp")
    return OrderReported(
        account=context.account,
        instrument=instrument.symbol,
        side=rows.one_of(row, "direction", _SIDES),
        quantity=quantity,
        filled=filled,
        status="partially_filled" if status == "open" and filled else status,
        venue_order_id=order_id,
        venue_time=time,
        report_id=f"{order_id}:{status}:{canonical(quantity)}:{canonical(filled)}:{time}",
        client_order_id=rows.optional_text(row, "label"),
        price=None if row.get("price") == _MARKET_PRICE else rows.optional_decimal(row, "price"),
        trigger_price=rows.optional_decimal(row, "trigger_price"),
        order_type=rows.text(row, "order_type"),
        reduce_only=rows.flag(row, "reduce_only", default=False),
    )


def position(context: Context, row: Row) -> VenuePosition | None:
    """What is held of an instrument; None when nothing is."""
    size = rows.decimal(row, "size")
    if not size:
        return None
    instrument = context.instrument(row)
    if rows.one_of(row, "direction", _SIDES) != ("buy" if size > 0 else "sell"):
        raise BadInput("size", canonical(size), "the wrong sign for its direction", remedy=_CHECK)
    return VenuePosition(
        instrument.symbol,
        "net",
        size,
        entry_price=rows.optional_decimal(row, "average_price") or None,
        mark_price=rows.optional_decimal(row, "mark_price") or None,
        liquidation_price=rows.optional_decimal(row, "estimated_liquidation_price") or None,
    )


def balance(context: Context, row: Row) -> tuple[str, Decimal | None]:
    """The balance of a currency; None while something is held, since the engine marks it to market each day."""
    currency = wallet_currency(rows.text(row, "currency"), context.wallet)
    held = ("maintenance_margin", "session_upl", "options_value")
    flat = not any(rows.optional_decimal(row, field) for field in held)
    return currency, rows.decimal(row, "equity") if flat and row.get("maintenance_margin") is not None else None


def cash(context: Context, row: Row, unsettled: Decimal) -> tuple[str, Decimal | None]:
    """The balance of a currency as a book keeps it: what trades realised is in it, what positions are worth is not.

    Equity is the cash, the session's P&L of futures, and the worth of options; ``futures_pl`` is what is not realised
    by average prices, whatever was settled each day.

    Args:
        context: Of the answer.
        row: An account summary.
        unsettled: Funding of this session in its equity, which the log tells when it is settled.

    Returns:
        The balance's name and amount; None for the amount while options are held, since their premiums are not booked.
    """
    currency = wallet_currency(rows.text(row, "currency"), context.wallet)
    if rows.optional_decimal(row, "options_value"):
        return currency, None
    with exact():
        return currency, rows.decimal(row, "equity") - rows.decimal(row, "futures_pl") - unsettled


def unsettled(context: Context, row: Row) -> tuple[str, Decimal]:
    """Funding that a position was paid in this session, and its currency."""
    return context.instrument(row).settle, rows.optional_decimal(row, "realized_funding") or ZERO


def money(context: Context, row: Row) -> TransferBooked | FundingPaid | FillBooked | None:
    """What an entry of the transaction log moved apart from trades; None for a trade's own, and for no funding.

    A settlement pays what the book has as realised or unrealised P&L already; only its funding is booked. A delivery
    ends a position at the delivery price, and is no trade of its own.
    """
    kind, time = rows.text(row, "type"), rows.milliseconds(row, "timestamp")
    currency = rows.text(row, "currency")
    venue_id = f"{currency}:{rows.identifier(row, 'id')}"  # each currency has a log of its own
    if kind == "delivery":
        return None if row.get("trade_id") is not None else _delivered(context, row, venue_id, time)
    if kind in _AS_TRADE:
        funding = rows.optional_decimal(row, "interest_pl")
        if not funding:
            return None
        return FundingPaid(context.account, context.instrument(row).symbol, funding, currency, time, venue_id)
    if kind not in _TRANSFERS:
        raise BadInput(
            "type",
            rows.shown(kind),
            "not a known kind of transaction",
            remedy="Where it moved money, book it in the generic format.",
        )
    name = wallet_currency(currency, context.wallet)
    return TransferBooked(context.account, rows.decimal(row, "change"), name, time, venue_id, reason=_TRANSFERS[kind])


def _delivered(context: Context, row: Row, venue_id: str, time: int) -> FillBooked:
    """The end of a dated future, as the trade that it amounts to."""
    return FillBooked(
        account=context.account,
        instrument=context.instrument(row).symbol,
        position_side="net",
        side=rows.one_of(row, "side", _DELIVERED),
        quantity=rows.positive(row, "amount"),
        price=rows.positive(row, "price"),
        fee=rows.optional_decimal(row, "commission") or ZERO,
        fee_currency=rows.text(row, "currency"),
        venue_time=time,
        venue_trade_id=f"delivery {venue_id}",
    )


_CHECK = "Check the row at its source."
