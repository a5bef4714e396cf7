"""What a verdict asks for, written in one frame: the outcome, the breaks' moves, corrections, what is forbidden."""

from collections.abc import Mapping, Sequence

from trueup.engine.door import Fate
from trueup.engine.judging import Judged
from trueup.engine.ledger import Ledger
from trueup.engine.receipts import Receipt
from trueup.model import events as e
from trueup.model.breaks import BreakKey
from trueup.model.identifiers import Seq
from trueup.reconcile.correct import Circumstances, Correction
from trueup.reconcile.following import Booked
from trueup.reconcile.persistence import Sighting
from trueup.reconcile.policy import Policies
from trueup.reconcile.recording import recorded
from trueup.reconcile.verdict import Looked, Verdict, correction_event, verdict

MOVED_ON = "the book moved on since it was compared"
"""A doubt: nothing is corrected by numbers that hold no longer."""


class Settling:
    """The task to decide on a comparison and write what follows; the ledger's turn makes both one.

    Args:
        judged: What was found.
        source: The answers of the venue that it was made from.
        booked: What was booked since the comparison before, by break.
        sightings: Of earlier comparisons.
        policies: What may be corrected.
        author: Who corrections are by.
        now: Our time in nanoseconds.
        doubts: Why nothing may be corrected now.

    Attributes:
        verdict: What was decided; None before.
        corrected: What was booked to put breaks right.
    """

    def __init__(
        self,
        judged: Judged,
        source: Sequence[str],
        *,
        booked: Mapping[BreakKey, Booked],
        sightings: Mapping[BreakKey, Sighting],
        policies: Policies,
        author: str,
        now: int,
        doubts: Sequence[str] = (),
    ) -> None:
        self.verdict: Verdict | None = None
        self.corrected: list[e.Corrected] = []
        self._judged = judged
        self._source = source
        self._looked = Looked(judged.findings, judged.looked_at, judged.prices, booked)
        self._sightings = sightings
        self._policies = policies
        self._author = author
        self._now = now
        self._doubts = doubts

    def __call__(self, ledger: Ledger) -> Receipt:
        """Decide and write."""
        self.corrected = []
        first = Seq(ledger.book.seq + 1)
        decided = self.verdict = self.decided(ledger)
        outcome = recorded(self._judged.comparison, self._source)
        ledger.decide_now(lambda book: () if book.breaks.told_already(outcome) else (outcome,))
        for move in decided.moves:  # one by one: each is possible where the one before it led
            _write(ledger, move)
        for correction in decided.plan.corrections:
            self._correct(ledger, correction)
        for proposal in decided.proposals:
            _write(ledger, proposal)
        if decided.restriction is not None:
            _write(ledger, decided.restriction)
        return Receipt(first, ledger.book.seq, [Fate.BOOKED] * (ledger.book.seq + 1 - first))

    def decided(self, ledger: Ledger) -> Verdict:
        """What follows, by what the book holds now. The caller has the ledger's turn."""
        breaks = ledger.book.breaks
        return verdict(ledger.account, breaks, self._sightings, self._looked, self._policies, self._at(ledger))

    def _at(self, ledger: Ledger) -> Circumstances:
        judged, breaks = self._judged, ledger.book.breaks
        moved_on = [MOVED_ON] if ledger.book.seq != judged.seq else []
        return Circumstances(
            judged.comparison.cut,
            self._now,
            self._author,
            judged.missing,
            judged.instruments,
            breaks.corrections,
            breaks.approvals,
            [*self._doubts, *moved_on],
        )

    def _correct(self, ledger: Ledger, correction: Correction) -> None:
        """Book the entries of a correction, each once, and say for what; nothing is said of what was put aside."""
        fates = ledger.book_now(correction.entries).fates
        if set(fates) <= {Fate.BOOKED, Fate.ALREADY}:
            event = correction_event(ledger.account, correction, self._at(ledger))
            _write(ledger, event)
            self.corrected.append(event)


def _write(ledger: Ledger, event: e.Event) -> None:
    ledger.decide_now(lambda _: (event,))
