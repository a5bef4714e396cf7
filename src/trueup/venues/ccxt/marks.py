"""Mark prices through ccxt: the venue's own mark where a ticker has one, and nothing in its place where not."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from trueup.model.errors import BadInput, Unavailable
from trueup.model.times import from_ms
from trueup.model.venues import Mark
from trueup.venues import rows
from trueup.venues.ccxt.context import info, optional
from trueup.venues.ccxt.session import Session
from trueup.venues.rows import Row
from trueup.venues.transport.limiter import Priority

_NAMES = ("markPrice", "markPx", "mark_price", "mark")
"""What venues call it."""

_LAST = ("last", "close", "bid", "ask")


async def marks(session: Session, instruments: Sequence[str]) -> Sequence[Mark]:
    """Mark prices of instruments; those without one are left out. Raises :class:`VenueError`."""
    await session.ready()
    known = [symbol for symbol in instruments if symbol in session.context.instruments]
    if not known:
        return []
    found = {}
    for symbol, row in (await _tickers(session, known)).items():
        price = _mark(row)
        if price is not None:
            time = row.get("timestamp")
            found[symbol] = Mark(symbol, price, from_ms(time) if isinstance(time, int) and time > 0 else None)
    return [found[symbol] for symbol in known if symbol in found]


async def present(session: Session, symbol: str, priority: Priority) -> Decimal:
    """A price near the present one, to bound a market order. Raises :class:`VenueError`."""
    row = (await _tickers(session, [symbol], priority)).get(symbol, {})
    price = _mark(row) or next((price for name in _LAST if (price := optional(row, name))), None)
    if price is None:
        raise Unavailable(f"{session.exchange.id} states no price of {symbol}.", remedy="Nothing was sent; try again.")
    return price


async def _tickers(
    session: Session, symbols: Sequence[str], priority: Priority = Priority.RECONCILE
) -> Mapping[str, Row]:
    method = "fetch_mark_prices" if session.has("fetchMarkPrices") else "fetch_tickers"
    if session.correction.each_ticker or not (session.has("fetchMarkPrices") or session.has("fetchTickers")):
        rows_of = [await session.call("fetch_ticker", symbol, priority=priority) for symbol in symbols]
        return {symbol: row for symbol, row in zip(symbols, rows_of, strict=True) if isinstance(row, Mapping)}
    answer = await session.call(method, list(symbols), priority=priority)
    listed = answer if isinstance(answer, Mapping) else {}
    return {str(symbol): row for symbol, row in listed.items() if isinstance(row, Mapping)}


def _mark(row: Row) -> Decimal | None:
    try:
        for place in (row, info(row)):
            for name in _NAMES:
                if place.get(name) not in {None, ""}:
                    return rows.positive(place, name)
    except (BadInput, TypeError):
        return None
    return None
