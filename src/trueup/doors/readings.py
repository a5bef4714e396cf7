"""What a door shows of one ledger: a frozen copy, so that it can still be shown when the store is away.

A position here is the part of a book's position that one strategy holds. Its id is the strategy's name once its details
were saved; what nobody ordered through us goes by the instrument's symbol.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from trueup.book.book import Book
from trueup.book.valuation import contract_value
from trueup.doors.exact import Exact, exactly, shown
from trueup.model.facts import order_key
from trueup.model.identifiers import EXTERNAL, AccountId, Seq
from trueup.model.numbers import exact
from trueup.model.positions import Position, SubPosition, entry_price
from trueup.model.statements import PortfolioStateSaved, PositionDetailsSaved, PyramidingStateSaved, SignalLogged
from trueup.model.times import format_time

KEYS = frozenset({"account", "position_id", "instrument", "position_side", "version", "saved_at", "author"})
"""Fields of :class:`PositionDetailsSaved` that are not details."""

DETAILS = frozenset(PositionDetailsSaved.__struct_fields__) - KEYS


class PortfolioPosition(msgspec.Struct, frozen=True, kw_only=True):
    """One position of a portfolio. Its saved details are attributes as well: ``position.current_stop``.

    Attributes:
        quantity: Signed: long positive, short negative.
        entry_price: Average; None when flat or unknown.
        current_price: The newest sampled mark; None when there is none.
        value: Of the quantity at the mark, or at the average where there is none; None when both are unknown.
        realized_pnl: Gross of fees.
        opened_at, updated_at: RFC 3339.
        version: Of its saved details; 0 when none were saved.
        details: As they were saved last; None when they never were.
        stale: The store cannot be reached: this is what memory knew last.
    """

    position_id: str
    account: AccountId
    instrument: str
    position_side: str
    quantity: Exact
    entry_price: Exact | None
    current_price: Exact | None
    value: Exact | None
    realized_pnl: Exact
    opened_at: str | None
    updated_at: str
    version: int
    details: PositionDetailsSaved | None
    stale: bool = False

    @property
    def is_open(self) -> bool:
        """Whether anything is held."""
        return bool(self.quantity)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - a detail may be a number, a text or a truth
        if name not in DETAILS:
            raise AttributeError(f"a position has no {name!r}")
        value = None if self.details is None else getattr(self.details, name)
        return exactly(value) if isinstance(value, Decimal) else value

    def to_dict(self) -> dict[str, Any]:
        """All fields and details, flat."""
        own = {name: getattr(self, name) for name in self.__struct_fields__ if name != "details"}
        return own | {name: getattr(self, name) for name in sorted(DETAILS)}


class PortfolioState(msgspec.Struct, frozen=True):
    """How the portfolio as a whole stands; see :class:`trueup.model.statements.PortfolioStateSaved`."""

    initial_capital: Exact | None = None
    closed_equity: Exact | None = None
    total_risk_amount: Exact | None = None
    total_risk_percent: Exact | None = None
    total_vol_amount: Exact | None = None
    margin_used: Exact | None = None
    version: int = 0
    stale: bool = False

    def changed(self, fields: Mapping[str, Decimal | None]) -> "PortfolioState":
        """The next version, kept by nobody but the caller."""
        new = {name: shown(value) for name, value in fields.items()}
        return msgspec.structs.replace(self, **new, version=self.version + 1)


class PyramidingState(msgspec.Struct, frozen=True):
    """How far a pyramid has been built; see :class:`trueup.model.statements.PyramidingStateSaved`."""

    instrument: str
    last_pyramid_price: Exact | None = None
    base_position: str | None = None
    version: int = 0
    stale: bool = False


class Reading(msgspec.Struct, frozen=True):
    """One ledger at one seq.

    Attributes:
        positions: By id, those that are flat included.
        pyramids: By instrument.
        signals: Those of which nothing has become yet, the first to come first.
    """

    seq: Seq
    positions: Mapping[str, PortfolioPosition]
    portfolio: PortfolioState
    pyramids: Mapping[str, PyramidingState]
    signals: Sequence[SignalLogged]

    def as_stale(self) -> "Reading":
        """The same, marked as what memory knew last."""
        stale = msgspec.structs.replace
        return Reading(
            self.seq,
            {name: stale(position, stale=True) for name, position in self.positions.items()},
            stale(self.portfolio, stale=True),
            {name: stale(pyramid, stale=True) for name, pyramid in self.pyramids.items()},
            self.signals,
        )


def read_book(book: Book) -> Reading:
    """What a book says."""
    found: dict[str, PortfolioPosition] = {}
    for position in book.positions().values():
        for strategy, part in position.by_strategy.items():
            shown_ = _position(book, position, strategy, part)
            found[shown_.position_id] = shown_
    for details in book.control.details.values():
        if details.position_id not in found:  # nothing was traded yet, or not in this instrument any more
            found[details.position_id] = _planned(book, details)
    return Reading(
        book.seq,
        found,
        _portfolio(book.control.portfolio),
        {name: _pyramid(state) for name, state in book.control.pyramids.items()},
        sorted(book.control.waiting.values(), key=order_key),
    )


def default_id(instrument: str, position_side: str) -> str:
    """The id of the part of a position that nobody ordered through us."""
    return instrument if position_side == "net" else f"{instrument}:{position_side}"


def strategy_of(position_id: str, instrument: str, position_side: str) -> str:
    """Which strategy's part of a position an id stands for."""
    return EXTERNAL if position_id == default_id(instrument, position_side) else position_id


def _position(book: Book, position: Position, strategy: str, part: SubPosition) -> PortfolioPosition:
    instrument, side = position.instrument.symbol, position.position_side
    name = default_id(instrument, side)
    known = book.control.details.get(name if strategy == EXTERNAL else strategy)
    details = known if known is not None and (known.instrument, known.position_side) == (instrument, side) else None
    mark = book.marks.get(instrument)
    with exact():
        entry = entry_price(position.instrument, part.quantity, part.cost)
        price = entry if mark is None else mark.price
        value = None if price is None else contract_value(position.instrument, part.quantity, price)
    return PortfolioPosition(
        position_id=details.position_id
        if details is not None
        else name
        if strategy == EXTERNAL
        else f"{name}#{strategy}",
        account=book.account,
        instrument=instrument,
        position_side=side,
        quantity=exactly(part.quantity),
        entry_price=shown(entry),
        current_price=None if mark is None else exactly(mark.price),
        value=shown(value),
        realized_pnl=exactly(part.realized_pnl),
        opened_at=None if position.opened_at is None else format_time(position.opened_at),
        updated_at=format_time(max(position.updated_at, 0 if details is None else details.saved_at)),
        version=0 if details is None else details.version,
        details=details,
    )


def _planned(book: Book, details: PositionDetailsSaved) -> PortfolioPosition:
    mark = book.marks.get(details.instrument)
    return PortfolioPosition(
        position_id=details.position_id,
        account=book.account,
        instrument=details.instrument,
        position_side=details.position_side,
        quantity=Exact(0),
        entry_price=None,
        current_price=None if mark is None else exactly(mark.price),
        value=Exact(0),
        realized_pnl=Exact(0),
        opened_at=None,
        updated_at=format_time(details.saved_at),
        version=details.version,
        details=details,
    )


def _portfolio(state: PortfolioStateSaved | None) -> PortfolioState:
    if state is None:
        return PortfolioState()
    return PortfolioState(
        shown(state.initial_capital),
        shown(state.closed_equity),
        shown(state.total_risk_amount),
        shown(state.total_risk_percent),
        shown(state.total_vol_amount),
        shown(state.margin_used),
        state.version,
    )


def _pyramid(state: PyramidingStateSaved) -> PyramidingState:
    return PyramidingState(state.instrument, shown(state.last_pyramid_price), state.base_position, state.version)
