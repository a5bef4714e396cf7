"""What a look into the past costs, and what keeping states for it costs the booking.

A million fills, booked through the door in batches of 1,000, of 200 positions and again of 10,000. A query asks a store
that is running for all positions, balances and orders as of a seq, a time of recording or a venue time, at places drawn
over the whole ledger. What the states cost is the same booking with them and without them, in turns, views caught up.
"""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from benchmarks.measure import Row, in_turns, result, say, scratch, seconds
from benchmarks.world import ACCOUNT, MILLISECOND, START, fills, opened
from trueup.book.snapshot import state_hash
from trueup.engine import store as store_module
from trueup.engine.replay import Moment, book_at
from trueup.engine.store import Store
from trueup.engine.time_travel import as_of, book_as_of, head_at
from trueup.model.identifiers import Seq

EVENTS = 1_000_000
FEW, MANY = 200, 10_000
BATCH = 1_000
PLACES = 60
TURNS = 5
SHARE_BOOKED = 5
"""What the states cost is measured on so small a part of the events."""


class Queries(NamedTuple):
    """Milliseconds for each place that was asked about, by clock, and what the states take."""

    seq: Sequence[float]
    recorded: Sequence[float]
    venue_time: Sequence[float]
    states: int
    megabytes: float


def run(quick: bool) -> dict[str, Any]:
    events, many, places = (40_000, 400, 6) if quick else (EVENTS, MANY, PLACES)
    rows: list[Row] = []
    kept: dict[str, object] = {}
    for positions in (FEW, many):
        say(f"as_of: booking {events:,} fills of {positions:,} positions, then asking")
        asked = _asked(events, positions, places)
        of = f"{positions:,} positions, {events:,} events"
        rows += [
            Row(f"as of a seq, {of}", asked.seq, "ms", 300, "most"),
            Row("as of a time of recording", asked.recorded, "ms", 300, "most"),
            Row("as of a venue time", asked.venue_time, "ms", 300, "most"),
            Row(f"the slowest of {3 * places} places", [max(*asked.seq, *asked.recorded, *asked.venue_time)], "ms"),
        ]
        kept[f"states_of_{positions}"] = {"kept": asked.states, "megabytes": asked.megabytes}
        say(f"as_of: booking with and without states, {TURNS} turns")
        rows.append(Row("booking with states kept, against without", _cost(events // SHARE_BOOKED, positions), "x"))
    return result(rows, batch=BATCH, states=kept)


def _asked(events: int, positions: int, places: int) -> Queries:
    with scratch() as path:
        store, ledger = opened(path, positions)
        draw = fills(positions, strategies=1)
        for _ in range(events // BATCH):
            ledger.book_facts(draw(BATCH))
        store.synced(ACCOUNT)
        head = ledger.head.seq
        chance = random.Random(11)
        seqs = [Seq(chance.randrange(positions, head) + 1) for _ in range(places)]
        recorded = [Moment(recorded=head_at(ledger, seq).recorded_at) for seq in seqs]
        happened = [Moment(venue_time=START + (seq - positions) * MILLISECOND) for seq in seqs]
        _require_true(store, [min(seqs), head])
        files = list(path.rglob("*.snapshot"))
        asked = Queries(
            [_ms(store, Moment(seq=seq)) for seq in seqs],
            [_ms(store, moment) for moment in recorded],
            [_ms(store, moment) for moment in happened],
            len(files),
            round(sum(file.stat().st_size for file in files) / 1e6, 1),
        )
        store.close()
    return asked


def _require_true(store: Store, seqs: Sequence[Seq]) -> None:
    """What is timed must be the past: the fold of the log from its start, and the present at its end."""
    for seq in seqs:
        ledger, moment = store.ledger(ACCOUNT), Moment(seq=seq)
        expected = ledger.book if seq == ledger.head.seq else book_at(ledger, moment)
        if state_hash(book_as_of(store, ACCOUNT, moment)) != state_hash(expected):
            raise RuntimeError(f"not the state of seq {seq}")


def _ms(store: Store, moment: Moment) -> float:
    return 1_000 * seconds(lambda: as_of(store, ACCOUNT, moment))


def _cost(events: int, positions: int) -> Sequence[float]:
    """How fast booking is with states, as a share of how fast it is without."""

    def booked() -> float:
        with scratch() as path:
            store, ledger = opened(path, positions)
            draw = fills(positions, strategies=1)
            batches = [draw(BATCH) for _ in range(events // BATCH)]

            def book() -> None:
                for batch in batches:
                    ledger.book_facts(batch)
                store.synced(ACCOUNT)

            taken = seconds(book)
            store.close()
        return taken

    def without() -> float:
        with _no_states():
            return booked()

    return [bare / kept for kept, bare in zip(*in_turns(TURNS, booked, without), strict=True)]


@contextmanager
def _no_states() -> Iterator[None]:
    usual, store_module.SNAPSHOT_EVENTS = store_module.SNAPSHOT_EVENTS, 1 << 60
    try:
        yield
    finally:
        store_module.SNAPSHOT_EVENTS = usual
