"""The history of an account, a trading day at a time: all orders and trades that Kite lists, each time anew.

Positions are read first, since they tell how large lots are; where the history begins they also tell what was held
when the day began. Orders are read before trades, so every fill that an order tells is among the trades then: where one
is not yet, the trades are asked for again, and a capture that still lacks one does not count as made.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal

from trueup.model.errors import Malformed
from trueup.model.events import Fact, FillBooked, InstrumentDefined, OrderReported
from trueup.model.numbers import ZERO, canonical, exact
from trueup.ports import Clock, Reading, Refused
from trueup.venues import rows
from trueup.venues.zerodha import answers, calls, capture
from trueup.venues.zerodha.capture import Cursor
from trueup.venues.zerodha.known import Known
from trueup.venues.zerodha.openings import openings
from trueup.venues.zerodha.reader import ZerodhaReader
from trueup.venues.zerodha.wire import Wire

PAUSES_S = (0.2, 0.5, 1.0)
"""Before each further look for trades that the orders tell of."""

Pages = AsyncIterator[tuple[Sequence[Fact], str]]


class History:
    """Captures the day.

    Args:
        wire: To Kite.
        reader: Of the account.
        clock: Ours; the trading day is that of the venue's clock, as far as it is known.

    Attributes:
        cursor: Behind the newest capture that went on from the one before; None before the first.
        lacking: What its trades lacked, in sentences.
    """

    def __init__(self, wire: Wire, reader: ZerodhaReader, clock: Clock) -> None:
        self.cursor: Cursor | None = None
        self.lacking: Sequence[str] = ()
        self._wire = wire
        self._reader = reader
        self._clock = clock
        self._refused: list[Refused] = []

    @property
    def now(self) -> int:
        """The venue's time, in nanoseconds."""
        return self._wire.skew.venue_now(self._clock.now())

    def refused(self) -> Sequence[Refused]:
        """Rows that could not be read, since this was last asked."""
        told, self._refused = self._refused, []
        return told

    async def pages(self, cursor: str | None, markets: Collection[str]) -> Pages:
        """What was held, where the history begins; then orders, then trades; each with the cursor behind it.

        Args:
            cursor: Of an earlier page; None for the beginning.
            markets: Those that the account trades on.

        Raises:
            BadInput: Not a cursor of Kite.
            VenueError: What was given before it stands, and the cursor that came with it goes on there.
        """
        asked_at = self.now
        before = None if cursor is None else capture.decode(cursor)
        begins = before is None or before.begins
        moves = not begins or self.cursor is None  # else it is only looked back at, and books nothing that was missed
        fresh = self._reader.fork()
        net = await self._net(fresh)
        day = capture.trading_day(asked_at)
        reached = Cursor(day.isoformat()) if before is None or begins else capture.follows(before, asked_at, markets)
        if begins:
            yield await self._opened(fresh, net, day), capture.encode(reached)
        self.cursor = reached if moves else self.cursor
        reported = await self._read(fresh, calls.ORDERS)
        yield with_terms(reported.facts, fresh.known), capture.encode(reached)
        traded, self.lacking = await self._trades(fresh, reported)
        if not self.lacking:
            reached = capture.captured(reached, asked_at)
            self.cursor = reached if moves else self.cursor
        self._refused += [*reported.refused, *traded.refused]
        yield with_terms(traded.facts, fresh.known), capture.encode(reached)

    async def met(self) -> None:
        """Read what the account holds and ordered, so that its instruments are known."""
        fresh = self._reader.fork()
        await self._net(fresh)
        for path in (calls.HOLDINGS, calls.ORDERS):
            await self._read(fresh, path)

    async def _net(self, reader: ZerodhaReader) -> Sequence[rows.Row]:
        """The positions, which tell how large lots are."""
        body = await self._wire.ask(calls.get(calls.POSITIONS))
        reader.read(calls.POSITIONS, body, calls.POSITIONS.encode())
        listed = answers.record("positions", body, lambda data: rows.records(data, "net"))
        return [row for row in listed if isinstance(row, Mapping)]

    async def _opened(self, reader: ZerodhaReader, net: Sequence[rows.Row], day: date) -> Sequence[Fact]:
        """What was held when the day began, which is all that Kite tells of the days before.

        Raises:
            Malformed: A position or a holding cannot be read: the account must not begin without it.
        """
        reading = await self._read(reader, calls.HOLDINGS)
        if reader.known.positions is None or reader.known.overnight is None:
            why = "; ".join(reading.snapshot.failed.values()) if reading.snapshot is not None else ""
            raise Malformed(
                f"What was held when {day} began cannot be read: {why or 'a row of the positions is at fault'}.",
                remedy="Begin the account by the generic format's openings, and look at the rows at Kite.",
            )
        return with_terms(openings(net, reader.known, day), reader.known)

    async def _read(self, reader: ZerodhaReader, path: str) -> Reading:
        return reader.read(path, await self._wire.ask(calls.get(path)), path.encode())

    async def _trades(self, reader: ZerodhaReader, reported: Reading) -> tuple[Reading, Sequence[str]]:
        """The day's trades, and which of those that the orders tell of they lack in the end."""
        traded = await self._read(reader, calls.TRADES)
        lacking = _lacking(reported.facts, traded)
        for pause in PAUSES_S:
            if not lacking:
                break
            await asyncio.sleep(pause)
            traded = await self._read(reader, calls.TRADES)
            lacking = _lacking(reported.facts, traded)
        return traded, lacking


def with_terms(facts: Iterable[Fact], known: Known) -> list[Fact]:
    """Facts, after the definitions of all that they are about: who books them may have none of these yet."""
    told = [fact for fact in facts if not isinstance(fact, InstrumentDefined)]
    symbols = dict.fromkeys(symbol for fact in told if (symbol := getattr(fact, "instrument", "")))
    found = [terms for symbol in symbols if (terms := known.of_symbol(symbol)) is not None]
    return [*(InstrumentDefined(known.account, terms) for terms in found), *told]


def _lacking(reported: Iterable[Fact], traded: Reading) -> Sequence[str]:
    """Fills that the orders tell of and the trades do not; none where a trade could not be read: that is told apart."""
    if traded.refused:
        return ()
    filled: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
    with exact():
        for fact in traded.facts:
            if isinstance(fact, FillBooked):
                filled[fact.venue_order_id] += fact.quantity
        return [
            f"Of order {one.venue_order_id} {canonical(one.filled)} are filled, and Kite lists trades of "
            f"{canonical(filled[one.venue_order_id])}: pull again."
            for one in reported
            if isinstance(one, OrderReported) and filled[one.venue_order_id] < one.filled
        ]
