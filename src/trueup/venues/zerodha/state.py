"""Answers that state how the account stands: positions, holdings and margins.

- **Positions** (``net``) are keyed by exchange, tradingsymbol and product; ``day`` is how today came to them, and is
  not read. The average of what was carried overnight is marked to yesterday's close, so only today's is an entry.
- **Delivery** is what holdings say was held when the day began (``opening_quantity``: settled, T1 and pledged shares)
  and what today's positions added or took. Neither answer says it alone, so it is stated once both were read.
- **Cash** is ``available.cash`` of each segment. In the equity segment shares are balances beside it, and a balance
  that an answer leaves out counts as zero: so it is stated together with them wherever delivery is traded.

No answer says when it was true, so the cut is unknown, and what is stated together must have been asked together. A
part with a row that cannot be read is unknown as a whole, since what the row held would else count as flat.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TypeVar

from trueup.model.differences import VenuePosition, VenueSnapshot
from trueup.model.errors import BadInput
from trueup.model.identifiers import PositionKey
from trueup.model.instruments import Instrument, wallet_currency
from trueup.model.numbers import ZERO
from trueup.ports import Reading, Refused
from trueup.venues import rows
from trueup.venues.rows import Row
from trueup.venues.zerodha import instruments
from trueup.venues.zerodha.instruments import COMMODITY, EQUITY, RUPEE, SEGMENTS, Key
from trueup.venues.zerodha.known import Known

POSITIONS, BALANCES = "positions", "balances"

_DELIVERY_NOTE = "Delivery (CNC, MTF) is stated once positions and holdings were both read."
_EQUITY_NOTE = "Cash of the equity segment is stated once positions and holdings were read too: shares are beside it."
_CASH_NOTE = "Kite's cash is the ledger's: today's trades and charges reach it later."

T = TypeVar("T")


def positions(name: str, data: Row, known: Known) -> Reading:
    """The positions answer; its multipliers tell how large lots are."""
    listed = rows.records(data, "net")
    read, refused = rows.read_each(name, listed, lambda row: _position(row, known))
    held, twice = _once((instrument.symbol, (instrument, row)) for instrument, row in read)
    reason = _reason(refused) or twice
    if reason:
        known.positions = known.today = None
        return _reading(name, POSITIONS, known, len(listed), refused, {POSITIONS: reason})
    apart = {s: _stated(i, row) for s, (i, row) in held.items() if i.kind != "spot"}
    known.positions = {symbol: position for symbol, position in apart.items() if position.quantity}
    known.today = {s: _today(row) for s, (i, row) in held.items() if i.kind == "spot"}
    return _reading(name, POSITIONS, known, len(listed))


def holdings(name: str, listed: Sequence[object], known: Known) -> Reading:
    """The holdings answer, which lists shares held for delivery and those held on borrowed money (MTF)."""
    read, refused = rows.read_each(name, listed, lambda row: _holding(row, known))
    held, twice = _once(pair for pairs in read for pair in pairs)
    reason = _reason(refused) or twice
    known.overnight = None if reason else held
    return _reading(name, "holdings", known, len(listed), refused, {POSITIONS: reason} if reason else {})


def margins(name: str, data: Row, known: Known) -> Reading:
    """The margins of all segments, or of those that are given."""
    named = [segment for segment in SEGMENTS if data.get(segment) is not None]
    wrapped = [{"segment": segment, "margins": data[segment]} for segment in named]
    read, refused = rows.read_each(name, wrapped, _cash)
    reason = _reason(refused)
    known.cash = None if reason else {**(known.cash or {}), **dict(read)}
    return _reading(name, "margins", known, len(named), refused, {BALANCES: reason} if reason else {})


# --- rows -------------------------------------------------------------------------------------------------------------


def _position(row: Row, known: Known) -> tuple[Instrument, Row]:
    """The instrument of a position, whose numbers are checked."""
    rows.decimal(row, "quantity")
    rows.decimal(row, "overnight_quantity")
    rows.optional_decimal(row, "average_price")
    rows.optional_decimal(row, "last_price")
    return known.instrument(instruments.key(row), rows.positive(row, "multiplier")), row


def _stated(instrument: Instrument, row: Row) -> VenuePosition:
    carried = rows.decimal(row, "overnight_quantity")
    return VenuePosition(
        instrument.symbol,
        "net",
        rows.decimal(row, "quantity"),
        entry_price=None if carried else rows.optional_decimal(row, "average_price"),
        mark_price=rows.optional_decimal(row, "last_price"),
    )


def _today(row: Row) -> Decimal:
    return rows.decimal(row, "quantity") - rows.decimal(row, "overnight_quantity")


def _holding(row: Row, known: Known) -> list[tuple[str, tuple[Decimal, Decimal | None]]]:
    """What was held of it when the day began: of one's own, and on borrowed money."""
    key = instruments.key(row)
    own = (_opening(row), rows.optional_decimal(row, "average_price"))
    found = [(_shares(key, known), own)]
    if row.get("mtf") is not None:
        lent = rows.record(row, "mtf")
        quantity = _count(lent, "quantity")
        if _count(lent, "used_quantity"):
            problem = "of shares on margin that were sold today it is not known whether the quantity still has them"
            raise BadInput("used_quantity", lent["used_quantity"], problem, remedy="Ask again tomorrow.")
        if quantity:
            borrowed = Key(key.exchange, key.tradingsymbol, "MTF")
            found.append((_shares(borrowed, known), (quantity, rows.optional_decimal(lent, "average_price"))))
    return found


def _shares(key: Key, known: Known) -> str:
    if not key.delivered:
        problem = "not a product in which shares are held"
        raise BadInput("product", key.native, problem, remedy="Check the row at its source.")
    return known.instrument(key).symbol


def _opening(row: Row) -> Decimal:
    """Shares held when the day began: what is left of them, and at most what was sold, is on its way or is pledged."""
    opening, left = _count(row, "opening_quantity"), _count(row, "quantity")
    parts = [_count(row, part) for part in ("t1_quantity", "used_quantity", "collateral_quantity")]
    if not left <= opening <= left + sum(parts, ZERO):
        raise BadInput(
            "opening_quantity",
            opening,
            f"its parts say otherwise: quantity {left}, then T1, used and pledged {', '.join(map(str, parts))}",
            remedy="Ask for the holdings again, before the market opens.",
        )
    return opening


def _count(row: Row, field: str) -> Decimal:
    number = rows.decimal(row, field)
    if number < ZERO:
        raise BadInput(field, number, "less than nothing", remedy="Check the row at its source.")
    return number


def _cash(row: Row) -> tuple[str, Decimal]:
    return rows.text(row, "segment"), rows.decimal(rows.record(rows.record(row, "margins"), "available"), "cash")


# --- the snapshot -----------------------------------------------------------------------------------------------------


def _reading(
    name: str,
    kind: str,
    known: Known,
    count: int,
    refused: Sequence[Refused] = (),
    failed: Mapping[str, str] | None = None,
) -> Reading:
    """All that is known of the state by now, and in the note what is still missing for the rest of it."""
    failed, shares = failed or {}, _delivery(known)
    held: dict[PositionKey, VenuePosition] | None = None
    if known.positions is not None:
        held = {(symbol, "net"): position for symbol, position in known.positions.items()}
        held |= {(symbol, "net"): position for symbol, position in (shares or {}).items() if position.quantity}
    balances = _balances(known, shares)
    snapshot = VenueSnapshot(
        known.account,
        positions=None if POSITIONS in failed else held,
        balances=None if BALANCES in failed else balances,
        failed=failed,
        source=(name,),
    )
    said = snapshot.positions is not None or snapshot.balances is not None or failed
    return Reading(kind, refused=refused, snapshot=snapshot if said else None, rows=count, note=_note(known, shares))


def _delivery(known: Known) -> dict[str, VenuePosition] | None:
    """Shares held now, by symbol; None while a part of what they add up to is unknown."""
    if known.today is None or known.overnight is None:
        return None
    found = {}
    for symbol in sorted({*known.today, *known.overnight}):
        opening, average = known.overnight.get(symbol, (ZERO, None))
        change = known.today.get(symbol, ZERO)
        found[symbol] = VenuePosition(symbol, "net", opening + change, entry_price=None if change else average)
    return found


def _balances(known: Known, shares: Mapping[str, VenuePosition] | None) -> Mapping[str, Decimal] | None:
    """Cash by segment, with the shares beside that of equity; without that where shares may be held and are unknown."""
    if known.cash is None:
        return None
    delivered = known.delivery()
    found = {}
    for segment, cash in known.cash.items():
        if segment == COMMODITY or shares is not None or not delivered:
            found[wallet_currency(RUPEE, segment)] = cash
    if shares is not None and EQUITY in known.cash:
        by_symbol = {instrument.symbol: instrument for instrument in delivered}
        found |= {instruments.shares(by_symbol[symbol]): held.quantity for symbol, held in shares.items()}
    return found or None


def _note(known: Known, shares: Mapping[str, VenuePosition] | None) -> str:
    notes = [_DELIVERY_NOTE] if shares is None and known.delivery() else []
    if known.cash is not None:
        notes.append(_CASH_NOTE)
        if shares is None and known.delivery() and EQUITY in known.cash:
            notes.append(_EQUITY_NOTE)
    return " ".join(notes)


def _once(pairs: Iterable[tuple[str, T]]) -> tuple[dict[str, T], str]:
    """By symbol, and the reason where one stands there twice."""
    found: dict[str, T] = {}
    twice = ""
    for symbol, value in pairs:
        if symbol in found:
            twice = f"{symbol} is listed twice"
        found[symbol] = value
    return found, twice


def _reason(refused: Sequence[Refused]) -> str:
    return next((f"row {one.row}: {one.field}={one.value!r}: {one.problem}" for one in refused), "")
