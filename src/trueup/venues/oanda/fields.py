"""How OANDA writes ids and times, wherever they stand."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

from trueup.model.errors import BadInput, Malformed
from trueup.model.numbers import ZERO
from trueup.model.times import NS_PER_SECOND
from trueup.venues import rows
from trueup.venues.files import json_value
from trueup.venues.rows import Row

T = TypeVar("T")

_UNIX = re.compile(r"([0-9]{1,10})(?:\.([0-9]{1,9}))?", re.ASCII)


def of_answer(name: str, data: bytes, read: Callable[[Row], T]) -> T:
    """What ``read`` takes from an answer. Raises :class:`Malformed` where it is not what it should be."""
    try:
        return read(rows.as_row(json_value(name, data), "answer"))
    except BadInput as error:
        raise Malformed(f"{name}: {error.field}={error.value!r}: {error.problem}.", remedy=error.remedy) from error


def last_transaction(answer: Row) -> int:
    """The account's last transaction when it answered."""
    return transaction_id(answer, "lastTransactionID")


def transaction_id(row: Row, field: str = "id") -> int:
    """A transaction's id: a whole number in a text, to be compared as a number ("999" comes before "1000")."""
    number = rows.integer(row, field)
    if number <= 0:
        raise BadInput(field, number, "not a transaction id", remedy="Ids count from 1; check the row at its source.")
    return number


def time(row: Row, field: str = "time") -> int:
    """Nanoseconds, from either of the two notations a request may ask for: RFC 3339, or seconds since 1970."""
    match = _UNIX.fullmatch(rows.text(row, field))
    if match is None:
        return rows.moment(row, field)
    seconds, fraction = match.groups()
    return int(seconds) * NS_PER_SECOND + int((fraction or "").ljust(9, "0"))


def client_id(row: Row) -> str:
    """The id the client gave the order; empty when it gave none."""
    return rows.optional_text(rows.record(row, "clientExtensions"), "id") if row.get("clientExtensions") else ""


def units(row: Row, field: str = "units") -> Decimal:
    """A signed quantity that is not zero: positive buys, negative sells."""
    number = rows.decimal(row, field)
    if not number:
        raise BadInput(field, number, "zero units", remedy="Check the row at its source.")
    return number


def amount(row: Row, field: str) -> Decimal:
    """Money in the home currency; zero where the row does not have the field, which came with later versions."""
    return rows.optional_decimal(row, field) or ZERO
