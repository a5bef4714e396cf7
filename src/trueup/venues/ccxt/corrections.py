"""What ccxt does not say of an exchange, or says wrongly, as small tables: here alone stands what is special to one.

An exchange without a row is read by ccxt's own unified methods and what they state of themselves; that is less than
what is known of those below.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

Params = Mapping[str, object]

DAY_MS = 86_400_000

UNSENT = "unsent"
"""A parameter of this value is left out of a request: where none is given, ccxt fills in one of its own."""

ORDERS_MAX = 500
"""Open orders in one answer, where no smaller page is known."""


class Feed(msgspec.Struct, frozen=True):
    """One list of the history, which is read by time.

    Attributes:
        method: ccxt's, by name.
        params: What is passed along: which of several lists it is.
        page: How many rows an answer holds at most; one that has as many may have been cut.
        days: The longest stretch of time that one call may ask for.
        until: The parameter that ends the stretch.
        since: The parameter that begins it, where ccxt's own argument is not sent on.
        by_symbol: Whether each instrument has a list of its own.
        iso: Whether the end is written as RFC 3339 text.
        kind: What its rows are.
    """

    method: str
    kind: Literal["trade", "funding", "ledger"]
    params: Params = {}
    page: int = 100
    days: float = 7
    until: str = "until"
    since: str = ""
    by_symbol: bool = False
    iso: bool = False


class Cash(msgspec.Struct, frozen=True):
    """Where a balance without unrealised P&L stands in the venue's own answer, by paths such as ``data.0.details``.

    Attributes:
        rows: The list of balances, or the only one.
        amount: In one of them.
        currency: Its name in one of them; empty where all is in :attr:`Correction.money`.
        without: What is in the amount and is no cash; a ``*`` in a path stands for each item of a list.
    """

    rows: str
    amount: str
    currency: str = ""
    without: str = ""


class Correction(msgspec.Struct, frozen=True):
    """Of one exchange.

    Attributes:
        feeds: The lists of its history; empty to go by what ccxt states.
        days_back: How far back they reach; None where that is not known.
        positions: Calls that together state every position.
        position_rows: The request that states positions, and the path to its rows: ccxt leaves some out unsaid.
        position_size: The path to a position's size in the venue's own row: where it is missing ccxt works one out.
        orders: Calls that together state every open order, with how many rows one answer holds.
        by_currency: The parameter that names a currency, where orders and trades are listed for each by itself.
        balance: What ``fetch_balance`` is asked with.
        cash: Where balances are told without unrealised P&L; None where ccxt's total is without.
        money: The currency of what names none.
        trade_info: Paths to fields of a trade in the venue's own row, by ccxt's name.
        order_info: The same of an order.
        ledger_info: The same of an entry of the ledger; ``amount`` is then signed.
        transfers: The ledger's kinds that move money without a trade, and what they are; others are explained by trades
            and funding.
        outgoing: Those of them whose amount is written without its sign, and left the account.
        explained: The ledger's other kinds; one that is in neither table is refused.
        funding_paid: Whether ccxt's amount of a funding payment is what was paid instead of what was received.
        unit_size: The contract size that ccxt's amounts are in, where that is not the one it states.
        plain_currencies: Whether the names of currencies are their ids, so that ccxt need not ask for them.
        client_id: How the venue writes a client order id.
        client_param: The parameter of ``create_order`` that takes it.
        find_by: The parameter of ``fetch_order`` that finds an order by our id; ``surely`` where it needs no symbol.
        find_surely: Whether that needs no instrument.
        ended: What the list of orders that are over is asked with.
        lists_all: Whether the lists of orders hold every one there was: one that is in none was never placed.
        triggers: What an order with a trigger is cancelled and asked for with, where its calls are others.
        plain_only: Whether orders with a trigger are refused.
        ignored_forces: Times in force that ccxt states and does not send: such an order would rest.
        lower_sides: Whether sides of a position are written in small letters.
        edits_rest: Whether a changed order is given what is to rest of it, and not its whole amount.
        market_price: Whether a market order needs the present price, to bound it.
        each_ticker: Whether to ask for the price of each instrument by itself.
        options: Of ccxt.
        markets: What the markets are asked for with.
        hedged_fills: Whether a fill of an account with both sides tells which of them it is of.
        cannot: What else cannot be had there, in sentences.
    """

    feeds: tuple[Feed, ...] = ()
    days_back: int | None = None
    positions: tuple[Params, ...] = ({},)
    position_rows: tuple[str, str] | None = None
    position_size: str = ""
    orders: tuple[Params, ...] = ({},)
    orders_page: int = ORDERS_MAX
    by_currency: str = ""
    balance: Params = {}
    cash: Cash | None = None
    money: str = ""
    trade_info: Mapping[str, str] = {}
    order_info: Mapping[str, str] = {}
    ledger_info: Mapping[str, str] = {}
    transfers: Mapping[str, str] = {}
    outgoing: frozenset[str] = frozenset()
    explained: frozenset[str] = frozenset()
    funding_paid: bool = False
    unit_size: str = ""
    plain_currencies: bool = False
    client_id: Literal["plain", "hex"] = "plain"
    client_param: str = "clientOrderId"
    find_by: str = ""
    find_surely: bool = False
    ended: Params = {}
    lists_all: bool = False
    triggers: Params = {}
    plain_only: bool = False
    ignored_forces: frozenset[str] = frozenset()
    lower_sides: bool = False
    edits_rest: bool = False
    market_price: bool = False
    each_ticker: bool = False
    options: Params = {}
    markets: Params = {}
    hedged_fills: bool = True
    cannot: tuple[str, ...] = ()


_BYBIT_KINDS: tuple[Params, ...] = (
    {"type": "swap", "subType": "linear"},
    {"type": "swap", "subType": "inverse"},
    {"type": "spot"},
)
_OKX_KINDS: tuple[Params, ...] = ({"type": "swap"}, {"type": "future"}, {"type": "spot"})

CORRECTIONS: Mapping[str, Correction] = {
    "binanceusdm": Correction(
        position_rows=("positionRisk", ""),
        position_size="positionAmt",
        feeds=(
            Feed("fetch_my_trades", "trade", page=1000, days=7, by_symbol=True),
            Feed("fetch_funding_history", "funding", page=1000, days=7),
            Feed("fetch_ledger", "ledger", page=1000, days=7),
        ),
        days_back=90,
        orders=({}, {"trigger": True}),
        cash=Cash("assets", "walletBalance", "asset"),
        ledger_info={"amount": "income", "type": "incomeType", "id": "tranId"},
        transfers={
            "TRANSFER": "internal",
            "INTERNAL_TRANSFER": "internal",
            "CROSS_COLLATERAL_TRANSFER": "internal",
            "STRATEGY_UMFUTURES_TRANSFER": "internal",
            "WELCOME_BONUS": "reward",
            "REFERRAL_KICKBACK": "reward",
            "COMMISSION_REBATE": "reward",
            "API_REBATE": "reward",
            "CONTEST_REWARD": "reward",
            "FEE_RETURN": "reward",
            "FUTURES_PRESENT": "reward",
            "BFUSD_REWARD": "reward",
            "COIN_SWAP_DEPOSIT": "exchange",
            "COIN_SWAP_WITHDRAW": "exchange",
            "AUTO_EXCHANGE": "exchange",
            "INSURANCE_CLEAR": "liquidation",
            "DELIVERED_SETTELMENT": "settlement",
        },
        explained=frozenset({"REALIZED_PNL", "COMMISSION", "FUNDING_FEE"}),
        plain_currencies=True,
        find_by="origClientOrderId",
        triggers={"trigger": True},
        options={"warnOnFetchOpenOrdersWithoutSymbol": False},
    ),
    "bybit": Correction(
        position_rows=("v5/position/list", "result.list"),
        position_size="size",
        feeds=(
            *(
                Feed("fetch_my_trades", "trade", {**kind, "execType": event}, page=100, days=7)
                for kind in _BYBIT_KINDS
                for event in ("Trade", "AdlTrade", "BustTrade", "Delivery")
                if kind != {"type": "spot"} or event == "Trade"
            ),
            *(  # ccxt states the page by a name that is not read there: half as much would be told, and taken for all
                Feed("fetch_funding_history", "funding", {**kind, "limit": 100}, page=100, days=7)
                for kind in _BYBIT_KINDS[:2]
            ),
            Feed("fetch_ledger", "ledger", page=50, days=7, until="endTime"),
        ),
        days_back=730,
        positions=(
            {"settleCoin": "USDT", "limit": 200},
            {"settleCoin": "USDC", "limit": 200},
            {"type": "swap", "subType": "inverse", "limit": 200},
        ),
        orders=(
            {"type": "swap", "subType": "linear", "settleCoin": "USDT"},
            {"type": "swap", "subType": "linear", "settleCoin": "USDC"},
            {"type": "swap", "subType": "inverse", "settleCoin": UNSENT},
            {"type": "spot"},
        ),
        orders_page=50,
        ledger_info={"amount": "change", "type": "type", "id": "id"},
        transfers={
            "TRANSFER_IN": "internal",
            "TRANSFER_OUT": "internal",
            "BONUS": "reward",
            "FEE_REFUND": "reward",
            "INTEREST": "interest",
            "AIRDROP": "reward",
        },
        explained=frozenset({"TRADE", "SETTLEMENT", "DELIVERY", "LIQUIDATION", "ADL"}),
        funding_paid=True,
        plain_currencies=True,
        find_by="orderLinkId",
        options={
            "enableUnifiedAccount": True,
            "enableUnifiedMargin": False,
            "fetchOrder": {"acknowledged": True},
            "fetchMarkets": {"types": ["spot", "linear", "inverse"]},
        },
        hedged_fills=False,
    ),
    "okx": Correction(
        position_rows=("account/positions", "data"),
        position_size="pos",
        feeds=(
            *(Feed("fetch_my_trades", "trade", kind, page=100, days=30) for kind in _OKX_KINDS),
            Feed("fetch_funding_history", "funding", {"type": "swap"}, 100, 30, until="end", since="begin"),
            Feed(  # a transfer is of no type of instrument
                "fetch_ledger",
                "ledger",
                {"method": "privateGetAccountBillsArchive", "type": UNSENT},
                100,
                30,
                "end",
                "begin",
            ),
        ),
        days_back=89,
        orders=({}, {"trigger": True, "ordType": "conditional"}, {"trigger": True, "ordType": "trigger"}),
        orders_page=100,
        cash=Cash("data.0.details", "cashBal", "ccy"),
        ledger_info={"amount": "balChg", "type": "type", "id": "billId"},
        transfers={"1": "internal", "4": "exchange", "6": "internal", "7": "interest", "11": "exchange"},
        explained=frozenset({"2", "3", "5", "8", "9", "10"}),
        plain_currencies=True,
        find_by="clientOrderId",
        triggers={"trigger": True},
        lower_sides=True,
        options={"fetchMarkets": {"types": ["spot", "future", "swap"]}},
    ),
    "krakenfutures": Correction(
        position_rows=("openpositions", "openPositions"),
        position_size="size",
        feeds=(
            Feed("fetch_my_trades", "trade", page=100, days=3_650, until="lastFillTime", iso=True),
            Feed("fetch_funding_history", "funding", page=500, days=30),
            Feed("fetch_ledger", "ledger", page=250, days=30),
        ),
        trade_info={"amount": "size", "fee": "fee_paid", "fee_currency": "fee_currency"},
        order_info={"price": "limitPrice"},
        transfers={"transfer": "internal", "rebate": "reward"},
        explained=frozenset({"trade", "fee"}),
        ignored_forces=frozenset({"ioc", "fok"}),
        cannot=("Interest and taxes of the account log are not booked.",),
    ),
    "bitget": Correction(
        position_rows=("v2/mix/position/all-position", "data"),
        position_size="total",
        feeds=(
            Feed("fetch_my_trades", "trade", page=100, days=7, by_symbol=True),
            Feed("fetch_funding_history", "funding", page=100, days=30, by_symbol=True),
        ),
        days_back=90,
        positions=(
            {"productType": "USDT-FUTURES"},
            {"productType": "USDC-FUTURES"},
            {"productType": "COIN-FUTURES", "marginCoin": UNSENT},
        ),
        orders=(
            {"type": "swap", "productType": "USDT-FUTURES"},
            {"type": "swap", "productType": "USDC-FUTURES"},
            {"type": "swap", "productType": "COIN-FUTURES"},
        ),
        orders_page=100,
        balance={"type": "swap", "productType": "USDT-FUTURES"},
        cash=Cash("", "accountEquity", "marginCoin", "unrealizedPL"),
        plain_currencies=True,
        find_by="clientOid",
        options={"defaultType": "swap", "fetchMarkets": {"types": ["swap"]}},
        hedged_fills=False,
        plain_only=True,
        cannot=(
            "Balances are those of the futures account in USDT; spot, USDC and coin margin are not read.",
            "Plan (trigger) orders are not read, and not placed: by ccxt a stop would close the whole position.",
        ),
    ),
    "kucoinfutures": Correction(
        position_rows=("positions", "data"),
        position_size="currentQty",
        feeds=(
            Feed("fetch_my_trades", "trade", page=1000, days=7, until="endAt"),
            Feed("fetch_funding_history", "funding", page=100, days=30, until="endAt", by_symbol=True),
            Feed("fetch_ledger", "ledger", {"type": "contract"}, page=50, days=1),
        ),
        days_back=90,
        orders=({"pageSize": 50}, {"trigger": True, "pageSize": 50}),
        orders_page=50,
        cash=Cash("data", "accountEquity", "currency", "unrealisedPNL"),
        plain_currencies=True,
        find_by="clientOid",
        find_surely=True,
        ledger_info={"amount": "amount", "type": "type", "id": "offset"},
        transfers={
            "Deposit": "internal",
            "Withdrawal": "internal",
            "TransferIn": "internal",
            "TransferOut": "internal",
        },
        explained=frozenset({"RealisedPNL"}),
        options={"uta": False, "hf": False, "fetchMarkets": {"types": ["contract"]}},
        markets={"marginables": False},
        balance={"code": "USDT"},
        cannot=(
            "Balances are those of the futures account in USDT.",
            "Orders are refused before they are sent: ccxt wants binary floats for amounts, and is given exact text.",
        ),
    ),
    "deribit": Correction(
        position_rows=("get_positions", "result"),
        position_size="size",
        feeds=(  # trades of the last day are in one store, older ones in the other
            Feed("fetch_my_trades", "trade", {"historical": True}, page=100, days=3_650, until="end_timestamp"),
            Feed("fetch_my_trades", "trade", page=100, days=3_650, until="end_timestamp"),
        ),
        by_currency="currency",
        client_param="label",
        ended={"include_unfilled": True},
        lists_all=True,
        each_ticker=True,
        cash=Cash("summaries", "balance", "currency"),
        unit_size="1",
        cannot=("Funding is part of the daily settlement there, and no list of it is read: it shows as cash.",),
    ),
    "hyperliquid": Correction(
        position_rows=("info", "assetPositions"),
        position_size="position.szi",
        feeds=(
            Feed("fetch_my_trades", "trade", page=2000, days=3_650),
            Feed("fetch_funding_history", "funding", page=500, days=3_650),
            Feed("fetch_ledger", "ledger", page=500, days=3_650),
        ),
        cash=Cash("", "marginSummary.accountValue", without="assetPositions.*.position.unrealizedPnl"),
        money="USDC",
        unit_size="1",
        ledger_info={"amount": "delta.usdc", "type": "delta.type", "id": "hash"},
        client_id="hex",
        find_by="clientOrderId",
        find_surely=True,
        edits_rest=True,
        market_price=True,
        options={"fetchMarkets": {"types": ["swap"]}},
        transfers={"deposit": "deposit", "withdraw": "withdrawal"},
        outgoing=frozenset({"withdraw"}),
        cannot=("Only the main dex is read, without spot and what moves between accounts: see venue hyperliquid.",),
    ),
}


def correction_of(exchange: str) -> Correction:
    """What is known of an exchange; of most nothing is."""
    return CORRECTIONS.get(exchange, Correction())
