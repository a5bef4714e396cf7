"""An OANDA v20 account over its REST interface and its transaction stream: a :class:`trueup.ports.LiveVenue`.

What an answer says, :class:`~trueup.venues.oanda.reader.OandaReader` reads, as it reads saved ones. Here the calls are
made, in which order, and with what is known at which transaction.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing, nullcontext
from functools import partial
from random import Random
from types import MappingProxyType

from msgspec.structs import replace

from trueup.model.differences import VenueSnapshot
from trueup.model.errors import AuthenticationFailed, Malformed, RateLimited, Unavailable
from trueup.model.events import Fact, InstrumentDefined, OpeningBalance, OrderReported
from trueup.model.identifiers import AccountId
from trueup.model.instruments import Instrument
from trueup.model.numbers import ZERO
from trueup.model.orders import Amendment, OrderRequest
from trueup.model.positions import OpenOrder
from trueup.model.venues import Capabilities, Gap, Mark
from trueup.ports import Clock, Refused
from trueup.venues import rows
from trueup.venues.oanda import errors, fields, pricing, proof
from trueup.venues.oanda.calls import Calls
from trueup.venues.oanda.desk import Desk
from trueup.venues.oanda.finding import WINDOW, Finder
from trueup.venues.oanda.history import Cursor, History, Readers, Transactions, encode
from trueup.venues.oanda.hours import closure
from trueup.venues.oanda.reader import OandaReader
from trueup.venues.oanda.stream import Conversation
from trueup.venues.oanda.wire import Wire
from trueup.venues.rows import Row
from trueup.venues.transport.health import ConnectionHealth
from trueup.venues.transport.limiter import Priority
from trueup.venues.transport.lines import Lines
from trueup.venues.transport.secrets import Secret
from trueup.venues.transport.stream import Stream

LIVE_URL, LIVE_STREAM_URL = "https://api-fxtrade.oanda.com", "https://stream-fxtrade.oanda.com"
PRACTICE_URL, PRACTICE_STREAM_URL = "https://api-fxpractice.oanda.com", "https://stream-fxpractice.oanda.com"

NAMES_MAX = 100
"""Instruments whose prices are asked for at once."""

CAPABILITIES = Capabilities(
    cursor="exact",
    find="window",
    order_types=frozenset(("market", "limit", "stop", "take_profit")),
    times_in_force=frozenset(("", "gtc", "ioc", "fok")),
    amends=True,
    streams=True,
    cannot=(
        "OANDA has no post-only orders, and no stop-limit: its stop with a price bound is cancelled, not left resting.",
        "A client order id is unique among pending orders only: after an unknown outcome, find it before placing it.",
        f"An order that has ended is found among the newest {WINDOW} transactions; an older one is not.",
        "OANDA states financing per instrument, so that in a hedging account it is not told apart by side.",
        "Closed from Friday 17:00 to Sunday 17:00 New York and around each day's roll at 17:00: MARKET_HALTED.",
    ),
)


class OandaVenue:
    """An account at OANDA. Belongs to one event loop.

    Args:
        account: The ledger's name.
        account_id: OANDA's.
        token: Of the account's environment; without one every call raises :class:`AuthenticationFailed`.
        rest_url, stream_url: Base addresses of that environment.
        clock: For the times around answers.
        random: Spreads reconnections.
        hedging: Whether it holds long and short side by side, where that is known; OANDA's answer counts.
        home_currency: Of the account, where it is known; one that OANDA contradicts is refused.
        open_orders: What the book holds open, at the cursor that the first pull begins with.
        learnt: What earlier answers said of the account; one of another account is refused.

    Attributes:
        health: How the connections are doing: ``rest`` and ``stream``.
    """

    def __init__(
        self,
        account: AccountId,
        *,
        account_id: str,
        token: Secret | None,
        rest_url: str = LIVE_URL,
        stream_url: str = LIVE_STREAM_URL,
        clock: Clock,
        random: Random,
        hedging: bool | None = None,
        home_currency: str = "",
        open_orders: Iterable[OpenOrder] = (),
        learnt: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.account = account
        self._account_id = account_id
        self._clock = clock
        self._random = random
        self._rest_url = rest_url
        self._calls = Calls(account_id)
        self._wire = Wire(account_id, token, rest_url, stream_url, clock)
        self._reader = OandaReader(
            account,
            home_currency,
            hedging=hedging,
            open_orders=open_orders,
            learnt={"account_id": account_id, **learnt},
        )
        self._beginning = asyncio.Lock()
        self._last = 0
        self._read_until = 0
        self._traded: dict[str, str] = {}
        self._transactions = Transactions(self._calls, self._wire.ask)
        self._history = History(self._transactions, Readers(self._reader))
        finder = Finder(self._calls, self._wire.ask, self._transactions, lambda: self._newest().fork(orders=False))
        self._desk = Desk(self._calls, self._wire.ask, finder, self._knowing)
        self._stream: Stream[Fact | Gap] | None = None
        self.health: dict[str, ConnectionHealth] = {
            "rest": self._wire.health,
            "stream": ConnectionHealth(connected=False),
        }

    # --- what it is ---------------------------------------------------------------------------------------------------

    @property
    def capabilities(self) -> Capabilities:
        """What OANDA offers, to this account."""
        return replace(CAPABILITIES, hedges=self._newest().hedging is True)

    @property
    def warnings(self) -> Sequence[str]:
        """Where the balances that OANDA stated and the facts differ, by transaction."""
        return tuple(self._history.findings)

    @property
    def learnt(self) -> Mapping[str, str]:
        """What OANDA's answers said of the account so far."""
        return self._newest().learnt

    def refused(self) -> Sequence[Refused]:
        """Rows that could not be read, since this was last asked."""
        return self._history.refused()

    def client_id(self, client_order_id: str) -> str:
        """The same: OANDA takes ours as it is."""
        return client_order_id

    async def check(self) -> Sequence[str]:
        """A first look, in sentences.

        Raises:
            VenueError: OANDA cannot be reached, does not take the token, or the token does not see the account.
        """
        data = await self._wire.ask(self._calls.accounts())
        seen = fields.of_answer("accounts", data, _account_ids)
        if self._account_id not in seen:
            raise AuthenticationFailed(
                f"The token does not see account {self._account_id}; it sees {', '.join(seen) or 'none'}.",
                remedy=errors.pairing(self._account_id, self._rest_url),
            )
        state = await self.snapshot()
        parts = {"positions": state.positions, "open orders": state.open_orders}
        held = " and ".join(f"{'unknown' if part is None else len(part)} {word}" for word, part in parts.items())
        closed = closure(self._clock.now())
        modes = "long and short side by side" if self._newest().hedging else "one net position per instrument"
        return (
            f"OANDA answers at {self._rest_url}.",
            f"Account {self._account_id} holds {held}, in {self._newest().home_currency}; {modes}.",
            f"{closed}." if closed is not None else "By its hours OANDA is open.",
            self._clock_told(),
            "A token of OANDA may read and trade all accounts that it sees; it cannot withdraw.",
        )

    # --- reading ------------------------------------------------------------------------------------------------------

    async def instruments(self) -> Sequence[Instrument]:
        """Contract terms of everything the account may trade."""
        reading = self._newest().read("instruments", await self._wire.ask(self._calls.instruments()))
        self._history.refuse(reading.refused)
        return _instruments(reading.facts)

    async def snapshot(self) -> VenueSnapshot:
        """The account's state; ``source`` names the transaction it is true after.

        Its cut is no earlier than what the history told before: OANDA states the time of an answer to the second only.
        """
        await self._begin()
        read_until = self._read_until
        answer = await self._wire.answer(self._calls.account())
        snapshot = self._newest().read("account", answer.body).snapshot
        if snapshot is None:
            raise Malformed("The account's answer holds no state.", remedy="Look at the venue's status page.")
        timed = self._wire.skew.offset is not None
        return replace(snapshot, cut=max(self._wire.skew.venue_now(answer.sent_at), read_until) if timed else None)

    async def history(self, cursor: str | None) -> AsyncIterator[tuple[Sequence[Fact], str]]:
        """Pages of facts after the cursor, each transaction once; the account's first transaction without one.

        Raises:
            VenueError: What was given before it stands, and the cursor that came with it goes on there.
        """
        await self._begin()
        async with aclosing(self._history.pages(cursor, self._last)) as pages:
            async for facts, following in pages:
                self._read_until = max(self._read_until, *(getattr(fact, "venue_time", 0) for fact in facts), 0)
                yield facts, following

    async def cursor_at(self, venue_time: int) -> str:
        """The cursor before the first transaction at or after a time; the balance there opens the history.

        Raises:
            VenueError: OANDA could not be asked.
        """
        await self._begin()
        return encode(Cursor(await self._transactions.first_at(venue_time, self._last) - 1, begins=True))

    async def marks(self, instruments: Sequence[str]) -> Sequence[Mark]:
        """The middle of what positions would be closed at; an instrument that is not traded here is left out."""
        await self._begin()
        traded = [name for symbol in instruments if (name := self._traded.get(symbol)) is not None]
        found: list[Mark] = []
        for start in range(0, len(traded), NAMES_MAX):
            data = await self._wire.ask(self._calls.pricing(traded[start : start + NAMES_MAX]))
            found += pricing.marks("pricing", data)
        return found

    def stream(self) -> Stream[Fact | Gap]:
        """Transactions as they happen; a gap first, and wherever one may be missing."""
        converse = partial(Conversation, self._history)
        stream: Stream[Fact | Gap] = Stream("OANDA", self._open, converse, self._clock, self._random)
        self.health["stream"] = stream.health
        self._stream = stream
        return stream

    async def prove(self, booked: Iterable[Fact]) -> Sequence[str]:
        """Hold a ledger's cash against the balance that OANDA states after each transaction, from the first on.

        Args:
            booked: Every fact in the ledger; where an opening balance is among them, it begins there.

        Returns:
            Each difference with the transaction it shows after; nothing where they agree to the cent.

        Raises:
            VenueError: The transactions could not be read.
        """
        await self._begin()
        left = proof.by_transaction(booked)
        first = min(left, default=0)
        opens = any(isinstance(fact, OpeningBalance) for fact in left.get(first, ()))
        position, balance = (first - 1, None) if opens else (0, ZERO)
        found: list[str] = []
        last = self._last
        while True:
            page = await self._transactions.after(position, last)
            facts = [fact for number in page.rows for fact in left.pop(number, ())]
            differences, balance = proof.follow(proof.stated(page.rows), facts, balance)
            found += differences
            position, last = position + len(page.rows), page.last
            if position >= last:
                break
        return [*found, *(f"transaction {number} is booked, and OANDA has none" for number in sorted(left))]

    # --- trading ------------------------------------------------------------------------------------------------------

    async def place(self, request: OrderRequest) -> OrderReported:
        """Place an order.

        Raises:
            Rejected: It surely is not there: refused, accepted and cancelled at once, or of a kind OANDA does not have.
            OutcomeUnknown: It may be there: :meth:`find` it before it is placed again.
        """
        return await self._desk.place(request)

    async def cancel(self, instrument: str, venue_order_id: str) -> OrderReported | None:
        """Cancel a pending order; one that has ended is reported as it is, None where there is none."""
        del instrument
        return await self._desk.cancel(venue_order_id)

    async def amend(self, instrument: str, venue_order_id: str, amendment: Amendment) -> OrderReported:
        """Replace a pending order by one with other terms, under a new id.

        Raises:
            Rejected: There is no such pending order, or the new terms are refused; then it stands as it was.
            OutcomeUnknown: Look for both.
        """
        del instrument
        return await self._desk.amend(venue_order_id, amendment)

    async def close(self, instrument: str, position_side: str, client_order_id: str) -> OrderReported:
        """Close a position at the market, never beyond flat.

        Raises:
            Rejected: There is no such position, or the order was refused or cancelled at once.
            OutcomeUnknown: The position may be closed: look at it first.
        """
        return await self._desk.close(instrument, position_side, client_order_id)

    async def find(self, client_order_id: str) -> OrderReported | None:
        """The newest order of a client order id; None where none of the newest transactions is of one."""
        return await self._desk.find(client_order_id)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._stream is not None:
            await self._stream.aclose()
        await self._wire.aclose()

    # ------------------------------------------------------------------------------------------------------------------

    async def _begin(self, priority: Priority = Priority.RECONCILE) -> None:
        """Learn once what every other answer is read with: terms, the account's mode and currency, its trades."""
        # What is urgent waits for nobody, not even for another that learns the same.
        async with nullcontext() if priority.urgent else self._beginning:
            if not self._last:
                await self._learn(priority)

    async def _learn(self, priority: Priority) -> None:
        instruments = await self._wire.ask(replace(self._calls.instruments(), priority=priority))
        account = await self._wire.ask(replace(self._calls.account(), priority=priority))
        listed = self._reader.read("instruments", instruments).facts
        self._traded = {terms.symbol: terms.native_symbol for terms in _instruments(listed)}
        self._reader.read("account", account)
        self._last = fields.of_answer("account", account, fields.last_transaction)

    async def _open(self) -> Lines:
        """The stream's connection, once its lines can be read."""
        try:
            await self._begin()
        except RateLimited as error:
            raise Unavailable(error.message, remedy=error.remedy) from error
        return await self._wire.open_stream(self._calls.stream())

    async def _knowing(self, priority: Priority) -> OandaReader:
        await self._begin(priority)
        return self._newest()

    def _newest(self) -> OandaReader:
        return self._history.readers.newest

    def _clock_told(self) -> str:
        offset = self._wire.skew.offset
        if offset is None:
            return "OANDA does not tell its time."
        return f"Its clock is {offset.offset_ns / 1e9:+.1f} s from ours, give or take {offset.error_ns / 1e9:.1f} s."


def _instruments(facts: Iterable[Fact]) -> list[Instrument]:
    return [fact.instrument for fact in facts if isinstance(fact, InstrumentDefined)]


def _account_ids(answer: Row) -> list[str]:
    return [rows.text(rows.as_row(row, "accounts"), "id") for row in rows.records(answer, "accounts")]
