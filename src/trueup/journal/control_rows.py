"""What programs stated, as rows: the columns are the structs' own fields, in their order, behind ledger and seq.

Shared by both stores, which differ in how they write a number and a truth value.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from trueup.book.control import ControlRows
from trueup.model.identifiers import Seq
from trueup.model.statements import (
    PortfolioStateSaved,
    PositionDetailsSaved,
    PyramidingStateSaved,
    SignalLogged,
    SignalProcessed,
)

Row = tuple[Any, ...]

Cell = Callable[[Any], object]
"""Turns the value of a field into that of a column."""


class Table(NamedTuple):
    """Where a kind of statement stands; ``key`` says which row a new one replaces."""

    name: str
    columns: Sequence[str]
    key: Sequence[str]


def _table(name: str, kind: type[msgspec.Struct], *key: str, more: Sequence[str] = ()) -> Table:
    fields = kind.__struct_fields__[1:]  # the first is the account
    return Table(name, ("ledger", "seq", *fields, *more), ("ledger", *key))


_END = {"status": "status", "processed_at": "processed_at", "author": "processed_by", "reason": "reason"}
_END |= {"details": "details"}

PORTFOLIO = _table("book_portfolio", PortfolioStateSaved)
PYRAMIDS = _table("book_pyramids", PyramidingStateSaved, "instrument")
DETAILS = _table("book_details", PositionDetailsSaved, "position_id")
SIGNALS = _table("book_signals", SignalLogged, "fingerprint", more=tuple(_END.values()))

TABLES = (PORTFOLIO, PYRAMIDS, DETAILS, SIGNALS)


def rows(ledger: int, control: ControlRows, cell: Cell) -> Iterator[tuple[Table, Sequence[Row]]]:
    """The rows to put into each table; tables without any are left out."""
    found: dict[Table, list[Row]] = {
        PORTFOLIO: [_row(ledger, seq, state, cell) for seq, state in control.portfolio],
        PYRAMIDS: [_row(ledger, seq, state, cell) for seq, state in control.pyramids],
        DETAILS: [_row(ledger, seq, details, cell) for seq, details in control.details],
        SIGNALS: [_signal_row(ledger, seq, signal, end, cell) for seq, signal, end in control.signals],
    }
    return ((table, some) for table, some in found.items() if some)


def _row(ledger: int, seq: Seq, statement: msgspec.Struct, cell: Cell) -> Row:
    return (ledger, seq, *(cell(value) for value in msgspec.structs.astuple(statement)[1:]))


def _signal_row(ledger: int, seq: Seq, signal: SignalLogged, end: SignalProcessed | None, cell: Cell) -> Row:
    """What became of a signal is NULL while it waits."""
    became = (None if end is None else cell(getattr(end, field)) for field in _END)
    return (*_row(ledger, seq, signal, cell), *became)
