"""What the views are told: terms when they are defined, and not again with every fill."""

from pathlib import Path

import msgspec

from tests.engine.world import ACCOUNT, DEFINED, PERP, fill
from trueup.book.book import Book
from trueup.engine.changes import change, fold, identities
from trueup.engine.past import Past
from trueup.journal.codec import encode
from trueup.journal.segments import SegmentJournal
from trueup.model.events import Event, InstrumentDefined
from trueup.model.identifiers import Seq
from trueup.ports import Change


def test_terms_are_told_when_they_are_defined_and_not_with_every_fill(tmp_path: Path) -> None:
    journal, _ = SegmentJournal.open(tmp_path / "log", ACCOUNT, segment_bytes=1 << 16)
    book = Book(ACCOUNT)

    def told(*events: Event) -> Change:
        frame = journal.append(encode(events), len(events), 0)
        return change(book, [frame], identities(frame, fold(book, frame)))

    second = msgspec.structs.replace(PERP, version=2)
    assert told(DEFINED, fill(1)).instruments == [PERP]
    assert told(fill(2)).instruments == ()
    assert told(InstrumentDefined(ACCOUNT, second)).instruments == [PERP, second]
    assert told(fill(3)).seq == Seq(5)
    journal.close()


def test_round_trips_are_told_when_one_ended_or_is_found_not_to_have(tmp_path: Path) -> None:
    journal, _ = SegmentJournal.open(tmp_path / "log", ACCOUNT, segment_bytes=1 << 16)
    book = Book(ACCOUNT, Past(journal))

    def told(*events: Event) -> dict[object, tuple[int, int]]:
        frame = journal.append(encode(events), len(events), 0)
        changed = change(book, [frame], identities(frame, fold(book, frame))).cycles
        return {key: (first, len(cycles)) for key, (first, cycles) in changed.items()}

    key = (PERP.symbol, "net")
    assert told(DEFINED, fill(10)) == {key: (1, 0)}, "the views may know of some from before a start"
    assert told(fill(20, side="sell")) == {key: (1, 1)}
    assert told(fill(30)) == {}
    assert told(fill(40)) == {}
    assert told(fill(15)) == {key: (1, 0)}, "with one more bought in between, the sale did not end it"
    journal.close()
