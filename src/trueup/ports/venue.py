"""What a venue is to the core: a reader of its saved answers, and an account of it that is followed and traded."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

import msgspec

from trueup.model.differences import VenueSnapshot
from trueup.model.events import Fact, OrderReported
from trueup.model.identifiers import AccountId
from trueup.model.instruments import Instrument
from trueup.model.orders import Amendment, OrderRequest
from trueup.model.venues import Capabilities, Gap, Mark


class Refused(msgspec.Struct, frozen=True):
    """A row that was not booked, and why.

    Attributes:
        row: Which: a line number or the index in the answer, from 1.
        raw: The row as it came.
    """

    file: str
    row: int
    field: str
    value: str
    problem: str
    remedy: str
    raw: bytes


class Reading(msgspec.Struct, frozen=True):
    """What an answer of a venue says, parsed.

    Attributes:
        kind: What the answer was recognised as, such as ``userFills``.
        facts: To book, instruments first.
        refused: Rows that were not understood.
        snapshot: The venue's state, where the answer is one.
        rows: How many rows it had.
        note: For a person: why there is nothing to book, where that is so.
        learnt: What it was the first to say of the account itself, by name.
    """

    kind: str
    facts: Sequence[Fact] = ()
    refused: Sequence[Refused] = ()
    snapshot: VenueSnapshot | None = None
    rows: int = 0
    note: str = ""
    learnt: Mapping[str, str] = {}


class Reader(Protocol):
    """Parses one venue's saved answers: bytes in, facts out. One per import, since answers build on one another."""

    def read(self, name: str, data: bytes, request: bytes | None = None) -> Reading:
        """Recognise and parse one answer; ``request`` is what was asked, where the file kept it.

        Raises:
            Malformed: Not an answer of this venue, or of a kind that holds nothing to book or compare.
        """
        ...


class Venue(Protocol):
    """A venue account over a connection, for reading.

    Everything raises a :class:`VenueError`: :class:`Unavailable` where asking again is safe, and never an empty answer
    for a failed one.
    """

    account: AccountId

    async def instruments(self) -> Sequence[Instrument]:
        """Contract terms of everything the account may hold."""
        ...

    async def snapshot(self) -> VenueSnapshot:
        """The venue's state now; a part that could not be read is None and named in ``failed``."""
        ...

    def history(self, cursor: str | None) -> AsyncIterator[tuple[Sequence[Fact], str]]:
        """Pages of normalised facts since the cursor (inclusive, so with overlap), each with the next cursor."""
        ...


class FactStream(Protocol):
    """Facts of a venue as they happen, and the gaps between them; an asynchronous generator is one too."""

    def __aiter__(self) -> AsyncIterator[Fact | Gap]:
        """Itself."""
        ...

    async def __anext__(self) -> Fact | Gap:
        """The next one; waits for it. Raises a :class:`VenueError` when the stream is lost for good."""
        ...

    async def aclose(self) -> None:
        """Leave; what has not been read is dropped."""
        ...


class LiveVenue(Venue, Protocol):
    """A venue account that is followed and traded.

    The outcome of what it is asked to do is told by the exception: :class:`Rejected` surely was not done,
    :class:`Unavailable` and :class:`RateLimited` surely never were sent, :class:`OutcomeUnknown` may have been done.
    """

    @property
    def capabilities(self) -> Capabilities:
        """What the venue offers."""
        ...

    @property
    def warnings(self) -> Sequence[str]:
        """What a person has to know of it now: history that is about to be forgotten or already is, in sentences."""
        ...

    @property
    def learnt(self) -> Mapping[str, str]:
        """What is known so far of whose account it is, by name; kept by the book, and given to later adapters."""
        ...

    async def check(self) -> Sequence[str]:
        """A first look, in sentences: is it there, whose account is it, how does its clock run, what may the key do."""
        ...

    async def cursor_at(self, venue_time: int) -> str:
        """A cursor from which the history tells everything that happened at or after a time in nanoseconds."""
        ...

    def refused(self) -> Sequence[Refused]:
        """Rows of its answers that could not be read, as they came, since this was last asked.

        Whoever books the facts that came with them puts these on record too.
        """
        ...

    def client_id(self, client_order_id: str) -> str:
        """What the venue calls an order to which we give this id: what its reports carry."""
        ...

    async def marks(self, instruments: Sequence[str]) -> Sequence[Mark]:
        """Mark prices; an instrument without one is left out."""
        ...

    def stream(self) -> FactStream:
        """Facts as they happen; after a :class:`Gap`, the first item of all, the history is to be pulled."""
        ...

    async def place(self, request: OrderRequest) -> OrderReported:
        """Place an order; what the venue said of it."""
        ...

    async def cancel(self, instrument: str, venue_order_id: str) -> OrderReported | None:
        """Cancel what is left of an order. One that is done already is reported as it is; None where it is unknown."""
        ...

    async def amend(self, instrument: str, venue_order_id: str, amendment: Amendment) -> OrderReported:
        """Change a resting order; the venue may give it another id."""
        ...

    async def close(self, instrument: str, position_side: str, client_order_id: str) -> OrderReported:
        """Close a position at the market, never beyond flat."""
        ...

    async def find(self, client_order_id: str) -> OrderReported | None:
        """The order of a client order id, in whatever state; None only where there surely is none."""
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...


class Login(Protocol):
    """Logging in at a venue where a person has to."""

    @property
    def url(self) -> str:
        """Where the person signs in; it shows no secret."""
        ...

    async def complete(self, pasted: str) -> str:
        """Finish with what the person brings back, and keep what it gives; who is logged in and how long, in words.

        Raises:
            BadInput: Not what a login gives.
            VenueError: The venue does not take it, or cannot be reached.
        """
        ...

    async def end(self) -> None:
        """Log out, and forget what was kept. Raises :class:`VenueError`."""
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...
