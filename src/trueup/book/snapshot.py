"""A book as bytes and back, so that a start does not fold all of history, and the hash that proves two books equal.

The bytes are canonical: equal states give equal bytes, whatever path led there. What only helps memory (checkpoints,
the newest facts, round trips already told to the views) is left out; a fact that comes later and belongs before the
snapshot is folded with the position's history from the journal.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from hashlib import blake2b
from operator import attrgetter
from types import NoneType
from typing import Any, NoReturn, TypeVar

import msgspec

from trueup.book.book import Book, History, Mark
from trueup.book.holding import Holding
from trueup.book.lifecycle import BreakRecord
from trueup.book.position import PositionState
from trueup.book.track import Track
from trueup.book.wallet import Wallet
from trueup.model.errors import BadInput
from trueup.model.events import (
    AdjustmentBooked,
    AdjustmentProposed,
    Compared,
    Corrected,
    OrderReported,
    Restricted,
    TradeDeclared,
    TradesAssigned,
)
from trueup.model.facts import OrderKey
from trueup.model.identifiers import AccountId, Seq
from trueup.model.instruments import Instrument
from trueup.model.numbers import EXACT, ZERO, exact
from trueup.model.statements import PortfolioStateSaved, PositionDetailsSaved, PyramidingStateSaved, SignalLogged

FORMAT = 3
"""Raised with every change of the records below; an older snapshot is then not used and the log is folded instead."""

FOLLOWED = 4
"""The format of a book that has a cursor. One without is written as it was before there were any, so snapshots and
hashes from that time stay what they are."""

WATCHED = 5
"""The format of a book whose breaks have a life, or trades of which were assigned, for the same reason."""


class _HoldingRecord(msgspec.Struct, array_like=True, gc=False):
    quantity: Decimal
    cost: Decimal
    realized: Decimal
    known: bool
    unknown: int
    adjusted: Decimal
    carried: Decimal
    fee_sum: Decimal
    other_fees: dict[str, Decimal]


class _StateRecord(_HoldingRecord, gc=False):
    cash_cut: int
    settled: Decimal
    settled_unknown: int
    split_gain: Decimal
    fee_value: Decimal | None
    funding: dict[str, Decimal]
    unconfirmed: Decimal
    leverage: Decimal | None
    margin_mode: str | None
    liquidations: int
    updated_at: int
    strategy: str | None
    cycles: int
    opened_at: int | None
    peak: Decimal
    opened_realized: Decimal
    opened_unknown: int
    opened_fees: dict[str, Decimal]
    opened_funding: dict[str, Decimal]
    since: int | None
    posted_since: int | None


class _TrackRecord(msgspec.Struct, array_like=True, gc=False):
    instrument: str
    position_side: str
    version: int
    last_key: OrderKey
    state: _StateRecord
    parts: dict[str, _HoldingRecord] | None


class _WalletRecord(msgspec.Struct, array_like=True, gc=False):
    cut: int
    since: int
    opening: Decimal
    traded: Decimal
    realized: Decimal
    fees: Decimal
    funding: Decimal
    adjustments: Decimal
    transfers: dict[str, Decimal]
    unknown: int


class _BookRecord(msgspec.Struct, array_like=True, gc=False):
    format: int
    account: AccountId
    instruments: list[Instrument]
    tracks: list[_TrackRecord]
    wallets: dict[str, _WalletRecord]
    marks: dict[str, Mark]
    declarations: dict[str, TradeDeclared]
    matched: dict[str, Decimal]
    claimed: dict[str, Decimal]
    quarantined: int
    orders: dict[str, OrderReported]
    learnt: dict[str, str]
    compared: Compared | None
    portfolio: PortfolioStateSaved | None
    pyramids: dict[str, PyramidingStateSaved]
    details: dict[str, PositionDetailsSaved]
    waiting: dict[str, SignalLogged]


class _FollowedRecord(_BookRecord, gc=False):
    cursor: str | None = None


class _WatchedRecord(_FollowedRecord, gc=False):
    breaks: list[BreakRecord] = []
    corrections: list[Corrected] = []
    adjustments: dict[str, AdjustmentBooked] = {}
    proposed: list[AdjustmentProposed] = []
    approvals: dict[str, tuple[str, ...]] = {}
    restriction: Restricted | None = None
    assigned: list[TradesAssigned] = []


class _Snapshot(msgspec.Struct, array_like=True, gc=False):
    """What is proved, and beside it what may differ between equal books.

    Attributes:
        newest: See :func:`newest_time`.
    """

    book: bytes
    seq: Seq
    newest: int
    compared_seq: Seq
    latest: int
    weak_until: int
    seqs: list[Seq]
    ended: dict[str, OrderKey]


Record = TypeVar("Record", bound=msgspec.Struct)
State = TypeVar("State")

_encoder = msgspec.msgpack.Encoder(order="deterministic")


def snapshot(book: Book) -> bytes:
    """The book as bytes."""
    return snapshot_and_hash(book)[0]


def snapshot_and_hash(book: Book) -> tuple[bytes, bytes]:
    """The book as bytes, and its :func:`state_hash`: half the work of asking for one after the other."""
    core = _core(book)
    outcome = book.breaks.outcome
    kept = _Snapshot(
        core,
        book.seq,
        max(book.newest_fact(), 0 if outcome is None else outcome.cut or 0),
        book.breaks.seq,
        book.latest,
        book.weak_until,
        [track.seq for track in _sorted_tracks(book)],
        book.orders.ended,
    )
    return _encoder.encode(kept), _hash(core)


def state_hash(book: Book) -> bytes:
    """blake2b-256 of everything the book says about the account, seqs left out: equal states, equal hashes."""
    return _hash(_core(book))


def proves(data: bytes, proved: bytes) -> bool:
    """Whether a snapshot is of the book whose :func:`state_hash` is ``proved``. Raises :class:`BadInput`."""
    return _hash(_outer(data).book) == proved


def newest_time(data: bytes) -> int:
    """Venue time of the newest thing that a snapshot's book knows of: a fact, a mark or the cut of a comparison.

    Raises:
        BadInput: Not a snapshot.
    """
    return _outer(data).newest


def restore(data: bytes, history: History | None = None) -> Book:
    """The book from its bytes; without ``history`` it cannot take facts from before them.

    Raises:
        BadInput: Not a snapshot, or one of another format.
    """
    outer = _outer(data)
    try:
        record = msgspec.msgpack.decode(outer.book, type=_WatchedRecord)
    except msgspec.DecodeError as error:
        raise _unusable(str(error)) from error
    if record.format not in {FORMAT, FOLLOWED, WATCHED}:
        raise _unusable(f"format {record.format}, this version reads {FORMAT} to {WATCHED}")
    book = Book(record.account, history or _no_history)
    book.seq = outer.seq
    book.latest = outer.latest
    book.weak_until = outer.weak_until
    for terms in record.instruments:
        book.instruments.setdefault(terms.symbol, {})[terms.version] = terms
    book.marks = record.marks
    book.declarations = record.declarations
    book.matched.update(record.matched)
    book.claimed = record.claimed
    book.quarantined = record.quarantined
    book.learnt = record.learnt
    book.cursor = record.cursor
    if record.compared is not None:
        book.breaks.record(record.compared, outer.compared_seq)
    _restore_breaks(book, record)
    for said in record.assigned:
        book.assigned.setdefault((said.instrument, said.position_side), []).append(said)
    book.control.portfolio = record.portfolio
    book.control.pyramids = record.pyramids
    book.control.details = record.details
    book.control.waiting = record.waiting
    book.orders.open = record.orders
    book.orders.ended = outer.ended
    book.wallets = {name: _load(Wallet(), wallet) for name, wallet in record.wallets.items()}
    with exact():
        for track, seq in zip(record.tracks, outer.seqs, strict=True):
            _restore_track(book, track, seq)
    return book


def _restore_breaks(book: Book, record: _WatchedRecord) -> None:
    breaks = book.breaks
    breaks.take_up(record.breaks, record.adjustments)
    breaks.corrections = record.corrections
    breaks.proposed = {(one.subject, one.sort): one for one in record.proposed}
    breaks.approvals = record.approvals
    breaks.restriction = record.restriction


def _core(book: Book) -> bytes:
    record = _BookRecord(
        format=FORMAT,
        account=book.account,
        instruments=[
            terms for _, versions in sorted(book.instruments.items()) for _, terms in sorted(versions.items())
        ],
        tracks=[_track_record(track) for track in _sorted_tracks(book)],
        wallets={name: _dump(_WalletRecord, wallet) for name, wallet in book.wallets.items()},
        marks=book.marks,
        declarations=book.declarations,
        matched=_plain(book.matched),
        claimed=_plain(book.claimed),
        quarantined=book.quarantined,
        orders=book.orders.open,
        learnt=book.learnt,
        compared=book.breaks.outcome,
        portfolio=book.control.portfolio,
        pyramids=book.control.pyramids,
        details=book.control.details,
        waiting=book.control.waiting,
    )
    if book.breaks.followed or book.assigned:
        return _encoder.encode(_watched(record, book))
    if book.cursor is not None:
        record = _FollowedRecord(**{**msgspec.structs.asdict(record), "format": FOLLOWED}, cursor=book.cursor)
    return _encoder.encode(record)


def _watched(record: _BookRecord, book: Book) -> _WatchedRecord:
    breaks = book.breaks
    return _WatchedRecord(
        **{**msgspec.structs.asdict(record), "format": WATCHED},
        cursor=book.cursor,
        breaks=[one for _, one in sorted(breaks.records.items())],
        corrections=breaks.corrections,
        adjustments=breaks.adjustments,
        proposed=[one for _, one in sorted(breaks.proposed.items())],
        approvals=breaks.approvals,
        restriction=breaks.restriction,
        assigned=[said for _, found in sorted(book.assigned.items()) for said in found],
    )


def _outer(data: bytes) -> _Snapshot:
    try:
        return msgspec.msgpack.decode(data, type=_Snapshot)
    except msgspec.DecodeError as error:
        raise _unusable(str(error)) from error


def _hash(core: bytes) -> bytes:
    return blake2b(core, digest_size=32).digest()


def _sorted_tracks(book: Book) -> list[Track]:
    return [book.tracks[key] for key in sorted(book.tracks)]


def _track_record(track: Track) -> _TrackRecord:
    state = track.state
    parts = state.parts
    return _TrackRecord(
        instrument=track.key[0],
        position_side=track.key[1],
        version=state.instrument.version,
        last_key=track.last_key,
        state=_dump(_StateRecord, state),
        parts=None if parts is None else {name: _dump(_HoldingRecord, part) for name, part in parts.items()},
    )


def _restore_track(book: Book, record: _TrackRecord, seq: Seq) -> None:
    versions = book.instruments[record.instrument]
    state = _load(PositionState(versions), record.state)
    state.use(record.version)
    if record.parts is not None:
        state.parts = {name: _load(Holding(inverse=state.inverse), part) for name, part in record.parts.items()}
    key = (record.instrument, record.position_side)
    track = book.keep(Track(key, state, book.wallets_of(state.instrument), book.matched, record.last_key))
    track.seq = seq


def _dump(record: type[Record], state: object) -> Record:
    return record(
        *[
            value if type(value) in _ONE_NOTATION else _plain(value) if value else _NOTHING[type(value)]
            for value in _VALUES[record](state)
        ]
    )


def _load(state: State, record: msgspec.Struct) -> State:
    for name, value in zip(record.__struct_fields__, _VALUES[type(record)](record), strict=True):
        setattr(state, name, value)
    return state


def _plain(value: Any) -> Any:  # noqa: ANN401 - a field of a record
    """Decimals in one notation per value, in mappings too."""
    if type(value) is dict:
        return {name: _plain(part) for name, part in value.items()}
    return EXACT.normalize(value) if value else ZERO


_ONE_NOTATION = frozenset({int, str, bool, NoneType})
"""Kinds of values of which equal ones are written alike."""

_NOTHING: Mapping[type, Any] = {Decimal: ZERO, dict: {}}
"""Zero and the empty mapping, which most fields are."""

_VALUES: Mapping[type, Callable[[object], tuple[Any, ...]]] = {
    record: attrgetter(*record.__struct_fields__) for record in (_HoldingRecord, _StateRecord, _WalletRecord)
}
"""All fields of a record at once; there may be ten thousand of them."""


def _no_history() -> NoReturn:
    raise RuntimeError("A book restored without its history cannot take facts from before the snapshot.")


def _unusable(problem: str) -> BadInput:
    return BadInput("snapshot", "", problem, remedy="Fold the log instead; the snapshot only saves time.")
