"""Hours of trading while reports and snapshots are late, lost, doubled and mixed up at random: no false alarm."""

import asyncio
from decimal import Decimal
from pathlib import Path
from random import Random

import msgspec
import pytest

from tests.scenarios.between import between
from trueup.engine.clock import SystemClock
from trueup.engine.reconciling_live import Reconciler, Trigger
from trueup.engine.store import Store
from trueup.journal.embedded import EmbeddedStorage
from trueup.model import events as e
from trueup.model.breaks import Step
from trueup.model.differences import Status, VenueSnapshot
from trueup.model.facts import fact_key
from trueup.model.identifiers import AccountId, Side
from trueup.model.times import NS_PER_SECOND
from trueup.testing.conformance.rig import TickingClock
from trueup.venues.paper.exchange import PaperExchange
from trueup.venues.paper.markets import usual_markets
from trueup.venues.paper.venue import PaperVenue

ACCOUNT = AccountId("paper:main")
SYMBOLS = ("BTC/USDC:USDC", "ETH/USDC:USDC")
LOT = Decimal("0.02")
PERIOD_S = 60


class Lateness(msgspec.Struct, frozen=True):
    """How late things may be, in seconds of venue time; each time by chance.

    Attributes:
        stream: Of a report on the stream; some are lost, and some come twice.
        snapshot: Of an answer that says from when it is.
        disguised: Of an answer that says it is new.
    """

    stream: int = 0
    snapshot: int = 0
    disguised: int = 0


class Market:
    """An account that trades, a stream of its fills that is late, and a program that keeps its book.

    Attributes:
        trades: Made so far.
        looks: At the account so far.
        drifts: Looks at which something differed that time did not explain.
    """

    def __init__(self, path: Path, seed: int, lateness: Lateness) -> None:
        self.trades = self.drifts = self.looks = 0
        self._random = Random(seed)
        self._lateness = lateness
        self._clock = TickingClock(SystemClock())
        self._exchange = PaperExchange(usual_markets(), clock=self._clock, random=Random(seed))
        self._exchange.open_account(ACCOUNT, {"USDC": Decimal(10_000_000)})
        self.store = Store.open(EmbeddedStorage.open(path / "data", create=True), self._clock)
        self.ledger = self.store.ledger(ACCOUNT)
        answers, venue = between(PaperVenue(self._exchange, ACCOUNT, clock=self._clock, random=Random(seed)))
        answers.state = self._seen
        self._reconciler = Reconciler(self.store, self.ledger, venue)
        self._told = 0
        self._on_its_way: list[tuple[int, e.Fact]] = []
        self._states: list[VenueSnapshot] = []
        self._held = dict.fromkeys(SYMBOLS, 0)

    async def live(self, hours: int, trades: int) -> None:
        """Trade through so many hours; look each minute, and after some of what the stream told."""
        await self._look("start")
        steps = hours * 3_600 // 4
        look_at = self._clock.now()
        for _ in range(steps):
            self._clock.skip(self._random.randint(1, 7))
            if self._random.random() < trades / steps:
                self._trade()
            if self._random.random() < 0.001:
                self._exchange.deposit(ACCOUNT, "USDC", Decimal(self._random.choice((-500, 700))))
            if self._hear() and self._random.random() < 0.3:
                await self._look("trade")
            if self._clock.now() >= look_at:
                look_at = self._clock.now() + PERIOD_S * NS_PER_SECOND
                await self._look("periodic")

    async def rest(self) -> Status:
        """Let everything arrive, and look once more."""
        self._lateness = Lateness()
        self._clock.skip(600)
        self._hear()
        await self._look("periodic")
        assert self._reconciler.last is not None
        return self._reconciler.last.comparison.status

    def require_truth(self) -> None:
        """Every fact once, and what is held because of them."""
        truth = self._exchange.truth(ACCOUNT)
        booked = [fact_key(event) for _, event in self.ledger.events() if isinstance(event, e.FillBooked)]
        assert sorted(booked, key=str) == sorted({f"fill|{number}" for number in truth.trade_ids}, key=str)
        held = {symbol: position.quantity for (symbol, _), position in self.ledger.book.positions().items()}
        assert {symbol: size for symbol, size in held.items() if size} == truth.positions

    # --- what happens -------------------------------------------------------------------------------------------------

    def _trade(self) -> None:
        symbol = self._random.choice(SYMBOLS)
        lots = self._random.randint(1, 3)
        side: Side = self._random.choice(("buy", "sell"))
        after = self._held[symbol] + (lots if side == "buy" else -lots)
        if not -20 <= after <= 20:
            side, after = ("sell", after - 2 * lots) if side == "buy" else ("buy", after + 2 * lots)
        self._held[symbol] = after
        self._exchange.trade_by_hand(ACCOUNT, symbol, side, lots * LOT)
        self._exchange.advance()
        self.trades += 1

    def _hear(self) -> bool:
        """Send what happened on its way, and book what has arrived, in whatever order; whether there was anything."""
        happened, _ = self._exchange.history(ACCOUNT, None, limit=10**9)
        for fact in happened[self._told :]:
            for _ in range(self._random.choice((0, 1, 1, 1, 1, 1, 1, 1, 1, 2))):
                late = self._random.randint(0, self._lateness.stream) * NS_PER_SECOND
                self._on_its_way.append((self._clock.now() + late, fact))
        self._told = len(happened)
        now = self._clock.now()
        here = [fact for at, fact in self._on_its_way if at <= now]
        self._on_its_way = [(at, fact) for at, fact in self._on_its_way if at > now]
        self._random.shuffle(here)
        if here and self.ledger.book.instruments:
            self.ledger.book_facts(here)
        return bool(here)

    async def _look(self, trigger: Trigger) -> None:
        run = await self._reconciler.run(trigger)
        self.looks += 1
        self.drifts += run.comparison.status is Status.DRIFT

    def _seen(self, now: VenueSnapshot) -> VenueSnapshot:
        """An answer of some seconds ago, with its own cut or in disguise."""
        self._states = [*self._states[-200:], now]
        assert now.cut is not None
        honest = self._random.random() < 0.5
        late = self._random.randint(0, self._lateness.snapshot if honest else self._lateness.disguised)
        old = [one for one in self._states if (one.cut or 0) <= now.cut - late * NS_PER_SECOND]
        if not late or not old or now.cut - (old[-1].cut or 0) > 2 * late * NS_PER_SECOND:
            return now
        return old[-1] if honest else msgspec.structs.replace(old[-1], cut=now.cut)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_hours_of_lateness_raise_no_alarm(tmp_path: Path, seed: int) -> None:
    async def story() -> None:
        market = Market(tmp_path, seed, Lateness(stream=20, snapshot=40, disguised=20))
        await market.live(hours=2, trades=1_000)
        assert await market.rest() is Status.SYNCED
        assert market.trades > 900
        assert (market.looks > 300, market.drifts) == (True, 0)
        moves = [event for _, event in market.ledger.events() if isinstance(event, e.BreakMoved)]
        assert moves  # something was late
        assert {move.step for move in moves} <= {Step.DETECT, Step.RECUR, Step.CHANGE, Step.EXPIRE, Step.AUTO_RESOLVE}
        market.require_truth()
        market.store.close()

    asyncio.run(story())
