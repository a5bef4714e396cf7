"""Manifests and proofs: readable by people, named by time, and nothing that was changed passes for what was written."""

import json
from pathlib import Path

import msgspec
import pytest

from tests.journal.backup.backups import destination_at
from trueup.journal.backup.local import LocalDestination
from trueup.journal.backup.manifests import (
    LedgerBackup,
    Manifest,
    Proof,
    described,
    full_name,
    listed,
    newest_readable,
    proof_name,
    read_manifest,
    read_proof,
    short_name,
    write_manifest,
    write_proof,
)
from trueup.model.errors import BackupDamaged, NotFound
from trueup.model.identifiers import AccountId, Seq

LEDGER = LedgerBackup(AccountId("paper:one"), Seq(7), "ab" * 32, 5, [])
NOON = 1_772_452_800_000_000_001
"""2026-03-02T12:00:00.000000001Z"""


def manifest(created_at: int = NOON) -> Manifest:
    return Manifest(created_at, "1.0", [LEDGER])


def proof_of(name: str, digest: str) -> Proof:
    return Proof(name, digest, NOON + 9, {LEDGER.account: "cd" * 32}, 3)


def flip(destination: LocalDestination, name: str, offset: int) -> None:
    path = destination.path / name
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)


def test_a_manifest_comes_back_and_a_person_can_read_it(tmp_path: Path) -> None:
    destination = destination_at(tmp_path)
    digest = write_manifest(destination, manifest())
    assert manifest().name == "manifests/2026-03-02T120000.000000001Z-000000000007.json"
    assert read_manifest(destination, manifest().name) == (manifest(), digest)
    text = destination.get(manifest().name).decode()
    assert json.loads(text.rpartition("blake2b-256 ")[0])["ledgers"][0]["account"] == "paper:one"
    assert text.endswith(f"blake2b-256 {digest}\n")
    assert full_name(short_name(manifest().name)) == full_name(manifest().name) == manifest().name


def test_a_list_is_by_time_and_tells_which_are_proven_without_reading_one(tmp_path: Path) -> None:
    destination = destination_at(tmp_path)
    for created_at in (NOON + 3, NOON, NOON + 20 * 10**9):
        write_manifest(destination, manifest(created_at))
    write_proof(destination, proof_of(manifest(NOON).name, ""))
    destination.put("manifests/note.txt", b"not ours")
    found = listed(destination)
    assert [backup.created_at for backup in found] == [NOON, NOON + 3, NOON + 20 * 10**9]
    assert [backup.proven for backup in found] == [True, False, False]
    assert {backup.events for backup in found} == {7}


def test_every_flipped_bit_of_a_manifest_is_found(tmp_path: Path) -> None:
    destination = destination_at(tmp_path)
    write_manifest(destination, manifest())
    size = len(destination.get(manifest().name))
    for offset in range(size):
        flip(destination, manifest().name, offset)
        with pytest.raises(BackupDamaged, match="000000000007"):
            read_manifest(destination, manifest().name)
        flip(destination, manifest().name, offset)
    read_manifest(destination, manifest().name)


@pytest.mark.parametrize("size", [0, 1, 40, -1, -40, -80])
def test_a_manifest_that_was_cut_is_found(tmp_path: Path, size: int) -> None:
    destination = destination_at(tmp_path)
    write_manifest(destination, manifest())
    destination.put(manifest().name, destination.get(manifest().name)[:size])
    with pytest.raises(BackupDamaged, match="last line"):
        read_manifest(destination, manifest().name)


def test_an_older_manifest_under_a_newer_name_is_found(tmp_path: Path) -> None:
    destination = destination_at(tmp_path)
    write_manifest(destination, manifest())
    destination.put(manifest(NOON + 1).name, destination.get(manifest().name))
    with pytest.raises(BackupDamaged, match=f"it is the manifest {manifest().name}"):
        read_manifest(destination, manifest(NOON + 1).name)


def test_a_manifest_of_a_later_format_or_another_shape_is_refused_by_name(tmp_path: Path) -> None:
    destination = destination_at(tmp_path)
    later = msgspec.structs.replace(manifest(), format=2)
    write_manifest(destination, later)
    with pytest.raises(BackupDamaged, match="format 2"):
        read_manifest(destination, later.name)
    write_proof(destination, proof_of(manifest().name, ""))
    destination.put(manifest().name, destination.get(proof_name(manifest().name)))
    with pytest.raises(BackupDamaged, match="cannot be understood"):
        read_manifest(destination, manifest().name)


def test_the_newest_that_can_be_read_stands_in_for_those_that_cannot(tmp_path: Path) -> None:
    destination = destination_at(tmp_path)
    assert newest_readable(destination) == (None, [])
    for created_at in (NOON, NOON + 1, NOON + 2):
        write_manifest(destination, manifest(created_at))
    flip(destination, manifest(NOON + 2).name, 30)
    found, problems = newest_readable(destination)
    assert found == manifest(NOON + 1)
    (problem,) = problems
    assert manifest(NOON + 2).name in problem


def test_a_proof_counts_only_for_the_manifest_it_was_made_of(tmp_path: Path) -> None:
    destination = destination_at(tmp_path)
    digest = write_manifest(destination, manifest())
    assert read_proof(destination, manifest().name, digest) is None
    write_proof(destination, proof_of(manifest().name, digest))
    assert read_proof(destination, manifest().name, digest) == proof_of(manifest().name, digest)
    with pytest.raises(BackupDamaged, match="of another manifest"):
        read_proof(destination, manifest().name, "00" * 32)
    flip(destination, proof_name(manifest().name), 20)
    with pytest.raises(BackupDamaged, match="proofs/"):
        read_proof(destination, manifest().name, digest)


def test_a_backup_is_described_with_what_is_wrong_with_it(tmp_path: Path) -> None:
    destination = destination_at(tmp_path)
    for created_at in (NOON, NOON + 1, NOON + 2):
        digest = write_manifest(destination, manifest(created_at))
        write_proof(destination, proof_of(manifest(created_at).name, digest))
    flip(destination, manifest(NOON).name, 30)
    flip(destination, proof_name(manifest(NOON + 1).name), 30)
    first, second, third = described(destination)
    assert ("manifests/" in first.problem, first.ledgers, first.proven_at) == (True, (), None)
    assert ("proofs/" in second.problem, second.ledgers, second.proven_at) == (True, [LEDGER], None)
    assert (third.problem, third.proven_at) == ("", NOON + 9)


def test_a_backup_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="has no manifests/"):
        read_manifest(destination_at(tmp_path), manifest().name)
