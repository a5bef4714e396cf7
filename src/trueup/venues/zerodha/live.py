"""An account at Zerodha over Kite Connect v3: a :class:`trueup.ports.LiveVenue`.

What an answer says, :class:`~trueup.venues.zerodha.reader.ZerodhaReader` reads, as it reads saved ones. A person logs
in each trading day (:mod:`~trueup.venues.zerodha.login`); Kite tells the present day only, so each pull captures it
whole (:mod:`~trueup.venues.zerodha.capture`).
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from random import Random
from types import MappingProxyType

from trueup.model.differences import VenueSnapshot
from trueup.model.errors import AuthenticationFailed, BadInput, VenueError
from trueup.model.events import Fact, OrderReported
from trueup.model.identifiers import AccountId
from trueup.model.instruments import Instrument
from trueup.model.orders import Amendment, OrderRequest
from trueup.model.venues import Capabilities, Gap, Mark
from trueup.ports import Clock, Refused
from trueup.venues import rows
from trueup.venues.rows import Row
from trueup.venues.transport.health import ConnectionHealth
from trueup.venues.transport.secrets import Secret
from trueup.venues.transport.stream import Stream
from trueup.venues.transport.websocket import WebSocket
from trueup.venues.zerodha import answers, calendar, calls, capture, ist, snapshots
from trueup.venues.zerodha.capture import Cursor
from trueup.venues.zerodha.desk import Desk
from trueup.venues.zerodha.history import History, Pages
from trueup.venues.zerodha.instruments import SEGMENTS
from trueup.venues.zerodha.listing import Listing
from trueup.venues.zerodha.prices import Prices
from trueup.venues.zerodha.reader import ZerodhaReader
from trueup.venues.zerodha.stream import Conversation
from trueup.venues.zerodha.tokens import TokenFile
from trueup.venues.zerodha.wire import Wire

REST_URL, STREAM_URL = "https://api.kite.trade", "wss://ws.kite.trade"

CAPABILITIES = Capabilities(
    cursor="day",
    find="window",
    order_types=frozenset(("market", "limit", "stop", "stop_limit")),
    times_in_force=frozenset(("", "ioc")),
    amends=True,
    streams=True,
    cannot=(
        "A person has to log in each trading day: the token ends at about 06:00 in India (trueup venues login).",
        "Kite tells orders and trades of the present trading day only: a day that is not captured is lost to the API.",
        "Cash cannot be reconciled: trades carry no charges, payments are not told, and futures are paid for daily.",
        "A position converted to another product leaves no trade: both products then differ, each by as much.",
        "On MCX, NCO, CDS and BCD nothing is read of a contract before a position in it has told how large its lot is.",
        "Our id is a tag, which Kite does not keep unique: today's orders are looked through before a second try.",
        "Orders end with the day; none only reduces: one that is to is held against the position as it is when sent.",
        "Orders are taken from the registered static IP address only, ten a second; market orders have a protection.",
        "After-market, cover and iceberg orders and triggers (GTT) are not placed; those of others are seen.",
    ),
)


class ZerodhaVenue:
    """An account at Zerodha. Belongs to one event loop.

    Args:
        account: The ledger's name.
        api_key: Of the app; without one every call raises :class:`AuthenticationFailed`.
        token_file: Where ``trueup venues login`` keeps the day's token.
        rest_url, stream_url: Base addresses.
        folder: Where the day's instruments are kept; None to keep them in memory alone.
        clock: For the times around answers.
        random: Spreads reconnections.
        instruments: Terms that the book knows: how large lots are.
        learnt: What earlier answers said of the account; one of another user is refused.
    """

    def __init__(
        self,
        account: AccountId,
        *,
        api_key: Secret | None,
        token_file: Path,
        rest_url: str = REST_URL,
        stream_url: str = STREAM_URL,
        folder: Path | None = None,
        clock: Clock,
        random: Random,
        instruments: Iterable[Instrument] = (),
        learnt: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.account = account
        self._tokens = TokenFile(token_file, account)
        self._rest_url = rest_url
        self._clock = clock
        self._random = random
        self._reader = ZerodhaReader(account, instruments, learnt=learnt)
        self._wire = Wire(api_key, self._tokens, rest_url, stream_url, clock, self._reader.known.learnt)
        self._listing = Listing(lambda: self._wire.ask(calls.instruments()), folder, clock)
        self._reader.known.find_terms = self._listing.find
        self._history = History(self._wire, self._reader, clock)
        self._desk = Desk(self._wire.ask, self._reader.known, self._listing, clock)
        self._prices = Prices(self._wire.ask, self._reader.known, self._listing)
        self._markets: Collection[str] = calendar.markets_of(())
        self._notes: dict[str, str] = {}
        self._beginning = asyncio.Lock()
        self._begun = False
        self._stream: Stream[Fact | Gap] | None = None
        self._stream_health = ConnectionHealth(connected=False)

    # --- what it is ---------------------------------------------------------------------------------------------------

    @property
    def capabilities(self) -> Capabilities:
        """What Kite offers."""
        return CAPABILITIES

    @property
    def warnings(self) -> Sequence[str]:
        """A login that ends, days that were missed or will be, and what could not be had."""
        now = self._history.now
        missed = capture.warnings(self._history.cursor, now, self._markets)
        return (*self._tokens.warnings(now), *missed, *self._history.lacking, *self._notes.values())

    @property
    def learnt(self) -> Mapping[str, str]:
        """Whose account it is."""
        return dict(self._reader.known.learnt)

    @property
    def health(self) -> Mapping[str, ConnectionHealth]:
        """How the calls and the newest stream are doing."""
        return {**self._wire.health, "stream": self._stream_health}

    def refused(self) -> Sequence[Refused]:
        """Rows that could not be read, since this was last asked."""
        return self._history.refused()

    def client_id(self, client_order_id: str) -> str:
        """The tag of an order to which we give this id."""
        return calls.tag(client_order_id)

    async def check(self) -> Sequence[str]:
        """A first look, in sentences.

        Raises:
            VenueError: Kite cannot be reached, or does not take the token.
        """
        user, exchanges = await self._profile()
        state = await self.snapshot()
        parts = {"positions": state.positions, "open orders": state.open_orders}
        held = " and ".join(f"{'unknown' if part is None else len(part)} {word}" for word, part in parts.items())
        cash = answers.record("margins", await self._wire.ask(calls.get(calls.MARGINS)), _cash)
        now = self._history.now
        return (
            f"Kite answers at {self._rest_url}; the login is {user}'s, for {', '.join(exchanges)}.",
            f"The account holds {held}; by the morning's ledger it has {cash}.",
            f"The login ends at about {ist.shown(self._tokens.load().ends_at)}.",
            f"The day's trades are to be captured next at {ist.shown(capture.next_capture(now, self._markets))}.",
            self._clock_told(),
            "A token of Kite may read and trade; it cannot withdraw. Orders need the registered static IP address.",
        )

    # --- reading ------------------------------------------------------------------------------------------------------

    async def instruments(self) -> Sequence[Instrument]:
        """Contract terms of all that the account holds, ordered or traded before.

        Kite lists a hundred thousand others; what is met later is defined with the facts that name it.
        """
        await self._begin()
        await self._history.met()
        return self._reader.known.instruments()

    async def snapshot(self) -> VenueSnapshot:
        """The account's state now; a part that could not be read is None and named in ``failed``."""
        await self._begin()
        return await snapshots.snapshot(self._wire, self._reader)

    async def history(self, cursor: str | None) -> Pages:
        """The whole trading day, each time; without a cursor, what was held when it began goes before.

        Raises:
            BadInput: Not a cursor of Kite.
            VenueError: What was given before it stands, and the cursor that came with it goes on there.
        """
        await self._begin()
        async for page in self._history.pages(cursor, self._markets):
            yield page

    async def cursor_at(self, venue_time: int) -> str:
        """The cursor of the present trading day, which is all there is; earlier times are told to be lost."""
        await self._begin()
        day = capture.trading_day(self._history.now)
        if ist.date_of(venue_time) < day:
            self._notes["since"] = f"Kite tells nothing from before {day}: import tradebooks for what was."
        return capture.encode(Cursor(day.isoformat(), begins=True))

    async def marks(self, instruments: Sequence[str]) -> Sequence[Mark]:
        """Last prices; an instrument that is not traded today is left out."""
        await self._begin()
        return await self._prices.marks(instruments, streaming=self._stream_health.connected is True)

    def stream(self) -> Stream[Fact | Gap]:
        """Order updates as they happen; a gap first, and after every fill."""
        stream: Stream[Fact | Gap] = Stream(str(self.account), self._connect, self._converse, self._clock, self._random)
        self._stream, self._stream_health = stream, stream.health
        return stream

    # --- trading ------------------------------------------------------------------------------------------------------

    async def place(self, request: OrderRequest) -> OrderReported:
        """Place an order; where the day has one of its client id, that one is given instead.

        Raises:
            Rejected: It surely is not there: refused by Kite or the exchange, or of a kind that Kite does not have.
            OutcomeUnknown: It may be there: :meth:`find` it before it is placed again.
        """
        return await self._desk.place(request)

    async def cancel(self, instrument: str, venue_order_id: str) -> OrderReported | None:
        """Cancel what is left of an order; one that has ended is reported as it is, None where there is none."""
        del instrument
        return await self._desk.cancel(venue_order_id)

    async def amend(self, instrument: str, venue_order_id: str, amendment: Amendment) -> OrderReported:
        """Change a resting order, which keeps its id.

        Raises:
            Rejected: There is no such order, or the new terms are refused; then it stands as it was.
            OutcomeUnknown: Look for it.
        """
        del instrument
        return await self._desk.amend(venue_order_id, amendment)

    async def close(self, instrument: str, position_side: str, client_order_id: str) -> OrderReported:
        """Trade away at the market what is held a moment before, in the same product.

        Raises:
            Rejected: There is no such position, or the order was refused.
            OutcomeUnknown: The position may be closed: look at it first.
        """
        return await self._desk.close(instrument, position_side, client_order_id)

    async def find(self, client_order_id: str) -> OrderReported | None:
        """Today's order of a client order id, in whatever state; None where today has none."""
        return await self._desk.find(client_order_id)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._stream is not None:
            await self._stream.aclose()
        await self._wire.aclose()

    # ------------------------------------------------------------------------------------------------------------------

    async def _begin(self) -> None:
        """Learn once whose account it is and where it trades, and have the day's terms at hand."""
        async with self._beginning:
            if not self._begun:
                await self._profile()
                self._begun = True
            await self._load_terms()

    async def _load_terms(self) -> None:
        """Trades vanish and terms do not, so nothing waits for these: they are asked for again with the next call."""
        try:
            await self._listing.load()
            self._notes.pop("instruments", None)
        except AuthenticationFailed:
            raise
        except BadInput as error:
            self._notes["kept"] = f"The day's instruments are asked for at each start: {error}"
        except VenueError as error:
            self._notes["instruments"] = f"Steps and expiries of instruments are not known today: {error.message}"

    async def _profile(self) -> tuple[str, Sequence[str]]:
        """Whose account it is, and the exchanges that it trades on."""
        body = await self._wire.ask(calls.get(calls.PROFILE))
        self._reader.read("profile", body)
        user, exchanges = answers.record("profile", body, _user)
        self._markets = calendar.markets_of(exchanges)
        return user, exchanges

    async def _connect(self) -> WebSocket:
        await self._begin()
        return await self._wire.open_stream()

    def _converse(self) -> Conversation:
        return Conversation(self._reader.known, self._prices.ticker, self._prices.tokens())

    def _clock_told(self) -> str:
        offset = self._wire.skew.offset
        if offset is None:
            return "Kite does not tell its time."
        return f"Its clock is {offset.offset_ns / 1e9:+.1f} s from ours, give or take {offset.error_ns / 1e9:.1f} s."


def _user(data: Row) -> tuple[str, Sequence[str]]:
    names = [name for name in rows.records(data, "exchanges") if isinstance(name, str)]
    return rows.text(data, "user_id"), names


def _cash(data: Row) -> str:
    """What each segment has, for a person."""
    found = []
    for segment in SEGMENTS:
        if data.get(segment) is not None:
            available = rows.record(rows.record(data, segment), "available")
            found.append(f"{rows.decimal(available, 'cash')} INR ({segment})")
    return " and ".join(found) or "no cash that is told"
