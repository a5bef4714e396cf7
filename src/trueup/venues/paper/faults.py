"""What goes wrong, and when: a plan made beforehand, and the log of what has struck.

A fault strikes once: at the first chance it gets after ``nth`` such chances have been counted for its account and
``at_ms`` of exchange time have passed. A plan is plain data, so it can be kept in a file::

    [[faults]]
    kind = "drop"
    account = "paper:main"
    nth = 3
"""

import json
import tomllib
from decimal import Decimal
from random import Random
from typing import Literal, TypeVar

import msgspec

from trueup.model.errors import BadInput
from trueup.model.identifiers import AccountId, Side
from trueup.model.times import from_ms


class Fault(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", forbid_unknown_fields=True):
    """What all faults have in common.

    Attributes:
        nth: Not before the nth chance, counted from 1: fill reports, orders or snapshots asked for, whichever the
            fault strikes; faults that strike between requests count the account's fills.
        at_ms: Not before this much exchange time since the exchange began.
    """

    account: AccountId
    nth: int = 0
    at_ms: int = 0


class ReportFault(Fault, frozen=True):
    """Strikes a fill report that a connected stream would have received."""


class Drop(ReportFault, frozen=True, tag="drop"):
    """The report never arrives; the fill stands in the history."""


class Duplicate(ReportFault, frozen=True, tag="duplicate"):
    """The report arrives twice."""


class Delay(ReportFault, frozen=True, tag="delay"):
    """The report arrives at the first step after ``for_ms`` of exchange time."""

    for_ms: int


class Reorder(ReportFault, frozen=True, tag="reorder"):
    """The report arrives after the next fill report of the account."""


class TimeOut(Fault, frozen=True, tag="time_out"):
    """An order meets a time-out: :class:`OutcomeUnknown`, whether it was ``placed`` or not."""

    placed: bool


class SnapshotFault(Fault, frozen=True):
    """Strikes the answer to a request for the account's state."""


class StaleSnapshot(SnapshotFault, frozen=True, tag="stale_snapshot"):
    """The snapshot served before is served again, with its old cut; waits until there is one."""


class PartialSnapshot(SnapshotFault, frozen=True, tag="partial_snapshot"):
    """One part is None and named in ``failed``."""

    part: Literal["positions", "balances", "open_orders"]


class StepFault(Fault, frozen=True):
    """Strikes between requests, when the exchange takes a step."""


class Disconnect(StepFault, frozen=True, tag="disconnect"):
    """The account's streams end; what happens until they are opened again is reported to nobody."""


class Outage(StepFault, frozen=True, tag="outage"):
    """The account's streams end, and every request is refused as :class:`Unavailable`, for ``for_ms``."""

    for_ms: int


class ForeignTrade(StepFault, frozen=True, tag="foreign_trade"):
    """Somebody trades the account by hand: a market order without a client order id."""

    instrument: str
    side: Side
    quantity: Decimal


class Liquidation(StepFault, frozen=True, tag="liquidation"):
    """The price gaps to where the account's position is liquidated, and back; waits until some price does that."""

    instrument: str


AnyFault = (
    Drop
    | Duplicate
    | Delay
    | Reorder
    | TimeOut
    | StaleSnapshot
    | PartialSnapshot
    | Disconnect
    | Outage
    | ForeignTrade
    | Liquidation
)


class FaultPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that is to go wrong at one exchange."""

    faults: tuple[AnyFault, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "FaultPlan":
        """A plan from TOML, or from JSON where the text begins with a brace.

        Raises:
            BadInput: Not TOML or JSON, an unknown kind of fault, or one with a missing, unknown or ill-typed field.
        """
        try:
            data = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
            return msgspec.convert(data, cls)
        except ValueError as error:  # of which the three libraries' own errors are kinds
            raise BadInput(
                "faults", text, str(error), remedy="Mend the plan; trueup.venues.paper.faults lists kinds."
            ) from error

    @classmethod
    def one_of_each(cls, random: Random, account: AccountId, traded: ForeignTrade, *, within: int) -> "FaultPlan":
        """Every kind of fault once, each at a chance drawn from the first ``within``.

        ``traded`` is the trade by hand, and the liquidation strikes in its instrument.
        """

        def nth() -> int:
            return random.randint(1, within)

        return cls((
            Drop(account=account, nth=nth()),
            Duplicate(account=account, nth=nth()),
            Delay(account=account, nth=nth(), for_ms=500),
            Reorder(account=account, nth=nth()),
            TimeOut(account=account, nth=nth(), placed=True),
            TimeOut(account=account, nth=nth(), placed=False),
            StaleSnapshot(account=account, nth=nth()),
            PartialSnapshot(account=account, nth=nth(), part=random.choice(("positions", "balances", "open_orders"))),
            Disconnect(account=account, nth=nth()),
            Outage(account=account, nth=nth(), for_ms=500),
            msgspec.structs.replace(traded, account=account, nth=nth()),
            Liquidation(account=account, nth=nth(), instrument=traded.instrument),
        ))  # fmt: skip


NO_FAULTS = FaultPlan()


class Struck(msgspec.Struct, frozen=True):
    """A fault that struck.

    Attributes:
        time: Exchange time in nanoseconds.
        ids: What it concerned: venue trade ids; client and venue order ids; a snapshot's cut or part.
    """

    kind: str
    account: AccountId
    time: int
    ids: tuple[str, ...] = ()


F = TypeVar("F", bound=Fault)


class Faults:
    """The faults still to come, and the log of those that struck."""

    def __init__(self, plan: FaultPlan, began: int) -> None:
        self.struck: list[Struck] = []
        self._waiting: list[AnyFault] = list(plan.faults)
        self._began = began

    def due(self, sort: type[F], account: AccountId, seen: int, now: int) -> list[F]:
        """The faults of a sort whose time has come, in the plan's order."""
        return [
            fault
            for fault in self._waiting
            if isinstance(fault, sort)
            and fault.account == account
            and fault.nth <= seen
            and from_ms(fault.at_ms) <= now - self._began
        ]

    def strike(self, fault: Fault, now: int, *ids: str) -> None:
        """Log a fault; it strikes no more."""
        self._waiting = [other for other in self._waiting if other is not fault]
        self.struck.append(Struck(str(fault.__struct_config__.tag), fault.account, now, ids))
