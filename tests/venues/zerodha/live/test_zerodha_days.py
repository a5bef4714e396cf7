"""Days at Kite against its rehearsal server: what is carried overnight, logins that end, and a day that was missed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from trueup.engine.clock import SystemClock
from trueup.engine.pulling import pull
from trueup.engine.reading import hints_of
from trueup.engine.reconciling_live import reconcile_live
from trueup.engine.store import Store
from trueup.journal.embedded import EmbeddedStorage
from trueup.model.differences import Status
from trueup.model.errors import AuthenticationFailed
from trueup.model.identifiers import Side
from trueup.testing.conformance.rig import TickingClock
from trueup.testing.servers.serving import serving
from trueup.testing.servers.zerodha.demo import ACCOUNT, API_KEY, demo_app, demo_markets
from trueup.testing.servers.zerodha.hours import always
from trueup.testing.servers.zerodha.server import ZerodhaServer
from trueup.venues.paper.exchange import PaperExchange
from trueup.venues.transport.secrets import Secret
from trueup.venues.zerodha import tokens
from trueup.venues.zerodha.live import ZerodhaVenue

NIFTY, SBIN, LEAD = "NFO.NIFTY30DECFUT.NRML/INR:INR", "NSE.SBIN.CNC/INR", "MCX.LEADMINI30DECFUT.NRML/INR:INR"

HOUR, DAY = 3_600, 86_400


class World:
    """An account that somebody trades by hand, the server in front of it, and a book of it."""

    def __init__(self, folder: Path) -> None:
        self.clock = TickingClock(SystemClock())
        self.exchange = PaperExchange(demo_markets(), clock=self.clock, random=Random(1))
        money = {"INR@equity": Decimal(10**9), "INR@commodity": Decimal(10**9)}
        self.exchange.open_account(ACCOUNT, money)
        self.app = demo_app()
        self.server = ZerodhaServer(
            self.exchange, {ACCOUNT: self.app}, clock=self.clock, random=Random(2), hours=always
        )
        self.kept = tokens.TokenFile(folder / "login", ACCOUNT)
        self.store = Store.open(EmbeddedStorage.open(folder / "data", create=True), self.clock)
        self.ledger = self.store.ledger(ACCOUNT)

    def log_in(self) -> None:
        self.kept.save(tokens.login(self.app.user_id, self.server.sessions.admit(self.app), self.clock.now()))

    def trade(self, symbol: str, side: Side, quantity: int) -> None:
        self.exchange.trade_by_hand(ACCOUNT, symbol, side, Decimal(quantity))

    async def synced(self, venue: ZerodhaVenue) -> list[str]:
        """That the book agrees with Kite; what the pull warned of."""
        found = await reconcile_live(self.store, self.ledger, venue)
        assert found.comparison.status is Status.SYNCED, found.comparison.differences
        return [warning for warning in found.pulled.warnings if "missing" in warning]


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[tuple[World, ZerodhaVenue]]:
    made = World(folder)
    made.log_in()
    async with serving(made.server) as address:
        venue = ZerodhaVenue(
            ACCOUNT,
            api_key=Secret("api_key", API_KEY),
            token_file=folder / "login",
            rest_url=address.http,
            stream_url=address.ws,
            clock=made.clock,
            random=Random(3),
            instruments=hints_of(made.ledger.book).instruments,
        )
        try:
            yield made, venue
        finally:
            await venue.aclose()
            made.store.close()


def test_what_is_carried_overnight_agrees_day_after_day(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as (made, venue):
            made.trade(NIFTY, "buy", 130)
            made.trade(SBIN, "buy", 10)
            made.trade(LEAD, "sell", 2)
            assert await made.synced(venue) == []
            made.clock.skip(7 * HOUR)  # half past midnight: the day is over, and Kite still tells it
            assert await made.synced(venue) == []
            for side in ("sell", "buy"):
                made.clock.skip(15 * HOUR)  # another afternoon
                made.log_in()
                made.trade(NIFTY, side, 65)
                made.trade(SBIN, side, 4)
                made.clock.skip(9 * HOUR)
                assert await made.synced(venue) == []
            assert made.ledger.book.positions()[NIFTY, "net"].quantity == 130
            assert not made.ledger.book.quarantined

    asyncio.run(story())


def test_an_account_that_holds_something_begins_with_it(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as (made, venue):
            made.trade(NIFTY, "buy", 130)
            made.trade(SBIN, "buy", 10)
            await venue.snapshot()  # the server looks at its day
            made.clock.skip(DAY)
            made.log_in()
            made.trade(NIFTY, "sell", 65)
            assert await made.synced(venue) == []
            assert made.ledger.book.positions()[NIFTY, "net"].quantity == 65
            assert made.ledger.book.positions()[SBIN, "net"].quantity == 10

    asyncio.run(story())


def test_a_login_ends_in_the_morning_and_the_next_one_is_taken_by_who_runs(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as (made, venue):
            await pull(made.ledger, venue)
            made.clock.skip(DAY)
            with pytest.raises(AuthenticationFailed, match="trueup venues login zerodha:main"):
                await pull(made.ledger, venue)
            assert any("The login ended" in warning for warning in venue.warnings)
            made.log_in()
            (told,) = await made.synced(venue)
            assert "2026-03-04 may be missing: it was last captured at 2026-03-04 17:30 IST" in told

    asyncio.run(story())


def test_a_day_that_was_missed_is_named_and_shows_in_what_is_held(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as (made, venue):
            made.trade(NIFTY, "buy", 65)
            made.clock.skip(7 * HOUR)
            await pull(made.ledger, venue)
            made.clock.skip(15 * HOUR)
            made.trade(NIFTY, "buy", 65)  # on Thursday, and nobody captures it
            made.clock.skip(DAY)
            made.log_in()
            found = await reconcile_live(made.store, made.ledger, venue)
            (told,) = [warning for warning in found.pulled.warnings if "missing" in warning]
            assert told.startswith("Trades of 2026-03-05 may be missing: nothing of it was captured")
            (break_,) = found.comparison.differences
            assert (break_.subject, break_.difference) == (f"{NIFTY} net", Decimal(65))

    asyncio.run(story())
