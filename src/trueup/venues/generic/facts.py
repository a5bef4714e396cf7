"""One row to one fact: the columns its kind has, the instrument's canonical name, and an identity."""

from collections.abc import Callable
from typing import Any

from trueup.model import events as e
from trueup.model.errors import BadInput
from trueup.model.identifiers import AccountId
from trueup.model.instruments import Instrument
from trueup.model.numbers import ZERO, canonical
from trueup.venues import rows
from trueup.venues.generic import cells, instruments
from trueup.venues.generic.instruments import Catalogue
from trueup.venues.generic.kinds import IDS, INSTRUMENT_COLUMNS, KINDS
from trueup.venues.rows import Row, WeakIds

_INSTRUMENT_NAMES = ("instrument", "near", "far")
"""Columns that name an instrument."""

Values = dict[str, Any]
"""A fact's attributes by name, on their way into it."""


class Facts:
    """Makes the facts of one file, and remembers which instruments they need."""

    def __init__(self, account: AccountId, catalogue: Catalogue) -> None:
        self._account = account
        self._catalogue = catalogue
        self._weak = WeakIds()
        self.used: dict[tuple[str, int], Instrument] = {}

    def fact(self, row: Row) -> e.Fact:
        """The fact of a row whose cells are all filled.

        Raises:
            BadInput: A cell at fault, missing, or of another kind of row.
        """
        word = rows.text(row, "kind")
        kind = rows.one_of(row, "kind", KINDS)
        what = f"a row of kind {word}"
        _check_columns(row, {*kind.required, *kind.optional}, what)
        cells.require(row, kind.required, what)
        values: Values = cells.read(row, {**kind.required, **kind.optional})
        if "position_side" in kind.optional:
            values.setdefault("position_side", "net")
        self._name_instruments(values)
        if word in _COMPLETE:
            _COMPLETE[word](values, self)
        if "instrument_version" not in kind.fact.__struct_fields__:
            values.pop("instrument_version", None)
        identity = _identity(row) or (_report_id(values) if word == "order" else "")
        if not identity and kind.needs_id:
            remedy = "Fill in id: it keeps the row from being booked twice."
            raise BadInput("id", "", f"missing: {what} needs it", remedy=remedy)
        fact = kind.fact(account=self._account, **{kind.identity: identity}, **values)
        named: e.Fact = fact if identity else self._weak.name(fact)
        return named

    def define(self, row: Row) -> None:
        """Take the terms from a row of kind ``instrument``; raises :class:`BadInput` as :meth:`fact` does."""
        what = "a row of kind instrument"
        _check_columns(row, set(INSTRUMENT_COLUMNS), what)
        cells.require(row, ["instrument"], what)
        given = {name: row[column] for column, name in INSTRUMENT_COLUMNS.items() if column in row}
        try:
            known = instruments.instrument(given)
        except BadInput as error:
            column = next((column for column, name in INSTRUMENT_COLUMNS.items() if name == error.field), error.field)
            raise BadInput(column, error.value, error.problem, remedy=error.remedy) from None
        self._catalogue.add(known)
        self.used[known.symbol, known.version] = known

    def settle(self, values: Values) -> str:
        """The settlement currency of the instrument that a row names."""
        return self.used[values["instrument"], values["instrument_version"]].settle

    def _name_instruments(self, values: Values) -> None:
        """Put canonical symbols in place of the names, and the version of the terms that held."""
        for column in _INSTRUMENT_NAMES:
            if column in values:
                known = self._catalogue.at(values[column], values["venue_time"], values.get("instrument_version"))
                self.used[known.symbol, known.version] = known
                values[column] = known.symbol
                if column == "instrument":
                    values["instrument_version"] = known.version


def _check_columns(row: Row, allowed: set[str], what: str) -> None:
    """A filled cell that the kind has no use for would be lost; raises :class:`BadInput`."""
    for name in row:
        if name not in allowed and name != "kind" and name not in IDS:
            raise BadInput(name, row[name], f"{what} has no such cell", remedy="Leave it empty, or check the kind.")


def _identity(row: Row) -> str:
    """What stands under ``id``, or under its other name."""
    given = {rows.identifier(row, name) for name in IDS if name in row}
    if len(given) > 1:
        raise BadInput("id", row["id"], "another id than venue_trade_id", remedy="Fill in one of the two.")
    return next(iter(given), "")


def _report_id(values: Values) -> str:
    """A report of an order is known by the order and the state it tells."""
    state = (values["venue_order_id"], values["status"], canonical(values["filled"]), values["venue_time"])
    return ":".join(map(str, state))


def _complete_fill(values: Values, facts: Facts) -> None:
    """A fee that is not given was not paid; one that is given has a currency."""
    if values.setdefault("fee", ZERO) and "fee_currency" not in values:
        raise BadInput("fee_currency", "", "missing: a fee needs it", remedy="Fill in fee_currency.")
    values.setdefault("fee_currency", facts.settle(values))
    if ("settled_amount" in values) is not ("settled_currency" in values):
        missing = "settled_currency" if "settled_amount" in values else "settled_amount"
        raise BadInput(missing, "", "missing: the two go together", remedy=f"Fill in {missing}.")


def _complete_transfer(values: Values, _facts: Facts) -> None:
    """What came in was deposited and what went out withdrawn, unless the row says otherwise."""
    values.setdefault("reason", "deposit" if values["amount"] > 0 else "withdrawal")


def _check_order(values: Values, _facts: Facts) -> None:
    if values["filled"] > values["quantity"]:
        raise BadInput("filled", values["filled"], "more than the quantity", remedy="Check the row at its source.")


_COMPLETE: dict[str, Callable[[Values, Facts], None]] = {
    "fill": _complete_fill,
    "transfer": _complete_transfer,
    "order": _check_order,
}
"""What a kind fills in, or checks, beyond its cells one by one."""
