"""The transactions that move money without a trade: financing, dividends, transfers."""

from decimal import Decimal

from trueup.model.errors import BadInput
from trueup.model.events import FundingPaid, TransferBooked
from trueup.model.numbers import ZERO, canonical
from trueup.venues import rows
from trueup.venues.oanda import fields
from trueup.venues.oanda.known import Known
from trueup.venues.rows import Row


def financing(row: Row, known: Known) -> list[FundingPaid]:
    """DAILY_FINANCING: one payment per instrument, which must add up to what the account paid.

    They are booked under position side ``net`` also where the account holds long and short side by side: OANDA states
    financing per instrument and per trade, never per side.
    """
    whole, by_instrument = rows.decimal(row, "financing"), _by_instrument(row)
    parts = sum(by_instrument.values(), ZERO)
    if parts != whole:
        raise BadInput(
            "financing",
            canonical(whole),
            f"the positions' financing adds up to {canonical(parts)}",
            remedy="Fetch the transaction again (GET /accounts/ID/transactions/ID).",
        )
    return [_payment(row, known, name, amount) for name, amount in by_instrument.items() if amount]


def dividend(row: Row, known: Known) -> list[FundingPaid]:
    """DIVIDEND_ADJUSTMENT: what a share index position is paid or charged for dividends, like financing."""
    amount = rows.decimal(row, "dividendAdjustment")
    return [_payment(row, known, rows.text(row, "instrument"), amount)] if amount else []


def transfer(row: Row, known: Known) -> list[TransferBooked]:
    """TRANSFER_FUNDS: a deposit or withdrawal, or under OANDA's own word what else moves funds."""
    amount, reason = rows.decimal(row, "amount"), rows.optional_text(row, "fundingReason")
    if reason in ("", "CLIENT_FUNDING"):
        word = "deposit" if amount > 0 else "withdrawal"
    else:
        word = "internal" if reason == "ACCOUNT_TRANSFER" else reason.lower()
    booked = TransferBooked(
        account=known.account,
        amount=amount,
        currency=known.home_currency(),
        venue_time=fields.time(row),
        venue_id=str(fields.transaction_id(row)),
        reason=word,
    )
    return [booked]


def _by_instrument(row: Row) -> dict[str, Decimal]:
    paid: dict[str, Decimal] = {}
    if row.get("positionFinancings") is not None:
        for item in rows.records(row, "positionFinancings"):
            position = rows.as_row(item, "positionFinancings")
            name = rows.text(position, "instrument")
            paid[name] = paid.get(name, ZERO) + rows.decimal(position, "financing")
    return paid


def _payment(row: Row, known: Known, name: str, amount: Decimal) -> FundingPaid:
    return FundingPaid(
        account=known.account,
        instrument=known.instrument(name).symbol,
        amount=amount,
        currency=known.home_currency(),
        venue_time=fields.time(row),
        venue_id=f"{fields.transaction_id(row)}:{name}",
    )
