"""The program with one of its cares left out. Each is a context manager that puts the care back."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from unittest.mock import patch

from trueup.engine.changes import change
from trueup.engine.feeder import Feeder
from trueup.engine.keys import Keys
from trueup.engine.ledger import Ledger, Task
from trueup.engine.pulling import Page
from trueup.engine.receipts import Receipt
from trueup.engine.writer import Offer
from trueup.journal import frame as frames
from trueup.journal import recovery, segment_file
from trueup.journal.disk import Disk
from trueup.journal.frame import HASH_BYTES, Flaw, pack, unpack
from trueup.journal.segment_file import Segment, SegmentHeader, Spare
from trueup.journal.segments import SegmentJournal
from trueup.model.events import CursorMoved
from trueup.model.identifiers import AccountId, Seq
from trueup.ports import Effects, Frame, Hash

Mutation = Callable[[], AbstractContextManager[object]]


class Careless(Disk):
    """A disk that does not do some of what it is told."""

    def __init__(self, disk: Disk, left_out: str) -> None:
        self._disk = disk
        self._left_out = left_out

    def __getattribute__(self, name: str) -> object:
        if name.startswith("_"):
            return super().__getattribute__(name)
        return (lambda *_: None) if name == self._left_out else getattr(self._disk, name)


@contextmanager
def no_sync_of_the_log() -> Iterator[None]:
    """A frame is written and not synced."""
    real = SegmentJournal.append

    def append(
        self: SegmentJournal, body: bytes, count: int, recorded_at: int, effects: Effects | None = None
    ) -> Frame:
        disk, self._disk = self._disk, Careless(self._disk, "sync")
        try:
            return real(self, body, count, recorded_at, effects)
        finally:
            self._disk = disk

    with patch.object(SegmentJournal, "append", append):
        yield


@contextmanager
def acknowledged_before_the_sync() -> Iterator[None]:
    """A frame is synced when the next one comes."""
    real = SegmentJournal.append

    def append(
        self: SegmentJournal, body: bytes, count: int, recorded_at: int, effects: Effects | None = None
    ) -> Frame:
        self._disk.sync(self._file)
        disk, self._disk = self._disk, Careless(self._disk, "sync")
        try:
            return real(self, body, count, recorded_at, effects)
        finally:
            self._disk = disk

    with patch.object(SegmentJournal, "append", append):
        yield


@contextmanager
def no_check_of_the_chain() -> Iterator[None]:
    """A frame is believed whatever its hash says."""

    def believe(view: memoryview, offset: int, ledger: AccountId) -> Frame | Flaw:
        found = unpack(view, offset, ledger)
        if not isinstance(found, Flaw) or "hash" not in found.reason:
            return found
        _, length, count, first, recorded_at, epoch, synced, previous = frames._FIELDS.unpack_from(view, offset)
        start = offset + frames.HEADER_BYTES
        body, digest = bytes(view[start : start + length]), bytes(view[start - HASH_BYTES : start])
        return Frame(ledger, Seq(first), count, recorded_at, epoch, synced, Hash(previous), Hash(digest), body)

    with patch.object(segment_file, "unpack", believe):
        yield


@contextmanager
def views_ahead_of_the_log() -> Iterator[None]:
    """What a frame does is in the views before the frame is in the log."""
    real = Ledger._write

    def write(self: Ledger, served: Sequence[Offer[Task, Receipt]]) -> None:
        journal, follower = self.journal, self._follower
        assert isinstance(journal, SegmentJournal)
        assert isinstance(follower, Feeder)
        durable = journal.append

        def append(body: bytes, count: int, recorded_at: int, effects: Effects | None = None) -> Frame:
            head = journal.head
            if follower.failed is None and follower.views.head(self.account).seq == head.seq:
                frame, _ = pack(
                    self.account,
                    first=Seq(head.seq + 1),
                    count=count,
                    recorded_at=max(recorded_at, head.recorded_at),
                    epoch=journal.epoch,
                    synced=journal._segments[-1].log_offset(journal._end.offset),
                    previous=head.hash,
                    body=body,
                )
                follower.views.apply([change(self.book, [frame], list(self._staged_keys))])
            return durable(body, count, recorded_at, effects)

        with patch.object(journal, "append", append):
            real(self, served)

    with patch.object(Ledger, "_write", write):
        yield


@contextmanager
def no_sync_of_the_directory() -> Iterator[None]:
    """A new segment gets its name, and the name is not synced."""
    real = Spare.install

    def install(self: Spare, directory: Path, header: SegmentHeader) -> Segment:
        disk, self._disk = self._disk, Careless(self._disk, "sync_directory")
        try:
            return real(self, directory, header)
        finally:
            self._disk = disk

    with patch.object(Spare, "install", install):
        yield


@contextmanager
def no_second_write_of_the_last_frame() -> Iterator[None]:
    """What reads well at a start is taken for durable."""

    def settle(self: recovery._Recovery) -> None:
        self._disk.sync_directory(self._directory)

    with patch.object(recovery._Recovery, "_settle", settle):
        yield


@contextmanager
def keys_forgotten_early() -> Iterator[None]:
    """Identities leave memory before the views have them."""
    real = Keys.add

    def add(self: Keys, booked: Sequence[tuple[str, Seq]]) -> None:
        self._young.clear()
        real(self, booked)

    with patch.object(Keys, "add", add):
        yield


@contextmanager
def cursor_before_its_facts() -> Iterator[None]:
    """How far a history is booked stands in a frame before that of the facts."""
    real = Page.__call__

    def book(self: Page, ledger: Ledger) -> Receipt:
        cursor, self._cursor = self._cursor or "", None
        ledger.decide_now(lambda _: [CursorMoved(ledger.account, cursor)])
        ledger._write(())
        return real(self, ledger)

    with patch.object(Page, "__call__", book):
        yield


MUTATIONS: dict[str, Mutation] = {
    mutation.__name__: mutation
    for mutation in (
        no_sync_of_the_log,
        acknowledged_before_the_sync,
        no_check_of_the_chain,
        views_ahead_of_the_log,
        no_sync_of_the_directory,
        no_second_write_of_the_last_frame,
        keys_forgotten_early,
        cursor_before_its_facts,
    )
}
