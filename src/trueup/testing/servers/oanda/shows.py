"""The answers that state how an account stands: its balance, positions, trades, and what changed since."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from trueup.model.numbers import ZERO, quotient
from trueup.testing.servers.oanda import wire
from trueup.testing.servers.oanda.books import USER_ID, Books
from trueup.testing.servers.oanda.trades import Trade
from trueup.testing.servers.oanda.wire import Row

_SIDES = (("long", True), ("short", False))


class Shows:
    """Reads an account's books and the prices of the moment."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._markets = books.markets

    # --- the account --------------------------------------------------------------------------------------------------

    def account(self) -> Row:
        """Everything."""
        return self.summary() | {
            "trades": [self.trade(trade, whole=False) for trade in self._books.trades.open()],
            "positions": self.positions(),
            "orders": [order.row() for order in self._books.orders.pending()],
        }

    def summary(self) -> Row:
        """All but the lists."""
        books = self._books
        created = books.transactions[0]["time"] if books.transactions else wire.stamp(0)
        return {
            "guaranteedStopLossOrderMode": "DISABLED",
            "hedgingEnabled": books.hedged,
            "id": books.account_id,
            "createdTime": created,
            "currency": self._markets.home,
            "createdByUserID": USER_ID,
            "alias": "Primary",
            "marginRate": "1",
            "lastTransactionID": books.last_id,
            "balance": wire.money(books.balance),
            "openTradeCount": len(books.trades.open()),
            "openPositionCount": len(self._held()),
            "pendingOrderCount": len(books.orders.pending()),
            **self._lifetime(),
            "resettablePLTime": created,
            **self._valued(),
        }

    def _lifetime(self) -> Row:
        books = self._books
        realized = wire.money(sum(books.realized.values(), ZERO))
        return {
            "pl": realized,
            "resettablePL": realized,
            "financing": wire.money(sum(books.financing.values(), ZERO)),
            "commission": wire.money(sum(books.commission.values(), ZERO)),
            "guaranteedExecutionFees": "0.0000",
        }

    def _valued(self) -> Row:
        """What depends on prices."""
        trades = self._books.trades.open()
        unrealized = sum((self._unrealized(trade) for trade in trades), ZERO)
        value = sum((self._worth(trade) for trade in trades), ZERO)
        used = sum((self._margin(name) for name in self._held()), ZERO)
        net = self._books.balance + unrealized
        available = wire.money(max(net - used, ZERO))
        half = used / 2  # a power of two: exact
        percent, call = (
            wire.factor(quotient(part, net)) if net > ZERO and used else "0.00000" for part in (half, used)
        )
        return {
            "unrealizedPL": wire.money(unrealized),
            "NAV": wire.money(net),
            "marginUsed": wire.money(used),
            "marginAvailable": available,
            "positionValue": wire.money(value),
            "marginCloseoutUnrealizedPL": wire.money(unrealized),
            "marginCloseoutNAV": wire.money(net),
            "marginCloseoutMarginUsed": wire.money(used),
            "marginCloseoutPositionValue": wire.money(value),
            "marginCloseoutPercent": percent,
            "withdrawalLimit": available,
            "marginCallMarginUsed": wire.money(used),
            "marginCallPercent": call,
        }

    # --- positions ----------------------------------------------------------------------------------------------------

    def positions(self, *, only_open: bool = False) -> list[Row]:
        """The positions of every instrument ever traded, or of those held."""
        traded = dict.fromkeys(trade.instrument for trade in self._books.trades.all())
        held = self._held()
        return [self.position(name) for name in traded if name in held or not only_open]

    def position(self, name: str) -> Row:
        """The position in an instrument, flat where it was never traded."""
        sides = {side: self._side(name, long=long) for side, long in _SIDES}
        trades = self._books.trades.open(name)
        return {
            "instrument": name,
            **sides,
            "pl": self._total(name, self._books.realized),
            "resettablePL": self._total(name, self._books.realized),
            "financing": self._total(name, self._books.financing),
            "commission": wire.money(self._books.commission.get(name, ZERO)),
            "guaranteedExecutionFees": "0.0000",
            "unrealizedPL": wire.money(sum((self._unrealized(trade) for trade in trades), ZERO)),
            "marginUsed": wire.money(self._margin(name)),
        }

    def _side(self, name: str, *, long: bool) -> Row:
        trades = self._books.trades.open(name, long=long)
        held = sum((trade.units for trade in trades), ZERO)
        row: Row = {"units": wire.units(held)}
        if trades:
            cost = sum((trade.units * trade.price for trade in trades), ZERO)
            row["averagePrice"] = self._average(name, quotient(cost, held))
            row["tradeIDs"] = [trade.id for trade in trades]
        realized = wire.money(self._books.realized.get((name, long), ZERO))
        return row | {
            "pl": realized,
            "resettablePL": realized,
            "financing": wire.money(self._books.financing.get((name, long), ZERO)),
            "guaranteedExecutionFees": "0.0000",
            "unrealizedPL": wire.money(sum((self._unrealized(trade) for trade in trades), ZERO)),
        }

    def _average(self, name: str, price: Decimal) -> str:
        return self._markets[name].shown(price)

    def _total(self, name: str, sums: "dict[tuple[str, bool], Decimal]") -> str:
        return wire.money(sum((sums.get((name, long), ZERO) for _, long in _SIDES), ZERO))

    def _held(self) -> set[str]:
        return {trade.instrument for trade in self._books.trades.open()}

    # --- trades -------------------------------------------------------------------------------------------------------

    def trade(self, trade: Trade, *, whole: bool = True) -> Row:
        """A trade; ``whole`` with the orders on it, else with their ids."""
        quoted = self._markets[trade.instrument]
        row: Row = {
            "id": trade.id,
            "instrument": trade.instrument,
            "price": quoted.shown(trade.price),
            "openTime": wire.stamp(trade.opened_at),
            "initialUnits": wire.units(trade.initial),
            "initialMarginRequired": wire.money(trade.margin),
            "state": "OPEN" if trade.open else "CLOSED",
            "currentUnits": wire.units(trade.units),
            "realizedPL": wire.money(trade.realized),
            "financing": wire.money(trade.financing),
        }
        if trade.client_extensions:
            row["clientExtensions"] = trade.client_extensions
        if trade.closed_by:
            row["closingTransactionIDs"] = list(trade.closed_by)
            closed = abs(trade.initial) - abs(trade.units)
            row["averageClosePrice"] = quoted.shown(quotient(trade.proceeds, closed))
        if trade.closed_at is not None:
            row["closeTime"] = wire.stamp(trade.closed_at)
        if trade.open:
            row["unrealizedPL"] = wire.money(self._unrealized(trade))
            row["marginUsed"] = wire.money(self._trade_margin(trade))
        for order in self._books.orders.pending():
            if order.trade_id == trade.id:
                name = "takeProfitOrder" if order.intent.type == "TAKE_PROFIT" else "stopLossOrder"
                row |= {name: order.row()} if whole else {f"{name}ID": order.id}
        return row

    def _unrealized(self, trade: Trade) -> Decimal:
        quoted = self._markets[trade.instrument]
        gain = (quoted.closing(long=trade.long) - trade.price) * trade.units
        return wire.settled(gain * self._markets.home_factor(quoted.market.instrument.quote))

    def _worth(self, trade: Trade) -> Decimal:
        quoted = self._markets[trade.instrument]
        return abs(trade.units) * quoted.mid * self._markets.home_factor(quoted.market.instrument.quote)

    def _trade_margin(self, trade: Trade) -> Decimal:
        return self._worth(trade) * self._markets[trade.instrument].market.initial_margin

    def _margin(self, name: str) -> Decimal:
        """Of the larger side, where both are held."""
        trades = self._books.trades.open(name)
        sides = (sum((self._trade_margin(trade) for trade in trades if trade.long is long), ZERO) for _, long in _SIDES)
        return max(sides)

    # --- changes ------------------------------------------------------------------------------------------------------

    def changes(self, since: int) -> Row:
        """What changed since a transaction, and what depends on prices now."""
        rows = self._books.after(since)
        trades = self._books.trades.open()
        return {
            "changes": self._changed(rows),
            "state": {
                **self._valued(),
                "balance": wire.money(self._books.balance),
                **self._lifetime(),
                "orders": [],
                "trades": [self._trade_state(trade) for trade in trades],
                "positions": [
                    self._position_state(name) for name in dict.fromkeys(trade.instrument for trade in trades)
                ],
            },
            "lastTransactionID": self._books.last_id,
        }

    def _changed(self, rows: Sequence[Row]) -> Row:
        fills = [row for row in rows if row["type"] == "ORDER_FILL"]
        financed = [inner for row in rows for inner in row.get("positionFinancings", [])]
        created = [row["id"] for row in rows if row["type"].endswith("_ORDER")]
        cancelled = [row["orderID"] for row in rows if row["type"] == "ORDER_CANCEL"]
        filled = [row["orderID"] for row in fills]
        closed = [part["tradeID"] for row in fills for part in row.get("tradesClosed", [])]
        return {
            "ordersCreated": self._orders(created),
            "ordersCancelled": self._orders(cancelled),
            "ordersFilled": self._orders(filled),
            "ordersTriggered": [],
            "tradesOpened": self._trades(row["tradeOpened"]["tradeID"] for row in fills if "tradeOpened" in row),
            "tradesReduced": self._trades(row["tradeReduced"]["tradeID"] for row in fills if "tradeReduced" in row),
            "tradesClosed": self._trades(closed),
            "positions": [self.position(name) for name in dict.fromkeys(row["instrument"] for row in fills + financed)],
            "transactions": list(rows),
        }

    def _orders(self, ids: Iterable[str]) -> list[Row]:
        found = (self._books.orders.find(name) for name in dict.fromkeys(ids))
        return [order.row() for order in found if order is not None]

    def _trades(self, ids: Iterable[str]) -> list[Row]:
        found = (self._books.trades.find(name) for name in dict.fromkeys(ids))
        return [self.trade(trade, whole=False) for trade in found if trade is not None]

    def _trade_state(self, trade: Trade) -> Row:
        return {
            "id": trade.id,
            "unrealizedPL": wire.money(self._unrealized(trade)),
            "marginUsed": wire.money(self._trade_margin(trade)),
        }

    def _position_state(self, name: str) -> Row:
        trades = self._books.trades.open(name)
        long, short = (
            sum((self._unrealized(trade) for trade in trades if trade.long is side), ZERO) for _, side in _SIDES
        )
        return {
            "instrument": name,
            "netUnrealizedPL": wire.money(long + short),
            "longUnrealizedPL": wire.money(long),
            "shortUnrealizedPL": wire.money(short),
            "marginUsed": wire.money(self._margin(name)),
        }
