"""A Hyperliquid account over its interfaces: the venue port. What lives only here: which part answers which question.

Reading needs the address alone. Trading needs the key of an API wallet (agent), and the extra ``hyperliquid``.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from decimal import Decimal
from random import Random
from types import MappingProxyType
from weakref import WeakSet

from trueup.model.differences import VenueSnapshot
from trueup.model.events import Fact, OrderReported
from trueup.model.identifiers import AccountId
from trueup.model.instruments import Instrument
from trueup.model.orders import Amendment, OrderRequest
from trueup.model.venues import Capabilities, Mark
from trueup.ports import Clock, Refused
from trueup.venues.hyperliquid import actions, history, marks, snapshots
from trueup.venues.hyperliquid.retention import FILLS_KEPT
from trueup.venues.hyperliquid.session import Session
from trueup.venues.hyperliquid.stream import Conversation
from trueup.venues.hyperliquid.trading import Trading
from trueup.venues.transport.health import ConnectionHealth
from trueup.venues.transport.limiter import Limiter
from trueup.venues.transport.secrets import Secret
from trueup.venues.transport.stream import Connection, Stream
from trueup.venues.transport.websocket import open_websocket

REST_URL = "https://api.hyperliquid.xyz"
STREAM_URL = "wss://api.hyperliquid.xyz/ws"
TESTNET_REST_URL = "https://api.hyperliquid-testnet.xyz"
TESTNET_STREAM_URL = "wss://api.hyperliquid-testnet.xyz/ws"

SHARED_COLLATERAL = frozenset({"unifiedAccount", "portfolioMargin"})
"""Modes of an account in which a wallet's balance is not its own."""

CAPABILITIES = Capabilities(
    cursor="time",
    history_max=FILLS_KEPT,
    find="surely",
    order_types=frozenset({"limit", "market", "stop", "stop_limit", "take_profit"}),
    times_in_force=frozenset({"gtc", "ioc", "post_only"}),
    amends=True,
    hedges=False,
    streams=True,
    cannot=(
        f"Fills older than the newest {FILLS_KEPT:,} cannot be had: positions begin with what the first fills say.",
        "Of one millisecond the venue gives no more rows than fit one answer; what exceeds it cannot be had.",
        "Positions and orders of builder dexes that are not named in the settings are not seen.",
        "What a vault's depositors move is not told to the vault; book it with the generic venue.",
    ),
)


class HyperliquidVenue:
    """A :class:`trueup.ports.LiveVenue` for one address. Belongs to one event loop.

    Args:
        account: Whose facts these become.
        address: Of a user, a sub-account or a vault; not of an API wallet (agent).
        signer: The key that signs orders; None to read only.
        vault: Whether the address is a sub-account's or a vault's.
        mainnet: Else the test net; signatures hold for one of them.
        rest_url, stream_url: Base addresses.
        dexes: The perpetual dexes to look at; the main one is ``""``.
        clock: Ours.
        random: Spreads reconnections.
        instruments: Terms that the book knows.
        learnt: What earlier imports have on record of the account.
        limiter: What all accounts behind one network address share; None for one of its own.
    """

    def __init__(
        self,
        account: AccountId,
        *,
        address: str,
        signer: Secret | None = None,
        vault: bool = False,
        mainnet: bool = True,
        rest_url: str = REST_URL,
        stream_url: str = STREAM_URL,
        dexes: Sequence[str] = ("",),
        clock: Clock,
        random: Random,
        instruments: Iterable[Instrument] = (),
        learnt: Mapping[str, str] = MappingProxyType({}),
        limiter: Limiter | None = None,
    ) -> None:
        self.account = account
        self._session = Session(
            account,
            address=address,
            rest_url=rest_url,
            dexes=dexes,
            clock=clock,
            instruments=instruments,
            learnt=learnt,
            limiter=limiter,
        )
        self._trading = Trading(self._session, signer, vault=vault, mainnet=mainnet)
        self._stream_url = stream_url
        self._random = random
        self._streams: WeakSet[Stream[Fact]] = WeakSet()
        self._stream_health = ConnectionHealth(connected=False)

    @property
    def capabilities(self) -> Capabilities:
        """What the venue offers."""
        return CAPABILITIES

    @property
    def warnings(self) -> Sequence[str]:
        """What a person has to know, in sentences."""
        return tuple(self._session.warnings)

    @property
    def learnt(self) -> Mapping[str, str]:
        """Whose account it is."""
        return {"address": self._session.address}

    @property
    def health(self) -> Mapping[str, ConnectionHealth]:
        """How the calls and the newest stream are doing."""
        return {"rest": self._session.transport.health, "stream": self._stream_health}

    async def check(self) -> Sequence[str]:
        """A first look. Raises :class:`VenueError`, such as for an agent's address."""
        session = self._session
        await session.ready()
        role = session.role
        told = [f"The venue answers; {session.address} is a {role.name if role else 'user'} there."]
        for dex in session.dexes:
            state = await snapshots.clearinghouse(session, dex)
            held = (
                "positions that could not be read" if state.positions is None else f"{len(state.positions)} positions"
            )
            told.append(f"On the {dex or 'main'} dex it has {held}.")
        offset = session.skew.offset
        if offset is not None:
            apart, error = (Decimal(ns).scaleb(-9) for ns in (offset.offset_ns, offset.error_ns))
            told.append(f"The venue's clock is {apart:+.3f} s from ours, give or take {error:.3f} s.")
        mode = await session.mode()
        if mode in SHARED_COLLATERAL:
            told.append(
                f"Its mode is {mode}: spot and perpetuals share their collateral, so the balances that the venue "
                "states of each may not be those that the history adds up to."
            )
        return [*told, await self._trading.check()]

    async def cursor_at(self, venue_time: int) -> str:
        """A cursor from which the history tells everything at or after a time in nanoseconds."""
        return history.cursor_at(venue_time)

    def refused(self) -> Sequence[Refused]:
        """Rows that could not be read since this was last asked."""
        return self._session.refused()

    def client_id(self, client_order_id: str) -> str:
        """What the venue's reports call an order to which we give this id."""
        return actions.cloid(client_order_id)

    async def instruments(self) -> Sequence[Instrument]:
        """Contract terms of every market of the dexes looked at, and of spot."""
        return await self._session.listed()

    async def snapshot(self) -> VenueSnapshot:
        """The account's state now; a part that could not be read is None and named in ``failed``."""
        return await snapshots.snapshot(self._session)

    def history(self, cursor: str | None) -> AsyncIterator[tuple[Sequence[Fact], str]]:
        """Pages of facts since the cursor, that one included, each with the next cursor."""
        return history.pages(self._session, cursor)

    async def marks(self, instruments: Sequence[str]) -> Sequence[Mark]:
        """Mark prices; an instrument without one is left out."""
        return await marks.marks(self._session, instruments)

    def stream(self) -> Stream[Fact]:
        """Facts as they happen; after a gap, which comes first, the history is to be pulled."""
        stream: Stream[Fact] = Stream(
            str(self.account), self._connect, lambda: Conversation(self._session), self._session.clock, self._random
        )
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
        """Change a resting order; the venue gives it another id."""
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
        await self._session.transport.aclose()

    async def _connect(self) -> Connection:
        await self._session.ready()
        return await open_websocket(self._stream_url)
