"""Prices of products: what each last traded at. Coinbase states no mark but that of a future that is held."""

from collections.abc import Sequence
from decimal import Decimal

from trueup.model.errors import BadInput
from trueup.model.venues import Mark
from trueup.venues import rows
from trueup.venues.coinbase import calls
from trueup.venues.coinbase.session import Session, of_answer
from trueup.venues.rows import Row

NAMES_MAX = 100
"""Products that are asked for at once, so that the address of a request stays short."""


async def marks(session: Session, symbols: Sequence[str]) -> Sequence[Mark]:
    """Last prices; a product without one is left out. Raises :class:`VenueError`."""
    await session.ready()
    known = (session.products.of_symbol(symbol) for symbol in dict.fromkeys(symbols))
    wanted = {terms.native_symbol: terms.symbol for terms in known if terms is not None}
    names, found = list(wanted), list[Mark]()
    for start in range(0, len(names), NAMES_MAX):
        call = calls.prices(names[start : start + NAMES_MAX])
        items = of_answer(call, (await session.ask(call)).body, lambda row: rows.records(row, "products"))
        found += [
            Mark(wanted[product_id], price)
            for product_id, price in map(_priced, items)
            if product_id in wanted and price is not None
        ]
    return found


def _priced(item: object) -> tuple[str, Decimal | None]:
    """A product and its price; nothing of a row that cannot be read."""
    try:
        row: Row = rows.as_row(item)
        return rows.text(row, "product_id"), rows.optional_decimal(row, "price") or None
    except BadInput:
        return "", None
