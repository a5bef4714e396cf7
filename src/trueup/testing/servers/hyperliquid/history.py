"""What happened to an account, as the venue's rows: fills, funding, other movements of money, and orders.

It is read off the exchange's own history and folded by this file's own arithmetic; a row, once told, never changes.
"""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import msgspec

from trueup.model import events as e
from trueup.model.facts import fact_key
from trueup.model.identifiers import AccountId
from trueup.model.numbers import ZERO, exact
from trueup.testing.servers.hyperliquid.assets import SPOT, USDC, Asset, Assets, Row
from trueup.testing.servers.hyperliquid.notation import (
    NO_HASH,
    milliseconds,
    number,
    rounded,
    trade_id,
    transaction,
)
from trueup.testing.servers.hyperliquid.orders import Note, Placed
from trueup.venues.paper.account import Holding
from trueup.venues.paper.exchange import PaperExchange

OIDS_PER_ACCOUNT = 1_000_000_000
BRIDGE = "0x2df1c51e09aecf9cacb7bc98cb1742757f163df7"
"""Where coins that are paid in come from."""

_STEP = 1_000


class AccountHistory:
    """One account's rows, oldest first; :meth:`catch_up` adds what is new.

    Attributes:
        address: Whose.
        orders: By order id.
        working: Those that may still trade.
        told: What a fact became, by its key: the kind of row, and the row.
        volume: Worth of everything traded.
        next_note: What the venue was asked for beyond what the exchange knows, until the next order takes it.
        seen: How many facts were folded.
    """

    def __init__(self, exchange: PaperExchange, account: AccountId, place: int, address: str, assets: Assets) -> None:
        self.address = address
        self.fills: list[Row] = []
        self.fundings: list[Row] = []
        self.ledger: list[Row] = []
        self.orders: dict[int, Placed] = {}
        self.working: dict[int, Placed] = {}
        self.told: dict[str, tuple[str, Row]] = {}
        self.volume = ZERO
        self.seen = 0
        self.next_note: Note | None = None
        self.paid: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        self._exchange = exchange
        self._account = account
        self._first_oid = (place + 1) * OIDS_PER_ACCOUNT
        self._assets = assets
        self._held: dict[str, Holding] = defaultdict(Holding)
        self._coins: dict[str, Decimal] = defaultdict(Decimal)
        self._liquidating = ""
        self._canceling = ""
        self._by_cloid: dict[str, int] = {}

    def catch_up(self) -> "AccountHistory":
        """Fold what is new. Raises :class:`Unavailable` where the exchange does."""
        while True:
            cursor = str(self.seen - 1) if self.seen else None
            page, _ = self._exchange.history(self._account, cursor, limit=_STEP)
            new = page[1:] if self.seen else page
            if not new:
                return self
            with exact():
                for fact in new:
                    self._fold(fact)
            self.seen += len(new)

    @contextmanager
    def canceled_as(self, status: str) -> Iterator[None]:
        """What is cancelled meanwhile ends in this status."""
        self._canceling = status
        try:
            yield
            self.catch_up()
        finally:
            self._canceling = ""

    def find(self, oid: int | str | None) -> Placed | None:
        """An order by its id or its client order id; of a modified one the newest. None where there is none."""
        return self.orders.get(self._by_cloid.get(oid, 0) if isinstance(oid, str) else oid or 0)

    def oid(self, venue_order_id: str) -> int:
        """The venue's number of an order of the exchange."""
        return self._first_oid + int(venue_order_id.rpartition("-")[2])

    def entry_notional(self, asset: Asset) -> Decimal:
        """What the coins of a spot pair cost."""
        return self._held[asset.market.symbol].cost

    def _fold(self, fact: e.Fact) -> None:
        match fact:
            case e.FillBooked() if fact.instrument in self._assets.by_symbol:
                self._tell(fact, "fill", self.fills, self._fill(fact, self._assets.by_symbol[fact.instrument]))
            case e.FundingPaid() if fact.instrument in self._assets.by_symbol:
                self._tell(fact, "funding", self.fundings, self._funding(fact))
            case e.TransferBooked():
                self._tell(fact, "ledger", self.ledger, self._transfer(fact))
            case e.LiquidationFlagged() if fact.instrument in self._assets.by_symbol:
                self._tell(fact, "ledger", self.ledger, self._liquidation(fact))
            case e.OrderReported() if fact.instrument in self._assets.by_symbol:
                self._order(fact)
            case _:
                pass  # of a market that the venue does not have

    def _tell(self, fact: e.Fact, kind: str, rows: list[Row], row: Row) -> None:
        rows.append(row)
        self.told[fact_key(fact) or ""] = (kind, row)

    # --- fills --------------------------------------------------------------------------------------------------------

    def _fill(self, fill: e.FillBooked, asset: Asset) -> Row:
        self._liquidating = ""
        signed = fill.quantity if fill.side == "buy" else -fill.quantity
        held, market = self._held[fill.instrument], asset.market
        start = self._coins[market.coins] if market.spot else held.quantity
        realized = held.trade(market, signed, fill.price)
        self.volume += fill.quantity * fill.price
        if market.spot:
            self._coins[market.coins] += signed
            self._coins[market.purse(fill.fee_currency)] -= fill.fee
        self.paid[fill.instrument]["sinceChange"] = ZERO
        if not held.quantity:
            self.paid[fill.instrument]["sinceOpen"] = ZERO
        row: Row = {
            "coin": asset.coin,
            "px": number(fill.price),
            "sz": number(fill.quantity),
            "side": "B" if fill.side == "buy" else "A",
            "time": milliseconds(fill.venue_time),
            "startPosition": number(start),
            "dir": ("Buy" if signed > ZERO else "Sell") if market.spot else _direction(start, signed),
            "closedPnl": rounded(realized),
            "hash": transaction(self.address, fill.venue_order_id, milliseconds(fill.venue_time)),
            "oid": self.oid(fill.venue_order_id),
            "crossed": fill.liquidity != "maker",
            "fee": number(fill.fee),
            "tid": trade_id(self.address, fill.venue_trade_id),
            "feeToken": fill.fee_currency,
            "twapId": None,
        }
        if fill.client_order_id:
            row["cloid"] = fill.client_order_id
        if fill.liquidation:
            row["liquidation"] = {
                "liquidatedUser": self.address, "markPx": number(fill.price), "method": "market",
            }  # fmt: skip
        return row

    # --- money --------------------------------------------------------------------------------------------------------

    def _funding(self, funding: e.FundingPaid) -> Row:
        for span in ("allTime", "sinceOpen", "sinceChange"):
            self.paid[funding.instrument][span] -= funding.amount
        delta = {
            "type": "funding",
            "coin": self._assets.by_symbol[funding.instrument].coin,
            "usdc": number(funding.amount),
            "szi": number(self._held[funding.instrument].quantity),
            "fundingRate": number(funding.rate or ZERO),
            "nSamples": None,
        }
        return {"time": milliseconds(funding.venue_time), "hash": NO_HASH, "delta": delta}

    def _transfer(self, transfer: e.TransferBooked) -> Row:
        token, _, wallet = transfer.currency.partition("@")
        if wallet == SPOT:
            self._coins[transfer.currency] += transfer.amount
            for asset in self._assets.spots:
                if asset.market.coins == transfer.currency:
                    self._held[asset.market.symbol].quantity += transfer.amount  # coins that came cost nothing
        return self._entry(transfer.venue_id, transfer.venue_time, self._moved(transfer, token, wallet))

    def _moved(self, transfer: e.TransferBooked, token: str, wallet: str) -> Row:
        size = number(abs(transfer.amount))
        if token == USDC and not wallet:
            if transfer.amount > ZERO:
                return {"type": "deposit", "usdc": size}
            return {"type": "withdraw", "usdc": size, "nonce": milliseconds(transfer.venue_time), "fee": "0.0"}
        ways = (BRIDGE, self.address) if transfer.amount > ZERO else (self.address, BRIDGE)
        terms: Row = {"token": token, "amount": size, "usdcValue": size, "user": ways[0], "destination": ways[1]}
        costs: Row = {"fee": "0.0", "nativeTokenFee": "0.0", "nonce": None}
        if wallet == SPOT:
            return {"type": "spotTransfer", **terms, **costs}
        dexes = ("", wallet) if transfer.amount > ZERO else (wallet, "")
        return {"type": "send", **terms, "sourceDex": dexes[0], "destinationDex": dexes[1], **costs, "feeToken": ""}

    def _liquidation(self, flagged: e.LiquidationFlagged) -> Row:
        self._liquidating = flagged.instrument
        coin, held = self._assets.by_symbol[flagged.instrument].coin, self._held[flagged.instrument]
        delta: Row = {
            "type": "liquidation",
            "liquidatedNtlPos": rounded(abs(held.cost)),
            "leverageType": "Cross",
            "liquidatedPositions": [{"coin": coin, "szi": number(held.quantity)}],
        }
        return self._entry(flagged.venue_id, flagged.venue_time, delta)

    def _entry(self, venue_id: str, venue_time: int, delta: Row) -> Row:
        return {"time": milliseconds(venue_time), "hash": transaction(self.address, venue_id), "delta": delta}

    # --- orders -------------------------------------------------------------------------------------------------------

    def _order(self, report: e.OrderReported) -> None:
        oid = self.oid(report.venue_order_id)
        asset = self._assets.by_symbol[report.instrument]
        placed = self.orders.get(oid)
        if placed is None:
            placed = Placed(oid, asset.coin, report, self.next_note or Note.of(report), report.venue_time)
            self.next_note = None
            if report.client_order_id:
                self._by_cloid[report.client_order_id] = oid
        placed = msgspec.structs.replace(placed, report=report, status=self._status(placed, report))
        self.orders[oid] = self.working[oid] = placed
        if placed.status != "open":
            del self.working[oid]
        self.told[fact_key(report) or ""] = ("order", placed.update())

    def _status(self, placed: Placed, report: e.OrderReported) -> str:
        """The venue's word, which gives the reason of an end."""
        if report.status in {"open", "partially_filled"}:
            return "open"
        if report.status == "filled":
            return "filled"
        if self._canceling:
            return self._canceling
        if self._liquidating == report.instrument:
            return "liquidatedCanceled"
        if placed.note.tif in {"Ioc", "FrontendMarket"} and not report.filled:
            return "iocCancelRejected"
        return "reduceOnlyCanceled" if report.reduce_only else "canceled"


def _direction(start: Decimal, signed: Decimal) -> str:
    """What a fill of a perpetual did to the position."""
    if start * signed >= ZERO:
        return "Open Long" if signed > ZERO else "Open Short"
    held, other = ("Long", "Short") if start > ZERO else ("Short", "Long")
    return f"Close {held}" if abs(signed) <= abs(start) else f"{held} > {other}"
