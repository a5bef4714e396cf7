"""Booking what saved answers say: every row ends booked, already there, covered, quarantined or refused.

Facts of all files are booked together in venue order, so that little has to be folded twice. A row that could not be
read is put on record with its bytes, so nothing that was given is lost; doing it all again changes nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from typing import TypeVar

import msgspec

from trueup.engine.door import Fate
from trueup.engine.ledger import Ledger
from trueup.engine.reading import Progress, Source, silent
from trueup.engine.store import Store
from trueup.model import events as e
from trueup.model.facts import kind_of, order_key
from trueup.model.identifiers import AccountId
from trueup.ports import Refused

CHUNK = 1_000
"""Facts per commit: enough to hide the sync, little enough to show progress."""

REFUSALS_CHUNK = 100
"""Refused rows per commit; they keep up to 64 KiB each, and a commit holds 64 MiB."""


class Counts(msgspec.Struct, kw_only=True):
    """What became of facts.

    Attributes:
        instruments: Definitions booked: contract details, not counted among ``booked``.
        booked: Facts written for the first time; ``booked_kinds`` says how many of which kind.
        already: Facts that were there before.
        covered: Opening cuts for times the book already knew; ``covered_openings`` says of what.
        quarantined: Facts that contradict what is booked, or cannot be: kept aside, now or before.
        refused: Rows that could not be read: kept aside as they came.
    """

    instruments: int = 0
    booked: int = 0
    already: int = 0
    covered: int = 0
    quarantined: int = 0
    refused: int = 0
    booked_kinds: dict[str, int] = msgspec.field(default_factory=dict)
    covered_openings: list[str] = msgspec.field(default_factory=list)

    def count(self, fact: e.Fact, fate: Fate) -> None:
        """Add what became of one fact."""
        name = _COUNTS[fate]
        if isinstance(fact, e.InstrumentDefined) and name != "quarantined":
            self.instruments += fate is Fate.BOOKED
            return
        setattr(self, name, getattr(self, name) + 1)
        if isinstance(fact, e.OpeningPosition) and fate is Fate.COVERED:
            self.covered_openings.append(f"{fact.instrument} {fact.position_side}")
        elif isinstance(fact, e.OpeningBalance) and fate is Fate.COVERED:
            self.covered_openings.append(fact.currency)
        if fate is Fate.BOOKED:
            kind = kind_of(fact)
            self.booked_kinds[kind] = self.booked_kinds.get(kind, 0) + 1


class FileReport(Counts):
    """What became of one answer.

    Attributes:
        kind: What it was recognised as.
        rows: How many it had.
        state: Whether it states how the account stands, which is for a comparison and not for the book.
        note: For a person.
        problem, remedy: Why the answer was refused as a whole; empty when it was read.
    """

    name: str
    kind: str = ""
    rows: int = 0
    state: bool = False
    note: str = ""
    problem: str = ""
    remedy: str = ""

    @property
    def whole(self) -> bool:
        """Whether everything it says is in the book."""
        return not (self.quarantined or self.refused or self.problem)


class ImportReport(msgspec.Struct):
    """What became of all answers.

    Attributes:
        refusals: The rows that could not be read.
    """

    account: AccountId
    files: Sequence[FileReport]
    refusals: Sequence[Refused]

    def total(self, count: str) -> int:
        """The sum of a count over all files."""
        return sum(getattr(file, count) for file in self.files)

    @property
    def whole(self) -> bool:
        """Whether everything the answers say is in the book."""
        return all(file.whole for file in self.files)


_Offer = tuple[e.Fact, FileReport]

Offered = TypeVar("Offered")

_COUNTS = {
    Fate.BOOKED: "booked",
    Fate.ALREADY: "already",
    Fate.COVERED: "covered",
    Fate.QUARANTINED: "quarantined",
    Fate.QUARANTINED_BEFORE: "quarantined",
}


def import_sources(
    store: Store, account: AccountId, sources: Sequence[Source], progress: Progress = silent
) -> ImportReport:
    """Book what was read into an account's ledger, which is made when there is something to put into it.

    Raises as :func:`book_sources` does.
    """
    if account in store.accounts() or any(_told(source) for source in sources):
        return book_sources(store.ledger(account), sources, progress)
    return ImportReport(account, [_report(source) for source in sources], [])


def book_sources(ledger: Ledger, sources: Sequence[Source], progress: Progress = silent) -> ImportReport:
    """Book what was read.

    Args:
        ledger: Of the account that the answers are of.
        sources: From :func:`trueup.engine.reading.read_answers`.
        progress: Called after each commit of facts.

    Raises:
        JournalFailed: The disk refused. What was booked before stays booked; do the same again.
    """
    files = [_report(source) for source in sources]
    offers = [(fact, file) for source, file in zip(sources, files, strict=True) for fact in source.reading.facts]
    definitions = [offer for offer in offers if isinstance(offer[0], e.InstrumentDefined)]
    facts = [offer for offer in offers if not isinstance(offer[0], e.InstrumentDefined)]
    done = 0
    for chunk in chain(parts(sorted(definitions, key=_place), _fact), parts(sorted(facts, key=_place), _fact)):
        receipt = ledger.book_facts(fact for fact, _ in chunk)
        for (fact, file), fate in zip(chunk, receipt.fates, strict=True):
            file.count(fact, fate)
        done += len(chunk)
        progress(done, len(offers))
    refusals = [refusal for source in sources for refusal in source.reading.refused]
    _note(ledger, sources, refusals)
    return ImportReport(ledger.account, files, refusals)


def _report(source: Source) -> FileReport:
    reading, error = source.reading, source.error
    return FileReport(
        source.answer.name,
        kind=reading.kind,
        rows=reading.rows,
        refused=len(reading.refused),
        state=reading.snapshot is not None,
        note=reading.note,
        problem="" if error is None else error.message,
        remedy="" if error is None else error.remedy,
    )


def _place(offer: _Offer) -> tuple[int, int, str]:
    return order_key(offer[0])


def _fact(offer: _Offer) -> e.Fact:
    return offer[0]


def parts(offers: Sequence[Offered], fact_of: Callable[[Offered], e.Fact]) -> Iterator[Sequence[Offered]]:
    """Parts to book. An opening cut begins one: whether it is covered is judged by everything before it."""
    part: list[Offered] = []
    for offer in offers:
        if len(part) == CHUNK or (part and isinstance(fact_of(offer), e.OpeningPosition | e.OpeningBalance)):
            yield part
            part = []
        part.append(offer)
    if part:
        yield part


def _note(ledger: Ledger, sources: Sequence[Source], refusals: Sequence[Refused]) -> None:
    """Keep the refused rows, then say which files were read: a file on record has left nothing behind."""
    rows = (kept(ledger.account, refusal) for refusal in refusals)
    while part := list(islice(rows, REFUSALS_CHUNK)):
        ledger.note(part)
    ledger.note(_provenance(ledger.account, source) for source in sources if _told(source))


def kept(account: AccountId, refusal: Refused) -> e.Quarantined:
    """A row that could not be read, as the journal keeps it."""
    reason = f"{refusal.field}={refusal.value!r}: {refusal.problem}"
    return e.Quarantined(account, "", reason, refusal.raw, source=f"{refusal.file}#{refusal.row}")


def _told(source: Source) -> bool:
    """Whether anything of the answer is on record."""
    reading = source.reading
    return bool(reading.facts or reading.refused or reading.learnt)


def _provenance(account: AccountId, source: Source) -> e.SourceRead:
    reading = source.reading
    return e.SourceRead(
        account,
        source.answer.name,
        source.answer.sha256,
        reading.kind,
        reading.rows,
        len(reading.refused),
        tuple(sorted(reading.learnt.items())),
    )
