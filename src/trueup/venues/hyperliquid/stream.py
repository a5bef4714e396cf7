"""The venue's side of a stream: what is subscribed to for an account, and what the messages say.

The venue replays next to nothing after a connection was lost; whoever follows the stream pulls the history then. What
comes before all feeds are agreed on is held back until they are, so that the gap comes first.
"""

from collections.abc import Sequence

import msgspec

from trueup.model.errors import Malformed, Rejected
from trueup.model.events import Fact
from trueup.venues import rows
from trueup.venues.hyperliquid.session import Session

FEEDS = ("userFills", "orderUpdates", "userFundings", "userNonFundingLedgerUpdates")

PING_S = 50.0
"""As the venue's own client does; it closes a connection that is silent for a minute."""

SILENCE_S = 65.0
"""A ping, and time enough for its answer."""

_GREETING = "Websocket connection established."


class _Message(msgspec.Struct):
    channel: str
    data: msgspec.Raw = msgspec.Raw(b"null")


class _Agreed(msgspec.Struct):
    subscription: "_Feed"


class _Feed(msgspec.Struct):
    type: str


class Conversation:
    """Of one connection; see :class:`trueup.venues.transport.stream.Conversation`."""

    silence_s = SILENCE_S
    ping_s: float | None = PING_S

    def __init__(self, session: Session) -> None:
        self._session = session
        self._awaited = set(FEEDS)
        self._early: list[Fact] = []

    def hello(self) -> Sequence[str]:
        """Subscribe to each feed."""
        return [
            msgspec.json.encode(
                {"method": "subscribe", "subscription": {"type": feed, "user": self._session.address}}
            ).decode()
            for feed in FEEDS
        ]

    def ping(self) -> str:
        """Ask for a sign of life."""
        return '{"method":"ping"}'

    @property
    def agreed(self) -> bool:
        """Whether every feed was acknowledged."""
        return not self._awaited

    def read(self, message: str | bytes) -> Sequence[Fact]:
        """The facts in a message.

        Raises:
            Malformed: It, or a row in it, cannot be read: a gap, and the pull that ends it refuses the row.
            Rejected: The venue refuses a subscription.
        """
        if message == _GREETING:
            return ()
        body = message.encode() if isinstance(message, str) else message
        facts = self._facts(body)
        if not self.agreed:
            self._early += facts
            return ()
        facts, self._early = [*self._early, *facts], []
        return facts

    def _facts(self, body: bytes) -> Sequence[Fact]:
        try:
            told = msgspec.json.decode(body, type=_Message)
            if told.channel == "subscriptionResponse":
                self._awaited.discard(msgspec.json.decode(told.data, type=_Agreed).subscription.type)
                return ()
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Malformed(f"not a message of Hyperliquid: {rows.shown(body)}.") from error
        if told.channel == "pong":
            return ()
        if told.channel == "error":
            text = rows.shown(bytes(told.data))
            raise Rejected(
                f"Hyperliquid refuses the stream: {text}.",
                remedy="At most 10 accounts of one network address can be followed.",
                venue_text=text,
            )
        reading = self._session.reader.read(told.channel, body)
        if reading.refused:
            row = reading.refused[0]
            raise Malformed(f"{told.channel}: {row.field}={row.value!r}: {row.problem}.", remedy=row.remedy)
        return reading.facts
