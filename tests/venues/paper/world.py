"""A small paper world for tests: a clock moved by hand, an exchange, and listeners that remember."""

from collections.abc import Mapping
from decimal import Decimal
from random import Random

from trueup.model.events import Fact, FillBooked
from trueup.model.identifiers import AccountId, Side
from trueup.model.orders import OrderRequest
from trueup.model.times import NS_PER_MS
from trueup.venues.paper.exchange import PaperExchange
from trueup.venues.paper.faults import NO_FAULTS, AnyFault, FaultPlan
from trueup.venues.paper.markets import usual_markets

MAIN = AccountId("paper:main")
OTHER = AccountId("paper:other")
BTC, ETH, XBT, SOL = "BTC/USDC:USDC", "ETH/USDC:USDC", "BTC/USD:BTC", "SOL/USDC"
BEGAN = 1_800_000_000_000_000_000
DEPOSITS = {"USDC": Decimal(100_000), "BTC": Decimal(2)}


class HandClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.time = BEGAN

    def now(self) -> int:
        return self.time

    def monotonic(self) -> float:
        return (self.time - BEGAN) / 1e9

    def pass_ms(self, milliseconds: int) -> None:
        self.time += milliseconds * NS_PER_MS


class Ear:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.errors: list[Exception] = []

    def put(self, fact: Fact) -> None:
        self.facts.append(fact)

    def fail(self, error: Exception) -> None:
        self.errors.append(error)

    @property
    def fills(self) -> list[str]:
        return [fact.venue_trade_id for fact in self.facts if isinstance(fact, FillBooked)]


class World:
    """An exchange with the usual markets, two accounts, and an ear on the first."""

    def __init__(self, *faults: AnyFault, seed: int = 1, deposits: Mapping[str, Decimal] = DEPOSITS) -> None:
        self.clock = HandClock()
        plan = FaultPlan(faults) if faults else NO_FAULTS
        self.exchange = PaperExchange(usual_markets(), clock=self.clock, random=Random(seed), plan=plan)
        self.exchange.open_account(MAIN, deposits)
        self.exchange.open_account(OTHER, deposits)
        self.ear = Ear()
        self.exchange.subscribe(MAIN, self.ear)

    def step(self, milliseconds: int = 100) -> None:
        self.clock.pass_ms(milliseconds)
        self.exchange.advance()

    def facts(self, account: AccountId = MAIN) -> list[Fact]:
        return list(self.exchange.history(account, None, limit=1_000_000)[0])

    def fills(self, account: AccountId = MAIN) -> list[FillBooked]:
        return [fact for fact in self.facts(account) if isinstance(fact, FillBooked)]

    def trade(self, quantity: str, instrument: str = BTC) -> None:
        """A market order by hand: positive buys, negative sells."""
        signed = Decimal(quantity)
        side: Side = "buy" if signed > 0 else "sell"
        self.exchange.trade_by_hand(MAIN, instrument, side, abs(signed))


def market_order(side: Side, quantity: str, client_order_id: str = "", instrument: str = BTC) -> OrderRequest:
    return OrderRequest(instrument, side, Decimal(quantity), client_order_id)


def limit_order(
    side: Side,
    quantity: str,
    price: str,
    client_order_id: str = "",
    instrument: str = BTC,
    *,
    reduce_only: bool = False,
) -> OrderRequest:
    return OrderRequest(
        instrument, side, Decimal(quantity), client_order_id, "limit", Decimal(price), reduce_only=reduce_only
    )


def stop_order(
    side: Side, quantity: str, trigger: str, instrument: str = BTC, *, reduce_only: bool = True
) -> OrderRequest:
    return OrderRequest(
        instrument, side, Decimal(quantity), "", "stop", trigger_price=Decimal(trigger), reduce_only=reduce_only
    )
