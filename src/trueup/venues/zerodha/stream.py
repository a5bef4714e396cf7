"""Kite's stream: order updates in text frames, and prices in binary ones.

A subscription is not acknowledged, so the connection counts as agreed with the first frame; heartbeats of one byte come
every few seconds. An update states how an order stands, not its fills: where it tells of more filled than before, a gap
follows it, and the history has the trades. It may come twice, and out of order.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import msgspec

from trueup.model.errors import BadInput, Malformed, Unavailable
from trueup.model.events import Fact, OrderReported
from trueup.model.numbers import ZERO
from trueup.model.venues import Gap
from trueup.venues import rows
from trueup.venues.files import json_value
from trueup.venues.zerodha import answers, orders, ticks
from trueup.venues.zerodha.history import with_terms
from trueup.venues.zerodha.known import Known
from trueup.venues.zerodha.ticks import Tick

SILENCE_S = 15.0
"""A heartbeat comes every few seconds; after several missed ones the connection is dead."""

TOKENS_MAX = 3_000
"""Instruments of one connection."""


class Ticker:
    """The newest prices that the present connection told.

    Attributes:
        last: By instrument token.
    """

    def __init__(self) -> None:
        self.last: dict[int, Tick] = {}

    def take(self, frame: bytes) -> None:
        """Prices of a binary frame. Raises :class:`Malformed`."""
        try:
            told = ticks.frame(frame)
        except BadInput as error:
            raise Malformed(f"a frame of prices: {error.problem}.", remedy=error.remedy) from None
        self.last.update((tick.token, tick) for tick in told)


class Conversation:
    """Of one connection; see :class:`trueup.venues.transport.stream.Conversation`.

    Args:
        known: What is traded.
        ticker: Where prices go; those of an earlier connection are forgotten.
        tokens: Of which prices are wanted.
    """

    silence_s = SILENCE_S
    ping_s: float | None = None

    def __init__(self, known: Known, ticker: Ticker, tokens: Iterable[int]) -> None:
        self.agreed = False
        self._known = known
        self._ticker = ticker
        self._tokens = list(tokens)[:TOKENS_MAX]
        self._filled: dict[str, Decimal] = {}
        ticker.last.clear()

    def hello(self) -> Sequence[str]:
        """Subscribe to the prices; orders come by themselves."""
        if not self._tokens:
            return ()
        wanted = ({"a": "subscribe", "v": self._tokens}, {"a": "mode", "v": ["full", self._tokens]})
        return [msgspec.json.encode(message).decode() for message in wanted]

    def ping(self) -> str:
        """Nothing: the venue alone speaks."""
        return ""

    def read(self, message: str | bytes) -> Sequence[Fact | Gap]:
        """The facts of a frame.

        Raises:
            Malformed: It cannot be read: a gap.
            Unavailable: Kite says that something is wrong.
        """
        self.agreed = True
        if isinstance(message, bytes):
            self._ticker.take(message)
            return ()
        kind, data = answers.row("frame", {"frame": json_value("frame", message.encode())}, _parts)
        if kind == "error":
            raise Unavailable(f"Kite's stream says: {rows.shown(data)}.")
        if kind != "order":
            return ()
        if not isinstance(data, Mapping):
            raise Malformed(f"an order update without an order: {rows.shown(data)}.")
        report = answers.row("order update", data, lambda row: orders.report(row, self._known))
        return [*with_terms([report], self._known), *self._gap(report)]

    def _gap(self, report: OrderReported) -> Sequence[Gap]:
        if report.filled <= self._filled.get(report.venue_order_id, ZERO):
            return ()
        self._filled[report.venue_order_id] = report.filled
        return (Gap(f"order {report.venue_order_id} was filled; the history has its trades"),)


def _parts(frame: rows.Row) -> tuple[str, object]:
    row = rows.record(frame, "frame")
    return rows.text(row, "type"), row.get("data")
