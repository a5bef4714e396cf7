"""The history of an account, by time. What lives only here: how much is asked for at once, and when an answer was cut.

ccxt's lists answer a stretch of time with at most a page of rows, some with the oldest first and some with the newest.
An answer of a whole page may have been cut at either end, so the stretch is parted at the middle row and both parts are
asked for, until every list fits: that needs no knowledge of the order. All lists are asked for the same stretch, and
what they say of it is one page of ours: its cursor is the end of the stretch, before which nothing is missing.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

import msgspec

from trueup.model.errors import BadInput, Malformed
from trueup.model.events import Fact
from trueup.model.times import NS_PER_MS, format_time, from_ms
from trueup.venues import rows
from trueup.venues.ccxt import facts
from trueup.venues.ccxt.context import Context, native_name
from trueup.venues.ccxt.corrections import DAY_MS, Feed, Params
from trueup.venues.ccxt.session import Session
from trueup.venues.rows import Row

OVERLAP_MS = 300_000
"""How far before its end the last stretch is told again: venues list a row some seconds after its time, and clocks
that are farther apart than this are refused by venues."""

AHEAD_MS = 300_000
"""How far after our clock the last stretch ends: the venue's may be ahead."""

DAYS_BACK = 90
"""How far a first pull reaches where the exchange does not say how long it keeps its history."""

_READ: Mapping[str, Callable[[Context, Row, str], Sequence[Fact]]] = {
    "trade": facts.trade,
    "funding": facts.funding,
    "ledger": facts.entry,
}


class _Cut(Exception):
    """An answer was as long as answers may be; its rows' times in milliseconds."""

    def __init__(self, times: Sequence[int]) -> None:
        super().__init__()
        self.times = sorted(times)


class Stretch(msgspec.Struct, frozen=True):
    """A stretch of time in milliseconds: its beginning is part of it, its end is not."""

    begin: int
    end: int

    def parts(self, times: Sequence[int]) -> "tuple[Stretch, Stretch]":
        """Two parts, at the middle one of some times within it, as far as there is one."""
        middle = times[len(times) // 2] if times else (self.begin + self.end) // 2
        middle = min(max(middle, self.begin + 1), self.end - 1)
        return Stretch(self.begin, middle), Stretch(middle, self.end)


def cursor_at(venue_time: int) -> str:
    """The cursor of a time in nanoseconds."""
    return str(venue_time // NS_PER_MS)


async def pages(
    session: Session, feeds: Sequence[Feed], symbols: Iterable[str], cursor: str | None
) -> AsyncIterator[tuple[Sequence[Fact], str]]:
    """Pages of facts since a cursor, that moment included, each with the next cursor.

    Args:
        session: Of the account.
        feeds: The lists there are.
        symbols: The instruments known to be traded, for lists that each has of its own; those that other lists name
            are added.
        cursor: Of an earlier page; None begins as early as the exchange tells.

    Raises:
        VenueError: A list could not be had.
    """
    await session.ready()
    now = session.clock.now() // NS_PER_MS
    traded = set(symbols)
    start = _begin(session, cursor, now)
    longest = int(min((feed.days for feed in feeds), default=DAYS_BACK) * DAY_MS)
    ahead = _stretches(start, now + AHEAD_MS, longest)
    while ahead:
        stretch = ahead.pop()
        try:
            told = await _told(session, feeds, traded, stretch)
        except _Cut as cut:
            if stretch.end - stretch.begin > 1:
                ahead += reversed(stretch.parts(cut.times))
                continue
            raise _too_many(session, stretch) from None
        yield told, str(max(start, min(stretch.end, now - OVERLAP_MS)))


async def _told(session: Session, feeds: Sequence[Feed], traded: set[str], stretch: Stretch) -> Sequence[Fact]:
    """What all lists say of a stretch; those that name instruments first. Raises :class:`_Cut`."""
    told: list[Fact] = []
    for feed in sorted(feeds, key=lambda feed: feed.by_symbol):
        lists = [(params, symbol) for params in session.each(feed.params) for symbol in _symbols(feed, traded)]
        for params, symbol in lists:
            items = await _rows(session, feed, params, symbol, stretch)
            context = session.context
            traded |= _named(context, items)
            for found in session.read_each(feed.method, items, lambda row: _READ[feed.kind](context, row, symbol)):  # noqa: B023 - called at once
                told += found
    return told


def _symbols(feed: Feed, traded: Iterable[str]) -> Sequence[str]:
    """Of which instruments a list is asked for, one by one; an empty name is all of them."""
    return sorted(traded) if feed.by_symbol else [""]


async def _rows(session: Session, feed: Feed, which: Params, symbol: str, stretch: Stretch) -> Sequence[object]:
    """A list's rows within a stretch.

    Raises:
        _Cut: There may be more of them.
        Malformed: The exchange does not keep to the end of a stretch, and there is more than it answers at once.
    """
    params = {**which, feed.until: stretch.end - 1}
    if feed.iso:
        params[feed.until] = format_time(from_ms(stretch.end))
    if feed.since:
        params[feed.since] = stretch.begin
    answer = await session.call(feed.method, symbol or None, stretch.begin, feed.page, params)
    if not isinstance(answer, list):
        raise Malformed(f"{session.exchange.id} {feed.method}: no list: {rows.shown(answer)}.", remedy="Ask again.")
    times = [_time(item) for item in answer]
    within = [item for item, time in zip(answer, times, strict=True) if time is None or time in _range(stretch)]
    if len(answer) >= feed.page:
        known = [time for time in times if time is not None and time in _range(stretch)]
        if not known and all(time is None or time >= stretch.end for time in times):
            raise Malformed(
                f"{session.exchange.id} {feed.method} does not keep to the stretch of time that is asked for.",
                remedy="Its history is longer than one answer and cannot be read through ccxt.",
            )
        raise _Cut(known)
    return within


def _range(stretch: Stretch) -> range:
    return range(stretch.begin, stretch.end)


def _stretches(begin: int, end: int, longest: int) -> list[Stretch]:
    """A time cut into stretches that one call may ask for, the first one last."""
    starts = range(begin, max(end, begin + 1), longest)
    return [Stretch(start, min(start + longest, max(end, begin + 1))) for start in starts][::-1]


def _begin(session: Session, cursor: str | None, now: int) -> int:
    if cursor is not None:
        if not (cursor.isascii() and cursor.isdecimal()):
            raise BadInput("cursor", cursor, "not a cursor of this adapter", remedy="Begin anew, without one.")
        return int(cursor)
    days = session.correction.days_back or DAYS_BACK
    begin = now - days * DAY_MS
    session.warn(
        f"The history is read from {format_time(from_ms(begin))} on: {session.exchange.id} is not asked for what came "
        "before. Begin the positions with opening cuts where there were any."
    )
    return begin


def _named(context: Context, items: Iterable[object]) -> set[str]:
    """The instruments that rows name, by canonical symbol."""
    natives = {terms.native_symbol: symbol for symbol, terms in context.instruments.items() if terms.kind != "spot"}
    listed = [item for item in items if isinstance(item, Mapping)]
    named = {str(item.get("symbol")) for item in listed} | {natives.get(native_name(item), "") for item in listed}
    return named & context.instruments.keys()


def _time(item: object) -> int | None:
    time = item.get("timestamp") if isinstance(item, Mapping) else None
    return time if isinstance(time, int) else None


def _too_many(session: Session, stretch: Stretch) -> Malformed:
    return Malformed(
        f"{session.exchange.id} has more rows of {format_time(from_ms(stretch.begin))} than one answer holds.",
        remedy="They cannot be had through ccxt; book that millisecond from the venue's own export.",
    )
