"""OANDA's transaction stream. What lives only here: when a line can be read as it comes, and when it makes a gap.

A line is read where it follows right after the last one, or after what the history gave. Anything else is a gap, and
the history has it; so is a heartbeat that names a later transaction than was delivered. The same gap is told again only
where a pull that was begun since has not filled it.
"""

from collections.abc import Sequence

from trueup.model.events import Fact, OrderReported
from trueup.model.venues import Gap
from trueup.venues.oanda import fields
from trueup.venues.oanda.history import History
from trueup.venues.oanda.reader import OandaReader
from trueup.venues.rows import Row

SILENCE_S = 20.0
"""Heartbeats come every five seconds; after four missed ones the connection is dead."""


class Conversation:
    """The :class:`trueup.venues.transport.stream.Conversation` of one connection.

    Args:
        history: What was pulled so far, and will be.
    """

    silence_s = SILENCE_S
    ping_s: float | None = None

    def __init__(self, history: History) -> None:
        self.agreed = False
        self._history = history
        self._seen = 0
        self._reader: OandaReader | None = None
        self._told_to, self._told_before = 0, history.pulls

    def hello(self) -> Sequence[str]:
        """The request said it all."""
        return ()

    def ping(self) -> str:
        """Nothing: the venue alone speaks."""
        return ""

    def read(self, message: str | bytes) -> Sequence[Fact | Gap]:
        """The facts of a line.

        Raises:
            Malformed: Not a line of the stream.
        """
        line = message.encode() if isinstance(message, str) else message
        row, beats, number = fields.of_answer("a line of the stream", line, _line)
        if not self.agreed:  # what is before, the pull that follows the connection's own gap gives
            self.agreed, self._seen = True, number if beats else number - 1
        if not beats:
            return self._transaction(number, row, line)
        if number <= max(self._seen, self._history.readers.position):
            return ()
        return self._gap(number, f"transactions up to {number} were not delivered")

    def _transaction(self, number: int, row: Row, line: bytes) -> Sequence[Fact | Gap]:
        if number <= self._seen:
            return ()
        follows, pulled = number == self._seen + 1, self._history.readers
        if not follows and pulled.position < number - 1:
            return self._gap(number, f"transactions before {number} were not delivered")
        reader = pulled.kept(number - 1) or (self._reader if follows else None) or pulled.newest.fork(orders=False)
        reader.go_on()
        reading = reader.read(f"transaction {number} of the stream", line)
        if reading.refused:
            return self._gap(number, f"transaction {number} could not be read: {reading.refused[0].problem}")
        self._seen, self._reader = number, reader
        reader.forget_ended()
        if _tells_of_an_order(row) and not any(isinstance(fact, OrderReported) for fact in reading.facts):
            return [*reading.facts, *self._gap(number, f"transaction {number} tells of an order that is not known yet")]
        return reading.facts

    def _gap(self, number: int, reason: str) -> Sequence[Gap]:
        """A gap up to a transaction, unless it was told and whoever was told has yet to pull."""
        if number <= self._told_to and self._told_before == self._history.pulls:
            return ()
        self._told_to, self._told_before = number, self._history.pulls
        return (Gap(reason),)


def _line(row: Row) -> tuple[Row, bool, int]:
    """The line, whether it is a heartbeat, and the transaction it names."""
    beats = row.get("type") == "HEARTBEAT"
    return row, beats, fields.last_transaction(row) if beats else fields.transaction_id(row)


def _tells_of_an_order(row: Row) -> bool:
    return row.get("orderID") is not None or str(row.get("type")).endswith("_ORDER")
