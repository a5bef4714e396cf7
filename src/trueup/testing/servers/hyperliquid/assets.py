"""Markets by the venue's names and numbers: asset ids, precision, ``meta`` and ``spotMeta``.

Of the exchange's markets those are traded here that the venue could have: linear perpetuals without a wallet of their
own (the main dex), those whose wallet names a builder dex, and spot pairs of the ``spot`` wallet against USDC.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import msgspec

from trueup.model.errors import BadInput
from trueup.testing.servers.hyperliquid.notation import transaction
from trueup.venues.paper.markets import Market

USDC = "USDC"
SPOT = "spot"

SPOT_IDS = 10_000
DEX_IDS = 100_000
IDS_PER_DEX = 10_000

FIGURES_MAX = 5
_PERP_PLACES = 6
_SPOT_PLACES = 8

Row = dict[str, object]


class Asset(msgspec.Struct, frozen=True):
    """A market as the venue knows it.

    Attributes:
        number: Its id in orders.
        index: Its place in its universe.
        places: Decimals of a size.
    """

    number: int
    index: int
    places: int
    market: Market

    @property
    def coin(self) -> str:
        """The venue's name."""
        return self.market.instrument.native_symbol

    @property
    def wallet(self) -> str:
        """The builder dex, ``spot``, or empty for the main dex."""
        return self.market.instrument.wallet

    def takes_price(self, price: Decimal) -> bool:
        """Whether a price is fine enough and not too fine: five figures, or whole; so many decimals."""
        shape = price.normalize()
        decimals = max(-int(shape.as_tuple().exponent), 0)
        figures = len(shape.as_tuple().digits)
        finest = (_SPOT_PLACES if self.market.spot else _PERP_PLACES) - self.places
        return not decimals or (figures <= FIGURES_MAX and decimals <= finest)

    def takes_size(self, size: Decimal) -> bool:
        """Whether a size has no more decimals than the market allows."""
        return max(-int(size.normalize().as_tuple().exponent), 0) <= self.places


class Assets:
    """Every market that is traded here.

    Attributes:
        by_number, by_symbol, by_coin: The same markets, by asset id, by canonical symbol and by the venue's name.
        dexes: Names of the perpetual dexes; the main one, which is first, is empty.
        tokens: Indices of the spot tokens by name.
    """

    def __init__(self, markets: Iterable[Market]) -> None:
        listed = [market for market in markets if market.instrument.kind in {"linear", "spot"}]
        wallets = dict.fromkeys(m.instrument.wallet for m in listed if not m.spot)
        self.dexes: Sequence[str] = ("", *(wallet for wallet in wallets if wallet))
        spots = [market for market in listed if market.instrument.wallet == SPOT]
        self.tokens: Mapping[str, int] = {
            name: index for index, name in enumerate(dict.fromkeys([USDC, *(m.instrument.base for m in spots)]))
        }
        assets = [_spot(index, market) for index, market in enumerate(spots)]
        for place, dex in enumerate(self.dexes):
            first = DEX_IDS + place * IDS_PER_DEX if place else 0
            own = [market for market in listed if not market.spot and market.instrument.wallet == dex]
            assets += [Asset(first + index, index, _places(m), m) for index, m in enumerate(own)]
        self.by_number = {asset.number: asset for asset in assets}
        self.by_symbol = {asset.market.symbol: asset for asset in assets}
        self.by_coin = {asset.coin: asset for asset in assets}

    def perpetuals(self, dex: str) -> Sequence[Asset]:
        """The perpetuals of a dex."""
        return [asset for asset in self.by_number.values() if not asset.market.spot and asset.wallet == dex]

    @property
    def spots(self) -> Sequence[Asset]:
        """The spot pairs."""
        return [asset for asset in self.by_number.values() if asset.market.spot]

    def meta(self, dex: str) -> Row:
        """The answer to ``meta``."""
        leverages = sorted({_leverage(asset) for asset in self.perpetuals(dex)})
        tables = [
            [most, {"description": "", "marginTiers": [{"lowerBound": "0.0", "maxLeverage": most}]}]
            for most in leverages
        ]
        universe = [
            {
                "szDecimals": asset.places,
                "name": asset.coin,
                "maxLeverage": _leverage(asset),
                "marginTableId": _leverage(asset),
            }
            for asset in self.perpetuals(dex)
        ]
        return {"universe": universe, "marginTables": tables, "collateralToken": self.tokens[USDC]}

    def spot_meta(self) -> Row:
        """The answer to ``spotMeta``."""
        places = {asset.market.instrument.base: asset.places for asset in self.spots}
        tokens = [
            {
                "name": name,
                "szDecimals": places.get(name, _SPOT_PLACES),
                "weiDecimals": _SPOT_PLACES,
                "index": index,
                "tokenId": transaction("token", name)[:34],
                "isCanonical": True,
                "evmContract": None,
                "fullName": None,
                "deployerTradingFeeShare": "0.0",
            }
            for name, index in self.tokens.items()
        ]
        universe = [
            {
                "tokens": [self.tokens[asset.market.instrument.base], self.tokens[USDC]],
                "name": asset.coin,
                "index": asset.index,
                "isCanonical": not asset.coin.startswith("@"),
            }
            for asset in self.spots
        ]
        return {"universe": universe, "tokens": tokens}


def _spot(place: int, market: Market) -> Asset:
    """A pair ``@107`` says its own index; a named one has its place in the list."""
    coin = market.instrument.native_symbol
    index = int(coin[1:]) if coin.startswith("@") else place
    return Asset(SPOT_IDS + index, index, _places(market), market)


def _places(market: Market) -> int:
    step = market.step.normalize()
    if step.as_tuple().digits != (1,) or step > 1:
        raise BadInput(
            "quantity_step",
            market.step,
            f"{market.symbol}: not a power of ten below one",
            remedy="The venue states a number of decimals; give the market such a step.",
        )
    return -int(step.as_tuple().exponent)


def _leverage(asset: Asset) -> int:
    return int(asset.market.instrument.max_leverage or 1)
