"""An account of the engine over its interfaces: a :class:`trueup.ports.LiveVenue` for every place where it runs.

Questions and orders go over HTTP, where each answer belongs to its call and a lost one is known to be lost; what
happens comes over the WebSocket. What an answer says, :class:`~trueup.venues.jsonrpc_derivatives.reader.EngineReader`
reads, as it reads saved ones.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from random import Random
from types import MappingProxyType

from trueup.model.differences import VenueSnapshot
from trueup.model.errors import BadInput, Malformed, Rejected
from trueup.model.events import Fact, InstrumentDefined, OrderReported
from trueup.model.identifiers import AccountId
from trueup.model.instruments import Instrument
from trueup.model.orders import Amendment, OrderRequest
from trueup.model.venues import Capabilities, Gap, Mark
from trueup.ports import Clock, Refused
from trueup.venues import rows
from trueup.venues.jsonrpc_derivatives.auth import Grant
from trueup.venues.jsonrpc_derivatives.calls import ORDERS_MAX
from trueup.venues.jsonrpc_derivatives.desk import VALID_MS, Desk
from trueup.venues.jsonrpc_derivatives.history import History, cursor_at
from trueup.venues.jsonrpc_derivatives.orders import terms
from trueup.venues.jsonrpc_derivatives.reader import Engine, EngineReader
from trueup.venues.jsonrpc_derivatives.snapshots import States, currencies_of
from trueup.venues.jsonrpc_derivatives.socket import SignedIn, open_signed_in
from trueup.venues.jsonrpc_derivatives.stream import Conversation, channels
from trueup.venues.jsonrpc_derivatives.wire import Wire, row_of
from trueup.venues.rows import Row
from trueup.venues.transport.health import ConnectionHealth
from trueup.venues.transport.limiter import Priority
from trueup.venues.transport.stream import Stream

_INSTRUMENTS = "public/get_instruments"

CAPABILITIES = Capabilities(
    cursor="time",
    find="window",
    order_types=frozenset(("limit", "market", "stop", "stop_limit", "take_profit")),
    times_in_force=frozenset(("gtc", "ioc", "fok", "post_only")),
    amends=True,
    streams=True,
    cannot=(
        "Options and combos are left out: their trades are refused, and while options are held balances are unknown.",
        "A label is no identity: two orders may have the same. After an unknown outcome, find it before placing it.",
        f"An order that is over is found by its label for half an hour, then among a currency's newest {ORDERS_MAX}.",
        f"An order that was sent may still be taken until {VALID_MS // 1000} s after it was made, and not later.",
        "Funding is told when it is settled, at 08:00 UTC or with a trade; balances are compared without what is not.",
    ),
)


class EngineVenue:
    """An account of the engine. Belongs to one event loop.

    Args:
        account: The ledger's name.
        engine: Where it runs.
        capabilities: What it offers there.
        grant: The account's credential.
        rest_url, stream_url: Addresses of the interfaces, their paths included.
        clock: For the times around answers.
        random: Spreads reconnections.
        learnt: What earlier answers said of the account; one of another account is refused.

    Attributes:
        health: How the connections are doing.
    """

    def __init__(
        self,
        account: AccountId,
        *,
        engine: Engine,
        capabilities: Capabilities = CAPABILITIES,
        grant: Grant,
        rest_url: str,
        stream_url: str,
        clock: Clock,
        random: Random,
        learnt: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.account = account
        self.capabilities = capabilities
        self._engine = engine
        self._rest_url = rest_url
        self._stream_url = stream_url
        self._clock = clock
        self._random = random
        self._wire = Wire(engine, grant, rest_url, clock)
        self._reader = EngineReader(account, engine)
        self._states = States(account, engine, self._reader, self._wire, learnt)
        self._history = History(self._reader, self._wire, self._states)
        self._desk = Desk(account, engine, self._wire, self._states)
        self._stream: Stream[Fact | Gap] | None = None
        self.health: dict[str, ConnectionHealth] = {
            **self._wire.health,
            "stream": ConnectionHealth(connected=False),
        }

    # --- what it is ---------------------------------------------------------------------------------------------------

    @property
    def warnings(self) -> Sequence[str]:
        """What a person has to know, in sentences."""
        return tuple(self._history.warnings)

    @property
    def learnt(self) -> Mapping[str, str]:
        """The venue's number of the account."""
        return self._states.learnt

    def refused(self) -> Sequence[Refused]:
        """Rows that could not be read, since this was last asked."""
        return self._history.refused()

    def client_id(self, client_order_id: str) -> str:
        """The same: the engine takes ours as the label, as it is."""
        return client_order_id

    async def check(self) -> Sequence[str]:
        """A first look, in sentences.

        Raises:
            VenueError: The venue cannot be reached, or does not take the key.
        """
        currencies = currencies_of(await self._states.summaries())
        state = await self.snapshot()
        parts = {"positions": state.positions, "open orders": state.open_orders}
        held = " and ".join(f"{'unknown' if part is None else len(part)} {word}" for word, part in parts.items())
        return (
            f"{self._engine.title} answers at {self._rest_url}.",
            f"Account {self.learnt.get('account_id', '(no number)')} has {', '.join(currencies)}; it holds {held}.",
            self._clock_told(),
            f"The key may: {await self._wire.scope() or 'the venue does not say what'}.",
        )

    # --- reading ------------------------------------------------------------------------------------------------------

    async def instruments(self) -> Sequence[Instrument]:
        """Contract terms of everything that can be booked and is traded now."""
        found: list[Instrument] = []
        for kind in self._engine.kinds:
            answer = await self._wire.ask(_INSTRUMENTS, {"currency": "any", "kind": kind, "expired": False})
            reading = self._reader.answer(_INSTRUMENTS, answer, _INSTRUMENTS)
            self._history.refuse(reading.refused)
            found += [fact.instrument for fact in reading.facts if isinstance(fact, InstrumentDefined)]
        return found

    async def snapshot(self) -> VenueSnapshot:
        """The account's state now; a part that could not be read is None and named in ``failed``."""
        return await self._states.snapshot()

    def history(self, cursor: str | None) -> AsyncIterator[tuple[Sequence[Fact], str]]:
        """Pages of facts since the cursor, that one included, each with the next cursor."""
        return self._history.pages(cursor)

    async def cursor_at(self, venue_time: int) -> str:
        """A cursor from which the history tells everything at or after a time in nanoseconds."""
        return cursor_at(venue_time)

    async def marks(self, instruments: Sequence[str]) -> Sequence[Mark]:
        """Mark prices; an instrument that is not traded here is left out."""
        found: list[Mark] = []
        for symbol in dict.fromkeys(instruments):
            try:
                name = terms(symbol, self._engine.wallet).native_symbol
                answer = await self._wire.ask("public/ticker", {"instrument_name": name}, Priority.REST)
            except Rejected:
                continue
            found += _mark(symbol, row_of("public/ticker", answer))
        return found

    def stream(self) -> Stream[Fact | Gap]:
        """Facts as they happen; a gap first, and wherever something may be missing."""
        converse = partial(Conversation, self._engine, self._reader)
        stream: Stream[Fact | Gap] = Stream(str(self.account), self._open, converse, self._clock, self._random)
        self.health["stream"] = stream.health
        self._stream = stream
        return stream

    # --- trading ------------------------------------------------------------------------------------------------------

    async def place(self, request: OrderRequest) -> OrderReported:
        """Place an order.

        Raises:
            Rejected: It surely is not there.
            OutcomeUnknown: It may be there: :meth:`find` it before it is placed again.
        """
        return await self._desk.place(request)

    async def cancel(self, instrument: str, venue_order_id: str) -> OrderReported | None:
        """Cancel what is left of an order; one that is over is reported as it is, None where there is none."""
        del instrument
        return await self._desk.cancel(venue_order_id)

    async def amend(self, instrument: str, venue_order_id: str, amendment: Amendment) -> OrderReported:
        """Change a resting order, under the same id.

        Raises:
            Rejected: There is no such open order, or the new terms are refused; then it stands as it was.
            OutcomeUnknown: Look it up.
        """
        del instrument
        return await self._desk.amend(venue_order_id, amendment)

    async def close(self, instrument: str, position_side: str, client_order_id: str) -> OrderReported:
        """Close a position at the market, never beyond flat.

        Raises:
            Rejected: There is no such position, or the order was refused.
            OutcomeUnknown: The position may be closed: look at it first.
        """
        return await self._desk.close(instrument, position_side, client_order_id)

    async def find(self, client_order_id: str) -> OrderReported | None:
        """The newest order of a client order id; None where none was found where it is looked for."""
        return await self._desk.find(client_order_id)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._stream is not None:
            await self._stream.aclose()
        await self._wire.aclose()

    async def _open(self) -> SignedIn:
        asked = channels(self._engine)
        return await open_signed_in(self._engine.title, self._stream_url, self._wire, asked, self._clock.monotonic)

    def _clock_told(self) -> str:
        offset = self._wire.skew.offset
        if offset is None:
            return "It does not tell its time."
        return f"Its clock is {offset.offset_ns / 1e9:+.3f} s from ours, give or take {offset.error_ns / 1e9:.3f} s."


def _mark(symbol: str, row: Row) -> Sequence[Mark]:
    """The mark in a ticker; none where it states none. Raises :class:`Malformed`."""
    try:
        if row.get("mark_price") is None:
            return ()
        time = rows.milliseconds(row, "timestamp") if row.get("timestamp") is not None else None
        return (Mark(symbol, rows.positive(row, "mark_price"), time),)
    except BadInput as error:
        raise Malformed(f"ticker of {symbol}: {error.message}", remedy=error.remedy) from error
