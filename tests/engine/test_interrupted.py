"""Killed between any two steps that change the disk, whatever a store does: a start has all that was acknowledged."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.engine.world import ACCOUNT, DEFINED, fill, store_at
from trueup.bootstrap import open_storage, rebuild_views
from trueup.engine import store as store_module
from trueup.engine.verifying import stored_accounts, verify_storage
from trueup.journal.disk import Disk
from trueup.journal.segments import SegmentJournal
from trueup.journal.views import SqliteViews
from trueup.model.events import FillBooked

SEGMENT = 4_350
"""Room for one frame: every commit needs a new segment, the first one after a start too."""

FILLS = 4
STEPS_MAX = 400
CHANGING: tuple[tuple[Any, str], ...] = (
    *((Disk, name) for name in ("write", "sync", "rename", "sync_directory")),
    *((Path, name) for name in ("unlink", "rename", "mkdir")),
    (SqliteViews, "apply"),
    (os, "fsync"),
)
"""What changes files, or makes the change durable."""

Acknowledge = Callable[[int], None]


def book(path: Path, arm: Callable[[], None], acknowledge: Acknowledge) -> None:
    ledger = store_at(path).ledger(ACCOUNT)
    arm()
    for number in range(FILLS, 2 * FILLS):
        ledger.book_facts([fill(number)])
        acknowledge(number)


def keep_snapshots(path: Path, arm: Callable[[], None], acknowledge: Acknowledge) -> None:
    store_module.SNAPSHOT_EVENTS = 2  # in a process that is about to end
    store = store_at(path)
    ledger = store.ledger(ACCOUNT)
    arm()
    for number in range(FILLS, FILLS + 4):
        ledger.book_facts([fill(number)])
        acknowledge(number)
        store.synced(ACCOUNT)


def close(path: Path, arm: Callable[[], None], acknowledge: Acknowledge) -> None:
    store = store_at(path)
    ledger = store.ledger(ACCOUNT)
    for number in range(FILLS, FILLS + 4):
        ledger.book_facts([fill(number)])
        acknowledge(number)
    arm()
    store.close()


def rebuild(path: Path, arm: Callable[[], None], _: Acknowledge) -> None:
    arm()
    rebuild_views(path / "data", lambda *_: None, lambda _: None)


def rebuild_for_a_lost_log(path: Path, arm: Callable[[], None], acknowledge: Acknowledge) -> None:
    shutil.rmtree(path / "data" / "ledgers" / "paper%3Aone")
    rebuild(path, arm, acknowledge)


def rebuild_for_damaged_views(path: Path, arm: Callable[[], None], _: Acknowledge) -> None:
    (path / "data" / "views.sqlite3").write_bytes(b"no database" * 1000)
    (path / "data" / "views.sqlite3-wal").write_bytes(b"nor a log of one" * 1000)
    arm()
    store_at(path).close()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("prepared")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(defaults(), "segment_bytes", SEGMENT)
        store = store_at(path)
        ledger = store.ledger(ACCOUNT)
        ledger.book_facts([DEFINED])
        for number in range(FILLS):
            ledger.book_facts([fill(number)])
        store.close()
    return path


def defaults() -> dict[str, Any]:
    return SegmentJournal.open.__func__.__kwdefaults__  # type: ignore[attr-defined,no-any-return]  # a method has them


@pytest.mark.parametrize(
    "work", [book, keep_snapshots, close, rebuild, rebuild_for_a_lost_log, rebuild_for_damaged_views]
)
def test_a_kill_at_any_step_loses_nothing_acknowledged(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work: Callable[..., None]
) -> None:
    monkeypatch.setitem(defaults(), "segment_bytes", SEGMENT)
    for step in range(1, STEPS_MAX):
        path = tmp_path / str(step)
        shutil.copytree(prepared, path)
        killed, acknowledged = run_until(path, work, step)
        require_all(path, {str(number) for number in [*range(FILLS), *acknowledged]})
        shutil.rmtree(path)
        if not killed:
            assert step > 5
            return
    raise AssertionError("it never ended")


def run_until(path: Path, work: Callable[..., None], step: int) -> tuple[bool, list[int]]:
    """Do some work in a process of its own, killed at its n-th change; whether it was, and what it acknowledged."""
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        failed = 1
        try:
            work(path, lambda: kill_at(step), lambda number: os.write(writable, bytes([number])))
            failed = 0
        finally:
            os._exit(failed)
    os.close(writable)
    _, status = os.waitpid(child, 0)
    with open(readable, "rb") as pipe:  # noqa: PTH123 - a descriptor has no path
        acknowledged = list(pipe.read())
    assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0
    return os.WIFSIGNALED(status), acknowledged


def kill_at(step: int) -> None:
    """Let the process be killed right before its n-th change from now on."""
    calls = 0

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def change(*args: Any, **named: Any) -> Any:  # noqa: ANN401 - whatever the real one takes and gives
            nonlocal calls
            calls += 1
            if calls >= step:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **named)

        return change

    for owner, name in CHANGING:
        setattr(owner, name, counted(getattr(owner, name)))


def require_all(path: Path, acknowledged: set[str]) -> None:
    store = store_at(path)
    ids = [event.venue_trade_id for _, event in store.ledger(ACCOUNT).events() if isinstance(event, FillBooked)]
    assert len(ids) == len(set(ids))
    assert acknowledged <= set(ids)
    store.close()
    storage = open_storage(path / "data")
    proof = verify_storage(storage, stored_accounts(storage), lambda *_: None)
    storage.close()
    assert proof.ok
