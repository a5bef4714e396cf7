"""``DatabaseStateManager``: positions, portfolio state, pyramids and signals of a trading program, kept in a store."""

import os
from collections.abc import Callable, Hashable, Mapping, Sequence
from decimal import Decimal
from socket import gethostname
from threading import RLock
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

from trueup import __version__
from trueup.book.book import Book
from trueup.book.control import Control
from trueup.doors import saving
from trueup.doors.exact import Number, number
from trueup.doors.fields import renamed, statement_fields, time_of
from trueup.doors.readings import DETAILS, PortfolioPosition, PortfolioState, PyramidingState, default_id
from trueup.doors.settings import Config, door_settings
from trueup.doors.shelf import Shelf, open_shelf
from trueup.doors.signal_log import SignalLog
from trueup.doors.terms import terms_in
from trueup.doors.unanswered import Unanswered
from trueup.model.errors import BadInput, NotFound, StaleVersion, StoreAway
from trueup.model.identifiers import CONTROL, AccountId, account_id, parse_account
from trueup.model.instruments import Instrument
from trueup.model.numbers import EXACT, ZERO
from trueup.model.statements import (
    PortfolioStateSaved,
    PositionDetailsSaved,
    PyramidingStateSaved,
    SignalLogged,
)
from trueup.ports import Instance

_POSITION = frozenset(
    {"position_id", "instrument", "position_side", "account", "venue", "quantity", "entry_price", "price"}
    | {"current_price", "timestamp", "version", "contract_size", "currency", *DETAILS}
)
_SHOWN_ONLY = frozenset({"realized_pnl", "value", "opened_at", "updated_at", "stale"})
"""What a position shows and nobody states; a shown position may be saved again as it is."""

_PORTFOLIO = frozenset(PortfolioState.__struct_fields__) - {"version", "stale"}
_PYRAMID = frozenset({"last_pyramid_price", "base_position"})

State = TypeVar("State", PortfolioStateSaved, PyramidingStateSaved)

_HEAD = ("account", "version", "saved_at", "author")


class _Change(msgspec.Struct, frozen=True):
    """A change of what a position holds.

    Attributes:
        target: Fields that name the position.
        basis: The version and the quantity that it is made on.
        quantity: To be reached.
    """

    target: Mapping[str, str]
    basis: tuple[int, Decimal]
    quantity: Decimal


class Started(msgspec.Struct, frozen=True):
    """What a start loaded, in the order in which it did.

    Attributes:
        positions: Open ones, by id.
        pyramiding: By instrument.
        portfolio: With ``closed_equity``.
        signals: Logged before, and not acted upon yet: the first to come first.
    """

    positions: Mapping[str, PortfolioPosition]
    pyramiding: Mapping[str, PyramidingState]
    portfolio: PortfolioState
    signals: Sequence[SignalLogged]


class DatabaseStateManager(SignalLog):
    """Keeps what a trading program must not forget. Every saved change is durable when the call returns.

    Reads answer from memory, which follows the store. While the store is away they answer what was known last, marked
    ``stale``, and writes raise :class:`trueup.model.errors.StoreAway`: the same call again later takes effect once.

    Saving is optimistic. Each manager knows the version of what it loaded or saved last; a save on an older version
    raises :class:`trueup.model.errors.ConcurrentUpdate`, which names both. Load again, and repeat the change.
    Threads may share a manager; what one of them loads, all of them have loaded.

    Args:
        config: See :func:`trueup.doors.settings.door_settings`.
        section: Which section of it.

    Raises:
        BadInput: A configuration that cannot be used.
        StorageError: The store cannot be opened.
    """

    def __init__(self, config: Config = None, section: str | None = None) -> None:
        self.settings = door_settings(config, section)
        super().__init__(open_shelf(self.settings.store, self.settings.backup_to), self.settings.author)
        self._started_at = self._shelf.now()
        self._instance = f"{gethostname()}:{os.getpid()}:{self._started_at}"
        self._seen: dict[tuple[AccountId, type, str], tuple[int, Decimal]] = {}
        self._turn = RLock()
        self._closed = False
        self._changes: Unanswered[_Change] = Unanswered()
        self._stated: Unanswered[PortfolioStateSaved | PyramidingStateSaved] = Unanswered()

    # --- positions ----------------------------------------------------------------------------------------------------

    def save_position(
        self,
        position: Mapping[str, Any] | PortfolioPosition | None = None,
        **fields: object,
    ) -> PortfolioPosition:
        """Make a position what is given; fields that are not given stay as they are.

        The difference to the quantity held is booked as a declared trade, at ``price``, or so that the average becomes
        ``entry_price``. No order is sent. The venue's own fills supersede the trade when they come.

        Args:
            position: Fields by name, or a position as it was loaded.
            fields: More of them: ``position_id`` (the instrument's symbol where it is left out), ``instrument`` (or
                ``asset``, ``symbol``), ``quantity`` (or ``size``; negative is short), ``entry_price``, ``price``,
                ``current_price``, ``timestamp``, ``venue`` or ``account``, ``position_side``, ``version``, and the
                details of :class:`trueup.model.statements.PositionDetailsSaved`.

        Raises:
            ConcurrentUpdate: Somebody changed it since it was loaded; nothing was saved.
            BadInput: A field that is not one, or a change of quantity without a price.
            StoreAway: The store is away; nothing was saved.
        """
        basis = None
        if isinstance(position, PortfolioPosition):
            basis = None if "version" in fields else (position.version, Decimal(position.quantity))
            position = _identity(position)
        given = {name: value for name, value in (position or {}).items() if name not in _SHOWN_ONLY} | fields
        with self._turn:
            return self._save(renamed(given, _POSITION), basis)

    def _save(self, given: Mapping[str, Any], basis: tuple[int, Decimal] | None) -> PortfolioPosition:
        account = self._account(given)
        name, side = given.get("position_id"), given.get("position_side", "net")
        known = None if name is None else self._shelf.read(account).positions.get(name)
        terms = self._terms(account, given, known)
        name = name or default_id(terms.symbol, side)
        loaded = basis or self._loaded(account, PositionDetailsSaved, name, given.get("version"))
        now = self._shelf.now()
        wanted = saving.Wanted(
            position_id=name,
            position_side=side if known is None else known.position_side,
            quantity=_optional(given, "quantity"),
            entry_price=_optional(given, "entry_price"),
            price=_optional(given, "price"),
            mark=_optional(given, "current_price"),
            details=statement_fields(PositionDetailsSaved, {k: v for k, v in given.items() if k in DETAILS}),
            version=loaded[0],
            seen=loaded[1],
            instance=self._instance,
            author=self.settings.author,
            now=now,
            venue_time=time_of(given["timestamp"], "timestamp") if given.get("timestamp") is not None else now,
        )
        self._shelf.commit(account, lambda book: saving.decide(book, terms, wanted))
        return self._noted(account, [self._shelf.read(account).positions[name]])[0]

    def get_position(self, position_id: str, account: str | None = None) -> PortfolioPosition | None:
        """A position by its id, or by its instrument where one position only is in it; None when there is none.

        Raises:
            BadInput: Several positions are in that instrument.
        """
        of = self._account({"account": account})
        positions = self._shelf.read(of).positions
        named = [positions[position_id]] if position_id in positions else []
        found = named or [p for p in positions.values() if p.instrument == position_id]
        if len(found) > 1:
            names = ", ".join(p.position_id for p in found)
            raise BadInput("position_id", position_id, "several positions are in it", remedy=f"Name one: {names}.")
        return self._noted(of, found)[0] if found else None

    def get_all_positions(self, account: str | None = None) -> dict[str, PortfolioPosition]:
        """Every position of an account by its id, flat ones included."""
        of = self._account({"account": account})
        return {p.position_id: p for p in self._noted(of, list(self._shelf.read(of).positions.values()))}

    def get_all_open_positions(self, account: str | None = None) -> dict[str, PortfolioPosition]:
        """Every position of an account that holds anything, by its id."""
        return {name: p for name, p in self.get_all_positions(account).items() if p.is_open}

    def close_position(self, position_id: str, price: Number, **fields: object) -> PortfolioPosition:
        """Book that a whole position was closed at a price. Raises as :meth:`save_position`, and :class:`NotFound`."""
        return self._end_part(position_id, lambda held: held, price, ("close", None), fields)

    def reduce_position(self, position_id: str, size: Number, price: Number, **fields: object) -> PortfolioPosition:
        """Book that ``size`` of a position (positive) was closed at a price.

        Raises:
            NotFound: No such position is open.
            BadInput: It is not that large.
        """
        part = number(size, "size")

        def ended(held: Decimal) -> Decimal:
            if not ZERO < part <= abs(held):
                raise BadInput("size", size, f"{position_id} holds {abs(held)}", remedy="Reduce by no more than that.")
            return part.copy_sign(held)

        return self._end_part(position_id, ended, price, ("reduce", part), fields)

    def add_to_position(self, position_id: str, size: Number, price: Number, **fields: object) -> PortfolioPosition:
        """Book that ``size`` (negative for a sale) was traded at a price, whatever is held.

        Args:
            position_id: As of :meth:`get_position`; the symbol of an instrument that nothing is held in yet.
            size: Signed.
            price: Of the trade.
            fields: As of :meth:`save_position`.

        Raises:
            As :meth:`save_position`.
        """
        part = number(size, "size")
        account = self._account(fields)

        def change() -> _Change:
            held = self.get_position(position_id, account)
            if held is None:
                return _Change({"instrument": position_id}, (0, ZERO), part)
            return self._change_of(held, lambda quantity: EXACT.add(quantity, part))

        return self._changed(("add", account, position_id, part, price, repr(fields)), change, price, fields)

    # --- portfolio and pyramids ---------------------------------------------------------------------------------------

    def save_portfolio_state(self, state: Mapping[str, Any] | None = None, **fields: object) -> PortfolioState:
        """Save how the portfolio stands; fields that are not given stay as they are.

        Args:
            state: Fields by name.
            fields: More of them: ``initial_capital``, ``closed_equity``, ``total_risk_amount``, ``total_risk_percent``,
                ``total_vol_amount``, ``margin_used``, ``version``.

        Raises:
            ConcurrentUpdate: Somebody saved it since it was loaded.
            StoreAway: The store is away; nothing was saved.
        """
        given = renamed(dict(state or {}) | fields, _PORTFOLIO | {"version"})
        version, _ = self._loaded(CONTROL, PortfolioStateSaved, "", given.pop("version", None))
        values = statement_fields(PortfolioStateSaved, given)
        self._state(CONTROL, PortfolioStateSaved, lambda control: control.portfolio, version, values)
        return self.get_portfolio_state()

    def get_portfolio_state(self) -> PortfolioState:
        """How the portfolio stands; everything unknown while nobody said."""
        state = self._shelf.read(CONTROL).portfolio
        self._seen[CONTROL, PortfolioStateSaved, ""] = state.version, ZERO
        return state

    def save_pyramiding_state(
        self,
        instrument: str,
        state: Mapping[str, Any] | None = None,
        *,
        account: str | None = None,
        **fields: object,
    ) -> PyramidingState:
        """Save how far a pyramid has been built; fields that are not given stay as they are.

        Args:
            instrument: In what.
            state: Fields by name.
            account: Whose; None for a pyramid that spans accounts.
            fields: ``last_pyramid_price``, ``base_position`` (an id, or None for none), ``version``.

        Raises:
            ConcurrentUpdate: Somebody saved it since it was loaded.
            StoreAway: The store is away; nothing was saved.
        """
        given = renamed(dict(state or {}) | fields, _PYRAMID | {"version"})
        of = CONTROL if account is None else parse_account(account)
        version, _ = self._loaded(of, PyramidingStateSaved, instrument, given.pop("version", None))
        values = {"instrument": instrument, **statement_fields(PyramidingStateSaved, given)}
        self._state(of, PyramidingStateSaved, lambda control: control.pyramids.get(instrument), version, values)
        return self.get_pyramiding_state(instrument, account)

    def get_pyramiding_state(self, instrument: str, account: str | None = None) -> PyramidingState:
        """How far a pyramid has been built; everything unknown while nobody said."""
        return self.get_all_pyramiding_states(account).get(instrument) or PyramidingState(instrument)

    def get_all_pyramiding_states(self, account: str | None = None) -> dict[str, PyramidingState]:
        """Every pyramid by its instrument."""
        of = CONTROL if account is None else parse_account(account)
        found = dict(self._shelf.read(of).pyramids)
        for instrument, state in found.items():
            self._seen[of, PyramidingStateSaved, instrument] = state.version, ZERO
        return found

    # --- start and end ------------------------------------------------------------------------------------------------

    def start(self) -> Started:
        """Load what a start needs: open positions, then pyramids, then the portfolio, then signals that wait."""
        return Started(
            self.get_all_open_positions(),
            self.get_all_pyramiding_states(),
            self.get_portfolio_state(),
            self.get_waiting_signals(),
        )

    def heartbeat(self, *, is_leader: bool = False) -> None:
        """Note in ``instance_metadata`` that this process is alive, and whether it takes itself for the leader.

        Raises:
            StoreAway: The store is away.
        """
        self._shelf.beat(
            Instance(
                instance_id=self._instance,
                host=gethostname(),
                pid=os.getpid(),
                version=__version__,
                started_at=self._started_at,
                heartbeat_at=max(self._shelf.now(), self._started_at),
                is_leader=is_leader,
            )
        )

    def get_instances(self) -> Sequence[Instance]:
        """The processes that noted they are alive, by id; old ones say so by their ``heartbeat_at``."""
        return self._shelf.instances()

    @property
    def shelf(self) -> Shelf:
        """The store beneath, for other doors."""
        return self._shelf

    @property
    def away(self) -> StoreAway | None:
        """Why the store cannot be used now; None while it can, as far as the last call knows."""
        return self._shelf.away

    def close(self) -> None:
        """Let go of the store; closing twice is fine."""
        with self._turn:
            closed, self._closed = self._closed, True
        if not closed:
            self._shelf.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- beneath ------------------------------------------------------------------------------------------------------

    def _account(self, given: Mapping[str, Any]) -> AccountId:
        if given.get("account") is not None:
            return parse_account(str(given["account"]))
        if given.get("venue") is not None:
            return account_id(str(given["venue"]), self.settings.account.partition(":")[2])
        return self.settings.account

    def _terms(self, account: AccountId, given: Mapping[str, Any], known: PortfolioPosition | None) -> Instrument:
        """The terms of the instrument; a plain contract's are defined where nobody has defined any."""
        symbol = str(given.get("instrument") or (known.instrument if known is not None else ""))
        if not symbol:
            raise BadInput("instrument", None, "a position is in some instrument", remedy="Name it: instrument=…")
        currency = str(given.get("currency") or self.settings.currency)
        return terms_in(self._shelf, account, symbol, currency, given.get("contract_size"))

    def _loaded(self, account: AccountId, kind: type, key: str, version: object) -> tuple[int, Decimal]:
        """The version and quantity that a change is made on: as given, or as this manager loaded or saved it last."""
        seen = self._seen.get((account, kind, key), (0, ZERO))
        if version is None or version == seen[0]:
            return seen
        if not isinstance(version, int):
            raise BadInput("version", version, "not a whole number", remedy="Give the version as it was loaded.")
        held = self._shelf.read(account).positions.get(key)
        return version, ZERO if held is None else Decimal(held.quantity)

    def _noted(self, account: AccountId, positions: Sequence[PortfolioPosition]) -> Sequence[PortfolioPosition]:
        """Positions that are handed out: what is saved next is a change of these."""
        for p in positions:
            self._seen[account, PositionDetailsSaved, p.position_id] = p.version, Decimal(p.quantity)
        return positions

    def _end_part(
        self,
        position_id: str,
        part: Callable[[Decimal], Decimal],
        price: Number,
        call: Hashable,
        fields: Mapping[str, Any],
    ) -> PortfolioPosition:
        """Book that a part of an open position, signed like it, was closed."""
        account = self._account(fields)

        def change() -> _Change:
            loaded = dict(self._seen)
            held = self.get_position(position_id, account)
            if held is None or not held.is_open:
                raise NotFound(f"No position {position_id!r} is open.", remedy="See get_all_open_positions().")
            made = self._change_of(held, lambda quantity: EXACT.subtract(quantity, part(quantity)))
            before = loaded.get((held.account, PositionDetailsSaved, held.position_id))
            return made if before is None else msgspec.structs.replace(made, basis=before)

        return self._changed((call, account, position_id, price, repr(fields)), change, price, fields)

    def _change_of(self, held: PortfolioPosition, reached: Callable[[Decimal], Decimal]) -> _Change:
        quantity = Decimal(held.quantity)
        return _Change({"position_id": held.position_id}, (held.version, quantity), reached(quantity))

    def _changed(
        self, call: Hashable, change: Callable[[], _Change], price: Number, fields: Mapping[str, Any]
    ) -> PortfolioPosition:
        """Make a change; where the same call was made before and never answered, that very change, not another one."""
        with self._turn:
            made = self._changes.take(call) or change()
            given = {**fields, **made.target, "quantity": made.quantity, "price": price}
            asked = self.away is None  # else it was made of what memory knew, and was not sent
            try:
                return self._save(renamed(given, _POSITION), made.basis)
            except StoreAway:
                if asked:
                    self._changes.remember(call, made)
                raise

    def _state(
        self,
        account: AccountId,
        kind: type[State],
        known_in: Callable[[Control], State | None],
        version: int,
        values: Mapping[str, Any],
    ) -> None:
        """Make the next statement, if it says anything new; once, though its answer was lost and it is made again."""
        instrument = values.get("instrument")
        what = "The portfolio state" if instrument is None else f"The pyramiding state of {instrument}"
        before, made = self._stated.take((account, what)), None

        def decide(book: Book) -> Sequence[State]:
            nonlocal made
            known = known_in(book.control)
            head = (account, version + 1, self._shelf.now(), self.settings.author)
            held = {} if known is None else {name: getattr(known, name) for name in kind.__struct_fields__}
            stated = kind(**{**held, **values, **dict(zip(_HEAD, head, strict=True))})
            unchanged = known is not None and _same(known, stated)
            if unchanged and known == before:
                return ()
            if (found := 0 if known is None else known.version) != version:
                raise StaleVersion(what, version, found)
            made = stated
            return () if unchanged else [stated]

        try:
            self._shelf.commit(account, decide)
        except StoreAway:
            if (asked := made or before) is not None:
                self._stated.remember((account, what), asked)
            raise


def _identity(position: PortfolioPosition) -> dict[str, Any]:
    return {name: getattr(position, name) for name in ("position_id", "account", "instrument", "position_side")}


def _optional(given: Mapping[str, Any], field: str) -> Decimal | None:
    value = given.get(field)
    return None if value is None else number(value, field)


def _same(known: State, stated: State) -> bool:
    return all(getattr(known, name) == getattr(stated, name) for name in known.__struct_fields__ if name not in _HEAD)
