"""Recognise a saved answer of the engine by what its result has, and put together what its rows say.

An answer has no name of the method that it is of; an empty list says nothing of itself. The request, where it was
saved, names the method.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from trueup.book.orders import as_open
from trueup.model.differences import VenuePosition, VenueSnapshot
from trueup.model.errors import BadInput, Malformed
from trueup.model.events import Fact, InstrumentDefined
from trueup.model.facts import order_key
from trueup.model.identifiers import AccountId
from trueup.ports import Reading
from trueup.venues import rows
from trueup.venues.files import json_value
from trueup.venues.jsonrpc_derivatives import instruments, parts
from trueup.venues.jsonrpc_derivatives.parts import Context
from trueup.venues.rows import Row

_NOT_READ = "a row of it could not be read"
_USEFUL = "Import answers of get_user_trades_by_…, get_positions, get_account_summary, get_open_orders or …_log."

_OF_METHOD = (
    ("get_user_trades", "trades"),
    ("get_positions", "positions"),
    ("get_open_orders", "open orders"),
    ("get_order_history", "orders"),
    ("get_transaction_log", "transactions"),
    ("get_instruments", "instruments"),
    ("get_account_summaries", "balances"),
    ("get_account_summary", "balance"),
)
_OF_CHANNEL = (("user.trades.", "trades"), ("user.orders.", "orders"), ("user.portfolio.", "balance"))

_OF_ROW: Sequence[tuple[str, frozenset[str]]] = (
    ("trades", frozenset({"trade_id", "fee", "direction"})),
    ("transactions", frozenset({"type", "change", "currency"})),
    ("orders", frozenset({"order_id", "order_state"})),
    ("positions", frozenset({"size", "average_price", "instrument_name"})),
    ("instruments", frozenset({"instrument_name", "tick_size"})),
    ("balance", frozenset({"currency", "equity"})),
)
"""What a row has to have, most telling first."""


class Engine(msgspec.Struct, frozen=True):
    """One place where the engine runs.

    Attributes:
        title: For messages.
        wallet: In which its trades are kept apart in the account; empty where the account has no other.
        kinds: Of the instruments there that can be booked, in the engine's words.
        scope: What an access token for calls over HTTP is asked for besides; empty for nothing.
    """

    title: str
    wallet: str = ""
    kinds: tuple[str, ...] = ("future",)
    scope: str = ""


class EngineReader:
    """Reads saved answers of one account at one place."""

    def __init__(self, account: AccountId, engine: Engine) -> None:
        self._account = account
        self._engine = engine

    def read(self, name: str, data: bytes, request: bytes | None = None) -> Reading:
        """Recognise and parse one answer or one message.

        Raises:
            Malformed: Not an answer of the engine, an error of it, or one that holds nothing to book or compare.
        """
        try:
            return self.answer(name, rows.as_row(json_value(name, data), "answer"), method_of(request))
        except BadInput as error:
            raise Malformed(f"{name}: {error.field}={error.value!r}: {error.problem}.", remedy=error.remedy) from None

    def answer(self, name: str, value: Row, method: str = "") -> Reading:
        """What a decoded answer says; the method is that which was asked. Raises as :meth:`read`, and BadInput."""
        context = Context(name, self._account, self._engine.wallet, {})
        kind, items, more = self._found(name, value, method)
        if kind == "balance":
            return Reading(kind, rows=len(items), note="one currency alone is not compared: get_account_summaries is")
        if kind in _STATES:
            return _STATES[kind](context, items)
        return _facts(context, kind, items, more=more)

    def _found(self, name: str, value: Row, method: str) -> tuple[str, Sequence[object], bool]:
        """The kind of an answer, its rows, and whether they go on. Raises :class:`Malformed`."""
        if value.get("error") is not None:
            error = rows.record(value, "error")
            raise Malformed(
                f"{name} is an error of {self._engine.title}, not an answer.",
                remedy="Ask again.",
                venue_code=rows.shown(error.get("code", "")),
                venue_text=rows.shown(error.get("message", "")),
            )
        channel = ""
        result = value.get("result")
        if isinstance(value.get("params"), dict) and "result" not in value:
            message = rows.record(value, "params")
            channel, result = rows.text(message, "channel"), message.get("data")
        known = next((kind for start, kind in _OF_METHOD if start in method), "") or next(
            (kind for start, kind in _OF_CHANNEL if channel.startswith(start)), ""
        )
        items, more = _rows(result)
        whole = isinstance(result, dict) and "summaries" in result
        kind = known or ("balances" if whole else _kind(items))
        if not kind:
            raise Malformed(f"{name} holds nothing of an account at {self._engine.title}.", remedy=_USEFUL)
        return kind, items, more


def _rows(result: object) -> tuple[Sequence[object], bool]:
    """The rows of a result, however it lists them."""
    if isinstance(result, list):
        return result, False
    if not isinstance(result, dict):
        return [], False
    if isinstance(result.get("order"), dict) or isinstance(result.get("orders"), list):
        # What became of an order and its trades are told together: in the answer to it, and in user.changes.
        lists = ([result["order"]] if "order" in result else [], result.get("orders"), result.get("trades"))
        return [item for items in lists if isinstance(items, list) for item in items], False
    for field in ("trades", "logs", "summaries", "data"):
        if isinstance(result.get(field), list):
            return result[field], bool(result.get("has_more") or result.get("continuation"))
    return [result], False


def _kind(items: Sequence[object]) -> str:
    """The kind of the first row that has one; empty where none does. Open orders are told by the method alone."""
    for item in items:
        if isinstance(item, dict):
            for kind, fields in _OF_ROW:
                if fields <= item.keys():
                    return kind
    return ""


def method_of(request: bytes | None) -> str:
    """The method that a saved request asked for; empty when it was not saved or is not JSON."""
    try:
        value = json_value("request", request or b"{}")
    except Malformed:
        return ""
    return str(value.get("method") or "") if isinstance(value, dict) else ""


def _defined(context: Context) -> list[Fact]:
    return [InstrumentDefined(context.account, instrument) for _, instrument in sorted(context.used.items())]


def _facts(context: Context, kind: str, items: Sequence[object], *, more: bool) -> Reading:
    def read(row: Row) -> Fact | None:
        if kind == "transactions":
            return parts.money(context, row)
        return parts.fill(context, row) if "trade_id" in row else parts.order(context, row)

    found, refused = rows.read_each(context.name, items, read)
    facts = {(order_key(fact), str(fact)): fact for fact in found if fact is not None}
    notes = ["the list goes on"] if more else []
    if None in found:
        notes.append(f"{found.count(None)} rows hold what trades say, or nothing")
    ordered = [fact for _, fact in sorted(facts.items(), key=lambda item: item[0])]
    return Reading(kind, [*_defined(context), *ordered], refused, rows=len(items), note="; ".join(notes))


def _instruments(context: Context, items: Sequence[object]) -> Reading:
    found, refused = rows.read_each(context.name, items, lambda row: instruments.from_row(row, context.wallet))
    definitions = [InstrumentDefined(context.account, instrument) for instrument in found]
    return Reading("instruments", definitions, refused, rows=len(items))


def _positions(context: Context, items: Sequence[object]) -> Reading:
    """Positions of those currencies and kinds that were asked for: so they speak for what they list alone."""
    unmapped: dict[str, str] = {}
    listed: set[str] = set()

    def read(row: Row) -> VenuePosition | None:
        try:
            listed.add(context.instrument(row).symbol)
        except BadInput as error:
            if rows.decimal(row, "size"):
                unmapped[rows.text(row, "instrument_name")] = f"size {row['size']}: {error.problem}"
            return None
        return parts.position(context, row)

    found, refused = rows.read_each(context.name, items, read)
    snapshot = VenueSnapshot(
        context.account,
        positions=None if refused else {(held.instrument, "net"): held for held in found if held is not None},
        unmapped=unmapped,
        failed={"positions": _NOT_READ} if refused else {},
        position_scope=frozenset(listed),
        source=(context.name,),
    )
    return Reading("positions", refused=refused, snapshot=snapshot, rows=len(items))


def _balances(context: Context, items: Sequence[object]) -> Reading:
    """Balances of all currencies, of which none is left out."""
    found, refused = rows.read_each(context.name, items, lambda row: parts.balance(context, row))
    marked = sorted(currency for currency, amount in found if amount is None)
    problem = ""
    if refused or not found:
        problem = _NOT_READ if refused else "none is listed"
    elif marked:
        problem = f"marked to market while something is held: {', '.join(marked)}"
    snapshot = VenueSnapshot(
        context.account,
        balances=None if problem else {currency: amount for currency, amount in found if amount is not None},
        failed={"balances": problem} if problem else {},
        source=(context.name,),
    )
    return Reading("balances", refused=refused, snapshot=snapshot, rows=len(items))


def _open_orders(context: Context, items: Sequence[object]) -> Reading:
    found, refused = rows.read_each(context.name, items, lambda row: parts.order(context, row))
    snapshot = VenueSnapshot(
        context.account,
        open_orders=None if refused else {one.venue_order_id: as_open(one) for one in found},
        failed={"open_orders": _NOT_READ} if refused else {},
        source=(context.name,),
    )
    return Reading("open orders", refused=refused, snapshot=snapshot, rows=len(items))


_STATES: Mapping[str, Callable[[Context, Sequence[object]], Reading]] = {
    "balances": _balances,
    "positions": _positions,
    "open orders": _open_orders,
    "instruments": _instruments,
}
"""What is read of kinds that are no list of facts."""
