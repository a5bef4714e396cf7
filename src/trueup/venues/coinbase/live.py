"""A Coinbase Advanced account over its interfaces: the venue port. What lives only here: which part answers what.

Every request is signed, so even reading needs a key, and the extra ``coinbase``.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from decimal import Decimal
from random import Random
from types import MappingProxyType
from weakref import WeakSet

from trueup.model.differences import VenueSnapshot
from trueup.model.errors import RateLimited, Unavailable
from trueup.model.events import Fact, OrderReported
from trueup.model.identifiers import AccountId
from trueup.model.instruments import Instrument
from trueup.model.orders import Amendment, OrderRequest
from trueup.model.positions import OpenOrder
from trueup.model.venues import Capabilities, Mark
from trueup.ports import Clock, Refused
from trueup.venues.coinbase import history, marks, placement, snapshots
from trueup.venues.coinbase.following import Following
from trueup.venues.coinbase.lookup import is_open
from trueup.venues.coinbase.session import Key, Session
from trueup.venues.coinbase.stream import Conversation, Pushed
from trueup.venues.coinbase.trading import Trading
from trueup.venues.transport.health import ConnectionHealth
from trueup.venues.transport.limiter import Limiter
from trueup.venues.transport.secrets import Secret
from trueup.venues.transport.stream import Connection, Stream
from trueup.venues.transport.websocket import open_websocket

REST_URL = "https://api.coinbase.com"
STREAM_URL = "wss://advanced-trade-ws-user.coinbase.com"

CAPABILITIES = Capabilities(
    cursor="time",
    find="window",
    order_types=frozenset({"market", "limit", "stop_limit"}),
    times_in_force=frozenset({"gtc", "ioc", "fok", "post_only"}),
    amends=True,
    hedges=False,
    streams=True,
    cannot=(
        "Deposits, withdrawals, conversions, staking, rewards and sweeps are not told: only balances show them.",
        "Funding and daily settlement of futures are not told; their cash is compared only while no future is held.",
        "A fill whose size in quote currency is no exact quantity is refused, and so is a synthetic one.",
        "An order that has ended is found by our id among those of the last day; an older one is not.",
        "Coinbase has no reduce-only orders: a resting one is taken where it reduces what is held now.",
        "Orders of futures cannot be changed (CANNOT_EDIT_FUTURES_ORDER): cancel and place another.",
        "Coinbase has no stop or take-profit that becomes a market order: a stop needs a limit.",
        "Coinbase states no marks of products: they are last prices.",
        "Positions and orders of the global derivatives are not seen: they are an account of their own.",
    ),
)


class CoinbaseVenue:
    """A :class:`trueup.ports.LiveVenue` for the portfolio of one key. Belongs to one event loop.

    Args:
        account: Whose facts these become.
        key_name: Of the key, as Coinbase shows it: ``organizations/…/apiKeys/…``, or the id alone.
        secret: The private key.
        rest_url, stream_url: Base addresses.
        futures: Whether the portfolio has a wallet for US futures.
        clock: Ours.
        random: Spreads reconnections, and gives each token a number of its own.
        instruments: Terms that the book knows.
        open_orders: What the book holds open.
        learnt: What earlier answers said of the account.
        limiter: What all accounts under one key share; None for one of its own.
    """

    def __init__(
        self,
        account: AccountId,
        *,
        key_name: Secret,
        secret: Secret,
        rest_url: str = REST_URL,
        stream_url: str = STREAM_URL,
        futures: bool = True,
        clock: Clock,
        random: Random,
        instruments: Iterable[Instrument] = (),
        open_orders: Iterable[OpenOrder] = (),
        learnt: Mapping[str, str] = MappingProxyType({}),
        limiter: Limiter | None = None,
    ) -> None:
        self.account = account
        self._session = Session(
            account,
            key_name=key_name,
            secret=secret,
            rest_url=rest_url,
            clock=clock,
            random=random,
            instruments=instruments,
            learnt=learnt,
            limiter=limiter,
        )
        self._trading = Trading(self._session)
        self._stream_url = stream_url
        self._futures = futures
        self._random = random
        self._open: dict[str, Decimal] = {order.venue_order_id: order.quantity for order in open_orders}
        self._streams: WeakSet[Stream[Pushed]] = WeakSet()
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
        """Which portfolio it is, once the venue said so."""
        return {"portfolio": self._session.portfolio} if self._session.portfolio else {}

    @property
    def health(self) -> Mapping[str, ConnectionHealth]:
        """How the calls and the newest stream are doing."""
        return {"rest": self._session.transport.health, "stream": self._stream_health}

    async def check(self) -> Sequence[str]:
        """A first look. Raises :class:`VenueError`."""
        key = await self._session.ready()
        state = await self.snapshot()
        orders = "an unknown number of" if state.open_orders is None else str(len(state.open_orders))
        told = [
            f"The venue answers; the key is of portfolio {key.portfolio}.",
            f"It holds {_held(state)} and has {orders} open orders.",
            *(f"Its {part} could not be read: {why}" for part, why in state.failed.items()),
            _may(key),
        ]
        offset = self._session.skew.offset
        if offset is not None:
            apart, error = (Decimal(ns).scaleb(-9) for ns in (offset.offset_ns, offset.error_ns))
            told.append(f"The venue's clock is {apart:+.3f} s from ours, give or take {error:.3f} s.")
        return told

    async def cursor_at(self, venue_time: int) -> str:
        """A cursor from which the history tells everything at or after a time in nanoseconds."""
        return history.cursor_at(venue_time)

    def refused(self) -> Sequence[Refused]:
        """Rows that could not be read since this was last asked."""
        return self._session.refused()

    def client_id(self, client_order_id: str) -> str:
        """What the venue's reports call an order to which we give this id."""
        return placement.client_id(self.account, client_order_id)

    async def instruments(self) -> Sequence[Instrument]:
        """Contract terms of every product, spot and US futures."""
        return await self._session.listed()

    async def snapshot(self) -> VenueSnapshot:
        """The account's state now; a part that could not be read is None and named in ``failed``."""
        return await snapshots.snapshot(self._session, futures=self._futures)

    def history(self, cursor: str | None) -> AsyncIterator[tuple[Sequence[Fact], str]]:
        """Pages of fills since the cursor, that one included, each with the next cursor."""
        return history.pages(self._session, cursor)

    async def marks(self, instruments: Sequence[str]) -> Sequence[Mark]:
        """Last prices, which is all the venue states of most products; an instrument without one is left out."""
        return await marks.marks(self._session, instruments)

    def stream(self) -> Following:
        """Order states as they happen, and their fills; after a gap, which comes first, the history is to be pulled."""
        stream: Stream[Pushed] = Stream(
            str(self.account), self._connect, lambda: Conversation(self._session), self._session.clock, self._random
        )
        self._streams.add(stream)
        self._stream_health = stream.health
        return Following(self._session, stream, self._open)

    async def place(self, request: OrderRequest) -> OrderReported:
        """Place an order."""
        report = await self._trading.place(request)
        if is_open(report):  # where it ends while nobody listens, that is asked for
            self._open.setdefault(report.venue_order_id, report.quantity)
        return report

    async def cancel(self, instrument: str, venue_order_id: str) -> OrderReported | None:
        """Cancel what is left of an order."""
        del instrument
        return await self._trading.cancel(venue_order_id)

    async def amend(self, instrument: str, venue_order_id: str, amendment: Amendment) -> OrderReported:
        """Change a resting order, which keeps its id."""
        del instrument
        return await self._trading.amend(venue_order_id, amendment)

    async def close(self, instrument: str, position_side: str, client_order_id: str) -> OrderReported:
        """Close a position in a future at the market, never beyond flat."""
        return await self._trading.close(instrument, position_side, client_order_id)

    async def find(self, client_order_id: str) -> OrderReported | None:
        """The order of a client order id where it rests or is of the last day; None where it is neither."""
        return await self._trading.find(client_order_id)

    async def aclose(self) -> None:
        """Close the connections."""
        for stream in list(self._streams):
            await stream.aclose()
        await self._session.transport.aclose()

    async def _connect(self) -> Connection:
        """The stream's connection, once its messages can be read. The venue wants to hear something within 5 s."""
        try:
            await self._session.ready()
        except RateLimited as error:
            raise Unavailable(error.message, remedy=error.remedy) from error
        return await open_websocket(self._stream_url)


def _held(state: VenueSnapshot) -> str:
    futures = "unknown futures" if state.positions is None else f"{len(state.positions)} futures"
    if state.balances is None:
        return f"unknown balances and {futures}"
    currencies = sorted(currency for currency, amount in state.balances.items() if amount)
    return f"{', '.join(currencies) or 'nothing'} and {futures}"


def _may(key: Key) -> str:
    may = f"The key may view{' and trade' if key.may_trade else ', not trade'}"
    if key.may_transfer:
        return f"{may}. It may also move money out, which trueup never does: make one without the scope transfer."
    return f"{may}; it may not move money."
