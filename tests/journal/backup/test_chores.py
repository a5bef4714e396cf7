"""Backups that take themselves: when something is new, at the end, and never in the way of booking."""

import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest

from tests.engine.test_caretaker import HandClock
from tests.engine.world import ACCOUNT
from tests.journal.backup.backups import backed_up, book, booked, destination_at, quick_store, restored, silent
from tests.processes import PATIENCE_S
from trueup.bootstrap import _begin_test, keep_backups, open_store
from trueup.engine.backup_chores import (
    PRUNE_S,
    TEST_LOOK_S,
    TEST_POLL_S,
    BackupChore,
    RestoreTestChore,
    Schedule,
)
from trueup.engine.proving import prove
from trueup.engine.restore_test import ChildTest
from trueup.engine.store import Store
from trueup.journal.backup.local import LocalDestination
from trueup.journal.backup.manifests import listed, newest_readable, short_name
from trueup.journal.backup.retention import Keep
from trueup.model.errors import BackupDamaged, BadInput
from trueup.model.events import SourceRead
from trueup.model.identifiers import AccountId
from trueup.ports import Head


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def store(tmp_path: Path, clock: HandClock) -> Iterator[Store]:
    """A store without threads, whose time is moved by hand."""
    clock.seconds = 1_000_000.0
    made = quick_store(tmp_path, clock)
    book(made, 3)
    yield made
    made.close()


def chore_of(store: Store, path: Path, schedule: Schedule | None = None) -> BackupChore:
    return BackupChore(store, lambda: LocalDestination.open(path, create=True), schedule or Schedule())


def steps(chore: BackupChore) -> None:
    """Until it has nothing more to do now."""
    while not chore.step():
        pass


def held(path: Path) -> Head | None:
    manifest, _ = newest_readable(LocalDestination.open(path))
    return None if manifest is None else manifest.ledger(ACCOUNT).head


def test_what_is_new_is_copied_when_it_is_old_enough_or_enough(store: Store, clock: HandClock, tmp_path: Path) -> None:
    path = tmp_path / "backup"
    chore = chore_of(store, path, Schedule(interval_s=10, events=20))
    steps(chore)
    first = store.ledger(ACCOUNT).head
    assert held(path) == first
    book(store, 1)
    clock.seconds += 9
    steps(chore)
    assert held(path) == first
    clock.seconds += 1
    steps(chore)
    assert held(path) == store.ledger(ACCOUNT).head
    book(store, 20)
    steps(chore)
    assert held(path) == store.ledger(ACCOUNT).head
    count = len(listed(LocalDestination.open(path)))
    clock.seconds += 1_000
    steps(chore)
    assert len(listed(LocalDestination.open(path))) == count


def test_a_ledger_that_is_behind_its_backup_hides_nothing_of_another(
    store: Store, clock: HandClock, tmp_path: Path
) -> None:
    longer = quick_store(tmp_path / "longer")
    book(longer, 9)
    backed_up(longer, destination_at(tmp_path))
    longer.close()
    chore = chore_of(store, tmp_path / "backup", Schedule(interval_s=10, events=5))
    steps(chore)
    assert chore.findings
    other = store.ledger(AccountId("paper:two"))
    told = [SourceRead(other.account, str(number), "", "", 0, 0) for number in range(6)]  # as many as the first lacks
    other.commit(lambda _: told)
    steps(chore)
    manifest, _ = newest_readable(destination_at(tmp_path))
    assert manifest is not None
    assert manifest.ledger(other.account).head == other.head


def test_each_step_packs_one_chunk_at_most(store: Store, tmp_path: Path) -> None:
    book(store, *[1] * 40)
    chore = chore_of(store, tmp_path / "backup")
    folder = tmp_path / "backup" / "ledgers"
    counts = []
    while not chore.step():
        counts.append(len(list(folder.rglob("*.z"))))
    assert counts == list(range(1, len(counts) + 1))
    assert len(counts) > 3


def test_a_destination_that_is_gone_stops_nobody_and_is_used_again_when_it_is_back(
    store: Store, clock: HandClock, tmp_path: Path
) -> None:
    mount = tmp_path / "mount"
    store.chores([chore_of(store, mount / "backup")])
    store.caretaker.step()
    book(store, 2)
    clock.seconds += 1
    store.caretaker.step()
    trouble = store.caretaker.troubles["backup"]
    assert (trouble.times, "is the disk mounted" in trouble.problem) == (2, True)
    mount.mkdir()
    for _ in range(4):
        clock.seconds += store.caretaker.step()
    assert store.caretaker.troubles == {}
    assert held(mount / "backup") == store.ledger(ACCOUNT).head


def test_another_disk_in_its_place_is_filled_anew(store: Store, clock: HandClock, tmp_path: Path) -> None:
    path = tmp_path / "backup"
    store.chores([chore_of(store, path, Schedule(interval_s=1))])
    store.caretaker.step()
    path.rename(tmp_path / "unmounted")
    path.mkdir()
    book(store, 1)
    for _ in range(6):
        clock.seconds += store.caretaker.step()
    assert store.caretaker.troubles == {}
    assert held(path) == store.ledger(ACCOUNT).head


def test_what_the_last_backup_could_not_hold_is_told_when_the_store_closes(tmp_path: Path) -> None:
    longer = booked(tmp_path / "longer", 9)
    backed_up(longer, destination_at(tmp_path))
    longer.close()
    store = quick_store(tmp_path)
    book(store, 3)
    store.chores([chore_of(store, tmp_path / "backup")])
    store.close()
    (finding,) = store.findings
    assert finding.startswith("backup: paper:one was not backed up: it ends at seq 4")


def test_when_the_store_closes_the_last_events_are_copied_with_the_state_they_fold_to(tmp_path: Path) -> None:
    store = quick_store(tmp_path)
    book(store, 3)
    store.chores([chore_of(store, tmp_path / "backup")])
    store.caretaker.step()
    book(store, 4)
    head = store.ledger(ACCOUNT).head
    store.close()
    assert held(tmp_path / "backup") == head
    (ledger,) = restored(LocalDestination.open(tmp_path / "backup"), tmp_path / "again")
    assert ledger.compared_at == head.seq
    assert store.findings == []


def test_a_store_that_closes_ends_its_chores_first(tmp_path: Path) -> None:
    store = booked(tmp_path, 3)
    keep_backups(store, tmp_path / "backup", apart_from=tmp_path / "data", tests=False)
    thread = store.caretaker._thread
    assert thread is not None
    store.close()
    assert not thread.is_alive()


def test_a_last_backup_that_fails_is_told_and_the_store_closes(tmp_path: Path) -> None:
    store = quick_store(tmp_path)
    book(store, 3)
    store.chores([chore_of(store, tmp_path / "no" / "backup")])
    store.close()
    (finding,) = store.findings
    assert finding.startswith("backup: There is no backup directory")
    open_store(tmp_path / "data", create=False).close()


def test_a_ledger_nobody_has_opened_is_in_the_backup_too(tmp_path: Path) -> None:
    booked(tmp_path, 3).close()
    store = open_store(tmp_path / "data")
    keep_backups(store, tmp_path / "backup", apart_from=tmp_path / "data", tests=False)
    store.close()
    head = held(tmp_path / "backup")
    assert head is not None
    assert head.seq == 4


def test_old_backups_go_while_the_chore_has_nothing_else_to_do(store: Store, clock: HandClock, tmp_path: Path) -> None:
    path = tmp_path / "backup"
    chore = chore_of(store, path, Schedule(interval_s=1, keep=Keep(2, 0, 0)))
    for _ in range(5):
        book(store, 1)
        clock.seconds += 1
        steps(chore)
    clock.seconds += PRUNE_S
    steps(chore)
    assert len(listed(LocalDestination.open(path))) == 2


def test_a_backup_into_the_data_directory_is_refused_at_once(tmp_path: Path) -> None:
    store = booked(tmp_path, 1)
    with pytest.raises(BadInput, match="within one another"):
        keep_backups(store, tmp_path / "data" / "backup", apart_from=tmp_path / "data", tests=False)
    store.close()


# --- restore tests ----------------------------------------------------------------------------------------------------


class HandTest:
    """A restore test that ends when it is told to."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.outcome: bool | BackupDamaged = False
        self.stopped = False

    def begin(self, name: str) -> "HandTest":
        self.names.append(name)
        return self

    def ended(self) -> bool:
        if isinstance(self.outcome, BackupDamaged):
            raise self.outcome
        return self.outcome

    def stop(self) -> None:
        self.stopped = True


def test_the_newest_backup_is_proved_when_there_is_no_proof_and_when_the_proof_is_old(
    store: Store, clock: HandClock, tmp_path: Path
) -> None:
    destination, test = destination_at(tmp_path), HandTest()
    chore = RestoreTestChore(lambda: destination, test.begin, clock, Schedule(test_interval_s=3_600))
    assert (chore.step(), test.names) == (TEST_LOOK_S, [])
    first = backed_up(store, destination).name
    assert (chore.step(), test.names) == (TEST_POLL_S, [first])
    assert chore.step() == TEST_POLL_S
    prove(destination, first, clock, tmp_path, silent)
    test.outcome = True
    assert chore.step() == TEST_LOOK_S
    book(store, 1)
    second = backed_up(store, destination).name
    assert (chore.step(), test.names) == (TEST_LOOK_S, [first])
    clock.seconds += 3_600
    assert (chore.step(), test.names) == (TEST_POLL_S, [first, second])


def test_a_clock_that_is_set_back_neither_ends_the_tests_nor_makes_them_endless(
    store: Store, clock: HandClock, tmp_path: Path
) -> None:
    destination, test = destination_at(tmp_path), HandTest()
    clock.seconds += 365 * 86_400
    prove(destination, backed_up(store, destination).name, clock, tmp_path, silent)
    clock.seconds -= 365 * 86_400
    chore = RestoreTestChore(lambda: destination, test.begin, clock, Schedule(test_interval_s=3_600))
    test.outcome = True
    for begun in (1, 1, 2):
        book(store, 1)
        backed_up(store, destination)
        while chore.step() == TEST_POLL_S:
            pass
        assert len(test.names) == begun
        clock.seconds += 2_000


def test_a_test_that_fails_is_a_trouble_and_is_begun_again(store: Store, clock: HandClock, tmp_path: Path) -> None:
    destination, test = destination_at(tmp_path), HandTest()
    backed_up(store, destination)
    store.chores([RestoreTestChore(lambda: destination, test.begin, clock, Schedule())])
    store.caretaker.step()
    test.outcome = BackupDamaged("rot", remedy="look")
    clock.seconds += TEST_POLL_S
    store.caretaker.step()
    assert store.caretaker.troubles["restore test"].problem == "rot look"
    test.outcome = False
    clock.seconds += 1
    store.caretaker.step()
    assert len(test.names) == 2
    store.caretaker.stop()
    store.caretaker.finish()
    assert test.stopped


def ended(test: ChildTest) -> bool:
    """Whether a child has ended, once it has."""
    test._process.wait(PATIENCE_S)
    return test.ended()


def test_a_process_of_its_own_proves_the_backup_that_it_is_told(store: Store, tmp_path: Path) -> None:
    destination = destination_at(tmp_path)
    name = backed_up(store, destination).name
    assert ended(_begin_test(destination.path, short_name(name)))
    assert listed(destination)[-1].proven


def test_a_process_that_fails_tells_why(tmp_path: Path) -> None:
    with pytest.raises(BackupDamaged, match=r"exit code 7\): it is rotten"):
        ended(ChildTest([sys.executable, "-c", "import sys; print('it is rotten'); sys.exit(7)"]))


def test_a_process_in_progress_can_be_ended() -> None:
    restoring = "import pathlib, sys, time; pathlib.Path(sys.argv[2], 'half').touch(); time.sleep(3600)"
    test = ChildTest([sys.executable, "-c", restoring])
    scratch, deadline = Path(test._scratch.name), monotonic() + PATIENCE_S
    while not (scratch / "half").exists():
        assert monotonic() < deadline
        sleep(0.01)
    assert not test.ended()
    test.stop()
    assert test._process.returncode
    assert not scratch.exists()
