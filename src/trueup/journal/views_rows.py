"""Structs to rows and back: the only place that knows which column holds which field.

What is written is read back equal, field by field, because the comparison of memory with the database allows no
tolerance. The columns are those of ``migrations/``, in the order of the statements here.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from trueup.journal import control_rows
from trueup.model.events import Compared, MarkSampled
from trueup.model.identifiers import AccountId, Seq
from trueup.model.instruments import Instrument
from trueup.model.numbers import canonical
from trueup.model.positions import Balance, Cycle, OpenOrder, Position, SubPosition, entry_price
from trueup.ports import Frame, Hash, Instance

Row = tuple[Any, ...]
"""A row as SQLite gives it; STRICT tables and NOT NULL columns vouch for the types."""

PUT_FRAME = "INSERT INTO frames VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
GET_FRAMES = """
    SELECT first, count, recorded_at, epoch, synced, previous, hash, body FROM frames
    WHERE ledger = ?1 AND first + count > ?2 + 1
      AND first >= coalesce((SELECT max(first) FROM frames WHERE ledger = ?1 AND first <= ?2), 1)
    ORDER BY first LIMIT ?3"""

PUT_KEYS = "INSERT INTO fact_keys SELECT ?1, key, value FROM json_each(?2)"
"""All keys in one statement: SQLite walks the object by itself, and the interpreter is free for whoever books."""
GET_KEYS = "SELECT key FROM fact_keys WHERE ledger = ?"
FIND_KEY = "SELECT key, seq FROM fact_keys WHERE ledger = ? AND key = ?"

PUT_INSTRUMENT = "REPLACE INTO instruments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
GET_INSTRUMENTS = """
    SELECT symbol, version, native_symbol, kind, base, quote, settle, contract_size, price_tick, quantity_step,
           effective_from, expiry, max_leverage, wallet
    FROM instruments WHERE ledger = ?"""

PUT_POSITION = "REPLACE INTO book_positions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
GET_POSITIONS = """
    SELECT instrument, position_side, seq, instrument_version, quantity, cost, realized_pnl, realized_unknown,
           adjusted_pnl, fee_value, unconfirmed, leverage, margin_mode, opened_at, updated_at, cycles, liquidations,
           fees, funding, strategies
    FROM book_positions WHERE ledger = ? ORDER BY instrument, position_side"""

DROP_CYCLES = "DELETE FROM book_cycles WHERE ledger = ? AND instrument = ? AND position_side = ? AND number >= ?"
PUT_CYCLE = "INSERT INTO book_cycles VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
GET_CYCLES = """
    SELECT position_side, number, side, quantity, opened_at, closed_at, realized_pnl, liquidated, fees, funding
    FROM book_cycles WHERE ledger = ? AND instrument = ? ORDER BY closed_at, opened_at, position_side, number"""

PUT_MARK = "REPLACE INTO book_marks VALUES (?, ?, ?, ?, ?, ?)"

PUT_COMPARISON = "REPLACE INTO book_comparisons VALUES (?, ?, ?, ?)"

PUT_STATEMENT = {
    table: f"REPLACE INTO {table.name} VALUES ({', '.join('?' * len(table.columns))})"  # noqa: S608 - names of ours
    for table in control_rows.TABLES
}

PUT_INSTANCE = "REPLACE INTO instances VALUES (?, ?, ?, ?, ?, ?, ?)"
GET_INSTANCES = """
    SELECT instance_id, host, pid, version, started_at, heartbeat_at, is_leader FROM instances ORDER BY instance_id"""

PUT_BALANCE = "REPLACE INTO balances VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
GET_BALANCES = """
    SELECT currency, seq, traded, realized, fees, funding, adjustments, opening, realized_unknown, transfers
    FROM balances WHERE ledger = ? ORDER BY currency"""

DROP_ORDER = "DELETE FROM orders WHERE ledger = ? AND venue_order_id = ?"
PUT_ORDER = "REPLACE INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
GET_ORDERS = """
    SELECT venue_order_id, client_order_id, instrument, position_side, side, quantity, filled, status, price,
           trigger_price, order_type, reduce_only, updated_at
    FROM orders WHERE ledger = ? ORDER BY venue_order_id"""


def frame_row(ledger: int, f: Frame) -> Row:
    """For :data:`PUT_FRAME`."""
    return (ledger, f.first, f.count, f.recorded_at, f.epoch, f.synced, f.previous, f.hash, f.body)


def frame_from(account: AccountId, row: Row) -> Frame:
    """From :data:`GET_FRAMES`."""
    first, count, recorded_at, epoch, synced, previous, hash_, body = row
    return Frame(account, Seq(first), count, recorded_at, epoch, synced, Hash(previous), Hash(hash_), body)


def keys_object(keys: Sequence[tuple[str, Seq]]) -> str:
    """For :data:`PUT_KEYS`; no key comes twice."""
    return _ENCODE(dict(keys)).decode()


def instrument_row(ledger: int, i: Instrument, seq: Seq) -> Row:
    """For :data:`PUT_INSTRUMENT`."""
    return (
        ledger,
        i.symbol,
        i.version,
        seq,
        i.native_symbol,
        i.kind,
        i.base,
        i.quote,
        i.settle,
        canonical(i.contract_size),
        _text(i.price_tick),
        _text(i.quantity_step),
        i.effective_from,
        i.expiry,
        _text(i.max_leverage),
        i.wallet,
    )


def instrument_from(row: Row) -> Instrument:
    """From :data:`GET_INSTRUMENTS`."""
    symbol, version, native, kind, base, quote, settle, size, tick, step, effective_from, expiry, leverage, wallet = row
    return Instrument(
        symbol=symbol,
        native_symbol=native,
        kind=kind,
        base=base,
        quote=quote,
        settle=settle,
        contract_size=Decimal(size),
        price_tick=_number(tick),
        quantity_step=_number(step),
        version=version,
        effective_from=effective_from,
        expiry=expiry,
        max_leverage=_number(leverage),
        wallet=wallet,
    )


def position_row(ledger: int, p: Position) -> Row:
    """For :data:`PUT_POSITION`; call it inside :func:`trueup.model.numbers.exact`."""
    return (
        ledger,
        p.instrument.symbol,
        p.position_side,
        p.seq,
        p.instrument.version,
        canonical(p.quantity),
        _text(p.cost),
        _text(p.entry_price),
        canonical(p.realized_pnl),
        p.realized_unknown,
        canonical(p.adjusted_pnl),
        _text(p.fee_value),
        canonical(p.unconfirmed),
        _text(p.leverage),
        p.margin_mode,
        p.opened_at,
        p.updated_at,
        p.cycles,
        p.liquidations,
        _amounts(p.fees),
        _amounts(p.funding),
        _parts(p),
    )


def position_from(account: AccountId, terms: Mapping[tuple[str, int], Instrument], row: Row) -> Position:
    """From :data:`GET_POSITIONS` and the instruments by symbol and version."""
    instrument, side, seq, version, quantity, cost, realized, unknown, adjusted, fee_value = row[:10]
    unconfirmed, leverage, margin_mode, opened_at, updated_at, cycles, liquidations, fees, funding, strategies = row[
        10:
    ]
    return Position(
        account=account,
        instrument=terms[instrument, version],
        position_side=side,
        quantity=Decimal(quantity),
        cost=_number(cost),
        realized_pnl=Decimal(realized),
        realized_unknown=unknown,
        adjusted_pnl=Decimal(adjusted),
        fees=_AMOUNTS.decode(fees),
        fee_value=_number(fee_value),
        funding=_AMOUNTS.decode(funding),
        by_strategy=_PARTS.decode(strategies),
        unconfirmed=Decimal(unconfirmed),
        leverage=_number(leverage),
        margin_mode=margin_mode,
        opened_at=opened_at,
        updated_at=updated_at,
        cycles=cycles,
        liquidations=liquidations,
        seq=Seq(seq),
    )


def cycle_row(ledger: int, key: tuple[str, str], c: Cycle, seq: Seq) -> Row:
    """For :data:`PUT_CYCLE`."""
    instrument, position_side = key
    return (
        ledger,
        instrument,
        position_side,
        c.number,
        seq,
        c.side,
        canonical(c.quantity),
        c.opened_at,
        c.closed_at,
        _text(c.realized_pnl),
        int(c.liquidated),
        _amounts(c.fees),
        _amounts(c.funding),
    )


def cycle_from(row: Row) -> tuple[str, Cycle]:
    """From :data:`GET_CYCLES`: the position side and the cycle."""
    position_side, number, side, quantity, opened_at, closed_at, realized, liquidated, fees, funding = row
    return position_side, Cycle(
        number=number,
        side=side,
        quantity=Decimal(quantity),
        opened_at=opened_at,
        closed_at=closed_at,
        realized_pnl=_number(realized),
        fees=_AMOUNTS.decode(fees),
        funding=_AMOUNTS.decode(funding),
        liquidated=bool(liquidated),
    )


def mark_row(ledger: int, seq: Seq, m: MarkSampled) -> Row:
    """For :data:`PUT_MARK`."""
    return (ledger, m.instrument, seq, canonical(m.price), m.venue_time, m.source)


def comparison_row(ledger: int, seq: Seq, c: Compared) -> Row:
    """For :data:`PUT_COMPARISON`."""
    return (ledger, seq, c.status, c.cut)


def instance_row(i: Instance) -> Row:
    """For :data:`PUT_INSTANCE`."""
    return (i.instance_id, i.host, i.pid, i.version, i.started_at, i.heartbeat_at, int(i.is_leader))


def instance_from(row: Row) -> Instance:
    """From :data:`GET_INSTANCES`."""
    instance_id, host, pid, version, started_at, heartbeat_at, is_leader = row
    return Instance(instance_id, host, pid, version, started_at, heartbeat_at, bool(is_leader))


def cell(value: Any) -> Any:  # noqa: ANN401 - a field of any statement
    """The value of a column of :data:`PUT_STATEMENT`."""
    if isinstance(value, Decimal):
        return canonical(value)
    return int(value) if isinstance(value, bool) else value


def balance_row(ledger: int, b: Balance) -> Row:
    """For :data:`PUT_BALANCE`; call it inside :func:`trueup.model.numbers.exact`."""
    return (
        ledger,
        b.currency,
        b.seq,
        _text(b.total),
        canonical(b.traded),
        canonical(b.realized),
        canonical(b.fees),
        canonical(b.funding),
        canonical(b.adjustments),
        canonical(b.opening),
        b.realized_unknown,
        _amounts(b.transfers),
    )


def balance_from(account: AccountId, row: Row) -> Balance:
    """From :data:`GET_BALANCES`."""
    currency, seq, traded, realized, fees, funding, adjustments, opening, unknown, transfers = row
    return Balance(
        account=account,
        currency=currency,
        traded=Decimal(traded),
        realized=Decimal(realized),
        fees=Decimal(fees),
        funding=Decimal(funding),
        transfers=_AMOUNTS.decode(transfers),
        adjustments=Decimal(adjustments),
        opening=Decimal(opening),
        realized_unknown=unknown,
        seq=Seq(seq),
    )


def order_row(ledger: int, o: OpenOrder, seq: Seq) -> Row:
    """For :data:`PUT_ORDER`."""
    return (
        ledger,
        o.venue_order_id,
        seq,
        o.client_order_id,
        o.instrument,
        o.position_side,
        o.side,
        canonical(o.quantity),
        canonical(o.filled),
        o.status,
        _text(o.price),
        _text(o.trigger_price),
        o.order_type,
        int(o.reduce_only),
        o.updated_at,
    )


def order_from(account: AccountId, row: Row) -> OpenOrder:
    """From :data:`GET_ORDERS`."""
    venue_id, client_id, instrument, position_side, side, quantity, filled, status = row[:8]
    price, trigger_price, order_type, reduce_only, updated_at = row[8:]
    return OpenOrder(
        account=account,
        instrument=instrument,
        position_side=position_side,
        side=side,
        quantity=Decimal(quantity),
        filled=Decimal(filled),
        status=status,
        venue_order_id=venue_id,
        client_order_id=client_id,
        price=_number(price),
        trigger_price=_number(trigger_price),
        order_type=order_type,
        reduce_only=bool(reduce_only),
        updated_at=updated_at,
    )


_AMOUNTS = msgspec.json.Decoder(dict[str, Decimal])
_PARTS = msgspec.json.Decoder(dict[str, SubPosition])
_ENCODE = msgspec.json.Encoder().encode


def _text(number: Decimal | None) -> str | None:
    return None if number is None else canonical(number)


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _amounts(amounts: Mapping[str, Decimal]) -> str:
    if not amounts:
        return "{}"
    return _ENCODE({name: canonical(amount) for name, amount in amounts.items()}).decode()


def _parts(p: Position) -> str:
    """The strategies' parts; their entry prices are computed when written, so that people need not."""
    return _ENCODE(
        {
            name: {
                "quantity": canonical(part.quantity),
                "cost": _text(part.cost),
                "entry_price": _text(entry_price(p.instrument, part.quantity, part.cost)),
                "realized_pnl": canonical(part.realized_pnl),
                "realized_unknown": part.realized_unknown,
                "strategy_cost": _text(part.strategy_cost),
                "fees": {currency: canonical(fee) for currency, fee in part.fees.items()},
            }
            for name, part in p.by_strategy.items()
        }
    ).decode()
