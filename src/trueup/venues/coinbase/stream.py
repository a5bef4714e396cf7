"""The venue's side of a stream: what is subscribed to, what the messages say, and that none was lost.

The user channel tells the states of orders: in snapshots all that are open, then each that changes. Its numbers count
the messages of one connection, heartbeats included. Where one is left out nobody knows what is open any more, so the
connection ends, and the next one begins with all open orders again.
"""

from collections.abc import Sequence

import msgspec

from trueup.model.errors import AuthenticationFailed, BadInput, Malformed, Rejected, Unavailable
from trueup.model.events import OrderReported
from trueup.model.numbers import exact
from trueup.model.times import parse_time
from trueup.venues import cdp, rows
from trueup.venues.coinbase import orders
from trueup.venues.coinbase.messages import SNAPSHOT_BATCH
from trueup.venues.coinbase.session import Session
from trueup.venues.files import json_value

CHANNELS = ("user", "heartbeats")
"""Without heartbeats, one a second, a channel that has nothing to say is closed after a minute."""

SILENCE_S = 20.0
"""So many heartbeats missed, and the connection is dead."""


class Pushed(msgspec.Struct, frozen=True):
    """What a message says of orders.

    Attributes:
        reports: The orders in it.
        lists: Whether these are open orders that are listed, and not orders that changed.
        begins, continues: Whether the list begins here, and whether it goes on in the next message.
    """

    reports: Sequence[OrderReported]
    lists: bool
    begins: bool = False
    continues: bool = False


class _Event(msgspec.Struct):
    type: str = ""
    orders: list[msgspec.Raw] | None = None
    subscriptions: dict[str, msgspec.Raw] | None = None


class _Message(msgspec.Struct):
    channel: str = ""
    timestamp: str = ""
    sequence_num: int = -1
    events: list[_Event] = []
    type: str = ""
    message: str = ""


class Conversation:
    """Of one connection; see :class:`trueup.venues.transport.stream.Conversation`."""

    silence_s = SILENCE_S
    ping_s: float | None = None

    def __init__(self, session: Session) -> None:
        self._session = session
        self._awaited = set(CHANNELS)
        self._early: list[Pushed] = []
        self._last: int | None = None
        self._listing = False

    def hello(self) -> Sequence[str]:
        """Subscribe to each channel, each with a token of its own."""
        return [
            msgspec.json.encode(
                {"type": "subscribe", "channel": channel, "jwt": self._session.token(uri=None)}
            ).decode()
            for channel in CHANNELS
        ]

    def ping(self) -> str:
        """Nothing: the venue's heartbeats keep the connection open."""
        return ""

    @property
    def agreed(self) -> bool:
        """Whether every channel was acknowledged."""
        return not self._awaited

    def read(self, message: str | bytes) -> Sequence[Pushed]:
        """What a message says of orders. What comes before all channels are agreed on is held back until they are.

        Raises:
            Malformed: It, or an order in it, cannot be read: a gap.
            Unavailable: Messages were lost: the connection ends.
            AuthenticationFailed, Rejected: The venue refuses a subscription.
        """
        body = message.encode() if isinstance(message, str) else message
        try:
            told = msgspec.json.decode(body, type=_Message)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Malformed(f"not a message of Coinbase: {rows.shown(body)}.") from error
        if told.type == "error":
            raise _refused(told.message)
        if not self._is_next(told.sequence_num):
            return ()
        self._acknowledge(told)
        pushed = self._pushed(told) if told.channel == "user" else []
        if not self.agreed:
            self._early += pushed
            return ()
        pushed, self._early = [*self._early, *pushed], []
        return pushed

    def _is_next(self, number: int) -> bool:
        """Whether a message is new. Raises :class:`Unavailable` where others should have come before it."""
        last = self._last
        if last is not None and number <= last:
            return False
        self._last = number
        if last is not None and number > last + 1:
            raise Unavailable(f"the messages from {last + 1} to {number - 1} were lost")
        return True

    def _acknowledge(self, told: _Message) -> None:
        self._awaited.discard(told.channel)
        if told.channel == "subscriptions":
            for event in told.events:
                self._awaited.difference_update(event.subscriptions or ())

    def _pushed(self, told: _Message) -> list[Pushed]:
        context = self._session.context("user channel")
        pushed = []
        try:
            time = parse_time(told.timestamp, "timestamp")
            for event in told.events:
                items = [rows.as_row(json_value("order", bytes(raw))) for raw in event.orders or ()]
                with exact():
                    reports = [orders.pushed(context, item, time, told.sequence_num)[0] for item in items]
                if event.type == "snapshot":
                    begins, self._listing = not self._listing, len(items) >= SNAPSHOT_BATCH
                    pushed.append(Pushed(reports, lists=True, begins=begins, continues=self._listing))
                else:
                    pushed.append(Pushed(reports, lists=False))
        except BadInput as error:
            raise Malformed(f"user channel: {error.message}", remedy=error.remedy) from error
        return pushed


def _refused(message: str) -> AuthenticationFailed | Rejected:
    text = cdp.without_tokens(rows.shown(message))
    told = f"Coinbase refuses the stream: {text}."
    if "auth" in message.lower() or "jwt" in message.lower():
        return AuthenticationFailed(told, remedy="Check the key, its scopes and this machine's clock.", venue_text=text)
    return Rejected(told, remedy="At most 8 connections a second are taken from one network address.", venue_text=text)
