"""A made-up account to measure with: perpetuals quoted in dollars, and a repeatable, endless stream of fills."""

import random
from collections.abc import Callable
from decimal import Decimal

from trueup.bootstrap import open_store
from trueup.engine.ledger import Ledger
from trueup.engine.store import Store
from trueup.journal.postgres.address import Place
from trueup.model.events import FillBooked, InstrumentDefined
from trueup.model.identifiers import AccountId
from trueup.model.instruments import Instrument

ACCOUNT = AccountId("paper:bench")
START = 1_700_000_000_000_000_000
MILLISECOND = 1_000_000

Draw = Callable[[int], list[FillBooked]]
"""Gives as many new fills as it is asked for."""


def perpetual(number: int) -> Instrument:
    """The terms of one contract."""
    coin = f"C{number:06d}"
    step = Decimal("0.001")
    return Instrument(f"{coin}/USDC:USDC", coin, "linear", coin, "USDC", "USDC", quantity_step=step)


def fills(instruments: int, strategies: int, seed: int = 7) -> Draw:
    """Draws the next fills: of every instrument by every strategy, buys and sells, a millisecond apart."""
    chance = random.Random(seed)
    symbols = [perpetual(number).symbol for number in range(instruments)]
    prices = [chance.randrange(1_000, 9_000_000) for _ in symbols]
    names = [f"strategy-{number}" for number in range(strategies)]
    made = 0

    def one() -> FillBooked:
        nonlocal made
        made += 1
        which = chance.randrange(instruments)
        prices[which] = price = max(100, prices[which] + chance.randrange(-50, 51))
        quantity = chance.randrange(1, 20_000)
        return FillBooked(
            account=ACCOUNT,
            instrument=symbols[which],
            position_side="net",
            side=chance.choice(("buy", "sell")),
            quantity=Decimal(quantity).scaleb(-3),
            price=Decimal(price).scaleb(-2),
            fee=Decimal(price * quantity // 3_500).scaleb(-5),
            fee_currency="USDC",
            venue_time=START + made * MILLISECOND,
            venue_trade_id=str(100_000_000_000_000 + made),
            venue_order_id=str(40_000_000_000 + made // 3),
            client_order_id=f"0x{made // 3:032x}",
            strategy=chance.choice(names),
            liquidity="taker",
            venue_sequence=made,
        )

    return lambda count: [one() for _ in range(count)]


def opened(where: Place, instruments: int) -> tuple[Store, Ledger]:
    """A new store with one ledger in which the contracts are defined, its views caught up."""
    store = open_store(where)
    ledger = store.ledger(ACCOUNT)
    ledger.book_facts([InstrumentDefined(ACCOUNT, perpetual(number)) for number in range(instruments)])
    store.synced(ACCOUNT)
    return store, ledger
