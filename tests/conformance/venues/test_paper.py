"""The paper venue keeps to the port, in process and over its socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import partial
from random import Random

import pytest

from tests.conformance.venues.rigs import SocketRig, clock
from trueup.book.book import Book
from trueup.model.errors import OutcomeUnknown, Unavailable
from trueup.model.identifiers import AccountId
from trueup.model.numbers import ZERO
from trueup.ports import Clock, LiveVenue
from trueup.testing.conformance.rig import Call, Setup, TickingClock
from trueup.testing.conformance.venues import CHECKS, HEDGED_CHECKS, Check, name, run
from trueup.testing.servers.proxy import TcpProxy
from trueup.venues.paper import calls
from trueup.venues.paper.client import PaperClient
from trueup.venues.paper.exchange import PAGE, PaperExchange
from trueup.venues.paper.faults import Disconnect, FaultPlan
from trueup.venues.paper.markets import usual_markets
from trueup.venues.paper.server import PaperServer
from trueup.venues.paper.venue import PaperVenue

ACCOUNT = AccountId("paper:main")
SYMBOL = "BTC/USDC:USDC"
LOT = Decimal("0.02")

_WRITES = (calls.PlaceOrder, calls.CancelOrder, calls.AmendOrder, calls.ClosePosition)
_LOST: dict[Call, type[calls.Call]] = {"place": calls.PlaceOrder, "cancel": calls.CancelOrder}


def exchange(clock: Clock, plan: FaultPlan | None = None, *, hedged: bool = False) -> PaperExchange:
    """An exchange with an account that can pay for a hundred lots."""
    made = PaperExchange(usual_markets(), clock=clock, random=Random(1), plan=plan or FaultPlan())
    made.open_account(ACCOUNT, {"USDC": Decimal(1_000_000)}, hedged=hedged)
    return made


class Wire:
    """What lies between the accounts of a rig and the exchange.

    Attributes:
        cuts: How many calls it failed.
        lost: The kind of call that it fails next; None for the call of the number ``cut_at``.
        acted: Whether the exchange is asked all the same.
    """

    def __init__(self) -> None:
        self.cuts = 0
        self.calls = 0
        self.lost: type[calls.Call] | None = None
        self.cut_at = 0
        self.acted = False

    def strikes(self, call: calls.AnyCall) -> bool:
        """Whether it fails this call."""
        self.calls += 1
        if not (self.calls == self.cut_at if self.lost is None else isinstance(call, self.lost)):
            return False
        self.cuts += 1
        self.lost, self.cut_at = None, 0
        return True


class BrokenLine(PaperVenue):
    """An account in process, whose calls fail as those over a socket do."""

    def __init__(self, wire: Wire, exchange: PaperExchange, clock: Clock, random: Random) -> None:
        super().__init__(exchange, ACCOUNT, clock=clock, random=random)
        self._wire = wire

    async def _ask(self, call: calls.AnyCall) -> calls.Answer:
        if not self._wire.strikes(call):
            return await super()._ask(call)
        if self._wire.acted:
            await super()._ask(call)
        raise OutcomeUnknown("No answer came.") if isinstance(call, _WRITES) else Unavailable("No answer came.")


class ProcessRig:
    """The exchange in this process."""

    account = ACCOUNT
    symbol = SYMBOL
    lot = LOT
    page = PAGE
    money_step: Decimal | None = ZERO
    hedged = False

    def __init__(self, clock: TickingClock, make: type[BrokenLine] = BrokenLine) -> None:
        hang_ups = tuple(Disconnect(account=ACCOUNT) for _ in range(1_000))  # one strikes with each step
        self.clock = clock
        self.exchange = exchange(clock, FaultPlan(hang_ups))
        self.venues: list[BrokenLine] = []
        self._make = make
        self._wire = Wire()

    async def venue(self, book: Book | None = None) -> LiveVenue:
        venue = self._make(self._wire, self.exchange, self.clock, Random(len(self.venues)))
        self.venues.append(venue)
        return venue

    async def cut(self) -> None:
        self.exchange.advance()

    def lose(self, call: Call, *, acted: bool) -> None:
        self._wire.lost, self._wire.acted = _LOST[call], acted

    def cut_at(self, nth: int, *, acted: bool) -> None:
        self._wire.cut_at, self._wire.acted = nth and self._wire.calls + nth, acted

    @property
    def cuts(self) -> int:
        return self._wire.cuts


@asynccontextmanager
async def in_process(make: type[BrokenLine] = BrokenLine) -> AsyncIterator[ProcessRig]:
    rig = ProcessRig(clock(), make)
    yield rig
    for venue in rig.venues:
        await venue.aclose()


@asynccontextmanager
async def over_a_socket(*, hedged: bool = False) -> AsyncIterator[SocketRig]:
    now = clock()
    made = exchange(now, hedged=hedged)
    async with PaperServer(made) as server:
        with TcpProxy("127.0.0.1", server.port) as proxy:
            rig = SocketRig(
                made,
                now,
                proxy,
                account=ACCOUNT,
                symbol=SYMBOL,
                lot=LOT,
                page=PAGE,
                hedged=hedged,
                words={call: kind.__name__.encode() for call, kind in _LOST.items()},
                connect=lambda random, _: PaperClient("127.0.0.1", proxy.port, ACCOUNT, clock=now, random=random),
            )
            yield rig
            await rig.aclose()


@pytest.mark.parametrize("check", CHECKS, ids=name)
@pytest.mark.parametrize("setup", [in_process, over_a_socket])
def test_the_paper_venue_conforms(check: Check, setup: Setup) -> None:
    asyncio.run(run(check, setup))


@pytest.mark.parametrize("check", HEDGED_CHECKS, ids=name)
def test_a_paper_account_with_both_sides_conforms(check: Check) -> None:
    asyncio.run(run(check, partial(over_a_socket, hedged=True)))
