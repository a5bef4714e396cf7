import os
import re
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.processes import PATIENCE_S
from trueup.journal import directory as directory_module
from trueup.journal import format_file
from trueup.journal.directory import DataDirectory
from trueup.journal.segments import SegmentJournal
from trueup.model.errors import DirectoryLocked, StorageError
from trueup.model.identifiers import CONTROL, AccountId

HOLD = textwrap.dedent("""
    import sys
    from pathlib import Path
    from trueup.journal.directory import DataDirectory
    directory = DataDirectory.open(Path(sys.argv[1]))
    print("mine", flush=True)
    sys.stdin.read()
""")


def holder(path: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "mine\n"
    return process


def test_a_new_directory_is_private_and_laid_out(tmp_path: Path) -> None:
    directory = DataDirectory.open(tmp_path / "some" / "data")
    assert directory.path == tmp_path / "some" / "data"
    assert (
        stat.S_IMODE(directory.path.stat().st_mode)
        == stat.S_IMODE((directory.path / "ledgers").stat().st_mode)
        == 0o700
    )
    assert stat.S_IMODE((directory.path / "lock").stat().st_mode) == 0o600
    assert (directory.path / "format").read_bytes() == format_file.line()
    assert directory.views_path.parent == directory.path
    assert directory.ledgers() == []
    directory.close()
    directory.close()
    DataDirectory.open(directory.path, create=False).close()


def test_an_empty_directory_that_is_there_becomes_private(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    DataDirectory.open(tmp_path).close()
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


def test_ledgers_are_listed_by_name_whatever_is_in_it(tmp_path: Path) -> None:
    directory = DataDirectory.open(tmp_path)
    names = [CONTROL, AccountId("oanda:101-001-1"), AccountId("paper:A.b_c"), AccountId("paper:A.b_c.tmp")]
    for name in reversed(names):
        path = directory.ledger_path(name)
        assert path.parent == tmp_path / "ledgers"
        assert re.fullmatch(r"[\w.%-]+", path.name)
        path.mkdir()
    (tmp_path / "ledgers" / ".DS_Store").write_bytes(b"")
    for stray in ("lost+found", "notes", "paper:A.b_c", "paper%3A..", "paper%3A"):
        (tmp_path / "ledgers" / stray).mkdir()
    for stray in ("oanda%3A101-001-1~", "oanda%3A101-001-2.~tmp", ".swp"):
        (tmp_path / "heads" / stray).write_bytes(b"")
    assert directory.ledgers() == names
    directory.close()


def test_the_second_process_is_told_who_has_it_and_gets_it_once_that_is_killed(tmp_path: Path) -> None:
    first = holder(tmp_path)
    try:
        with pytest.raises(DirectoryLocked) as refusal:
            DataDirectory.open(tmp_path)
        assert f"process {first.pid} on {os.uname().nodename}" in str(refusal.value)
        assert str(tmp_path) in str(refusal.value)
        assert re.search(r"since \d{4}-\d\d-\d\dT[\d:.]+Z", str(refusal.value))
        assert "Stop that process" in refusal.value.remedy
    finally:
        first.send_signal(signal.SIGKILL)
        first.communicate(timeout=PATIENCE_S)
    DataDirectory.open(tmp_path).close()


def test_the_same_process_twice_is_told_too(tmp_path: Path) -> None:
    first = DataDirectory.open(tmp_path)
    with pytest.raises(DirectoryLocked, match=f"process {os.getpid()} "):
        DataDirectory.open(tmp_path)
    first.close()
    DataDirectory.open(tmp_path).close()


def test_an_owner_that_has_not_written_its_name_yet(tmp_path: Path) -> None:
    first = DataDirectory.open(tmp_path)
    (tmp_path / "lock").write_bytes(b"")
    with pytest.raises(DirectoryLocked, match="has not said who it is"):
        DataDirectory.open(tmp_path)
    first.close()


def test_another_format_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "format").write_bytes(format_file.line(2))
    with pytest.raises(StorageError, match="format 2") as refusal:
        DataDirectory.open(tmp_path)
    assert "version of trueup that wrote it" in refusal.value.remedy
    assert [path.name for path in tmp_path.iterdir()] == ["format"]


def test_a_directory_of_somebody_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("dear")
    for create in (True, False):
        with pytest.raises(StorageError, match=r"letters\.txt|not a data directory"):
            DataDirectory.open(tmp_path, create=create)
    assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]


def test_what_is_not_there_is_not_made_unless_asked(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="not a data directory"):
        DataDirectory.open(tmp_path / "none", create=False)
    assert not (tmp_path / "none").exists()


def test_a_crash_while_laying_out_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "lock").write_bytes(b"{")
    (tmp_path / "ledgers").mkdir()
    (tmp_path / "format.~tmp").write_bytes(b"true")
    DataDirectory.open(tmp_path).close()
    assert (tmp_path / "format").read_bytes() == format_file.line()


def test_a_path_that_cannot_be_used_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="cannot be used"):
        DataDirectory.open(tmp_path / "file" / "data")


def test_a_network_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory_module, "network_disk", lambda path, mounts: "nfs4")
    with pytest.raises(StorageError, match="network disk"):
        DataDirectory.open(tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_the_lock_holds_although_its_file_is_deleted(tmp_path: Path) -> None:
    first = DataDirectory.open(tmp_path)
    (tmp_path / "lock").unlink()
    with pytest.raises(DirectoryLocked, match="has not said who it is"):
        DataDirectory.open(tmp_path)
    first.close()
    DataDirectory.open(tmp_path).close()


@pytest.mark.parametrize("bit", range(len(format_file.line()) * 8))
def test_no_flipped_bit_passes_for_another_format(tmp_path: Path, bit: int) -> None:
    line = bytearray(format_file.line())
    line[bit // 8] ^= 1 << bit % 8
    (tmp_path / "format").write_bytes(line)
    with pytest.raises(StorageError, match="damaged") as refusal:
        DataDirectory.open(tmp_path)
    assert "trueup recover" in refusal.value.remedy


def test_a_format_is_written_again_only_where_a_segment_proves_the_directory_ours(tmp_path: Path) -> None:
    ledger = AccountId("paper:main")
    directory = DataDirectory.open(tmp_path)
    directory.close()
    for damage in (b"", format_file.line()[:-4]):
        (tmp_path / "format").write_bytes(damage)
        assert DataDirectory.mend(tmp_path) == ""
    journal, _ = SegmentJournal.open(directory.ledger_path(ledger), ledger, segment_bytes=8_192)
    journal.close()
    assert "damaged; written again" in DataDirectory.mend(tmp_path)
    DataDirectory.open(tmp_path, create=False).close()
    (tmp_path / "format").unlink()
    assert "missing; written again" in DataDirectory.mend(tmp_path)
    (tmp_path / "format").write_bytes(format_file.line(2))  # whole, and not ours to touch
    assert DataDirectory.mend(tmp_path) == ""


def test_folders_that_are_gone_are_made_again(tmp_path: Path) -> None:
    DataDirectory.open(tmp_path).close()
    for name in ("ledgers", "heads"):
        (tmp_path / name).rmdir()
    directory = DataDirectory.open(tmp_path)
    assert directory.ledgers() == []
    assert (tmp_path / "heads").is_dir()
    directory.close()


def test_bytes_that_are_no_text_in_a_command_line_or_a_name_stop_nobody_unsaid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["trueup", os.fsdecode(b"\xff.csv")])
    held = DataDirectory.open(tmp_path / "data")
    with pytest.raises(DirectoryLocked, match="udcff"):
        DataDirectory.open(tmp_path / "data")
    held.close()
    with pytest.raises(StorageError, match="is not UTF-8") as refusal:
        DataDirectory.open(tmp_path / os.fsdecode(b"\xff"))
    assert str(refusal.value).encode()
    assert not (tmp_path / os.fsdecode(b"\xff")).exists()
