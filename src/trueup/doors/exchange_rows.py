"""What a venue is said to hold, held against a ledger: size by the book's own comparison, then price and leverage."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from trueup.book.book import Book
from trueup.doors.exact import number
from trueup.doors.fields import renamed
from trueup.doors.position import Position
from trueup.doors.shelf import Shelf
from trueup.doors.terms import known_terms
from trueup.engine.reconciling import book_side, database_side
from trueup.model.differences import Kind, Status, VenuePosition, VenueSnapshot
from trueup.model.errors import BadInput
from trueup.model.identifiers import AccountId, PositionKey
from trueup.model.numbers import canonical
from trueup.model.times import format_time
from trueup.reconcile.compare import compare
from trueup.reconcile.findings import worst

PRICE_TOLERANCE = Decimal("0.01")
"""How far two average entries may lie apart, in the currency of the price."""

_TERMS = frozenset({Kind.AVG_PX, Kind.LEVERAGE})
"""Compared here instead, with what the program said of them."""


class PositionCheck(msgspec.Struct, frozen=True):
    """One asset, as it is held here and there.

    Attributes:
        differences: In sentences; none where it agrees.
    """

    asset: str
    status: Status
    differences: tuple[str, ...] = ()


class PositionsCompared(msgspec.Struct, frozen=True):
    """An account as it is held here and there.

    Attributes:
        status: The worst of all.
        timestamp: RFC 3339.
        positions: By asset, those that are held on either side.
    """

    account: AccountId
    status: Status
    timestamp: str
    positions: Mapping[str, PositionCheck]

    @property
    def differences(self) -> tuple[str, ...]:
        """All of them, in sentences."""
        return tuple(f"{asset}: {said}" for asset, one in self.positions.items() for said in one.differences)


def compare_positions(
    shelf: Shelf,
    account: AccountId,
    theirs: Mapping[str, Any] | Sequence[Position | Mapping[str, Any]],
    ours: Sequence[Position],
) -> PositionsCompared:
    """Compare an account's ledger, its database and what a venue says; nothing is changed.

    Args:
        shelf: With the ledger.
        account: Whose.
        theirs: All that the venue holds: by asset or as a list.
        ours: The same positions as the ledger has them.

    Raises:
        BadInput: A row that cannot be read, or the same asset twice.
    """
    ledger, now = shelf.ledger(account), shelf.now()
    stated = ledger.read(lambda book: [read_row(book, row) for row in _rows(theirs)])
    by_key = dict(stated)
    if len(by_key) < len(stated):
        raise BadInput("positions", len(stated), "one asset is stated twice", remedy="State each once, added up.")
    snapshot = VenueSnapshot(account, cut=now, positions=by_key)
    found = compare(ledger.read(book_side), database_side(shelf.store, account), snapshot, now=now)
    said: dict[str, list[tuple[Status, str]]] = {}
    for asset in sorted({*(key[0] for key in by_key), *(one.asset for one in ours if one.is_open)}):
        said[asset] = []
    for difference in found.differences:
        if difference.kind not in _TERMS:
            asset = difference.subject.rpartition(" ")[0] or difference.subject
            said.setdefault(asset, []).append((difference.status, difference.direction))
    for position in ours:
        there = by_key.get((position.asset, "net"))
        if position.is_open and there is not None:
            said[position.asset] += _terms_apart(position, there)
    checks = {
        asset: PositionCheck(asset, worst([status for status, _ in each]), tuple(words for _, words in each))
        for asset, each in said.items()
    }
    return PositionsCompared(account, worst([one.status for one in checks.values()]), format_time(now), checks)


def read_row(book: Book, row: Mapping[str, Any]) -> tuple[PositionKey, VenuePosition]:
    """A venue's row under the name that we know the instrument by.

    Raises:
        BadInput: A field that is not one, or a number that is none.
    """
    given = renamed(row, ("instrument", "quantity", "price", "entry_price", "leverage", "position_side"))
    symbol = str(given.get("instrument") or "")
    terms = known_terms(book, symbol)
    price, leverage = given.get("entry_price", given.get("price")), given.get("leverage")
    stated = VenuePosition(
        symbol if terms is None else terms.symbol,
        str(given.get("position_side", "net")),
        number(given.get("quantity"), "quantity"),
        None if price is None else number(price, "price"),
        leverage=None if leverage is None else number(leverage, "leverage"),
    )
    return (stated.instrument, stated.position_side), stated


def _rows(theirs: Mapping[str, Any] | Sequence[Position | Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    if not isinstance(theirs, Mapping):
        return [_row(row) for row in theirs]
    return [
        {"asset": asset, **_row(row)} if isinstance(row, Mapping | Position) else {"asset": asset, "size": row}
        for asset, row in theirs.items()
    ]


def _row(row: Position | Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(row, Position):
        return row
    return {"asset": row.asset, "size": row.size, "entry_price": row.entry_price, "leverage": row.leverage}


def _terms_apart(ours: Position, theirs: VenuePosition) -> list[tuple[Status, str]]:
    """Where average entry and leverage differ; what one side does not say is not compared."""
    found = []
    here, there = ours.entry_price, theirs.entry_price
    if here is not None and there is not None and abs(here - there) > PRICE_TOLERANCE:
        found.append((Status.DRIFT, f"entry price: we have {canonical(here)}, venue has {canonical(there)}"))
    if ours.leverage is not None and theirs.leverage is not None and ours.leverage != theirs.leverage:
        words = f"leverage: we have {canonical(ours.leverage)}, venue has {canonical(theirs.leverage)}"
        found.append((Status.DRIFT, words))
    return found
