"""What all rigs over a socket have in common: a proxy between adapter and server that breaks what it is told to."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from random import Random

from trueup.book.book import Book
from trueup.engine.clock import SystemClock
from trueup.engine.reading import Hints, hints_of
from trueup.model.identifiers import AccountId
from trueup.model.numbers import ZERO
from trueup.ports import LiveVenue
from trueup.testing.conformance.rig import Call, TickingClock
from trueup.testing.servers.proxy import Moment, TcpProxy
from trueup.venues.paper.exchange import PaperExchange


class SocketRig:
    """A :class:`trueup.testing.conformance.rig.Rig` whose adapter reaches its server through a proxy.

    Args:
        words: What a message that carries a call holds.
        connect: Makes the adapter.

    Attributes:
        proxy: What lies between adapter and server.
    """

    def __init__(
        self,
        exchange: PaperExchange,
        clock: TickingClock,
        proxy: TcpProxy,
        *,
        account: AccountId,
        symbol: str,
        lot: Decimal,
        page: int,
        money_step: Decimal | None = ZERO,
        hedged: bool = False,
        words: Mapping[Call, bytes],
        connect: Callable[[Random, Hints], LiveVenue],
    ) -> None:
        self.account = account
        self.exchange = exchange
        self.clock = clock
        self.symbol = symbol
        self.lot = lot
        self.page = page
        self.money_step = money_step
        self.hedged = hedged
        self.proxy = proxy
        self._words = words
        self._connect = connect
        self._venues: list[LiveVenue] = []

    async def venue(self, book: Book | None = None) -> LiveVenue:
        hints = Hints() if book is None else hints_of(book)
        venue = self._connect(Random(len(self._venues)), hints)
        self._venues.append(venue)
        return venue

    async def cut(self) -> None:
        self.proxy.hang_up()

    def lose(self, call: Call, *, acted: bool) -> None:
        self.proxy.cut_at(self._words[call], Moment.ANSWERED if acted else Moment.BEFORE)

    def cut_at(self, nth: int, *, acted: bool) -> None:
        self.proxy.cut_at(b"", Moment.ANSWERED if acted else Moment.BEFORE, nth=nth)

    @property
    def cuts(self) -> int:
        return self.proxy.cuts

    async def aclose(self) -> None:
        """Close every adapter that was made."""
        for venue in self._venues:
            await venue.aclose()


def clock() -> TickingClock:
    """Of one rig."""
    return TickingClock(SystemClock())
