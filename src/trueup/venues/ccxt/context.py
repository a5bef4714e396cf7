"""What every row of an exchange is understood by: whose it is, which instruments there are, what is to be corrected.

A unified field that ccxt computed is never trusted to be exact: a binary float is refused, and where the table says so
the venue's own text, which ccxt keeps in ``info``, is read instead.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from trueup.model.errors import BadInput, UnknownInstrument
from trueup.model.identifiers import AccountId, PositionSide
from trueup.model.instruments import Instrument
from trueup.venues import rows
from trueup.venues.ccxt.corrections import Correction
from trueup.venues.rows import Row

NATIVE_NAMES = ("symbol", "instId", "instrument_name", "contract", "product_id", "coin", "s")
"""What venues call the instrument of a row."""

CLIENT_NAMES = (
    "clientOrderId", "origClientOrderId", "orderLinkId", "clOrdId", "clientOid", "cliOrdId", "cli_ord_id", "cloid",
    "label", "client_order_id",
)  # fmt: skip
"""What venues call our id of an order."""

_SIDES: Mapping[str, Mapping[object, PositionSide]] = {
    "positionSide": {"BOTH": "net", "LONG": "long", "SHORT": "short"},
    "ps": {"BOTH": "net", "LONG": "long", "SHORT": "short"},
    "posSide": {"net": "net", "long": "long", "short": "short"},
    "positionIdx": {0: "net", "0": "net", 1: "long", "1": "long", 2: "short", "2": "short"},
}
"""What venues call the side that a row of an account with both sides is of, and their words for it."""

_HEDGED = ("hedge_mode", "double_hold")


class Context(msgspec.Struct, frozen=True):
    """Of one account.

    Attributes:
        exchange: ccxt's name of it.
        instruments: By canonical symbol.
        hedged: Whether its positions show that it holds both sides.
        codes: Names of currencies by the venue's own.
    """

    account: AccountId
    exchange: str
    instruments: Mapping[str, Instrument]
    correction: Correction
    hedged: bool = False
    codes: Mapping[str, str] = {}

    def currency(self, native: str) -> str:
        """The name of a currency by the venue's own."""
        return self.codes.get(native, native.upper())

    def instrument(self, row: Row, asked: str = "") -> Instrument:
        """The instrument of a row.

        Args:
            row: As ccxt made it.
            asked: The symbol that was asked for: ccxt gives it to rows of whatever they are.

        Raises:
            BadInput: ccxt has no market for it and gives the venue's own id for a symbol.
        """
        symbol = rows.text(row, "symbol")
        native = native_name(row)
        terms = self.instruments.get(symbol)
        if terms is not None and asked and native and native.upper() != terms.native_symbol.upper():
            terms = None
        if terms is None:
            raise BadInput(
                "symbol",
                native or symbol,
                f"no instrument of {self.exchange} that is booked",
                remedy="It is an option, or was listed after the markets were read, or delisted; ask again later.",
            ) from UnknownInstrument(symbol)
        return terms


def info(row: Row) -> Row:
    """The venue's own row, as ccxt keeps it; empty where it keeps none."""
    kept = row.get("info")
    return kept if isinstance(kept, Mapping) else {}


def at(value: object, path: str) -> object:
    """What stands at a path such as ``data.0.details``; None where nothing does."""
    for step in path.split(".") if path else ():
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def told_by_venue(row: Row, paths: Mapping[str, str]) -> Row:
    """Fields that are taken from the venue's own row, by ccxt's names, as far as they stand there."""
    found = {name: at(info(row), path) for name, path in paths.items()}
    return {name: value for name, value in found.items() if value is not None and value != ""}


def native_name(row: Row) -> str:
    """What the venue calls the instrument of a row; empty where it does not say."""
    return next((str(value) for name in NATIVE_NAMES if isinstance(value := info(row).get(name), str)), "")


def client_name(row: Row) -> str:
    """Our id of the order that a row is of; empty where there is none."""
    told = row.get("clientOrderId")
    if isinstance(told, str) and told:
        return told
    kept = info(row)
    order = kept.get("order")
    candidates: Sequence[Row] = (kept, order) if isinstance(order, Mapping) else (kept,)
    return next(
        (value for row in candidates for name in CLIENT_NAMES if isinstance(value := row.get(name), str) and value), ""
    )


def position_side(row: Row) -> PositionSide | None:
    """The side that a row says it is of; None where it does not say.

    Raises:
        BadInput: A word that is not known.
    """
    kept = info(row)
    for name, words in _SIDES.items():
        value = kept.get(name)
        if value is not None and value != "":
            if not isinstance(value, str | int) or value not in words:
                raise BadInput(name, value, "not a known position side", remedy="See the venue's documentation.")
            return words[value]
    return None


def hedge_mode(row: Row) -> bool:
    """Whether a row says that its account holds both sides."""
    kept = info(row)
    return row.get("hedged") is True or any(kept.get(name) in _HEDGED for name in ("posMode", "holdMode"))


def optional(row: Row, field: str) -> Decimal | None:
    """A number that is not booked; None where it is missing, empty, zero-like in no exact way, or a binary float."""
    value = row.get(field)
    return None if isinstance(value, float) else rows.optional_decimal(row, field)
