"""Transactions, in whatever answer they come, to facts: one table says what each kind does to the book.

A kind that is not in the table and states no money does nothing to the book and gives no fact, so that new kinds are
welcome. One that does state money is refused: money is never skipped.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

import msgspec

from trueup.model.errors import BadInput
from trueup.model.events import Fact, FillBooked, FundingPaid, InstrumentDefined, OrderReported
from trueup.ports import Reading, Refused
from trueup.venues import rows
from trueup.venues.oanda import fields, fills, money, orders, proof
from trueup.venues.oanda.known import Known
from trueup.venues.oanda.proof import Applied
from trueup.venues.rows import Row

_MONEY = ("accountBalance", "amount")
"""Fields that only a transaction which moves money has."""


class _Transaction(msgspec.Struct, frozen=True):
    number: int
    row_number: int
    kind: str
    row: Row


def read(name: str, kind: str, numbered: Iterable[tuple[int, object]], known: Known, last: int = 0) -> Reading:
    """Book every transaction of an answer, by id whatever order they stand in.

    Args:
        name: Of the answer.
        kind: What the answer was recognised as.
        numbered: Its rows with their numbers.
        known: What is known of the account; learns from them.
        last: Id of the account's last transaction, where the answer should hold all up to it.
    """
    transactions, refused = _sorted(name, numbered)
    count = len(transactions) + len(refused)
    _check_account(transactions, known)
    _learn_home(transactions, known)
    _follow_trades(transactions, known)
    applied: list[Applied] = []
    orphans: list[str] = []
    for transaction in transactions:
        try:
            facts = _facts(transaction, known)
            balance = rows.optional_decimal(transaction.row, "accountBalance")
            step = Applied(transaction.number, fields.time(transaction.row), facts, balance)
            _learn(transaction, facts, known)
            orphans += _orphan(transaction, facts, known)
            applied.append(step)
        except BadInput as error:
            refused.append(rows.refused(name, transaction.row_number, transaction.row, error))
    facts = [*proof.opening(applied, known), *(fact for step in applied for fact in step.facts)]
    notes = proof.findings(applied, [transaction.number for transaction in transactions], last)
    if orphans:
        notes.append(f"nothing is reported of orders {', '.join(orphans[:5])}, whose creation or trade was not read")
    if not facts and not refused:
        notes.append("nothing to book")
    refused.sort(key=_row)
    return Reading(kind, with_definitions(facts, known), refused, rows=count, note="; ".join(notes))


def with_definitions(facts: Sequence[Fact], known: Known) -> list[Fact]:
    """The facts, and before them the terms of every instrument they name, once each."""
    named = (fact.instrument for fact in facts if isinstance(fact, FillBooked | FundingPaid | OrderReported))
    defined = (known.defined(symbol) for symbol in dict.fromkeys(named))
    definitions = [InstrumentDefined(known.account, instrument) for instrument in defined if instrument is not None]
    return [*definitions, *facts]


def _sorted(name: str, numbered: Iterable[tuple[int, object]]) -> tuple[list[_Transaction], list[Refused]]:
    """The transactions by id, each once."""
    by_id: dict[int, _Transaction] = {}
    refused = []
    for row_number, value in numbered:
        try:
            row = rows.as_row(value)
            number = fields.transaction_id(row)
            transaction = _Transaction(number, row_number, rows.text(row, "type"), row)
            if by_id.setdefault(number, transaction).row != row:
                raise _twice(number)
        except BadInput as error:
            refused.append(rows.refused(name, row_number, value, error))
    return [by_id[number] for number in sorted(by_id)], refused


def _facts(transaction: _Transaction, known: Known) -> Sequence[Fact]:
    row, kind = transaction.row, transaction.kind
    if row.get("accountID") is not None:
        known.check_account(rows.text(row, "accountID"))
    if kind in _KINDS:
        return _KINDS[kind](row, known)
    if kind.endswith(("_ORDER", "_ORDER_REJECT")):
        report = orders.created(row, known)
        return [] if report is None else [report]
    if not kind.endswith("_REJECT") and any(row.get(field) is not None for field in _MONEY):
        raise BadInput("type", kind, "a kind of transaction that moves money and is not known", remedy=_UPDATE)
    return []


def _order_fill(row: Row, known: Known) -> Sequence[Fact]:
    report = orders.filled(row, known, abs(fields.units(row)))
    return [*fills.fills(row, known), *([] if report is None else [report])]


def _order_cancel(row: Row, known: Known) -> Sequence[Fact]:
    report = orders.canceled(row, known)
    return [] if report is None else [report]


def _create(row: Row, known: Known) -> Sequence[Fact]:
    """The account's first transaction."""
    known.learn_home(rows.text(row, "homeCurrency"))
    known.created = True
    return []


_KINDS: dict[str, Callable[[Row, Known], Sequence[Fact]]] = {
    "CREATE": _create,
    "ORDER_FILL": _order_fill,
    "ORDER_CANCEL": _order_cancel,
    "DAILY_FINANCING": money.financing,
    "DIVIDEND_ADJUSTMENT": money.dividend,
    "TRANSFER_FUNDS": money.transfer,
}

_UPDATE = "Book it as a row of the generic format, or with a version of trueup that knows it."


def _check_account(transactions: Iterable[_Transaction], known: Known) -> None:
    """Refuse the whole answer for a transaction of another account; raises :class:`BadInput`."""
    for transaction in transactions:
        named = transaction.row.get("accountID")
        if isinstance(named, str) and named:
            known.check_account(rows.text(transaction.row, "accountID"))


def _follow_trades(transactions: Iterable[_Transaction], known: Known) -> None:
    """Find out whether both sides were held before any fill is booked as if they could not be."""
    for transaction in transactions:
        if transaction.kind == "ORDER_FILL":
            with suppress(BadInput):  # a bad row is refused when its own turn comes
                fills.follow(transaction.row, known)


def _learn_home(transactions: Iterable[_Transaction], known: Known) -> None:
    """Find the home currency before it is needed: the account's creation or any fill in it may tell."""
    for transaction in transactions:
        if known.home:
            return
        try:
            if transaction.kind == "CREATE":
                currency = rows.optional_text(transaction.row, "homeCurrency")
            else:
                currency = fills.home_currency(transaction.row, known) if transaction.kind == "ORDER_FILL" else ""
            if currency:
                known.learn_home(currency)
        except BadInput:
            continue  # a bad row proves nothing here; it is refused when its own turn comes


def _learn(transaction: _Transaction, facts: Iterable[Fact], known: Known) -> None:
    """Keep what later rows refer to by id alone."""
    opened = fills.opened(transaction.row, known) if transaction.kind == "ORDER_FILL" else None
    if opened is not None:
        trade_id, trade = opened
        known.trades[trade_id] = trade
    known.orders.update((fact.venue_order_id, fact) for fact in facts if isinstance(fact, OrderReported))


def _orphan(transaction: _Transaction, facts: Sequence[Fact], known: Known) -> list[str]:
    """The order that a transaction tells something about which cannot be booked, as its creation was not read."""
    if transaction.kind.endswith("_ORDER"):
        return [] if facts else [str(transaction.number)]
    if transaction.kind not in ("ORDER_FILL", "ORDER_CANCEL"):
        return []
    order = rows.optional_identifier(transaction.row, "orderID")
    return [order] if order and order not in known.orders else []


def _row(refused: Refused) -> int:
    return refused.row


def _twice(number: int) -> BadInput:
    return BadInput(
        "id",
        number,
        "this transaction stands twice, with different contents",
        remedy="Fetch it again (GET /accounts/ID/transactions/ID).",
    )
