"""What is traded on paper: an instrument, its fees, depth and temper; worth, fee and margin of a quantity."""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from trueup.model.errors import BadInput
from trueup.model.instruments import Instrument, wallet_currency
from trueup.model.numbers import ONE, ZERO, quotient

HALF = Decimal("0.5")
"""Maintenance margin as a part of the initial margin."""


class Market(msgspec.Struct, frozen=True):
    """An instrument and how it trades here.

    Attributes:
        price: Where the walk begins, in quote.
        depth: Quantity offered at each price level, a multiple of the quantity step.
        ticks_apart: Between two price levels; the walk's stride.
        swing: The price moves by at most this many levels a step, up or down.
        maker_fee, taker_fee: Of the notional; a negative one is a rebate.
        fee_in_base: Spot buys pay their fee in the coins bought.
        funding_rate: Of the notional at every funding time; longs pay a positive one, and nobody pays where it is 0.
            Not for spot.
        follows: Symbol of another market whose price this one has, such as the same share in another margin product.
    """

    instrument: Instrument
    price: Decimal
    depth: Decimal
    ticks_apart: int = 1
    swing: int = 2
    maker_fee: Decimal = Decimal("0.0001")
    taker_fee: Decimal = Decimal("0.0005")
    fee_in_base: bool = False
    funding_rate: Decimal = Decimal("0.0001")
    follows: str = ""

    def __post_init__(self) -> None:
        """Refuse an instrument without tick and step: the walk and the matching count in them."""
        for field in ("price_tick", "quantity_step"):
            if getattr(self.instrument, field) is None:
                raise BadInput(field, None, "a paper market needs one", remedy=f"Give the instrument a {field}.")

    @property
    def symbol(self) -> str:
        """Canonical name."""
        return self.instrument.symbol

    @property
    def priced_by(self) -> str:
        """The market whose price it has; mostly itself."""
        return self.follows or self.symbol

    @property
    def spot(self) -> bool:
        """Whether the position is the balance."""
        return self.instrument.kind == "spot"

    @property
    def tick(self) -> Decimal:
        """Smallest price step."""
        return self.instrument.price_tick or ZERO

    @property
    def level(self) -> Decimal:
        """Between the prices at which quantity is offered."""
        return self.tick * self.ticks_apart

    @property
    def step(self) -> Decimal:
        """Smallest quantity step."""
        return self.instrument.quantity_step or ZERO

    @property
    def cash(self) -> str:
        """The balance that trades are paid from and P&L goes to."""
        return self.purse(self.instrument.settle)

    @property
    def coins(self) -> str:
        """The balance that spot trades fill."""
        return self.purse(self.instrument.base)

    @property
    def initial_margin(self) -> Decimal:
        """Margin to open, as a part of the notional; all of it where no leverage is stated."""
        return quotient(ONE, self.instrument.max_leverage or ONE)

    def purse(self, currency: str) -> str:
        """The balance of a currency in the wallet that the instrument pays from and into."""
        return wallet_currency(currency, self.instrument.wallet)

    def worth(self, quantity: Decimal, price: Decimal) -> Decimal:
        """Worth of a signed quantity in the settlement currency; for inverse rounded by ``quotient``."""
        contracts = quantity * self.instrument.contract_size
        return quotient(contracts, price) if self.instrument.kind == "inverse" else contracts * price

    def fee(self, quantity: Decimal, price: Decimal, *, buys: bool, maker: bool) -> tuple[Decimal, str]:
        """The fee of a trade (negative is a rebate) and its currency."""
        rate = self.maker_fee if maker else self.taker_fee
        if self.spot and self.fee_in_base and buys:
            return quantity * rate, self.instrument.base
        return self.worth(quantity, price) * rate, self.instrument.settle


def by_symbol(markets: Iterable[Market]) -> dict[str, Market]:
    """Markets by canonical symbol."""
    return {market.symbol: market for market in markets}


def usual_markets() -> tuple[Market, ...]:
    """Four to begin with: two linear perpetuals, an inverse one, and spot whose buys pay their fee in coins."""
    return (
        Market(
            Instrument(
                "BTC/USDC:USDC", "BTC-PERP", "linear", "BTC", "USDC", "USDC",
                price_tick=Decimal("0.5"), quantity_step=Decimal("0.001"), max_leverage=Decimal(50),
            ),
            price=Decimal(60_000), depth=Decimal("0.4"), swing=40,
        ),
        Market(
            Instrument(
                "ETH/USDC:USDC", "ETH-PERP", "linear", "ETH", "USDC", "USDC",
                price_tick=Decimal("0.05"), quantity_step=Decimal("0.01"), max_leverage=Decimal(25),
            ),
            price=Decimal(3_000), depth=Decimal(6), swing=30, maker_fee=Decimal("-0.00005"),
        ),
        Market(
            Instrument(
                "BTC/USD:BTC", "XBTUSD", "inverse", "BTC", "USD", "BTC",
                price_tick=Decimal("0.5"), quantity_step=Decimal(100), max_leverage=Decimal(100),
            ),
            price=Decimal(60_000), depth=Decimal(20_000), swing=40, maker_fee=Decimal(0),
        ),
        Market(
            Instrument(
                "SOL/USDC", "SOL-SPOT", "spot", "SOL", "USDC", "USDC",
                price_tick=Decimal("0.01"), quantity_step=Decimal("0.1"),
            ),
            price=Decimal(150), depth=Decimal(40), swing=8, fee_in_base=True,
        ),
    )  # fmt: skip
