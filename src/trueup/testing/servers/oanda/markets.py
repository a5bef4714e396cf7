"""The exchange's markets as OANDA names and prices them, and what a quote currency is worth at home."""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from trueup.model.errors import BadInput
from trueup.model.numbers import ONE, quotient
from trueup.testing.servers.oanda import wire
from trueup.testing.servers.oanda.wire import Row
from trueup.venues.paper.exchange import PaperExchange
from trueup.venues.paper.markets import Market

UNITS_MAX = Decimal(100_000_000)
"""The largest order of any instrument."""

_METALS = frozenset({"XAU", "XAG", "XPT", "XPD"})
_CODE_LENGTH = 3


class Quoted(msgspec.Struct, frozen=True):
    """A market and its price now.

    Attributes:
        mid: Between the best bid and the best ask.
    """

    market: Market
    mid: Decimal

    @property
    def name(self) -> str:
        """The venue's, such as ``EUR_USD``."""
        return self.market.instrument.native_symbol

    @property
    def precision(self) -> int:
        """Digits of a price behind the point."""
        return -int(self.market.tick.adjusted())

    @property
    def bid(self) -> Decimal:
        """What a seller gets."""
        return self.mid - self.market.level

    @property
    def ask(self) -> Decimal:
        """What a buyer pays."""
        return self.mid + self.market.level

    def closing(self, *, long: bool) -> Decimal:
        """At what a position would be closed."""
        return self.bid if long else self.ask

    def shown(self, price: Decimal) -> str:
        """A price as it is written."""
        return wire.price(price, self.precision)


class Markets:
    """Every market of the exchange, by the venue's name.

    Raises:
        BadInput: One that OANDA could not have, such as a perpetual future of another name.
    """

    def __init__(self, exchange: PaperExchange, home: str) -> None:
        self.home = home
        self._exchange = exchange
        self._names = {market.instrument.native_symbol: symbol for symbol, market in exchange.markets.items()}
        for market in exchange.markets.values():
            _check(market)
            self.home_factor(market.instrument.quote)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __getitem__(self, name: str) -> Quoted:
        return self.of(self._names[name])

    def of(self, symbol: str) -> Quoted:
        """A market by the exchange's symbol."""
        return Quoted(self._exchange.markets[symbol], self._exchange.prices[symbol])

    def home_factor(self, currency: str) -> Decimal:
        """What one unit of a currency is worth in the home currency, at the middle of the market between them.

        Raises:
            BadInput: No market says.
        """
        if currency == self.home:
            return ONE
        if f"{currency}_{self.home}" in self:
            return self[f"{currency}_{self.home}"].mid
        if f"{self.home}_{currency}" in self:
            return quotient(ONE, self[f"{self.home}_{currency}"].mid)
        raise BadInput(
            "home_currency", self.home, f"no market tells what {currency} is worth", remedy=f"Add {currency}'s market."
        )

    def row(self, name: str) -> Row:
        """The instrument as the venue describes it."""
        quoted = self[name]
        instrument, base = quoted.market.instrument, quoted.market.instrument.base
        kind = "METAL" if base in _METALS else "CURRENCY" if len(base) == _CODE_LENGTH else "CFD"
        distance = quoted.market.tick
        return {
            "name": name,
            "type": kind,
            "displayName": f"{base}/{instrument.quote}",
            "pipLocation": 1 - quoted.precision,
            "displayPrecision": quoted.precision,
            "tradeUnitsPrecision": -int(quoted.market.step.adjusted()),
            "minimumTradeSize": wire.units(quoted.market.step),
            "maximumTrailingStopDistance": quoted.shown(distance * 100_000),
            "minimumTrailingStopDistance": quoted.shown(distance * 50),
            "maximumPositionSize": "0",
            "maximumOrderUnits": wire.units(UNITS_MAX),
            "marginRate": wire.units(quoted.market.initial_margin),
            "tags": [{"type": "ASSET_CLASS", "name": kind}],
        }

    def price_row(self, name: str, now: int, *, tradeable: bool) -> Row:
        """The price as the venue quotes it."""
        quoted = self[name]
        liquidity = int(quoted.market.depth)
        rate = wire.factor(self.home_factor(quoted.market.instrument.quote))
        return {
            "type": "PRICE",
            "time": wire.stamp(now),
            "bids": [{"price": quoted.shown(quoted.bid), "liquidity": liquidity}],
            "asks": [{"price": quoted.shown(quoted.ask), "liquidity": liquidity}],
            "closeoutBid": quoted.shown(quoted.bid),
            "closeoutAsk": quoted.shown(quoted.ask),
            "status": "tradeable" if tradeable else "non-tradeable",
            "tradeable": tradeable,
            "quoteHomeConversionFactors": {"positiveUnits": rate, "negativeUnits": rate},
            "instrument": name,
        }


def _check(market: Market) -> None:
    instrument = market.instrument
    shape = (instrument.native_symbol, instrument.kind, instrument.settle, instrument.contract_size, instrument.wallet)
    if shape != (f"{instrument.base}_{instrument.quote}", "linear", instrument.quote, ONE, ""):
        raise BadInput(
            "markets",
            instrument.symbol,
            "OANDA trades linear contracts of one unit, settled in the quote currency, such as EUR_USD",
            remedy="Serve an exchange of such markets.",
        )
    for field, step in (("price_tick", market.tick), ("quantity_step", market.step)):
        if step != ONE.scaleb(step.adjusted()) or step > ONE:
            raise BadInput(field, step, "OANDA counts in decimal places", remedy="Use 1, 0.1, 0.01, and so on.")
