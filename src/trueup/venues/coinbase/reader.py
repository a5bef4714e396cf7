"""Recognise a saved Coinbase answer by its content and hand it to the module that reads its kind.

Read the answer of ``products`` for futures first: what a contract is worth stands nowhere else. Answers of the gateway
for global derivatives are those of another machine (JSON-RPC), told by their envelope.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from trueup.model.errors import BadInput, Malformed
from trueup.model.events import InstrumentDefined
from trueup.model.identifiers import AccountId
from trueup.model.instruments import Instrument
from trueup.model.numbers import exact
from trueup.ports import Reading
from trueup.venues import looks, rows
from trueup.venues.coinbase import messages, orders, products, state
from trueup.venues.coinbase.context import Context
from trueup.venues.coinbase.fills import Trades
from trueup.venues.coinbase.products import Products
from trueup.venues.files import json_value
from trueup.venues.jsonrpc_derivatives.reader import Engine, EngineReader, method_of
from trueup.venues.lines import json_lines
from trueup.venues.rows import Row

_USEFUL = "Import answers of accounts, products, fills, orders, cfm/positions or cfm/balance_summary."

_GATEWAY = Engine("Coinbase's gateway", wallet="global")
"""Its money is apart from that of spot and of US futures."""

_ANOTHERS = "lastTransactionID"
"""OANDA's answers share the names of fields with these, and have this one besides."""

_NOTHING_TO_BOOK: Mapping[str, str] = {
    "fee_tier": "the fee tier and volumes (transaction_summary)",
    "pricebook": "an order book",
    "pricebooks": "best bids and asks",
    "candles": "candles",
    "best_bid": "market trades",
    "bids": "an order book",
    "trade": "a conversion's quote or state, which names no account's time and amount to book",
    "portfolios": "the list of portfolios",
    "portfolio": "a portfolio's name",
    "payment_methods": "payment methods",
    "margin_window": "the margin window",
    "setting": "the intraday margin setting",
    "sweeps": "pending sweeps, which have moved nothing yet",
    "source_portfolio_uuid": "the acknowledgement of a transfer between portfolios, without its amount",
    "multi_asset_collateral_enabled": "a setting",
    "can_view": "what a key may do",
    "epochMillis": "the server's time",
    "order_total": "the preview of an order",
    "data": "an answer of the older interface (/v2), of which nothing is booked",
}
"""Answers of Coinbase that hold neither facts nor the state of an account, by the field that tells them."""


class CoinbaseReader:
    """Reads the saved answers of one Coinbase account, in the order they are given.

    Args:
        account: The ledger to book to.
        instruments: Terms that the book knows from earlier imports, so that futures need not be explained again.
    """

    def __init__(self, account: AccountId, instruments: Iterable[Instrument] = ()) -> None:
        self._account = account
        self._products = Products(instruments)
        self._trades = Trades()
        self._gateway = EngineReader(account, _GATEWAY)

    def read(self, name: str, data: bytes, request: bytes | None = None) -> Reading:
        """Recognise and parse one answer, or the messages of a feed, one a line.

        Args:
            name: For reports.
            data: The answer.
            request: The body of the request, where it was saved; only the gateway's says what was asked.

        Raises:
            Malformed: Not an answer of Coinbase, or one that holds nothing to book or compare.
        """
        context = Context(name, self._account, self._products)
        try:
            with exact():
                return self._read(context, data, request)
        except BadInput as error:
            raise Malformed(f"{name}: {error.field}={error.value!r}: {error.problem}.", remedy=error.remedy) from None

    def _read(self, context: Context, data: bytes, request: bytes | None) -> Reading:
        try:
            answer = json_value(context.name, data)
        except Malformed:
            lines = json_lines(context.name, data)
            if not any(messages.is_message(value) for _, value in lines):
                raise
            return _messages(context, lines)
        if isinstance(answer, list) and any(map(messages.is_message, answer)):
            return _messages(context, list(enumerate(answer, start=1)))
        if messages.is_message(answer):
            return _messages(context, [(1, answer)])
        if not isinstance(answer, dict) or _ANOTHERS in answer:
            raise _not_recognised(context.name, answer)
        if "jsonrpc" in answer:
            return self._gateway.answer(context.name, answer, method_of(request))
        return self._answer(context, answer)

    def _answer(self, context: Context, answer: Row) -> Reading:
        if "fills" in answer:
            items = rows.records(answer, "fills")
            fills, used, refused = self._trades.read(context, items)
            return Reading("fills", context.with_definitions(fills, used), refused, rows=len(items))
        for field, read in _READ.items():
            if field in answer:
                return read(context, answer)
        if "product_id" in answer and "base_increment" in answer:
            return _products(context, {"products": [answer]})
        raise _holds_nothing(context.name, answer)


def _messages(context: Context, numbered: Sequence[tuple[int, object]]) -> Reading:
    reading = messages.read_messages(context, numbered)
    if not (reading.facts or reading.refused or reading.snapshot):
        raise Malformed(
            f"{context.name}: no message of it holds anything to book or compare.",
            remedy="Save messages of the user channel.",
        )
    return reading


def _products(context: Context, answer: Row) -> Reading:
    items = rows.records(answer, "products")
    found, refused = products.read_products(context.name, items, context.products)
    facts = [InstrumentDefined(context.account, instrument) for instrument in found]
    return Reading("products", facts, refused, rows=len(items))


def _account(context: Context, answer: Row) -> Reading:
    """One wallet: the others' balances are answers of their own, so nothing can be compared."""
    del context
    rows.record(answer, "account")
    return Reading("account", rows=1, note="one wallet alone is not compared: save the answer of accounts (limit=250)")


def _positions(context: Context, answer: Row) -> Reading:
    return state.read_positions(context, rows.records(answer, "positions"))


def _position(context: Context, answer: Row) -> Reading:
    return state.read_positions(context, [answer["position"]], one=True)


def _summary(context: Context, answer: Row) -> Reading:
    return state.read_summary(context, rows.record(answer, "balance_summary"))


def _breakdown(context: Context, answer: Row) -> Reading:
    return state.read_breakdown(context, rows.record(answer, "breakdown"))


def _order(context: Context, answer: Row) -> Reading:
    reports, used, refused = orders.read_reports(context, [answer["order"]])
    return Reading("order", context.with_definitions(reports, used), refused, rows=1)


def _created(context: Context, answer: Row) -> Reading:
    """The answer to an order, an edit or a close. It has no time: what became of the order stands in its own answer."""
    del context
    if rows.flag(answer, "success", default=False):
        order = rows.record(answer, "success_response") if answer.get("success_response") else {}
        order_id = rows.optional_identifier(order, "order_id")
        note = f"accepted{f' as {order_id}' if order_id else ''}, which is not yet an order: fetch orders/historical"
    else:
        error = rows.record(answer, "error_response") if answer.get("error_response") else {}
        said = rows.optional_text(error, "error") or rows.optional_text(error, "message")
        note = f"refused by the venue{f' ({said})' if said else ''}: nothing was placed or changed"
    return Reading("outcome", rows=1, note=note)


def _cancelled(context: Context, answer: Row) -> Reading:
    """The answer to a cancel: which were taken up. That they ended stands in their own answer."""
    del context
    results = rows.records(answer, "results")
    return Reading("outcome", rows=len(results), note="what became of the orders stands in orders/historical")


_READ: dict[str, Callable[[Context, Row], Reading]] = {
    "accounts": state.read_accounts,
    "account": _account,
    "products": _products,
    "orders": orders.read_listed,
    "success": _created,
    "order": _order,
    "results": _cancelled,
    "positions": _positions,
    "position": _position,
    "balance_summary": _summary,
    "breakdown": _breakdown,
}
"""By the field that tells what an answer is."""


def _holds_nothing(name: str, answer: Row) -> Malformed:
    """Why an answer is refused as a whole."""
    for field, what in _NOTHING_TO_BOOK.items():
        if field in answer:
            return Malformed(f"{name} holds {what}: nothing to book or compare.", remedy=_USEFUL)
    if "error" in answer or "errors" in answer:
        return Malformed(
            f"{name} is an error of Coinbase, not an answer.",
            remedy="Ask again.",
            venue_code=rows.shown(answer.get("error", "")),
            venue_text=rows.shown(answer.get("message", answer.get("errors", ""))),
        )
    return _not_recognised(name, answer)


def _not_recognised(name: str, answer: object) -> Malformed:
    return Malformed(
        f"{name} is not recognised as an answer of Coinbase.",
        remedy=looks.other_venue(answer, "coinbase") or f"Instead of {name}: {_USEFUL}",
    )
