"""The three-way comparison: memory | database | venue, over the union of their keys.

What counts as agreeing stands in ``tolerance.py``, how bad a difference is in ``findings.py``. Four answers: SYNCED,
PENDING (may resolve itself), FAILED (could not be compared: unknown, not flat), DRIFT (differs). The worst of all keys
and sources is the answer as a whole. SYNCED therefore means that everything asked for agrees; a key that the venue was
not asked about is NOT_COMPARED, which says nothing of the whole.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from trueup.model.differences import Comparison, Kind, Status, VenueSnapshot
from trueup.model.errors import BadInput
from trueup.model.events import FillBooked
from trueup.model.identifiers import PositionKey, Seq
from trueup.model.numbers import exact
from trueup.model.times import NS_PER_MS, format_time
from trueup.reconcile import balances, orders, positions
from trueup.reconcile.database import report_lag
from trueup.reconcile.findings import Findings, worst
from trueup.reconcile.missing import report_unnamed_fills
from trueup.reconcile.state import DatabaseState, OurState, Sides
from trueup.reconcile.tolerance import DEFAULTS, Tolerances

AGE_MS_MAX = 60_000
"""The age at which a snapshot no longer speaks of the present: the usual time between two of them."""

AHEAD_MS_MAX = 24 * 60 * 60 * 1_000
"""How far a snapshot may be ahead of every clock known: more, and its time means nothing."""

_UNITS = (
    ("years", 31_556_952_000),
    ("days", 86_400_000),
    ("hours", 3_600_000),
    ("minutes", 60_000),
    ("s", 1_000),
)

SECTIONS = {
    positions.SECTION: positions.compare_positions,
    balances.SECTION: balances.compare_balances,
    orders.SECTION: orders.compare_orders,
}
"""The parts of a snapshot, each with what compares it."""


def compare(
    ours: OurState,
    database: DatabaseState | None,
    theirs: VenueSnapshot,
    tolerances: Tolerances = DEFAULTS,
    *,
    table: bool = False,
    now: int | None = None,
    wall_clock: int | None = None,
    age_ms_max: int = AGE_MS_MAX,
    lag_ms: int = 0,
    in_flight: Mapping[PositionKey, Decimal] | None = None,
    missing_fills: Mapping[PositionKey, Sequence[FillBooked]] | None = None,
) -> Comparison:
    """Compare an account's book with its database and with the venue.

    Args:
        ours: The book at one seq.
        database: The rows of the views; None when they are not part of the question.
        theirs: The venue's answer. A part it failed to give makes the comparison FAILED; a part it was not asked for
            is named in ``not_compared``; one without any part is FAILED, since nothing was compared.
        tolerances: How far numbers may lie apart.
        table: Whether to make rows, for people; the differences are found either way.
        now: Time at which the snapshot should hold, in nanoseconds: the wall clock for a live venue, the book's last
            fact for saved answers. None leaves the snapshot's age alone.
        wall_clock: Where ``now`` is another time: a snapshot may be newer than ``now``, but not than both of them.
        age_ms_max: Oldest snapshot accepted without STALE_SOURCE. What differs from an older one is still reported.
        lag_ms: For how long memory and database have been at different seqs.
        in_flight: Signed quantities that orders may still bring into our book; a difference within them is PENDING.
        missing_fills: The venue's fills that our book lacks, which differences then name.

    Raises:
        BadInput: The snapshot is of another account.
    """
    if theirs.account != ours.account:
        raise BadInput(
            "account", theirs.account, f"the snapshot is not of {ours.account}", remedy="Compare it with its own book."
        )
    found = Findings(ours.account, table=table)
    _report_sources(found, database, theirs)
    if now is not None:
        _report_age(found, theirs, now, now if wall_clock is None else max(now, wall_clock), age_ms_max)
    sides = Sides(
        ours,
        database if database is not None and not database.failed else None,
        msgspec.structs.replace(theirs, **dict.fromkeys(SECTIONS.keys() & theirs.failed.keys())),
        tolerances,
        in_flight or {},
        missing_fills or {},
    )
    with exact():
        for compare_section in SECTIONS.values():
            compare_section(sides, found)
    report_unnamed_fills(sides, found)
    positions.follow_balances(found)
    if sides.database is not None:
        report_lag(sides, sides.database, found, lag_ms)
    return _conclude(found, sides)


def _report_sources(found: Findings, database: DatabaseState | None, theirs: VenueSnapshot) -> None:
    """Report what could not be read, what was not given, and what no instrument definition covers."""
    failed = dict(theirs.failed)
    if database is not None and database.failed:
        failed["database"] = database.failed
    absent = [section for section in SECTIONS if getattr(theirs, section) is None and section not in failed]
    if len(absent) == len(SECTIONS):
        failed["snapshot"] = "it holds no part that could be compared"
    for source, reason in failed.items():
        found.add(Kind.STALE_SOURCE, source, f"could not be read: {reason}", status=Status.FAILED)
    found.not_compared.extend((*failed, *absent))
    for symbol, text in theirs.unmapped.items():
        found.add(Kind.SYMBOL_MAP, symbol, "venue holds what no instrument definition covers", theirs=text)


def _report_age(found: Findings, theirs: VenueSnapshot, now: int, latest: int, age_ms_max: int) -> None:
    """Report a snapshot too old for what it is compared with, one from the future, and one that states no time."""
    if theirs.cut is None:
        found.not_compared.append("age of the snapshot")
        return
    age_ms, ahead_ms = (now - theirs.cut) // NS_PER_MS, (theirs.cut - latest) // NS_PER_MS
    if now - theirs.cut > age_ms_max * NS_PER_MS:
        words = f"the answer is {_span(age_ms)} old; at most {_span(age_ms_max)} are accepted"
    elif ahead_ms > AHEAD_MS_MAX:
        words = f"the answer says that it is from {_span(ahead_ms)} ahead; its clock cannot be right"
    else:
        return
    found.add(
        Kind.STALE_SOURCE,
        "snapshot",
        words,
        ours=format_time(now),
        theirs=format_time(theirs.cut),
        status=Status.FAILED,
    )


def _span(ms: int) -> str:
    """A length of time in the largest unit of which there are two."""
    for unit, length in _UNITS:
        if ms >= 2 * length:
            return f"{ms // length} {unit}"
    return f"{ms} ms"


def _conclude(found: Findings, sides: Sides) -> Comparison:
    """The answer as a whole."""
    return Comparison(
        account=found.account,
        status=worst([difference.status for difference in found.differences]),
        rows=tuple(found.rows),
        differences=tuple(found.differences),
        compared=found.compared,
        cut=sides.theirs.cut,
        memory_seq=sides.ours.seq,
        database_seq=sides.database.seq if sides.database is not None else Seq(0),
        not_compared=tuple(found.not_compared),
    )
