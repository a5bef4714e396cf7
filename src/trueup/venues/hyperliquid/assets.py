"""What an order names a market by, and which sizes and prices the venue takes there.

Perpetuals go by their place in their dex's list, spot pairs by the venue's index; each kind has a range of its own.
A size has at most ``szDecimals`` decimals. A price has at most five significant figures and at most 6 (perpetuals) or
8 (spot) minus ``szDecimals`` decimals; a whole number is always a price. What does not fit is refused, never rounded:
only the bound of a market order is, here and nowhere else.
"""

from collections.abc import Iterable, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal

import msgspec

from trueup.model.errors import BadInput, Rejected
from trueup.model.instruments import Instrument
from trueup.model.numbers import DIGITS_MAX, ONE, ZERO, canonical, exact
from trueup.venues import rows
from trueup.venues.rows import Row

SLIPPAGE = Decimal("0.05")
"""How far a market order may trade from the price it was sent at: the venue's own client allows as much."""

SPOT_FROM = 10_000
DEX_FROM = 100_000
PER_DEX = 10_000
"""A dex's perpetuals begin at 100,000 + 10,000 times its place in the list of dexes; the main dex's at 0."""

FIGURES_MAX = 5
PERPETUAL_DECIMALS = 6
SPOT_DECIMALS = 8

_WIDE = Context(prec=4 * DIGITS_MAX)


class Asset(msgspec.Struct, frozen=True):
    """A market as an order names it.

    Attributes:
        size_decimals, price_decimals: At most so many.
    """

    instrument: Instrument
    id: int
    size_decimals: int
    price_decimals: int

    def size(self, quantity: Decimal) -> str:
        """A size on the wire. Raises :class:`Rejected` for one that the venue would not take; nothing was sent."""
        if quantity <= ZERO or _decimals(quantity) > self.size_decimals:
            raise Rejected(
                f"quantity={canonical(quantity)}: not a size of {self.instrument.symbol}.",
                remedy=f"Give one above zero with at most {self.size_decimals} decimals; nothing was sent.",
                venue_code="size",
            )
        return canonical(quantity)

    def price(self, field: str, price: Decimal) -> str:
        """A price on the wire. Raises :class:`Rejected` for one that the venue would not take; nothing was sent."""
        if price > ZERO and (_decimals(price) == 0 or self._fits(price)):
            return canonical(price)
        raise Rejected(
            f"{field}={canonical(price)}: not a price of {self.instrument.symbol}.",
            remedy=f"Give a whole number above zero, or one with at most {FIGURES_MAX} significant figures and "
            f"{self.price_decimals} decimals; nothing was sent.",
            venue_code="Tick",
        )

    def bound(self, price: Decimal, *, buys: bool) -> Decimal:
        """The worst price of a market order: :data:`SLIPPAGE` from the present one, rounded to less than that.

        Raises:
            Rejected: The price is so small that the bound rounds to nothing; nothing was sent.
        """
        with exact():
            worst = price * (ONE + SLIPPAGE if buys else ONE - SLIPPAGE)
        step = ONE.scaleb(min(max(worst.adjusted() - FIGURES_MAX + 1, -self.price_decimals), 0))
        bound = worst.quantize(step, rounding=ROUND_FLOOR if buys else ROUND_CEILING, context=_WIDE)
        self.price("price", bound)
        return bound

    def _fits(self, price: Decimal) -> bool:
        return _decimals(price) <= self.price_decimals and _figures(price) <= FIGURES_MAX


class Assets:
    """The markets of one account, by canonical symbol; known once ``meta`` and ``spotMeta`` were read."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._by_symbol: dict[str, Asset] = {}
        self._by_coin: dict[str, Asset] = {}

    def name_perpetuals(self, meta: Row, dex_index: int) -> None:
        """Take the ids of a dex's perpetuals: delisted ones keep their place."""
        first = DEX_FROM + PER_DEX * dex_index if dex_index else 0
        for place, item in enumerate(rows.records(meta, "universe")):
            self._ids[rows.text(rows.as_row(item), "name")] = first + place

    def name_spot(self, meta: Row) -> None:
        """Take the ids of spot pairs, which the venue counts itself."""
        for item in rows.records(meta, "universe"):
            pair = rows.as_row(item)
            self._ids[rows.text(pair, "name")] = SPOT_FROM + rows.integer(pair, "index")

    def define(self, instruments: Iterable[Instrument]) -> None:
        """Take the terms of markets; one without an id or a size step cannot be traded."""
        for instrument in instruments:
            asset_id = self._ids.get(instrument.native_symbol)
            if asset_id is None or instrument.quantity_step is None:
                continue
            decimals = _decimals(instrument.quantity_step)
            most = SPOT_DECIMALS if instrument.kind == "spot" else PERPETUAL_DECIMALS
            asset = Asset(instrument, asset_id, decimals, max(most - decimals, 0))
            self._by_symbol[instrument.symbol] = asset
            self._by_coin[instrument.native_symbol] = asset

    def asset(self, symbol: str) -> Asset:
        """A market by its canonical symbol, or by the venue's own name. Raises :class:`Rejected`; nothing was sent."""
        asset = self._by_symbol.get(symbol) or self._by_coin.get(symbol)
        if asset is None:
            raise Rejected(
                f"instrument={symbol!r}: not traded here.",
                remedy="See the venue's instruments; those of builder dexes need the dex among the settings.",
                venue_code="unknown_instrument",
            )
        return asset

    def find(self, symbol: str) -> Instrument | None:
        """A market's terms; None where it is not known."""
        asset = self._by_symbol.get(symbol)
        return None if asset is None else asset.instrument


def dex_places(dexes: object) -> Mapping[str, int]:
    """The place of each builder dex in the answer to ``perpDexs``; the main one is first and null."""
    if not isinstance(dexes, list):
        raise BadInput("perpDexs", rows.shown(dexes), "not a list", remedy="Ask again.")
    return {rows.text(rows.as_row(dex), "name"): place for place, dex in enumerate(dexes) if dex is not None}


def _decimals(number: Decimal) -> int:
    return len(canonical(number).partition(".")[2])


def _figures(number: Decimal) -> int:
    return len(canonical(number).replace(".", "").strip("0"))
