"""An account of any exchange that ccxt knows: the venue port. Only here: which part answers which question."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from random import Random
from types import MappingProxyType
from weakref import WeakSet

from trueup.model.differences import VenueSnapshot
from trueup.model.errors import BadInput, Unavailable
from trueup.model.events import Fact, OrderReported
from trueup.model.identifiers import AccountId
from trueup.model.instruments import Instrument
from trueup.model.orders import Amendment, OrderRequest
from trueup.model.times import NS_PER_MS
from trueup.model.venues import Capabilities, Mark
from trueup.ports import Clock, Refused
from trueup.venues.ccxt import history, marks, snapshots
from trueup.venues.ccxt.capabilities import CREDENTIALS, capabilities_of, feeds_of
from trueup.venues.ccxt.corrections import correction_of
from trueup.venues.ccxt.exchange import make
from trueup.venues.ccxt.session import Session
from trueup.venues.ccxt.stream import CcxtStream
from trueup.venues.ccxt.trading import Trading
from trueup.venues.transport.health import ConnectionHealth
from trueup.venues.transport.secrets import Secret


class CcxtVenue:
    """A :class:`trueup.ports.LiveVenue` for one account. Belongs to one event loop.

    Args:
        account: Whose facts these become.
        exchange: ccxt's name of the exchange.
        credentials: By ccxt's names: ``apiKey``, ``secret``, ``password``, ``uid``, ``walletAddress``, ``privateKey``.
        clock: Ours.
        random: Spreads reconnections.
        sandbox: Whether to use the exchange's test system.
        symbols: Instruments whose trades are read besides those that have a position or an order, where each has a list
            of its own.
        rest_url, stream_url: In place of the exchange's own scheme and host.
        instruments: Terms that the book knows.
        traded: Instruments that the book has positions or orders in.
        hedged: Whether the book holds both sides of a position.
        learnt: What earlier imports have on record of the account.
        options: Of ccxt, besides those of the corrections.

    Raises:
        BadInput: No such exchange, or a credential is missing.
    """

    def __init__(
        self,
        account: AccountId,
        *,
        exchange: str,
        credentials: Mapping[str, Secret],
        clock: Clock,
        random: Random,
        sandbox: bool = False,
        symbols: Sequence[str] = (),
        rest_url: str = "",
        stream_url: str = "",
        instruments: Iterable[Instrument] = (),
        traded: Iterable[str] = (),
        hedged: bool = False,
        learnt: Mapping[str, str] = MappingProxyType({}),
        options: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        if learnt.get("exchange", exchange) != exchange:
            raise BadInput(
                "exchange",
                exchange,
                f"what is booked of {account} is of {learnt['exchange']}",
                remedy="Give this exchange an account of its own.",
            )
        correction = correction_of(exchange)
        self.account = account
        self._exchange = make(
            exchange,
            credentials,
            clock=clock,
            sandbox=sandbox,
            rest_url=rest_url,
            stream_url=stream_url,
            options={**correction.options, **options},
        )
        self._require_credentials(exchange)
        if correction.plain_currencies:
            self._exchange.has["fetchCurrencies"] = False
        self._session = Session(
            account,
            self._exchange,
            correction,
            clock=clock,
            credentials=credentials,
            instruments=instruments,
            hedged=hedged,
        )
        self._trading = Trading(self._session)
        self._feeds = feeds_of(self._exchange)
        self._symbols = frozenset(symbols) | frozenset(traded)
        self._random = random
        self._streams: WeakSet[CcxtStream] = WeakSet()
        self._stream_health = ConnectionHealth(connected=False)

    @property
    def capabilities(self) -> Capabilities:
        """What the exchange offers."""
        return capabilities_of(self._exchange)

    @property
    def warnings(self) -> Sequence[str]:
        """What a person has to know, in sentences."""
        return tuple(self._session.warnings)

    @property
    def learnt(self) -> Mapping[str, str]:
        """Where the account is."""
        return {"exchange": str(self._exchange.id)}

    @property
    def health(self) -> Mapping[str, ConnectionHealth]:
        """How the calls and the newest stream are doing."""
        return {"rest": self._session.health, "stream": self._stream_health}

    async def check(self) -> Sequence[str]:
        """A first look. Raises :class:`VenueError`."""
        session = self._session
        listed = await session.listed()
        told = [f"{self._exchange.name} answers; it lists {len(listed)} instruments that can be booked."]
        if session.has("fetchTime"):
            sent_at = session.clock.now()
            time = await session.call("fetch_time")
            if isinstance(time, int):
                apart = (time - sent_at // NS_PER_MS) / 1000
                told.append(f"The venue's clock is {apart:+.3f} s from ours.")
        part = await snapshots.snapshot(session)
        told += [
            f"Of the {name.replace('_', ' ')} it states {len(found)}."
            for name, found in (
                (snapshots.POSITIONS, part.positions),
                (snapshots.BALANCES, part.balances),
                (snapshots.ORDERS, part.open_orders),
            )
            if found is not None
        ]
        told += [f"The {name.replace('_', ' ')} could not be read: {why}" for name, why in part.failed.items()]
        return [*told, *capabilities_of(self._exchange).cannot]

    async def cursor_at(self, venue_time: int) -> str:
        """A cursor from which the history tells everything at or after a time in nanoseconds."""
        return history.cursor_at(venue_time)

    def refused(self) -> Sequence[Refused]:
        """Rows that could not be read since this was last asked."""
        return self._session.refused()

    def client_id(self, client_order_id: str) -> str:
        """What the venue's reports call an order to which we give this id."""
        return self._trading.client_id(client_order_id)

    async def instruments(self) -> Sequence[Instrument]:
        """Contract terms of every market that can be booked."""
        return await self._session.listed()

    async def snapshot(self) -> VenueSnapshot:
        """The account's state now; a part that could not be read is None and named in ``failed``."""
        return await snapshots.snapshot(self._session)

    async def history(self, cursor: str | None) -> AsyncIterator[tuple[Sequence[Fact], str]]:
        """Pages of facts since the cursor, that one included, each with the next cursor."""
        symbols = set(self._symbols)
        if any(feed.by_symbol for feed in self._feeds):
            symbols |= await self._held()
        async for page in history.pages(self._session, self._feeds, symbols, cursor):
            yield page

    async def marks(self, instruments: Sequence[str]) -> Sequence[Mark]:
        """Mark prices; an instrument without one is left out."""
        return await marks.marks(self._session, instruments)

    def stream(self) -> CcxtStream:
        """Facts as they happen; after a gap, which comes first, the history is to be pulled."""
        stream = CcxtStream(self._session, self._random)
        self._streams.add(stream)
        self._stream_health = stream.health
        return stream

    async def place(self, request: OrderRequest) -> OrderReported:
        """Place an order."""
        return await self._trading.place(request)

    async def cancel(self, instrument: str, venue_order_id: str) -> OrderReported | None:
        """Cancel what is left of an order."""
        return await self._trading.cancel(instrument, venue_order_id)

    async def amend(self, instrument: str, venue_order_id: str, amendment: Amendment) -> OrderReported:
        """Change a resting order; the venue may give it another id."""
        return await self._trading.amend(instrument, venue_order_id, amendment)

    async def close(self, instrument: str, position_side: str, client_order_id: str) -> OrderReported:
        """Close a position at the market, never beyond flat."""
        return await self._trading.close(instrument, position_side, client_order_id)

    async def find(self, client_order_id: str) -> OrderReported | None:
        """The order of a client order id, in whatever state; None only where there surely is none."""
        return await self._trading.find(client_order_id)

    async def aclose(self) -> None:
        """Close the connections."""
        for stream in list(self._streams):
            await stream.aclose()
        await self._session.aclose()

    def _require_credentials(self, exchange: str) -> None:
        """Raise :class:`BadInput` for what the exchange asks for and is not given; a wallet is read without its key."""
        asked = {name for name, needed in self._exchange.requiredCredentials.items() if needed} - {"privateKey"}
        missing = sorted(CREDENTIALS.get(name, name) for name in asked if not getattr(self._exchange, name, None))
        if missing:
            raise BadInput(
                missing[0],
                "",
                f"{exchange} asks for it",
                remedy=f"Name {' and '.join(missing)} in the account's settings.",
            )

    async def _held(self) -> set[str]:
        """Instruments with a position or an open order now.

        Raises:
            VenueError: They could not be read: trades in one that is left out would be passed over for ever.
        """
        part = await snapshots.snapshot(self._session)
        for name in (snapshots.POSITIONS, snapshots.ORDERS):
            if name in part.failed:
                raise Unavailable(
                    f"What {self.account} trades in is not known: its {name.replace('_', ' ')} could not be read: "
                    f"{part.failed[name]}",
                    remedy="Trades are listed for each instrument by itself; the history is pulled once that is known.",
                )
        held = {symbol for symbol, _ in part.positions or {}}
        return held | {order.instrument for order in (part.open_orders or {}).values()}
