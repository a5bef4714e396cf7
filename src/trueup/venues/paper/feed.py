"""What happens to a report between the matching and the streams: it is delivered, or a fault strikes it."""

from typing import Protocol

from trueup.model.errors import Unavailable
from trueup.model.events import Fact, FillBooked
from trueup.model.identifiers import AccountId
from trueup.model.times import from_ms
from trueup.venues.paper.faults import Delay, Drop, Duplicate, Faults, Reorder, ReportFault


class Listener(Protocol):
    """A stream's end at the exchange."""

    def put(self, fact: Fact) -> None:
        """Take a report; never blocks."""
        ...

    def fail(self, error: Unavailable) -> None:
        """No more reports come."""
        ...


class Feed:
    """Reports of one account, to whoever listens."""

    def __init__(self, account: AccountId, faults: Faults) -> None:
        self._account = account
        self._faults = faults
        self._listeners: list[Listener] = []
        self._chances = 0
        self._delayed: list[tuple[int, FillBooked]] = []
        self._overtaken: list[FillBooked] = []

    def join(self, listener: Listener) -> None:
        """Deliver to a listener from now on."""
        self._listeners.append(listener)

    def leave(self, listener: Listener) -> None:
        """Deliver to a listener no more; nothing where it is gone already."""
        self._listeners = [other for other in self._listeners if other is not listener]

    def publish(self, fact: Fact, now: int) -> None:
        """Report a fact. Faults strike only fills, and only where somebody listens."""
        if not isinstance(fact, FillBooked) or not self._listeners:
            self._deliver(fact)
            return
        self._chances += 1
        due = self._faults.due(ReportFault, self._account, self._chances, now)
        if due:
            self._faults.strike(due[0], now, fact.venue_trade_id)
        match due[:1]:
            case [Drop()]:
                return
            case [Delay(for_ms=for_ms)]:
                self._delayed.append((now + from_ms(for_ms), fact))
                return
            case [Reorder()]:
                self._overtaken.append(fact)
                return
            case [Duplicate()]:
                self._deliver(fact, fact)
            case _:
                self._deliver(fact)
        self._deliver(*self._overtaken)
        self._overtaken.clear()

    def release(self, now: int) -> None:
        """Deliver the delayed reports whose time has come."""
        self._deliver(*(fact for due, fact in self._delayed if due <= now))
        self._delayed = [(due, fact) for due, fact in self._delayed if due > now]

    def disconnect(self, reason: str) -> bool:
        """End every stream; what was held back for them is lost with them. False where nobody listened."""
        listeners, self._listeners = self._listeners, []
        self._delayed.clear()
        self._overtaken.clear()
        for listener in listeners:
            listener.fail(Unavailable(reason, remedy="Open the stream again, then pull the history for the gap."))
        return bool(listeners)

    def _deliver(self, *facts: Fact) -> None:
        for fact in facts:
            for listener in self._listeners:
                listener.put(fact)
