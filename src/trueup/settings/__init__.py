"""What a person may set: in a file, ``trueup.toml``, and in the environment, which goes before it.

* ``shape`` every key, typed; ``values`` what each may be; ``lines`` where in the file it stands
* ``given`` what is given where, who wins, and all the mistakes at once

A secret is only ever named, never held: see :mod:`trueup.venues.transport.secrets`.
"""

from trueup.settings.given import load_settings, store_named_in
from trueup.settings.shape import (
    AccountSettings,
    CcxtSettings,
    CoinbaseDerivativesSettings,
    CoinbaseSettings,
    Corrections,
    DeribitSettings,
    HyperliquidSettings,
    OandaSettings,
    PaperSettings,
    Settings,
    ZerodhaSettings,
)
from trueup.settings.values import is_reference

__all__ = [
    "AccountSettings",
    "CcxtSettings",
    "CoinbaseDerivativesSettings",
    "CoinbaseSettings",
    "Corrections",
    "DeribitSettings",
    "HyperliquidSettings",
    "OandaSettings",
    "PaperSettings",
    "Settings",
    "ZerodhaSettings",
    "is_reference",
    "load_settings",
    "store_named_in",
]
