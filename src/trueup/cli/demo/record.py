"""What the parent knows: what its venues really did, what the book told, and which of the two belong together."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from trueup.cli.demo import messages as m
from trueup.cli.demo.causes import Cause
from trueup.model.differences import Status
from trueup.model.identifiers import AccountId
from trueup.model.times import NS_PER_MS
from trueup.venues.paper.faults import Struck

EXPLAINS = {
    "drop": {Cause.REPORT_LOST, Cause.NOBODY_LISTENED},
    "duplicate": {Cause.REPORTED_TWICE, Cause.NOBODY_LISTENED},
    "time_out": {Cause.TIMED_OUT, Cause.NOBODY_LISTENED},
    "foreign_trade": {Cause.FOREIGN_TRADE},
    "liquidation": {Cause.LIQUIDATION},
    "outage": {Cause.VENUE_GONE},
}
"""Which causes are the truth about a fault. A book that was killed in between finds that nobody listened."""


class Entry(msgspec.Struct, frozen=True):
    """A line of the story: what was found, the evidence, and what was done about it."""

    at: int
    account: AccountId
    what: str
    evidence: str
    done: str


class Kill(msgspec.Struct):
    """A SIGKILL, and the start after it.

    Attributes:
        at, ready_at: Wall clock in nanoseconds; the second 0 until book and venues agree again.
        unacknowledged: Facts that had been offered and not acknowledged: (account, key).
        survived: How many of them the log held after all; the others were booked again from the venue.
        opened_ms: What it took to lock and verify the logs and to have books and views as they were.
        findings: What that start healed or cut.
    """

    at: int
    unacknowledged: Sequence[tuple[AccountId, str]] = ()
    survived: int = 0
    opened_ms: int = 0
    findings: Sequence[str] = ()
    ready_at: int = 0

    @property
    def down_ms(self) -> int:
        """From the kill until books and venues agreed again; 0 until they do."""
        return max(self.ready_at - self.at, 0) // NS_PER_MS


class Detection(msgspec.Struct, frozen=True):
    """A fault and the finding that is the truth about it; None while there is none.

    Attributes:
        unseen: Whether it came and went while there was no book that could have seen it.
    """

    struck: Struck
    found: m.Found | None
    unseen: bool = False


class Record:
    """Everything heard from the book so far, over all its lives.

    Attributes:
        state: What the book is doing, in a word or two.
        acknowledged: Every fact key the book ever said was durable, by account.
        compared: The newest comparison of each account that has rows, and the newest status.
        forgotten: What had been acknowledged and was gone when the book was opened again, in words.
        breaks, explained: Differences found so far, and those of them that booking the missing facts ended.
        by_hand: Trades that were made past the book while it was dead.
    """

    def __init__(self) -> None:
        self.state = "starting"
        self.life = 0
        self.pid = 0
        self.events: dict[AccountId, int] = {}
        self.acknowledged: defaultdict[AccountId, set[str]] = defaultdict(set)
        self.findings: list[m.Found] = []
        self.story: list[Entry] = []
        self.compared: dict[AccountId, m.Compared] = {}
        self.comparisons = 0
        self.breaks = self.explained = 0
        self.kills: list[Kill] = []
        self.by_hand: list[Struck] = []
        self.closed: m.Closed | None = None
        self.forgotten: list[str] = []
        self._offered: defaultdict[AccountId, set[str]] = defaultdict(set)

    @property
    def open(self) -> list[str]:
        """Differences that the newest comparisons found and nothing has explained."""
        return [words for compared in self.compared.values() for words in compared.open]

    @property
    def writing(self) -> bool:
        """Whether facts are offered that are not acknowledged yet."""
        return any(self._offered.values())

    def born(self) -> None:
        """A process of the book starts."""
        self.life += 1
        self.state = "starting" if self.life == 1 else "recovering"

    def died(self, kill: Kill) -> None:
        """The process was killed; what it had offered and not acknowledged is open."""
        kill.unacknowledged = [(account, key) for account, keys in self._offered.items() for key in sorted(keys)]
        kill.survived = len(kill.unacknowledged)
        self._offered.clear()
        self.kills.append(kill)
        self.state = "killed"

    def hear(self, message: m.AnyMessage, now: int) -> None:
        """Take in what the book tells."""
        match message:
            case m.Opened():
                self._open(message)
            case m.Ready():
                self.state = "running"
                if self.kills:
                    self.kills[-1].ready_at = now
            case m.Offered():
                self._offered[message.account].update(message.keys)
            case m.Acknowledged():
                self._acknowledge(message)
            case m.Found():
                self.findings.append(message)
                told = (str(message.cause), message.explanation, message.booked)
                self.story.append(Entry(message.at, message.account, *told))
            case m.Compared():
                self._compare(message)
            case m.Closed():
                self.closed = message
                self.state = "closed"

    def detections(self, struck: Iterable[Struck]) -> list[Detection]:
        """Each fault with what was found of it, oldest first."""
        every = sorted([*struck, *self.by_hand], key=lambda fault: fault.time)
        return [self._detection(fault) for fault in every]

    def _open(self, message: m.Opened) -> None:
        """The book is open again: it must hold all that it ever acknowledged."""
        self.pid = message.pid
        for account, acknowledged in self.events.items():
            if message.events[account] < acknowledged:
                words = f"acknowledged up to event {acknowledged}, opened again with {message.events[account]}"
                self.forgotten.append(f"{account}: {words}")
        self.events.update(message.events)
        if self.kills:
            self.kills[-1].opened_ms = message.opened_ms
            self.kills[-1].findings = message.findings

    def _acknowledge(self, message: m.Acknowledged) -> None:
        """Facts are durable. One that is booked as new and was acknowledged before had been lost in between."""
        account = message.account
        known = self.acknowledged[account]
        self.forgotten += [
            f"{account}: {key} was acknowledged, gone, and booked again" for key in message.booked if key in known
        ]
        if self.kills:
            booked = {(account, key) for key in message.booked}
            self.kills[-1].survived -= len(booked.intersection(self.kills[-1].unacknowledged))
        known.update(message.keys)
        self._offered[account].difference_update(message.keys)
        self.events[account] = message.seq

    def _compare(self, message: m.Compared) -> None:
        self.comparisons += 1
        self.breaks += len(message.broken)
        self.explained += len(message.explained)
        if message.broken:
            first, *others = message.broken
            what = f"{len(message.broken)} breaks" if others else "break"
            evidence = "; ".join([first, *(other.partition(": ")[0] for other in others)])
            self.story.append(Entry(message.at, message.account, what, evidence, f"{message.status} once booked"))
        before = self.compared.get(message.account)
        if before is not None and message.status in {Status.FAILED, Status.PENDING}:  # the last answer stays the last
            message = msgspec.structs.replace(message, rows=before.rows, open=before.open)
        self.compared[message.account] = message

    def _detection(self, struck: Struck) -> Detection:
        for found in self.findings:
            if _is_truth(found, struck):
                return Detection(struck, found)
        dead = any(kill.at <= struck.time <= (kill.ready_at or struck.time) for kill in self.kills)
        return Detection(struck, None, unseen=not struck.ids and dead)


def _is_truth(found: m.Found, struck: Struck) -> bool:
    """Whether a finding is the truth about a fault: its account, its cause, its ids if it has any, and not before."""
    here = found.account == struck.account and found.at >= struck.time and found.cause in EXPLAINS[struck.kind]
    return here and (not struck.ids or not set(struck.ids).isdisjoint(found.ids))
