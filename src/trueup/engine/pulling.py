"""Pulling a venue's history into a book: from the durable cursor on, page by page, each with its cursor in one commit.

The cursor is never ahead of what is booked, so a pull that was cut off anywhere goes on where it was, and what comes
twice is there already. A row that could not be read is put on record with its bytes before its page moves the cursor.
"""

from collections.abc import Callable, Sequence
from functools import partial
from hashlib import sha256

import msgspec

from trueup.engine.door import Fate
from trueup.engine.importing import CHUNK, REFUSALS_CHUNK, Counts, kept, parts
from trueup.engine.ledger import Ledger, Task
from trueup.engine.receipts import Receipt
from trueup.model.errors import BadInput, ConcurrentUpdate
from trueup.model.events import CursorMoved, Fact, InstrumentDefined, SourceRead
from trueup.model.facts import order_key
from trueup.model.identifiers import AccountId, Seq
from trueup.ports import LiveVenue, Refused

REFUSALS_TOLD = 1_000
"""Refused rows in a report; all are kept in the journal."""

DECISIONS_MAX = 10
"""Times another writer may be first before a page is given up: a ledger has one writer, or two for a moment."""


class Pull(Counts):
    """What became of a venue's history.

    Attributes:
        pages: How many it had.
        until: Venue time of the newest fact in it, in nanoseconds; None when there was none.
        cursor: Where the next pull begins.
        refusals: The rows that could not be read; of very many the first.
        warnings: What the venue's adapter wants a person to know.
    """

    account: AccountId
    pages: int = 0
    until: int | None = None
    cursor: str | None = None
    refusals: list[Refused] = msgspec.field(default_factory=list)
    warnings: Sequence[str] = ()

    @property
    def whole(self) -> bool:
        """Whether everything the venue told is in the book."""
        return not (self.quarantined or self.refused)

    def add(self, later: "Pull") -> None:
        """What became of all of it, a later pull included."""
        for count in ("pages", "instruments", "booked", "already", "covered", "quarantined", "refused"):
            setattr(self, count, getattr(self, count) + getattr(later, count))
        for kind, number in later.booked_kinds.items():
            self.booked_kinds[kind] = self.booked_kinds.get(kind, 0) + number
        self.covered_openings += later.covered_openings
        self.refusals += later.refusals[: REFUSALS_TOLD - len(self.refusals)]
        self.until = max((time for time in (self.until, later.until) if time is not None), default=None)
        self.cursor, self.warnings = later.cursor, later.warnings


Progress = Callable[[Pull], None]
"""Told after each commit how far it has come."""


class Page:
    """The task to book facts and, in the same frame, how far the history is booked with them.

    Args:
        facts: Of one account, definitions of instruments before what uses them.
        cursor: Where the history goes on behind them; None where they are no part of it.
    """

    __slots__ = ("_cursor", "facts")

    def __init__(self, facts: Sequence[Fact], cursor: str | None) -> None:
        self.facts = sorted(facts, key=_place)
        self._cursor = cursor

    def __call__(self, ledger: Ledger) -> Receipt:
        """Book them."""
        first = Seq(ledger.book.seq + 1)
        fates: list[Fate] = []
        for part in parts(self.facts, _itself):
            fates += ledger.book_now(part).fates
        if self._cursor is not None and self._cursor != ledger.book.cursor:
            moved = CursorMoved(ledger.account, self._cursor)
            ledger.decide_now(lambda _: [moved])
        return Receipt(first, ledger.book.seq, fates)


Heard = Callable[[Sequence[Fact], Receipt], None]
"""Told what the venue said once it is durable, with what became of it."""


def silent(_pull: Pull) -> None:
    """Nobody watches."""


def unheard(_facts: Sequence[Fact], _receipt: Receipt) -> None:
    """Nobody listens."""


async def pull(
    ledger: Ledger,
    venue: LiveVenue,
    progress: Progress = silent,
    *,
    since: int | None = None,
    listed: bool = False,
    heard: Heard = unheard,
) -> Pull:
    """Book a venue's instruments, then its history from where the last pull ended.

    Args:
        ledger: Of the venue's account.
        venue: Whose history.
        progress: Called after each commit.
        since: A venue time to begin at where nothing was pulled yet, and else to look back to as well, in nanoseconds:
            what happened between the last pull and then is not left out.
        listed: Whether the instruments are booked already; their lists are long, and change seldom.
        heard: Called with what the history said, after each commit.

    Raises:
        BadInput: The venue is of another account.
        VenueError: The venue, or the way to it, failed; what was booked before stays, and the next pull goes on there.
        JournalFailed: The disk refused; reopen the ledger and pull again.
    """
    if venue.account != ledger.account:
        raise BadInput("account", venue.account, f"the ledger is of {ledger.account}", remedy="Take the other one.")
    report = Pull(ledger.account)
    terms = [] if listed else [InstrumentDefined(ledger.account, terms) for terms in await venue.instruments()]
    for start in range(0, len(terms), CHUNK):
        await _book(ledger, Page(terms[start : start + CHUNK], None), report)
    await _keep(ledger, venue, report)
    await _note_whose(ledger, venue)
    progress(report)
    report.cursor = ledger.read(lambda book: book.cursor)
    back = None if since is None else await venue.cursor_at(since)
    if report.cursor is None or back is None:
        await _follow(ledger, venue, back or report.cursor, report, (progress, heard), moves=True)
    else:
        await _follow(ledger, venue, report.cursor, report, (progress, heard), moves=True)
        await _follow(ledger, venue, back, report, (progress, heard), moves=False)
    await _note_whose(ledger, venue)
    report.warnings = tuple(venue.warnings)
    return report


async def _follow(
    ledger: Ledger, venue: LiveVenue, begin: str | None, report: Pull, told: tuple[Progress, Heard], *, moves: bool
) -> None:
    """Book the history from a cursor on, and unless it is only looked back at, how far."""
    progress, heard = told
    async for facts, cursor in venue.history(begin):
        await _keep(ledger, venue, report)
        page = Page(facts, cursor if moves else None)
        heard(page.facts, await _book(ledger, page, report))
        report.pages, report.cursor = report.pages + 1, cursor if moves else report.cursor
        times = [order_key(fact)[0] for fact in facts if not isinstance(fact, InstrumentDefined)]
        report.until = max([report.until or 0, *times]) or None
        progress(report)


async def served(ledger: Ledger, task: Task) -> Receipt:
    """Have a task done, again where another writer was first. Raises as :meth:`Ledger.commit` does."""
    for _ in range(DECISIONS_MAX - 1):
        try:
            return await ledger.aserve(task)
        except ConcurrentUpdate:  # what the other left is folded by now
            continue
    return await ledger.aserve(task)


async def keep_refused(ledger: Ledger, refused: Sequence[Refused]) -> None:
    """Put rows that could not be read on record, with their bytes, each once. Raises as :meth:`Ledger.commit` does."""
    for start in range(0, len(refused), REFUSALS_CHUNK):
        notes = [kept(ledger.account, row) for row in refused[start : start + REFUSALS_CHUNK]]
        await served(ledger, partial(Ledger.note_now, notes=notes))


async def _keep(ledger: Ledger, venue: LiveVenue, report: Pull) -> None:
    refused = venue.refused()
    await keep_refused(ledger, refused)
    report.refused += len(refused)
    report.refusals += refused[: REFUSALS_TOLD - len(report.refusals)]


async def _note_whose(ledger: Ledger, venue: LiveVenue) -> None:
    """Put on record what is news of whose account it is, so that the book never goes on with another one's."""

    def note(ledger: Ledger) -> Receipt:
        news = dict(venue.learnt.items() - ledger.book.learnt.items())
        said = tuple(sorted(news.items()))
        digest = sha256(msgspec.json.encode((ledger.book.seq, said))).hexdigest()
        return ledger.note_now([SourceRead(ledger.account, "venue", digest, "live", 0, 0, said)] if said else [])

    await served(ledger, note)


async def _book(ledger: Ledger, page: Page, report: Pull) -> Receipt:
    receipt = await served(ledger, page)
    for fact, fate in zip(page.facts, receipt.fates, strict=True):
        report.count(fact, fate)
    return receipt


def _place(fact: Fact) -> tuple[bool, tuple[int, int, str]]:
    return not isinstance(fact, InstrumentDefined), order_key(fact)


def _itself(fact: Fact) -> Fact:
    return fact
