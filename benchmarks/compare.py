"""The three-way comparison of loaded books: memory, database and venue; one key in a hundred broken, in seven ways.

The three sides share no object, as they would not if they had been folded, read and received. Every planted break must
be found and typed, and nothing else; what is timed is the question as a machine asks it, without rows for people.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec

from benchmarks.measure import Row, result, say, seconds
from benchmarks.world import ACCOUNT, START, perpetual
from trueup.model.differences import Comparison, Kind, VenuePosition, VenueSnapshot
from trueup.model.identifiers import PositionKey, Seq
from trueup.model.positions import Position, SubPosition
from trueup.reconcile.compare import compare
from trueup.reconcile.state import DatabaseState, OurState

REACH_MS = {10_000: 15, 100_000: 120, 1_000_000: 1_500}
"""By number of positions."""

TURNS = {10_000: 15, 100_000: 9, 1_000_000: 5}
BROKEN_EVERY = 100


def run(quick: bool) -> dict[str, Any]:
    rows = []
    per_key: dict[int, list[float]] = {}
    for keys, reach in REACH_MS.items():
        if quick and keys > 100_000:
            continue
        say(f"compare: {keys:,} keys")
        world = _World(keys)
        _check(world)
        took = [seconds(world.compare) * 1_000 for _ in range(TURNS[keys])]
        per_key[keys] = [ms / keys * 1e6 for ms in took]
        rows.append(Row(f"three-way compare, {keys:,} keys, 1 % broken", took, "ms", reach, "most"))
    rows += [Row(f"nanoseconds a key at {keys:,} keys", taken, "ns") for keys, taken in per_key.items()]
    return result(rows, broken_every=BROKEN_EVERY, kinds=[kind.value for kind in _BREAKS])


class _World:
    """Three sides of one account, and which breaks were planted."""

    def __init__(self, keys: int) -> None:
        self.planted: Counter[Kind] = Counter()
        ours = [_position(number) for number in range(keys)]
        rows = msgspec.msgpack.decode(msgspec.msgpack.encode(ours), type=list[Position])
        memory = {_key(position): position for position in ours}
        database = {_key(position): position for position in rows}
        venue = {_key(position): _stated(position) for position in ours}
        kinds = list(_BREAKS)
        for place, position in enumerate(ours[::BROKEN_EVERY]):
            kind = kinds[place % len(kinds)]
            self.planted[kind] += 1
            _BREAKS[kind](_key(position), memory, database, venue)
        seq = Seq(keys)
        terms = {position.instrument.symbol: position.instrument for position in ours}
        self.compare: Callable[[], Comparison] = partial(
            compare,
            OurState(ACCOUNT, seq, memory, {}, {}, terms),
            DatabaseState(seq, database),
            VenueSnapshot(ACCOUNT, positions=venue, balances={}, open_orders={}),
        )


def _check(world: _World) -> None:
    found = Counter(difference.kind for difference in world.compare().differences)
    if found != world.planted:
        raise RuntimeError(f"planted {world.planted}, found {found}")


def _position(number: int) -> Position:
    instrument = perpetual(number)
    quantity = Decimal(number % 977 + 1).scaleb(-3) * (1 if number % 2 else -1)
    cost = quantity * Decimal(number % 8_999 + 1_000).scaleb(-1)
    fees = {"USDC": Decimal(number % 613).scaleb(-4)}
    return Position(
        account=ACCOUNT,
        instrument=instrument,
        position_side="net",
        quantity=quantity,
        cost=cost,
        realized_pnl=Decimal(number % 7_919).scaleb(-3),
        realized_unknown=0,
        adjusted_pnl=Decimal(0),
        fees=fees,
        fee_value=Decimal(0),
        funding={"USDC": Decimal(number % 401).scaleb(-5)},
        by_strategy={"strategy-0": SubPosition(quantity, cost, Decimal(number % 7_919).scaleb(-3), fees, cost)},
        unconfirmed=Decimal(0),
        leverage=Decimal(10),
        margin_mode="cross",
        opened_at=START + number,
        updated_at=START + 2 * number,
        cycles=number % 5,
        liquidations=0,
        seq=Seq(number + 1),
    )


def _stated(position: Position) -> VenuePosition:
    """What a venue would say of it: its own digits, its average rounded to a few of them."""
    entry = position.entry_price
    return VenuePosition(
        instrument=position.instrument.symbol,
        position_side=position.position_side,
        quantity=Decimal(str(position.quantity)),
        entry_price=None if entry is None else entry.quantize(Decimal("0.0001")),
        mark_price=None if entry is None else entry.quantize(Decimal("0.01")),
        leverage=Decimal("10.0"),
        margin_mode="cross",
    )


def _key(position: Position) -> PositionKey:
    return position.instrument.symbol, position.position_side


Memory = dict[PositionKey, Position]
Venue = dict[PositionKey, VenuePosition]


def _venue_says(**other: object) -> Callable[[PositionKey, Memory, Memory, Venue], None]:
    def plant(key: PositionKey, _memory: Memory, _database: Memory, venue: Venue) -> None:
        venue[key] = msgspec.structs.replace(venue[key], **other)

    return plant


def _other_quantity(key: PositionKey, _memory: Memory, _database: Memory, venue: Venue) -> None:
    venue[key] = msgspec.structs.replace(venue[key], quantity=venue[key].quantity * 2)


def _other_side(key: PositionKey, _memory: Memory, _database: Memory, venue: Venue) -> None:
    venue[key] = msgspec.structs.replace(venue[key], quantity=-venue[key].quantity)


def _not_ours(key: PositionKey, memory: Memory, database: Memory, _venue: Venue) -> None:
    del memory[key], database[key]


def _not_theirs(key: PositionKey, _memory: Memory, _database: Memory, venue: Venue) -> None:
    del venue[key]


def _other_row(key: PositionKey, _memory: Memory, database: Memory, _venue: Venue) -> None:
    database[key] = msgspec.structs.replace(database[key], realized_pnl=Decimal(-1))


_BREAKS: Mapping[Kind, Callable[[PositionKey, Memory, Memory, Venue], None]] = {
    Kind.QTY: _other_quantity,
    Kind.SIDE: _other_side,
    Kind.MISSING_OURS: _not_ours,
    Kind.MISSING_THEIRS: _not_theirs,
    Kind.LEVERAGE: _venue_says(leverage=Decimal(20)),
    Kind.MARGIN_MODE: _venue_says(margin_mode="isolated"),
    Kind.MEMORY_DATABASE: _other_row,
}
