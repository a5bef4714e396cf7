"""Whatever happens to a file of a backup is found, named, and does not stop what is not touched by it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from tests.engine.world import ACCOUNT
from tests.journal.backup.backups import backed_up, book, destination_at, quick_store, restored, silent, small_pieces
from trueup.engine.clock import SystemClock
from trueup.engine.points import Point
from trueup.engine.proving import prove, survey, verify
from trueup.journal.backup.local import LocalDestination
from trueup.journal.backup.manifests import (
    Manifest,
    described,
    listed,
    proof_name,
    read_manifest,
    read_proof,
    short_name,
    write_proof,
)
from trueup.model.errors import BackupDamaged, NotFound
from trueup.model.identifiers import Seq

EVENTS = 31
CLOCK = SystemClock()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three backups in several chunks; the newest is proven."""
    path = tmp_path_factory.mktemp("whole")
    store, made = quick_store(path), destination_at(path)
    with pytest.MonkeyPatch.context() as patched:
        small_pieces(patched)
        for commits in (10, 4, 1):
            book(store, *[2] * commits)
            backed_up(store, made)
    store.close()
    prove(made, listed(made)[-1].name, CLOCK, path, silent)
    return made.path


@pytest.fixture
def destination(whole: Path, tmp_path: Path) -> LocalDestination:
    """A copy to damage."""
    return LocalDestination.open(shutil.copytree(whole, tmp_path / "backup"))


def newest(destination: LocalDestination) -> Manifest:
    return read_manifest(destination, listed(destination)[-1].name)[0]


def flip_first(path: Path) -> None:
    _flip(path, 0)


def flip_middle(path: Path) -> None:
    _flip(path, path.stat().st_size // 2)


def flip_last(path: Path) -> None:
    _flip(path, path.stat().st_size - 1)


def _flip(path: Path, offset: int) -> None:
    content = bytearray(path.read_bytes())
    content[offset] ^= 4
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def zero(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def delete(path: Path) -> None:
    path.unlink()


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


DAMAGES = [flip_first, flip_middle, flip_last, cut, empty, zero, delete, lengthen]
Damage = Callable[[Path], None]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_to_any_chunk_is_found_and_named_by_a_restore_and_by_verifying(
    destination: LocalDestination, tmp_path: Path, damage: Damage
) -> None:
    for chunk in newest(destination).chunks:
        path = destination.path / chunk.name
        content = path.read_bytes()
        damage(path)
        with pytest.raises(BackupDamaged, match=chunk.name):
            restored(destination, tmp_path / "again")
        assert not (tmp_path / "again").exists()
        path.write_bytes(content)
    assert verify(destination, "", CLOCK, tmp_path, silent).problems == []
    last = newest(destination).chunks[-1].name
    damage(destination.path / last)
    found = verify(destination, "", CLOCK, tmp_path, silent)
    assert (found.proven, last in found.problems[0]) == (False, True)


def test_what_stands_before_a_damaged_chunk_can_still_be_restored(
    destination: LocalDestination, tmp_path: Path
) -> None:
    sealed = newest(destination).chunks
    assert len(sealed) > 2
    delete(destination.path / sealed[1].name)
    before = sealed[0].last
    (ledger,) = restored(destination, tmp_path / "again", Point(seq=before), accept_loss=EVENTS - before)
    assert ledger.head_seq == before


def test_two_chunks_that_were_swapped_are_found(destination: LocalDestination, tmp_path: Path) -> None:
    first, second = (destination.path / chunk.name for chunk in newest(destination).chunks[:2])
    contents = first.read_bytes(), second.read_bytes()
    first.write_bytes(contents[1])
    second.write_bytes(contents[0])
    with pytest.raises(BackupDamaged, match=f"{first.name} is damaged: its bytes are not those that were put there"):
        restored(destination, tmp_path / "again")


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_to_the_newest_manifest_is_told_and_nothing_is_lost(
    destination: LocalDestination, tmp_path: Path, damage: Damage
) -> None:
    name = newest(destination).name
    damage(destination.path / name)
    (ledger,) = restored(destination, tmp_path / "again")
    assert ledger.head_seq == EVENTS
    if damage is delete:
        return
    (problem,) = [backup.problem for backup in described(destination) if backup.problem]
    assert name in problem
    found = verify(destination, "", CLOCK, tmp_path, silent)
    assert (found.proven, name in found.problems[0]) == (False, True)


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_to_an_older_manifest_is_told_and_touches_nothing_else(
    destination: LocalDestination, tmp_path: Path, damage: Damage
) -> None:
    name = listed(destination)[0].name
    damage(destination.path / name)
    found = verify(destination, "", CLOCK, tmp_path, silent)
    assert found.proven
    assert [name in problem for problem in found.problems] == [True] * (damage is not delete)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_proof_is_no_proof_and_verifying_renews_it(
    destination: LocalDestination, tmp_path: Path, damage: Damage
) -> None:
    name = newest(destination).name
    damage(destination.path / proof_name(name))
    assert [backup.proven_at for backup in described(destination)] == [None] * 3
    found = verify(destination, "", CLOCK, tmp_path, silent)
    assert (found.proven, found.problems) == (True, [])
    assert described(destination)[-1].proven_at is not None


def test_manifests_that_stand_in_for_one_another_are_found(destination: LocalDestination) -> None:
    first, second, third = (destination.path / backup.name for backup in listed(destination))
    third.write_bytes(first.read_bytes())
    contents = first.read_bytes(), second.read_bytes()
    first.write_bytes(contents[1])
    second.write_bytes(contents[0])
    problems = survey(destination)
    assert len(problems) == 3
    assert all("it is the manifest" in problem for problem in problems)


def test_the_blobs_of_older_backups_are_looked_at_by_size(destination: LocalDestination, tmp_path: Path) -> None:
    needed = {chunk.name for chunk in newest(destination).chunks}
    oldest = read_manifest(destination, listed(destination)[0].name)[0]
    (old,) = [chunk.name for chunk in oldest.chunks if chunk.name not in needed]
    cut(destination.path / old)
    found = verify(destination, "", CLOCK, tmp_path, silent)
    assert (found.proven, old in found.problems[0]) == (True, True)
    delete(destination.path / old)
    found = verify(destination, "", CLOCK, tmp_path, silent)
    assert (found.proven, "is missing" in found.problems[0]) == (True, True)


def test_any_backup_can_be_proved_by_name_and_none_that_is_not_there(
    destination: LocalDestination, tmp_path: Path
) -> None:
    first = listed(destination)[0].name
    found = verify(destination, short_name(first), CLOCK, tmp_path, silent)
    assert (found.name, found.proven, found.ledgers[0].account) == (first, True, ACCOUNT)
    assert [backup.proven for backup in listed(destination)] == [True, False, True]
    with pytest.raises(NotFound):
        verify(destination, "2020", CLOCK, tmp_path, silent)


def test_a_backup_that_now_folds_to_another_state_than_when_it_was_proven_is_told(
    destination: LocalDestination, tmp_path: Path
) -> None:
    name = newest(destination).name
    digest = read_manifest(destination, name)[1]
    proof = read_proof(destination, name, digest)
    assert proof is not None
    write_proof(destination, msgspec.structs.replace(proof, states={ACCOUNT: "ab" * 32}))
    found = verify(destination, "", CLOCK, tmp_path, silent)
    assert (found.proven, "another state now" in found.problems[0]) == (False, True)


def test_the_scratch_place_is_empty_again_whether_it_was_proved_or_not(
    destination: LocalDestination, tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    verify(destination, "", CLOCK, scratch, silent)
    delete(destination.path / newest(destination).chunks[-1].name)
    verify(destination, "", CLOCK, scratch, silent)
    assert list(scratch.iterdir()) == []
    assert Seq(EVENTS) == newest(destination).events
