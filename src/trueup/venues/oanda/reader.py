"""Recognise a saved OANDA answer by its content and hand it to the module that reads its kind.

Answers build on one another: the account's answer tells the home currency, whether it is a hedging account and its open
trades; the instruments answer tells steps; earlier transactions tell what later ones refer to by id alone. So read
instruments and account before transactions, and transactions in order.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

import msgspec

from trueup.model.errors import BadInput, Malformed
from trueup.model.events import InstrumentDefined
from trueup.model.identifiers import AccountId
from trueup.model.numbers import exact
from trueup.model.positions import OpenOrder
from trueup.ports import Reading
from trueup.venues import looks, rows
from trueup.venues.files import json_value
from trueup.venues.lines import json_lines
from trueup.venues.oanda import fields, instruments, orders, state, transactions
from trueup.venues.oanda.known import Known
from trueup.venues.rows import Row

_NOTHING_TO_BOOK = {
    "candles": "candles",
    "latestCandles": "candles",
    "orderBook": "an order book",
    "positionBook": "a position book",
    "prices": "prices",
    "accounts": "the list of accounts a token may see",
}
"""Answers of OANDA that hold neither facts nor the state of an account, by the field that tells them."""

_HEARTBEAT = "HEARTBEAT"

_USEFUL = "Import answers of transactions, account, openPositions, pendingOrders or instruments."


class OandaReader:
    """Reads the saved answers of one OANDA account, in the order they are given."""

    def __init__(
        self,
        account: AccountId,
        home_currency: str = "",
        *,
        hedging: bool | None = None,
        open_orders: Iterable[OpenOrder] = (),
        learnt: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """A reader that knows of the account only what it is told here.

        Args:
            account: The ledger to book to.
            home_currency: Of the OANDA account, for when its own answer is not among the files.
            hedging: Whether the account holds long and short positions side by side; None when not known.
            open_orders: What the book holds open, so that a cancel which names only an id is understood.
            learnt: What answers read earlier said of the account; those of another account are refused.
        """
        self._known = Known(account, home_currency, hedging=hedging, open_orders=open_orders, learnt=learnt)

    @property
    def hedging(self) -> bool | None:
        """Whether the account holds long and short positions side by side; None while unknown."""
        return self._known.hedging

    @property
    def home_currency(self) -> str:
        """The account's home currency; empty while unknown."""
        return self._known.home

    @property
    def learnt(self) -> Mapping[str, str]:
        """What answers said of the account so far, by name."""
        return dict(self._known.learnt)

    def fork(self, *, orders: bool = True) -> "OandaReader":
        """A reader that knows the same, and learns apart from this one.

        Args:
            orders: Whether it knows the orders too. One that does not reports only those whose creation it reads: so it
                never states a part of what was filled as the whole.
        """
        reader = OandaReader(self._known.account)
        reader._known = self._known.fork(orders=orders)
        return reader

    def go_on(self) -> None:
        """Take what came before for booked, so that no opening balance is needed."""
        self._known.created = True

    def forget_ended(self) -> None:
        """Drop orders and trades that have ended: no later row refers to them."""
        self._known.forget_ended()

    def read(self, name: str, data: bytes, request: bytes | None = None) -> Reading:
        """Recognise and parse one answer; the request it answered is not needed.

        Raises:
            Malformed: Not an answer of OANDA, one that holds nothing to book or compare, or one of another account.
        """
        del request
        before = dict(self._known.learnt)
        try:
            with exact():
                reading = _read(name, data, self._known)
        except BadInput as error:
            self._known.learnt = before  # nothing is believed of an answer that is refused
            raise Malformed(f"{name}: {error.field}={error.value!r}: {error.problem}.", remedy=error.remedy) from None
        learnt = dict(self._known.learnt.items() - before.items())
        return msgspec.structs.replace(reading, learnt=learnt) if learnt else reading


def _read(name: str, data: bytes, known: Known) -> Reading:
    try:
        answer = json_value(name, data)
    except Malformed:
        lines = json_lines(name, data)
        values = [line for _, line in lines if not isinstance(line, bytes)]
        if not any(map(_is_transaction, values)):
            if len(values) > 1:
                raise _not_transactions(name, values) from None
            raise
        return _stream(name, lines, known)
    if isinstance(answer, dict) and "url" in answer and "response" in answer:
        answer = answer["response"]  # published samples stand in such a wrapper
    if isinstance(answer, list):
        if not any(map(_is_transaction, answer)):
            raise _not_transactions(name, answer)
        return _stream(name, list(enumerate(answer, start=1)), known)
    row = rows.as_row(answer, "answer")
    for field, read in _READ.items():
        if field in row:
            return read(name, row, known)
    if _is_transaction(row):
        return _stream(name, [(1, row)], known)
    if any(field.endswith("Transaction") for field in row):
        return _outcome(name, row, known)
    raise _holds_nothing(name, row)


def _is_transaction(value: object) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        return False
    return isinstance(value.get("id"), str) or value["type"] == _HEARTBEAT


def _stream(name: str, lines: Iterable[tuple[int, object]], known: Known) -> Reading:
    """Lines of the transaction stream: transactions, and heartbeats that name the last of them."""
    numbered, last = [], 0
    for number, value in lines:
        if isinstance(value, dict) and value.get("type") == _HEARTBEAT:
            last = max(last, fields.transaction_id(value, "lastTransactionID"))
        else:
            numbered.append((number, value))
    return transactions.read(name, "transaction stream", numbered, known, last)


def _outcome(name: str, answer: Row, known: Known) -> Reading:
    """The answer to an order, a cancel or a change: it carries the transactions that came of it."""
    carried = [value for field, value in answer.items() if field.endswith("Transaction")]
    return transactions.read(name, "outcome", enumerate(carried, start=1), known)


def _transactions(name: str, answer: Row, known: Known) -> Reading:
    listed = rows.records(answer, "transactions")
    return transactions.read(name, "transactions", enumerate(listed, start=1), known)


def _transaction(name: str, answer: Row, known: Known) -> Reading:
    return transactions.read(name, "transaction", [(1, answer["transaction"])], known)


def _changes(name: str, answer: Row, known: Known) -> Reading:
    """Only its transactions: what else it shows is what they did, and its state is a part of the account's."""
    listed = rows.records(rows.record(answer, "changes"), "transactions")
    return transactions.read(name, "changes", enumerate(listed, start=1), known)


def _trades(_name: str, answer: Row, known: Known) -> Reading:
    """Open trades tell which instrument an order on a trade is of; positions are read from their own answer."""
    listed = rows.records(answer, "trades") if "trades" in answer else [answer["trade"]]
    count = state.learn_trades(listed, known)
    return Reading("trades", rows=count, note="nothing to book: positions are read from openPositions or the account")


def _order(_name: str, answer: Row, known: Known) -> Reading:
    """One order: while it is pending, its creation."""
    report = orders.listed(rows.record(answer, "order"), known)
    if report is None:
        return Reading("order", rows=1, note="the order has ended: its transactions tell how")
    known.orders.setdefault(report.venue_order_id, report)
    return Reading("order", transactions.with_definitions([report], known), rows=1)


def _instruments(name: str, answer: Row, known: Known) -> Reading:
    facts, refused = [], []
    listed = rows.records(answer, "instruments")
    for number, value in enumerate(listed, start=1):
        try:
            instrument = instruments.from_row(rows.as_row(value))
        except BadInput as error:
            refused.append(rows.refused(name, number, value, error))
            continue
        known.define(instrument)
        facts.append(InstrumentDefined(known.account, instrument))
    return Reading("instruments", facts, refused, rows=len(listed))


_READ: dict[str, Callable[[str, Row, Known], Reading]] = {
    "transactions": _transactions,
    "transaction": _transaction,
    "changes": _changes,
    "account": state.account,
    "positions": state.positions,
    "position": state.position,
    "orders": state.pending_orders,
    "order": _order,
    "trades": _trades,
    "trade": _trades,
    "instruments": _instruments,
}
"""By the field that tells what an answer is."""


def _holds_nothing(name: str, answer: Row) -> Malformed:
    """Why an answer is refused as a whole."""
    if "pages" in answer:
        return Malformed(
            f"{name} only links to pages of transactions.",
            remedy="Fetch each of its idrange pages, and import those.",
        )
    for field, what in _NOTHING_TO_BOOK.items():
        if field in answer:
            return Malformed(
                f"{name} holds {what}: nothing to book or compare.", remedy="Import account or transaction answers."
            )
    if "errorMessage" in answer:
        return Malformed(
            f"{name} is an error of OANDA, not an answer.",
            remedy="Ask again.",
            venue_code=rows.shown(answer.get("errorCode", "")),
            venue_text=rows.shown(answer["errorMessage"]),
        )
    return Malformed(
        f"{name} is not recognised as an answer of OANDA; its fields are: {rows.shown(', '.join(answer))}.",
        remedy=looks.other_venue(answer, "oanda") or f"Instead of {name}: {_USEFUL}",
    )


def _not_transactions(name: str, values: Sequence[object]) -> Malformed:
    """Why a list is refused as a whole: none of it is a transaction."""
    if not values:
        return Malformed(
            f"{name}: an empty list does not say what it is a list of.", remedy="Leave it out: it holds nothing."
        )
    return Malformed(
        f"{name} is not recognised as an answer of OANDA: no row of it is a transaction with an id and a type.",
        remedy=looks.other_venue(list(values), "oanda") or f"Instead of {name}: {_USEFUL}",
    )
