"""The positions of a book as :class:`trueup.doors.position.Position`, each the part that one strategy holds. Pure."""

from trueup.book.book import Book
from trueup.doors.exact import shown
from trueup.doors.position import Position, PositionStatus
from trueup.doors.readings import PortfolioPosition, read_book
from trueup.model.positions import Position as Held


def read_positions(book: Book) -> list[Position]:
    """Every position that was ever traded, flat ones included, by name."""
    found = []
    for name, part in sorted(read_book(book).positions.items()):
        held = book.position(part.instrument, part.position_side)
        if held is not None:
            found.append(_position(name, part, held))
    return found


def _position(name: str, part: PortfolioPosition, held: Held) -> Position:
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
        position_id=name,
        terms=held.instrument,
    )
