"""Coinbase's products: ``BTC-USD`` is spot and says all of itself, ``BIT-26APR24-CDE`` is a future and does not.

What a future's contract is worth stands in the answer of ``products`` alone (``future_product_details``), so a future
is refused until that was read. Futures trade in a wallet of their own, between which and the spot one the venue moves
dollars by itself.
"""

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal

from trueup.model.errors import BadInput
from trueup.model.instruments import Instrument
from trueup.ports import Refused
from trueup.venues import rows
from trueup.venues.rows import Row

FUTURES_WALLET = "cfm"
USD = "USD"

_CODE = re.compile(r"[A-Z0-9]{1,32}", re.ASCII)
_SPOT = re.compile(r"([A-Z0-9]{1,32})-([A-Z0-9]{1,32})", re.ASCII)
_FUTURE = re.compile(r"([A-Z0-9]{1,16}-[0-9]{1,2}[A-Z]{3}[0-9]{2})-CDE", re.ASCII)


class Products:
    """The products known so far in one import.

    Args:
        remembered: Terms from earlier imports, so that a future need not be explained again.
    """

    def __init__(self, remembered: Iterable[Instrument] = ()) -> None:
        self._by_id: dict[str, Instrument] = {}
        self._by_symbol: dict[str, Instrument] = {}
        for instrument in remembered:
            self.define(instrument)

    def instrument(self, product_id: str) -> Instrument:
        """The instrument of a product.

        Raises:
            BadInput: No name of a product, or a future whose contract is not known.
        """
        known = self._by_id.get(product_id)
        if known is not None:
            return known
        match = _SPOT.fullmatch(product_id)
        if match is not None:
            base, quote = match.groups()
            return Instrument(f"{base}/{quote}", product_id, "spot", base, quote, quote)
        future = _FUTURE.fullmatch(product_id) is not None
        raise BadInput(
            "product_id",
            rows.shown(product_id),
            "what its contract is worth is not known" if future else "not the name of a product of this interface",
            remedy="Import the answer of products (product_type=FUTURE) first."
            if future
            else "Check it at its source.",
        )

    def define(self, instrument: Instrument) -> None:
        """Use these terms from now on."""
        self._by_id[instrument.native_symbol] = instrument
        self._by_symbol[instrument.symbol] = instrument

    def of_symbol(self, symbol: str) -> Instrument | None:
        """The product of a canonical symbol; None where none is known."""
        return self._by_symbol.get(symbol)

    @property
    def futures(self) -> frozenset[str]:
        """The symbol of every future that is known."""
        return frozenset(known.symbol for known in self._by_id.values() if known.wallet == FUTURES_WALLET)


def read_products(
    name: str, items: Sequence[object], products: Products
) -> tuple[Sequence[Instrument], Sequence[Refused]]:
    """The terms of listed products, which are kept for what is read later."""

    def read(row: Row) -> Instrument:
        instrument = _from_row(row)
        products.define(instrument)
        return instrument

    return rows.read_each(name, items, read)


def _from_row(row: Row) -> Instrument:
    product_id = rows.text(row, "product_id")
    tick = _step(row, "price_increment") or _step(row, "quote_increment")
    step = _step(row, "base_increment")
    if rows.optional_text(row, "product_type") != "FUTURE":
        base, quote = _code(row, "base_currency_id"), _code(row, "quote_currency_id")
        if product_id != f"{base}-{quote}":
            raise BadInput(
                "product_id", rows.shown(product_id), f"not a spot product of {base} and {quote}", remedy=_CHECK
            )
        return Instrument(
            f"{base}/{quote}", product_id, "spot", base, quote, quote, price_tick=tick, quantity_step=step
        )
    named = _FUTURE.fullmatch(product_id)
    if named is None:
        raise BadInput(
            "product_id",
            rows.shown(product_id),
            "not a future of this venue (CDE)",
            remedy="Leave it out: it is not read.",
        )
    details = rows.record(row, "future_product_details")
    base, quote = _code(details, "contract_root_unit"), rows.optional_text(row, "quote_currency_id") or USD
    return Instrument(
        symbol=f"{base}/{quote}:{quote}-{named.group(1)}",
        native_symbol=product_id,
        kind="linear",
        base=base,
        quote=quote,
        settle=quote,
        contract_size=rows.positive(details, "contract_size"),
        price_tick=tick,
        quantity_step=step,
        expiry=rows.moment(details, "contract_expiry") if details.get("contract_expiry") else None,
        wallet=FUTURES_WALLET,
    )


_CHECK = "Save the answer again, as the venue gave it."


def _code(row: Row, field: str) -> str:
    code = rows.text(row, field)
    if _CODE.fullmatch(code) is None:
        raise BadInput(field, rows.shown(code), "not the code of a currency", remedy=_CHECK)
    return code


def _step(row: Row, field: str) -> Decimal | None:
    return rows.positive(row, field) if row.get(field) not in {None, ""} else None
