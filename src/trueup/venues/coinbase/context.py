"""What a parser of one answer has to know besides the answer, and how Coinbase writes amounts of money."""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import TypeVar

import msgspec

from trueup.model.errors import BadInput
from trueup.model.events import Fact, InstrumentDefined
from trueup.model.identifiers import AccountId, Side
from trueup.model.instruments import Instrument
from trueup.venues import rows
from trueup.venues.coinbase.products import Products
from trueup.venues.rows import Row

T = TypeVar("T")

SIDES: dict[str, Side] = {"BUY": "buy", "SELL": "sell"}


class Context(msgspec.Struct, frozen=True):
    """Of one answer.

    Attributes:
        name: The answer's, for reports.
        account: Whose facts these become.
        products: Known so far in this import.
    """

    name: str
    account: AccountId
    products: Products

    def with_definitions(self, facts: Sequence[Fact], used: Iterable[Instrument]) -> list[Fact]:
        """The facts, and before them the terms of the instruments they name, once each."""
        named = sorted({instrument.symbol: instrument for instrument in used}.items())
        return [*(InstrumentDefined(self.account, instrument) for _, instrument in named), *facts]


def money(row: Row, field: str, read: Callable[[Row, str], T]) -> T:
    """An amount in either of the two notations: a text, or in newer answers ``{"value", "currency"}``."""
    value = row.get(field)
    if not isinstance(value, dict):
        return read(row, field)
    try:
        return read(value, "value")
    except BadInput as error:
        raise BadInput(f"{field}.value", error.value, error.problem, remedy=error.remedy) from None


def optional_money(row: Row, field: str) -> Decimal | None:
    """An amount in either notation; None where nothing is stated."""
    return money(row, field, rows.optional_decimal)
