"""The rows of the engine's answers: trades, orders, positions, account summaries and the transaction log."""

from decimal import Decimal

import msgspec

from trueup.model.differences import VenuePosition
from trueup.model.errors import BadInput
from trueup.model.events import FillBooked, FundingPaid, OrderReported, TransferBooked
from trueup.model.identifiers import AccountId, Side
from trueup.model.instruments import Instrument, wallet_currency
from trueup.model.numbers import ZERO, canonical
from trueup.venues import rows
from trueup.venues.jsonrpc_derivatives.instruments import from_name
from trueup.venues.rows import Row

_SIDES: dict[str, Side] = {"buy": "buy", "sell": "sell"}
_LIQUIDITY = {"M": "maker", "T": "taker"}
_STATUS = {
    "open": "open",
    "untriggered": "open",
    "triggered": "open",
    "filled": "filled",
    "cancelled": "canceled",
    "rejected": "rejected",
    "expired": "expired",
}
_TRANSFERS = {"deposit": "deposit", "withdrawal": "withdrawal", "transfer": "internal"}
_MARKET_PRICE = "market_price"
_AS_TRADE = frozenset({"trade", "liquidation", "delivery"})
"""Entries of the log whose money is that of a trade, which is booked from the trade itself."""


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
    flat = not any(rows.decimal(row, field) if row.get(field) is not None else ZERO for field in held)
    return currency, rows.decimal(row, "equity") if flat and row.get("maintenance_margin") is not None else None


def money(context: Context, row: Row) -> TransferBooked | FundingPaid | None:
    """What an entry of the transaction log moved apart from trades; None for a trade's own, and for no funding.

    A settlement pays what the book has as realised or unrealised P&L already; only its funding is booked.
    """
    kind, time = rows.text(row, "type"), rows.milliseconds(row, "timestamp")
    if kind in _AS_TRADE:
        return None
    venue_id, currency = rows.identifier(row, "id"), rows.text(row, "currency")
    if kind == "settlement":
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


_CHECK = "Check the row at its source."
