"""Holds the book of one account true to its venue: books what is reported, compares often, books what is missing.

While a cut is compared nothing else is booked, so book and venue speak of the same instant. A fact that is merely on
its way (reported but not booked yet, or too young to be overdue) makes the comparison PENDING, not a break.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from contextlib import aclosing
from decimal import Decimal

from trueup.cli.demo.causes import Cause, cause_of, ids_of, why_missing
from trueup.cli.demo.messages import Acknowledged, Compared, Found, Offered, tell
from trueup.engine.door import Fate
from trueup.engine.ledger import Ledger
from trueup.engine.reconciling import book_side, fills_by_position, views_side
from trueup.engine.store import Store
from trueup.model.differences import Comparison, Status, VenueSnapshot
from trueup.model.errors import Malformed, Unavailable
from trueup.model.events import Fact, FillBooked, InstrumentDefined
from trueup.model.facts import fact_key, order_key
from trueup.model.identifiers import AccountId
from trueup.model.numbers import canonical
from trueup.model.times import NS_PER_MS
from trueup.model.venues import Gap
from trueup.reconcile.compare import compare
from trueup.venues.paper.client import PaperClient

OVERDUE_MS = 500
"""A report takes a millisecond or two; one that is not there after this long is not coming."""

RETRY_S = 0.1
"""Between attempts to reach a venue that is down."""

HEARD_MAX = 10_000
"""Reports remembered to tell a second one from the first."""

QUEUE_MAX = 10_000
"""Reports that may wait while a cut is compared; then the venue's stream waits."""


class Keeper:
    """One account: its ledger, its venue, and the stream between them.

    Attributes:
        heard: Set once the stream was open.
        last_prices: Of the newest fill reported, by instrument.
    """

    def __init__(self, store: Store, venue: PaperClient) -> None:
        self.account: AccountId = venue.account
        self.venue = venue
        self.ledger: Ledger = store.ledger(venue.account)
        self.heard = asyncio.Event()
        self.last_prices: dict[str, Decimal] = {}
        self._store = store
        self._turn = asyncio.Lock()
        self._reported: asyncio.Queue[Fact] = asyncio.Queue(QUEUE_MAX)
        self._heard: dict[str, None] = {}
        self._heard_until = 0
        self._listened_since = 0
        self._cursor: str | None = None
        self._open: set[str] = set()

    async def begin(self) -> None:
        """Book the venue's instruments, and for a new book all of the account's history: nothing of it is a break."""
        new = not self.ledger.head.seq
        terms = await self.venue.instruments()
        await self.book([InstrumentDefined(self.account, instrument) for instrument in terms])
        if new:
            async for facts, cursor in self.venue.history(None):
                await self.book(facts)
                self._cursor = cursor

    # --- reports ------------------------------------------------------------------------------------------------------

    @property
    def listening(self) -> bool:
        """Whether the stream is open now."""
        return bool(self.venue.health["stream"].connected)

    async def listen(self) -> None:
        """Take in what the venue reports, and tell whenever the stream was lost and is open again."""
        async with aclosing(self.venue.stream()) as stream:
            async for item in stream:
                if isinstance(item, Gap):
                    self._open_again()
                else:
                    self._hear(item)
                    await self._reported.put(item)

    def _open_again(self) -> None:
        if self.heard.is_set():
            words = f"the stream ended: {self.venue.health['stream'].last_error.rstrip('.')}"
            self.found(Cause.VENUE_GONE, (), words, "nothing: unknown is not flat")
        self._listened_since = self._now()
        self.heard.set()

    async def book_reports(self) -> None:
        """Book what was reported, all that waits in one commit."""
        while True:
            facts = [await self._reported.get()]
            while not self._reported.empty():
                facts.append(self._reported.get_nowait())
            await self.book(facts)

    def _hear(self, fact: Fact) -> None:
        key = fact_key(fact) or ""
        if key in self._heard:
            self.found(
                Cause.REPORTED_TWICE,
                ids_of(fact),
                f"{_named(fact)} was reported twice on one stream: same id, same terms",
                "nothing: it is booked once",
            )
        if isinstance(fact, FillBooked):
            self.last_prices[fact.instrument] = fact.price
        self._heard[key] = None
        self._heard_until = max(self._heard_until, order_key(fact)[0])
        if len(self._heard) > HEARD_MAX:
            del self._heard[next(iter(self._heard))]

    # --- booking ------------------------------------------------------------------------------------------------------

    async def book(self, facts: Sequence[Fact]) -> None:
        """Book facts when no cut is being compared."""
        async with self._turn:
            await self._book(facts)

    async def _book(self, facts: Sequence[Fact]) -> None:
        """Offer facts to the ledger, tell what it acknowledged, and what of it nobody ordered."""
        keys = [fact_key(fact) or "" for fact in facts]
        tell(Offered(self.account, keys))
        receipt = await self.ledger.abook_facts(facts)
        fates = list(zip(keys, receipt.fates, strict=True))
        durable = [key for key, fate in fates if fate in {Fate.BOOKED, Fate.ALREADY}]
        booked = [key for key, fate in fates if fate is Fate.BOOKED]
        tell(Acknowledged(self.account, durable, booked, receipt.last))
        for fact, fate in zip(facts, receipt.fates, strict=True):
            if fate is Fate.BOOKED:
                self._explain(fact)

    def _explain(self, fact: Fact) -> None:
        cause = cause_of(fact)
        if cause is Cause.FOREIGN_TRADE:
            words = f"{_named(fact)} carries no order id of ours"
            self.found(cause, ids_of(fact), words, "the fill, under the strategy `external`")
        elif cause is Cause.LIQUIDATION and isinstance(fact, FillBooked):
            self.found(
                cause, ids_of(fact), f"{_named(fact)} is flagged by the venue as forced", "the flag and the fill"
            )

    # --- comparing ----------------------------------------------------------------------------------------------------

    async def reconcile(self) -> Status:
        """Compare with the venue at one cut; book what the book lacks by the venue's ids; compare again."""
        try:
            async with self._turn:
                snapshot = await self.venue.snapshot()
                missing, proven = await self._missing(snapshot)
                if any(self._on_its_way(fact) for fact in missing):
                    tell(Compared(self.account, self._now(), Status.PENDING))
                    return Status.PENDING
                before = await self._compare(snapshot, missing)
                after = before
                if missing:
                    await self._book(missing)
                    after = await self._compare(snapshot, ())
                self._cursor = proven
        except Unavailable as error:
            tell(Compared(self.account, self._now(), Status.FAILED, problem=error.message))
            return Status.FAILED
        self._tell_breaks(before, after, booked=bool(missing))
        self._tell_causes(missing)
        return after.status

    async def _missing(self, snapshot: VenueSnapshot) -> tuple[list[Fact], str | None]:
        """The venue's facts up to the cut that are not booked, and the cursor up to which nothing will be missing."""
        if snapshot.cut is None:
            raise Malformed(f"The snapshot of {self.account} names no cut.", remedy="Ask a venue that does.")
        found: dict[str, Fact] = {}
        proven = self._cursor
        async for facts, cursor in self.venue.history(self._cursor):
            due = [fact for fact in facts if order_key(fact)[0] <= snapshot.cut]
            found |= self._not_booked(due)
            if len(due) == len(facts):
                proven = cursor
        return list(found.values()), proven

    def _not_booked(self, facts: Sequence[Fact]) -> dict[str, Fact]:
        offered = {fact_key(fact) or "": fact for fact in facts}
        booked = self.ledger.read(lambda _: self.ledger.keys.booked(offered))
        return {key: fact for key, fact in offered.items() if key not in booked}

    def _on_its_way(self, fact: Fact) -> bool:
        """Whether a missing fact may yet come by itself: it waits to be booked, or its report is not overdue."""
        time = order_key(fact)[0]
        if fact_key(fact) in self._heard:
            return True
        young = self._now() - time < OVERDUE_MS * NS_PER_MS
        return young and time > max(self._heard_until, self._listening_since)

    async def _compare(self, snapshot: VenueSnapshot, missing: Sequence[Fact]) -> Comparison:
        await asyncio.to_thread(self._store.synced, self.account)
        return compare(
            self.ledger.read(book_side),
            views_side(self._store.views, self.account),
            snapshot,
            table=True,
            now=self._now(),
            missing_fills=fills_by_position(missing, snapshot.cut),
        )

    # --- telling ------------------------------------------------------------------------------------------------------

    def _tell_causes(self, missing: Sequence[Fact]) -> None:
        """Why facts were missing, one finding for each cause; all evidence the fills and the venue's ids."""
        by_cause: defaultdict[Cause, list[Fact]] = defaultdict(list)
        for fact in missing:
            by_cause[why_missing(fact, self._listening_since)].append(fact)
        for cause, facts in by_cause.items():
            ids = tuple(dict.fromkeys(name for fact in facts for name in ids_of(fact)))
            booked = f"{len(facts)} from history, by the venue's ids"
            self.found(cause, ids, _WHY[cause].format(what=_counted(facts)), booked)

    def _tell_breaks(self, before: Comparison, after: Comparison, *, booked: bool) -> None:
        """Which breaks are new, which booking has ended, which remain. One that goes by itself stays unexplained."""
        found, left = _breaks(before), _breaks(after)
        fresh = [words for name, words in found.items() if name not in self._open]
        ended = [name for name in self._open | found.keys() if name not in left] if booked else []
        self._open = set(left)
        tell(Compared(self.account, self._now(), after.status, after.rows, fresh, ended, list(left.values())))

    def found(self, cause: Cause, ids: Sequence[str], explanation: str, booked: str) -> None:
        """Tell of something out of the ordinary."""
        tell(Found(self.account, self._now(), cause, ids, explanation, booked))

    @property
    def _listening_since(self) -> int:
        """When the stream was opened that is open now: while there is none, nothing from before now can come by it."""
        return self._listened_since if self.listening else self._now()

    def _now(self) -> int:
        return self._store.clock.now()


_WHY = {
    Cause.REPORT_LOST: "{what}: later reports came on the same stream, this did not",
    Cause.NOBODY_LISTENED: "{what}: happened before this stream was open",
}


def _breaks(comparison: Comparison) -> dict[str, str]:
    """Differences that are none of time and none of information, by what they are about."""
    return {
        f"{found.kind} {found.subject}": f"{found.kind} {found.subject}: {found.direction}"
        for found in comparison.differences
        if found.status is Status.DRIFT
    }


def _counted(facts: Sequence[Fact]) -> str:
    fills = [fact for fact in facts if isinstance(fact, FillBooked)]
    if len(facts) == 1:
        return _named(facts[0])
    if len(fills) == 1:
        return f"{_named(fills[0])} and {len(facts) - 1} more"
    return f"{len(fills)} fills and {len(facts) - len(fills)} other facts"


def _named(fact: Fact) -> str:
    """A fact in a few words."""
    if isinstance(fact, FillBooked):
        return f"fill {fact.venue_trade_id} ({fact.side} {canonical(fact.quantity)} {fact.instrument})"
    return " ".join((fact_key(fact) or "").split("|"))
