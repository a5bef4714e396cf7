import errno
from pathlib import Path

import msgspec
import pytest

from tests.journal.samples import LEDGER
from trueup.journal.codec import CODEC_VERSION
from trueup.journal.records import write_record
from trueup.journal.segment_file import BLOCK, Mark
from trueup.journal.snapshots import Snapshot, newest_snapshot, write_snapshot
from trueup.model.errors import StorageError
from trueup.model.identifiers import AccountId, Seq
from trueup.ports import Hash
from trueup.testing.disk import FaultyDisk, Operation


def snapshot(seq: int, ledger: AccountId = LEDGER) -> Snapshot:
    return Snapshot(ledger, Mark(1, BLOCK, Seq(seq), Hash(bytes(32))), seq, b"hash", b"state %d" % seq)


def test_the_newest_comes_back_and_two_are_kept(tmp_path: Path) -> None:
    assert newest_snapshot(tmp_path, LEDGER) == (None, [])
    paths = [write_snapshot(tmp_path, snapshot(seq)) for seq in (9, 10, 100)]
    assert newest_snapshot(tmp_path, LEDGER) == (snapshot(100), [])
    assert [path.exists() for path in paths] == [False, True, True]


@pytest.mark.parametrize("damage", ["flip", "cut", "empty"])
def test_a_damaged_one_is_passed_over(tmp_path: Path, damage: str) -> None:
    write_snapshot(tmp_path, snapshot(1))
    path = write_snapshot(tmp_path, snapshot(2))
    data = path.read_bytes()
    path.write_bytes({"flip": data[:-1] + bytes([data[-1] ^ 1]), "cut": data[:-1], "empty": b""}[damage])
    found, (finding,) = newest_snapshot(tmp_path, LEDGER)
    assert found == snapshot(1)
    assert (finding.kind, finding.path, finding.done) == ("snapshot", path, "passed over")


@pytest.mark.parametrize(
    ("other", "problem"),
    [
        (msgspec.structs.replace(snapshot(2), codec=CODEC_VERSION + 1), f"codec {CODEC_VERSION + 1}"),
        (snapshot(2, AccountId("paper:other")), "paper:other"),
    ],
)
def test_one_of_another_codec_or_ledger_is_passed_over(tmp_path: Path, other: Snapshot, problem: str) -> None:
    write_snapshot(tmp_path, snapshot(1))
    write_snapshot(tmp_path, other)
    found, (finding,) = newest_snapshot(tmp_path, LEDGER)
    assert found == snapshot(1)
    assert problem in finding.problem


def test_one_of_another_shape_is_passed_over(tmp_path: Path) -> None:
    write_record(FaultyDisk(), tmp_path / "00000000000000000003.snapshot", msgspec.msgpack.encode(["later"]))
    found, (finding,) = newest_snapshot(tmp_path, LEDGER)
    assert found is None
    assert "another version" in finding.problem


@pytest.mark.parametrize("operation", ["open", "write", "sync", "rename", "sync_directory"])
def test_a_failure_leaves_the_one_before(tmp_path: Path, operation: Operation) -> None:
    write_snapshot(tmp_path, snapshot(1))
    disk = FaultyDisk()
    disk.fail(operation, errno.ENOSPC)
    with pytest.raises(StorageError, match="could not be written"):
        write_snapshot(tmp_path, snapshot(2), disk=disk)
    found, findings = newest_snapshot(tmp_path, LEDGER)
    assert found in {snapshot(1), snapshot(2)}
    assert findings == []
