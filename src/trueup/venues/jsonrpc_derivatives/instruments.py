"""The engine's instruments, whose names say all: ``BTC-PERPETUAL``, ``ETH_USDC-27DEC26``, ``BTC_USDC``.

``amount`` is in coins for what settles in a stable coin and in dollars for what settles in the coin itself, and so are
positions: one unit is one coin, or one dollar. (The engine's own contracts, of ten dollars, are not counted in.)
Options and combos are refused: premiums are paid when an option is bought, and a combo's legs are trades of their own.
So are pairs where the account keeps the engine's money apart, since there its pairs are those of another market.
"""

import re
from decimal import Decimal

from trueup.model.errors import BadInput
from trueup.model.instruments import Instrument
from trueup.venues import rows
from trueup.venues.rows import Row

_PERPETUAL = "PERPETUAL"

_SYMBOL = re.compile(
    r"([A-Z0-9]{1,16})/([A-Z0-9]{1,16})(?::([A-Z0-9]{1,16})(?:-([0-9]{1,2}[A-Z]{3}[0-9]{2}))?)?", re.ASCII
)
_NAME = re.compile(r"([A-Z0-9]{1,16})(?:_([A-Z0-9]{1,16}))?(?:-(PERPETUAL|[0-9]{1,2}[A-Z]{3}[0-9]{2}))?", re.ASCII)
_USD = "USD"


def from_name(name: str, wallet: str) -> Instrument:
    """The terms of an instrument.

    Args:
        name: As the engine writes it.
        wallet: In which the account's trades of this engine are kept apart; empty for none.

    Raises:
        BadInput: An option, a combo, or no name of the engine.
    """
    match = _NAME.fullmatch(name)
    base, quote, term = match.groups() if match else ("", None, None)
    if not base or (term is None and (quote is None or wallet)):
        raise BadInput(
            "instrument_name",
            rows.shown(name),
            "no future or perpetual" if wallet else "neither a future, a perpetual nor a pair",
            remedy="Options and combos are not booked; the legs of a combo are trades of their own.",
        )
    if term is None:
        return Instrument(f"{base}/{quote}", name, "spot", base, str(quote), str(quote), wallet=wallet)
    settle = quote or base
    symbol = f"{base}/{quote or _USD}:{settle}" + ("" if term == _PERPETUAL else f"-{term}")
    return Instrument(symbol, name, "linear" if quote else "inverse", base, quote or _USD, settle, wallet=wallet)


def from_symbol(symbol: str, wallet: str) -> Instrument:
    """The terms of an instrument by its canonical symbol, as far as its name says them.

    Raises:
        BadInput: Nothing that the engine has a name for.
    """
    match = _SYMBOL.fullmatch(symbol)
    if match is None:
        raise _no_symbol(symbol)
    base, quote, settle, day = match.groups()
    pair = f"{base}_{quote}"
    name = pair if settle is None else f"{base if settle == base else pair}-{day or _PERPETUAL}"
    terms = from_name(name, wallet)
    if terms.symbol != symbol:  # BTC/EUR:BTC, say: what settles in the coin is priced in dollars
        raise _no_symbol(symbol)
    return terms


def from_row(row: Row, wallet: str) -> Instrument:
    """The terms of one row of ``public/get_instruments``, with its steps."""
    named = from_name(rows.text(row, "instrument_name"), wallet)
    if rows.optional_text(row, "settlement_currency") not in {"", named.settle}:
        raise BadInput(
            "settlement_currency",
            rows.shown(row["settlement_currency"]),
            f"not the {named.settle} that its name says",
            remedy="Leave it out: it is not booked.",
        )
    term = named.native_symbol.partition("-")[2]
    dated = term not in {"", _PERPETUAL} and row.get("expiration_timestamp") is not None
    return Instrument(
        symbol=named.symbol,
        native_symbol=named.native_symbol,
        kind=named.kind,
        base=named.base,
        quote=named.quote,
        settle=named.settle,
        price_tick=_step(row, "tick_size"),
        quantity_step=_step(row, "min_trade_amount"),
        expiry=rows.milliseconds(row, "expiration_timestamp") if dated else None,
        max_leverage=rows.optional_decimal(row, "max_leverage"),
        wallet=wallet,
    )


def _no_symbol(symbol: str) -> BadInput:
    return BadInput(
        "instrument", rows.shown(symbol), "the engine has no such name", remedy="Write it like ETH/USDC:USDC."
    )


def _step(row: Row, field: str) -> Decimal | None:
    return rows.positive(row, field) if row.get(field) is not None else None
