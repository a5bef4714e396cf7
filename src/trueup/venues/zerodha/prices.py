"""Last prices, which are all the marks that Kite has: those that the stream told, else asked for."""

from collections.abc import Mapping, Sequence

from trueup.model.errors import BadInput
from trueup.model.venues import Mark
from trueup.venues import rows
from trueup.venues.rows import Row
from trueup.venues.zerodha import answers, calls, ticks
from trueup.venues.zerodha.finding import Ask
from trueup.venues.zerodha.instruments import Key, Terms
from trueup.venues.zerodha.known import Known
from trueup.venues.zerodha.listing import Listing
from trueup.venues.zerodha.stream import Ticker

NAMES_MAX = 250
"""Asked for at once: Kite takes a thousand, and no address is so long as to be refused."""


class Prices:
    """Of one account's instruments.

    Args:
        ask: Makes a call.
        known: What the account met.
        listing: Tells the tokens of today.

    Attributes:
        ticker: What the stream told.
    """

    def __init__(self, ask: Ask, known: Known, listing: Listing) -> None:
        self.ticker = Ticker()
        self._ask = ask
        self._known = known
        self._listing = listing

    def tokens(self) -> list[int]:
        """Of all that the account met and is traded today, where the stream's prices can be read."""
        found = (self._terms(instrument.symbol) for instrument in self._known.instruments())
        return list(dict.fromkeys(one.token for one in found if one is not None and ticks.readable(one.token)))

    async def marks(self, symbols: Sequence[str], *, streaming: bool) -> Sequence[Mark]:
        """Last prices; what is not traded today is left out.

        Args:
            symbols: Ours.
            streaming: Whether the stream is connected, so that what it told last still holds.

        Raises:
            VenueError: Kite could not be asked.
        """
        terms = {symbol: found for symbol in symbols if (found := self._terms(symbol)) is not None}
        marks = {symbol: self._told(symbol, terms[symbol]) for symbol in terms} if streaming else {}
        told = {symbol: mark for symbol, mark in marks.items() if mark is not None}
        names = {symbol: f"{one.exchange}:{one.tradingsymbol}" for symbol, one in terms.items() if symbol not in told}
        asked = await self._asked(list(dict.fromkeys(names.values())))
        told |= {symbol: Mark(symbol, asked[name].price) for symbol, name in names.items() if name in asked}
        return list(told.values())

    def _told(self, symbol: str, terms: Terms) -> Mark | None:
        tick = self.ticker.last.get(terms.token)
        return None if tick is None else Mark(symbol, tick.last_price, tick.venue_time)

    async def _asked(self, names: Sequence[str]) -> Mapping[str, Mark]:
        found: dict[str, Mark] = {}
        for start in range(0, len(names), NAMES_MAX):
            body = await self._ask(calls.last_prices(names[start : start + NAMES_MAX]))
            found |= answers.record("last prices", body, _prices)
        return found

    def _terms(self, symbol: str) -> Terms | None:
        try:
            key = Key.of_symbol(symbol)
            return self._listing.find((key.exchange, key.tradingsymbol))
        except BadInput:
            return None


def _prices(data: Row) -> dict[str, Mark]:
    return {name: Mark(name, rows.positive(rows.record(data, name), "last_price")) for name in data}
