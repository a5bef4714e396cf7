"""What coins and currencies are the same asset: an explicit, versioned table. Nothing is guessed from a name.

A wrapped, bridged or staked coin is another asset, and so is a stable coin that is not the currency it follows: each
can lose its parity, and a sum that hides this is wrong when it counts.
"""

from collections.abc import Mapping
from decimal import Decimal
from hashlib import blake2b
from types import MappingProxyType

import msgspec

from trueup.model.errors import BadInput
from trueup.model.numbers import ONE, ZERO


class Named(msgspec.Struct, frozen=True):
    """What one unit under a venue's name is: so many units of an asset."""

    asset: str
    units: Decimal = ONE


class AssetMap(msgspec.Struct, frozen=True):
    """Names of coins and currencies, and the assets they stand for.

    Attributes:
        version: Changes with every entry, so that a figure can say by which table it was made.
        names: By the name in an instrument or a balance, without its wallet.
    """

    version: str
    names: Mapping[str, Named]

    def of(self, name: str) -> Named | None:
        """The asset of a name; None where the table does not say, and then it must not be added to anything."""
        return self.names.get(name.partition("@")[0])

    def with_names(self, names: Mapping[str, Named]) -> "AssetMap":
        """The table with other entries, or more of them, under a version of its own.

        Raises:
            BadInput: A unit that is not a positive number of units.
        """
        for name, named in names.items():
            if not named.units > ZERO:
                raise BadInput(name, named.units, "not a positive number of units", remedy="kPEPE is 1000 of PEPE.")
        if not names:
            return self
        digest = blake2b(msgspec.json.encode(sorted(names.items())), digest_size=4).hexdigest()
        return AssetMap(f"{self.version}+{digest}", {**self.names, **names})


_THEMSELVES = (
    # currencies and metals
    *("USD", "EUR", "GBP", "JPY", "CHF", "AUD", "CAD", "NZD", "SEK", "NOK", "DKK", "SGD", "HKD", "INR", "CNH", "MXN"),
    *("ZAR", "TRY", "PLN", "CZK", "HUF", "THB", "XAU", "XAG", "XPT", "XPD"),
    # coins that follow a currency, each its own risk
    *("USDC", "USDT", "DAI", "USDE", "FDUSD", "PYUSD", "TUSD", "EURC"),
    # coins
    *("BTC", "ETH", "SOL", "XRP", "BNB", "DOGE", "ADA", "AVAX", "LINK", "DOT", "LTC", "BCH", "TRX", "ATOM", "NEAR"),
    *("APT", "ARB", "OP", "SUI", "TON", "HYPE", "UNI", "AAVE", "FIL", "ETC", "XLM", "XMR", "INJ", "TIA", "SEI"),
    *("PEPE", "SHIB", "BONK", "FLOKI", "LUNC"),
)

_OTHERS = {
    "XBT": Named("BTC"),  # as Kraken and BitMEX call it
    "XDG": Named("DOGE"),  # as Kraken does
    **{f"k{coin}": Named(coin, Decimal(1000)) for coin in ("PEPE", "SHIB", "BONK", "FLOKI", "LUNC")},  # Hyperliquid
    **{f"1000{coin}": Named(coin, Decimal(1000)) for coin in ("PEPE", "SHIB", "BONK", "FLOKI", "LUNC")},  # Binance
    "SHIB1000": Named("SHIB", Decimal(1000)),  # Bybit
}

DEFAULT_ASSETS = AssetMap("2026-11", MappingProxyType({**{name: Named(name) for name in _THEMSELVES}, **_OTHERS}))
"""The majors. What is not here is named in the settings, or told as unmapped."""
