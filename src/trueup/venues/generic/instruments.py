"""Contract details: given in an instruments file or in rows, or as far as a canonical symbol tells them.

``BASE/QUOTE`` is spot and ``BASE/QUOTE:QUOTE`` is linear with one base a contract. What pays in another coin (inverse,
quanto) has a contract size that no symbol tells, so it must be defined.
"""

import re
from collections.abc import Iterable
from decimal import Decimal

import msgspec

from trueup.model.errors import BadInput, Malformed, UnknownInstrument
from trueup.model.instruments import Instrument, InstrumentKind
from trueup.model.numbers import ONE
from trueup.venues import rows
from trueup.venues.files import json_value
from trueup.venues.generic import cells
from trueup.venues.rows import Row

_CANONICAL = re.compile(r"([A-Za-z0-9.]{1,32})/([A-Za-z0-9.]{1,32})(?::([A-Za-z0-9.]{1,32})(-[A-Za-z0-9.-]{1,32})?)?")
_KINDS: dict[str, InstrumentKind] = {"spot": "spot", "linear": "linear", "inverse": "inverse", "quanto": "quanto"}

CELLS: dict[str, cells.Cell] = {
    "symbol": rows.text,
    "native_symbol": rows.text,
    "kind": lambda row, field: rows.one_of(row, field, _KINDS),
    "base": rows.text,
    "quote": rows.text,
    "settle": rows.text,
    "contract_size": rows.positive,
    "price_tick": rows.positive,
    "quantity_step": rows.positive,
    "version": cells.count,
    "effective_from": cells.moment,
    "expiry": cells.moment,
    "max_leverage": rows.positive,
    "wallet": rows.text,
}
"""The fields of an instrument, as the file writes them."""


class _Terms(msgspec.Struct, frozen=True):
    """The cells of one instrument, as far as they are given."""

    symbol: str
    native_symbol: str = ""
    kind: InstrumentKind | None = None
    base: str = ""
    quote: str = ""
    settle: str = ""
    contract_size: Decimal | None = None
    price_tick: Decimal | None = None
    quantity_step: Decimal | None = None
    version: int = 1
    effective_from: int = 0
    expiry: int | None = None
    max_leverage: Decimal | None = None
    wallet: str = ""


def read_instruments(data: bytes, name: str = "instruments") -> list[Instrument]:
    """The instruments of a JSON file: a list of them, or an object that has it under ``instruments``.

    Raises:
        Malformed: Not such a file, or one of its rows is not an instrument: with wrong terms nothing should be booked.
    """
    listed = json_value(name, data)
    if isinstance(listed, dict):
        listed = listed.get("instruments")
    if not isinstance(listed, list):
        raise Malformed(f"{name}: not a list of instruments.", remedy="See docs/generic-format.md for how to write it.")
    found = []
    for number, value in enumerate(listed, start=1):
        try:
            row = cells.filled(value)
            cells.check_names(f"{name}, instrument {number}", row, CELLS)
            found.append(instrument(row))
        except BadInput as error:
            raise Malformed(
                f"{name}, instrument {number}: {error.field}={error.value!r}: {error.problem}.", remedy=error.remedy
            ) from None
    return found


def instrument(row: Row) -> Instrument:
    """The terms of one row, completed from its symbol where that is canonical.

    Raises:
        BadInput: A cell at fault, terms that contradict one another, or terms that are not given.
    """
    cells.require(row, ["symbol"], "an instrument")
    terms = msgspec.convert(cells.read(row, CELLS), _Terms)
    base, quote, settle = _currencies(terms)
    kind = terms.kind or _kind(":" in terms.symbol, base, quote, settle)
    _check_kind(kind, base, quote, settle)
    if terms.contract_size is None and kind in ("inverse", "quanto"):
        raise BadInput(
            "contract_size", "", f"missing: {kind} contracts need it", remedy="Give what one contract is worth."
        )
    return Instrument(
        symbol=terms.symbol,
        native_symbol=terms.native_symbol or terms.symbol,
        kind=kind,
        base=base,
        quote=quote,
        settle=settle,
        contract_size=ONE if terms.contract_size is None else terms.contract_size,
        price_tick=terms.price_tick,
        quantity_step=terms.quantity_step,
        version=terms.version,
        effective_from=terms.effective_from,
        expiry=terms.expiry,
        max_leverage=terms.max_leverage,
        wallet=terms.wallet,
    )


class Catalogue:
    """The instruments known so far, by canonical and by native symbol."""

    def __init__(self, instruments: Iterable[Instrument] = ()) -> None:
        self._versions: dict[str, list[Instrument]] = {}
        self._canonical: dict[str, str] = {}
        for known in instruments:
            self.add(known)

    def add(self, known: Instrument) -> None:
        """Know this version; it takes the place of an earlier one of the same number."""
        others = [version for version in self._versions.get(known.symbol, []) if version.version != known.version]
        self._versions[known.symbol] = sorted([*others, known], key=lambda version: version.version)
        self._canonical[known.native_symbol] = self._canonical[known.symbol] = known.symbol

    def symbol(self, name: str) -> str | None:
        """The canonical symbol of a name; None when it is neither known nor canonical itself."""
        return self._canonical.get(name, name if _CANONICAL.fullmatch(name) else None)

    def at(self, name: str, time: int, version: int | None = None) -> Instrument:
        """The terms of an instrument that held at ``time``, or those of the given version.

        Raises:
            UnknownInstrument: It is not defined, and its name does not tell enough.
        """
        symbol = self._canonical.get(name)
        if symbol is None:
            self.add(_from_symbol(name))
            symbol = name
        for known in reversed(self._versions[symbol]):
            if known.version == version or (version is None and known.effective_from <= time):
                return known
        raise UnknownInstrument(name)


def _from_symbol(name: str) -> Instrument:
    match = _CANONICAL.fullmatch(name)
    if match is None or match[4] or match[3] not in (None, match[2]):
        raise UnknownInstrument(rows.shown(name))
    return instrument({"symbol": name})


def _currencies(terms: _Terms) -> tuple[str, str, str]:
    """Base, quote and settlement currency: from the symbol, or as given; both must agree."""
    match = _CANONICAL.fullmatch(terms.symbol)
    base, quote, settle = (match[1], match[2], match[3] or match[2]) if match else ("", "", "")
    for field, told, given in (
        ("base", base, terms.base),
        ("quote", quote, terms.quote),
        ("settle", settle, terms.settle),
    ):
        if told and given and told != given:
            raise BadInput(field, given, f"the symbol {terms.symbol} says {told}", remedy="Make the two agree.")
        if not told and not given and field != "settle":
            raise BadInput(field, "", "missing, and the symbol does not tell it", remedy=f"Fill in {field}.")
    base, quote = base or terms.base, quote or terms.quote
    return base, quote, settle or terms.settle or quote


def _kind(derivative: bool, base: str, quote: str, settle: str) -> InstrumentKind:  # noqa: FBT001 - what ":" says
    if settle == quote:
        return "linear" if derivative else "spot"
    return "inverse" if settle == base else "quanto"


def _check_kind(kind: InstrumentKind, base: str, quote: str, settle: str) -> None:
    """Who pays in which currency is what tells the kinds apart."""
    pays = {"spot": quote, "linear": quote, "inverse": base}.get(kind, settle)
    if settle != pays:
        raise BadInput("settle", settle, f"{kind} instruments pay in {pays}", remedy="Mend kind or settle.")
