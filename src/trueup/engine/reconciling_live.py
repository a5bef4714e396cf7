"""Keeping an account and its venue in agreement: pull, take a cut, compare, explain, follow the breaks, correct.

What the book lacks is booked first, by the venue's own ids, so that a difference which is left has another cause. Where
one is left that nothing accounts for, the venue's history is read again from the last cut at which both agreed. What
follows is written in one commit with the outcome; after a correction the same answer is compared once more.
"""

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Literal

import msgspec

from trueup.book.book import Book
from trueup.engine.beginning import openings
from trueup.engine.door import Fate
from trueup.engine.histories import SETTLING_NS, History, recorded_since, reread
from trueup.engine.judging import Judged, judge
from trueup.engine.ledger import Facts, Ledger
from trueup.engine.looking import Look, glance, look
from trueup.engine.order_reports import OF_ORDERS, order_reports
from trueup.engine.pulling import Progress, Pull, served, silent
from trueup.engine.settling import Settling
from trueup.engine.store import Store
from trueup.model import events as e
from trueup.model.breaks import BreakKey
from trueup.model.differences import Comparison, Kind, Status, VenueSnapshot
from trueup.model.errors import AuthenticationFailed, VenueError
from trueup.model.facts import fact_key, order_key
from trueup.model.identifiers import Seq
from trueup.model.times import NS_PER_SECOND
from trueup.ports import LiveVenue
from trueup.reconcile.correct import Plan
from trueup.reconcile.explain.effects import effects
from trueup.reconcile.explain.evidence import Evidence
from trueup.reconcile.explain.facts import cause_of_missing
from trueup.reconcile.following import EVIDENCE_MAX, Booked, Finding
from trueup.reconcile.persistence import Sighting
from trueup.reconcile.policy import Mode, Policies
from trueup.reconcile.tolerance import DEFAULTS, Tolerances
from trueup.reconcile.verdict import Verdict

LOOK_BACK_NS = 600 * NS_PER_SECOND
"""How far back in our own record facts may stand that happened after a cut which the venue has only just told."""

GLANCE_BACK_NS = 10 * NS_PER_SECOND
"""The same at a glance; what is later than the cut by more is a difference, and is looked into."""

_ENDED_BY_FACTS = tuple(kind.value for kind in (Kind.QTY, Kind.CASH, *OF_ORDERS))
"""Sorts of breaks that a fact may put right."""

Trigger = Literal["start", "trade", "periodic", "reconnect", "demand"]


class Run(msgspec.Struct, frozen=True):
    """One reconciliation of an account.

    Attributes:
        began_at, took_ns: Our time, and how long it took.
        pulled: What was booked on the way, all pulls together.
        looks: How often the account was looked at; with :data:`trueup.engine.looking.LOOKS_MAX` it may have traded
            even then.
        brought: What the pulls brought that was not booked before, by subject: causes, and the identities of the facts.
        findings: What differs, with what it is put down to.
        plan: What was booked for it, or in a dry run would be, and why not more.
        moves: What it did to the breaks.
        corrected: What was booked to put breaks right.
        missing: Facts of the venue's history that the book lacks, where it was read again.
        restriction: What is forbidden now; None when nothing ever was.
        snapshot: The venue's answer that was compared.
    """

    trigger: Trigger
    began_at: int
    took_ns: int
    comparison: Comparison
    pulled: Pull
    looks: int
    brought: Mapping[str, Booked]
    findings: Sequence[Finding]
    plan: Plan
    moves: Sequence[e.BreakMoved]
    corrected: Sequence[e.Corrected]
    missing: Sequence[e.Fact]
    restriction: e.Restricted | None
    snapshot: VenueSnapshot


class Reconciler:
    """Reconciles one account, run after run, one at a time.

    Args:
        store: With its views.
        ledger: Of the account.
        venue: To be asked.
        policies: What may be corrected.
        author: Who corrections are by.
        stops_required: Instruments whose positions need a resting stop at the venue; None for all.
        tolerances: How far numbers may lie apart.
        patience_s: How long the venue may take to answer in one run; then it counts as one that cannot be asked.
        turns: Shared with other accounts: how many are compared at once. No venue is waited for within a turn.

    Attributes:
        last: The newest run; None before the first.
    """

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        venue: LiveVenue,
        *,
        policies: Policies | None = None,
        author: str = "reconciler",
        stops_required: frozenset[str] | None = frozenset(),
        tolerances: Tolerances = DEFAULTS,
        patience_s: float = 60.0,
        turns: asyncio.Semaphore | None = None,
    ) -> None:
        self.last: Run | None = None
        self._store = store
        self._ledger = ledger
        self._venue = venue
        self._policies = policies or Policies()
        self._author = author
        self._stops_required = stops_required
        self._tolerances = tolerances
        self._patience_s = patience_s
        self._turns = turns or asyncio.Semaphore()
        self._marks: dict[str, Decimal] = {}
        self._sightings: Mapping[BreakKey, Sighting] = {}
        self._agreed = _before(ledger)
        self._compared_at = ledger.read(_newest)
        self._turn = asyncio.Lock()

    async def run(
        self, trigger: Trigger = "demand", progress: Progress = silent, *, dry: bool = False, doubts: Sequence[str] = ()
    ) -> Run:
        """Reconcile once.

        A venue that cannot be asked makes the answer FAILED: unknown, not flat.

        Args:
            trigger: Why now.
            progress: Told how far the pull of the history has come.
            dry: Write nothing: neither facts nor outcome. The plan then tells what would be booked.
            doubts: Why nothing may be corrected now, in words.

        Raises:
            AuthenticationFailed: The venue does not take our key.
            JournalFailed: The disk refused.
        """
        async with self._turn:
            clock = self._store.clock
            began, began_s = clock.now(), clock.monotonic()
            await asyncio.to_thread(self._ledger.catch_up)  # what other processes decided counts
            unbooked = dry or self._policies.of(self._ledger.account, "").mode is Mode.REPORT
            seen, judged, history = await self._seen(trigger, progress, unbooked=unbooked)
            brought = _brought(seen.news, judged)
            why = _brought(await self._news(), judged)
            ended_by = {(subject, sort): one for subject, one in why.items() for sort in _ENDED_BY_FACTS}
            first = self._settling(judged, seen, doubts, ended_by)
            settled = [first]
            if dry:
                decided = self._ledger.read(lambda _: first.decided(self._ledger))
            else:
                decided = await self._settled(first)
                if first.corrected:
                    judged = await self._judged(seen, history)
                    settled.append(self._settling(judged, seen, doubts, _booked(first.corrected)))
                    await self._settled(settled[1])
                self._agreed = self._agreed.after(judged)
                if not seen.snapshot.failed:
                    self._compared_at = judged.seq, judged.comparison.cut
            self.last = Run(
                trigger,
                began,
                round((clock.monotonic() - began_s) * NS_PER_SECOND),
                judged.comparison,
                seen.pulled,
                seen.looks,
                brought,
                judged.findings,
                decided.plan,
                [move for one in settled if one.verdict is not None for move in one.verdict.moves],
                [event for one in settled for event in one.corrected],
                judged.missing,
                self._ledger.read(lambda book: book.breaks.restriction),
                seen.snapshot,
            )
            return self.last

    async def begin(self, progress: Progress = silent) -> Sequence[e.Fact]:
        """Open the account where the venue does not tell its history whole; what was opened, each only ever once.

        Raises: as :meth:`run`.
        """
        async with self._turn:
            seen = await look(self._ledger, self._venue, progress, books=True, patience_s=self._patience_s)
            judged = await self._judged(seen, None)
            facts = self._ledger.read(lambda book: openings(judged, book, seen.snapshot))
            receipt = await served(self._ledger, Facts(facts))
        return [fact for fact, fate in zip(facts, receipt.fates, strict=True) if fate is Fate.BOOKED]

    async def _seen(
        self, trigger: Trigger, progress: Progress, *, unbooked: bool
    ) -> tuple[Look, Judged, History | None]:
        """What the venue said and what differs; after a trade a glance is enough while nothing does, nor did before."""
        if trigger == "trade" and not unbooked and self._ledger.read(_nothing_stands):
            seen = await glance(self._ledger, self._venue, patience_s=self._patience_s)
            judged = await self._judged(seen, None, whole=False)
            if judged.comparison.status is Status.SYNCED:
                return seen, judged, None
        seen = await look(self._ledger, self._venue, progress, books=not unbooked, patience_s=self._patience_s)
        history = await self._history(seen) if unbooked else None
        judged = await self._judged(seen, history)
        if history is None and judged.worth_reading:
            history = await self._history(seen)
            judged = await self._judged(seen, history)
        if not unbooked and await self._reported(seen, judged):
            judged = await self._judged(seen, history)
        return seen, judged, history

    async def _reported(self, seen: Look, judged: Judged) -> bool:
        """Book what the venue says of the orders that differ; whether any of it was new."""
        ours = self._ledger.read(lambda book: book.open_orders())
        orders = {**(seen.snapshot.open_orders or {}), **ours}
        reports = await order_reports(self._venue, judged.findings, orders, self._patience_s)
        if not reports:
            return False
        receipt = await served(self._ledger, Facts(reports))
        seen.heard(reports, receipt)
        return Fate.BOOKED in receipt.fates

    async def _news(self) -> Sequence[e.Fact]:
        """What was booked since the last comparison and had happened by its cut: only that can be why they differed."""
        if self._ledger.read(_nothing_stands):
            return ()
        seq, cut = self._compared_at
        facts = await asyncio.to_thread(recorded_since, self._ledger, seq, 0)
        return [fact for fact in facts if cut is None or order_key(fact)[0] <= cut]

    async def _history(self, seen: Look) -> History | None:
        """The venue's history since both agreed last, read once more; None where it cannot be had."""
        if "venue" in seen.snapshot.failed:
            return None
        try:
            async with asyncio.timeout(self._patience_s):
                return await reread(self._venue, self._agreed.cut)
        except AuthenticationFailed:
            raise
        except VenueError as error:
            seen.failed(error.message)
        except TimeoutError:
            seen.failed(f"it did not tell its history within {self._patience_s:g} s")
        return None

    async def _judged(self, seen: Look, history: History | None, *, whole: bool = True) -> Judged:
        """Beside the loop: ten thousand positions take a moment, and so may the journal, in which others go on."""
        for (symbol, _), stated in (seen.snapshot.positions or {}).items():
            if stated.mark_price is not None:
                self._marks[symbol] = stated.mark_price
        async with self._turns:
            return await asyncio.to_thread(self._compared, seen, history, whole=whole)

    def _compared(self, seen: Look, history: History | None, *, whole: bool) -> Judged:
        back = LOOK_BACK_NS if whole else GLANCE_BACK_NS
        recent = self._ledger.recorded_by(self._store.clock.now() - back).seq
        after = recent if history is None else min(recent, self._agreed.seq)
        since = (seen.snapshot.cut or self._store.clock.now()) - SETTLING_NS
        ours = recorded_since(self._ledger, after, since if history is None else min(since, history.since))
        return judge(
            self._store,
            self._ledger,
            seen.snapshot,
            ours,
            history,
            whole=whole,
            defined=seen.terms,
            marks=dict(self._marks),
            stops_required=self._stops_required,
            tolerances=self._tolerances,
        )

    def _settling(
        self, judged: Judged, seen: Look, doubts: Sequence[str], booked: Mapping[BreakKey, Booked]
    ) -> Settling:
        return Settling(
            judged,
            seen.snapshot.source,
            booked=booked,
            sightings=self._sightings,
            policies=self._policies,
            author=self._author,
            now=self._store.clock.now(),
            doubts=doubts,
        )

    async def _settled(self, settling: Settling) -> Verdict:
        """What was decided, once it is durable."""
        await served(self._ledger, settling)
        if settling.verdict is None:
            raise RuntimeError("A task was acknowledged that never ran.")
        self._sightings = settling.verdict.sightings
        return settling.verdict


def _nothing_stands(book: Book) -> bool:
    return all(record.ended for record in book.breaks.records.values())


def _newest(book: Book) -> tuple[Seq, int | None]:
    """Where the book stood at the newest comparison on record, and its cut."""
    outcome = book.breaks.outcome
    return book.breaks.seq, None if outcome is None else outcome.cut


class _Agreed(msgspec.Struct, frozen=True):
    """The newest cut at which book and venue agreed: its venue time, and where the book stood; zeros for never."""

    cut: int = 0
    seq: Seq = Seq(0)

    def after(self, judged: Judged) -> "_Agreed":
        """The same with one more comparison."""
        cut = judged.comparison.cut
        agrees = judged.comparison.status is Status.SYNCED and cut is not None
        return _Agreed(cut, judged.seq) if agrees and cut is not None else self


def _before(ledger: Ledger) -> _Agreed:
    """As the journal knows it."""
    breaks = ledger.read(lambda book: book.breaks)
    outcome = breaks.outcome
    if outcome is None or outcome.status != Status.SYNCED or outcome.cut is None:
        return _Agreed()
    return _Agreed(outcome.cut, breaks.seq)


def _brought(news: Sequence[e.Fact], judged: Judged) -> Mapping[str, Booked]:
    """What pulls brought, by the subjects that it changed."""
    known = Evidence(instruments=judged.instruments)
    causes: dict[str, dict[str, list[str]]] = {}
    for fact in news:
        changed = [fact.venue_order_id] if isinstance(fact, e.OrderReported) else effects(fact, judged.instruments)
        for subject in changed:
            causes.setdefault(subject, {}).setdefault(cause_of_missing(fact, known), []).append(fact_key(fact) or "")
    return {
        subject: (" ".join(found), tuple(key for keys in found.values() for key in keys)[:EVIDENCE_MAX])
        for subject, found in causes.items()
    }


def _booked(corrected: Sequence[e.Corrected]) -> Mapping[BreakKey, Booked]:
    return {(one.subject, one.sort): (one.cause, one.entries) for one in corrected}


async def reconcile_live(store: Store, ledger: Ledger, venue: LiveVenue, progress: Progress = silent) -> Run:
    """Reconcile an account once, as it is asked for. Raises as :meth:`Reconciler.run` does."""
    return await Reconciler(store, ledger, venue).run("demand", progress)
