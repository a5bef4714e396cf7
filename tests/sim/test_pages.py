"""The model of a file: what a loss of power, a failed sync and the cache may do to it, and what they may not."""

from random import Random

import pytest

from trueup.testing.sim.pages import PAGE, CachedFile, Fate

NOTHING, ALL, SOME = (Fate(512, chance, ordered=False) for chance in (0.0, 1.0, 0.5))
OLD, NEW = b"o" * PAGE, b"n" * PAGE


def synced(content: bytes) -> CachedFile:
    file = CachedFile()
    file.write(content, 0)
    file.sync()
    return file


@pytest.mark.parametrize("fate", [NOTHING, SOME, ALL])
def test_what_was_synced_is_never_lost(fate: Fate) -> None:
    for seed in range(20):
        file = synced(OLD + NEW)
        file.lose_power(Random(seed), fate)
        assert file.live == OLD + NEW


def test_what_was_not_synced_may_be_lost_or_kept() -> None:
    for fate, left in ((NOTHING, OLD), (ALL, NEW)):
        file = synced(OLD)
        file.write(NEW, 0)
        file.lose_power(Random(1), fate)
        assert file.live == left


def test_an_unsynced_write_is_torn_at_sectors_and_nowhere_else() -> None:
    torn = 0
    for seed in range(50):
        file = synced(OLD)
        file.write(NEW, 0)
        file.lose_power(Random(seed), SOME)
        sectors = {bytes(file.live[start : start + 512]) for start in range(0, PAGE, 512)}
        assert sectors <= {OLD[:512], NEW[:512]}
        torn += len(sectors) == 2
    assert torn > 40


def test_a_drive_with_large_sectors_tears_none_of_them() -> None:
    for seed in range(50):
        file = synced(OLD)
        file.write(NEW, 0)
        file.lose_power(Random(seed), SOME._replace(sector=PAGE))
        assert bytes(file.live) in {OLD, NEW}


def test_of_two_writes_the_later_may_survive_alone() -> None:
    outcomes = set()
    for seed in range(50):
        file = synced(OLD + OLD)
        file.write(NEW, 0)
        file.write(NEW, PAGE)
        file.lose_power(Random(seed), SOME._replace(sector=PAGE))
        outcomes.add(bytes(file.live))
    assert outcomes == {OLD + OLD, NEW + OLD, OLD + NEW, NEW + NEW}


def test_bytes_beside_a_write_keep_their_value() -> None:
    for seed in range(50):
        file = synced(OLD)
        file.write(b"n", 100)
        file.lose_power(Random(seed), SOME)
        assert file.live.replace(b"n", b"o") == OLD


def test_the_size_is_lost_like_the_bytes_and_what_never_came_is_zero() -> None:
    sizes, zeros = set(), 0
    for seed in range(100):
        file = synced(OLD)
        file.write(NEW, PAGE)
        file.write(NEW, 2 * PAGE)
        file.lose_power(Random(seed), SOME)
        sizes.add(len(file.live))
        assert file.live[:PAGE] == OLD
        assert set(file.live[PAGE:]) <= {0, ord("n")}
        zeros += 0 in file.live[PAGE:]
    assert sizes == {PAGE, 2 * PAGE, 3 * PAGE}
    assert zeros


def test_a_cut_survives_or_not_and_never_in_part() -> None:
    outcomes = set()
    for seed in range(50):
        file = synced(OLD + OLD)
        file.truncate(0, Random(seed), SOME)
        file.lose_power(Random(seed), SOME)
        outcomes.add(bytes(file.live))
    assert outcomes == {b"", OLD + OLD}


def test_bytes_behind_a_synced_cut_read_as_zero_when_the_file_grows_again() -> None:
    file = synced(OLD)
    file.truncate(100, Random(1), ALL)
    file.sync()
    file.write(b"n", 300)
    assert file.live == OLD[:100] + bytes(200) + b"n"
    file.lose_power(Random(1), NOTHING)
    assert file.live == OLD[:100]


def test_after_a_failed_sync_the_file_reads_as_written_until_the_cache_drops_it() -> None:
    file = synced(OLD)
    file.write(NEW, 0)
    file.fail_sync(Random(1), NOTHING)
    assert file.live == NEW
    assert list(file.evict()) == [0]
    assert file.live == OLD


def test_a_second_sync_after_a_failed_one_saves_nothing() -> None:
    file = synced(OLD)
    file.write(NEW, 0)
    file.fail_sync(Random(1), NOTHING)
    file.sync()
    file.lose_power(Random(1), ALL)
    assert file.live == OLD


def test_writing_again_after_a_failed_sync_saves_the_whole_page() -> None:
    file = synced(OLD)
    file.write(NEW, 0)
    file.fail_sync(Random(1), NOTHING)
    file.write(b"n", 7)
    assert list(file.evict()) == []  # it is dirty
    file.sync()
    file.lose_power(Random(1), NOTHING)
    assert file.live == NEW
