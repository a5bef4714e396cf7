"""The demo's book against its venues, in one process over real sockets: each fault by itself, found and explained.

Nothing here depends on how fast the machine is: the venues' clock is moved by hand, and no report is overdue because it
is late.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from trueup.book.book import Book
from trueup.bootstrap import open_store
from trueup.cli.demo import keeper as keeper_module
from trueup.cli.demo import messages as m
from trueup.cli.demo import trader as trader_module
from trueup.cli.demo.causes import Cause
from trueup.cli.demo.keeper import Keeper
from trueup.cli.demo.trader import Trader
from trueup.cli.demo.world import DESKS, NORTH, SOUTH, Plan, open_venues
from trueup.engine.clock import SystemClock
from trueup.engine.store import Store
from trueup.model.differences import Status
from trueup.model.errors import OutcomeUnknown, Unavailable
from trueup.model.events import OrderReported
from trueup.model.identifiers import AccountId
from trueup.model.orders import OrderRequest
from trueup.model.times import from_ms
from trueup.venues.paper.client import PaperClient
from trueup.venues.paper.exchange import PaperExchange
from trueup.venues.paper.faults import AnyFault, Drop, Duplicate, FaultPlan, ForeignTrade, Liquidation, Outage, TimeOut
from trueup.venues.paper.server import HOST, PaperServer

BTC, XBT = "BTC/USDC:USDC", "BTC/USD:BTC"
PATIENCE_S = 120
HOUR_MS = 3_600_000


class VenueClock(SystemClock):
    """The system's clock, set forward by hand."""

    ahead = 0

    def now(self) -> int:
        return super().now() + self.ahead


def client(port: int, account: AccountId) -> PaperClient:
    return PaperClient(HOST, port, account, clock=SystemClock(), random=Random(1))


class Watched(Keeper):
    """A keeper whose findings can be waited for."""

    def __init__(self, store: Store, venue: PaperClient) -> None:
        super().__init__(store, venue)
        self.has_found: defaultdict[Cause, asyncio.Event] = defaultdict(asyncio.Event)

    def found(self, cause: Cause, ids: Sequence[str], explanation: str, booked: str) -> None:
        super().found(cause, ids, explanation, booked)
        self.has_found[cause].set()


class Pair:
    """Two venues and their keepers, listening."""

    def __init__(
        self, clock: VenueClock, exchanges: dict[AccountId, PaperExchange], keepers: dict[AccountId, Watched]
    ) -> None:
        self.clock = clock
        self.exchanges = exchanges
        self.keepers = keepers
        self.exchange = exchanges[NORTH]
        self.keeper = keepers[NORTH]

    async def buy(self, quantity: str, name: str = "swing-1") -> None:
        await self.keeper.venue.place(OrderRequest(BTC, "buy", Decimal(quantity), name))

    async def synced(self, account: AccountId = NORTH) -> None:
        """Compare until book and venue agree."""
        while await self.keepers[account].reconcile() is not Status.SYNCED:
            pass


@asynccontextmanager
async def pair(path: Path, *faults: AnyFault) -> AsyncIterator[Pair]:
    clock = VenueClock()
    plans = {account: FaultPlan(tuple(f for f in faults if f.account == account)) for account in (NORTH, SOUTH)}
    exchanges = open_venues(Plan(plans, (), ()), Random(1), clock)
    store = open_store(path)
    async with PaperServer(exchanges[NORTH]) as north, PaperServer(exchanges[SOUTH]) as south:
        ports = {NORTH: north.port, SOUTH: south.port}
        keepers = {account: Watched(store, client(port, account)) for account, port in ports.items()}
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(keeper.listen()) for keeper in keepers.values()]
            for keeper in keepers.values():
                await keeper.heard.wait()
                await keeper.begin()
                tasks.append(group.create_task(keeper.book_reports()))
            yield Pair(clock, exchanges, keepers)
            for task in tasks:
                task.cancel()
    store.close()


Story = Callable[[Pair], Awaitable[None]]
Tell = Callable[..., list[m.AnyMessage]]


@pytest.fixture
def tell(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Tell:
    """Run a story and give what the book told of it."""
    monkeypatch.setattr(keeper_module, "OVERDUE_MS", HOUR_MS)

    def run(story: Story, *faults: AnyFault) -> list[m.AnyMessage]:
        async def main() -> None:
            async with asyncio.timeout(PATIENCE_S), pair(tmp_path, *faults) as both:
                await story(both)

        asyncio.run(main())
        return [m.read(line.encode()) for line in capfd.readouterr().out.splitlines()]

    return run


def findings(told: list[m.AnyMessage]) -> list[tuple[Cause, list[str]]]:
    return [(found.cause, list(found.ids)) for found in told if isinstance(found, m.Found)]


def breaks(told: list[m.AnyMessage]) -> list[str]:
    return [words for message in told if isinstance(message, m.Compared) for words in message.broken]


def test_business_as_usual_is_no_finding(tell: Tell) -> None:
    async def story(both: Pair) -> None:
        for number in range(5):
            await both.buy("0.01", f"swing-{number}")
        await both.synced()

    told = tell(story)
    assert (findings(told), breaks(told)) == ([], [])
    acknowledged = {key for message in told if isinstance(message, m.Acknowledged) for key in message.keys}
    assert {f"fill|{number}" for number in range(1, 6)} <= acknowledged


def test_a_lost_report_is_a_break_that_names_its_fill_and_is_booked_by_id(tell: Tell) -> None:
    async def story(both: Pair) -> None:
        await both.buy("0.01")
        await both.buy("0.02", "swing-2")
        await both.synced()
        position = both.keeper.ledger.book.position(BTC)
        assert position is not None
        assert position.quantity == Decimal("0.03")

    told = tell(story, Drop(account=NORTH))
    assert findings(told) == [(Cause.REPORT_LOST, ["1"])]
    assert breaks(told)[0].startswith(
        f"QTY {BTC} net: venue holds 0.01 more; this fill missing in our book explains all"
    )
    (compared,) = [message for message in told if isinstance(message, m.Compared) and message.broken]
    assert (compared.status, compared.open) == (Status.SYNCED, [])
    assert len(compared.explained) == len(compared.broken)


def test_a_report_that_comes_twice_is_booked_once(tell: Tell) -> None:
    async def story(both: Pair) -> None:
        await both.buy("0.01")
        await both.keeper.has_found[Cause.REPORTED_TWICE].wait()
        await both.synced()

    told = tell(story, Duplicate(account=NORTH))
    assert findings(told) == [(Cause.REPORTED_TWICE, ["1"])]
    booked = [key for message in told if isinstance(message, m.Acknowledged) for key in message.booked]
    assert booked.count("fill|1") == 1


def test_a_trade_by_hand_belongs_to_nobody_of_ours(tell: Tell) -> None:
    async def story(both: Pair) -> None:
        both.exchange.advance()
        await both.synced()
        position = both.keeper.ledger.book.position(BTC)
        assert position is not None
        assert list(position.by_strategy) == ["external"]

    foreign = ForeignTrade(account=NORTH, instrument=BTC, side="buy", quantity=Decimal("0.004"))
    assert findings(tell(story, foreign)) == [(Cause.FOREIGN_TRADE, ["1"])]


def test_a_liquidation_is_found_by_the_venues_flag(tell: Tell) -> None:
    async def story(both: Pair) -> None:
        keeper = both.keepers[SOUTH]
        await keeper.venue.place(OrderRequest(XBT, "buy", Decimal(20_000), "carry-1"))
        both.exchanges[SOUTH].advance()
        await both.synced(SOUTH)

    told = tell(story, Liquidation(account=SOUTH, nth=1, instrument=XBT))
    assert findings(told) == [(Cause.LIQUIDATION, ["2"])]


def test_what_happened_while_nobody_listened_is_found_with_its_evidence(tmp_path: Path, tell: Tell) -> None:
    async def trade(both: Pair) -> None:
        await both.buy("0.01")
        await both.synced()
        both.exchange.trade_by_hand(NORTH, BTC, "sell", Decimal("0.003"))

    async def main() -> None:
        """The first book goes before it hears of the last trade; the second comes to the same venue."""
        clock = VenueClock()
        exchange = open_venues(Plan({NORTH: FaultPlan(), SOUTH: FaultPlan()}, (), ()), Random(1), clock)[NORTH]
        async with PaperServer(exchange) as server:
            for trades in (True, False):
                store = open_store(tmp_path / "kept")
                keeper = Watched(store, client(server.port, NORTH))
                listening = asyncio.create_task(keeper.listen())
                await keeper.heard.wait()
                await keeper.begin()
                both = Pair(clock, {NORTH: exchange}, {NORTH: keeper})
                booking = asyncio.create_task(keeper.book_reports())
                await (trade(both) if trades else both.synced())
                for task in (listening, booking):
                    task.cancel()
                await asyncio.gather(listening, booking, return_exceptions=True)
                store.close()

    told = tell(lambda _: main())
    causes = dict(findings(told))
    assert causes[Cause.FOREIGN_TRADE] == ["2"]
    assert causes[Cause.NOBODY_LISTENED] == ["order-6", "2"]
    assert breaks(told)[0].startswith(f"QTY {BTC} net: venue holds 0.003 less")


def test_a_venue_that_is_down_is_unknown_and_not_flat(tell: Tell) -> None:
    async def story(both: Pair) -> None:
        await both.buy("0.01")
        await both.synced()
        both.exchange.advance()
        assert await both.keeper.reconcile() is Status.FAILED
        with pytest.raises(Unavailable):
            await both.buy("0.01", "swing-2")
        assert not both.keeper.listening
        both.clock.ahead = from_ms(HOUR_MS)
        await both.keeper.has_found[Cause.VENUE_GONE].wait()
        await both.synced()

    told = tell(story, Outage(account=NORTH, nth=1, for_ms=HOUR_MS))
    assert findings(told) == [(Cause.VENUE_GONE, [])]
    failed = [message for message in told if isinstance(message, m.Compared) and message.status is Status.FAILED]
    assert failed[0].problem == "The venue is down."


@pytest.mark.parametrize(("placed", "words"), [(True, "found by its client order id"), (False, "has no such order")])
def test_an_order_that_timed_out_is_looked_up_and_never_sent_again(tell: Tell, placed: bool, words: str) -> None:
    async def story(both: Pair) -> None:
        ending = asyncio.Event()
        trading = asyncio.create_task(Trader(both.keepers, Random(1), SystemClock(), life=1).trade(ending))
        await both.keeper.has_found[Cause.TIMED_OUT].wait()
        ending.set()
        await trading
        await both.synced()

    told = tell(story, TimeOut(account=NORTH, nth=3, placed=placed))
    (found,) = [message for message in told if isinstance(message, m.Found)]
    assert found.cause is Cause.TIMED_OUT
    assert len(found.ids) == 1 + placed
    assert words in found.explanation


def test_a_cancel_without_an_answer_is_asked_for_again_and_nothing_else_happens(
    tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def story(both: Pair) -> None:
        ending = asyncio.Event()

        async def without_an_answer_at_first(
            venue: PaperClient, instrument: str, venue_order_id: str
        ) -> OrderReported | None:
            asked.append(venue_order_id)
            if len(asked) == 1:
                raise OutcomeUnknown("No answer came.")
            ending.set()
            return await cancel(venue, instrument, venue_order_id)

        monkeypatch.setattr(PaperClient, "cancel", without_an_answer_at_first)
        await both.keeper.venue.place(OrderRequest(BTC, "buy", Decimal("0.01"), "swing-1", "limit", Decimal(1)))
        await both.synced()
        await Trader(both.keepers, Random(1), SystemClock(), life=1).trade(ending)
        await both.synced()
        assert both.keeper.ledger.read(Book.open_orders) == {}

    cancel = PaperClient.cancel
    monkeypatch.setattr(trader_module, "DESKS", DESKS[:1])
    monkeypatch.setattr(trader_module, "RESTING_MAX", 0)
    assert findings(tell(story)) == []
    assert asked == [asked[0]] * 2
