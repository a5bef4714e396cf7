"""Accounts watched side by side: why each run was made, who waits for whom, and what begins again."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace

from tests.engine.scripted import ScriptedVenue
from tests.engine.world import ACCOUNT, PERP, fill, store_at
from trueup.engine.store import Store
from trueup.engine.watching import Account, Rhythm, Watch, watch
from trueup.model.differences import Status, VenuePosition, VenueSnapshot
from trueup.model.errors import JournalFailed, Unavailable
from trueup.model.events import ReconciliationsCounted
from trueup.model.identifiers import AccountId
from trueup.model.venues import Gap
from trueup.reconcile.policy import Mode, Policies, Policy

PATIENCE_S = 60.0
RARELY = Rhythm(period_s=3_600.0, after_trade_s=0.0, rest_s=0.001, longest_rest_s=0.002)
OFTEN = Rhythm(period_s=0.01, after_trade_s=0.0, rest_s=0.001, longest_rest_s=0.002)
DEFAULT = Policies()
OTHER = AccountId("paper:two")


class Venue(ScriptedVenue):
    """Says that it holds what its fills add up to, unless told otherwise."""

    def __init__(self, account: AccountId = ACCOUNT, fills: int = 1) -> None:
        super().__init__([fill(number) for number in range(1, 1 + fills)] if account == ACCOUNT else [])
        self.account = account
        self.more = 0
        self.refusals: list[Exception] = []
        self.connections = 0
        self.state = self._holds

    def _holds(self) -> VenueSnapshot:
        quantity = Decimal(len(self.facts) + self.more)
        positions = {(PERP.symbol, "net"): VenuePosition(PERP.symbol, "net", quantity)} if quantity else {}
        return VenueSnapshot(self.account, positions=positions)

    def trade(self) -> None:
        self.facts.append(fill(len(self.facts) + 1))
        self.say(self.facts[-1])

    @asynccontextmanager
    async def connected(self) -> AsyncIterator["Venue"]:
        self.connections += 1
        if self.refusals:
            raise self.refusals.pop(0)
        yield self


class Heard:
    """What watches told, and a wait for it."""

    def __init__(self) -> None:
        self.runs: list[tuple[AccountId, str, Status]] = []
        self.troubles: list[str] = []
        self.watches: dict[AccountId, Watch] = {}
        self.then: Callable[[Watch], None] = lambda _: None
        self._news = asyncio.Event()

    def __call__(self, told: Watch) -> None:
        self.watches[told.account] = told
        if told.trouble:
            self.troubles.append(told.trouble)
        elif told.last is not None:
            self.runs.append((told.account, told.last.trigger, told.last.comparison.status))
        self._news.set()
        self.then(told)

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not true():
                self._news.clear()
                await self._news.wait()

    async def shown(self, trigger: str, cause: Callable[[], None]) -> None:
        """Until a cause shows; the gap that every stream begins with may come in between, and goes before."""
        for _ in range(3):
            before = len(self.runs)
            cause()
            await self.until(lambda: len(self.runs) > before)  # noqa: B023 - waited for within the round
            if self.runs[-1][1] == trigger:
                return
        raise AssertionError(f"{trigger} never showed in {self.runs}")

    def triggers(self, account: AccountId = ACCOUNT) -> list[str]:
        return [trigger for whose, trigger, _ in self.runs if whose == account]


@asynccontextmanager
async def watched(
    store: Store, *venues: Venue, rhythm: Rhythm = RARELY, policies: Policies = DEFAULT
) -> AsyncIterator[Heard]:
    heard, stop = Heard(), asyncio.Event()
    accounts = [Account(store.ledger(venue.account), venue.connected, policies) for venue in venues]
    task = asyncio.create_task(watch(store, accounts, random=Random(1), rhythm=rhythm, told=heard, stop=stop))
    try:
        yield heard
    finally:
        stop.set()
        async with asyncio.timeout(PATIENCE_S):
            await task


def test_it_looks_at_the_start_after_a_trade_after_a_gap_and_when_asked(tmp_path: Path) -> None:
    store, venue = store_at(tmp_path), Venue()

    async def told() -> None:
        async with watched(store, venue) as heard:
            await heard.until(lambda: len(heard.runs) == 1)
            assert heard.runs == [(ACCOUNT, "start", Status.SYNCED)]
            assert heard.watches[ACCOUNT].ready.is_set()
            await heard.shown("trade", venue.trade)
            await heard.shown("reconnect", lambda: venue.say(Gap("cut")))
            await heard.shown("demand", heard.watches[ACCOUNT].look)
            assert not counts(store)
            all_of_them.append(heard)

    all_of_them: list[Heard] = []
    asyncio.run(told())
    (counted,) = counts(store)
    assert counted.outcomes == (("SYNCED", len(all_of_them[0].runs)),)
    assert counted.longest_ns > 0
    store.close()


def counts(store: Store) -> list[ReconciliationsCounted]:
    return [event for _, event in store.ledger(ACCOUNT).events() if isinstance(event, ReconciliationsCounted)]


def test_it_looks_every_so_often(tmp_path: Path) -> None:
    store, venue = store_at(tmp_path), Venue()

    async def told() -> None:
        async with watched(store, venue, rhythm=OFTEN) as heard:
            await heard.until(lambda: heard.triggers().count("periodic") >= 3)

    asyncio.run(told())
    store.close()


def test_nothing_is_corrected_when_the_connection_has_only_just_come_back(tmp_path: Path) -> None:
    store, venue = store_at(tmp_path), Venue()

    async def told() -> None:
        async with watched(store, venue) as heard:
            await heard.until(lambda: len(heard.runs) == 1)
            venue.more = 2
            await heard.shown("reconnect", lambda: venue.say(Gap("cut")))
            last = heard.watches[ACCOUNT].last
            assert last is not None
            assert last.plan.frozen == ("the connection has only just come back",)

    asyncio.run(told())
    store.close()


def test_a_venue_that_hangs_delays_no_other(tmp_path: Path) -> None:
    store, slow, quick = store_at(tmp_path), Venue(), Venue(OTHER)

    async def hangs() -> VenueSnapshot:
        await asyncio.Event().wait()
        raise AssertionError

    slow.snapshot = hangs  # type: ignore[method-assign]

    async def told() -> None:
        async with watched(store, slow, quick, rhythm=replace(OFTEN, together=1)) as heard:
            await heard.until(lambda: heard.triggers(OTHER).count("periodic") >= 3)
            assert heard.triggers() == []

    with pytest.MonkeyPatch.context() as patience:
        patience.setattr("trueup.engine.watching.STOP_S", 0.01)
        asyncio.run(told())
    store.close()


def test_who_only_wants_reports_has_nothing_booked(tmp_path: Path) -> None:
    store, venue = store_at(tmp_path), Venue()
    reports = Policies(default=Policy(Mode.REPORT))

    async def told() -> None:
        async with watched(store, venue, rhythm=OFTEN, policies=reports) as heard:
            await heard.until(lambda: heard.triggers().count("periodic") >= 2)
            venue.say(fill(9))

    asyncio.run(told())
    assert store.ledger(ACCOUNT).book.positions() == {}
    assert venue.opened == 0
    store.close()


def test_what_cannot_be_reached_is_tried_again_and_told(tmp_path: Path) -> None:
    store, venue = store_at(tmp_path), Venue()
    venue.refusals = [Unavailable("down"), Unavailable("still down")]

    async def told() -> None:
        async with watched(store, venue) as heard:
            await heard.until(lambda: bool(heard.runs))
            assert heard.troubles == ["down", "still down"]
            assert venue.connections == 3
            assert heard.triggers()[0] == "start"

    asyncio.run(told())
    store.close()


def test_it_looks_at_everything_every_so_often_however_much_is_traded(tmp_path: Path) -> None:
    store, venue = store_at(tmp_path), Venue()

    async def told() -> None:
        async with watched(store, venue, rhythm=replace(OFTEN, period_s=0.2)) as heard:

            def trades(_: Watch) -> None:
                heard.watches[ACCOUNT].look("trade")

            await heard.until(lambda: bool(heard.runs))
            heard.then = trades
            trades(heard.watches[ACCOUNT])
            await heard.until(lambda: "trade" in heard.triggers())
            heard.runs.clear()
            await heard.until(lambda: heard.triggers().count("periodic") == 2)

    asyncio.run(told())
    store.close()


def test_nobody_may_trade_on_an_account_that_could_not_be_compared(tmp_path: Path) -> None:
    store, venue = store_at(tmp_path), Venue()
    whole, venue.state = venue.state, lambda: VenueSnapshot(ACCOUNT, failed={"positions": "timed out"})

    async def told() -> None:
        async with watched(store, venue) as heard:
            await heard.until(lambda: bool(heard.runs))
            assert not heard.watches[ACCOUNT].ready.is_set()
            venue.state = whole
            await heard.shown("demand", heard.watches[ACCOUNT].look)
            assert heard.watches[ACCOUNT].ready.is_set()

    asyncio.run(told())
    store.close()


def test_a_failing_disk_ends_it_for_all(tmp_path: Path) -> None:
    store, venue = store_at(tmp_path), Venue()
    venue.refusals = [JournalFailed("The disk refused.", remedy="Reopen.")]

    async def told() -> None:
        async with watched(store, venue, Venue(OTHER)):
            await asyncio.sleep(0.05)

    with pytest.raises(JournalFailed):
        asyncio.run(told())
    with suppress(JournalFailed):
        store.close()
