"""What an account may have done: orders given, edited and cancelled, positions closed."""

from collections.abc import Callable, Mapping
from decimal import Decimal

import msgspec

from trueup.model.errors import Rejected
from trueup.model.events import OrderReported
from trueup.model.identifiers import Side
from trueup.model.numbers import ZERO, exact
from trueup.model.orders import Amendment, OrderRequest, TimeInForce
from trueup.testing.servers.jsonrpc_derivatives import wire
from trueup.testing.servers.jsonrpc_derivatives.desk import Desk, Method
from trueup.testing.servers.jsonrpc_derivatives.markets import Contract, Markets
from trueup.testing.servers.jsonrpc_derivatives.orders import TYPES, Note, Placed
from trueup.testing.servers.jsonrpc_derivatives.params import Params
from trueup.testing.servers.jsonrpc_derivatives.wire import Row
from trueup.venues.paper.matching import fires

LABEL_MAX = 64

_KINDS = frozenset({*TYPES, "take_limit", "market_limit", "trailing_stop"})
_FORCES: Mapping[str, TimeInForce] = {
    "good_til_cancelled": "gtc",
    "good_til_day": "gtc",
    "immediate_or_cancel": "ioc",
    "fill_or_kill": "fok",
}
_TRIGGERS = frozenset({"index_price", "mark_price", "last_price"})


def _place(side: Side) -> Method:
    def place(desk: Desk, params: Params) -> object:
        contract = desk.markets.named(params.text("instrument_name"))
        note = _note(params)
        request = _request(desk.markets, contract, params, side, note)
        _check_in_time(desk, params)
        return _told(desk, note, lambda: desk.exchange.place(desk.account, _unlabelled(desk, request)))

    return place


def _note(params: Params) -> Note:
    label = params.text("label", "")
    if len(label) > LABEL_MAX:
        raise wire.invalid("label", f"must be at most {LABEL_MAX} characters")
    force = params.choice("time_in_force", _FORCES, "good_til_cancelled")
    if force == "good_til_day":
        raise wire.refused(10033, "not_implemented", "good_til_day is not served here")
    return Note(
        label,
        force,
        params.flag("post_only"),
        params.flag("reject_post_only"),
        params.choice("trigger", _TRIGGERS, "last_price"),
        by_api=True,
    )


def _request(markets: Markets, contract: Contract, params: Params, side: Side, note: Note) -> OrderRequest:
    """An order for the exchange. Raises :class:`wire.Refusal`."""
    kind = params.choice("type", _KINDS, "limit")
    if kind not in TYPES:
        raise wire.refused(10033, "not_implemented", f"{kind} is not served here")
    limited, waits = kind in {"limit", "stop_limit"}, kind not in {"limit", "market"}
    request = OrderRequest(
        contract.market.symbol,
        side,
        _amount(contract, params) or _missing("amount"),
        note.label,
        TYPES[kind],
        (params.decimal("price") or _missing("price")) if limited else None,
        (params.decimal("trigger_price") or _missing("trigger_price")) if waits else None,
        params.flag("reduce_only"),
        _force(kind, note),
    )
    _check_price(markets, contract, request.price)
    if waits and fires(request, markets.price(contract)):
        above = (request.trigger_price or ZERO) > markets.price(contract)
        raise wire.refused(*((10034, "trigger_price_too_high") if above else (10035, "trigger_price_too_low")))
    if note.post_only and not note.reject_post_only and request.price is not None:
        return _beside(markets, contract, request, request.price)
    return request


def _force(kind: str, note: Note) -> TimeInForce:
    force = _FORCES[note.time_in_force]
    if note.post_only:
        if kind != "limit" or force != "gtc":
            raise wire.refused(11047, "unsupported_arg_combination", "only a resting limit order is post_only")
        return "post_only"
    return "" if kind == "market" and force == "gtc" else force


def _amount(contract: Contract, params: Params) -> Decimal | None:
    """Coins or dollars, or contracts; where both are given they have to be the same."""
    amount, contracts = params.decimal("amount"), params.decimal("contracts")
    if contracts is None:
        return amount
    with exact():
        counted = contracts * contract.size
    if amount is not None and amount != counted:
        raise wire.invalid("contracts", "must be the same as amount")
    return counted


def _beside(markets: Markets, contract: Contract, request: OrderRequest, price: Decimal) -> OrderRequest:
    """An order that is to rest, moved away from where it would trade."""
    touch, tick = markets.touch(contract, buys=request.buys), contract.market.tick
    nearest = touch - tick if request.buys else touch + tick
    price = min(price, nearest) if request.buys else max(price, nearest)
    return msgspec.structs.replace(request, price=price)


def _check_price(markets: Markets, contract: Contract, price: Decimal | None) -> None:
    least, most = markets.band(contract)
    if price is not None and price < least:
        raise wire.refused(10005, f"price_too_low {wire.number(least)}")
    if price is not None and price > most:
        raise wire.refused(10007, f"price_too_high {wire.number(most)}")


def _check_in_time(desk: Desk, params: Params) -> None:
    if "valid_until" in params and desk.now >= params.integer("valid_until"):
        raise wire.refused(13888, "timed_out")


def _unlabelled(desk: Desk, request: OrderRequest) -> OrderRequest:
    """A label may come again, and makes an order every time; the exchange would give the first one back."""
    if request.client_order_id and desk.exchange.find(desk.account, request.client_order_id) is not None:
        return msgspec.structs.replace(request, client_order_id="")
    return request


def _told(desk: Desk, note: Note | None, act: Callable[[], OrderReported]) -> Row:
    """Let the exchange act, and tell what became of the order, and which trades it made at once."""
    history = desk.history
    before, history.next_note = len(history.trades), note
    try:
        report = act()
    except Rejected as error:
        raise _refusal(error) from error
    finally:
        history.catch_up()
        history.next_note = None
    placed = history.shown(report.venue_order_id)
    trades = [trade.row for trade in history.trades[before:] if trade.order_id == placed.order_id]
    return {"order": placed.row(), "trades": trades}


# --- what is done with orders -----------------------------------------------------------------------------------------


def _edit(desk: Desk, params: Params) -> object:
    return _edited(desk, _working(desk, params.text("order_id")), params)


def _edit_by_label(desk: Desk, params: Params) -> object:
    label = params.text("label")
    contract = desk.markets.named(params.text("instrument_name"))
    found = [p for p in desk.history.labelled(label) if p.working and p.contract is contract]
    if len(found) != 1:
        raise wire.refused(10004, "order_not_found")
    return _edited(desk, found[0], params)


def _edited(desk: Desk, placed: Placed, params: Params) -> Row:
    """Other terms; the amount is that of the whole order, with what is filled of it."""
    amount, price, trigger = _amount(placed.contract, params), params.decimal("price"), params.decimal("trigger_price")
    _check_price(desk.markets, placed.contract, price)
    _check_in_time(desk, params)
    with exact():
        left = None if amount is None else amount - placed.filled
    amendment = Amendment(left, price, trigger)
    paper_id = desk.history.paper_id(placed)
    with desk.history.editing(placed):
        return _told(desk, None, lambda: desk.exchange.amend(desk.account, paper_id, amendment))


def _cancel(desk: Desk, params: Params) -> object:
    return _cancelled(desk, _working(desk, params.text("order_id"))).row()


def _cancel_all(of: Callable[[Desk, Params, Placed], bool]) -> Method:
    def cancel(desk: Desk, params: Params) -> object:
        found = [placed for placed in desk.history.orders.values() if placed.working and of(desk, params, placed)]
        return len([_cancelled(desk, placed) for placed in found])

    return cancel


def _cancelled(desk: Desk, placed: Placed) -> Placed:
    with desk.history.because("user_request"):
        desk.exchange.cancel(desk.account, desk.history.paper_id(placed))
    return desk.history.orders[placed.order_id]


def _close(desk: Desk, params: Params) -> object:
    contract = desk.markets.named(params.text("instrument_name"))
    note = Note(by_api=True)
    if params.choice("type", {"market", "limit"}) == "market":
        symbol = contract.market.symbol
        return _told(desk, note, lambda: desk.exchange.close(desk.account, symbol, "net", ""))
    held = desk.history.cashbook.sessions[contract.name].position.quantity
    price = params.decimal("price") or _missing("price")
    if not held:
        raise wire.refused(11030, "other_reject", "no_position")
    request = OrderRequest(
        contract.market.symbol,
        "sell" if held > ZERO else "buy",
        abs(held),
        order_type="limit",
        price=price,
        reduce_only=True,
        time_in_force="gtc",
    )
    return _told(desk, note, lambda: desk.exchange.place(desk.account, request))


def _working(desk: Desk, order_id: str) -> Placed:
    placed = desk.history.orders.get(order_id)
    if placed is None:
        raise wire.refused(10004, "order_not_found")
    if not placed.working:
        raise wire.refused(11044, "not_open_order")
    return placed


def _missing(name: str) -> Decimal:
    raise wire.invalid(name, "missing required parameter, or zero")


def _refusal(error: Rejected) -> wire.Refusal:
    """The engine's error for the exchange's reason."""
    if error.venue_code in _PARAMS:
        return wire.invalid(*_PARAMS[error.venue_code])
    code, message = _CODES.get(error.venue_code, (11030, "other_reject"))
    return wire.refused(code, message, "" if error.venue_code in _CODES else error.venue_code)


_PARAMS: Mapping[str, tuple[str, str]] = {
    "bad_quantity": ("amount", "must be a multiple of contract size"),
    "bad_price": ("price", "must conform to tick size"),
    "bad_trigger_price": ("trigger_price", "must conform to tick size"),
    "bad_time_in_force": ("time_in_force", "not for this order type"),
}
_CODES: Mapping[str, tuple[int, str]] = {
    "no_funds": (10009, "not_enough_funds"),
    "would_match": (11054, "post_only_reject"),
    "order_done": (11044, "not_open_order"),
}

WRITES: Mapping[str, Method] = {
    "private/buy": _place("buy"),
    "private/sell": _place("sell"),
    "private/edit": _edit,
    "private/edit_by_label": _edit_by_label,
    "private/cancel": _cancel,
    "private/cancel_by_label": _cancel_all(
        lambda _, params, placed: (
            placed.note.label == params.text("label")
            and placed.contract.currency == params.text("currency", placed.contract.currency)
        )
    ),
    "private/cancel_all": _cancel_all(lambda _desk, _params, _placed: True),
    "private/cancel_all_by_currency": _cancel_all(
        lambda _, params, placed: placed.contract.currency == params.text("currency")
    ),
    "private/cancel_all_by_instrument": _cancel_all(
        lambda _, params, placed: placed.contract.name == params.text("instrument_name")
    ),
    "private/close_position": _close,
}
"""What the matching engine does; who only reads may do none of it."""
