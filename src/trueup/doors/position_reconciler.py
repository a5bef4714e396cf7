"""``PositionReconciler``: memory, database and exchange compared, and put right as far as a policy allows."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import msgspec

from trueup.book.book import Book
from trueup.doors.exact import Number, number
from trueup.doors.linking import linked, looked_twice
from trueup.doors.settings import in_force
from trueup.doors.terms import known_terms
from trueup.doors.trading_database import Database, opened
from trueup.engine.reconciling_live import Reconciler, Run
from trueup.model.breaks import break_id
from trueup.model.differences import Side3, Status
from trueup.model.errors import BadInput, NotFound
from trueup.model.events import Restricted
from trueup.model.identifiers import AccountId
from trueup.model.times import NS_PER_MS, format_time
from trueup.ports import LiveVenue
from trueup.reconcile.following import break_key
from trueup.reconcile.policy import Mode, Policies, Policy
from trueup.reconcile.tolerance import Tolerance, Tolerances
from trueup.settings import AccountSettings

Correct = Literal["report", "facts", "adjust", "approve"]

_MODES = {"report": Mode.REPORT, "facts": Mode.BOOK_FACTS, "adjust": Mode.ADJUST_WITHIN, "approve": Mode.ADJUST_BEYOND}


class ReportedDifference(msgspec.Struct, frozen=True):
    """One difference.

    Attributes:
        break_id: As ``trueup breaks`` names it.
        memory, database, exchange: The three figures; None where that side has none, or did not say.
        causes: What it is put down to, in sentences.
    """

    subject: str
    break_id: str
    kind: str
    severity: str
    status: Status
    memory: str | None
    database: str | None
    exchange: str | None
    words: str
    causes: tuple[str, ...] = ()


class PositionReport(msgspec.Struct, frozen=True):
    """What one comparison of an account found, and what it booked.

    Attributes:
        rows: The three figures of everything compared.
        booked: Facts of the venue's history that the ledger lacked and now has.
        corrected: What was booked to put differences right, in sentences.
        not_corrected: What was not, and why.
        critical: Whether the account, or an instrument of it, may only reduce now.
        not_compared: What one side did not say.
    """

    account: AccountId
    timestamp: str
    took_ms: int
    status: Status
    compared: int
    rows: tuple[Side3, ...]
    differences: tuple[ReportedDifference, ...]
    booked: int
    corrected: tuple[str, ...]
    not_corrected: tuple[str, ...]
    critical: bool
    not_compared: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON would have it."""
        made: dict[str, Any] = msgspec.to_builtins(self)
        return made


class PositionReconciler:
    """Compares one account with its exchange, as often as it is asked.

    Args:
        venue: A connection, or the name of an account of the settings (``hyperliquid:main``); the only one there is
            where it is left out.
        database: Where the ledger is; what ``DB_PATH`` names where it is left out, else in memory alone.
        tolerances: How far quantities may lie apart, by instrument; nothing where it is not named.
        auto_correct: How far differences are put right unasked: ``report`` not at all, ``facts`` by the venue's own
            records, ``adjust`` also by adjustments up to ``adjust_up_to``, ``approve`` beyond that once two people
            approved. True is ``facts``, False is ``report``.
        adjust_up_to, adjust_per_day: What one adjustment, and all of a day, may be worth.
        critical_threshold: What all differences may be worth together before the account may only reduce; None for no
            bound.
        config: A file of settings; what ``TRUEUP_CONFIG`` names where it is left out.

    Raises:
        BadInput: A policy or account that is none.
        BadSettings, DirectoryLocked: As of the other doors.
    """

    def __init__(
        self,
        venue: LiveVenue | str | None = None,
        *,
        database: Database = None,
        tolerances: Mapping[str, Number] | None = None,
        auto_correct: Correct | bool = "facts",
        adjust_up_to: Number = 0,
        adjust_per_day: Number = 0,
        critical_threshold: Number | None = None,
        config: str | Path | None = None,
    ) -> None:
        self._venue = _account(venue, config) if venue is None or isinstance(venue, str) else venue
        self._tolerances = {name: number(value, "tolerances") for name, value in (tolerances or {}).items()}
        critical = {} if critical_threshold is None else {"": number(critical_threshold, "critical_threshold")}
        self._policies = Policies(
            default=Policy(_mode(auto_correct), number(adjust_up_to, "adjust_up_to")),
            adjusted_per_day=number(adjust_per_day, "adjust_per_day"),
            critical=critical,
        )
        self.last: PositionReport | None = None
        self.database, self._owns = opened(database or in_force(config).db_path)

    @property
    def account(self) -> AccountId:
        """Whose positions."""
        return self._venue.account

    async def reconcile(self) -> PositionReport:
        """Book what was missed, compare the three sides, and put right what the policy allows.

        An exchange that cannot be asked makes the report FAILED: unknown, not flat.

        Raises:
            AuthenticationFailed: The exchange does not take the key.
            BadInput: A secret cannot be had.
            JournalFailed: The disk refused.
        """
        ledger = self.database.shelf.ledger(self.account)
        async with self._linked() as venue:
            reconciler = Reconciler(
                self.database.shelf.store,
                ledger,
                venue,
                policies=self._policies,
                tolerances=Tolerances(by_instrument=ledger.read(self._by_instrument)),
            )
            run = await looked_twice(reconciler, "demand")
        await asyncio.to_thread(self.database.changed)
        self.last = report_of(run)
        return self.last

    def report(self) -> PositionReport:
        """The newest report. Raises :class:`NotFound` before the first."""
        if self.last is None:
            raise NotFound(f"{self.account} was not reconciled yet.", remedy="Await reconcile() first.")
        return self.last

    def close(self) -> None:
        """Let go of the store, if this reconciler opened it."""
        if self._owns:
            self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @asynccontextmanager
    async def _linked(self) -> AsyncIterator[LiveVenue]:
        if not isinstance(self._venue, AccountSettings):
            yield self._venue
            return
        async with linked(self.database, self._venue, os.environ) as venue:
            yield venue

    def _by_instrument(self, book: Book) -> Mapping[str, Tolerance]:
        """The tolerances by our names of the instruments; one that is not known yet goes by the name given."""
        terms = {name: known_terms(book, name) for name in self._tolerances}
        return {
            name if (known := terms[name]) is None else known.symbol: Tolerance(absolute=value)
            for name, value in self._tolerances.items()
        }


def report_of(run: Run) -> PositionReport:
    """What a run found and did, for a person."""
    compared = run.comparison
    return PositionReport(
        account=compared.account,
        timestamp=format_time(run.began_at),
        took_ms=run.took_ns // NS_PER_MS,
        status=compared.status,
        compared=compared.compared,
        rows=compared.rows,
        differences=tuple(
            ReportedDifference(
                found.subject,
                break_id(compared.account, break_key(found)),
                found.kind.value,
                found.severity.name,
                found.status,
                found.ours,
                found.database,
                found.theirs,
                found.direction,
                tuple(part.words for part in why.parts),
            )
            for found, why in ((one.found, one.why) for one in run.findings)
        ),
        booked=run.pulled.booked,
        corrected=tuple(f"{one.subject}: {', '.join(one.entries)} ({one.cause})" for one in run.corrected),
        not_corrected=tuple(f"{' '.join(held.record.key)}: {held.reason}" for held in run.plan.held),
        critical=_forbids(run.restriction),
        not_compared=compared.not_compared,
    )


def _forbids(found: Restricted | None) -> bool:
    return found is not None and bool(found.instruments or found.reduce_only or found.halted)


def _account(name: str | None, config: str | Path | None) -> AccountSettings:
    settings = in_force(config)
    if name is not None:
        return settings.account(name)
    if len(settings.accounts) != 1:
        known = ", ".join(settings.accounts) or "none"
        raise BadInput(
            "venue", None, "no one account is meant", remedy=f"Name one of the settings. There are: {known}."
        )
    (only,) = settings.accounts.values()
    return only


def _mode(given: Correct | bool) -> Mode:  # noqa: FBT001 - as people switch it on and off
    word = {True: "facts", False: "report"}.get(given, given) if isinstance(given, bool) else given
    if word not in _MODES:
        raise BadInput("auto_correct", given, "not a policy", remedy=f"Known are: {', '.join(_MODES)}.")
    return _MODES[word]
