"""The one door of one account: ``commit(decide)`` and, for facts, ``book_facts``.

In a batch decide and evolve alternate, so each caller sees what the one before left; then one frame, one sync, and only
then answers. A failed write or sync discards the ledger: it must be reopened, and the batch offered again by key.
Damage that a reading of the log meets fences it: nothing is booked or told until it is reopened, which heals.

Risk: nothing leaves the process before the sync. Reads of ``book`` may see staged state and carry its seq.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from itertools import chain
from typing import Protocol, TypeVar, cast

from trueup.book.book import Book
from trueup.engine.catching_up import caught_up
from trueup.engine.changes import change
from trueup.engine.door import Door, Fate
from trueup.engine.keys import Keys, identity
from trueup.engine.past import Past
from trueup.engine.receipts import Receipt, divided
from trueup.engine.twins import twins
from trueup.engine.writer import Offer, Writer
from trueup.journal.codec import decode, encode_rows, join_rows
from trueup.model import events as e
from trueup.model.errors import BadInput, ConcurrentUpdate, JournalDamaged, JournalFailed, StorageError, TrueupError
from trueup.model.facts import fact_keys
from trueup.model.identifiers import AccountId, Seq
from trueup.ports import Change, Clock, Frame, Head

Decide = Callable[[Book], Sequence[e.Event]]
"""Pure: sees staged state, returns the events to write, or raises a typed refusal and nothing is written."""

FRAME_EVENTS_MAX = 4_096
FRAME_BYTES_MAX = 8 << 20
"""Events and bytes after which a frame takes in no further caller: bounds how long the first one waits."""

OFFER_BYTES_MAX = 32 << 20
"""What one caller may offer at once; with the others of its frame it stays below what a journal takes."""

Note = e.Quarantined | e.SourceRead
"""Decisions that say where facts came from, or that something never became one."""

Answer = TypeVar("Answer")
Task = Callable[["Ledger"], Receipt]
"""What one caller wants done; it sees what those before it left."""


class Facts:
    """The task to book one caller's facts."""

    __slots__ = ("facts",)

    def __init__(self, facts: Iterable[e.Fact]) -> None:
        self.facts = list(facts)

    def __call__(self, ledger: "Ledger") -> Receipt:
        """Book them."""
        return ledger.book_now(self.facts)


class Follower(Protocol):
    """Who is told of durable frames, before their callers are answered."""

    def room(self) -> None:
        """Wait, within bounds, until a frame may be added."""
        ...

    def frame(self, ledger: AccountId, frame: Frame, keys: Sequence[tuple[str, Seq]]) -> None:
        """A frame is durable; these are the identities it booked."""
        ...


Begin = Callable[[], tuple[Past, Book, Keys]]
"""Opens a log: the log, the book folded from it to its head, and the identities in it."""


class Ledger:
    """The journal and book of one account, with one writer at a time.

    Args:
        account: Whose.
        begin: Opens the log and folds it, now and when another writer was first.
        clock: For ``recorded_at``.
        follower: Told of each durable frame: the feed of the views.

    Attributes:
        book: The fold of the log so far.
        keys: The identities booked so far.
        journal: The log that frames go to.
    """

    def __init__(self, account: AccountId, begin: Begin, clock: Clock, follower: Follower) -> None:
        self.account = account
        self._begin = begin
        self._past, self.book, self.keys = begin()
        self.journal = self._past.journal
        self._clock = clock
        self._follower = follower
        self._writer: Writer[Task, Receipt] = Writer(f"ledger {account}", self._serve, follower.room)
        self.turn = self._writer.turn
        self._failed: JournalFailed | None = None
        self._fenced: JournalDamaged | None = None
        self._folding = False
        self._staged_keys: list[tuple[str, Seq]] = []
        self._staged_rows: list[bytes] = []
        self._staged_bytes = 0
        self._read_frame: tuple[Seq, list[e.Event]] = (Seq(0), [])

    # --- doors --------------------------------------------------------------------------------------------------------

    def commit(self, decide: Decide) -> Receipt:
        """Decide on the present state, write what was decided, and return when it is durable.

        Raises:
            TrueupError: The refusal that ``decide`` or the book raised; nothing was written.
            JournalFailed: Nothing was acknowledged; reopen the ledger, then offer again by key.
            JournalDamaged: The ledger is fenced; nothing was written.
            ConcurrentUpdate: Another writer booked first; nothing was written. What it left is folded: decide again.
            Busy: Too many callers wait already.
        """
        return self._writer.call(partial(Ledger.decide_now, decide=decide))

    def book_facts(self, facts: Iterable[e.Fact]) -> Receipt:
        """Book facts: new ones once, known ones not again, contradictions into quarantine. Raises as :meth:`commit`."""
        return self._writer.call(Facts(facts))

    def note(self, notes: Iterable[Note]) -> Receipt:
        """Put on record what was read and what could not be, each once. Raises as :meth:`commit`."""
        return self._writer.call(partial(Ledger.note_now, notes=list(notes)))

    def submit(self, decide: Decide) -> "Future[Receipt]":
        """:meth:`commit` for a thread that does not wait."""
        return self._writer.submit(partial(Ledger.decide_now, decide=decide))

    async def acommit(self, decide: Decide) -> Receipt:
        """:meth:`commit` for asyncio; any number of callers share one writer."""
        return await self._writer.acall(partial(Ledger.decide_now, decide=decide))

    async def abook_facts(self, facts: Iterable[e.Fact]) -> Receipt:
        """:meth:`book_facts` for asyncio."""
        return await self._writer.acall(Facts(facts))

    async def aserve(self, task: Task) -> Receipt:
        """Have a task done: what it leaves to be written stands in one frame. Raises as :meth:`commit`."""
        return await self._writer.acall(task)

    def read(self, query: Callable[[Book], Answer]) -> Answer:
        """Ask the book between two batches: what the query sees is durable and true at one seq.

        Raises:
            JournalFailed: Memory may hold what was not written; reopen the ledger.
            JournalDamaged: The ledger is fenced.
        """
        with self.turn:
            if self.failed is not None:
                raise self.failed.again()
            if not self.whole:
                raise _interrupted(self.account)
            return query(self.book)

    def catch_up(self) -> Seq:
        """Fold what other writers have booked since; returns the seq reached. Raises as opening a ledger does."""
        with self.turn:
            if self.journal.overtaken():
                self._fold_on()
            return self.head.seq

    def events(self, after: Seq = Seq(0)) -> Iterator[tuple[Seq, e.Event]]:
        """The durable events after a seq, oldest first. Raises as :meth:`frames`."""
        with self._fencing():
            yield from self._past.after(after)

    def frames(self, after: Seq = Seq(0)) -> Iterator[Frame]:
        """Verified frames whose last seq is greater than ``after``, oldest first.

        Raises:
            JournalDamaged: One is not what was written; the ledger is fenced from now on.
        """
        with self._fencing():
            yield from self.journal.read(after)

    def recorded_by(self, time: int) -> Head:
        """The last frame recorded at or before a time. Raises as :meth:`frames` does."""
        with self._fencing():
            return self.journal.recorded_by(time)

    def fence(self, damage: JournalDamaged) -> None:
        """Let nobody book into this ledger or read its book until it is reopened, which heals what can be healed."""
        if self._fenced is None:
            self._fenced = damage

    def reopen(self, ready: Callable[[], object]) -> None:
        """Begin again from what is stored; who holds this ledger goes on with it.

        Args:
            ready: Called before anybody is served again.

        Raises:
            JournalDamaged: Damage that no copy heals; the ledger is fenced.
            StorageError: It could not be opened; it books nothing until it is.
        """
        with self.turn:
            try:
                self._take_up()
            except JournalDamaged as damage:
                self._fenced = damage
                raise
            except StorageError as failure:
                self._failed = JournalFailed(
                    f"The ledger {self.account} could not be opened again: {failure.message}", remedy="Reopen it."
                )
                raise
            ready()
            self._failed = self._fenced = None

    @property
    def head(self) -> Head:
        """The last durable frame."""
        return self.journal.head

    @property
    def whole(self) -> bool:
        """Whether memory holds exactly what is durable. The caller holds :attr:`turn`."""
        return self._failed is None and not self._folding and not self._past.staged

    @property
    def failed(self) -> JournalFailed | JournalDamaged | None:
        """Why nothing is booked any more; None while all is well."""
        return self._fenced or self._failed

    def stop(self) -> None:
        """Serve who still waits, and nobody after them."""
        self._writer.close()

    def close(self) -> None:
        """Stop, and release the journal."""
        self.stop()
        with self.turn:
            self.journal.close()

    @contextmanager
    def _fencing(self) -> Iterator[None]:
        try:
            yield
        except JournalDamaged as damage:
            self.fence(damage)
            raise

    # --- a batch ------------------------------------------------------------------------------------------------------

    def _serve(self, waiting: deque[Offer[Task, Receipt]]) -> Sequence[Offer[Task, Receipt]]:
        served: list[Offer[Task, Receipt]] = []
        if not self.whole and self._failed is None:
            self._discard(_interrupted(self.account), served)
        while waiting and len(self._past.staged) < FRAME_EVENTS_MAX and self._staged_bytes < FRAME_BYTES_MAX:
            offers = self._alike(waiting)
            served += offers
            try:
                if len(offers) == 1 or not self._served_together(offers, served):
                    for offer in offers:
                        self._serve_one(offer, served)
            except ConcurrentUpdate as overtaken:
                self._give_way(overtaken, served)
                return served
        if self._past.staged:
            self._write(served)
        return served

    def _alike(self, waiting: deque[Offer[Task, Receipt]]) -> Sequence[Offer[Task, Receipt]]:
        """The next caller and, if it offers fills, those behind it who do so too, as far as there is room for them."""
        offers = [waiting.popleft()]
        room = FRAME_EVENTS_MAX - len(self._past.staged)
        if waiting and _fills(offers[0].task):
            while waiting and len(offers) < room and _fills(waiting[0].task):
                offers.append(waiting.popleft())
        return offers

    def _served_together(self, offers: Sequence[Offer[Task, Receipt]], served: Sequence[Offer[Task, Receipt]]) -> bool:
        """Book the fills of several callers as if one had offered them; False where each has to be served alone.

        Where fills confirm declared trades or take adjustments back, more is written than was offered. And a failure is
        that caller's whose fills they are: served alone, it meets it again, and the others find what was staged there.
        """
        parts = [cast("Facts", offer.task).facts for offer in offers]
        if self.failed is not None or self.book.declarations or any(map(self.book.breaks.reached_by, parts)):
            return False
        first = Seq(self.book.seq + 1)
        try:
            fates = self._new_facts(list(chain.from_iterable(parts)))
        except ConcurrentUpdate:
            raise
        except Exception:  # noqa: BLE001 - told to the caller whose it is
            if self._folding:
                self._discard(_interrupted(self.account), served)
            return False
        for offer, receipt in zip(offers, divided(fates, list(map(len, parts)), first), strict=True):
            offer.answer = receipt
        return True

    def _serve_one(self, offer: Offer[Task, Receipt], served: Sequence[Offer[Task, Receipt]]) -> None:
        if self.failed is not None:
            offer.error = self.failed.again()
            return
        try:
            offer.answer = offer.task(self)
        except Exception as error:  # whatever it is, it is this caller's, and others wait behind
            if type(error) is ConcurrentUpdate:
                raise
            offer.error = error
            if isinstance(error, JournalDamaged):
                self.fence(error)
            if self._folding:
                self._discard(_interrupted(self.account), served)

    def _write(self, served: Sequence[Offer[Task, Receipt]]) -> None:
        body = join_rows(self._staged_rows, len(self._past.staged))
        try:
            frame = self.journal.append(body, len(self._past.staged), self._clock.now(), self._effects)
        except ConcurrentUpdate as overtaken:
            self._give_way(overtaken, served)
            return
        except Exception as failure:  # noqa: BLE001 - nobody may be answered with success, whatever it was
            self._discard(failure, served)
            return
        keys = self._staged_keys
        self._unstage()
        self._follower.frame(self.account, frame, keys)

    def _effects(self, frame: Frame) -> Change:
        return change(self.book, [frame], self._staged_keys)

    def _give_way(self, overtaken: ConcurrentUpdate, served: Sequence[Offer[Task, Receipt]]) -> None:
        """Nothing was written: fold what the other writer did, and let the callers decide anew."""
        for offer in served:
            if offer.error is None:
                offer.answer, offer.error = None, overtaken.again()
        try:
            self._take_up()
        except Exception as failure:  # noqa: BLE001 - memory holds what was not written, so it cannot go on from there
            self._discard(failure, served)

    def _fold_on(self) -> None:
        whole, self._folding = self.whole, True
        try:
            if not (whole and caught_up(self.book, self._past, self.keys)):
                self._take_up()
        except Exception as failure:
            self._discard(failure, ())
            raise
        self._folding = False

    def _take_up(self) -> None:
        """Begin again from what is stored."""
        self.journal.close()
        self._past, self.book, self.keys = self._begin()
        self.journal = self._past.journal
        self._read_frame = (Seq(0), [])
        self._unstage()

    def _discard(self, failure: Exception, served: Sequence[Offer[Task, Receipt]]) -> None:
        """The frame may or may not be on disk: answer nobody with success, and do not go on from this memory."""
        self._failed = JournalFailed(
            f"The ledger {self.account} stopped booking: {failure}",
            remedy="Reopen it: the log is verified and the book folded anew; then offer the same facts again.",
        )
        self._failed.__cause__ = failure
        for offer in served:
            if offer.error is None:
                offer.answer, offer.error = None, self._failed.again()
        self._unstage()

    def _unstage(self) -> None:
        self._past.staged.clear()
        self._staged_keys, self._staged_rows, self._staged_bytes = [], [], 0
        self._folding = False

    def _stage(self, events: Sequence[e.Event], keys: Mapping[str, int]) -> Seq:
        """Encode, then fold: what cannot be written is refused before anything has changed.

        ``keys`` are the identities that the events book, each with the place of its event, in ascending order.
        """
        first = Seq(self.book.seq + 1)
        if events:
            rows = encode_rows(events)
            if len(rows) > OFFER_BYTES_MAX:
                raise BadInput("events", f"{len(rows)} bytes", "too much for one commit", remedy="Offer it in parts.")
            self._folding = True
            self._staged_rows.append(rows)
            self._staged_bytes += len(rows)
            self._past.staged.extend(events)
            booked = cast("list[tuple[str, Seq]]", [(key, first + place) for key, place in keys.items()])
            self.keys.add(booked)
            self._staged_keys += booked
            self.book.evolve(events, first)
            self._folding = False
        return first

    # --- tasks --------------------------------------------------------------------------------------------------------

    def decide_now(self, decide: Decide) -> Receipt:
        """One caller's turn to decide."""
        events = decide(self.book)
        keys = [(key, i) for i, event in enumerate(events) if (key := identity(event)) is not None]
        for event in events:
            self.book.admit(event)
        names = [key for key, _ in keys]
        if len(set(names)) < len(names) or self.keys.booked(names):
            raise BadInput("event", names[0], "a fact is booked already", remedy="Offer facts through book_facts.")
        first = self._stage(events, dict(keys))
        return Receipt(first, self.book.seq, [Fate.BOOKED] * len(events))

    def book_now(self, facts: Sequence[e.Fact]) -> Receipt:
        """One caller's turn to have facts booked."""
        first = Seq(self.book.seq + 1)
        fates: list[Fate] = []
        kinds = set(map(type, facts))
        if e.InstrumentDefined in kinds:
            for fact in facts:
                if type(fact) is e.InstrumentDefined:
                    fates += self._defined(fact)
            facts = [fact for fact in facts if type(fact) is not e.InstrumentDefined]
        if self.book.declarations or e.TradeDeclared in kinds:
            # One by one: what a fill confirms depends on what the one before it left.
            for fact in facts:
                fates += self._new_facts([fact])
        elif facts:
            fates += self._new_facts(facts)
        return Receipt(first, self.book.seq, fates)

    def note_now(self, notes: Sequence[Note]) -> Receipt:
        """One caller's turn to put notes on record."""
        offered = {key: note for note in notes if (key := identity(note)) is not None}
        known = self.keys.booked(offered)
        new = [(key, note) for key, note in offered.items() if key not in known]
        first = self._stage([note for _, note in new], {key: index for index, (key, _) in enumerate(new)})
        fates = [Fate.BOOKED] * len(new) + [Fate.ALREADY] * (len(notes) - len(new))
        return Receipt(first, self.book.seq, fates)

    def _defined(self, definition: e.InstrumentDefined) -> Sequence[Fate]:
        """One by one: what a version may say depends on those before it."""
        door = self._door()
        door.define(definition)
        return self._through(door)

    def _new_facts(self, facts: Sequence[e.Fact]) -> Sequence[Fate]:
        names = fact_keys(facts)
        booked, same = self.keys.booked(names), twins(facts, self.book, self._past)
        door = self._door()
        door.admit(facts, names, booked, same)
        try:
            return self._through(door)
        except BadInput as problem:  # some number cannot be written: find whose it is, and keep the others
            if len(facts) > 1:
                half = len(facts) // 2
                return [*self._new_facts(facts[:half]), *self._new_facts(facts[half:])]
            door = self._door()
            door.put_aside(facts[0], names[0], str(problem))
            return self._through(door)

    def _door(self) -> Door:
        return Door(self.book, self._event_at, self.keys.booked)

    def _through(self, door: Door) -> Sequence[Fate]:
        self._stage(door.events, door.keys)
        return door.fates

    def _event_at(self, seq: Seq) -> e.Event:
        durable = self.journal.head.seq
        if seq > self.book.seq:
            raise ConcurrentUpdate(
                f"{self.account} is at seq {self.book.seq} here, and another writer booked seq {seq}.",
                remedy="Nothing was written. What the other left is folded: decide again, and offer it again.",
            )
        if seq > durable:
            return self._past.staged[seq - durable - 1]
        first, events = self._read_frame
        if not first <= seq < first + len(events):
            frame = next(self.frames(Seq(seq - 1)))
            first, events = self._read_frame = (frame.first, decode(frame.body))
        return events[seq - first]


def _fills(task: Task) -> bool:
    """Whether somebody wants fills booked and nothing else, all of them with the venue's ids: none waits on another."""
    if type(task) is not Facts:
        return False
    for fact in task.facts:  # noqa: SIM110 - all() costs three times as much for the one fact that it usually is
        if type(fact) is not e.FillBooked or fact.weak:
            return False
    return True


def _interrupted(account: AccountId) -> TrueupError:
    return JournalFailed(
        f"A commit of {account} was interrupted while it was being folded.", remedy="Reopen the ledger."
    )
