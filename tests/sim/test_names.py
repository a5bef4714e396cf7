"""The model of a directory: names last once it is synced, and a rename is whole or not at all."""

from random import Random

from trueup.testing.sim.names import CachedDirectory
from trueup.testing.sim.pages import CachedFile, Fate


def directory(*names: str) -> CachedDirectory:
    made = CachedDirectory()
    for name in names:
        made.change({name: CachedFile()})
    made.sync()
    return made


def left(made: CachedDirectory, seed: int, *, ordered: bool = False, chance: float = 0.5) -> frozenset[str]:
    made.lose_power(Random(seed), Fate(512, chance, ordered=ordered))
    return frozenset(made.live)


def test_a_new_name_lasts_once_its_directory_is_synced() -> None:
    made = directory("a")
    made.change({"b": CachedFile()})
    assert left(made, 1, chance=0.0) == {"a"}
    made.change({"b": CachedFile()})
    made.sync()
    assert left(made, 1, chance=0.0) == {"a", "b"}


def test_a_deleted_name_may_come_back_with_its_content() -> None:
    file = CachedFile()
    file.write(b"x", 0)
    file.sync()
    made = CachedDirectory()
    made.change({"a": file})
    made.sync()
    made.change({"a": None})
    assert made.live == {}
    assert left(made, 1, chance=0.0) == {"a"}
    assert made.live["a"] is file


def test_a_rename_never_leaves_a_file_under_both_names_or_neither() -> None:
    outcomes = set()
    for seed in range(50):
        made = directory("old", "other")
        made.change({"old": None, "new": made.live["old"]})
        made.change({"other": None})
        outcomes.add(left(made, seed))
    assert outcomes == {
        frozenset({"old", "other"}),
        frozenset({"old"}),
        frozenset({"new", "other"}),
        frozenset({"new"}),
    }


def test_changes_survive_in_order_where_the_file_system_keeps_them_so() -> None:
    outcomes = set()
    for seed in range(50):
        made = directory()
        made.change({"a": CachedFile()})
        made.change({"b": CachedFile()})
        outcomes.add(left(made, seed, ordered=True))
    assert outcomes == {frozenset(), frozenset({"a"}), frozenset({"a", "b"})}
