"""What others do at a destination meanwhile: backups are taken, let go and proven by several programs at once."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.journal.backup.backups import backed_up, book, destination_at, quick_store, silent
from trueup.engine.backing_up import prune
from trueup.engine.backup_health import check_backups
from trueup.engine.proving import prove, survey, verify
from trueup.engine.store import Store
from trueup.journal.backup.destination import Blob
from trueup.journal.backup.local import UNFINISHED_NS, LocalDestination
from trueup.journal.backup.manifests import being_proven, described, listed, newest_readable, proof_name, read_manifest
from trueup.journal.backup.retention import GRACE_NS, Keep
from trueup.journal.disk import TEMPORARY, Disk

ONLY_NEWEST = Keep(1, 0, 0)


class Busy(LocalDestination):
    """A destination where something happens right after the listing of the names that begin so."""

    def __init__(self, path: Path, prefix: str, happens: Callable[[], object]) -> None:
        super().__init__(path, Disk())
        self._prefix = prefix
        self._happens = happens

    def blobs(self, prefix: str = "") -> Sequence[Blob]:
        found = super().blobs(prefix)
        if prefix.startswith(self._prefix):
            self._prefix = "done"
            self._happens()
        return found


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = quick_store(tmp_path)
    for count in (2, 8, 5):
        book(made, count)
        backed_up(made, destination_at(tmp_path))
    yield made
    made.close()


def let_go(path: Path, store: Store) -> None:
    """Everything but the newest, as if all of it were old."""
    prune(destination_at(path), ONLY_NEWEST, store.clock.now() + 2 * GRACE_NS)


def test_backups_that_go_while_others_look_are_no_damage(store: Store, tmp_path: Path) -> None:
    def busy() -> Busy:
        book(store, 1)
        backed_up(store, destination_at(tmp_path))
        return Busy(tmp_path / "backup", "manifests/", lambda: let_go(tmp_path, store))

    assert survey(busy()) == []
    assert [backup.problem for backup in described(busy())] == [""]
    assert newest_readable(busy())[1] == []
    assert [check.verdict for check in check_backups(busy)] == ["warn"]  # none is proven
    assert prune(busy(), Keep(2, 0, 0), store.clock.now()).findings == ()


def test_a_backup_that_is_taken_while_others_look_is_no_damage(store: Store, tmp_path: Path) -> None:
    def take() -> None:
        book(store, 3)
        backed_up(store, destination_at(tmp_path))

    for prefix in ("ledgers/", "manifests/"):
        assert survey(Busy(tmp_path / "backup", prefix, take)) == []


def test_a_blob_that_goes_while_it_is_listed_is_left_out(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    destination, look = destination_at(tmp_path), Path.stat
    names = [blob.name for blob in destination.blobs()]

    def gone(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if path.name == Path(names[0]).name:
            path.unlink(missing_ok=True)
        return look(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", gone)
    assert [blob.name for blob in destination.blobs()] == names[1:]


def test_a_backup_stays_while_it_is_being_proven_however_many_newer_ones_there_are(
    store: Store, tmp_path: Path
) -> None:
    destination = destination_at(tmp_path)
    name = listed(destination)[-1].name

    def go_on(_done: int, _total: int) -> None:
        book(store, 1)
        backed_up(store, destination)
        let_go(tmp_path, store)

    prove(destination, name, store.clock, tmp_path, go_on)
    assert [backup.name for backup in listed(destination) if backup.proven] == [name]
    assert being_proven(destination, store.clock.now()) == frozenset()
    let_go(tmp_path, store)
    assert [backup.proven for backup in listed(destination)] == [True, False]
    assert survey(destination) == []


def test_a_test_that_fails_or_died_does_not_keep_its_backup(store: Store, tmp_path: Path) -> None:
    destination = destination_at(tmp_path)
    name = listed(destination)[0].name
    (chunk, *_) = read_manifest(destination, name)[0].chunks
    destination.put(chunk.name, b"rot")
    assert not verify(destination, name, store.clock, tmp_path, silent).proven
    assert being_proven(destination, store.clock.now()) == frozenset()
    destination.put(f"{proof_name(name)}.tested", b"")
    assert being_proven(destination, store.clock.now()) == {name}
    assert being_proven(destination, store.clock.now() + 86_401 * 1_000_000_000) == frozenset()


@pytest.mark.parametrize("age_ns", [UNFINISHED_NS // 2, 2 * UNFINISHED_NS])
def test_what_a_dead_process_left_unfinished_goes_once_it_is_old(tmp_path: Path, age_ns: int) -> None:
    destination_at(tmp_path).put("ledgers/one/blob", b"x")
    left = tmp_path / "backup" / "ledgers" / "one" / f"other{TEMPORARY}"
    left.write_bytes(bytes(100))
    then = (tmp_path / "backup").stat().st_mtime_ns - age_ns
    os.utime(left, ns=(then, then))
    LocalDestination.open(tmp_path / "backup").put("ledgers/one/next", b"y")
    assert left.exists() == (age_ns < UNFINISHED_NS)
