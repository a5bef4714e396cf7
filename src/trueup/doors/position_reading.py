"""The positions of a ledger as :class:`trueup.doors.position.Position`, each the part that one strategy holds."""

from collections.abc import Collection

from trueup.book.book import Book
from trueup.doors.exact import shown
from trueup.doors.position import Position, PositionStatus
from trueup.doors.readings import PortfolioPosition
from trueup.doors.shelf import Shelf
from trueup.model.identifiers import AccountId
from trueup.model.positions import Position as Held


def read_positions(shelf: Shelf, account: AccountId, names: Collection[str] | None = None) -> list[Position]:
    """Every position that was ever traded, flat ones included, by name; those of some names where they are given.

    Raises:
        StoreAway: The store is away.
        ViewsFailed: How a position ended stands in views that cannot be read.
    """
    parts = shelf.read(account).positions
    wanted = [parts[name] for name in sorted(parts if names is None else parts.keys() & set(names))]

    def read(book: Book) -> list[tuple[PortfolioPosition, Held | None]]:
        return [(part, book.position(part.instrument, part.position_side)) for part in wanted]

    found = [(part, held) for part, held in shelf.ledger(account).read(read) if held is not None]
    return [_position(part, held, _status(shelf, part, held)) for part, held in found]


def _status(shelf: Shelf, part: PortfolioPosition, held: Held) -> PositionStatus:
    """Whether a position is open, or how it ended: by a forced trade, or not."""
    if part.quantity:
        return PositionStatus.OPEN
    if held.quantity or not held.liquidations:
        return PositionStatus.CLOSED
    shelf.store.synced(part.account)
    trips = shelf.store.views.cycles(part.account, part.instrument)
    last = [trip for side, trip in trips if side == part.position_side][-1:]
    return PositionStatus.LIQUIDATED if last and last[0].liquidated else PositionStatus.CLOSED


def _position(part: PortfolioPosition, held: Held, status: PositionStatus) -> Position:
    stated = part.leverage if held.leverage is None else shown(held.leverage)
    return Position(
        asset=part.instrument,
        entry_price=part.entry_price,
        current_price=part.current_price,
        size=part.quantity,
        leverage=stated,
        venue=part.account.partition(":")[0],
        liquidation_price=part.liquidation_price,
        status=status,
        is_base_position=bool(part.is_base_position),
        realized_pnl=part.realized_pnl,
        opened_at=part.opened_at,
        closed_at=None if part.quantity else part.updated_at,
        updated_at=part.updated_at,
        account=part.account,
        position_id=part.position_id,
        terms=held.instrument,
    )
