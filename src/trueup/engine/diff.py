"""What changed between two moments of an account, and by which events.

Both moments are of one clock. The events are those that count at the later one and not at the earlier; folded onto the
book as it stood then, they give the book as it stands later, so what is listed is all that happened.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import islice
from typing import TypeVar

import msgspec

from trueup.engine.replay import Counts, Entry, Moment, entries, last_seq
from trueup.engine.store import Store
from trueup.engine.time_travel import AsOf, as_of, stood
from trueup.model.differences import Break
from trueup.model.errors import BadInput
from trueup.model.facts import kind_of
from trueup.model.identifiers import AccountId, PositionKey, Seq
from trueup.model.numbers import EXACT, ZERO
from trueup.model.positions import Balance, OpenOrder
from trueup.model.times import format_time

Figures = Mapping[str, Decimal | None]
"""Figures by name; None is unknown, or for ``entry_price`` flat. One that is missing is zero."""


class Figure(msgspec.Struct, frozen=True):
    """One figure at both moments; None where it was unknown, and for the entry price of what was flat."""

    name: str
    before: Decimal | None
    after: Decimal | None

    @property
    def delta(self) -> Decimal | None:
        """By how much it changed; None where one of the two is unknown."""
        if self.before is None or self.after is None:
            return None
        return EXACT.subtract(self.after, self.before)


class ChangedPosition(msgspec.Struct, frozen=True):
    """A position with those of its figures that are not what they were."""

    instrument: str
    position_side: str
    figures: Sequence[Figure]


class ChangedBalance(msgspec.Struct, frozen=True):
    """A balance with those of its figures that are not what they were."""

    currency: str
    figures: Sequence[Figure]


class ChangedOrder(msgspec.Struct, frozen=True):
    """An order; None where it could not trade, because it was not there yet or had ended."""

    venue_order_id: str
    before: OpenOrder | None
    after: OpenOrder | None


class ChangedBreak(msgspec.Struct, frozen=True):
    """A difference with the venue; None where the newest comparison did not find it."""

    subject: str
    kind: str
    before: Break | None
    after: Break | None


class Diff(msgspec.Struct, frozen=True):
    """Everything that is not what it was.

    Attributes:
        before, after: The account at both moments.
        events: The first of those that made the difference, in the order of recording.
        counts: All of those, by kind.
    """

    account: AccountId
    before: AsOf
    after: AsOf
    positions: Sequence[ChangedPosition]
    balances: Sequence[ChangedBalance]
    orders: Sequence[ChangedOrder]
    breaks: Sequence[ChangedBreak]
    events: Sequence[Entry]
    counts: Mapping[str, int]

    @property
    def unlisted(self) -> int:
        """How many events made the difference and are not listed."""
        return sum(self.counts.values()) - len(self.events)


def diff(store: Store, account: AccountId, start: Moment, end: Moment, limit: int | None = None) -> Diff:
    """Compare an account at two moments.

    Args:
        store: Where it is kept.
        account: Which.
        start: The earlier moment; an account that had not begun by then stood there empty.
        end: The later one, of the same clock.
        limit: How many events to list; None for all.

    Raises:
        BadInput: The later moment is before the earlier one.
        NotFound: The ledger has not come to a seq yet, or begins after the later moment.
    """
    _refuse_backwards(store, account, start, end)
    after = as_of(store, account, end)
    before = stood(store, account, start)
    counts: Counter[str] = Counter()
    between = _counted(caused(store, account, start, end, after.head.seq), counts)
    listed = list(islice(between, limit))
    for _ in between:
        pass  # the rest is only counted
    valued = bool(before.marks or after.marks)
    return Diff(
        account=account,
        before=before,
        after=after,
        positions=[
            ChangedPosition(*key, figures)
            for key in sorted({*before.positions, *after.positions})
            if (figures := _figures(*(_position(then, key, valued=valued) for then in (before, after))))
        ],
        balances=[
            ChangedBalance(name, figures)
            for name in sorted({*before.balances, *after.balances})
            if (figures := _figures(_balance(before.balances.get(name)), _balance(after.balances.get(name))))
        ],
        orders=[ChangedOrder(*change) for change in _changes(before.orders, after.orders)],
        breaks=[ChangedBreak(*key, *change) for key, *change in _changes(_breaks(before), _breaks(after))],
        events=listed,
        counts=counts,
    )


def caused(store: Store, account: AccountId, start: Moment, end: Moment, last: Seq) -> Iterator[Entry]:
    """The events that count at the later moment and not at the earlier, in the order of recording.

    Args:
        store: Where the account is kept.
        account: Which.
        start: The earlier moment.
        end: The later one.
        last: The last event that was recorded by then, when that was looked up; more may have been booked since.
    """
    ledger = store.ledger(account)
    known = last_seq(ledger, start)
    on_venue_clock = start.venue_time is not None
    counted, counts = Counts(start, known), Counts(end, last)
    for entry in entries(ledger, Seq(0) if on_venue_clock else known):
        if entry.seq > last:
            return
        was, is_ = counted(entry), counts(entry)
        if is_ and not was:
            yield entry


def _refuse_backwards(store: Store, account: AccountId, start: Moment, end: Moment) -> None:
    ledger = store.ledger(account)
    times = start.venue_time, end.venue_time
    if start.venue_time is not None and end.venue_time is not None:
        backwards = start.venue_time > end.venue_time
    else:
        backwards = times == (None, None) and last_seq(ledger, start) > last_seq(ledger, end)
    if backwards:
        raise BadInput("from", _said(start), f"after {_said(end)}", remedy="Give the earlier moment first.")


def _said(moment: Moment) -> str:
    if moment.seq is not None:
        return str(moment.seq)
    time = moment.recorded if moment.venue_time is None else moment.venue_time
    return "now" if time is None else format_time(time)


def _counted(between: Iterator[Entry], counts: Counter[str]) -> Iterator[Entry]:
    for entry in between:
        counts[kind_of(entry.event)] += 1
        yield entry


# --- figures ----------------------------------------------------------------------------------------------------------


def _figures(before: Figures, after: Figures) -> list[Figure]:
    """The figures that differ."""
    names = dict.fromkeys((*after, *before))
    both = (Figure(name, before.get(name, ZERO), after.get(name, ZERO)) for name in names)
    return [figure for figure in both if figure.before != figure.after]


def _position(then: AsOf, key: PositionKey, *, valued: bool) -> Figures:
    """What a position says; one that no fact had touched is flat. Without any mark nothing is said of its value."""
    position = then.positions.get(key)
    if position is None:
        return {"entry_price": None}
    value = {"unrealized_pnl": then.unrealized_pnl(position)} if valued else {}
    return {
        "quantity": position.quantity,
        "entry_price": position.entry_price,
        "cost": position.cost,
        "realized_pnl": None if position.realized_unknown else position.realized_pnl,
        "adjusted_pnl": position.adjusted_pnl,
        **value,
        "unconfirmed": position.unconfirmed,
        **_by_currency("fees", position.fees),
        **_by_currency("funding", position.funding),
    }


def _balance(balance: Balance | None) -> Figures:
    if balance is None:
        return {}
    return {
        "total": balance.total,
        "traded": balance.traded,
        "realized": balance.realized,
        "fees": balance.fees,
        "funding": balance.funding,
        **_by_currency("transfers", balance.transfers),
        "adjustments": balance.adjustments,
        "opening": balance.opening,
    }


def _by_currency(name: str, amounts: Mapping[str, Decimal]) -> Figures:
    return {f"{name} {which}": amount for which, amount in amounts.items()}


# --- what is there or not ---------------------------------------------------------------------------------------------

Key = TypeVar("Key")
Thing = TypeVar("Thing")


def _changes(
    before: Mapping[Key, Thing], after: Mapping[Key, Thing]
) -> Iterator[tuple[Key, Thing | None, Thing | None]]:
    for key in sorted({*before, *after}, key=str):
        was, is_ = before.get(key), after.get(key)
        if was != is_:
            yield key, was, is_


def _breaks(then: AsOf) -> Mapping[tuple[str, str], Break]:
    return {} if then.compared is None else {found.key: found for found in then.compared.breaks}
