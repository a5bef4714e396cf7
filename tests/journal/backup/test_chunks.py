"""Chunks: every frame in them byte for byte, cut where they are full, few behind the last full one."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.journal.backup.backups import SEALED, destination_at
from tests.journal.samples import LEDGER, frames
from trueup.journal.backup import chunks
from trueup.journal.backup.chunks import Chunk, chain, describe, pack, parse_name, read_chunk, staying
from trueup.journal.backup.local import LocalDestination
from trueup.journal.frame import size_of
from trueup.model.errors import BackupDamaged, JournalDamaged
from trueup.model.identifiers import AccountId, Seq


def put(destination: LocalDestination, counts: list[int]) -> list[Chunk]:
    found = []
    for chunk, packed in pack(LEDGER, frames(counts)):
        destination.put(chunk.name, packed)
        found.append(chunk)
    return found


def test_chunks_are_cut_where_they_are_full_and_hold_every_frame(tmp_path: Path) -> None:
    destination, written = destination_at(tmp_path), frames([1, 3, 2] * 12)
    packed = put(destination, [1, 3, 2] * 12)
    assert [chunk.sealed for chunk in packed] == [True] * (len(packed) - 1) + [False]
    assert len(packed) > 3
    assert sum(chunk.size for chunk in packed) == sum(map(size_of, written))
    assert sum(chunk.events for chunk in packed) == 72
    assert list(chain(destination, LEDGER, packed)) == written
    for chunk in packed:
        assert parse_name(chunk.name) == chunks.Named(LEDGER, chunk.first, chunk.last)
        assert list(read_chunk(destination, LEDGER, chunk)) == [
            frame for frame in written if chunk.first <= frame.first <= chunk.last
        ]
        assert describe(destination, LEDGER, chunk.name) == chunk


def test_reading_behind_a_seq_leaves_out_what_is_before_it(tmp_path: Path) -> None:
    destination, written = destination_at(tmp_path), frames([1] * 40)
    packed = put(destination, [1] * 40)
    (destination.path / packed[0].name).unlink()
    after = packed[0].last
    behind = [frame for frame in written if frame.first > after + 2]
    assert list(chain(destination, LEDGER, packed, Seq(after + 2))) == behind
    assert list(chain(destination, LEDGER, packed, Seq(40))) == []


def test_chunks_of_another_history_or_with_a_gap_are_refused(tmp_path: Path) -> None:
    destination = destination_at(tmp_path)
    ours, theirs = put(destination, [1] * 30), put(destination, [2] + [1] * 28)
    with pytest.raises(BackupDamaged, match="does not continue the chain"):
        list(chain(destination, LEDGER, [ours[0], theirs[1]]))
    with pytest.raises(BackupDamaged, match="does not continue the chain"):
        list(chain(destination, LEDGER, [ours[0], ours[2]]))
    with pytest.raises(BackupDamaged, match="does not continue the chain"):
        list(chain(destination, LEDGER, ours[1:], ours[0].last, theirs[0].head.hash))


def test_a_frame_that_is_no_true_copy_is_not_packed() -> None:
    chain_ = frames([1, 1])
    forged = msgspec.structs.replace(chain_[1], body=chain_[0].body)
    with pytest.raises(JournalDamaged, match="seq 2"):
        list(pack(LEDGER, [chain_[0], forged]))


def test_a_chunk_of_another_account_is_refused(tmp_path: Path) -> None:
    destination = destination_at(tmp_path)
    (chunk,) = put(destination, [1, 1])
    with pytest.raises(BackupDamaged, match="does not fit its hash"):
        list(read_chunk(destination, AccountId("paper:other"), chunk))


def test_a_blob_that_unpacks_to_more_than_any_chunk_holds_is_refused_in_bounded_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import zlib

    monkeypatch.setattr(chunks, "CHUNK_BYTES_MAX", 10_000)
    destination = destination_at(tmp_path)
    (chunk,) = put(destination, [1, 1])
    bomb = zlib.compress(bytes(1 << 20))
    destination.put(chunk.name, bomb)
    forged = msgspec.structs.replace(chunk, packed_size=len(bomb), packed_digest=chunks.digest_of(bomb))
    with pytest.raises(BackupDamaged, match="does not end where its frames end"):
        list(read_chunk(destination, LEDGER, forged))


@given(st.lists(st.integers(1, 300), min_size=1, max_size=120))
def test_behind_the_last_full_chunk_there_are_only_a_few_and_no_event_is_packed_often(added: list[int]) -> None:
    full = 2_000
    present: list[Chunk] = []
    packed_events = 0
    for events in added:
        stay = staying(present, events)
        start = stay[-1].last if stay else 0
        end = (present[-1].last if present else 0) + events
        packed_events += end - start
        present = stay
        while start < end:
            last = min(end, start + full)
            size = SEALED if last - start == full else 1
            present.append(Chunk("", Seq(start + 1), Seq(last), 1, "", "", 0, 0, size, "", 0, ""))
            start = last
        tail = [chunk for chunk in present if not chunk.sealed]
        assert len(tail) <= full.bit_length()
        assert [chunk.first for chunk in present[1:]] == [chunk.last + 1 for chunk in present[:-1]]
    assert packed_events <= sum(added) * (full.bit_length() + 1)
