"""Issuing the attestation of a day, and making one that was issued again to compare it."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import takewhile

import msgspec

from trueup import __version__
from trueup.engine.ledger import Ledger
from trueup.engine.replay import Moment, entries
from trueup.engine.store import Store
from trueup.engine.time_travel import book_as_of, head_at
from trueup.model.errors import BadInput, NotFound
from trueup.model.events import Compared, ReportIssued
from trueup.model.identifiers import AccountId, Seq
from trueup.model.times import NS_PER_SECOND
from trueup.reconcile.attestation import Attestation, Day, attest, rules

_DAY_NS = 24 * 60 * 60 * NS_PER_SECOND


class Issued(msgspec.Struct, frozen=True):
    """A report, and whether it is the one that was issued.

    Attributes:
        first: Whether it was issued just now.
        same: Whether it has the digest that was issued; None before it was.
    """

    report: Attestation
    first: bool
    same: bool | None


def report_of(store: Store, account: AccountId, day: str, *, signer: str) -> Issued:
    """The report of a day in UTC: issued, if it is the first time and the day is over; made again, if it was.

    Raises:
        BadInput: No day, or one that has not begun.
        NotFound: The account had recorded nothing by its end.
        JournalDamaged: The log cannot be read.
    """
    begin, end = _span(day)
    now = store.clock.now()
    if now < begin:
        raise BadInput("date", day, "it has not begun", remedy="Name a day that has.")
    ledger = store.ledger(account)
    found = list(_issued(ledger))
    known = next((event for event in found if event.day == day), None)
    previous = known.previous if known is not None else found[-1].digest if found else ""
    report = attest(
        _day(store, account, day, begin, end),
        by=rules(__version__) if known is None else dict(known.rules),
        signer=known.by if known is not None else signer,
        previous=previous,
    )
    if known is not None:
        return Issued(report, first=False, same=report.digest == known.digest)
    if now < end:
        return Issued(report, first=False, same=None)
    event = ReportIssued(account, day, report.digest, previous, signer, now, tuple(report.rules.items()))
    ledger.commit(lambda _: (event,))
    return Issued(report, first=True, same=True)


def _day(store: Store, account: AccountId, day: str, begin: int, end: int) -> Day:
    ledger = store.ledger(account)
    last = ledger.recorded_by(end - 1).seq
    if not last:
        raise NotFound(f"{account} had recorded nothing by the end of {day}.", remedy="Name a later day.")
    before = ledger.recorded_by(begin - 1).seq
    told = [
        (entry.seq, entry.recorded_at, entry.event)
        for entry in takewhile(lambda entry: entry.seq <= last, entries(ledger, before))
        if not isinstance(entry.event, ReportIssued)
    ]
    book = book_as_of(store, account, Moment(seq=last))
    head = head_at(ledger, last)
    return Day(account, day, told, _outcome_before(store, ledger, before), book.breaks, (last, head.hash.hex()), end)


def _outcome_before(store: Store, ledger: Ledger, seq: Seq) -> tuple[int, Compared] | None:
    """The newest outcome that stood at a seq, and when it was recorded."""
    if not seq:
        return None
    breaks = book_as_of(store, ledger.account, Moment(seq=seq)).breaks
    return None if breaks.outcome is None else (head_at(ledger, breaks.seq).recorded_at, breaks.outcome)


def _issued(ledger: Ledger) -> Iterator[ReportIssued]:
    yield from (event for _, event in ledger.events() if isinstance(event, ReportIssued))


def _span(day: str) -> tuple[int, int]:
    """The first nanosecond of a day in UTC, and the first after it."""
    try:
        parsed = date.fromisoformat(day)
    except ValueError as error:
        raise BadInput("date", day, "not a day", remedy="Write it like 2026-11-21.") from error
    begin = int(datetime(parsed.year, parsed.month, parsed.day, tzinfo=UTC).timestamp()) * NS_PER_SECOND
    return begin, begin + _DAY_NS
