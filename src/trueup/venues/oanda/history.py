"""The account's transactions, each once and in order. What lives only here: the cursor, and what a hole means.

Ids rise by one, without holes. So the cursor is the id of the last transaction read, compared as a number: nothing has
to overlap, and what is missing shows. A page never reaches beyond a hole: what is missing is asked for by its ids, and
while OANDA does not give it, the pull ends with an error and the cursor stays before it.

With the id the cursor carries the balance that OANDA stated last, so that the money of the next page is proved as well.
"""

import json
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from decimal import Decimal

import msgspec

from trueup.model.errors import Malformed, Unavailable
from trueup.model.events import Fact
from trueup.model.numbers import ZERO
from trueup.ports import Refused
from trueup.venues import rows
from trueup.venues.oanda import fields, proof
from trueup.venues.oanda.calls import PAGE, Calls
from trueup.venues.oanda.reader import OandaReader
from trueup.venues.rows import Row
from trueup.venues.transport.http import Call

READERS_MAX = 32
"""Positions at which a reader is kept, the furthest and those that were reached last."""

FINDINGS_MAX = 100
"""Findings of the proof that are kept for people, the newest."""

REFUSED_MAX = 10_000
"""Rows that wait for who puts them on record; beyond that nobody does, and nothing more is read."""

Ask = Callable[[Call], Awaitable[bytes]]
"""The body of the answer to a call; raises :class:`VenueError`."""


class Cursor(msgspec.Struct, frozen=True):
    """How far the history was read.

    Attributes:
        id: The last transaction.
        balance: Of the account after it, as OANDA last stated it; None while it did not.
        begins: Whether nothing before it is booked, and no balance was stated since: the next one is an opening.
    """

    id: int
    balance: Decimal | None = None
    begins: bool = False


class Page(msgspec.Struct, frozen=True):
    """Transactions without a hole.

    Attributes:
        rows: By id, in order.
        data: An answer of OANDA that holds these and no others.
        last: The account's last transaction when it was given.
    """

    rows: Mapping[int, Row]
    data: bytes
    last: int


class Readers:
    """A reader for each position that was reached lately: what it knows is true after that transaction.

    Whoever reads a page twice, because it was not booked the first time, begins with the same knowledge twice.
    """

    def __init__(self, first: OandaReader) -> None:
        self._first = first
        self._at: dict[int, OandaReader] = {}

    @property
    def position(self) -> int:
        """The furthest position reached; 0 before the first."""
        return max(self._at, default=0)

    @property
    def newest(self) -> OandaReader:
        """A reader that knows what is known at :attr:`position`, to go on with."""
        return self.at(self.position)

    def kept(self, position: int) -> OandaReader | None:
        """A reader that knows exactly what is known at a position; None where none is kept."""
        reader = self._at.get(position)
        return None if reader is None else reader.fork()

    def at(self, position: int, *, begins: bool = False) -> OandaReader:
        """A reader to go on with from a position where a pull ended, now or before this process began.

        Args:
            position: After which transaction.
            begins: Whether nothing up to there is booked.
        """
        reader = self.kept(position) or self._first.fork()
        if not begins:
            reader.go_on()
        return reader

    def keep(self, position: int, reader: OandaReader) -> None:
        """What is known after a transaction."""
        reader.forget_ended()
        self._at.pop(position, None)
        self._at[position] = reader
        if len(self._at) > READERS_MAX:  # whoever begins again further back needs what they just kept
            del self._at[next(at for at in self._at if at != self.position)]


class Transactions:
    """Asks for transactions by id.

    Args:
        calls: Of the account.
        ask: Makes a call.
    """

    def __init__(self, calls: Calls, ask: Ask) -> None:
        self._calls = calls
        self._ask = ask

    async def after(self, position: int, last: int) -> Page:
        """The next page after a position; empty where there is none.

        Args:
            position: Of the last transaction read; 0 to begin with the account's first.
            last: The account's last transaction as far as it is known; 0 where it is not.

        Raises:
            Unavailable: The next transaction is not given, though later ones are.
            Malformed: The cursor is beyond the account's last transaction, or the answer is not one.
        """
        by_range = position == 0 or last - position > PAGE
        page = await self._page(self._range(position, last) if by_range else self._calls.since(position), position)
        if page.last < position:
            raise Malformed(
                f"The cursor stands at transaction {position}, and the account's last is {page.last}.",
                remedy="It is of another account, or of another environment: begin again with a new ledger.",
            )
        if not page.rows and page.last > position:
            page = await self._page(self._range(position, page.last), position)
            if not page.rows:
                raise Unavailable(
                    f"OANDA does not give transaction {position + 1}, though its last is {page.last}.",
                    remedy="It is safe to ask again; nothing beyond it is booked before it is there.",
                )
        return page

    async def first_at(self, time: int, last: int) -> int:
        """The first transaction at or after a time in nanoseconds; one beyond ``last`` where all were before."""
        first, beyond = 1, last + 1
        while first < beyond:
            middle = (first + beyond) // 2
            page = await self.between(middle, middle)
            if not page.rows:
                raise Unavailable(f"OANDA does not give transaction {middle}.", remedy="It is safe to ask again.")
            if fields.time(page.rows[middle]) >= time:
                beyond = middle
            else:
                first = middle + 1
        return first

    async def between(self, first: int, last: int) -> Page:
        """Transactions from one to another, both included, up to the first that is not given; at most a page."""
        return await self._page(self._calls.id_range(first, min(last, first + PAGE - 1)), first - 1)

    def _range(self, position: int, last: int) -> Call:
        return self._calls.id_range(position + 1, min(max(last, position + 1), position + PAGE))

    async def _page(self, call: Call, position: int) -> Page:
        """What an answer gives after a position, up to the first hole."""
        data = await self._ask(call)
        given, last = fields.of_answer(call.path, data, _given)
        taken: dict[int, Row] = {}
        while (number := position + len(taken) + 1) in given:
            taken[number] = given[number]
        if len(taken) < len(given):  # numbers with a point are decimals by now, and texts read the same
            data = json.dumps({"transactions": list(taken.values())}, default=str).encode()
        return Page(taken, data, last)


class History:
    """What was pulled of an account, for whoever pulls.

    Args:
        transactions: Where they come from.
        readers: What is known at which position.

    Attributes:
        findings: What the proof of cash found, the newest last.
        pulls: How many were begun.
    """

    def __init__(self, transactions: Transactions, readers: Readers) -> None:
        self.findings: deque[str] = deque(maxlen=FINDINGS_MAX)
        self.pulls = 0
        self.readers = readers
        self._transactions = transactions
        self._refused: list[Refused] = []

    def refuse(self, rows_refused: Sequence[Refused]) -> None:
        """Keep rows that could not be read for who puts them on record."""
        self._refused.extend(rows_refused)

    def refused(self) -> Sequence[Refused]:
        """Rows that could not be read, since this was last asked."""
        taken, self._refused = self._refused, []
        return taken

    async def pages(self, cursor: str | None, last: int = 0) -> AsyncGenerator[tuple[Sequence[Fact], str]]:
        """Pages of facts with the cursor after each; one at least, be it empty.

        Args:
            cursor: As it came with the last page that was booked; None to begin with the account's first transaction.
            last: The account's last transaction as far as it is known; 0 where it is not.

        Raises:
            VenueError: As :meth:`Transactions.after`; what was given before it stands.
        """
        self.pulls += 1
        at = Cursor(0, ZERO, begins=True) if cursor is None else decode(cursor)
        while True:
            if len(self._refused) >= REFUSED_MAX:
                raise Malformed(
                    f"{len(self._refused)} rows could not be read, and nobody puts them on record.",
                    remedy="Take them with refused() after each page.",
                )
            page = await self._transactions.after(at.id, last)
            facts, at = self._read(page, at)
            last = page.last
            yield facts, encode(at)
            if at.id >= last:
                return

    def _read(self, page: Page, at: Cursor) -> tuple[Sequence[Fact], Cursor]:
        if not page.rows:
            return (), at
        reader, reached = self.readers.at(at.id, begins=at.begins), max(page.rows)
        reading = reader.read(f"transactions {at.id + 1} to {reached}", page.data)
        self.refuse(reading.refused)
        found, balance = proof.follow(proof.stated(page.rows), reading.facts, at.balance)
        self.findings.extend(found)
        self.readers.keep(reached, reader)
        return reading.facts, Cursor(reached, balance, begins=at.begins and balance is None)


def _given(answer: Row) -> tuple[dict[int, Row], int]:
    """The transactions of an answer by id, and the account's last."""
    given = {fields.transaction_id(row): row for row in map(rows.as_row, rows.records(answer, "transactions"))}
    return given, max(fields.last_transaction(answer), *given, 0)


def encode(cursor: Cursor) -> str:
    """The cursor as text."""
    return msgspec.json.encode(cursor).decode()


def decode(text: str) -> Cursor:
    """The cursor from its text. Raises :class:`Malformed`."""
    try:
        cursor = msgspec.json.decode(text, type=Cursor)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise Malformed(f"cursor={rows.shown(text)!r}: not a cursor of OANDA.", remedy="Begin without one.") from error
    if cursor.id < 0:
        raise Malformed(f"cursor={rows.shown(text)!r}: not a transaction.", remedy="Begin without one.")
    return cursor
