"""What one fact does to the numbers that are compared: quantities by position, amounts by balance.

Subjects are named as in a difference: ``BTC/USDC:USDC net``, ``USDC@spot``.
"""

from collections.abc import Mapping
from decimal import Decimal

from trueup.book.valuation import contract_value
from trueup.model import events as e
from trueup.model.instruments import Instrument, wallet_currency
from trueup.model.numbers import ZERO

Effects = Mapping[str, Decimal | None]
"""By subject; None where it depends on what the position was, as the P&L of a close does."""

Instruments = Mapping[str, Instrument]


def effects(fact: e.Fact, instruments: Instruments) -> Effects:
    """What a fact changes; empty for facts that change no quantity and no balance."""
    match fact:
        case e.FillBooked():
            return _of_fill(fact, instruments)
        case e.FeeCharged():
            return {_balance(fact.currency, fact.instrument, instruments): -fact.amount}
        case e.FundingPaid():
            return {_balance(fact.currency, fact.instrument, instruments): fact.amount}
        case e.TransferBooked():
            return {fact.currency: fact.amount}
        case e.TradeDeclared():
            return _legs(fact, None, "", instruments)
        case e.AdjustmentBooked():
            return _of_adjustment(fact, instruments)
        case e.SplitBooked():
            return _of_split(fact, instruments)
        case _:
            return {}


def position_subject(fact: e.FillBooked | e.TradeDeclared | e.AdjustmentBooked | e.SplitBooked) -> str:
    """The position that a fact is about, as differences name it."""
    return f"{fact.instrument} {fact.position_side}"


def _of_fill(fill: e.FillBooked, instruments: Instruments) -> Effects:
    """Its legs and its fee: one in the base coin of a spot trade comes out of the position as well."""
    changes = _legs(fill, fill.settled_amount, fill.settled_currency, instruments)
    terms = instruments.get(fill.instrument)
    if fill.fee and terms is not None:
        charged = [wallet_currency(fill.fee_currency, terms.wallet)]
        if terms.kind == "spot" and fill.fee_currency == terms.base:
            charged.append(position_subject(fill))
        for subject in charged:
            before = changes.get(subject, ZERO)
            changes[subject] = None if before is None else before - fill.fee
    return changes


def _legs(
    trade: e.FillBooked | e.TradeDeclared, settled: Decimal | None, currency: str, instruments: Instruments
) -> dict[str, Decimal | None]:
    """The position, and the two legs of a spot trade or the P&L of any other, where the venue stated it."""
    signed = trade.quantity if trade.side == "buy" else -trade.quantity
    terms = instruments.get(trade.instrument)
    changes: dict[str, Decimal | None] = {position_subject(trade): signed}
    if terms is not None and terms.kind == "spot":
        changes[wallet_currency(terms.base, terms.wallet)] = signed
        changes[wallet_currency(terms.quote, terms.wallet)] = -contract_value(terms, signed, trade.price)
    elif terms is not None:
        changes[wallet_currency(currency or terms.settle, terms.wallet)] = settled
    return changes


def _of_split(split: e.SplitBooked, instruments: Instruments) -> Effects:
    terms = instruments.get(split.instrument)
    changes: dict[str, Decimal | None] = {position_subject(split): None}
    if terms is not None and terms.kind == "spot":
        changes[wallet_currency(terms.base, terms.wallet)] = None
    return changes


def _of_adjustment(adjustment: e.AdjustmentBooked, instruments: Instruments) -> Effects:
    changes: dict[str, Decimal | None] = {}
    if adjustment.quantity:
        changes[position_subject(adjustment)] = adjustment.quantity
    if adjustment.cash:
        changes[_balance(adjustment.currency, adjustment.instrument, instruments)] = adjustment.cash
    return changes


def _balance(currency: str, symbol: str, instruments: Instruments) -> str:
    terms = instruments.get(symbol)
    return wallet_currency(currency, terms.wallet if terms is not None else "")
