"""``PositionManager``: the positions of a trading program, booked as it says it traded.

Nothing here sends an order. What a program says is a declared trade, which the venue's own fill supersedes when it
comes, whether before or after it was said.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from itertools import count
from os import getpid
from socket import gethostname
from types import TracebackType
from typing import Any, Self

import msgspec

from trueup.book.book import Book
from trueup.doors.exact import Number, exactly, number
from trueup.doors.exchange_rows import PositionsCompared, compare_positions
from trueup.doors.position import Position, PositionStatus
from trueup.doors.position_reading import read_positions
from trueup.doors.readings import default_id, strategy_of
from trueup.doors.settings import in_force
from trueup.doors.shelf import OVERTAKEN_MAX
from trueup.doors.summary import PortfolioSummary, summary_of
from trueup.doors.terms import terms_in
from trueup.doors.trading_database import Database, opened
from trueup.doors.unanswered import Unanswered
from trueup.engine.door import Fate
from trueup.model.errors import BadInput, NotFound, StaleVersion, StorageError, StoreAway
from trueup.model.events import Event, MarkSampled, TradeDeclared
from trueup.model.identifiers import AccountId, account_id
from trueup.model.instruments import Instrument
from trueup.model.numbers import ZERO
from trueup.model.times import NS_PER_SECOND, parse_time

_DAY_NS = 24 * 3_600 * NS_PER_SECOND

AUTHOR = "position manager"

_MANAGERS = count(1)
"""Tells those of one process from each other."""

Prices = Callable[[Sequence[str]], Mapping[str, Number]]
"""Asked for the prices of some assets; those that it does not know are left out."""


class _Said(msgspec.Struct, frozen=True):
    """A trade that somebody made, and the position that it is in."""

    trade: TradeDeclared
    position_id: str


class PositionManager:
    """Keeps the positions of a program. Each change is durable when the call returns. Threads may share a manager.

    Args:
        database: Where they are kept; what ``DB_PATH`` names where it is left out, else in memory alone.
        prices: Asked for the prices of what is open when the manager starts; None leaves those known last.

    Raises:
        DirectoryLocked: Another process has the database open.
        BadInput, StorageError: As of :class:`trueup.doors.trading_database.TradingDatabase`.
    """

    def __init__(self, database: Database = None, *, prices: Prices | None = None) -> None:
        self._threshold = in_force().liquidation_threshold
        self.database, self._owns = opened(database)
        self._manager = self.database.manager
        self._shelf = self.database.shelf
        self._numbers = count(1)
        self._instance = f"{gethostname()}:{getpid()}:{self._shelf.now()}:{next(_MANAGERS)}"
        self._declared: Unanswered[_Said] = Unanswered()
        self._closing: Unanswered[Position] = Unanswered()
        self._archived_until = 0
        if prices is not None and (held := self.get_all_positions()):
            self.update_position_prices(prices(sorted({position.asset for position in held})))

    # --- changes ------------------------------------------------------------------------------------------------------

    def add_position(self, position: Position | Mapping[str, Any] | None = None, **fields: object) -> Position:
        """Book that a position was opened, or one in the same asset at the same venue added to.

        Args:
            position: What was traded: its size at its entry price.
            fields: The same by name, in place of it or over it.

        Returns:
            The position as it is held now.

        Raises:
            BadInput: A position that cannot be, or is not open.
            StoreAway: The store is away; the same call again takes effect once.
        """
        given = position.to_dict() if isinstance(position, Position) else dict(position or {})
        given = {"leverage": None, "current_price": None, **given, **fields}
        if given["current_price"] is None:
            given["current_price"] = given.get("entry_price")
        wanted = Position.from_dict(given)
        if wanted.status not in {PositionStatus.OPEN, PositionStatus.REDUCED}:
            problem = "a position that is not open"
            raise BadInput("status", wanted.status, problem, remedy="Add it when it was traded; only that is booked.")
        if wanted.entry_price is None or not wanted.size:
            raise BadInput("size", wanted.size, "nothing traded at any price", remedy="Give its size and entry price.")
        for field in ("entry_price", "current_price"):
            _positive(getattr(wanted, field), field)
        account = account_id(wanted.venue.lower(), self._name)
        terms = terms_in(self._shelf, account, wanted.asset, self._manager.settings.currency)
        when = None if wanted.opened_at is None else parse_time(wanted.opened_at, "opened_at")
        self._note(account, terms, wanted)  # before the trade: who is cut off between the two may say it all again
        name, size, price = default_id(terms.symbol, "net"), wanted.size, wanted.entry_price
        call = ("add", account, name, size, price, when)
        return self._booked_once(call, lambda: self._said(account, terms, (name, "net"), (size, price), when))

    def reduce_position(self, asset: str, size: Number, price: Number, *, venue: str | None = None) -> Position:
        """Book that a part of a position was closed.

        Args:
            asset: In which.
            size: Of the part, positive.
            price: Of the trade.
            venue: Where, if it is held at several.

        Returns:
            What is left of it; a closed position where nothing is.

        Raises:
            NotFound: No such position is open.
            BadInput: It is not that large, or held at several venues.
            StoreAway: The store is away; the same call again takes effect once.
        """
        part, paid = number(size, "size"), _positive(price, "price")
        return self._booked_once(
            ("reduce", asset, venue, part, paid), lambda: self._reduction(asset, venue, part, paid)
        )

    def close_position(self, asset: str, close_price: Number, *, venue: str | None = None) -> Position:
        """Book that a position was closed.

        Returns:
            The closed position, with its size as it was and its P&L: ``calculate_pnl()`` is that of this close, and
            ``realized_pnl`` that of all closes in this asset there so far.

        Raises:
            NotFound: No such position is open.
            BadInput: It is held at several venues.
            StoreAway: The store is away; the same call again takes effect once.
        """
        paid = _positive(close_price, "close_price")
        call = (asset, venue, paid)
        held = self._closing.take(call) or self._only(asset, venue)
        try:
            self._manager.get_position(held.position_id, held.account)  # what is closed is what is held now
            after = self._manager.close_position(held.position_id, paid, account=held.account, current_price=paid)
        except StoreAway:
            self._closing.remember(call, held)
            raise
        self.database.changed([held.asset])
        return msgspec.structs.replace(
            held,
            current_price=exactly(paid),
            status=PositionStatus.CLOSED,
            realized_pnl=after.realized_pnl,
            closed_at=after.updated_at,
            updated_at=after.updated_at,
        )

    def update_position_prices(self, prices: Mapping[str, Number]) -> list[Position]:
        """Note the prices of assets, at every venue where they are held; the positions that this is about.

        Raises:
            BadInput: A price that is not positive.
            StoreAway: The store is away; nothing was noted.
        """
        quoted = {asset: _positive(price, asset) for asset, price in prices.items()}
        found = [
            (held, next((quoted[name] for name in _names(held) if name in quoted), None))
            for held in self.get_all_positions()
        ]
        priced = [(held, price) for held, price in found if price is not None]
        self._mark([(AccountId(held.account), self._terms_of(held), price) for held, price in priced])
        about = {_name(held) for held, _ in priced}
        return [position for position in self.get_all_positions() if _name(position) in about]

    def clear_closed_positions(self, older_than_days: float = 60) -> int:
        """Leave closed positions out of what this manager lists; how many these are. Journal and tables keep all."""
        until = self._shelf.now() - round(older_than_days * _DAY_NS)
        before = {_name(position) for position in self.get_all_positions(include_closed=True)}
        self._archived_until = max(self._archived_until, until)
        return len(before) - len(self.get_all_positions(include_closed=True))

    # --- reading ------------------------------------------------------------------------------------------------------

    def get_position(self, asset: str, *, venue: str | None = None) -> Position | None:
        """The open position in an asset; None when there is none.

        Raises:
            BadInput: It is held at several venues, which the message names, and ``venue`` is left out.
        """
        found = self.get_positions(asset, venue=venue)
        if len(found) > 1:
            venues = ", ".join(position.venue for position in found)
            raise BadInput("asset", asset, f"it is held at {venues}", remedy="Name one of them: venue=…")
        return found[0] if found else None

    def get_positions(self, asset: str, *, venue: str | None = None) -> list[Position]:
        """Every open position in an asset, one for each venue or account that holds it."""
        return [
            position
            for account in self.database.accounts()
            for position in self._positions(account)
            if position.is_open and asset in _names(position) and (venue is None or position.venue == venue.lower())
        ]

    def get_all_positions(self, *, include_closed: bool = False) -> list[Position]:
        """Every open position, by account and asset; closed ones too where they are asked for."""
        found = [position for account in self.database.accounts() for position in self._positions(account)]
        return [position for position in found if position.is_open or (include_closed and not self._archived(position))]

    def get_positions_at_risk(self, threshold_pct: Number | None = None) -> list[Position]:
        """Open positions that are nearer to their liquidation than a threshold, the nearest first.

        One whose liquidation price nobody stated is not among them.

        Args:
            threshold_pct: In per cent of the current price; ``LIQUIDATION_THRESHOLD`` where it is left out, else 5.
        """
        bound = self._threshold if threshold_pct is None else number(threshold_pct, "threshold_pct")
        found = [(position.calculate_liquidation_distance(), position) for position in self.get_all_positions()]
        near = [(far, position) for far, position in found if far is not None and Decimal(repr(far)) < bound]
        return [position for _, position in sorted(near, key=lambda one: one[0])]

    def get_portfolio_summary(self) -> PortfolioSummary:
        """What is held, added up over all venues. Amounts are added as they are: one currency is taken for granted."""
        return summary_of(self.get_all_positions(), len(self.get_positions_at_risk()))

    def reconcile_with_exchange(
        self, positions: Mapping[str, Any] | Sequence[Position | Mapping[str, Any]], venue: str
    ) -> PositionsCompared:
        """Compare what is held with what a venue says; nothing is changed.

        Args:
            positions: All that the venue holds, by asset or as a list: sizes, or mappings with ``size`` and perhaps
                ``entry_price`` and ``leverage``. What is left out counts as flat.
            venue: Which.

        Raises:
            BadInput: A row that cannot be read.
        """
        account = account_id(venue.lower(), self._name)
        return compare_positions(self._shelf, account, positions, self._positions(account))

    # --- start and end ------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Let go of the store, if this manager opened it."""
        if self._owns:
            self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- beneath ------------------------------------------------------------------------------------------------------

    @property
    def _name(self) -> str:
        return self._manager.settings.account.partition(":")[2]

    def _positions(self, account: AccountId) -> list[Position]:
        return read_positions(self._shelf, account)

    def _only(self, asset: str, venue: str | None) -> Position:
        found = self.get_position(asset, venue=venue)
        if found is None:
            raise NotFound(f"No position in {asset!r} is open.", remedy="See get_all_positions().")
        return found

    def _held(self, position_id: str, account: AccountId) -> Position:
        found = read_positions(self._shelf, account, [position_id])
        if not found:
            raise NotFound(f"{account} holds no {position_id!r}.", remedy="See get_all_positions().")
        return found[0]

    def _terms_of(self, position: Position) -> Instrument:
        return terms_in(self._shelf, AccountId(position.account), position.asset, self._manager.settings.currency)

    def _archived(self, position: Position) -> bool:
        return position.updated_at is not None and parse_time(position.updated_at, "updated_at") < self._archived_until

    def _reduction(self, asset: str, venue: str | None, part: Decimal, price: Decimal) -> _Said:
        held = self._only(asset, venue)
        if not ZERO < part <= abs(held.size):
            problem = f"{held.asset} holds {abs(held.size)}"
            raise BadInput("size", part, problem, remedy="Reduce by no more than that.")
        account, terms = AccountId(held.account), self._terms_of(held)
        known = self._manager.get_position(held.position_id, account)
        side = "net" if known is None else known.position_side
        self._mark([(account, terms, price)])
        return self._said(account, terms, (held.position_id, side), (part.copy_sign(-held.size), price), None)

    def _said(
        self,
        account: AccountId,
        terms: Instrument,
        position: tuple[str, str],
        traded: tuple[Decimal, Decimal],
        when: int | None,
    ) -> _Said:
        """That a signed size was traded at a price, in a position of a name and side."""
        (name, side), (size, price) = position, traded
        trade = TradeDeclared(
            account,
            terms.symbol,
            side,
            "buy" if size > ZERO else "sell",
            Decimal(abs(size)),
            Decimal(price),
            self._shelf.now() if when is None else when,
            f"{terms.symbol}:{next(self._numbers)}:{self._instance}",
            AUTHOR,
            strategy_of(name, terms.symbol, side),
            terms.version,
        )
        return _Said(trade, name)

    def _booked_once(self, call: Hashable, say: Callable[[], _Said]) -> Position:
        """Book a trade; where the same call was made before and never answered, that very one, not another."""
        said = self._declared.take(call) or say()
        trade = said.trade
        try:
            self._shelf.ledger(trade.account).read(lambda book: book.admit(trade))  # a refusal is the caller's own
            (fate,) = self._shelf.book(trade.account, [trade]).fates
            self.database.changed([trade.instrument])
            held = self._held(said.position_id, trade.account)
        except StorageError:
            self._declared.remember(call, said)
            raise
        if fate not in {Fate.BOOKED, Fate.ALREADY}:
            remedy = "Look at what was put aside: trueup journal show --kind quarantined."
            raise BadInput("declaration_id", trade.declaration_id, "another trade has it", remedy=remedy)
        return held

    def _note(self, account: AccountId, terms: Instrument, wanted: Position) -> None:
        """Keep what no trade tells: leverage, liquidation price, the price now."""
        details = {
            "leverage": wanted.leverage,
            "liquidation_price": wanted.liquidation_price,
            "is_base_position": wanted.is_base_position,
            "current_price": wanted.current_price,
        }
        name = default_id(terms.symbol, "net")
        known: dict[str, Any] = {field: value for field, value in details.items() if value is not None}
        tries = count(1)
        while True:
            self._manager.get_position(name, account)
            try:
                self._manager.save_position(position_id=name, instrument=terms.symbol, account=account, **known)
            except StaleVersion:  # another manager was first; what is said here is said all the same
                if next(tries) >= OVERTAKEN_MAX:
                    raise
            else:
                return

    def _mark(self, prices: Sequence[tuple[AccountId, Instrument, Decimal]]) -> None:
        now = self._shelf.now()
        for account in {account for account, _, _ in prices}:
            sampled = [
                MarkSampled(account, terms.symbol, price, now, AUTHOR) for of, terms, price in prices if of == account
            ]
            self._shelf.commit(account, partial(_all, sampled))
        self.database.changed({terms.symbol for _, terms, _ in prices})


def _all(events: Sequence[Event], _book: Book) -> Sequence[Event]:
    return events


def _positive(price: Number, field: str) -> Decimal:
    found = number(price, field)
    if found <= ZERO:
        raise BadInput(field, price, "not a positive price", remedy="Leave out what has none.")
    return found


def _names(position: Position) -> tuple[str, ...]:
    """What a position may be called: its instrument, here or at the venue, or its own name."""
    native = "" if position.terms is None else position.terms.native_symbol
    return position.asset, position.position_id, native


def _name(position: Position) -> tuple[str, str]:
    return position.account, position.position_id
