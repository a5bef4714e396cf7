"""The journal rows beneath a position: every fact that touched it, in venue order, and what stood after each.

The rows are folded by the same code as the book, so the last of them shows what the book shows.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from trueup.book.book import Book
from trueup.book.fifo import fold_fifo
from trueup.book.position import PositionState
from trueup.engine.replay import Entry, Moment, entries_at
from trueup.engine.store import Store
from trueup.engine.time_travel import book_as_of
from trueup.model import events as e
from trueup.model.facts import fact_key, kind_of, order_key, position_key
from trueup.model.identifiers import AccountId, PositionKey, Seq
from trueup.model.numbers import ZERO, exact
from trueup.model.positions import Cycle, Lot, Position


class Row(msgspec.Struct, frozen=True):
    """One fact beneath a position, and the position after it.

    Attributes:
        kind: ``fill``, ``funding``, ``opening_position``, …
        id: The fact's identity within its kind, as a venue or a person gave it.
        quantity: By how much the fact changed the position, signed.
        price: Of a trade, an opening or an adjustment; None where there is none.
        fee, fee_currency: Paid with a fill or charged apart.
        amount, currency: Funding received.
        strategy: Whose trade; empty for what is nobody's.
        quantity_after, cost_after, realized_pnl_after: The position then; the last two None while unknown.
    """

    seq: Seq
    recorded_at: int
    venue_time: int
    kind: str
    id: str
    quantity: Decimal
    price: Decimal | None
    fee: Decimal | None
    fee_currency: str
    amount: Decimal | None
    currency: str
    strategy: str
    quantity_after: Decimal
    cost_after: Decimal | None
    realized_pnl_after: Decimal | None


class Explanation(msgspec.Struct, frozen=True):
    """A position and the facts it is made of, in venue order."""

    position: Position
    rows: Sequence[Row]


def explain(store: Store, account: AccountId, key: PositionKey, moment: Moment) -> Explanation | None:
    """Trace a position to the journal; None when no fact had touched it at that moment."""
    book = book_as_of(store, account, moment)
    position = book.position(*key)
    if position is None:
        return None
    facts = _facts(store, account, key, moment)
    with exact():
        state = PositionState(book.instruments[key[0]])
        return Explanation(position, [_row(state, entry, book) for entry in facts])


def round_trips(store: Store, account: AccountId, key: PositionKey, moment: Moment) -> Sequence[Cycle]:
    """The round trips of a position that were closed at a moment, oldest first."""
    book = book_as_of(store, account, moment)
    if key not in book.tracks:
        return []
    with exact():
        state = PositionState(book.instruments[key[0]])
        for entry in _facts(store, account, key, moment):
            state.apply(entry.event, book.matched)
    return state.closed


def fifo_lots(store: Store, account: AccountId, key: PositionKey, moment: Moment) -> Sequence[Lot]:
    """What was open of a position at a moment, first in, first out."""
    book = book_as_of(store, account, moment)
    if key not in book.tracks:
        return []
    facts: Iterable[Any] = (entry.event for entry in _facts(store, account, key, moment))
    return list(fold_fifo(facts, book.instruments[key[0]], book.matched).lots)


def _facts(store: Store, account: AccountId, key: PositionKey, moment: Moment) -> Sequence[Entry]:
    """The facts of a position that count at a moment, in venue order."""
    every = entries_at(store.ledger(account), moment)
    return sorted((entry for entry in every if position_key(entry.event) == key), key=_place)


def _place(entry: Entry) -> tuple[int, int, str]:
    event: Any = entry.event
    return order_key(event)


def _row(state: PositionState, entry: Entry, book: Book) -> Row:
    fact: Any = entry.event
    before = state.quantity
    state.apply(fact, book.matched)
    fee = _fee(fact)
    funding = isinstance(fact, e.FundingPaid)
    return Row(
        seq=entry.seq,
        recorded_at=entry.recorded_at,
        venue_time=fact.venue_time,
        kind=kind_of(fact),
        id=(fact_key(fact) or "").partition("|")[2],
        quantity=state.quantity - before,
        price=getattr(fact, "price", None),
        fee=fee[0] if fee else None,
        fee_currency=fee[1] if fee else "",
        amount=fact.amount if funding else None,
        currency=fact.currency if funding else "",
        strategy=getattr(fact, "strategy", ""),
        quantity_after=state.quantity,
        cost_after=state.cost if state.known else None,
        realized_pnl_after=None if state.unknown else state.realized,
    )


def _fee(fact: e.PositionFact) -> tuple[Decimal, str] | None:
    match fact:
        case e.FillBooked():
            return (fact.fee, fact.fee_currency) if fact.fee != ZERO else None
        case e.FeeCharged():
            return fact.amount, fact.currency
        case _:
            return None
