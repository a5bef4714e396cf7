"""What a path or its query picks: transactions by id, orders and trades by state, pages."""

from collections.abc import Container, Mapping, Sequence
from urllib.parse import urlencode

from trueup.testing.servers.oanda import wire
from trueup.testing.servers.oanda.books import Books
from trueup.testing.servers.oanda.markets import Markets
from trueup.testing.servers.oanda.shows import Shows
from trueup.testing.servers.oanda.trades import Trade
from trueup.testing.servers.oanda.wire import Refusal, Row

Query = Mapping[str, str]

PAGE, PAGE_MAX = 100, 1_000
"""Transactions on a page: where nothing is said, and at most."""

LIST, LIST_MAX = 50, 500
"""Orders or trades in a list: where nothing is said, and at most."""

_ORDER_STATES = frozenset({"PENDING", "FILLED", "TRIGGERED", "CANCELLED", "ALL"})
_TRADE_STATES = frozenset({"OPEN", "CLOSED", "CLOSE_WHEN_TRADEABLE", "ALL"})


def names(text: str | None, markets: Markets) -> list[str]:
    """Names of instruments in a list. Raises :class:`Refusal` for one that is not known."""
    return [known(name, markets, "instruments") for name in text.split(",")] if text else []


def known(name: str, markets: Markets, field: str = "instrument") -> str:
    """The name of an instrument. Raises :class:`Refusal`."""
    if name not in markets:
        raise wire.invalid(field)
    return name


def since(books: Books, query: Query, field: str = "sinceTransactionID") -> int:
    """An id that the account has reached. Raises :class:`Refusal`."""
    number = wire.transaction_id(query.get(field), field)
    if number > int(books.last_id):
        raise Refusal(416, "The transaction ID range requested is not satisfiable")
    return number


def since_id(books: Books, query: Query, most: int) -> Row:
    """Transactions behind an id, as many as one answer holds."""
    rows = books.after(since(books, query, "id"))[:most]
    return {"transactions": _of_types(rows, query), "lastTransactionID": books.last_id}


def id_range(books: Books, query: Query, most: int) -> Row:
    """Transactions from one id to another, both included, as many as one answer holds."""
    first, last = since(books, query, "from"), wire.transaction_id(query.get("to"), "to")
    if not 0 < first <= last:
        raise wire.invalid("from")
    rows = books.after(first - 1)[: min(last - first + 1, most)]
    return {"transactions": _of_types(rows, query), "lastTransactionID": books.last_id}


def transaction(books: Books, number: str) -> Row:
    """One transaction. Raises :class:`Refusal`."""
    index = wire.transaction_id(number, "transactionID") - 1
    if not 0 <= index < len(books.transactions):
        raise _missing(books, "TRANSACTION")
    return books.transactions[index]


def pages(books: Books, query: Query, base: str, now: int) -> Row:
    """Links to the transactions of a time, by pages."""
    size = wire.count(query.get("pageSize"), "pageSize", PAGE, PAGE_MAX)
    newest = books.transactions[-1]["time"] if books.transactions else ""
    first = wire.stamp(wire.moment(query["from"], "from") if "from" in query else 0)
    last = wire.stamp(wire.moment(query["to"], "to")) if "to" in query else max(newest, wire.stamp(now))
    rows = [row for row in books.transactions if first <= row["time"] <= last]  # their texts order as their times do
    types = {"type": query["type"]} if "type" in query else {}
    links = []
    for start in range(0, len(rows), size):
        page = rows[start : start + size]
        links.append(f"{base}/idrange?" + urlencode({"from": page[0]["id"], "to": page[-1]["id"], **types}))
    opened = books.transactions[0]["time"] if books.transactions else first
    return {
        "from": max(first, opened),
        "to": last,
        "pageSize": size,
        "count": len(rows),
        "pages": links,
        "lastTransactionID": books.last_id,
    }


def order(books: Books, specifier: str) -> Row:
    """One order: by the venue's id in any state, by the client's while it is pending. Raises :class:`Refusal`."""
    found = books.orders.find(specifier, ended=False)
    if found is None:
        raise _missing(books, "ORDER")
    return found.row()


def trade(books: Books, specifier: str) -> Trade:
    """One trade. Raises :class:`Refusal`."""
    found = books.trades.find(specifier)
    if found is None:
        raise _missing(books, "TRADE")
    return found


def orders(books: Books, query: Query, *, count: int | None = LIST) -> list[Row]:
    """Orders, the newest first; pending ones where nothing is said, and all of them where ``count`` is None."""
    state = _one_of(query, "state", "PENDING", _ORDER_STATES)
    rows = [found.row() for found in books.orders.all() if state in {"ALL", found.state}]
    return _picked(rows, query, count)


def trades(books: Books, shows: Shows, query: Query) -> list[Row]:
    """Trades, the newest first; open ones where nothing is said."""
    state = _one_of(query, "state", "OPEN", _TRADE_STATES)
    shown = {"OPEN": (True,), "CLOSED": (False,), "ALL": (True, False)}.get(state, ())
    rows = [shows.trade(found) for found in books.trades.all() if found.open in shown]
    return _picked(rows, query, LIST if query else None)


def _picked(rows: Sequence[Row], query: Query, count: int | None) -> list[Row]:
    ids = query["ids"].split(",") if "ids" in query else None
    before = wire.transaction_id(query["beforeID"], "beforeID") if "beforeID" in query else None
    most = None if count is None else wire.count(query.get("count"), "count", count, LIST_MAX)
    picked = [
        row
        for row in reversed(rows)
        if (ids is None or row["id"] in ids)
        and (before is None or int(row["id"]) <= before)
        and ("instrument" not in query or row.get("instrument") in query["instrument"].split(","))
    ]
    return picked[:most]


def _one_of(query: Query, field: str, default: str, allowed: Container[str]) -> str:
    value = query.get(field, default)
    if value not in allowed:
        raise wire.invalid(field)
    return value


def _of_types(rows: Sequence[Row], query: Query) -> list[Row]:
    if "type" not in query:
        return list(rows)
    types = query["type"].split(",")
    return [row for row in rows if row["type"] in types]


def _missing(books: Books, what: str) -> Refusal:
    more = {"lastTransactionID": books.last_id}
    return Refusal(404, f"The {what.lower()} ID specified does not exist", f"NO_SUCH_{what}", more)
