"""What backups cost whoever books, and how fast one is taken, read and restored.

Cost: the same fills booked into two stores in turns, one of which backs itself up as it does by default: looked at
every second, copied when ten seconds old or ten thousand events many. Each turn takes seconds, so that several backups
fall into it, and the next begins when the backup is idle. Both stores and the backup are on the disk that is measured;
in life the backup is on another.

Rates: of a history in batches of 1,000. Reading proves every hash and the chain. A restore also writes the log, folds
it, and makes the views.
"""

import time
from pathlib import Path
from typing import Any

from benchmarks.measure import Row, in_turns, result, say, scratch, seconds
from benchmarks.world import ACCOUNT, fills, opened
from trueup.bootstrap import keep_backups, new_directory, open_destination
from trueup.engine.backing_up import back_up, finished
from trueup.engine.ledger import Ledger
from trueup.engine.restoring import plan, restore
from trueup.engine.store import Store
from trueup.journal.backup.chunks import chain
from trueup.journal.backup.local import LocalDestination
from trueup.journal.backup.manifests import newest_readable
from trueup.model.events import FillBooked

INSTRUMENTS = 200
BATCH = 1_000
TURNS = 5
LOOK_S = 0.05
IDLE_MAX_S = 120.0

FILLS_A_TURN = {1: 40_000, 100: 250_000, 1_000: 300_000}
"""By batch: some seconds."""

EVENTS = 500_000
MEGABYTE = 1_000_000


def run(quick: bool) -> dict[str, Any]:
    rows = []
    for batch, count in FILLS_A_TURN.items():
        say(f"backup: batches of {batch}")
        kept = _kept(batch, count // (50 if quick else 1), 2 if quick else TURNS)
        rows.append(Row(f"booking with backups against without, {batch:,} a batch", kept, "x", 0.9))
    events = 20_000 if quick else EVENTS
    say(f"backup: {events:,} events taken, read and restored")
    rates, size, packed = _rates(events, 2 if quick else TURNS)
    for what, samples in rates.items():
        rows.append(Row(f"{what}, {events:,} events", [events / taken for taken in samples], "/s"))
        rows.append(Row(f"{what}, of the log", [size / MEGABYTE / taken for taken in samples], "MB/s"))
    return result(rows, instruments=INSTRUMENTS, log_bytes=size, backup_bytes=packed)


def _kept(batch: int, count: int, turns: int) -> list[float]:
    """Which share of its speed booking keeps."""
    with scratch() as path:
        plain, plain_ledger = opened(path / "plain", INSTRUMENTS)
        backed, backed_ledger = opened(path / "backed", INSTRUMENTS)
        keep_backups(backed, path / "backup", apart_from=path / "backed", tests=False)
        for_plain, for_backed = fills(INSTRUMENTS, strategies=1), fills(INSTRUMENTS, strategies=1)

        def without() -> float:
            return _book(plain, plain_ledger, [for_plain(batch) for _ in range(count // batch)])

        def with_backups() -> float:
            taken = _book(backed, backed_ledger, [for_backed(batch) for _ in range(count // batch)])
            _until_copied(path / "backup", backed_ledger)
            return taken

        try:
            alone, beside = in_turns(turns, without, with_backups)
        finally:
            plain.close()
            backed.close()
    return [ours / theirs for ours, theirs in zip(alone, beside, strict=True)]


def _book(store: Store, ledger: Ledger, batches: list[list[FillBooked]]) -> float:
    taken = seconds(lambda: [ledger.book_facts(batch) for batch in batches])
    store.synced(ACCOUNT)
    return taken


def _until_copied(path: Path, ledger: Ledger) -> None:
    """Wait until the newest backup has everything, so that the other side is measured alone."""
    destination = open_destination(path)
    for _ in range(round(IDLE_MAX_S / LOOK_S)):
        manifest, _ = newest_readable(destination)
        if manifest is not None and manifest.ledger(ACCOUNT).head == ledger.head:
            return
        time.sleep(LOOK_S)
    raise RuntimeError("the backup did not catch up")


def _rates(events: int, turns: int) -> tuple[dict[str, list[float]], int, int]:
    """Seconds for each thing done with a backup, and how large the log and the backup are."""
    with scratch() as path:
        store, ledger = opened(path / "data", INSTRUMENTS)
        draw = fills(INSTRUMENTS, strategies=1)
        while ledger.head.seq < events:
            ledger.book_facts(draw(BATCH))
        store.synced(ACCOUNT)
        numbers = iter(range(1_000))

        def take() -> LocalDestination:
            destination = open_destination(path / f"backup-{next(numbers)}", create=True)
            finished(back_up(store, destination, quiet=True))
            return destination

        source = take()
        manifest, _ = newest_readable(source)
        chunks = manifest.ledger(ACCOUNT).chunks if manifest is not None else []

        def read() -> None:
            for _ in chain(source, ACCOUNT, chunks):
                pass

        def bring_back() -> None:
            target = new_directory(path / f"restored-{next(numbers)}")
            restore(source, plan(source), target, progress=lambda _done, _total: None)

        sides = [lambda: seconds(take), lambda: seconds(read), lambda: seconds(bring_back)]
        taken = in_turns(turns, *sides)
        store.close()
    names = ("backed up from nothing", "read and proved", "restored, folded, views made")
    rates = dict(zip(names, taken, strict=True))
    return rates, sum(chunk.size for chunk in chunks), sum(chunk.packed_size for chunk in chunks)
