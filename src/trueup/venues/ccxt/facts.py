"""ccxt's trades, funding payments and ledger entries as facts. What lives only here: what each row is known by.

A fill is known by the venue's id of the trade, with that of the instrument before it, since many venues count each
instrument's trades from one. A row without an id is refused: ccxt's lists overlap, and a name made of its terms could
not tell a second fill from the first one seen again.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from trueup.model.errors import BadInput
from trueup.model.events import Fact, FeeCharged, FillBooked, FundingPaid, TransferBooked
from trueup.model.identifiers import PositionSide, Side
from trueup.model.instruments import Instrument
from trueup.model.numbers import ZERO, exact
from trueup.model.times import NS_PER_MS
from trueup.venues import rows
from trueup.venues.ccxt.context import Context, client_name, hedge_mode, info, position_side, told_by_venue
from trueup.venues.rows import Row

SIDES: Mapping[str, Side] = {"buy": "buy", "sell": "sell"}

FORCED: Mapping[str, Mapping[str, str]] = {
    "execType": {"AdlTrade": "adl", "BustTrade": "liquidation"},
    "fillType": {"liquidation": "liquidation", "assignee": "adl", "assignor": "adl", "takerAfterEdit": ""},
    "tradeType": {"liquidation": "liquidation", "adl": "adl", "ADL": "adl"},
}
"""What venues call a forced trade, by the field it stands in."""


def trade(context: Context, row: Row, asked: str = "") -> Sequence[Fact]:
    """A trade of ours, and what it cost in further currencies. Raises :class:`BadInput`."""
    terms = context.instrument(row, asked)
    told = {**row, **told_by_venue(row, context.correction.trade_info)}
    identity = f"{terms.native_symbol}:{rows.identifier(row, 'id')}"
    side = _side(context, row, terms)
    time = rows.milliseconds(row, "timestamp")
    (fee, currency), *others = _fees(told, terms) or [(ZERO, "")]  # 0 in no currency: not known
    fill = FillBooked(
        context.account,
        terms.symbol,
        side,
        rows.one_of(row, "side", SIDES),
        rows.positive(told, "amount"),
        rows.positive(told, "price"),
        fee,
        currency,
        time,
        identity,
        venue_order_id=rows.optional_identifier(row, "order"),
        client_order_id=client_name(row),
        liquidity=rows.optional_text(row, "takerOrMaker"),
        liquidation=_forced(row),
    )
    charged = [
        FeeCharged(context.account, amount, other, time, f"{identity}:fee:{other}", terms.symbol, side, "trade")
        for amount, other in others
    ]
    return [fill, *charged]


def funding(context: Context, row: Row, asked: str = "") -> Sequence[Fact]:
    """A funding payment, in the contract's settlement currency, whatever ccxt says; some venues' ids repeat.

    Raises:
        BadInput: It cannot be understood.
    """
    terms = context.instrument(row, asked)
    amount = rows.decimal(row, "amount")
    time = rows.milliseconds(row, "timestamp")
    identity = f"{time // NS_PER_MS}:{rows.optional_identifier(row, 'id')}"
    side = position_side(row) or "net"
    paid = context.correction.funding_paid
    return [
        FundingPaid(
            context.account,
            terms.symbol,
            -amount if paid else amount,
            terms.settle,
            time,
            f"{terms.native_symbol}:{identity}",
            position_side=side,
        )
    ]


def entry(context: Context, row: Row, _asked: str = "") -> Sequence[Fact]:
    """Money that moved without a trade; nothing for an entry that trades and funding explain. Raises BadInput."""
    correction = context.correction
    told = {**row, **told_by_venue(row, correction.ledger_info)}
    kind = rows.text(told, "type")
    if kind in correction.explained:
        return []
    if kind not in correction.transfers:
        raise BadInput(
            "type",
            kind,
            "an entry of the ledger that is not known",
            remedy="Say what it is, or book it as an adjustment.",
        )
    amount = _moved(context, told, kind)
    currency, reason = rows.optional_text(row, "currency") or correction.money, correction.transfers[kind]
    identity = f"{kind}:{rows.identifier(told, 'id')}:{currency}"
    time = rows.milliseconds(row, "timestamp")
    return [TransferBooked(context.account, amount, currency, time, identity, reason)] if amount else []


def _moved(context: Context, told: Row, kind: str) -> Decimal:
    """What an entry brought; the venue's own amount has its sign, ccxt's has a word for it."""
    amount = rows.decimal(told, "amount")
    if kind in context.correction.outgoing:
        return -amount
    if "amount" in context.correction.ledger_info:
        return amount
    return abs(amount) * rows.one_of(told, "direction", {"in": 1, "out": -1})


def _side(context: Context, row: Row, terms: Instrument) -> PositionSide:
    if terms.kind == "spot":
        return "net"
    if context.correction.hedged_fills:
        told = position_side(row)
        if told is not None:
            return told
    if (context.hedged or hedge_mode(row)) and not context.correction.hedged_fills:
        raise BadInput(
            "side",
            row.get("side"),
            "the account holds both sides and the row does not say which of them it is of",
            remedy="Set one-way mode, or book it with the generic venue.",
        )
    return "net"


def _fees(row: Row, terms: Instrument) -> list[tuple[Decimal, str]]:
    """What a trade cost, added up by currency; nothing where the venue does not say."""
    if "fee_currency" in row:
        return [(rows.decimal(row, "fee"), rows.text(row, "fee_currency"))]
    told = row.get("fees") or [row.get("fee")]
    sums: dict[str, Decimal] = {}
    for fee in told if isinstance(told, list) else ():
        if isinstance(fee, Mapping) and fee.get("cost") is not None:
            currency = rows.optional_text(fee, "currency") or terms.settle
            with exact():
                sums[currency] = sums.get(currency, ZERO) + rows.decimal(fee, "cost")
    return [(amount, currency) for currency, amount in sums.items()]


def _forced(row: Row) -> str:
    kept = info(row)
    told = ((words, kept.get(name)) for name, words in FORCED.items())
    return next((words[word] for words, word in told if isinstance(word, str) and word in words), "")
