"""Small files with a checksum: what cannot be read, or is another record in the place of one, is as good as none."""

from pathlib import Path

import msgspec
import pytest

from tests.journal.samples import LEDGER, append, opened
from trueup.journal.codec import CODEC_VERSION
from trueup.journal.disk import Disk
from trueup.journal.records import read_head, read_record, write_head, write_record
from trueup.journal.segment_file import Mark
from trueup.journal.snapshots import Snapshot
from trueup.model.identifiers import AccountId, Seq
from trueup.ports import GENESIS, Hash, Head

HEAD = Head(Seq(7), Hash(bytes(32)), 1_000)


def test_a_head_comes_back_for_its_ledger_alone(tmp_path: Path) -> None:
    path = tmp_path / "head"
    assert read_head(path, LEDGER) is None
    write_head(Disk(), path, LEDGER, HEAD)
    assert read_head(path, LEDGER) == HEAD
    assert read_head(path, AccountId("paper:other")) is None


@pytest.mark.parametrize(
    "content",
    [
        b'[{"layer":"log"}]',  # the note of what was proven
        msgspec.msgpack.encode(Snapshot(LEDGER, Mark(1, 4096, Seq(9), GENESIS), 5, b"", b"", CODEC_VERSION)),
        b"",
    ],
)
def test_another_record_in_the_place_of_a_head_is_not_believed(tmp_path: Path, content: bytes) -> None:
    write_record(Disk(), tmp_path / "head", content)
    assert read_record(tmp_path / "head") == content
    assert read_head(tmp_path / "head", LEDGER) is None


def test_a_journal_opens_although_its_saved_head_cannot_be_read(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    append(journal, [1])
    journal.close()
    (tmp_path / "head").unlink()
    (tmp_path / "head").mkdir()
    assert read_record(tmp_path / "head") is None
    journal = opened(tmp_path)
    assert journal.head.seq == 1
