"""A scene: an account at a venue over sockets, its book on disk, and who reconciles the two; all on one clock."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from tests.conformance.venues.rigs import SocketRig
from tests.scenarios.between import Between, between
from tests.scenarios.kinds import VenueKind
from trueup.engine.ledger import Ledger
from trueup.engine.reconciling_live import Reconciler, Run, Trigger
from trueup.model import events as e
from trueup.model.breaks import Step
from trueup.model.differences import Status
from trueup.model.facts import fact_key
from trueup.model.identifiers import Side
from trueup.model.numbers import ZERO
from trueup.model.times import NS_PER_SECOND
from trueup.ports import LiveVenue
from trueup.reconcile.policy import Policies
from trueup.testing.conformance.life import Books, books_of, trade, untruth

PATIENCE_S = 60.0

PERIOD_S = 60
"""Venue time between two runs."""

MONEY = (e.FillBooked, e.FundingPaid, e.TransferBooked, e.FeeCharged)


class Scene:
    """See the module.

    Attributes:
        venue: The adapter; what it says goes through ``answers``, to be tampered with.
        policies: Of the next program that begins.
    """

    venue: LiveVenue
    answers: Between
    reconciler: Reconciler

    def __init__(self, kind: VenueKind, rig: SocketRig, books: Books) -> None:
        self.kind = kind
        self.rig = rig
        self.policies: Policies | None = None
        self._books = books

    @property
    def ledger(self) -> Ledger:
        return self._books.ledger

    @property
    def held(self) -> Decimal:
        """By the book."""
        position = self.ledger.book.position(self.rig.symbol, "net")
        return ZERO if position is None else position.quantity

    async def begin(self) -> None:
        """A program begins: what it knows is what stands in the journal."""
        if self.ledger.head.seq:
            self._books.restart()
        self.answers, self.venue = between(await self.rig.venue(self.ledger.book))
        self.reconciler = self.reconciling()

    def reconciling(self, patience_s: float = PATIENCE_S) -> Reconciler:
        """Who knows nothing but what stands in the journal."""
        return Reconciler(self._books.store, self.ledger, self.venue, policies=self.policies, patience_s=patience_s)

    async def agree(self) -> None:
        """Begin, and find both sides alike."""
        await self.begin()
        run = await self.run("start")
        assert run.comparison.status is Status.SYNCED, run.findings

    async def run(self, trigger: Trigger = "periodic") -> Run:
        """Half a period later than whatever happened last, look."""
        self.rig.clock.skip(PERIOD_S // 2)
        return await self.reconciler.run(trigger)

    def trade(self, side: Side, lots: int) -> None:
        """Somebody trades by hand."""
        trade(self.rig, side, lots)

    def events(self, kind: type[e.Event]) -> list[Any]:
        return [event for _, event in self.ledger.events() if isinstance(event, kind)]

    def confirmed(self) -> list[e.BreakMoved]:
        """The breaks that were ever believed."""
        return [move for move in self.events(e.BreakMoved) if move.step == Step.CONFIRM]

    def standing(self) -> list[Any]:
        return [record for record in self.ledger.book.breaks.records.values() if not record.ended]

    def require_truth(self) -> None:
        """The book is what happened at the exchange, each fact of it once."""
        assert not untruth(self.rig, self.ledger)
        keys = Counter(fact_key(fact) for _, fact in self.ledger.events() if isinstance(fact, MONEY))
        assert not [key for key, times in keys.items() if times > 1]

    async def require_agreement(self, run: Run) -> None:
        """A run found both sides alike in the end, the book is true, and looking again brings and writes nothing."""
        assert run.comparison.status is Status.SYNCED, run.findings
        assert not self.standing()
        self.require_truth()
        seq = self.ledger.head.seq
        again = await self.run()
        assert (again.comparison.status, dict(again.brought)) == (Status.SYNCED, {}), again.findings
        assert {type(event) for _, event in self.ledger.events(seq)} <= {e.CursorMoved}  # Kite's tells when it looked


def detected_after_s(run: Run, happened: int) -> float:
    """Venue time from when something happened to the run that told of it."""
    return (run.began_at - happened) / NS_PER_SECOND


def causes(run: Run, subject: str) -> Sequence[str]:
    """What a run brought for a subject, by name."""
    return run.brought[subject][0].split() if subject in run.brought else ()


@asynccontextmanager
async def scene(kind: VenueKind) -> AsyncIterator[Scene]:
    """A scene with an account that was flat and holds three lots now."""
    async with kind.setup() as rig:
        with books_of(rig) as books:
            made = Scene(kind, rig, books)
            if kind.begins:  # before anything is traded: while a future is held it does not say what its cash is
                await made.begin()
                await made.reconciler.begin()
                rig.clock.skip(2)  # the cut of an opening is told in the venue's time, give or take
            made.trade("buy", 3)
            yield made
