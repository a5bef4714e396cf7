"""Fills: ``userFills``, ``userFillsByTime``, TWAP slices and their feeds, and the positions they show to be older.

The identity of a fill is its ``tid``; ``hash`` is the transaction's, shared or all zero. Answers from 2023 have no
``tid``: such fills get a weak identity. ``fee`` includes a builder's, and is negative for a rebate.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from trueup.model.events import FillBooked, OpeningBalance, OpeningPosition
from trueup.model.facts import order_key
from trueup.model.instruments import Instrument, wallet_currency
from trueup.model.numbers import ZERO, canonical, exact
from trueup.ports import Refused
from trueup.venues import rows
from trueup.venues.hyperliquid.context import SIDES, Context
from trueup.venues.hyperliquid.meta import USDC
from trueup.venues.rows import Row, WeakIds


def read_fills(
    context: Context, items: Sequence[object]
) -> tuple[Sequence[FillBooked | OpeningPosition | OpeningBalance], Sequence[Instrument], Sequence[Refused]]:
    """Fills with the openings they give evidence of, the instruments they use, and what was refused."""
    instruments: dict[str, Instrument] = {}

    def read(row: Row) -> FillBooked:
        fill, instrument = _fill(context, row)
        instruments[instrument.symbol] = instrument
        return fill

    fills, refused = rows.read_each(context.name, items, read)
    named = _named(fills)
    openings = _openings(named, instruments)
    return sorted([*openings, *named], key=order_key), list(instruments.values()), refused


def slices(items: Sequence[object]) -> Sequence[object]:
    """The fills inside the rows of ``userTwapSliceFills``; a row without one stays as it is, to be refused."""
    return [item.get("fill", item) if isinstance(item, Mapping) else item for item in items]


def _fill(context: Context, row: Row) -> tuple[FillBooked, Instrument]:
    fee_currency = rows.optional_text(row, "feeToken") or USDC
    instrument = context.symbols.instrument(rows.text(row, "coin"), fee_currency)
    fill = FillBooked(
        account=context.account,
        instrument=instrument.symbol,
        position_side="net",
        side=rows.one_of(row, "side", SIDES),
        quantity=rows.positive(row, "sz"),
        price=rows.positive(row, "px"),
        fee=rows.decimal(row, "fee"),
        fee_currency=fee_currency,
        venue_time=rows.milliseconds(row, "time"),
        venue_trade_id=rows.optional_identifier(row, "tid"),
        venue_order_id=rows.optional_identifier(row, "oid"),
        client_order_id=rows.optional_text(row, "cloid"),
        liquidity=_liquidity(row),
        start_position=rows.optional_decimal(row, "startPosition"),
        liquidation=_forced(row, context.address),
    )
    return fill, instrument


def _liquidity(row: Row) -> str:
    if row.get("crossed") is None:
        return ""
    return "taker" if rows.flag(row, "crossed", default=False) else "maker"


def _forced(row: Row, address: str) -> str:
    """``liquidation`` or ``adl`` when the venue traded for the account, else empty.

    The other side of a liquidation shows the same details; where our address is known it tells the two apart.
    """
    direction = rows.optional_text(row, "dir")
    if "deleverag" in direction.lower():
        return "adl"
    details = row.get("liquidation")
    if details is None:
        marked = row.get("liquidationMarkPx") is not None  # answers from 2023
        return "liquidation" if marked or direction.startswith("Liquidated") else ""
    liquidated = rows.optional_text(rows.as_row(details, "liquidation"), "liquidatedUser").lower()
    return "" if address and liquidated and liquidated != address else "liquidation"


def _named(fills: Iterable[FillBooked]) -> Sequence[FillBooked]:
    """Every fill with an identity, in venue order. Twins are named in an order that the answer's own does not touch."""
    weak = WeakIds()
    ordered = sorted(fills, key=lambda f: (f.venue_time, f.venue_order_id, str(f.start_position)))
    return sorted((fill if fill.venue_trade_id else weak.name(fill) for fill in ordered), key=order_key)


def _openings(
    fills: Iterable[FillBooked], instruments: Mapping[str, Instrument]
) -> Sequence[OpeningPosition | OpeningBalance]:
    """What was held before the first fill of each perpetual and of each coin traded spot, where it says so.

    Whether to book it is the ledger's to decide, which may hold older fills. The basis is unknown. Of a spot fill the
    venue states how much of the coin the wallet held, through whatever pair it came: that is a balance, and as a
    position it belongs to the pair that is traded first.
    """
    earliest: defaultdict[str, list[FillBooked]] = defaultdict(list)
    for fill in fills:  # in venue order
        same = earliest[_held(instruments[fill.instrument])]
        if not same or same[0].venue_time == fill.venue_time:
            same.append(fill)
    openings: list[OpeningPosition | OpeningBalance] = []
    for held, same in earliest.items():
        fill = _first(same, instruments)
        if fill.start_position:
            instrument = instruments[fill.instrument]
            openings.append(_opening(fill, fill.start_position, instrument.native_symbol))
            if instrument.kind == "spot":
                openings.append(_opening_balance(fill, fill.start_position, held, instrument.native_symbol))
    return openings


def _held(instrument: Instrument) -> str:
    """What a fill's start position is of: the perpetual, or for spot the coin in its wallet."""
    return wallet_currency(instrument.base, instrument.wallet) if instrument.kind == "spot" else instrument.symbol


def _first(fills: Sequence[FillBooked], instruments: Mapping[str, Instrument]) -> FillBooked:
    """Of fills of one holding and millisecond, the one that no other leads to.

    The order inside a millisecond is not the position's, but each fill says where it started. Where that leaves
    several, or goes in a circle, one from zero is the first, else the lowest id: the choice must not hang on the order
    of the answer.
    """
    with exact():
        ends = {f.start_position + _change(f, instruments) for f in fills if f.start_position is not None}
    heads = [fill for fill in fills if fill.start_position not in ends] or fills
    return min(heads, key=lambda fill: (fill.start_position is None, bool(fill.start_position), order_key(fill)))


def _change(fill: FillBooked, instruments: Mapping[str, Instrument]) -> Decimal:
    """By how much a fill changes what it started from; a spot fee in the coin itself is part of that."""
    instrument = instruments[fill.instrument]
    fee = fill.fee if instrument.kind == "spot" and fill.fee_currency == instrument.base else ZERO
    return (fill.quantity if fill.side == "buy" else -fill.quantity) - fee


def _opening(fill: FillBooked, quantity: Decimal, coin: str) -> OpeningPosition:
    return OpeningPosition(
        account=fill.account,
        instrument=fill.instrument,
        quantity=quantity,
        venue_time=fill.venue_time,
        opening_id=f"{coin}:{fill.venue_trade_id}",
        evidence=_evidence(fill, quantity, coin),
    )


def _opening_balance(fill: FillBooked, amount: Decimal, currency: str, coin: str) -> OpeningBalance:
    return OpeningBalance(
        account=fill.account,
        currency=currency,
        amount=amount,
        venue_time=fill.venue_time,
        opening_id=f"{currency}:{fill.venue_trade_id}",
        evidence=_evidence(fill, amount, coin),
    )


def _evidence(fill: FillBooked, held: Decimal, coin: str) -> str:
    return f"fill {fill.venue_trade_id} of {coin} states startPosition {canonical(held)}"
