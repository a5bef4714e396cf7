"""A book as bytes and back, so that a start does not fold all of history, and the hash that proves two books equal.

The bytes are canonical: equal states give equal bytes, whatever path led there. What only helps memory (checkpoints,
the newest facts, round trips already told to the views) is left out; a fact that comes later and belongs before the
snapshot is folded with the position's history from the journal.
"""

from collections.abc import Mapping
from decimal import Decimal
from hashlib import blake2b
from typing import Any, NoReturn, TypeVar

import msgspec

from trueup.book.book import Book, History, Mark
from trueup.book.holding import Holding
from trueup.book.position import PositionState
from trueup.book.track import Track
from trueup.book.wallet import Wallet
from trueup.model.errors import BadInput
from trueup.model.events import OrderReported, TradeDeclared
from trueup.model.facts import OrderKey
from trueup.model.identifiers import AccountId, Seq
from trueup.model.instruments import Instrument
from trueup.model.numbers import EXACT, exact

FORMAT = 2
"""Raised with every change of the records below; an older snapshot is then not used and the log is folded instead."""


class _HoldingRecord(msgspec.Struct, array_like=True):
    quantity: Decimal
    cost: Decimal
    realized: Decimal
    known: bool
    unknown: int
    adjusted: Decimal
    carried: Decimal
    fee_sum: Decimal
    other_fees: dict[str, Decimal]


class _StateRecord(_HoldingRecord):
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


class _TrackRecord(msgspec.Struct, array_like=True):
    instrument: str
    position_side: str
    version: int
    last_key: OrderKey
    state: _StateRecord
    parts: dict[str, _HoldingRecord] | None


class _WalletRecord(msgspec.Struct, array_like=True):
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


class _BookRecord(msgspec.Struct, array_like=True):
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


class _Snapshot(msgspec.Struct, array_like=True):
    """What is proved, and beside it what may differ between equal books."""

    book: bytes
    seq: Seq
    latest: int
    weak_until: int
    seqs: list[Seq]
    ended: dict[str, OrderKey]


Record = TypeVar("Record", bound=msgspec.Struct)
State = TypeVar("State")

_encoder = msgspec.msgpack.Encoder(order="deterministic")


def snapshot(book: Book) -> bytes:
    """The book as bytes."""
    seqs = [track.seq for track in _sorted_tracks(book)]
    return _encoder.encode(_Snapshot(_core(book), book.seq, book.latest, book.weak_until, seqs, book.orders.ended))


def state_hash(book: Book) -> bytes:
    """blake2b-256 of everything the book says about the account, seqs left out: equal states, equal hashes."""
    return blake2b(_core(book), digest_size=32).digest()


def restore(data: bytes, history: History | None = None) -> Book:
    """The book from its bytes; without ``history`` it cannot take facts from before them.

    Raises:
        BadInput: Not a snapshot, or one of another format.
    """
    try:
        outer = msgspec.msgpack.decode(data, type=_Snapshot)
        record = msgspec.msgpack.decode(outer.book, type=_BookRecord)
    except msgspec.DecodeError as error:
        raise _unusable(str(error)) from error
    if record.format != FORMAT:
        raise _unusable(f"format {record.format}, this version reads {FORMAT}")
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
    book.orders.open = record.orders
    book.orders.ended = outer.ended
    book.wallets = {name: _load(Wallet(), wallet) for name, wallet in record.wallets.items()}
    with exact():
        for track, seq in zip(record.tracks, outer.seqs, strict=True):
            _restore_track(book, track, seq)
    return book


def _core(book: Book) -> bytes:
    return _encoder.encode(
        _BookRecord(
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
        )
    )


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
    return record(*(_plain(getattr(state, name)) for name in record.__struct_fields__))


def _load(state: State, record: msgspec.Struct) -> State:
    for name in record.__struct_fields__:
        setattr(state, name, getattr(record, name))
    return state


def _plain(value: Any) -> Any:  # noqa: ANN401 - a field of a record
    """Decimals in one notation per value, in mappings too."""
    if isinstance(value, Decimal):
        return EXACT.plus(EXACT.plus(value).normalize(EXACT))
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    return value


def _no_history() -> NoReturn:
    raise RuntimeError("A book restored without its history cannot take facts from before the snapshot.")


def _unusable(problem: str) -> BadInput:
    return BadInput("snapshot", "", problem, remedy="Fold the log instead; the snapshot only saves time.")
