"""Time travel: the book of an account as it stood at any moment, on either clock. The present book is never touched.

A past book is folded from the newest milestone (:mod:`trueup.journal.milestones`) that holds nothing of what came after
the moment, and from the log behind it. A milestone is believed only where it hashes to what was proved when it was
written, and where the log goes on from the frame that it stands behind; else an older one serves, or the log alone.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import chain
from typing import NoReturn

import msgspec

from trueup.book.book import Book, Mark
from trueup.book.snapshot import newest_time
from trueup.book.valuation import unrealized_pnl
from trueup.book.wallet import NEVER
from trueup.engine import replay
from trueup.engine.ledger import Ledger
from trueup.engine.replay import NOW, Moment, batches, counting, last_seq, unpacked
from trueup.engine.resuming import resumed
from trueup.engine.store import Store
from trueup.model.errors import BadInput, NotFound
from trueup.model.events import Compared, TradeDeclared
from trueup.model.identifiers import AccountId, PositionKey, Seq
from trueup.model.numbers import ZERO, exact
from trueup.model.positions import Balance, OpenOrder, Position
from trueup.model.times import format_time
from trueup.ports import GENESIS, Head, Milestone


class AsOf(msgspec.Struct, frozen=True):
    """An account at a moment: copies, which nothing changes any more.

    Attributes:
        moment: As it was asked for.
        head: The last event that was recorded by then, and the frame that holds it: its hash, and when it was recorded.
        positions: All that any fact had touched, flat ones included.
        orders: Those that could still trade, by venue order id.
        declarations: Declared trades that venue fills had not superseded entirely, by id.
        marks: The newest of each instrument that was journalled.
        compared: The newest outcome of a comparison with the venue; None when there was none.
        compared_at: Seq of the event that says so; 0 without one.
    """

    account: AccountId
    moment: Moment
    head: Head
    positions: Mapping[PositionKey, Position]
    balances: Mapping[str, Balance]
    orders: Mapping[str, OpenOrder]
    declarations: Mapping[str, TradeDeclared]
    marks: Mapping[str, Mark]
    compared: Compared | None
    compared_at: Seq

    def mark_price(self, position: Position) -> Decimal | None:
        """The newest mark of a position's instrument; None where none was journalled."""
        mark = self.marks.get(position.instrument.symbol)
        return None if mark is None else mark.price

    def unrealized_pnl(self, position: Position) -> Decimal | None:
        """P&L of a position at that mark, zero when flat; None without a mark, or while its basis is unknown."""
        if not position.quantity:
            return ZERO
        price = self.mark_price(position)
        if price is None:
            return None
        with exact():
            return unrealized_pnl(position.instrument, position.quantity, position.cost, price)


def as_of(store: Store, account: AccountId, moment: Moment = NOW) -> AsOf:
    """An account as it stood at a moment, or as it stands.

    Raises:
        NotFound: The ledger has not come to that seq yet, or begins after that time.
        JournalDamaged: The log cannot be read.
    """
    ledger = store.ledger(account)
    if moment.recorded is not None and not last_seq(ledger, moment):
        raise NotFound(
            f"{account} had recorded nothing by {format_time(moment.recorded)}.",
            remedy=f"Ask for a time {_beginning(ledger)}, or for what had happened at the venue (--venue-time).",
        )
    then = stood(store, account, moment)
    if moment.venue_time is not None and not (then.positions or then.balances or then.orders):
        raise NotFound(
            f"Nothing that is known of {account} had happened by {format_time(moment.venue_time)}.",
            remedy="Ask for a later time.",
        )
    return then


def stood(store: Store, account: AccountId, moment: Moment) -> AsOf:
    """As :func:`as_of`, but an account that had not begun by then stands there empty."""
    ledger = store.ledger(account)
    if moment == NOW:
        return ledger.read(lambda book: _frozen(ledger, book, moment, ledger.head))
    head = head_at(ledger, last_seq(ledger, moment))
    return _frozen(ledger, book_as_of(store, account, moment), moment, head)


def book_as_of(store: Store, account: AccountId, moment: Moment) -> Book:
    """A book of the caller's own, as it stood at a moment. Raises :class:`NotFound` as :func:`as_of` does."""
    ledger = store.ledger(account)
    last = last_seq(ledger, moment)
    if moment.venue_time is None:
        moment = Moment(seq=last)
    for milestone in _milestones(store, account, moment, last):
        book = _folded_on(ledger, milestone, moment, last)
        if book is not None:
            return book
    return replay.book_at(ledger, moment)


def head_at(ledger: Ledger, seq: Seq) -> Head:
    """An event, with hash and time of the frame that holds it; ``Head(0, GENESIS)`` before the first."""
    if not seq:
        return Head(Seq(0), GENESIS)
    frame = next(ledger.frames(Seq(seq - 1)))
    return Head(seq, frame.hash, frame.recorded_at)


class _ReachesFurtherBack(Exception):
    """A fact belongs before the milestone."""


def _no_further() -> NoReturn:
    raise _ReachesFurtherBack


def _milestones(store: Store, account: AccountId, moment: Moment, last: Seq) -> Iterator[Milestone]:
    """Milestones to fold on from: the newest that serves, and then, in growing strides, older ones.

    A late fact may belong before the newest. One some way back has it among the facts that it has yet to fold.
    """
    seqs, until = store.milestones(account), moment.venue_time
    count = bisect_right(seqs, last)
    if until is not None:
        count = bisect_right(seqs, until, hi=count, key=lambda seq: _newest(store.milestone(account, seq)))
    stride = 1
    while count > 0:
        milestone = store.milestone(account, seqs[count - 1])
        if milestone is not None:
            yield milestone
        count -= stride
        stride *= 2


def _newest(milestone: Milestone | None) -> int:
    """Venue time of the newest thing that a milestone knows of; :data:`NEVER` where that cannot be read."""
    try:
        return NEVER if milestone is None else newest_time(milestone.state)
    except BadInput:
        return NEVER


def _folded_on(ledger: Ledger, milestone: Milestone, moment: Moment, last: Seq) -> Book | None:
    """The book at a moment from a milestone on; None where that cannot be believed, or a fact belongs before it."""
    head = milestone.head
    frames = ledger.frames(head.seq)
    following = next(frames, None)
    stands_behind = ledger.head.hash if following is None else following.previous
    if stands_behind != head.hash or (following is not None and following.first != head.seq + 1):
        return None
    every = counting(unpacked(frames if following is None else chain((following,), frames)), moment, last)
    try:
        book = resumed(ledger.account, head.seq, milestone.state, milestone.state_hash, _no_further)
        for batch in batches(every):
            book.evolve([entry.event for entry in batch], batch[0].seq)
            book.forget_changes()
    except (_ReachesFurtherBack, BadInput):
        return None
    return book


def _frozen(ledger: Ledger, book: Book, moment: Moment, head: Head) -> AsOf:
    return AsOf(
        account=ledger.account,
        moment=moment,
        head=head,
        positions=book.positions(),
        balances=book.balances(),
        orders=book.open_orders(),
        declarations=dict(book.declarations),
        marks=dict(book.marks),
        compared=book.breaks.outcome,
        compared_at=book.breaks.seq,
    )


def _beginning(ledger: Ledger) -> str:
    first = next(ledger.frames(), None)
    return "once something is recorded" if first is None else f"from {format_time(first.recorded_at)} on"
