"""``BrokerPositionReconciler``: what a program believes that it holds, compared with its broker and the ledger."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from itertools import count
from random import Random
from types import TracebackType
from typing import Any, Self

import msgspec

from trueup.doors.broker_positions import (
    BrokerPosition,
    InternalPosition,
    PositionDifference,
    apart,
    internal,
    stated,
)
from trueup.doors.exact import Number
from trueup.doors.features import FeaturesChecked, check_features, truth_of
from trueup.doors.linking import linked, looked_twice
from trueup.doors.oanda_client import OandaV20Client
from trueup.doors.terms import known_terms
from trueup.doors.trading_database import Database, opened
from trueup.engine.reconciling_live import Reconciler, Run, Trigger
from trueup.model.differences import Kind, Severity, Status, VenueSnapshot
from trueup.model.errors import BadInput
from trueup.model.events import Compared
from trueup.model.identifiers import AccountId
from trueup.model.numbers import quotient
from trueup.model.positions import Position
from trueup.model.times import NS_PER_SECOND, format_time
from trueup.ports import LiveVenue
from trueup.reconcile.findings import worst

STARTUP = "startup"
PERIODIC = "periodic"


class BrokerReconciliation(msgspec.Struct, frozen=True):
    """What reconciling one instrument found. True when program, ledger and broker agree.

    Attributes:
        event_type: Why it was done, such as ``post_buy``.
        status: FAILED where the broker could not be asked: unknown, not flat.
        severity: Of the worst difference; None without any.
        internal: As the program believes; at a start, as the ledger has it.
        broker: None is flat, or unknown where it FAILED.
        corrected: What was booked into the ledger to put it right, in sentences.
        attempts: How often the broker was asked.
    """

    instrument: str
    event_type: str
    timestamp: str
    status: Status
    severity: Severity | None
    internal: InternalPosition | None
    broker: BrokerPosition | None
    differences: tuple[PositionDifference, ...]
    corrected: tuple[str, ...]
    attempts: int

    def __bool__(self) -> bool:
        """Whether everything agrees."""
        return self.status is Status.SYNCED


class BrokerPositionReconciler:
    """Reconciles a program's positions with its broker: at the start, after trades, and every so often.

    What was found stays in the ledger, so that the next start of the program knows it.

    Args:
        broker_api: A connection to the broker, or an :class:`trueup.doors.oanda_client.OandaV20Client`.
        account_id: The broker's number of the account, or the ledger's name.
        instruments: Those that the program trades, by our symbols or the broker's.
        reconciliation_interval_seconds: Between two checks of :meth:`run`.
        database: Where the ledger is; what ``DB_PATH`` names where it is left out, else in memory alone.
        attempts_max: How often a broker is asked that does not answer.
        backoff_first_s, backoff_max_s: The pause after the first attempt, doubled up to the longest.

    Raises:
        BadInput: The connection is to another account.
        DirectoryLocked: Another process has the database open.
    """

    def __init__(
        self,
        broker_api: LiveVenue | OandaV20Client,
        account_id: str,
        instruments: Sequence[str],
        reconciliation_interval_seconds: float = 300,
        *,
        database: Database = None,
        attempts_max: int = 5,
        backoff_first_s: float = 1.0,
        backoff_max_s: float = 60.0,
    ) -> None:
        self._broker = broker_api
        self.instruments = tuple(instruments)
        self.reconciliation_interval_seconds = reconciliation_interval_seconds
        if isinstance(broker_api, OandaV20Client):
            self.account: AccountId = broker_api.settings(account_id).account
        else:
            self.account = broker_api.account
            known = {self.account, self.account.partition(":")[2], broker_api.learnt.get("account_id")}
            if account_id not in known:
                remedy = "Connect to the account that is meant."
                raise BadInput("account_id", account_id, f"the connection is to {self.account}", remedy=remedy)
        self._account_id = account_id
        self._attempts_max = attempts_max
        self._backoff = backoff_first_s, backoff_max_s
        self._random = Random()  # noqa: S311 - spreads attempts in time
        self._counts: Counter[str] = Counter()
        self._turn = asyncio.Lock()
        self.database, self._owns = opened(database)

    # --- reconciling --------------------------------------------------------------------------------------------------

    async def startup_reconciliation(self) -> dict[str, BrokerReconciliation]:
        """Book what happened while the program was away, and compare the ledger with the broker, by instrument.

        Raises:
            AuthenticationFailed: The broker does not take the key.
            BadInput: An instrument that the broker does not trade.
        """
        return await self._all(STARTUP, "start")

    async def perform_reconciliation(
        self, instrument: str, current_internal_position: InternalPosition | None, event_type: str = "manual"
    ) -> BrokerReconciliation:
        """Compare what the program believes that it holds in one instrument with the broker and the ledger.

        Args:
            instrument: By our symbol or the broker's.
            current_internal_position: None when it believes that it is flat.
            event_type: Why now, such as ``post_buy``.

        Raises:
            AuthenticationFailed: The broker does not take the key.
            BadInput: An instrument that the broker does not trade, or a position in another one.
        """
        ours = current_internal_position
        if ours is not None and self._symbol(ours.instrument) != self._symbol(instrument):
            remedy = "Give the position in the instrument that is reconciled."
            raise BadInput("current_internal_position", ours.instrument, f"not {instrument}", remedy=remedy)
        run, attempts = await self._run("trade")
        return self._told(run, instrument, ours, event_type, attempts)

    async def run(self, stop: asyncio.Event) -> None:
        """Reconcile at the start and every interval until told to stop. A broker that is away is asked again then.

        Raises:
            AuthenticationFailed: The broker does not take the key.
            JournalFailed: The disk refused.
        """
        await self.startup_reconciliation()
        while not stop.is_set():
            try:
                async with asyncio.timeout(self.reconciliation_interval_seconds):
                    await stop.wait()
            except TimeoutError:
                await self._all(PERIODIC, "periodic")

    async def validate_features(
        self,
        instrument: str,
        features: Mapping[str, Any],
        *,
        pnl_tolerance: Number = 1,
        seconds_tolerance: Number = 60,
    ) -> FeaturesChecked | None:
        """Hold the position features that a model is fed against the broker; None where it could not be asked.

        Args:
            instrument: By our symbol or the broker's.
            features: ``size``, ``direction``, ``entry_price``, ``unrealized_pnl``, ``time_in_position`` in seconds.
            pnl_tolerance: How far the profit may lie apart, in the currency that the broker states it in.
            seconds_tolerance: How far the time may lie apart.

        Raises:
            BadInput: A feature that is not one, or no finite number.
            AuthenticationFailed: The broker does not take the key.
        """
        run, _ = await self._run("demand")
        if _unknown(run.snapshot):
            return None
        symbol = self._symbol(instrument, run.snapshot)
        there = _at_broker(run, symbol, None)
        held = self._held(symbol)
        began = None if held is None else held.opened_at
        seconds = None if began is None else quotient(Decimal(run.began_at - began), Decimal(NS_PER_SECOND))
        return check_features(
            symbol,
            features,
            truth_of(there, seconds),
            pnl_tolerance=pnl_tolerance,
            seconds_tolerance=seconds_tolerance,
        )

    # --- what is known ------------------------------------------------------------------------------------------------

    def get_statistics(self) -> dict[str, Any]:
        """How often an instrument was reconciled by this process, and what the ledger knows of all of them.

        Returns:
            ``total``, ``successful`` (the broker could be asked), ``failed``, ``synced``, ``differing``, ``corrected``,
            ``retries``; ``success_rate``, a fraction, None before the first; ``open_breaks`` and ``last_status`` of
            the ledger, whoever found them.
        """
        counts, total = self._counts, self._counts["total"]
        breaks = self.database.shelf.ledger(self.account).read(lambda book: book.breaks)
        standing = [record for record in list(breaks.records.values()) if not record.ended]
        names = ("total", "successful", "failed", "synced", "differing", "corrected", "retries")
        return {
            **{name: counts[name] for name in names},
            "success_rate": counts["successful"] / total if total else None,
            "open_breaks": len(standing),
            "last_status": None if breaks.outcome is None else breaks.outcome.status,
        }

    def get_history(self) -> list[Compared]:
        """Every outcome on record that was another one than before it, of all sessions, oldest first."""
        return [event for _, event in self.database.shelf.ledger(self.account).events() if isinstance(event, Compared)]

    def close(self) -> None:
        """Let go of the store, if this reconciler opened it. A connection that was given stays open."""
        if self._owns:
            self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- beneath ------------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _linked(self) -> AsyncIterator[LiveVenue]:
        if not isinstance(self._broker, OandaV20Client):
            yield self._broker
            return
        settings = self._broker.settings(self._account_id)
        async with linked(self.database, settings, self._broker.environment) as venue:
            yield venue

    async def _run(self, trigger: Trigger) -> tuple[Run, int]:
        """Reconcile the account, again and again while the broker cannot be asked; and how often it was."""
        pause, longest = self._backoff
        async with self._turn:
            for attempt in count(1):
                async with self._linked() as venue:
                    ledger = self.database.shelf.ledger(self.account)
                    run = await looked_twice(Reconciler(self.database.shelf.store, ledger, venue), trigger)
                if not _unknown(run.snapshot) or attempt >= self._attempts_max:
                    await asyncio.to_thread(self.database.changed)
                    return run, attempt
                self._counts["retries"] += 1
                await asyncio.sleep(pause * self._random.uniform(0.5, 1.0))
                pause = min(2 * pause, longest)
        raise AssertionError("the attempts never end")  # pragma: no cover - they do, above

    async def _all(self, event_type: str, trigger: Trigger) -> dict[str, BrokerReconciliation]:
        run, attempts = await self._run(trigger)
        found = {}
        for instrument in self.instruments:
            held = self._held(self._symbol(instrument, run.snapshot))
            ours = None if held is None else _internal(held)
            found[instrument] = self._told(run, instrument, ours, event_type, attempts)
        return found

    def _told(
        self, run: Run, instrument: str, ours: InternalPosition | None, event_type: str, attempts: int
    ) -> BrokerReconciliation:
        symbol = self._symbol(instrument, run.snapshot)
        unknown = _unknown(run.snapshot)
        there = None if unknown else _at_broker(run, symbol, ours)
        between = [
            (one.status, PositionDifference(one.kind, one.severity, f"ledger: {one.direction}"))
            for one in run.comparison.differences
            if one.subject.rpartition(" ")[0] == symbol and one.status is not Status.SYNCED
        ]
        if unknown:
            words = "; ".join(run.snapshot.failed.values()) or "it said nothing of positions"
            between = [(Status.FAILED, PositionDifference(Kind.STALE_SOURCE, Severity.HIGH, words))]
        else:
            between += [(Status.DRIFT, one) for one in apart(ours, there)]
        told = BrokerReconciliation(
            symbol,
            event_type,
            format_time(run.began_at),
            worst([status for status, _ in between]),
            max((one.severity for _, one in between), default=None),
            ours,
            there,
            tuple(one for _, one in between),
            tuple(f"{', '.join(one.entries)} ({one.cause})" for one in run.corrected if one.subject.startswith(symbol)),
            attempts,
        )
        self._count(told)
        return told

    def _count(self, told: BrokerReconciliation) -> None:
        failed = told.status is Status.FAILED
        self._counts.update(["total", "failed" if failed else "successful"])
        if not failed:
            self._counts["synced" if told else "differing"] += 1
        self._counts["corrected"] += len(told.corrected)

    def _symbol(self, instrument: str, answered: VenueSnapshot | None = None) -> str:
        """Our name of an instrument. Raises :class:`BadInput` where the broker has answered and does not trade it."""
        ledger = self.database.shelf.ledger(self.account)
        terms = ledger.read(lambda book: known_terms(book, instrument))
        if terms is None and answered is not None and not _unknown(answered):
            raise BadInput("instrument", instrument, "the broker does not trade it", remedy="Name it as it is there.")
        return instrument if terms is None else terms.symbol

    def _held(self, symbol: str) -> Position | None:
        """The position of the ledger; None when it is flat."""
        held = self.database.shelf.ledger(self.account).read(
            lambda book: [book.position(symbol, side) for side in ("net", "long", "short")]
        )
        return next((position for position in held if position is not None and position.quantity), None)


def _internal(held: Position) -> InternalPosition:
    return internal(held.instrument.symbol, held.quantity, held.entry_price, held.opened_at)


def _unknown(snapshot: VenueSnapshot) -> bool:
    """Whether what the broker holds is not known: it said nothing of positions, or not all that it was asked."""
    return snapshot.positions is None or not snapshot.failed.keys().isdisjoint(("positions", "venue"))


def _at_broker(run: Run, symbol: str, ours: InternalPosition | None) -> BrokerPosition | None:
    """What the broker holds in an instrument; of both sides that it may hold, the one that the program means."""
    rows = [row for (name, _), row in (run.snapshot.positions or {}).items() if name == symbol and row.quantity]
    found = [stated(row, run.began_at) for row in rows]
    meant = [one for one in found if ours is not None and one.side == ours.side]
    return next(iter([*meant, *found]), None)
