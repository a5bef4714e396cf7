"""What becomes of an order, a replacement, a cancel, a close: the answers that carry transactions."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from trueup.model.errors import Rejected
from trueup.model.numbers import ZERO
from trueup.model.orders import Amendment, OrderRequest
from trueup.ports import Clock
from trueup.testing.servers.oanda import orders as o
from trueup.testing.servers.oanda import wire
from trueup.testing.servers.oanda.books import Books, Side
from trueup.testing.servers.oanda.hours import Hours
from trueup.testing.servers.oanda.tickets import TYPES, Declined, Tickets, in_words, reject_reason, usual
from trueup.testing.servers.oanda.wire import Refusal, Row

CREATED = 201


class Desk:
    """Takes an account's requests that change something."""

    def __init__(self, books: Books, clock: Clock, hours: Hours) -> None:
        self._books = books
        self._clock = clock
        self._hours = hours
        self._tickets = Tickets(books.markets, books.trades, books.orders, hedged=books.hedged)

    def create(self, body: Mapping[str, Any]) -> Row:
        """``POST orders``."""
        order, since = _order(body), len(self._books.transactions)
        kind = order.get("type", "MARKET")
        try:
            intent, request = self._tickets.read(order)
            self._place(intent, request)
        except (Declined, Rejected) as error:
            raise self._rejected(f"{kind}_ORDER_REJECT", _echo(order), error) from None
        return self._answer("order", since)

    def replace(self, specifier: str, body: Mapping[str, Any]) -> Row:
        """``PUT orders/{spec}``: the cancel of one order and the creation of another."""
        order, since = _order(body), len(self._books.transactions)
        replaced = self._pending(specifier)
        kind = order.get("type", "MARKET")
        try:
            intent, request = self._tickets.read(order, replaced)
            _check_replaces(intent, replaced)
            more = {**intent.more, "replacesOrderID": replaced.id}
            amendment = Amendment(request.quantity, request.price, request.trigger_price)
            self._books.amend(replace(intent, reason="REPLACEMENT", more=more), replaced, amendment)
        except (Declined, Rejected) as error:
            row = {**_echo(order), "replacesOrderID": replaced.id}
            raise self._rejected(f"{kind}_ORDER_REJECT", row, error, reason="REPLACEMENT") from None
        return self._answer("order", since, replaces=True)

    def cancel(self, specifier: str) -> Row:
        """``PUT orders/{spec}/cancel``."""
        order, since = self._pending(specifier), len(self._books.transactions)
        self._books.withdraw(order, "CLIENT_REQUEST")
        return self._answer("order", since)

    def close_trade(self, specifier: str, body: Mapping[str, Any]) -> Row:
        """``PUT trades/{spec}/close``."""
        since, asked = len(self._books.transactions), body.get("units", "ALL")
        trade = self._books.trades.find(specifier)
        held = ZERO if trade is None else abs(trade.units)
        details = {"tradeID": specifier if trade is None else trade.id, "units": str(asked)}
        row: Row = {"timeInForce": "FOK", "positionFill": "REDUCE_ONLY", "tradeClose": details}
        try:
            units = _part(asked, held, "TRADE_DOESNT_EXIST", "CLOSE_TRADE_UNITS_EXCEED_TRADE_SIZE")
            if trade is not None:
                self._close((trade.instrument, trade.long), units, {"tradeClose": details}, trade.id)
        except (Declined, Rejected) as error:
            status = 400 if held else 404
            raise self._rejected("MARKET_ORDER_REJECT", row, error, status, reason="TRADE_CLOSE") from None
        return self._answer("order", since)

    def close_position(self, instrument: str, body: Mapping[str, Any]) -> Row:
        """``PUT positions/{instrument}/close``: either side, or both."""
        if instrument not in self._books.markets:
            raise wire.invalid("instrument")
        since, answer = len(self._books.transactions), Row()
        flat = not self._books.trades.open(instrument)
        for side in ("long", "short"):
            asked = body.get(f"{side}Units")
            held = abs(self._books.trades.held(instrument, long=side == "long"))
            if asked == "NONE" or (asked is None and not held and not flat):
                continue  # everything, where nothing is said, is whatever there is
            answer |= self._close_side(instrument, side, held, "ALL" if asked is None else asked, body)
        if not answer:
            raise wire.invalid("longUnits")
        return self._answer("", since) | answer

    def _close_side(self, instrument: str, side: str, held: Decimal, asked: object, body: Mapping[str, Any]) -> Row:
        since, details = len(self._books.transactions), {"instrument": instrument, "units": str(asked)}
        row = {
            "instrument": instrument,
            "timeInForce": "FOK",
            "positionFill": "REDUCE_ONLY",
            f"{side}PositionCloseout": details,
        }
        extras = {f"{side}PositionCloseout": details}
        if f"{side}ClientExtensions" in body:
            extras["clientExtensions"] = body[f"{side}ClientExtensions"]
        try:
            units = _part(asked, held, "CLOSEOUT_POSITION_DOESNT_EXIST", "CLOSEOUT_POSITION_UNITS_EXCEED_POSITION_SIZE")
            self._close((instrument, side == "long"), units, extras)
        except (Declined, Rejected) as error:
            status = 400 if held else 404
            raise self._rejected(
                "MARKET_ORDER_REJECT", row, error, status, reason="POSITION_CLOSEOUT", field=f"{side}OrderReject"
            ) from None
        return self._carried(f"{side}Order", since)

    def _close(self, side: Side, units: Decimal, extras: Row, trade_id: str = "") -> None:
        """Close so many units of a side of an instrument: of one trade, or of the oldest."""
        terms, request = self._tickets.closing(side, units)
        reason = "TRADE_CLOSE" if trade_id else "POSITION_CLOSEOUT"
        self._place(o.Intent("MARKET", {**terms, **extras}, reason, closes=trade_id), request)

    def _place(self, intent: o.Intent, request: OrderRequest) -> None:
        """Send an order on to the exchange; one that cannot wait until markets open ends at once."""
        now = self._clock.now()
        if not self._hours(now) and intent.terms["timeInForce"] in {"FOK", "IOC"}:
            order = self._books.create(intent, now, request.quantity)
            self._books.cancel(order, {"reason": "MARKET_HALTED"}, now)
            return
        client_id = intent.terms.get("clientExtensions", {}).get("id", "")
        self._books.place(intent, replace(request, client_order_id=self._books.exchange_client_id(client_id)))

    def _pending(self, specifier: str) -> o.Order:
        """A pending order. Raises :class:`Refusal`: the refused cancel uses up a transaction id."""
        order = self._books.orders.find(specifier, ended=False)
        if order is not None and order.pending:
            return order
        named = {"clientOrderID": specifier[1:]} if specifier.startswith("@") else {"orderID": specifier}
        row = {**named, "rejectReason": "ORDER_DOESNT_EXIST"}
        written = self._books.write("ORDER_CANCEL_REJECT", row, self._clock.now())
        raise Refusal(
            404, in_words("ORDER_DOESNT_EXIST"), "ORDER_DOESNT_EXIST", self._told("orderCancelReject", written)
        )

    def _rejected(
        self,
        kind: str,
        row: Row,
        error: Declined | Rejected,
        status: int = 400,
        *,
        reason: str = "CLIENT_ORDER",
        field: str = "orderReject",
    ) -> Refusal:
        """The refusal of an order; it uses up a transaction id."""
        why = error.reason if isinstance(error, Declined) else reject_reason(error)
        written = self._books.write(kind, {**row, "reason": reason, "rejectReason": why}, self._clock.now())
        return Refusal(status, in_words(why), why, self._told(field, written))

    def _told(self, field: str, written: Row) -> Row:
        return {
            f"{field}Transaction": written,
            "relatedTransactionIDs": [written["id"]],
            "lastTransactionID": self._books.last_id,
        }

    def _answer(self, prefix: str, since: int, *, replaces: bool = False) -> Row:
        carried = self._carried(prefix, since, replaces=replaces) if prefix else {}
        related = [row["id"] for row in self._books.after(since)]
        return {**carried, "relatedTransactionIDs": related, "lastTransactionID": self._books.last_id}

    def _carried(self, prefix: str, since: int, *, replaces: bool = False) -> Row:
        """The transactions of one order since then, each under its name in the answer."""
        carried: Row = {}
        for row in self._books.after(since):
            if row["type"] == "ORDER_FILL":
                carried.setdefault(f"{prefix}FillTransaction", row)
            elif row["type"] == "ORDER_CANCEL":
                taken = replaces and f"{prefix}CancelTransaction" in carried
                carried.setdefault("replacingOrderCancelTransaction" if taken else f"{prefix}CancelTransaction", row)
            elif row["type"].endswith("_ORDER") and row["reason"] != "ON_FILL":
                carried.setdefault(f"{prefix}CreateTransaction", row)
        return carried


def _order(body: Mapping[str, Any]) -> Mapping[str, Any]:
    order = body.get("order")
    if not isinstance(order, dict):
        raise wire.invalid("order")
    if order.get("type", "MARKET") not in TYPES:
        raise wire.invalid("order.type")
    return order


def _part(asked: object, held: Decimal, missing: str, exceeds: str) -> Decimal:
    """How many of the units held are to be closed. Raises :class:`Declined`."""
    if not held:
        raise Declined(missing)
    units = held if asked == "ALL" else wire.number(asked)
    if units is None or units <= ZERO:
        raise Declined("UNITS_INVALID")
    if units > held:
        raise Declined(exceeds)
    return units


def _echo(order: Mapping[str, Any]) -> Row:
    """The order as its rejection repeats it."""
    return usual(order.get("type", "MARKET")) | {field: value for field, value in order.items() if field != "type"}


def _check_replaces(intent: o.Intent, replaced: o.Order) -> None:
    """Only quantity and price may change."""
    old, new = replaced.intent.terms, intent.terms
    if intent.type != replaced.intent.type:
        raise Declined("REPLACING_ORDER_INVALID")
    for field in ("instrument", "tradeID", "timeInForce", "positionFill"):
        if old.get(field) != new.get(field):
            raise Declined("REPLACING_ORDER_INVALID")
    if "units" in new and old["units"].startswith("-") is not new["units"].startswith("-"):
        raise Declined("REPLACING_ORDER_INVALID")
