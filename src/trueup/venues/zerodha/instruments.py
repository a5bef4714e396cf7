"""What is held at Kite: a tradingsymbol of an exchange, in a product. The product is part of what is held.

The same share bought for delivery (CNC), with borrowed money (MTF) and for the day (MIS) are three positions that do
not net, so each is an instrument of its own: base ``EXCHANGE.TRADINGSYMBOL.PRODUCT``, quoted in rupees.

- **Delivery** (CNC, MTF on NSE and BSE) is spot, ``NSE.SBIN.CNC/INR``: shares are a balance and their price is paid.
- **Everything else** is linear, ``NFO.NIFTY26NOVFUT.NRML/INR:INR``. So is an option: its premium enters the cost, and
  what it gained or lost reaches the cash when it is closed.

The native symbol is Kite's ``EXCHANGE:TRADINGSYMBOL`` with ``:PRODUCT``. Cash is kept by segment, as Kite keeps it: the
wallet ``commodity`` for MCX and NCO, and ``equity`` for all others. A position converted to another product leaves no
trade, so the two products then differ from what their trades add up to, each by as much.

On NSE, BSE, NFO and BFO a quantity counts units. Elsewhere it counts lots, and only a position says by its
``multiplier`` how many units are one, so until a position told it (today or in an earlier import) rows are refused.
"""

import csv
import io
import re
from collections.abc import Iterator
from decimal import Decimal

import msgspec

from trueup.model.errors import BadInput, Malformed
from trueup.model.instruments import Instrument, wallet_currency
from trueup.model.numbers import ONE
from trueup.venues import rows
from trueup.venues.lines import utf8
from trueup.venues.rows import Row
from trueup.venues.zerodha import ist

RUPEE = "INR"
EQUITY, COMMODITY = "equity", "commodity"
SEGMENTS = (EQUITY, COMMODITY)
DELIVERY = frozenset({"CNC", "MTF"})
"""Products by which shares are held beyond the day, and become holdings."""

COLUMNS = b"instrument_token,exchange_token,tradingsymbol,"
"""How the instruments file begins."""

_IN_UNITS = frozenset({"NSE", "BSE", "NFO", "BFO"})
_CASH_MARKETS = frozenset({"NSE", "BSE"})
_COMMODITIES = frozenset({"MCX", "NCO"})
_WORD = re.compile(r"[A-Z]{1,12}", re.ASCII)
_TRADINGSYMBOL = re.compile(r"[A-Za-z0-9&_.,*+%()' -]{1,64}", re.ASCII)


class Key(msgspec.Struct, frozen=True):
    """What tells one holding from another."""

    exchange: str
    tradingsymbol: str
    product: str

    @property
    def native(self) -> str:
        """As Kite would write it."""
        return f"{self.exchange}:{self.tradingsymbol}:{self.product}"

    @property
    def delivered(self) -> bool:
        """Whether it is shares that become holdings."""
        return self.exchange in _CASH_MARKETS and self.product in DELIVERY

    @property
    def in_units(self) -> bool:
        """Whether its quantities count units, and not lots."""
        return self.exchange in _IN_UNITS

    @property
    def symbol(self) -> str:
        """Ours."""
        base = f"{self.exchange}.{self.tradingsymbol}.{self.product}"
        return f"{base}/{RUPEE}" if self.delivered else f"{base}/{RUPEE}:{RUPEE}"

    @classmethod
    def of_symbol(cls, symbol: str) -> "Key":
        """What a symbol of ours names. Raises :class:`BadInput` where it names nothing at Kite."""
        exchange, _, rest = symbol.partition("/")[0].partition(".")
        name, _, product = rest.rpartition(".")
        found = key({"exchange": exchange, "tradingsymbol": name, "product": product})
        if found.symbol != symbol:
            raise BadInput("instrument", symbol, "not a symbol of Kite", remedy=f"It is written {found.symbol}.")
        return found


class Terms(msgspec.Struct, frozen=True):
    """One row of the instruments file.

    Attributes:
        token: By which the ticker names it; reused after expiry.
        price_tick, strike: None where the file says zero.
        lot_size: In units; None where the file says zero.
        expiry: Last nanosecond of its last day in India; the file does not say at what hour trading ends.
    """

    exchange: str
    tradingsymbol: str
    token: int
    segment: str
    instrument_type: str
    price_tick: Decimal | None
    lot_size: Decimal | None
    strike: Decimal | None
    expiry: int | None


def key(row: Row) -> Key:
    """What a row of a position, holding, order or trade is about.

    Raises:
        BadInput: A name that Kite would not write, or that would not be one part of a symbol.
    """
    return Key(_word(row, "exchange"), _tradingsymbol(row), _word(row, "product"))


def define(which: Key, multiplier: Decimal | None, terms: Terms | None) -> Instrument:
    """The instrument of a key.

    Args:
        which: The key.
        multiplier: Units in one of its quantity, where a position said so.
        terms: Of the instruments file, where it was read.

    Raises:
        BadInput: Its quantity counts lots of unknown size, or shares are said to have a multiplier.
    """
    spot = which.delivered
    if multiplier is None and not which.in_units:
        raise BadInput(
            "multiplier",
            "",
            f"how many units are one lot of {which.native} is not known",
            remedy="Import a positions answer that lists it first, then this one again.",
        )
    if spot and multiplier not in (None, ONE):
        raise BadInput("multiplier", multiplier, "shares are counted one by one", remedy="Save the answer again.")
    lot = terms.lot_size if terms is not None else None
    return Instrument(
        symbol=which.symbol,
        native_symbol=which.native,
        kind="spot" if spot else "linear",
        base=which.symbol.partition("/")[0],
        quote=RUPEE,
        settle=RUPEE,
        contract_size=multiplier or ONE,
        price_tick=terms.price_tick if terms is not None else None,
        quantity_step=lot if which.in_units else ONE,
        expiry=terms.expiry if terms is not None else None,
        wallet=COMMODITY if which.exchange in _COMMODITIES else EQUITY,
    )


def shares(instrument: Instrument) -> str:
    """The balance that a delivery position is."""
    return wallet_currency(instrument.base, instrument.wallet)


def table(name: str, data: bytes) -> Iterator[tuple[int, Row]]:
    """The rows of the instruments file, each with its line.

    Raises:
        Malformed: Not UTF-8, or not a table.
    """
    reader = csv.DictReader(io.StringIO(utf8(name, data)), restkey="", restval=None)
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise Malformed(
            f"{name}: line {reader.line_num} is not one of a table: {error}.", remedy="Fetch /instruments again."
        ) from None


def terms(row: Row) -> Terms:
    """One row of the instruments file; raises :class:`BadInput` for a field at fault, or too many of them."""
    if "" in row:
        raise BadInput("row", rows.shown(row[""]), "more cells than columns", remedy="Fetch /instruments again.")
    return Terms(
        exchange=_word(row, "exchange"),
        tradingsymbol=_tradingsymbol(row),
        token=rows.integer(row, "instrument_token"),
        segment=rows.text(row, "segment"),
        instrument_type=rows.text(row, "instrument_type"),
        price_tick=unless_zero(row, "tick_size"),
        lot_size=unless_zero(row, "lot_size"),
        strike=unless_zero(row, "strike"),
        expiry=ist.end_of_day(row, "expiry") if rows.optional_text(row, "expiry") else None,
    )


def unless_zero(row: Row, field: str) -> Decimal | None:
    """A number greater than zero; None where the field is missing or zero, by which Kite says that there is none."""
    number = rows.optional_decimal(row, field)
    return rows.positive(row, field) if number else None


def _word(row: Row, field: str) -> str:
    word = rows.text(row, field)
    if _WORD.fullmatch(word) is None:
        raise BadInput(field, rows.shown(word), "not a word as Kite writes it", remedy="Check the row at its source.")
    return word


def _tradingsymbol(row: Row) -> str:
    name = rows.text(row, "tradingsymbol")
    if _TRADINGSYMBOL.fullmatch(name) is None:
        problem = "not a tradingsymbol: it could not be part of a symbol"
        raise BadInput("tradingsymbol", rows.shown(name), problem, remedy="Check the row at its source.")
    return name
