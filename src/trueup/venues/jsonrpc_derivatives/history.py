"""The history of an account: its trades, and what its transaction log tells of other money, each currency by itself.

Trades are asked for from a time on, oldest first. Those of the last day are in one store and older ones in another,
which takes a moment to get them: both are asked where a pull goes back that far, and what both tell is one fact. A page
may end in the midst of a millisecond, so the next one begins with that one.

The log is told newest first, in pages that go on by a token. So a pull fixes a window, from where the last one ended to
now, and reads it backwards; the cursor holds the window and the token until its beginning is reached.
"""

from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from trueup.model.errors import BadInput, Malformed
from trueup.model.events import Fact
from trueup.model.times import NS_PER_MS, format_time, from_ms
from trueup.ports import Refused
from trueup.venues import rows
from trueup.venues.jsonrpc_derivatives.calls import LOG_MAX, TRADES_MAX
from trueup.venues.jsonrpc_derivatives.reader import EngineReader
from trueup.venues.jsonrpc_derivatives.snapshots import States, currencies_of
from trueup.venues.jsonrpc_derivatives.wire import Wire
from trueup.venues.rows import Row

TRADES = "private/get_user_trades_by_currency_and_time"
LOG = "private/get_transaction_log"

RECENT_MS = 23 * 3_600_000
"""How far back the store of recent trades is relied on: it keeps them for 24 hours."""

OVERLAP_MS = 600_000
"""A pull looks back so far before the last one ended: an entry may come into a list later than one after it, such as
those of the daily settlement, which all have the time at which it began."""

AHEAD_MS = 1_000
"""A pull asks up to so long after now, since the clocks are known to some milliseconds only."""

HOUR_MS = 3_600_000
"""Where nothing happens the place moves on by whole hours, so that it is not booked with every pull."""

REFUSED_MAX = 10_000
WARNINGS_MAX = 100


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far the lists of one currency were read.

    Attributes:
        trades: The millisecond up to which trades are booked.
        log: The same of the log.
        until: Where the window of the log ends that is being read; 0 while there is none.
        token: Where it goes on, backwards; empty at its end.
        newest: The newest entry in it.
    """

    trades: int = 0
    log: int = 0
    until: int = 0
    token: str = ""
    newest: int = 0


class Cursor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far the history was read.

    Attributes:
        since: The millisecond that a currency begins at that is not named.
        places: By currency.
    """

    since: int = 0
    places: Mapping[str, Place] = {}


class History:
    """Pulls the history of one account.

    Args:
        reader: Of its answers.
        wire: To it.
        states: Name its currencies.

    Attributes:
        warnings: What a person has to know.
    """

    def __init__(self, reader: EngineReader, wire: Wire, states: States) -> None:
        self.warnings: deque[str] = deque(maxlen=WARNINGS_MAX)
        self._reader = reader
        self._wire = wire
        self._states = states
        self._refused: deque[Refused] = deque(maxlen=REFUSED_MAX)

    def refuse(self, refused: Sequence[Refused]) -> None:
        """Keep rows that could not be read for who puts them on record."""
        self._refused.extend(refused)

    def refused(self) -> Sequence[Refused]:
        """Rows that could not be read, since this was last asked."""
        taken = list(self._refused)
        self._refused.clear()
        return taken

    async def pages(self, cursor: str | None) -> AsyncIterator[tuple[Sequence[Fact], str]]:
        """Pages of facts since the cursor, that one included, each with the cursor behind it; one at least.

        Raises:
            BadInput: Not a cursor of the engine.
            VenueError: The engine could not be asked, or an answer could not be read; the last cursor holds.
        """
        at = decode(cursor)
        told = False
        for currency in currencies_of(await self._states.summaries()):
            async for facts, place in self._currency(currency, at.places.get(currency, Place(at.since, at.since))):
                at = replace(at, places={**at.places, currency: place})
                told = True
                yield facts, encode(at)
        if not told:
            yield (), encode(at)

    async def _currency(self, currency: str, place: Place) -> AsyncIterator[tuple[Sequence[Fact], Place]]:
        now = await self._wire.venue_time() // NS_PER_MS
        async for facts, trades in self._trades(currency, place.trades, now):
            before, place = place, replace(place, trades=max(place.trades, trades))
            if facts or place != before:
                yield facts, place
        async for facts, following in self._log(currency, place, now):
            before, place = place, following
            if facts or place != before:
                yield facts, place

    # --- trades -------------------------------------------------------------------------------------------------------

    async def _trades(self, currency: str, since: int, now: int) -> AsyncIterator[tuple[Sequence[Fact], int]]:
        """Trades from a millisecond on, each page with that up to which all are told."""
        start = max(since - OVERLAP_MS, 0)
        if start < now - RECENT_MS:
            async for facts, at in self._store(currency, start, now, historical=True):
                yield facts, min(at, now - RECENT_MS)
        async for facts, at in self._store(currency, start, now, historical=False):
            yield facts, at
        yield (), _settled(now)

    async def _store(
        self, currency: str, start: int, now: int, *, historical: bool
    ) -> AsyncIterator[tuple[Sequence[Fact], int]]:
        more = True
        while more:
            params = {
                "currency": currency,
                "start_timestamp": start,
                "end_timestamp": now + AHEAD_MS,
                "count": TRADES_MAX,
                "sorting": "asc",
                "historical": historical,
            }
            answer = await self._wire.ask(TRADES, params)
            start, more = self._next(answer, start)
            yield self._read(TRADES, answer), start

    def _next(self, answer: Row, start: int) -> tuple[int, bool]:
        """The millisecond that the page after one begins with, and whether there is one."""
        try:
            result = rows.record(answer, "result")
            listed = rows.records(result, "trades")
            more = rows.flag(result, "has_more", default=False) or len(listed) >= TRADES_MAX
        except BadInput as error:
            raise _unreadable(TRADES, error) from error
        times = [time for row in listed if (time := _time(row)) is not None]
        last = max(times, default=start)
        if last > start or not more:
            return last, more
        if not times:
            raise Malformed(f"{TRADES}: there are more trades, and where they go on is not said.", remedy="Ask again.")
        self.warn(
            f"More than {len(listed)} trades are of {format_time(from_ms(start))}, and no more are given of one "
            "millisecond: some of that one may be missing. A comparison of positions shows it."
        )
        return start + 1, True

    # --- the log ------------------------------------------------------------------------------------------------------

    async def _log(self, currency: str, place: Place, now: int) -> AsyncIterator[tuple[Sequence[Fact], Place]]:
        """What is left of the window that an earlier pull began, then a window from there to now."""
        if place.until:
            async for facts, following in self._window(currency, place):
                place = following
                yield facts, place
        async for facts, following in self._window(currency, replace(place, until=now + AHEAD_MS)):
            yield facts, following

    async def _window(self, currency: str, place: Place) -> AsyncIterator[tuple[Sequence[Fact], Place]]:
        while place.until:
            params: dict[str, object] = {
                "currency": currency,
                "start_timestamp": max(place.log - OVERLAP_MS, 0),
                "end_timestamp": place.until,
                "count": LOG_MAX,
            }
            if place.token:
                params["continuation"] = int(place.token) if place.token.isdecimal() else place.token
            answer = await self._wire.ask(LOG, params)
            token, newest = _page(answer)
            newest = max(place.newest, newest)
            if token and token == place.token:
                raise Malformed(
                    f"{LOG}: {currency} goes on by the token that was just given, so the older entries cannot be had.",
                    remedy="Ask again; nothing before it is passed over.",
                )
            if token:
                place = replace(place, token=token, newest=newest)
            else:
                end = _settled(place.until - AHEAD_MS)
                place = Place(trades=place.trades, log=max(place.log, newest, end))
            yield self._read(LOG, answer), place

    def warn(self, warning: str) -> None:
        """Tell a person, once."""
        if warning not in self.warnings:
            self.warnings.append(warning)

    def _read(self, method: str, answer: Row) -> Sequence[Fact]:
        reading = self._reader.answer(method, answer, method)
        self.refuse(reading.refused)
        return reading.facts


def _page(answer: Row) -> tuple[str, int]:
    """The token that a page of the log goes on by, empty where it is the last, and its newest entry's millisecond."""
    try:
        result = rows.record(answer, "result")
        times = [_time(row) for row in rows.records(result, "logs")]
        token = rows.optional_identifier(result, "continuation")
    except BadInput as error:
        raise _unreadable(LOG, error) from error
    return token if times else "", max(filter(None, times), default=0)


def _time(row: object) -> int | None:
    """The millisecond of a row; None where it says none: the reader refuses it, and keeps it."""
    try:
        return rows.integer(rows.as_row(row), "timestamp")
    except BadInput:
        return None


def _settled(now: int) -> int:
    """The last whole hour of which everything can be had."""
    return max((now - OVERLAP_MS) // HOUR_MS * HOUR_MS, 0)


def _unreadable(method: str, error: BadInput) -> Malformed:
    return Malformed(f"{method}: {error.field}={error.value!r}: {error.problem}.", remedy=error.remedy)


def cursor_at(venue_time: int) -> str:
    """The cursor of everything at or after a venue time in nanoseconds."""
    return encode(Cursor(since=max(venue_time, 0) // NS_PER_MS))


def encode(cursor: Cursor) -> str:
    """The cursor as text."""
    return msgspec.json.encode(cursor).decode()


def decode(text: str | None) -> Cursor:
    """The cursor from its text; that of everything from None. Raises :class:`BadInput`."""
    if text is None:
        return Cursor()
    try:
        return msgspec.json.decode(text, type=Cursor)
    except msgspec.DecodeError as error:
        raise BadInput(
            "cursor", rows.shown(text), "not a cursor of this venue", remedy="Pull from a time, or from the start."
        ) from error
