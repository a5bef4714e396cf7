"""SQLite is opened in one way: a sound version, a local disk, every setting as asked."""

from pathlib import Path

import apsw
import apsw.sqlite_extra
import pytest

from trueup.journal import sqlite
from trueup.journal.sqlite import check_version, network_disk
from trueup.journal.views import SqliteViews
from trueup.model.errors import ViewsFailed

MOUNTS = """\
/dev/vda / ext4 rw 0 0
server:/export /srv/data nfs4 rw 0 0
//server/share /mnt/my\\040share cifs rw 0 0
tmpfs /srv/data/local tmpfs rw 0 0
user@server: /srv/remote fuse.sshfs rw 0 0
/dev/fuse /srv/ntfs fuseblk rw 0 0
old:/x /srv/twice nfs rw 0 0
/dev/vdb /srv/twice xfs rw 0 0
"""


@pytest.mark.parametrize("version", ["3.7.0", "3.44.5", "3.51.2", "3.52.0"])
def test_versions_with_known_faults_are_refused(version: str) -> None:
    with pytest.raises(ViewsFailed, match=f"SQLite {version}") as failure:
        check_version(version)
    assert "3.51.3" in failure.value.remedy


@pytest.mark.parametrize("version", ["3.51.3", "3.53.0", "4.0.0", apsw.sqlite_lib_version()])
def test_sound_versions_are_taken(version: str) -> None:
    check_version(version)


def test_an_old_library_is_refused_before_the_file_is_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: "3.45.1")
    with pytest.raises(ViewsFailed, match=r"3\.45\.1"):
        SqliteViews(tmp_path / "views.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/srv/data/trueup", "nfs4"),
        ("/srv/data", "nfs4"),
        ("/srv/database", None),
        ("/srv/data/local/trueup", None),
        ("/mnt/my share/trueup", "cifs"),
        ("/srv/remote/x", "fuse.sshfs"),
        ("/srv/ntfs/x", None),
        ("/srv/twice/x", None),
        ("/var/lib", None),
    ],
)
def test_network_disks_are_known_by_their_mounts(path: str, kind: str | None) -> None:
    assert network_disk(Path(path), MOUNTS) == kind


def test_a_network_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "network_disk", lambda path, mounts: "nfs4")
    with pytest.raises(ViewsFailed, match=r"network disk \(nfs4\)") as failure:
        SqliteViews(tmp_path / "views.db")
    assert "local disk" in failure.value.remedy


def test_where_mounts_are_not_listed_the_disk_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "MOUNTS", tmp_path / "absent")
    SqliteViews(tmp_path / "views.db").close()


def test_an_apsw_without_page_checksums_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(db: apsw.Connection, name: str) -> None:
        raise apsw.sqlite_extra.NotAvailable(f"{name} is not included")

    monkeypatch.setattr(apsw, "vfs_names", lambda: ["unix"])
    monkeypatch.setattr(apsw.sqlite_extra, "load", absent)
    with pytest.raises(ViewsFailed, match="cksumvfs is not included") as failure:
        SqliteViews(tmp_path / "views.db")
    assert "binary wheel" in failure.value.remedy


def test_the_rest_of_the_process_keeps_its_default(tmp_path: Path) -> None:
    SqliteViews(tmp_path / "views.db").close()
    assert apsw.vfs_names()[0] != "cksmvfs"


def test_settings_are_what_was_asked_for(tmp_path: Path) -> None:
    views = SqliteViews(tmp_path / "views.db")
    assert views._writer is not None
    asked = {
        "journal_mode": "wal",
        "synchronous": 1,
        "foreign_keys": 1,
        "trusted_schema": 0,
        "cell_size_check": 1,
        "busy_timeout": 5_000,
        "checksum_verification": "1",
        "wal_autocheckpoint": 0,  # SQLite's own would keep a failed sync to itself
    }
    assert {name: views._writer.pragma(name) for name in asked} == asked
    assert views._writer.reserve_bytes("main") == 8
    with views._read() as reader, pytest.raises(apsw.ReadOnlyError):
        reader.execute("DELETE FROM ledgers")
    with pytest.raises(apsw.SQLError):
        views._writer.execute('SELECT "no such column" FROM ledgers')
    views.close()


def test_a_setting_that_does_not_take_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sqlite._EVERYWHERE, "max_page_count", 0)
    with pytest.raises(ViewsFailed, match="max_page_count is 4294967294 instead of 0"):
        SqliteViews(tmp_path / "views.db")
    monkeypatch.undo()
    views = SqliteViews(tmp_path / "views.db")
    monkeypatch.setitem(sqlite._EVERYWHERE, "max_page_count", 0)
    with pytest.raises(ViewsFailed, match="max_page_count"):
        views.ledgers()
    views.close()


def test_a_directory_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ViewsFailed, match="unable to open"):
        SqliteViews(tmp_path / "absent" / "views.db")
