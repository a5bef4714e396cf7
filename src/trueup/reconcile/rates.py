"""One currency in another, at marks with their age. A rate that nobody stated is unknown, not 1."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

import msgspec

from trueup.book.book import Mark
from trueup.model.instruments import Instrument
from trueup.model.numbers import ONE, ZERO, quotient


class Rate(msgspec.Struct, frozen=True):
    """Units of one currency for one unit of another.

    Attributes:
        at: Venue time of the oldest mark in it; None for a rate that was set by hand, or of a currency in itself.
        over: Currencies in between.
        inverted: Whether it is the way back of a stated price.
    """

    price: Decimal
    at: int | None = None
    over: tuple[str, ...] = ()
    inverted: bool = False


class Rates:
    """Rates out of marks, and those that were set by hand, which go before.

    Args:
        marks: Of spot instruments and linear contracts: what one base is worth in quote.
        fixed: By ``(base, quote)``: a person answers for these.
    """

    def __init__(
        self, marks: Iterable[tuple[Instrument, Mark]], fixed: Mapping[tuple[str, str], Decimal] | None = None
    ) -> None:
        self._rates: dict[str, dict[str, Rate]] = {}
        for instrument, mark in sorted(marks, key=lambda pair: (pair[0].kind != "spot", -pair[1].venue_time)):
            if instrument.kind in {"spot", "linear"} and mark.price > ZERO:
                self._add(instrument.base, instrument.quote, Rate(mark.price, mark.venue_time), replaces=False)
        for (base, quote), price in (fixed or {}).items():
            self._add(base, quote, Rate(price), replaces=True)

    def rate(self, currency: str, into: str) -> Rate | None:
        """The rate of a currency into another, directly or over one in between; None where there is none."""
        if currency == into:
            return Rate(ONE)
        direct = self._rates.get(currency, {}).get(into)
        return direct if direct is not None else next(self._over_another(currency, into), None)

    def _over_another(self, currency: str, into: str) -> Iterator[Rate]:
        """Over each currency in between that has a rate on either side, in the order of their names.

        Not over what is bought with both: two prices of one coin say more of their times than of the currencies.
        """
        for between, first in sorted(self._rates.get(currency, {}).items()):
            second = self._rates.get(between, {}).get(into)
            if second is not None and not (first.inverted and not second.inverted):
                times = [time for time in (first.at, second.at) if time is not None]
                yield Rate(first.price * second.price, min(times, default=None), (between,))

    def _add(self, base: str, quote: str, rate: Rate, *, replaces: bool) -> None:
        """A rate and the way back. The first of a pair holds: spot before contracts, the newest before older ones."""
        back = Rate(quotient(ONE, rate.price), rate.at, inverted=True)
        for one, other, found in ((base, quote, rate), (quote, base, back)):
            known = self._rates.setdefault(one, {})
            if replaces or other not in known:
                known[other] = found
