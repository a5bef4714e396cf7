"""What the channels of an account say. What lives only here: when money moved that no trade explains.

Orders and trades come as they happen (``user.changes``). Deposits, funding and settlements have no channel: they show
in the cash balance (``user.portfolio``), which trades change by their fees alone. Where it moved by anything else, that
is a gap, and the history tells what it was.
"""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal

from trueup.model.errors import AuthenticationFailed, BadInput, Malformed
from trueup.model.events import Fact, FillBooked
from trueup.model.numbers import ZERO, exact
from trueup.model.venues import Gap
from trueup.venues import rows
from trueup.venues.files import json_value
from trueup.venues.jsonrpc_derivatives import errors
from trueup.venues.jsonrpc_derivatives.reader import Engine, EngineReader
from trueup.venues.jsonrpc_derivatives.socket import HEARTBEAT_S, SUBSCRIBE_ID
from trueup.venues.rows import Row

SILENCE_S = 2.5 * HEARTBEAT_S
"""After two heartbeats that did not come, and time for a third, the connection is dead."""

ROUNDED = Decimal("0.00000001")
"""What each fee in a balance may be rounded by."""

_PORTFOLIO = "user.portfolio."


def channels(engine: Engine) -> Sequence[str]:
    """What is subscribed to."""
    return (*(f"user.changes.{kind}.any.raw" for kind in engine.kinds), f"{_PORTFOLIO}any")


class Conversation:
    """Of one connection that is signed in; see :class:`trueup.venues.transport.stream.Conversation`.

    Args:
        engine: Where it runs.
        reader: Of its messages.
    """

    silence_s = SILENCE_S
    ping_s: float | None = None

    def __init__(self, engine: Engine, reader: EngineReader) -> None:
        self.agreed = False
        self._engine = engine
        self._reader = reader
        self._cash: dict[str, _Cash] = defaultdict(_Cash)
        self._early: list[Fact | Gap] = []

    def hello(self) -> Sequence[str]:
        """Nothing: whoever opened the connection said it all."""
        return ()

    def ping(self) -> str:
        """Nothing: the engine asks."""
        return ""

    def read(self, message: str | bytes) -> Sequence[Fact | Gap]:
        """What a message says.

        Raises:
            Malformed: It, or a row in it, cannot be read: a gap, and the pull that ends it refuses the row.
            VenueError: A channel is not given, to this key or now.
        """
        items = self._items(message.encode() if isinstance(message, str) else message)
        if not self.agreed:
            self._early += items
            return ()
        items, self._early = [*self._early, *items], []
        return items

    def _items(self, body: bytes) -> Sequence[Fact | Gap]:
        try:
            row = rows.as_row(json_value("message", body))
            if row.get("id") == SUBSCRIBE_ID:
                self._agree(row)
            if row.get("method") != "subscription":
                return ()
            params = rows.record(row, "params")
            if rows.text(params, "channel").startswith(_PORTFOLIO):
                return self._moved(rows.record(params, "data"))
            return self._told(row, rows.record(params, "data"))
        except BadInput as error:
            raise Malformed(f"a message: {error.field}={error.value!r}: {error.problem}.") from error

    def _agree(self, row: Row) -> None:
        """See that every channel was given; the engine leaves out those that it does not give, without a word."""
        if row.get("error") is not None:
            raise errors.of_error(self._engine.title, "private/subscribe", row, writes=False)
        given = row.get("result")
        missing = [one for one in channels(self._engine) if not isinstance(given, list) or one not in given]
        if missing:
            raise AuthenticationFailed(
                f"{self._engine.title} does not give the channels {', '.join(missing)}.",
                remedy="Give the key the scopes to read trades and the account.",
                venue_text=rows.shown(given),
            )
        self.agreed = True

    def _told(self, row: Row, data: Row) -> Sequence[Fact | Gap]:
        if not (data.get("orders") or data.get("trades")):
            return (Gap("a position changed, and by no trade"),)
        reading = self._reader.answer("message", row)
        if reading.refused:
            refused = reading.refused[0]
            raise Malformed(f"{reading.kind}: {refused.field}={refused.value!r}: {refused.problem}.")
        for fact in reading.facts:
            if isinstance(fact, FillBooked):
                self._cash[fact.fee_currency].pay(fact)
        return reading.facts

    def _moved(self, data: Row) -> Sequence[Gap]:
        currency = rows.text(data, "currency")
        if self._cash[currency].explains(rows.decimal(data, "balance")):
            return ()
        return (Gap(f"the balance of {currency} moved by something else than a fee"),)


class _Cash:
    """The cash balance of one currency, as it was stated last, and what was paid of it since."""

    def __init__(self) -> None:
        self._stated: Decimal | None = None
        self._paid = ZERO
        self._trades = 0

    def pay(self, fill: FillBooked) -> None:
        with exact():
            self._paid += fill.fee
        self._trades += 1

    def explains(self, stated: Decimal) -> bool:
        """Whether fees alone account for a new balance. Nothing does for the first: what moved it may be news."""
        before, paid, trades = self._stated, self._paid, self._trades
        self._stated, self._paid, self._trades = stated, ZERO, 0
        with exact():
            return before is not None and abs(before - paid - stated) <= trades * ROUNDED
