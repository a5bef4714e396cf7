"""What the views are told: terms when they are defined, and not again with every fill."""

from pathlib import Path

import msgspec

from tests.engine.world import ACCOUNT, DEFINED, PERP, fill
from trueup.book.book import Book
from trueup.engine.changes import change, fold, identities
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
