"""``ExchangeReconciliationManager``: accounts kept in agreement with their exchanges, and money where it should be."""

import asyncio
import os
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Self

import msgspec

from trueup.doors.exact import Number, number, shown
from trueup.doors.linking import linked, looked_twice
from trueup.doors.position_reading import read_positions
from trueup.doors.settings import in_force
from trueup.doors.trading_database import Database, opened
from trueup.engine.allocating import Checked, check, held, put_on_record, sample_marks
from trueup.engine.reconciling_live import Reconciler, Run
from trueup.engine.watching import Account, Rhythm, Watch, watch
from trueup.model.assets import DEFAULT_ASSETS
from trueup.model.differences import Status
from trueup.model.errors import BadInput, VenueError
from trueup.model.identifiers import AccountId
from trueup.model.numbers import ZERO
from trueup.model.times import format_time
from trueup.reconcile.allocation import Share
from trueup.reconcile.findings import worst
from trueup.settings import AccountSettings
from trueup.settings.policies import policies, stops_required

REBALANCE = "rebalance needed"


class Reconciled(msgspec.Struct, frozen=True):
    """What reconciling one account came to.

    Attributes:
        differences: In sentences.
        booked: Facts of the venue's history that the ledger lacked.
    """

    account: AccountId
    status: Status
    differences: tuple[str, ...] = ()
    booked: int = 0


class ExchangeReconciliationManager:
    """Reconciles the accounts of the settings with their exchanges; the credentials given make two of them.

    Args:
        hyperliquid_key: The account's address; ``HYPERLIQUID_KEY`` where it is left out.
        hyperliquid_secret: The agent's key; ``HYPERLIQUID_SECRET``. Reading does without.
        coinbase_key: The name of the API key; ``COINBASE_KEY``.
        coinbase_secret: Its private key; ``COINBASE_SECRET``.
        database: Where the ledgers are; what ``DB_PATH`` names where it is left out, else in memory alone.
        config: A file of settings, with more accounts; what ``TRUEUP_CONFIG`` names where it is left out.
        reconciliation_interval: Seconds between two runs of :meth:`run`; ``RECONCILIATION_INTERVAL``, else 60.

    Attributes:
        last: The newest outcome of each account.

    Raises:
        BadSettings: All mistakes in the settings.
        DirectoryLocked: Another process has the database open.
    """

    def __init__(
        self,
        hyperliquid_key: str | None = None,
        hyperliquid_secret: str | None = None,
        coinbase_key: str | None = None,
        coinbase_secret: str | None = None,
        *,
        database: Database = None,
        config: str | Path | None = None,
        reconciliation_interval: float | None = None,
    ) -> None:
        given = {
            "HYPERLIQUID_KEY": hyperliquid_key,
            "HYPERLIQUID_SECRET": hyperliquid_secret,
            "COINBASE_KEY": coinbase_key,
            "COINBASE_SECRET": coinbase_secret,
        }
        self._environment = {**os.environ, **{name: value for name, value in given.items() if value}}
        self.settings = in_force(config, self._environment)
        self.last: dict[AccountId, Reconciled] = {}
        self._reconciliation_interval = 0.0
        self.reconciliation_interval = reconciliation_interval or self.settings.reconciliation_interval
        self.database, self._owns = opened(database or self.settings.db_path)

    @property
    def reconciliation_interval(self) -> float:
        """Seconds between two runs of an account. Raises :class:`BadInput` when it is set to none that can be."""
        return self._reconciliation_interval

    @reconciliation_interval.setter
    def reconciliation_interval(self, seconds: float) -> None:
        if not number(seconds, "reconciliation_interval") > ZERO:
            raise BadInput("reconciliation_interval", seconds, "not a time", remedy="Give seconds, such as 60.")
        self._reconciliation_interval = seconds

    # --- now ----------------------------------------------------------------------------------------------------------

    async def reconcile_all(self) -> dict[str, Any]:
        """Ask every exchange, book what was missed, compare, and correct what the settings allow.

        Returns:
            ``timestamp``; ``status``, the worst of all; ``exchanges`` by name, each with ``positions``,
            ``allocation`` (its share of everything, None where that is unknown), ``timestamp``, ``status`` and
            ``differences``; ``total_positions`` and ``assets``. An exchange that cannot be asked is FAILED: what the
            ledger holds is listed, and nothing is known of the exchange.

        Raises:
            BadInput: There are no credentials.
        """
        accounts = self._accounts()
        found = await asyncio.gather(*(self._reconcile(account) for account in accounts))
        await asyncio.to_thread(self.database.changed)
        shares = self._shares()
        exchanges: dict[str, Any] = {}
        for account, outcome in zip(accounts, found, strict=True):
            self.last[account.account] = outcome
            exchanges[self._name(account)] = self._exchange(outcome, shares)
        positions = [position for exchange in exchanges.values() for position in exchange["positions"]]
        return {
            "timestamp": self._now(),
            "status": worst([outcome.status for outcome in found]).value,
            "exchanges": exchanges,
            "total_positions": len(positions),
            "assets": sorted({position["asset"] for position in positions}),
        }

    async def validate_allocation(self, portfolio_value: Number | None = None) -> dict[str, Any]:
        """Hold each venue's share of the portfolio against its target, at marks asked for now; it is put on record.

        Args:
            portfolio_value: Of everything, in the reporting currency; added up from balances and open profits where
                it is left out.

        Returns:
            ``timestamp``, ``portfolio_value``; ``allocations`` by venue, each with ``target``, ``actual``, ``drift``
            and ``within_tolerance`` (a drift of less than 5 %; None where it is unknown); ``alerts``, which say
            ``rebalance needed`` where a drift is 5 % or more; ``unknown``, what a figure is missing for.

        Raises:
            BadInput: There are neither credentials nor positions, or the value is not positive.
        """
        unknown: list[str] = []
        for account in self._accounts() if self.settings.accounts or not self.database.accounts() else ():
            try:
                async with linked(self.database, account, self._environment) as venue:
                    await sample_marks(self.database.shelf.store, account.account, venue)
            except VenueError as error:
                unknown.append(f"marks of {account.account} are those known last: {error.message}")
        value = None if portfolio_value is None else number(portfolio_value, "portfolio_value")
        checked = self._checked(value)
        shares = [] if checked.allocation is None else list(checked.allocation.shares)
        if checked.allocation is not None:
            put_on_record(self.database.shelf.store, checked)
        apart = [share.venue for share in shares if share.within_tolerance is False]
        return {
            "timestamp": self._now(),
            "portfolio_value": None if checked.allocation is None else shown(checked.allocation.portfolio_value),
            "allocations": {share.venue: _shown(share) for share in shares},
            "alerts": [f"{REBALANCE}: {', '.join(apart)}"] if apart else [],
            "unknown": [*unknown, *checked.unknown],
        }

    # --- from now on --------------------------------------------------------------------------------------------------

    async def run(self, stop: asyncio.Event) -> None:
        """Reconcile at the start, after trades, when a connection was gone, and every interval, until told to stop.

        Raises:
            BadInput: There are no credentials.
            TrueupError: What is no venue's trouble, such as a disk that refuses.
        """
        watched = [self._watched(account) for account in self._accounts()]
        rhythm = Rhythm(period_s=self._reconciliation_interval)
        store = self.database.shelf.store
        news = asyncio.Event()

        def told(one: Watch) -> None:
            self._told(one)
            news.set()

        showing = asyncio.create_task(self._show(news))
        try:
            await watch(store, watched, random=Random(), rhythm=rhythm, told=told, stop=stop)  # noqa: S311 - spreads runs in time
        finally:
            showing.cancel()
            await asyncio.wait([showing])
            await asyncio.to_thread(self.database.changed)

    def close(self) -> None:
        """Let go of the store, if this manager opened it."""
        if self._owns:
            self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- beneath ------------------------------------------------------------------------------------------------------

    def _accounts(self) -> list[AccountSettings]:
        accounts = list(self.settings.accounts.values())
        if not accounts:
            raise BadInput(
                "accounts",
                None,
                "there are no credentials, so no exchange can be asked",
                remedy="Set HYPERLIQUID_KEY, or COINBASE_KEY and COINBASE_SECRET, or give them as arguments. To try it "
                'without an exchange, name a paper venue in the settings: [accounts."paper:main"] with its port.',
            )
        return accounts

    def _name(self, account: AccountSettings) -> str:
        """An exchange goes by its venue, or by its account where that venue has several."""
        venue = account.account.partition(":")[0]
        twins = [name for name in self.settings.accounts if name.partition(":")[0] == venue]
        return venue if len(twins) == 1 else account.account

    async def _reconcile(self, account: AccountSettings) -> Reconciled:
        store = self.database.shelf.store
        try:
            async with linked(self.database, account, self._environment) as venue:
                reconciler = Reconciler(
                    store,
                    self.database.shelf.ledger(account.account),
                    venue,
                    policies=policies(self.settings.corrections, account),
                    stops_required=stops_required(self.settings.corrections),
                )
                run = await looked_twice(reconciler, "demand")
                if run.comparison.status is not Status.FAILED:
                    await sample_marks(store, account.account, venue)
        except VenueError as error:
            return Reconciled(account.account, Status.FAILED, (error.message,))
        return _outcome(run)

    def _exchange(self, outcome: Reconciled, shares: Mapping[str, Share]) -> dict[str, Any]:
        held_there = read_positions(self.database.shelf, outcome.account)
        share = shares.get(outcome.account.partition(":")[0])
        return {
            "positions": [position.to_dict() for position in held_there if position.is_open],
            "allocation": None if share is None or share.actual is None else float(share.actual),
            "timestamp": self._now(),
            "status": outcome.status.value,
            "differences": list(outcome.differences),
        }

    def _shares(self) -> Mapping[str, Share]:
        """Each venue's share, by its name; none where the worth of everything is unknown, or nothing."""
        try:
            found = self._checked(None).allocation
        except BadInput:  # debts outweigh what is owned, as far as the ledgers know: then a share says nothing
            return {}
        return {} if found is None else {one.venue: one for one in found.shares}

    def _checked(self, value: Decimal | None) -> Checked:
        pairs = [(*name.partition("/"), rate) for name, rate in self.settings.rates.items()]
        return check(
            held(self.database.shelf.store, self.database.accounts()),
            DEFAULT_ASSETS.with_names(self.settings.assets),
            {(base, quote): rate for base, _, quote, rate in pairs},
            reporting=self.settings.reporting_currency,
            targets=self.settings.allocation,
            portfolio_value=value,
        )

    def _watched(self, account: AccountSettings) -> Account:
        return Account(
            self.database.shelf.ledger(account.account),
            lambda: linked(self.database, account, self._environment),
            policies(self.settings.corrections, account),
            stops_required(self.settings.corrections),
        )

    def _told(self, told: Watch) -> None:
        if told.trouble:
            self.last[told.account] = Reconciled(told.account, Status.FAILED, (told.trouble,))
        elif told.last is not None:
            self.last[told.account] = _outcome(told.last)

    async def _show(self, news: asyncio.Event) -> None:
        """Show what is told in the tables, beside the loop: others go on."""
        while await news.wait():
            news.clear()
            await asyncio.to_thread(self.database.changed)

    def _now(self) -> str:
        return format_time(self.database.shelf.now())


def _outcome(run: Run) -> Reconciled:
    found = run.comparison
    words = tuple(f"{one.subject}: {one.direction}" for one in found.differences)
    return Reconciled(found.account, found.status, words, run.pulled.booked)


def _shown(share: Share) -> dict[str, Any]:
    return {
        "target": float(share.target),
        "actual": None if share.actual is None else float(share.actual),
        "drift": None if share.drift is None else float(share.drift),
        "within_tolerance": share.within_tolerance,
    }
