"""The backup directory: blobs are there whole or not at all, whatever the disk does; other people's files are safe."""

import errno
from pathlib import Path
from random import Random

import pytest

from tests.journal.backup.backups import destination_at
from trueup.journal.backup.local import LocalDestination
from trueup.model.errors import BackupFailed, BadInput, NotFound
from trueup.testing.disk import FaultyDisk, Operation

NAME = "ledgers/paper%3Aone/blob"
OPERATIONS: list[Operation] = ["open", "write", "sync", "rename", "sync_directory"]


def test_a_blob_comes_back_as_it_was_put_and_the_newest_of_a_name_counts(tmp_path: Path) -> None:
    destination = destination_at(tmp_path)
    destination.put(NAME, b"first")
    destination.put(NAME, b"second, longer")
    destination.put("manifests/m", b"")
    assert destination.get(NAME) == b"second, longer"
    assert [(blob.name, blob.size) for blob in destination.blobs()] == [(NAME, 14), ("manifests/m", 0)]
    assert [blob.name for blob in destination.blobs("ledgers/")] == [NAME]
    assert [blob.name for blob in destination.blobs("ledgers/paper%3Aone/bl")] == [NAME]
    assert destination.blobs("ledgers/nobody/") == []
    assert destination.blobs()[0].modified_at == (destination.path / NAME).stat().st_mtime_ns


def test_a_blob_that_is_deleted_is_gone_and_deleting_it_again_is_fine(tmp_path: Path) -> None:
    destination = destination_at(tmp_path)
    destination.put(NAME, b"x")
    destination.delete(NAME)
    destination.delete(NAME)
    assert destination.blobs() == []
    with pytest.raises(NotFound, match="blob"):
        destination.get(NAME)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("calls_before", range(4))
def test_a_put_that_fails_leaves_the_blob_before_or_the_new_one(
    tmp_path: Path, operation: Operation, calls_before: int
) -> None:
    disk = FaultyDisk()
    destination = destination_at(tmp_path, disk)
    destination.put(NAME, b"before")
    disk.fail(operation, errno.EIO, calls_before=calls_before, part=2)
    allowed = {b"after"}
    try:
        destination.put(NAME, b"after")
    except BackupFailed:
        allowed.add(b"before")
    assert destination.get(NAME) in allowed
    disk.mend()
    assert [blob.name for blob in destination.blobs()] == [NAME]
    destination.put(NAME, b"again")
    assert destination.get(NAME) == b"again"


@pytest.mark.parametrize("seed", range(20))
def test_a_blob_that_was_put_survives_a_loss_of_power(tmp_path: Path, seed: int) -> None:
    random, disk = Random(seed), FaultyDisk()
    destination = destination_at(tmp_path, disk)
    content = {f"ledgers/{number % 3}/{number}": random.randbytes(random.randrange(3_000)) for number in range(6)}
    for name, data in content.items():
        destination.put(name, data)
    disk.fail(random.choice(OPERATIONS), errno.EIO, part=7)
    with pytest.raises(BackupFailed):
        destination.put("manifests/late", b"late" * 500)
    disk.lose_power(random)
    again = LocalDestination.open(destination.path)
    assert {name: again.get(name) for name in content} == content
    assert {blob.name for blob in again.blobs()} - content.keys() <= {"manifests/late"}
    if again.blobs("manifests/"):
        assert again.get("manifests/late") == b"late" * 500


def test_a_directory_within_the_data_or_around_them_is_refused(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (tmp_path / "link").symlink_to(data)
    for path in (data, data / "backup", tmp_path, tmp_path / "link" / "backup"):
        with pytest.raises(BadInput, match="within one another"):
            LocalDestination.open(path, create=True, apart_from=data)
    assert list(data.iterdir()) == []


def test_a_directory_of_other_things_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "backup").mkdir()
    (tmp_path / "backup" / "photo").write_bytes(b"dear")
    with pytest.raises(BackupFailed, match="holds other things \\(photo\\)"):
        destination_at(tmp_path)
    assert [path.name for path in (tmp_path / "backup").iterdir()] == ["photo"]


def test_where_the_directory_above_is_missing_nothing_is_made_since_a_disk_may_not_be_mounted(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="is the disk mounted"):
        LocalDestination.open(tmp_path / "mount" / "backup", create=True)
    assert list(tmp_path.iterdir()) == []


def test_reading_makes_no_directory_and_takes_no_empty_one_for_a_backup(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="There is no backup directory"):
        LocalDestination.open(tmp_path / "backup")
    (tmp_path / "backup").mkdir()
    with pytest.raises(BackupFailed, match="is empty"):
        LocalDestination.open(tmp_path / "backup")


@pytest.mark.parametrize("name", ["", "..", "../x", "a//b", "a/../../b", "/etc/x", "."])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    destination = destination_at(tmp_path)
    with pytest.raises(BadInput, match="not the name of a blob"):
        destination.put(name, b"x")


def test_a_full_disk_is_told_with_a_remedy(tmp_path: Path) -> None:
    disk = FaultyDisk()
    destination = destination_at(tmp_path, disk)
    disk.fail("write", errno.ENOSPC)
    with pytest.raises(BackupFailed) as failure:
        destination.put(NAME, b"x")
    assert "Mend the disk" in failure.value.remedy
    assert destination.blobs() == []
    assert [path for path in destination.path.rglob("*") if path.is_file()] == []
