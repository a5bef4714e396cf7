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
    """
    parts = shelf.read(account).positions
    wanted = [parts[name] for name in sorted(parts if names is None else parts.keys() & set(names))]

    def read(book: Book) -> list[tuple[PortfolioPosition, Held | None]]:
        return [(part, book.position(part.instrument, part.position_side)) for part in wanted]

    return [_position(part, held) for part, held in shelf.ledger(account).read(read) if held is not None]


def _position(part: PortfolioPosition, held: Held) -> Position:
    stated = part.leverage if held.leverage is None else shown(held.leverage)
    return Position(
        asset=part.instrument,
        entry_price=part.entry_price,
        current_price=part.current_price,
        size=part.quantity,
        leverage=stated,
        venue=part.account.partition(":")[0],
        liquidation_price=part.liquidation_price,
        status=PositionStatus.OPEN if part.quantity else PositionStatus.CLOSED,
        is_base_position=bool(part.is_base_position),
        realized_pnl=part.realized_pnl,
        opened_at=part.opened_at,
        closed_at=None if part.quantity else part.updated_at,
        updated_at=part.updated_at,
        account=part.account,
        position_id=part.position_id,
        terms=held.instrument,
    )
