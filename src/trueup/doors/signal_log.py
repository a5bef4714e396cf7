"""The signals of a trading program: logged before they are acted upon, each once, and what became of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from trueup.book.book import Book
from trueup.doors.fields import canonical_json
from trueup.doors.shelf import Shelf
from trueup.doors.signals import signal_event
from trueup.doors.unanswered import Unanswered
from trueup.engine.door import Fate
from trueup.model.errors import BadInput, StoreAway
from trueup.model.facts import terms
from trueup.model.identifiers import CONTROL, Seq
from trueup.model.statements import SignalLogged, SignalProcessed


class SignalLog:
    """The signals of one store, as a part of a state manager.

    Args:
        shelf: The store.
        author: Who is on record for what became of a signal.
    """

    def __init__(self, shelf: Shelf, author: str) -> None:
        self._shelf = shelf
        self._author = author
        self._logged: Unanswered[SignalLogged] = Unanswered()
        self._processed: Unanswered[tuple[SignalProcessed, Seq]] = Unanswered()

    def log_signal(self, signal: Mapping[str, Any] | None = None, **fields: object) -> bool:
        """Put a signal on record before it is acted upon. True when it is new, False when it was logged before.

        Args:
            signal: Fields by name.
            fields: More of them: ``kind`` (``BASE_ENTRY``, ``PYRAMID`` or ``EXIT``), ``instrument``, ``strategy``,
                ``direction``, ``strength``, ``timestamp`` (when it was made), ``source``, ``payload`` (anything JSON
                holds; the other fields where it is left out), and ``fingerprint`` (a hash of all of these where it is
                left out; then the timestamp is needed).

        Raises:
            BadInput: A field that is not one, or other content under a fingerprint that is known: then it is kept in
                quarantine, and what was logged first stands.
            StoreAway: The store is away. The same call again answers True, if it was this one that was logged.
        """
        event = signal_event(dict(signal or {}) | fields, self._shelf.now())
        before = self._logged.take(event.fingerprint)
        if before is not None and terms(before) == terms(event):
            event = before  # to be told from that of somebody else by the time it was received
        try:
            self._shelf.ledger(CONTROL).read(lambda book: book.admit(event))  # a refusal is the caller's own
            (fate,) = self._shelf.book(CONTROL, [event]).fates
            ours = event is before and self._waits(event)
        except StoreAway:
            self._logged.remember(event.fingerprint, event)
            raise
        if fate in (Fate.QUARANTINED, Fate.QUARANTINED_BEFORE):
            raise BadInput(
                "fingerprint",
                event.fingerprint,
                "another signal has it",
                remedy="It is kept in quarantine (trueup journal show); give each signal a fingerprint of its own.",
            )
        return fate is Fate.BOOKED or ours

    def check_duplicate_signal(self, fingerprint: str) -> bool:
        """Whether a signal of this fingerprint was ever logged. Exact, however long ago. Raises :class:`StoreAway`."""
        return self._shelf.known(CONTROL, f"signal|{fingerprint}")

    def mark_signal(self, fingerprint: str, status: str, reason: str = "", details: object = None) -> None:
        """Say what became of a signal that waited.

        Args:
            fingerprint: Which.
            status: ``EXECUTED``, ``REJECTED``, ``FAILED`` or ``EXPIRED``.
            reason: In words.
            details: Anything JSON holds.

        Raises:
            BadInput: No such signal waits.
            StoreAway: The store is away; it waits on, or the same call again finds that it was marked by this one.
        """
        noted = canonical_json(details, "details") if details is not None else "{}"
        end = SignalProcessed(CONTROL, fingerprint, status, self._shelf.now(), self._author, reason, noted)
        before, since = self._processed.take(fingerprint) or (None, self._shelf.read(CONTROL).seq)
        if before is not None:
            same = msgspec.structs.replace(end, processed_at=before.processed_at) == before
            end = before if same else end
        try:
            if end is before and any(event == end for _, event in self._shelf.ledger(CONTROL).events(since)):
                return
            self._shelf.commit(CONTROL, lambda _: [end])
        except StoreAway:
            self._processed.remember(fingerprint, (end, since))
            raise

    def get_waiting_signals(self) -> Sequence[SignalLogged]:
        """Signals logged and not acted upon yet, the first to come first."""
        return self._shelf.read(CONTROL).signals

    def _waits(self, signal: SignalLogged) -> bool:
        """Whether this very signal is on record, and nothing has become of it."""

        def look(book: Book) -> bool:
            return book.control.waiting.get(signal.fingerprint) == signal

        return self._shelf.ledger(CONTROL).read(look)
