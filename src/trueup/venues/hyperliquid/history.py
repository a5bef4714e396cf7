"""The history of an account: fills, slices of TWAP orders, funding, and other movements of money, as one.

The venue has no sequence numbers. Each list is asked for from a time on, that time included, and answers with the
oldest rows first. A long answer may be cut in the middle of its last millisecond, so the rows of that one are left to
the next answer, which begins with it: every millisecond is read whole. A list is at its end where an answer is short.
The list that is furthest behind goes first, so facts come nearly in venue order.

Slices of TWAP orders may stand among the fills too: they have one identity in both lists.
"""

from collections.abc import AsyncIterator, Mapping, Sequence

import msgspec

from trueup.model.errors import BadInput, Malformed
from trueup.model.events import Fact
from trueup.model.times import NS_PER_MS, format_time, from_ms
from trueup.venues import rows
from trueup.venues.hyperliquid.retention import Retention, Stamp
from trueup.venues.hyperliquid.session import Session

FILLS = "userFillsByTime"
SLICES = "userTwapSliceFills"
LISTS = (FILLS, SLICES, "userFunding", "userNonFundingLedgerUpdates")

CUT_MIN = 500
"""Rows from which on an answer may have been cut: the shortest limit that the venue states for any list."""


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far a list was read.

    Attributes:
        at: The millisecond to ask from, included.
        anchor: A fill of that millisecond, which the next answer has to begin with; empty where there is none.
    """

    at: int = 0
    anchor: str = ""


class Cursor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far each list was read, by the venue's name for it; one that is not named begins at its beginning."""

    places: Mapping[str, Place]


class _Slice(msgspec.Struct):
    fill: Stamp


class _Page(msgspec.Struct):
    """The part of an answer that is whole, where the list goes on, and whether that is its end."""

    raw: Sequence[msgspec.Raw]
    place: Place
    done: bool


def cursor_at(venue_time: int) -> str:
    """The cursor of everything at or after a venue time in nanoseconds."""
    return _encode(dict.fromkeys(LISTS, Place(max(venue_time, 0) // NS_PER_MS)))


async def pages(
    session: Session, cursor: str | None, *, cut_min: int = CUT_MIN
) -> AsyncIterator[tuple[Sequence[Fact], str]]:
    """Pages of facts since the cursor, that one included, each with the cursor behind it.

    Args:
        session: Of the account.
        cursor: Of an earlier page; None for all that the venue still has.
        cut_min: Rows from which on an answer may have been cut.

    Raises:
        BadInput: Not a cursor of this venue.
        VenueError: The venue could not be asked, or an answer could not be read; the last cursor holds.
    """
    places = _decode(cursor)
    await session.ready()
    retention = Retention(session.warn, from_start=not places[FILLS].at)
    left = list(LISTS)
    told = False
    while left:
        kind = min(left, key=lambda kind: places[kind].at)
        page = await _ask(session, kind, places[kind], cut_min, retention)
        facts = await _read(session, kind, page.raw)
        if page.done:
            left.remove(kind)
        if facts or page.place != places[kind] or not (left or told):
            told = True
            places[kind] = page.place
            yield facts, _encode(places)


async def _ask(session: Session, kind: str, place: Place, cut_min: int, retention: Retention) -> _Page:
    """One answer of a list, cut where it is whole."""
    by_time = {} if kind == SLICES else {"startTime": place.at}
    answer = await session.ask(kind, {"user": session.address, **by_time})
    raw, stamps = _stamped(kind, answer.body)
    await session.count_rows(kind, len(raw))
    if kind == SLICES:
        retention.slices(place.at, stamps)
        return _slices(raw, stamps, place)
    if kind == FILLS:
        retention.fills(place.at, place.anchor, stamps)
    times = [stamp.time for stamp in stamps if stamp is not None]
    last = max(times, default=place.at)
    if len(raw) < cut_min:
        return _Page(raw, _at(last, stamps) if raw else place, done=True)
    if not times:
        raise Malformed(f"{kind}: none of {len(raw)} rows says its time, so where they go on is unknown.")
    if times[0] > times[-1]:
        raise Malformed(f"{kind}: the newest rows come first, so older ones may be cut off.", remedy="Ask again.")
    if last > place.at:
        whole = [row for row, stamp in zip(raw, stamps, strict=True) if stamp is None or stamp.time < last]
        return _Page(whole, _at(last, stamps), done=False)
    session.warn(
        f"{kind}: {len(raw)} rows or more are of {format_time(from_ms(place.at))}; the venue gives no more of one "
        "millisecond, so some of that one may be missing. A comparison of positions and balances shows it."
    )
    return _Page(raw, Place(place.at + 1), done=False)


def _slices(raw: Sequence[msgspec.Raw], stamps: Sequence[Stamp | None], place: Place) -> _Page:
    """Those of a list that is always given from its newest on."""
    new = [row for row, stamp in zip(raw, stamps, strict=True) if stamp is None or stamp.time >= place.at]
    return _Page(new, Place(max((stamp.time for stamp in stamps if stamp is not None), default=place.at)), done=True)


async def _read(session: Session, kind: str, raw: Sequence[msgspec.Raw]) -> Sequence[Fact]:
    if not raw:
        return ()
    body = b"[" + b",".join(bytes(row) for row in raw) + b"]"
    reading = await session.read(kind, {"user": session.address}, body)
    session.refuse(reading.refused)
    return reading.facts


def _stamped(kind: str, body: bytes) -> tuple[Sequence[msgspec.Raw], Sequence[Stamp | None]]:
    """The rows as they came, and the time and identity of each; None of one that cannot be read."""
    try:
        raw = msgspec.json.decode(body, type=list[msgspec.Raw])
    except msgspec.DecodeError as error:
        raise Malformed(f"{kind}: not a list: {rows.shown(body)}.", remedy="Ask again.") from error
    return raw, [_stamp(kind, row) for row in raw]


def _stamp(kind: str, row: msgspec.Raw) -> Stamp | None:
    try:
        return msgspec.json.decode(row, type=_Slice).fill if kind == SLICES else msgspec.json.decode(row, type=Stamp)
    except msgspec.DecodeError:  # the reader refuses it, and keeps it
        return None


def _at(time: int, stamps: Sequence[Stamp | None]) -> Place:
    return Place(time, next((str(s.tid) for s in stamps if s is not None and s.time == time and s.tid), ""))


def _encode(places: Mapping[str, Place]) -> str:
    return msgspec.json.encode(Cursor(places)).decode()


def _decode(cursor: str | None) -> dict[str, Place]:
    try:
        known = {} if cursor is None else msgspec.json.decode(cursor, type=Cursor).places
    except msgspec.DecodeError as error:
        raise BadInput(
            "cursor", rows.shown(cursor), "not a cursor of Hyperliquid", remedy="Pull from a time, or from the start."
        ) from error
    return {kind: known.get(kind, Place()) for kind in LISTS}
