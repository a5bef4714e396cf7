"""What one WebSocket connection is subscribed to, and the messages that wait for it.

What happens to an account is told as the exchange reports it, so that its faults strike here too; how markets and money
stand is told when it has changed. Channels of an interval tell what gathered in it.
"""

import asyncio
import re
from collections import defaultdict, deque
from collections.abc import Sequence

import msgspec

from trueup.model.errors import Unavailable
from trueup.model.events import Fact
from trueup.model.facts import fact_key
from trueup.testing.servers.jsonrpc_derivatives import wire
from trueup.testing.servers.jsonrpc_derivatives.desk import Desk
from trueup.testing.servers.jsonrpc_derivatives.history import Told
from trueup.testing.servers.jsonrpc_derivatives.markets import ANY, KINDS, Contract, Markets
from trueup.testing.servers.jsonrpc_derivatives.wire import Row

MESSAGES_MAX = 10_000
"""Messages that wait for a slow client; one more, and the connection ends."""

CHANNELS_MAX = 500
"""Of one connection."""

_USER = re.compile(r"user\.(orders|trades|changes)\.([\w-]+)(?:\.(\w+))?\.(raw|100ms|agg2)")
_PORTFOLIO = re.compile(r"user\.portfolio\.(\w+)")
_TICKER = re.compile(r"ticker\.([\w-]+)\.(?:raw|100ms|agg2)")
_RAW = "raw"


class Channel(msgspec.Struct, frozen=True):
    """What a client wants to hear.

    Attributes:
        sort: ``orders``, ``trades``, ``changes``, ``portfolio`` or ``ticker``.
        contract: The one that it is about; None for those of a currency.
        gathered: Whether it tells at intervals.
    """

    name: str
    sort: str
    contract: Contract | None = None
    currency: str = ANY
    kind: str = ANY
    gathered: bool = False

    @property
    def private(self) -> bool:
        """Whether it is somebody's own."""
        return self.sort != "ticker"

    def about(self, contract: Contract) -> bool:
        """Whether it tells of a contract."""
        if self.contract is not None:
            return self.contract is contract
        return self.currency in {ANY, contract.currency} and self.kind in {ANY, "future"}


class Feeds:
    """One connection's channels.

    Args:
        markets: That tickers are of.

    Attributes:
        woken: Set when there is something to send, or the end.
        ended: Why the connection is to end; empty while it is not.
        channels: What it is subscribed to, by name.
    """

    def __init__(self, markets: Markets) -> None:
        self.woken = asyncio.Event()
        self.ended = ""
        self.channels: dict[str, Channel] = {}
        self._markets = markets
        self._waiting: deque[Row] = deque()
        self._gathered: dict[str, list[Told]] = defaultdict(list)
        self._shown: dict[str, object] = {}
        self._desk: Desk | None = None

    def say(self, message: Row) -> None:
        """Put a message in line."""
        if len(self._waiting) >= MESSAGES_MAX:
            self.end("too slow")
            return
        self._waiting.append(message)
        self.woken.set()

    def end(self, reason: str) -> None:
        """Let the connection end, after what waits."""
        self.ended = self.ended or reason
        self.woken.set()

    def taken(self) -> Row | None:
        """The next message; None where none waits."""
        return self._waiting.popleft() if self._waiting else None

    def belong(self, desk: Desk) -> None:
        """The connection is somebody's from now on; of another account it forgets the channels."""
        if self._desk is desk:
            return
        self.leave()
        self.unsubscribe([channel.name for channel in self.channels.values() if channel.private])
        desk.exchange.subscribe(desk.account, self)
        self._desk = desk

    def leave(self) -> None:
        """The connection is gone."""
        if self._desk is not None:
            self._desk.exchange.unsubscribe(self._desk.account, self)

    def subscribe(self, names: Sequence[str]) -> list[str]:
        """Begin to tell; returns the channels that there are, the others are passed over in silence."""
        found = [channel for name in names if (channel := self._read(name)) is not None]
        for channel in found[: CHANNELS_MAX - len(self.channels)]:
            self.channels[channel.name] = channel
        self.woken.set()
        return [channel.name for channel in found if channel.name in self.channels]

    def unsubscribe(self, names: Sequence[str]) -> list[str]:
        """Tell no more; returns what it was told of."""
        for name in names:
            self._gathered.pop(name, None)
            self._shown.pop(name, None)
        return [name for name in names if self.channels.pop(name, None) is not None]

    # --- what is told -------------------------------------------------------------------------------------------------

    def put(self, fact: Fact) -> None:
        """Take a report of the exchange."""
        if self._desk is None:
            return
        for told in self._desk.history.catch_up().told.get(fact_key(fact) or "", ()):
            for channel in self.channels.values():
                if channel.sort in _TELL[told.kind] and channel.about(told.contract):
                    self._tell(channel, told)

    def fail(self, error: Unavailable) -> None:
        """The exchange hangs up."""
        self.end(error.message)

    def flush(self, now: int) -> None:
        """Tell what gathered, and what has changed of what is shown as it stands."""
        for name, gathered in self._gathered.items():
            if gathered:
                self.say(wire.notification(name, self._data(self.channels[name], gathered)))
                gathered.clear()
        for channel in self.channels.values():
            version = self._version(channel)
            if self._shown.get(channel.name) != version:
                self._shown[channel.name] = version
                for data in self._standing(channel, now):
                    self.say(wire.notification(channel.name, data))

    def _tell(self, channel: Channel, told: Told) -> None:
        if channel.gathered:
            self._gathered[channel.name].append(told)
            return
        single = channel.sort == "orders"
        self.say(wire.notification(channel.name, told.row if single else self._data(channel, [told])))

    def _data(self, channel: Channel, told: Sequence[Told]) -> object:
        if channel.sort != "changes":
            return [one.row for one in told]
        return self._changes(told)

    def _changes(self, told: Sequence[Told]) -> Row:
        """Orders, trades and positions together."""
        contracts = {one.contract.name: one.contract for one in told}
        traded = {one.contract.name for one in told if one.kind == "trade"}
        desk = self._desk
        return {
            "instrument_name": next(iter(contracts)),
            "trades": [one.row for one in told if one.kind == "trade"],
            "orders": [one.row for one in told if one.kind == "order"],
            "positions": [desk.accounts.position(contracts[name], desk.history) for name in traded] if desk else [],
        }

    def _version(self, channel: Channel) -> object:
        """What changes where a channel shows something else than before; None for one that tells what happens."""
        if channel.sort == "ticker" and channel.contract is not None:
            return self._markets.price(channel.contract)
        if channel.sort == "portfolio" and self._desk is not None:
            prices = tuple(self._markets.price(contract) for contract in self._markets)
            return prices, self._desk.history.catch_up().seen
        return None

    def _standing(self, channel: Channel, now: int) -> list[Row]:
        """What a channel shows as it stands."""
        if channel.contract is not None:
            return [self._markets.ticker(channel.contract, now)]
        desk = self._desk
        if desk is None:
            return []
        currencies = self._markets.currencies if channel.currency == ANY else [channel.currency]
        return desk.accounts.summaries(desk.account, desk.history, currencies)

    def _read(self, name: str) -> Channel | None:
        """A channel by its name; None where there is none for this connection."""
        try:
            channel = _channel(name, self._markets)
        except wire.Refusal:
            return None
        return None if channel is None or (channel.private and self._desk is None) else channel


_TELL = {"order": frozenset({"orders", "changes"}), "trade": frozenset({"trades", "changes"})}


def _channel(name: str, markets: Markets) -> Channel | None:
    """What a name means. Raises :class:`wire.Refusal` for a contract or a currency that there is not."""
    if match := _TICKER.fullmatch(name):
        return Channel(name, "ticker", markets.named(match[1]), gathered=True)
    if match := _PORTFOLIO.fullmatch(name):
        return Channel(name, "portfolio", currency=markets.currency(match[1].upper().replace("ANY", ANY)))
    match = _USER.fullmatch(name)
    if match is None:
        return None
    sort, about, currency, interval = match.groups()
    if currency is None:
        return Channel(name, sort, markets.named(about), gathered=interval != _RAW)
    if about not in KINDS:
        return None
    return Channel(name, sort, None, markets.currency(currency), about, gathered=interval != _RAW)
