"""What an account may read of itself: positions, summaries, orders, trades and the log of its money."""

from collections.abc import Callable, Mapping

from trueup.testing.servers.jsonrpc_derivatives import wire
from trueup.testing.servers.jsonrpc_derivatives.accounts import user
from trueup.testing.servers.jsonrpc_derivatives.desk import ORDERS_KEPT_MS, TRADES_KEPT_MS, Desk, Method
from trueup.testing.servers.jsonrpc_derivatives.history import Trade
from trueup.testing.servers.jsonrpc_derivatives.markets import ANY, KINDS
from trueup.testing.servers.jsonrpc_derivatives.orders import Placed
from trueup.testing.servers.jsonrpc_derivatives.params import Params

TRADES_MAX, TRADES_USUAL = 1_000, 10
ORDERS_MAX, ORDERS_USUAL = 1_000, 20
LOG_MAX, LOG_USUAL = 250, 100

_SORTING = frozenset({"asc", "desc", "default"})
_TYPES: Mapping[str, frozenset[str]] = {
    "all": frozenset({"limit", "market", "stop_limit", "stop_market", "take_market"}),
    "limit": frozenset({"limit"}),
    "trigger_all": frozenset({"stop_limit", "stop_market", "take_market"}),
    "stop_all": frozenset({"stop_limit", "stop_market"}),
    "stop_limit": frozenset({"stop_limit"}),
    "stop_market": frozenset({"stop_market"}),
    "take_all": frozenset({"take_market"}),
    "take_market": frozenset({"take_market"}),
    "take_limit": frozenset(),
    "trailing_all": frozenset(),
    "trailing_stop": frozenset(),
}
"""Filters of open orders, and the kinds that pass."""

Chosen = Callable[[Trade | Placed], bool]


# --- what is held -----------------------------------------------------------------------------------------------------


def _positions(desk: Desk, params: Params) -> object:
    currency, kind = desk.markets.currency(params.text("currency", ANY)), params.choice("kind", KINDS, ANY)
    return desk.accounts.positions(desk.account, desk.history, currency, kind)


def _position(desk: Desk, params: Params) -> object:
    contract = desk.markets.named(params.text("instrument_name"))
    return desk.accounts.one_position(desk.account, desk.history, contract)


def _summary(desk: Desk, params: Params) -> object:
    (row,) = desk.accounts.summaries(desk.account, desk.history, [_currency(desk, params)])
    return {**(user(desk.history.user_id) if params.flag("extended") else {}), **row}


def _summaries(desk: Desk, params: Params) -> object:
    rows = desk.accounts.summaries(desk.account, desk.history, desk.markets.currencies)
    return {**(user(desk.history.user_id) if params.flag("extended") else {}), "summaries": rows}


# --- orders -----------------------------------------------------------------------------------------------------------


def _open_orders(of: Callable[[Desk, Params], Chosen]) -> Method:
    def read(desk: Desk, params: Params) -> object:
        kinds, chosen = _TYPES[params.choice("type", _TYPES.keys(), "all")], of(desk, params)
        orders = desk.history.orders.values()
        return [placed.row() for placed in orders if placed.working and placed.kind in kinds and chosen(placed)]

    return read


def _order_state(desk: Desk, params: Params) -> object:
    placed = desk.history.orders.get(params.text("order_id"))
    if placed is None or not _told_still(desk)(placed):
        raise wire.refused(10004, "order_not_found")
    return placed.row()


def _order_state_by_label(desk: Desk, params: Params) -> object:
    currency = _currency(desk, params)
    found, told = desk.history.labelled(params.text("label")), _told_still(desk)
    return [placed.row() for placed in found if placed.contract.currency == currency and told(placed)]


def _order_history(of: Callable[[Desk, Params], Chosen]) -> Method:
    def read(desk: Desk, params: Params) -> object:
        count = params.integer("count", ORDERS_USUAL, least=1, most=ORDERS_MAX)
        offset = params.integer("offset", 0)
        remembers = desk.memory(ORDERS_KEPT_MS, historical=params.flag("historical"))
        chosen, unfilled = of(desk, params), params.flag("include_unfilled")
        rows = [
            placed.row()
            for placed in reversed(desk.history.orders.values())
            if placed.state in {"filled", "cancelled"}
            and placed.trigger_price is None
            and (placed.filled or unfilled)
            and chosen(placed)
            and remembers(wire.milliseconds(placed.updated_at))
        ]
        return rows[offset : offset + count]

    return read


def _told_still(desk: Desk) -> Callable[[Placed], bool]:
    """Whether an order's state is still told: it works, or was over not long ago."""
    remembers = desk.memory(ORDERS_KEPT_MS, historical=False)
    return lambda placed: placed.working or remembers(wire.milliseconds(placed.updated_at))


# --- trades -----------------------------------------------------------------------------------------------------------


def _trades(of: Callable[[Desk, Params], Chosen]) -> Method:
    def read(desk: Desk, params: Params) -> object:
        count = params.integer("count", TRADES_USUAL, least=1, most=TRADES_MAX)
        found = _remembered(desk, params, of(desk, params))
        return {"trades": [trade.row for trade in found[:count]], "has_more": len(found) > count}

    return read


def _trades_by_time(of: Callable[[Desk, Params], Chosen]) -> Method:
    def read(desk: Desk, params: Params) -> object:
        if "end_timestamp" not in params:
            params.integer("start_timestamp")  # one of the two has to be there
        return _trades(of)(desk, params)

    return read


def _trades_by_order(desk: Desk, params: Params) -> object:
    order_id = params.text("order_id")
    return [trade.row for trade in _remembered(desk, params, lambda one: one.order_id == order_id)]


def _remembered(desk: Desk, params: Params, chosen: Chosen) -> list[Trade]:
    """Trades within the bounds of a request, in its order: whoever names where to begin is told from there on."""
    remembers, bounds = desk.memory(TRADES_KEPT_MS, historical=params.flag("historical")), _bounds(params)
    found = [
        trade
        for trade in desk.history.trades
        if chosen(trade)
        and remembers(trade.time)
        and all(least <= value(trade) <= most for value, least, most in bounds)
    ]
    begins = any(name in params for name in ("start_timestamp", "start_id", "start_seq"))
    sorting = params.choice("sorting", _SORTING, "default")
    return found if sorting == "asc" or (sorting == "default" and begins) else found[::-1]


def _bounds(params: Params) -> list[tuple[Callable[[Trade], int], int, int]]:
    far = 1 << 62
    return [
        (
            lambda trade: trade.time,
            params.integer("start_timestamp", 0),
            params.integer("end_timestamp", far),
        ),
        (lambda trade: trade.number, _number(params, "start_id", 0), _number(params, "end_id", far)),
        (lambda trade: trade.sequence, params.integer("start_seq", 0), params.integer("end_seq", far)),
    ]


def _number(params: Params, name: str, default: int) -> int:
    """The number in a trade's id."""
    text = params.text(name, str(default)).rpartition("-")[2]
    if not text.isdigit():
        raise wire.invalid(name, "must be a trade id")
    return int(text)


# --- money ------------------------------------------------------------------------------------------------------------


def _log(desk: Desk, params: Params) -> object:
    """Newest first; what is left is continued from the entry that comes next."""
    currency, count = _currency(desk, params), params.integer("count", LOG_USUAL, least=1, most=LOG_MAX)
    start, end = params.integer("start_timestamp"), params.integer("end_timestamp")
    before, query = params.integer("continuation", 1 << 62), params.text("query", "")
    found = [
        entry
        for entry in reversed(desk.history.cashbook.log)
        if entry.currency == currency
        and start <= entry.time <= end
        and entry.number <= before
        and query in {"", entry.kind}
    ]
    following = found[count].number if len(found) > count else None
    return {"logs": [entry.row for entry in found[:count]], "continuation": following}


# --- which ------------------------------------------------------------------------------------------------------------


def _currency(desk: Desk, params: Params) -> str:
    """One currency, since not every method takes any."""
    return params.choice("currency", desk.markets.currencies)


def _all(_desk: Desk, params: Params) -> Chosen:
    wanted = params.choice("kind", KINDS, ANY) in {ANY, "future"}
    return lambda _: wanted


def _by_currency(desk: Desk, params: Params) -> Chosen:
    currency, wanted = _currency(desk, params), params.choice("kind", KINDS, ANY) in {ANY, "future"}
    return lambda one: wanted and one.contract.currency == currency


def _by_instrument(desk: Desk, params: Params) -> Chosen:
    contract = desk.markets.named(params.text("instrument_name"))
    return lambda one: one.contract is contract


def _by_label(desk: Desk, params: Params) -> Chosen:
    currency, label = _currency(desk, params), params.text("label", "")
    return lambda one: isinstance(one, Placed) and one.contract.currency == currency and one.note.label == label


READS: Mapping[str, Method] = {
    "private/get_positions": _positions,
    "private/get_position": _position,
    "private/get_account_summary": _summary,
    "private/get_account_summaries": _summaries,
    "private/get_open_orders": _open_orders(_all),
    "private/get_open_orders_by_currency": _open_orders(_by_currency),
    "private/get_open_orders_by_instrument": _open_orders(_by_instrument),
    "private/get_open_orders_by_label": _open_orders(_by_label),
    "private/get_order_state": _order_state,
    "private/get_order_state_by_label": _order_state_by_label,
    "private/get_order_history_by_currency": _order_history(_by_currency),
    "private/get_order_history_by_instrument": _order_history(_by_instrument),
    "private/get_user_trades_by_currency": _trades(_by_currency),
    "private/get_user_trades_by_currency_and_time": _trades_by_time(_by_currency),
    "private/get_user_trades_by_instrument": _trades(_by_instrument),
    "private/get_user_trades_by_instrument_and_time": _trades_by_time(_by_instrument),
    "private/get_user_trades_by_order": _trades_by_order,
    "private/get_transaction_log": _log,
}
