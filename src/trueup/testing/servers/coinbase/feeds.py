"""What one WebSocket connection is subscribed to, and the messages that wait for it.

Orders are told as the exchange reports them, so that its faults strike here too; a future's position is told after the
fills that changed it. Fills themselves are told by nobody: they are to be asked for.
"""

import asyncio
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from trueup.model.errors import Unavailable
from trueup.model.events import Fact, FillBooked, OrderReported
from trueup.model.identifiers import AccountId
from trueup.model.times import NS_PER_SECOND
from trueup.ports import Clock
from trueup.testing.servers.coinbase.keys import Guard
from trueup.testing.servers.coinbase.orders import Order
from trueup.testing.servers.coinbase.products import Products
from trueup.testing.servers.coinbase.rooms import Room
from trueup.testing.servers.coinbase.shows import written
from trueup.testing.servers.coinbase.wire import Refusal, Row, stamp
from trueup.venues.paper.exchange import PaperExchange

SNAPSHOT_BATCH = 50
"""Orders of one message of the snapshot; a full one is followed by another."""

MESSAGES_MAX = 10_000
"""Messages that wait for a slow client; one more, and the connection ends."""

HEARTBEATS, USER, SUMMARY = "heartbeats", "user", "futures_balance_summary"


class Feeds:
    """One connection's subscriptions: it is the exchange's listener too.

    Attributes:
        woken: Set when there is something to send, or the end.
        ended: Why the connection is to end; empty while it is not.
        channels: What is subscribed to, with the products or the user that it is for.
    """

    def __init__(
        self,
        exchange: PaperExchange,
        rooms: Mapping[AccountId, Room],
        products: Products,
        guard: Guard,
        clock: Clock,
    ) -> None:
        self.woken = asyncio.Event()
        self.ended = ""
        self.channels: dict[str, list[str]] = {}
        self._exchange = exchange
        self._rooms = rooms
        self._products = products
        self._guard = guard
        self._clock = clock
        self._room: Room | None = None
        self._only: frozenset[str] = frozenset()
        self._waiting: deque[Row] = deque()
        self._number = self._beats = 0
        self._moved: set[str] = set()
        self._summary: object = None

    def obey(self, message: object) -> None:
        """Do what the client says, or say what is wrong with it."""
        match message:
            case {"type": "subscribe", "channel": str(channel), **rest}:
                self._subscribe(channel, rest)
            case {"type": "unsubscribe", "channel": str(channel)}:
                self._unsubscribe(channel)
            case _:
                self.complain("failure to parse message")

    def complain(self, problem: str) -> None:
        """Say that something is wrong."""
        self._put({"type": "error", "message": problem})

    def taken(self) -> Row | None:
        """The next message; None where none waits."""
        return self._waiting.popleft() if self._waiting else None

    def end(self, reason: str) -> None:
        """Let the connection end, after what waits."""
        self.ended = self.ended or reason
        self.woken.set()

    def leave(self) -> None:
        """The connection is gone."""
        if self._room is not None:
            self._exchange.unsubscribe(self._room.account, self)
            self._room = None

    def beat(self) -> None:
        """A heartbeat, where that is wanted."""
        if HEARTBEATS in self.channels:
            self._beats += 1
            now = self._clock.now()
            current = f"{stamp(now)[:-1].replace('T', ' ')}{now % 1_000:03d} +0000 UTC m=+{now / NS_PER_SECOND:.9f}"
            self._say(HEARTBEATS, {"current_time": current, "heartbeat_counter": self._beats})

    def look(self) -> None:
        """Tell of positions that moved, and of a balance summary that is another one. Raises :class:`Unavailable`."""
        if self._room is None:
            return
        moved, self._moved = self._moved, set()
        if moved and USER in self.channels:
            self._tell("update", [], self._room.shows.pushed_positions(sorted(moved)))
        if SUMMARY in self.channels:
            summary = written(self._room.shows.balance_summary(), plain=True)
            if summary != self._summary:
                kind = "snapshot" if self._summary is None else "update"
                self._summary = summary
                self._say(SUMMARY, {"type": kind, "fcm_balance_summary": summary})

    # --- as the exchange's listener -----------------------------------------------------------------------------------

    def put(self, fact: Fact) -> None:
        """Take a report."""
        room = self._room
        if room is None or not isinstance(fact, OrderReported | FillBooked):
            return
        order = room.history.catch_up().order_of(fact)
        if order is None or not self._wants(order):
            return
        if isinstance(fact, FillBooked):
            if not order.product.spot:
                self._moved.add(fact.instrument)
                self.woken.set()
        elif USER in self.channels and (fact.status, order.status) != ("canceled", "OPEN"):  # which an edit does
            states = [order.pending(), order] if room.history.starts(fact, order) else [order]
            for state in states:
                self._tell("update", [state.update(room.history.portfolio_id)])

    def fail(self, error: Unavailable) -> None:
        """The exchange hangs up."""
        self.end(error.message)

    # --- subscriptions ------------------------------------------------------------------------------------------------

    def _subscribe(self, channel: str, rest: Mapping[object, Any]) -> None:
        ids = rest.get("product_ids") or []
        if channel not in {HEARTBEATS, USER, SUMMARY}:
            self.complain(f"channel {channel} is not served here")
        elif not isinstance(ids, list) or not all(isinstance(i, str) and i in self._products.by_id for i in ids):
            self.complain("product_ids: not all of them are products")
        elif channel == HEARTBEATS:
            self._agree(channel, [HEARTBEATS])
        elif self._enter(rest.get("jwt")) and self._room is not None:
            self._agree(channel, [self._room.history.user_id])
            if channel == USER:
                self._only = frozenset(ids)
                self._begin(self._room)
            self.woken.set()

    def _unsubscribe(self, channel: str) -> None:
        self.channels.pop(channel, None)
        if channel == SUMMARY:
            self._summary = None
        self._say("subscriptions", {"subscriptions": self.channels})

    def _agree(self, channel: str, what: list[str]) -> None:
        self.channels[channel] = what
        self._say("subscriptions", {"subscriptions": dict(self.channels)})

    def _enter(self, token: object) -> bool:
        """Let a user in, one to a connection. Raises :class:`Unavailable`."""
        try:
            key = self._guard.admit_stream(token if isinstance(token, str) else "")
        except Refusal:
            self.complain("authentication failure")
            return False
        if "view" not in key.scopes or (self._room is not None and self._room.account != key.account):
            self.complain("authentication failure")
            return False
        if self._room is None:
            self._exchange.subscribe(key.account, self)
            self._room = self._rooms[key.account]
        return True

    def _begin(self, room: Room) -> None:
        """How things are: open orders in batches, and futures that are held."""
        orders = [order for order in room.history.catch_up().working() if self._wants(order)]
        positions = room.shows.pushed_positions()
        for start in range(0, len(orders) + 1, SNAPSHOT_BATCH):
            rows = [order.update(room.history.portfolio_id) for order in orders[start : start + SNAPSHOT_BATCH]]
            self._tell("snapshot", rows, positions)

    def _wants(self, order: Order) -> bool:
        return not self._only or order.product.id in self._only

    # --- messages -----------------------------------------------------------------------------------------------------

    def _tell(self, kind: str, orders: Sequence[Row], positions: Row | None = None) -> None:
        event: Row = {"type": kind, "orders": list(orders)}
        none: Collection[Row] = []
        nothing = {"perpetual_futures_positions": none, "expiring_futures_positions": none}
        self._say(USER, event | {"positions": nothing if positions is None else positions})

    def _say(self, channel: str, event: Row) -> None:
        """Put a message in line: all channels of a connection are counted together."""
        number, self._number = self._number, self._number + 1
        now = stamp(self._clock.now())
        self._put({"channel": channel, "client_id": "", "timestamp": now, "sequence_num": number, "events": [event]})

    def _put(self, message: Row) -> None:
        if len(self._waiting) >= MESSAGES_MAX:
            self.end("Too slow")
            return
        self._waiting.append(message)
        self.woken.set()
