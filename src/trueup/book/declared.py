"""Which declared trades a venue fill confirms.

A person or foreign program said it traded; the venue's own fill supersedes that, as far as it goes. A fill of one of
our strategies' orders confirms only that strategy's declarations; a fill nobody here ordered confirms anybody's.
"""

from collections.abc import Sequence
from decimal import Decimal

from trueup.book.book import Book
from trueup.model.events import DeclarationMatched, FillBooked, PositionFact, TradeDeclared
from trueup.model.facts import fact_key, order_key
from trueup.model.identifiers import EXTERNAL
from trueup.model.numbers import EXACT, ZERO
from trueup.model.times import NS_PER_SECOND

MATCH_WINDOW = 3600 * NS_PER_SECOND
"""How far a declared time may be from the fill's: people write trades down within the hour."""


def confirmed_by(fill: FillBooked, book: Book) -> list[tuple[TradeDeclared, DeclarationMatched]]:
    """The open declarations that a fill about to be booked supersedes, oldest first, each with the decision."""
    rest = fill.quantity
    found = []
    for declared in sorted(book.declarations.values(), key=order_key):
        quantity = min(rest, book.unmatched(declared.declaration_id))
        if quantity and _same_trade(fill, declared):
            rest = EXACT.subtract(rest, quantity)
            found.append((declared, _decision(fill, declared, quantity)))
    return found


def confirming(declared: TradeDeclared, book: Book) -> list[DeclarationMatched]:
    """The decisions for a declaration about to be booked whose fills arrived before it, oldest first."""
    rest = declared.quantity
    found = []
    for fill in _facts_within_reach(declared, book):
        if isinstance(fill, FillBooked) and _same_trade(fill, declared):
            quantity = min(rest, EXACT.subtract(fill.quantity, book.claimed.get(fact_key(fill) or "", ZERO)))
            if quantity:
                rest = EXACT.subtract(rest, quantity)
                found.append(_decision(fill, declared, quantity))
    return found


def _facts_within_reach(declared: TradeDeclared, book: Book) -> Sequence[PositionFact]:
    """The facts of the position from :data:`MATCH_WINDOW` before the declared trade on, if not more, oldest first."""
    track = book.tracks.get((declared.instrument, declared.position_side))
    if track is None:
        return ()
    if track.base_key[0] < max(declared.venue_time - MATCH_WINDOW, 0):
        return track.log
    return sorted(book.facts_of([track])[track], key=order_key)  # some of them have left memory


def _decision(fill: FillBooked, declared: TradeDeclared, quantity: Decimal) -> DeclarationMatched:
    return DeclarationMatched(fill.account, declared.declaration_id, fact_key(fill) or "", quantity)


def _same_trade(fill: FillBooked, declared: TradeDeclared) -> bool:
    return (
        fill.instrument == declared.instrument
        and fill.position_side == declared.position_side
        and fill.side == declared.side
        and fill.strategy in (EXTERNAL, declared.strategy)
        and abs(fill.venue_time - declared.venue_time) <= MATCH_WINDOW
    )
