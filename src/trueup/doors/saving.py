"""Saving a position: which declared trade brings the book to it, and which details stand beside it. Pure.

A saved quantity never overwrites anything. The difference to what the book holds is booked as a declared trade, whose
identity is a function of the position's id, its version and who saves it: a repeated call books it once, and two
programs that make the same change at the same time have made two. The venue's own fills supersede it when they come.
Nothing here ever sends an order.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from trueup.book.book import Book
from trueup.doors.readings import DETAILS, strategy_of
from trueup.model.errors import BadInput, StaleVersion
from trueup.model.events import Event, MarkSampled, TradeDeclared
from trueup.model.instruments import Instrument
from trueup.model.numbers import ZERO, canonical, exact
from trueup.model.positions import entry_price
from trueup.model.statements import PositionDetailsSaved
from trueup.reconcile.adjust import adjustment_price


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A position as somebody saves it.

    Attributes:
        quantity: Signed, to be reached; None leaves it as it is.
        entry_price: The average it is to have; what the difference is booked at follows from it.
        price: At which the difference was traded, where that is known.
        mark: The market's price now.
        details: Those that change, by field name.
        version: Of the position that the change was made on; 0 for a new one.
        seen: The quantity it had then.
        instance: Tells the one who saves it from every other.
        now: Our wall clock in nanoseconds.
        venue_time: When it was traded.
    """

    position_id: str
    position_side: str
    quantity: Decimal | None
    entry_price: Decimal | None
    price: Decimal | None
    mark: Decimal | None
    details: Mapping[str, Any]
    version: int
    seen: Decimal
    instance: str
    author: str
    now: int
    venue_time: int


class _Held(msgspec.Struct, frozen=True):
    quantity: Decimal
    entry_price: Decimal | None


def decide(book: Book, instrument: Instrument, wanted: Wanted) -> Sequence[Event]:
    """The events that make a book hold what is wanted; none when it does already.

    Raises:
        StaleVersion: It changed since it was loaded: its details were saved, or fills moved its quantity.
        BadInput: The difference has no price, or the id belongs to another instrument.
    """
    known = book.control.details.get(wanted.position_id)
    saved = _details(book, instrument, wanted, known)
    held = _held(book, instrument, wanted)
    wished = held.quantity if wanted.quantity is None else wanted.quantity
    if known is not None and wished == held.quantity and _same(known, saved) and _stands(book, wanted, known, held):
        return _mark(book, instrument, wanted)
    if (0 if known is None else known.version) != wanted.version:
        raise StaleVersion(f"Position {wanted.position_id}", wanted.version, 0 if known is None else known.version)
    if held.quantity not in (wished, wanted.seen):
        moved = f"its quantity went from {canonical(wanted.seen)} to {canonical(held.quantity)}"
        raise StaleVersion(f"Position {wanted.position_id}", wanted.version, wanted.version, moved)
    return [*_trade(book, instrument, wanted, held, wished), *_mark(book, instrument, wanted), saved]


def _held(book: Book, instrument: Instrument, wanted: Wanted) -> _Held:
    position = book.position(instrument.symbol, wanted.position_side)
    strategy = strategy_of(wanted.position_id, instrument.symbol, wanted.position_side)
    part = None if position is None else position.by_strategy.get(strategy)
    if position is None or part is None:
        return _Held(ZERO, None)
    with exact():
        return _Held(part.quantity, entry_price(position.instrument, part.quantity, part.cost))


def _details(
    book: Book, instrument: Instrument, wanted: Wanted, known: PositionDetailsSaved | None
) -> PositionDetailsSaved:
    if known is not None and (known.instrument, known.position_side) != (instrument.symbol, wanted.position_side):
        raise BadInput(
            "position_id",
            wanted.position_id,
            f"it is a position in {known.instrument} ({known.position_side})",
            remedy="Close that one and save the new one under an id of its own.",
        )
    before = {} if known is None else {name: getattr(known, name) for name in DETAILS}
    return PositionDetailsSaved(
        book.account,
        wanted.position_id,
        instrument.symbol,
        wanted.position_side,
        wanted.version + 1,
        wanted.now,
        wanted.author,
        **{**before, **wanted.details},
    )


def _same(known: PositionDetailsSaved, saved: PositionDetailsSaved) -> bool:
    return all(getattr(known, name) == getattr(saved, name) for name in DETAILS)


def _stands(book: Book, wanted: Wanted, known: PositionDetailsSaved, held: _Held) -> bool:
    """Whether there is nothing to change, or this very change was booked before and only its answer was lost."""
    if known.version == wanted.version:
        return True
    if known.version != wanted.version + 1 or wanted.entry_price not in (None, held.entry_price):
        return False
    if held.quantity == wanted.seen:
        return True  # no trade: the same details, whoever saved them
    name = _declaration(wanted)
    declared = book.declarations.get(name)
    if declared is None:
        return name in book.matched
    return wanted.price in (None, declared.price)


def _declaration(wanted: Wanted) -> str:
    return f"{wanted.position_id}:{wanted.version + 1}:{wanted.instance}"


def _trade(book: Book, instrument: Instrument, wanted: Wanted, held: _Held, wished: Decimal) -> Sequence[Event]:
    with exact():
        difference = wished - held.quantity
    if not difference:
        return ()
    declared = TradeDeclared(
        book.account,
        instrument.symbol,
        wanted.position_side,
        "buy" if difference > ZERO else "sell",
        abs(difference),
        _price(instrument, wanted, held, wished),
        wanted.venue_time,
        _declaration(wanted),
        wanted.author,
        strategy_of(wanted.position_id, instrument.symbol, wanted.position_side),
        instrument.version,
    )
    return [declared]


def _price(instrument: Instrument, wanted: Wanted, held: _Held, wished: Decimal) -> Decimal:
    """The price of the difference: as given, or such that the average becomes the one that is wanted."""
    if wanted.price is not None:
        return wanted.price
    grows = abs(wished) > abs(held.quantity) or (wished > ZERO) is not (held.quantity > ZERO)
    if not wished or not grows:
        raise _no_price("a position that shrinks was traded at some price")
    if wanted.entry_price is None:
        raise _no_price("a position that grows was traded at some price")
    if not held.quantity or (wished > ZERO) is not (held.quantity > ZERO):
        if held.quantity:
            raise _no_price("a position that turns was closed at some price")
        return wanted.entry_price
    if held.entry_price is None or instrument.kind == "inverse":
        raise _no_price("no price follows from the average of this position")
    return adjustment_price(held.quantity, held.entry_price, wished, wanted.entry_price)


def _no_price(problem: str) -> BadInput:
    return BadInput("price", None, problem, remedy="Say at which: price=…")


def _mark(book: Book, instrument: Instrument, wanted: Wanted) -> Sequence[Event]:
    if wanted.mark is None:
        return ()
    known = book.marks.get(instrument.symbol)
    if known is not None and (known.price == wanted.mark or known.venue_time > wanted.now):
        return ()
    return [MarkSampled(book.account, instrument.symbol, wanted.mark, wanted.now, wanted.author)]
