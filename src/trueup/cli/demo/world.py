"""The world of the demo: two venues with an account each, three instruments, and the plan of what strikes when.

Both processes know it, so that only ports, seeds and times have to be told. Everything random comes from the seed.
"""

from collections.abc import Mapping
from decimal import Decimal
from random import Random

import msgspec

from trueup.model.identifiers import AccountId, Side
from trueup.ports import Clock
from trueup.venues.paper import faults as f
from trueup.venues.paper.exchange import PaperExchange
from trueup.venues.paper.markets import usual_markets

NORTH, SOUTH = AccountId("paper:north"), AccountId("paper:south")

DEPOSITS: Mapping[AccountId, Mapping[str, Decimal]] = {
    NORTH: {"USDC": Decimal(100_000), "SOL": Decimal(300)},
    SOUTH: {"BTC": Decimal("0.1")},  # little enough that a gap of the price ruins it
}

FUNDING_INTERVAL_MS = 4_000
"""Hours are too long for a demo."""


class Desk(msgspec.Struct, frozen=True):
    """What one strategy trades, and how much of it.

    Attributes:
        lot: Orders are 1 to ``lots_max`` of it.
        most: Largest position of the strategy, either way.
        tick: Price step.
    """

    account: AccountId
    instrument: str
    strategy: str
    lot: Decimal
    lots_max: int
    most: Decimal
    tick: Decimal


DESKS = (
    Desk(NORTH, "BTC/USDC:USDC", "swing", Decimal("0.01"), 5, Decimal("0.3"), Decimal("0.5")),
    Desk(NORTH, "SOL/USDC", "basket", Decimal(5), 12, Decimal(150), Decimal("0.01")),
    Desk(SOUTH, "BTC/USD:BTC", "carry", Decimal(500), 6, Decimal(25_000), Decimal("0.5")),
)
"""A linear perpetual and spot at one venue, an inverse perpetual at the other."""


class ByHand(msgspec.Struct, frozen=True):
    """A trade that somebody makes past the book."""

    account: AccountId
    instrument: str
    side: Side
    quantity: Decimal


class Plan(msgspec.Struct, frozen=True):
    """What goes wrong.

    Attributes:
        faults: By account; struck by the venues.
        kills_ms: When the book's process is killed, at the first write after that time.
        while_dead: A trade by hand for each kill, made while there is no book to see it.
    """

    faults: Mapping[AccountId, f.FaultPlan]
    kills_ms: tuple[int, ...]
    while_dead: tuple[ByHand, ...]


def make_plan(random: Random, seconds: float) -> Plan:
    """Spread the faults over a run, each somewhere in a slot of its own."""

    def at(slot: float) -> int:
        return round(1_000 * seconds * (slot + random.uniform(-0.03, 0.03)))

    def by_hand() -> ByHand:
        side: Side = random.choice(("buy", "sell"))
        return ByHand(NORTH, "BTC/USDC:USDC", side, Decimal(random.randint(1, 9)) / 1_000)

    foreign = by_hand()
    north = (
        f.Drop(account=NORTH, at_ms=at(0.10)),
        f.TimeOut(account=NORTH, at_ms=at(0.26), placed=True),
        f.ForeignTrade(
            account=NORTH,
            at_ms=at(0.48),
            instrument=foreign.instrument,
            side=foreign.side,
            quantity=foreign.quantity,
        ),
        f.Outage(account=NORTH, at_ms=at(0.68), for_ms=700),
    )
    south = (
        f.Duplicate(account=SOUTH, at_ms=at(0.18)),
        f.Liquidation(account=SOUTH, at_ms=at(0.58), instrument="BTC/USD:BTC"),
        f.Drop(account=SOUTH, at_ms=at(0.88)),
    )
    return Plan(
        {NORTH: f.FaultPlan(north), SOUTH: f.FaultPlan(south)},
        (at(0.36), at(0.78)),
        (by_hand(), by_hand()),
    )


def open_venues(plan: Plan, random: Random, clock: Clock) -> dict[AccountId, PaperExchange]:
    """The exchange of each account, with its money paid in."""
    markets = usual_markets()
    traded = {account: {desk.instrument for desk in DESKS if desk.account == account} for account in DEPOSITS}
    exchanges = {
        account: PaperExchange(
            [market for market in markets if market.symbol in traded[account]],
            clock=clock,
            random=Random(random.random()),
            plan=plan.faults[account],
            funding_interval_ms=FUNDING_INTERVAL_MS,
        )
        for account in DEPOSITS
    }
    for account, deposits in DEPOSITS.items():
        exchanges[account].open_account(account, deposits)
    return exchanges
