"""What an author of an adapter provides to have it checked, and how a check fails.

A rig is an adapter, the venue (or a server that speaks its protocol) and, behind that, a paper exchange that knows what
really happened. The exchange is moved by the checks directly; the adapter is asked over whatever lies between.
"""

from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import Literal, Protocol

from trueup.book.book import Book
from trueup.model.identifiers import AccountId
from trueup.model.times import NS_PER_MS, NS_PER_SECOND
from trueup.ports import Clock, LiveVenue
from trueup.venues.paper.exchange import PaperExchange

Call = Literal["place", "cancel"]


class Rig(Protocol):
    """An adapter and its venue; each check has one of its own.

    Attributes:
        account: Open at the exchange, flat, with money enough for 150 lots; positions are kept net, unless ``hedged``.
        exchange: What really happened.
        clock: Of exchange, server and adapter alike: a :class:`TickingClock`.
        symbol: A derivative that settles in the account's money.
        lot: A quantity of it that may be traded at once; the market offers more than ten, and fewer than 150.
        page: Facts that one answer of the history holds at most.
        money_step: The smallest amount of money that the venue states; 0 where it states every digit. None where its
            history does not tell what moves money besides trades: then money and balances are not compared.
        hedged: Whether the account holds a long and a short position side by side; then only ``HEDGING`` is asked.
    """

    account: AccountId
    exchange: PaperExchange
    clock: "TickingClock"
    symbol: str
    lot: Decimal
    page: int
    money_step: Decimal | None
    hedged: bool

    async def venue(self, book: Book | None = None) -> LiveVenue:
        """The adapter, as a program that begins would make it, with what its book knows; the rig closes it."""
        ...

    async def cut(self) -> None:
        """Hang up on everybody; who calls again is served."""
        ...

    def lose(self, call: Call, *, acted: bool) -> None:
        """The next such call has no answer: it was acted on, or it never arrived."""
        ...

    def cut_at(self, nth: int, *, acted: bool) -> None:
        """The connection breaks at the nth message to the venue from now on; it was acted on, or never arrived."""
        ...

    @property
    def cuts(self) -> int:
        """How many connections broke at a message."""
        ...


class Setup(Protocol):
    """Makes rigs."""

    def __call__(self) -> AbstractAsyncContextManager[Rig]:
        """A rig for one check."""
        ...


class TickingClock:
    """A clock that never says the same time twice, unless it stands still; it begins on a Wednesday at noon.

    So every fact has a millisecond of its own, which is as fine as venues count, and markets are open.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead = _WEDNESDAY - clock.now()
        self._last = _WEDNESDAY
        self._still = False

    def now(self) -> int:
        """Nanoseconds UTC."""
        if not self._still:
            self._last = max(self._last + NS_PER_MS, self._clock.now() + self._ahead)
        return self._last

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return self._clock.monotonic()

    def skip(self, seconds: int) -> None:
        """Let time pass at once."""
        self._ahead += seconds * NS_PER_SECOND

    def stand(self, *, still: bool) -> None:
        """Stop, so that much happens in one instant; or go on."""
        self._still = still


class NotConforming(AssertionError):
    """The adapter does not keep to the port."""


def require(kept: object, sentence: str) -> None:
    """Fail with a sentence on what should hold, unless it does."""
    if not kept:
        raise NotConforming(sentence)


_WEDNESDAY = 1_772_625_600 * NS_PER_SECOND  # 2026-03-04T12:00:00Z
