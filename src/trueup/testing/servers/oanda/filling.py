"""What a fill and a payment of financing do to trades, and the transactions that say so."""

from collections import defaultdict
from collections.abc import MutableMapping, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal

import msgspec

from trueup.model.events import FillBooked, FundingPaid
from trueup.model.numbers import ONE, ZERO, quotient
from trueup.testing.servers.oanda import orders as o
from trueup.testing.servers.oanda import wire
from trueup.testing.servers.oanda.markets import Markets, Quoted
from trueup.testing.servers.oanda.trades import Closing, Trade, Trades
from trueup.testing.servers.oanda.wire import Row

_AVERAGE = Decimal("1e-10")
"""How finely the average price of a fill at several prices is stated."""

_ROUNDING = Context(prec=100, rounding=ROUND_HALF_EVEN)


class Fill(msgspec.Struct, frozen=True):
    """One ORDER_FILL in the making.

    Attributes:
        units: Signed.
        closings: What it takes from which trade, and what that realises at home.
        commission: At home, positive.
        factor: What a unit of the quote currency is worth at home.
    """

    order: o.Order
    quoted: Quoted
    units: Decimal
    price: Decimal
    time: int
    closings: Sequence[tuple[Closing, Decimal]]
    opened: Trade | None
    commission: Decimal
    factor: Decimal
    transaction_id: str

    @classmethod
    def of(
        cls, fills: Sequence[FillBooked], order: o.Order, markets: Markets, trades: Trades, transaction_id: str
    ) -> "Fill":
        """What an order took in one go at the exchange, which may be at several prices."""
        first, last, quoted = fills[0], fills[-1], markets.of(fills[0].instrument)
        factor = markets.home_factor(quoted.market.instrument.quote)
        units = o.asked(sum((fill.quantity for fill in fills), ZERO), first.side)
        price = _average(fills)
        opens_only = first.position_side == ("long" if first.side == "buy" else "short")
        taken = [] if opens_only else list(trades.closings(quoted.name, units, order.intent.closes or order.trade_id))
        closings = [(closing, _realized(closing, price, factor)) for closing in taken]
        left = units - sum((closing.units for closing in taken), ZERO)
        opened = None
        if left:
            margin = wire.settled(abs(left) * price * quoted.market.initial_margin * factor)
            extensions = order.intent.terms.get("tradeClientExtensions", {})
            opened = Trade(transaction_id, quoted.name, price, last.venue_time, left, left, margin, extensions)
        commission = wire.settled(sum((fill.fee for fill in fills), ZERO) * factor)
        return cls(order, quoted, units, price, last.venue_time, closings, opened, commission, factor, transaction_id)

    @property
    def instrument(self) -> str:
        """The venue's name."""
        return self.quoted.name

    @property
    def realized(self) -> Decimal:
        """At home."""
        return sum((amount for _, amount in self.closings), ZERO)

    def book(self, trades: Trades) -> None:
        """Change the trades."""
        for closing, amount in self.closings:
            trade = closing.trade
            trade.units += closing.units
            trade.realized += amount
            trade.proceeds += abs(closing.units) * self.price
            trade.closed_by.append(self.transaction_id)
            if not trade.open:
                trade.closed_at = self.time
        if self.opened is not None:
            trades.add(self.opened)

    def touched(self) -> Row:
        """Which trades it opened, reduced and closed, as the order's row names them; once they are changed."""
        row: Row = {} if self.opened is None else {"tradeOpenedID": self.opened.id}
        for closing, _ in self.closings:
            if closing.trade.open:
                row["tradeReducedID"] = closing.trade.id
            else:
                row.setdefault("tradeClosedIDs", []).append(closing.trade.id)
        return row


def fill_row(fill: Fill, balance: Decimal) -> Row:
    """The transaction of a fill that is booked."""
    factor, price = wire.factor(fill.factor), _shown(fill.quoted, fill.price)
    row: Row = {
        "orderID": fill.order.id,
        **({"clientOrderID": fill.order.client_id} if fill.order.client_id else {}),
        "instrument": fill.instrument,
        "units": wire.units(fill.units),
        "requestedUnits": fill.order.intent.terms.get("units", wire.units(fill.units)),
        "price": price,
        "pl": wire.money(fill.realized),
        "financing": "0.0000",
        "commission": wire.money(fill.commission),
        "accountBalance": wire.money(balance),
        "gainQuoteHomeConversionFactor": factor,
        "lossQuoteHomeConversionFactor": factor,
        "guaranteedExecutionFee": "0.0000",
        "halfSpreadCost": _half_spread(fill, fill.units),
        "fullVWAP": price,
        "reason": o.fill_reason(fill.order.intent),
    }
    if fill.opened is not None:
        row["tradeOpened"] = {
            "price": price,
            "tradeID": fill.opened.id,
            "units": wire.units(fill.opened.units),
            "guaranteedExecutionFee": "0.0000",
            "halfSpreadCost": _half_spread(fill, fill.opened.units),
            "initialMarginRequired": wire.money(fill.opened.margin),
        }
        if fill.opened.client_extensions:
            row["tradeOpened"]["clientExtensions"] = fill.opened.client_extensions
    for closing, amount in fill.closings:
        part = _part(fill, closing, amount, price)
        if closing.trade.open:
            row["tradeReduced"] = part
        else:
            row.setdefault("tradesClosed", []).append(part)
    row["fullPrice"] = _full_price(fill)
    return row


def financing_row(
    payments: Sequence[FundingPaid],
    markets: Markets,
    trades: Trades,
    totals: MutableMapping[tuple[str, bool], Decimal],
) -> tuple[Row, Decimal]:
    """The transaction of one time of funding, without the balance; and what it moves in all. Books it to the trades."""
    by_instrument: defaultdict[str, list[Row]] = defaultdict(list)
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for payment in payments:
        quoted = markets.of(payment.instrument)
        amount = wire.settled(payment.amount * markets.home_factor(quoted.market.instrument.quote))
        long = {"long": True, "short": False}.get(payment.position_side)
        sums[quoted.name] += amount
        for trade, share in _shares(amount, trades.open(quoted.name, long=long)):
            trade.financing += share
            totals[quoted.name, trade.long] += share
            by_instrument[quoted.name].append({"tradeID": trade.id, "financing": wire.money(share)})
    positions = [
        {"instrument": name, "financing": wire.money(amount), "openTradeFinancings": by_instrument[name]}
        for name, amount in sums.items()
    ]
    total = sum(sums.values(), ZERO)
    row = {"financing": wire.money(total), "accountFinancingMode": "DAILY", "positionFinancings": positions}
    return row, total


def _shares(amount: Decimal, trades: Sequence[Trade]) -> list[tuple[Trade, Decimal]]:
    """An amount divided by units; the last takes the remainder."""
    whole, left, shares = sum((abs(trade.units) for trade in trades), ZERO), amount, []
    for trade in trades[:-1]:
        share = wire.settled(quotient(amount * abs(trade.units), whole))
        left -= share
        shares.append((trade, share))
    return [*shares, *((trade, left) for trade in trades[-1:])]


def _realized(closing: Closing, price: Decimal, factor: Decimal) -> Decimal:
    return wire.settled((closing.trade.price - price) * closing.units * factor)


def _average(fills: Sequence[FillBooked]) -> Decimal:
    if len({fill.price for fill in fills}) == 1:
        return fills[0].price
    quantity = sum((fill.quantity for fill in fills), ZERO)
    worth = sum((fill.quantity * fill.price for fill in fills), ZERO)
    return quotient(worth, quantity).quantize(_AVERAGE, context=_ROUNDING).normalize(_ROUNDING)


def _shown(quoted: Quoted, price: Decimal) -> str:
    finer = price % ONE.scaleb(-quoted.precision)
    return wire.units(price) if finer else quoted.shown(price)


def _half_spread(fill: Fill, units: Decimal) -> str:
    return wire.money(abs(units) * fill.quoted.market.level * fill.factor)


def _part(fill: Fill, closing: Closing, amount: Decimal, price: str) -> Row:
    return {
        "tradeID": closing.trade.id,
        "units": wire.units(closing.units),
        "realizedPL": wire.money(amount),
        "financing": "0.0000",
        "price": price,
        "guaranteedExecutionFee": "0.0000",
        "halfSpreadCost": _half_spread(fill, closing.units),
    }


def _full_price(fill: Fill) -> Row:
    quoted, liquidity = fill.quoted, wire.units(fill.quoted.market.depth)
    bid, ask = quoted.shown(quoted.bid), quoted.shown(quoted.ask)
    return {
        "closeoutBid": bid,
        "closeoutAsk": ask,
        "timestamp": wire.stamp(fill.time),
        "bids": [{"price": bid, "liquidity": liquidity}],
        "asks": [{"price": ask, "liquidity": liquidity}],
    }
