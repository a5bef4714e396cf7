"""What one WebSocket connection is subscribed to, and the messages that wait for it.

What happens to an account is told as the exchange reports it, so that its faults strike here too; how markets stand is
told when it has changed.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Mapping

import msgspec

from trueup.model.errors import Unavailable
from trueup.model.events import Fact
from trueup.model.facts import fact_key
from trueup.testing.servers.hyperliquid import info
from trueup.testing.servers.hyperliquid.assets import Row
from trueup.testing.servers.hyperliquid.history import AccountHistory
from trueup.testing.servers.hyperliquid.state import State

USERS_MAX = 10
"""Addresses that may be followed from one address of the network."""

SUBSCRIPTIONS_MAX = 1_000

MESSAGES_MAX = 10_000
"""Messages that wait for a slow client; one more, and the connection ends."""

_BY_USER_DONE = frozenset({"open", "filled", "canceled"})
"""States of orders that are no cancellation by the venue."""

Key = tuple[str, str]
"""(type, and the user, coin or dex that it is of)"""


class Subscription(msgspec.Struct, frozen=True):
    """What a client wants to hear."""

    type: str
    user: str = ""
    coin: str = ""
    dex: str = ""


class Feeds:
    """One connection's subscriptions.

    Args:
        state: What the venue knows.
        tracked: Which addresses the connections from one address of the network follow, and how many of them.

    Attributes:
        woken: Set when there is something to send, or the end.
        ended: Why the connection is to end; empty while it is not.
    """

    def __init__(self, state: State, tracked: Counter[str]) -> None:
        self.woken = asyncio.Event()
        self.ended = ""
        self._state = state
        self._tracked = tracked
        self._waiting: deque[Row] = deque()
        self._wanted: dict[Key, Subscription] = {}
        self._ears: dict[str, Ear] = {}
        self._shown: dict[Key, object] = {}

    def say(self, channel: str, data: object) -> None:
        """Put a message in line."""
        self._put({"channel": channel, "data": data})

    def pong(self) -> None:
        """Answer a ping."""
        self._put({"channel": "pong"})

    def end(self, reason: str) -> None:
        """Let the connection end, after what waits."""
        self.ended = self.ended or reason
        self.woken.set()

    def taken(self) -> Row | None:
        """The next message; None where none waits."""
        return self._waiting.popleft() if self._waiting else None

    def subscribe(self, wanted: object) -> None:
        """Acknowledge a subscription and begin with how things are; or say what is wrong with it."""
        subscription = self._read(wanted)
        if subscription is None:
            self.say("error", f"Invalid subscription {_text(wanted)}")
            return
        key, user = _key(subscription), subscription.user
        if key in self._wanted:
            self.say("error", f"Already subscribed: {_text(wanted)}")
        elif user and user not in self._tracked and len(self._tracked) >= USERS_MAX:
            self.say("error", f"Cannot track more than {USERS_MAX} total users.")
        elif len(self._wanted) >= SUBSCRIPTIONS_MAX:
            self.say("error", f"Cannot subscribe to more than {SUBSCRIPTIONS_MAX} channels.")
        else:
            if user:
                self._follow(user)
            self._wanted[key] = subscription
            self.say("subscriptionResponse", {"method": "subscribe", "subscription": wanted})
            self._begin(subscription)

    def unsubscribe(self, wanted: object) -> None:
        """Stop telling."""
        subscription = self._read(wanted)
        if subscription is None or self._wanted.pop(_key(subscription), None) is None:
            self.say("error", f"Already unsubscribed: {_text(wanted)}")
            return
        self._shown.pop(_key(subscription), None)
        if all(other.user != subscription.user for other in self._wanted.values()):
            self._forget(subscription.user)
        self.say("subscriptionResponse", {"method": "unsubscribe", "subscription": wanted})

    def leave(self) -> None:
        """The connection is gone."""
        for user in list(self._ears):
            self._forget(user)

    def show_changes(self) -> None:
        """Tell what has changed of what is shown as it stands."""
        for key, subscription in self._wanted.items():
            shows = _SHOWN.get(subscription.type)
            if shows is None:
                continue
            channel, version, data = shows(self._state, subscription)
            if self._shown.get(key) != version:
                self._shown[key] = version
                self.say(channel, data)

    def hear(self, user: str, fact: Fact) -> None:
        """Tell what happened to an address."""
        history = self._state.history(user)
        told = history.told.get(fact_key(fact) or "") if history is not None else None
        if told is None:
            return  # of a market that the venue does not have
        kind, row = told
        for wanted, channel, data in _REPORTS[kind](user, row):
            if (wanted, user) in self._wanted:
                self.say(channel, data)

    def _put(self, message: Row) -> None:
        if len(self._waiting) >= MESSAGES_MAX:
            self.end("Too slow")
            return
        self._waiting.append(message)
        self.woken.set()

    def _read(self, wanted: object) -> Subscription | None:
        """A subscription of a known kind to something there is; None for any other."""
        try:
            subscription = msgspec.convert(wanted, Subscription)
        except msgspec.ValidationError:
            return None
        about, assets = _ABOUT.get(subscription.type), self._state.assets
        known = {
            "user": info.is_address(subscription.user),
            "coin": subscription.coin in assets.by_coin,
            "dex": subscription.dex in assets.dexes,
        }
        if about is None or not known[about]:
            return None
        return msgspec.structs.replace(subscription, user=subscription.user.lower())

    def _follow(self, user: str) -> None:
        if user in self._ears:
            return
        ear = self._ears[user] = Ear(self, user)
        self._tracked[user] += 1
        if user in self._state.accounts:
            self._state.exchange.subscribe(self._state.accounts[user], ear)

    def _forget(self, user: str) -> None:
        ear = self._ears.pop(user, None)
        if ear is None:
            return
        self._tracked[user] -= 1
        self._tracked += Counter()  # those that nobody follows go
        if user in self._state.accounts:
            self._state.exchange.unsubscribe(self._state.accounts[user], ear)

    def _begin(self, subscription: Subscription) -> None:
        """How things are."""
        snapshot = _SNAPSHOTS.get(subscription.type)
        if snapshot is not None:
            field, rows = snapshot
            history = self._state.history(subscription.user)
            data = {"isSnapshot": True, "user": subscription.user, field: rows(history) if history else []}
            self.say(subscription.type, data)
        self.show_changes()


class Ear:
    """A connection's ear at the exchange."""

    def __init__(self, feeds: Feeds, user: str) -> None:
        self._feeds = feeds
        self._user = user

    def put(self, fact: Fact) -> None:
        """Take a report."""
        self._feeds.hear(self._user, fact)

    def fail(self, error: Unavailable) -> None:
        """The exchange hangs up."""
        self._feeds.end(error.message)


def _key(subscription: Subscription) -> Key:
    return subscription.type, subscription.user or subscription.coin or subscription.dex


def _text(wanted: object) -> str:
    return msgspec.json.encode(wanted).decode()


# --- reports ----------------------------------------------------------------------------------------------------------

Told = tuple[str, str, object]
"""(who is told: the type of subscription; channel; data)"""


def _of_fill(user: str, row: Row) -> list[Told]:
    return [("userFills", "userFills", {"user": user, "fills": [row]}), ("userEvents", "user", {"fills": [row]})]


def _of_order(_: str, row: Row) -> list[Told]:
    told: list[Told] = [("orderUpdates", "orderUpdates", [row])]
    order = row["order"]
    if row["status"] not in _BY_USER_DONE and isinstance(order, dict):
        told.append(("userEvents", "user", {"nonUserCancel": [{"coin": order["coin"], "oid": order["oid"]}]}))
    return told


def _of_funding(user: str, row: Row) -> list[Told]:
    flat = _flat(row)
    return [
        ("userFundings", "userFundings", {"user": user, "fundings": [flat]}),
        ("userEvents", "user", {"funding": flat}),
    ]


def _of_ledger(user: str, row: Row) -> list[Told]:
    kind = "userNonFundingLedgerUpdates"
    return [(kind, kind, {"user": user, "nonFundingLedgerUpdates": [row]})]


def _flat(row: Row) -> Row:
    """Funding as feeds have it: in one piece, and without a hash."""
    delta = row["delta"]
    terms = {name: value for name, value in delta.items() if name != "type"} if isinstance(delta, dict) else {}
    return {"time": row["time"], **terms}


_REPORTS: Mapping[str, Callable[[str, Row], list[Told]]] = {
    "fill": _of_fill,
    "order": _of_order,
    "funding": _of_funding,
    "ledger": _of_ledger,
}

_SNAPSHOTS: Mapping[str, tuple[str, Callable[[AccountHistory], list[Row]]]] = {
    "userFills": ("fills", lambda h: h.fills[: -info.FILLS_PER_ANSWER - 1 : -1]),
    "userFundings": ("fundings", lambda h: [_flat(row) for row in h.fundings[: -info.ROWS_PER_ANSWER - 1 : -1]]),
    "userNonFundingLedgerUpdates": ("nonFundingLedgerUpdates", lambda h: h.ledger[: -info.ROWS_PER_ANSWER - 1 : -1]),
}

# --- what is shown as it stands ---------------------------------------------------------------------------------------

Shown = tuple[str, object, object]
"""(channel; what changes where the data do; data)"""


def _mids(state: State, wanted: Subscription) -> Shown:
    mids = info.all_mids(state, wanted.dex)
    return "allMids", mids, {"mids": mids, **({"dex": wanted.dex} if wanted.dex else {})}


def _context(state: State, wanted: Subscription) -> Shown:
    asset = state.assets.by_coin[wanted.coin]
    spot = asset.market.spot
    context = info.spot_context(state, asset) if spot else info.asset_context(state, asset)
    data = {"coin": asset.coin, "ctx": context}
    return "activeSpotAssetCtx" if spot else "activeAssetCtx", data, data


def _book(state: State, wanted: Subscription) -> Shown:
    book = info.book(state, wanted.coin)
    return "l2Book", book["levels"], book


def _web_data(state: State, wanted: Subscription) -> Shown:
    history = state.history(wanted.user)
    version = (info.all_mids(state, ""), history.seen if history else 0)
    return "webData2", version, info.web_data(state, wanted.user)


_SHOWN: Mapping[str, Callable[[State, Subscription], Shown]] = {
    "allMids": _mids,
    "activeAssetCtx": _context,
    "l2Book": _book,
    "webData2": _web_data,
}

_ABOUT: Mapping[str, str] = {
    "userFills": "user",
    "orderUpdates": "user",
    "userEvents": "user",
    "userFundings": "user",
    "userNonFundingLedgerUpdates": "user",
    "webData2": "user",
    "activeAssetCtx": "coin",
    "l2Book": "coin",
    "allMids": "dex",
}
"""The kinds of subscription, and what each is about."""
