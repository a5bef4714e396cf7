"""Small answers in the documented formats of seven exchanges, as one account of each might get them."""

from collections.abc import Mapping

from tests.venues.ccxt.replay import saved

NOW = 1_795_000_000_000
"""Milliseconds; of a moment that a first pull still reaches."""

Answers = dict[str, bytes]


def binanceusdm() -> Answers:
    market = {
        "symbol": "BTCUSDT", "pair": "BTCUSDT", "contractType": "PERPETUAL", "deliveryDate": 4133404800000,
        "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT", "marginAsset": "USDT", "pricePrecision": 2,
        "quantityPrecision": 3, "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0.1", "maxPrice": "1000000", "tickSize": "0.10"},
            {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "1000", "stepSize": "0.001"},
        ], "orderTypes": ["LIMIT", "MARKET"], "timeInForce": ["GTC", "IOC"],
    }  # fmt: skip
    position = {
        "symbol": "BTCUSDT", "positionSide": "BOTH", "positionAmt": "-0.014", "entryPrice": "61234.5",
        "breakEvenPrice": "61200", "markPrice": "61000.0", "unRealizedProfit": "3.283", "liquidationPrice": "90000",
        "isolatedMargin": "0", "notional": "-854.0", "marginAsset": "USDT", "isolatedWallet": "0",
        "initialMargin": "85.4", "maintMargin": "4.0", "positionInitialMargin": "85.4", "openOrderInitialMargin": "0",
        "adl": 1, "bidNotional": "0", "askNotional": "0", "updateTime": NOW,
    }  # fmt: skip
    asset = {
        "asset": "USDT", "walletBalance": "1000.25", "unrealizedProfit": "3.283", "marginBalance": "1003.533",
        "maintMargin": "4.0", "initialMargin": "85.4", "availableBalance": "918.1", "maxWithdrawAmount": "918.1",
        "crossWalletBalance": "1000.25", "crossUnPnl": "3.283", "updateTime": NOW,
    }  # fmt: skip
    order = {
        "symbol": "BTCUSDT", "orderId": 77, "clientOrderId": "ours77", "price": "60000", "origQty": "0.010",
        "executedQty": "0.004", "status": "PARTIALLY_FILLED", "timeInForce": "GTC", "type": "LIMIT", "side": "BUY",
        "positionSide": "BOTH", "reduceOnly": False, "stopPrice": "0", "avgPrice": "60000", "cumQuote": "240",
        "time": NOW, "updateTime": NOW + 5, "origType": "LIMIT", "closePosition": False,
        "workingType": "CONTRACT_PRICE",
    }  # fmt: skip
    trade = {
        "symbol": "BTCUSDT", "id": 698759, "orderId": 25851813, "side": "SELL", "price": "61234.50", "qty": "0.014",
        "realizedPnl": "0", "quoteQty": "857.283", "commission": "0.34291320", "commissionAsset": "USDT", "time": NOW,
        "positionSide": "BOTH", "buyer": False, "maker": False,
    }  # fmt: skip
    funding = {
        "symbol": "BTCUSDT", "incomeType": "FUNDING_FEE", "income": "-0.0375", "asset": "USDT", "info": "FUNDING_FEE",
        "time": NOW + 10, "tranId": 9689322392, "tradeId": "",
    }  # fmt: skip
    transfer = {**funding, "symbol": "", "incomeType": "TRANSFER", "income": "1000", "time": NOW - 10, "tranId": 5}
    return {
        "GET /fapi/v1/exchangeInfo": saved({"symbols": [market], "assets": [], "rateLimits": []}),
        "GET /fapi/v1/leverageBracket": saved([]),
        "GET /fapi/v3/positionRisk": saved([position]),
        "GET /fapi/v3/account": saved({"assets": [asset], "positions": []}),
        "GET /fapi/v2/account": saved({"assets": [asset], "positions": []}),
        "GET /fapi/v1/openOrders": saved([order]),
        "GET /fapi/v1/openAlgoOrders": saved([]),
        "GET /fapi/v1/userTrades": saved([trade]),
        "GET /fapi/v1/income?incomeType=FUNDING_FEE": saved([funding]),
        "GET /fapi/v1/income": saved([transfer, funding]),
    }


def bybit() -> Answers:
    def market(symbol: str, kind: str, base: str, quote: str, settle: str, step: str) -> Mapping[str, object]:
        return {
            "symbol": symbol, "contractType": kind, "status": "Trading", "baseCoin": base, "quoteCoin": quote,
            "launchTime": "1585526400000", "deliveryTime": "0", "deliveryFeeRate": "", "priceScale": "2",
            "leverageFilter": {"minLeverage": "1", "maxLeverage": "100.00", "leverageStep": "0.01"},
            "priceFilter": {"minPrice": "0.10", "maxPrice": "199999.80", "tickSize": "0.10"},
            "lotSizeFilter": {"maxOrderQty": "1000", "minOrderQty": step, "qtyStep": step},
            "unifiedMarginTrade": True, "fundingInterval": 480, "settleCoin": settle,
        }  # fmt: skip

    def position(symbol: str, side: str, size: str, index: int = 0) -> Mapping[str, object]:
        return {
            "positionIdx": index, "symbol": symbol, "side": side, "size": size, "avgPrice": "50000.00",
            "positionValue": "25000", "tradeMode": 0, "leverage": "10", "markPrice": "50500.00", "liqPrice": "45000.00",
            "unrealisedPnl": "250.00", "positionIM": "2500", "positionMM": "250", "createdTime": str(NOW),
            "updatedTime": str(NOW),
        }  # fmt: skip

    def execution(name: str, **more: object) -> Mapping[str, object]:
        return {
            "symbol": "BTCUSDT", "orderId": "o1", "orderLinkId": "ours1", "side": "Buy", "orderPrice": "50000",
            "orderQty": "0.5", "leavesQty": "0", "orderType": "Limit", "execFee": "13.75", "execId": name,
            "execPrice": "50000.0", "execQty": "0.5", "execType": "Trade", "execValue": "25000", "execTime": str(NOW),
            "isMaker": True, "feeRate": "0.00055", "createType": "CreateByUser", "closedSize": "0", **more,
        }  # fmt: skip

    def listed(category: str, *rows: Mapping[str, object]) -> bytes:
        return saved({"retCode": 0, "retMsg": "OK", "result": {"category": category, "list": rows}, "time": NOW})

    balance = {"accountType": "UNIFIED", "totalEquity": "3000", "coin": [
        {"coin": "USDT", "walletBalance": "2500.125", "equity": "2750.125", "unrealisedPnl": "250", "locked": "0"},
        {"coin": "BTC", "walletBalance": "0.5", "equity": "0.5", "unrealisedPnl": "0", "locked": "0"},
    ]}  # fmt: skip
    transfer = {
        "id": "t1", "symbol": "", "category": "linear", "side": "None", "transactionTime": str(NOW - 10),
        "type": "TRANSFER_IN", "qty": "0", "currency": "USDT", "funding": "", "fee": "0", "cashFlow": "2500.12500001",
        "change": "2500.12500001", "cashBalance": "2500.12500001", "tradeId": "",
    }  # fmt: skip
    funding = execution("f1", execType="Funding", execFee="0.6364003", side="Sell", execTime=str(NOW + 10))
    orders = "GET /v5/order/realtime"
    return {
        "GET /v5/market/instruments-info?category=linear": listed(
            "linear",
            market("BTCUSDT", "LinearPerpetual", "BTC", "USDT", "USDT", "0.001"),
            market("BTCPERP", "LinearPerpetual", "BTC", "USDC", "USDC", "0.001"),
        ),
        "GET /v5/market/instruments-info?category=linear&status=PreLaunch": listed("linear"),
        "GET /v5/market/instruments-info?category=inverse": listed(
            "inverse", market("BTCUSD", "InversePerpetual", "BTC", "USD", "BTC", "1")
        ),
        "GET /v5/market/instruments-info?category=spot": listed("spot"),
        "GET /v5/position/list?settleCoin=USDT": listed(
            "linear", position("BTCUSDT", "Buy", "0.5"), position("BTCUSDT", "", "0")
        ),
        "GET /v5/position/list?settleCoin=USDC": listed("linear", position("BTCPERP", "Sell", "0.2")),
        "GET /v5/position/list?category=inverse": listed("inverse", position("BTCUSD", "Sell", "300")),
        "GET /v5/account/wallet-balance": listed("", balance),
        orders + "?category=linear&settleCoin=USDT": listed("linear"),
        orders + "?category=linear&settleCoin=USDC": listed("linear"),
        orders + "?category=inverse": listed("inverse"),
        orders + "?category=spot": listed("spot"),
        "GET /v5/execution/list?category=linear&execType=Trade": listed("linear", execution("e1")),
        "GET /v5/execution/list?category=linear&execType=AdlTrade": listed(
            "linear", execution("e2", execType="AdlTrade", side="Sell", execTime=str(NOW + 5))
        ),
        "GET /v5/execution/list?category=linear&execType=Funding": listed("linear", funding),
        "GET /v5/execution/list": listed("linear"),
        "GET /v5/account/transaction-log": listed("", transfer),
    }


def okx() -> Answers:
    def listed(*rows: Mapping[str, object]) -> bytes:
        return saved({"code": "0", "msg": "", "data": rows})

    market = {
        "instType": "SWAP", "instId": "BTC-USDT-SWAP", "uly": "BTC-USDT", "instFamily": "BTC-USDT", "baseCcy": "",
        "quoteCcy": "", "settleCcy": "USDT", "ctVal": "0.01", "ctMult": "1", "ctValCcy": "BTC", "ctType": "linear",
        "state": "live", "tickSz": "0.1", "lotSz": "0.01", "minSz": "0.01", "lever": "100", "listTime": "1606468572000",
        "expTime": "", "alias": "", "optType": "", "stk": "",
    }  # fmt: skip
    position = {
        "instType": "SWAP", "instId": "BTC-USDT-SWAP", "mgnMode": "cross", "posId": "1", "posSide": "net", "pos": "-25",
        "avgPx": "61000", "markPx": "61100", "upl": "-25", "uplRatio": "-0.01", "lever": "10", "liqPx": "70000",
        "imr": "1527", "mmr": "61", "notionalUsd": "15275", "margin": "", "cTime": str(NOW), "uTime": str(NOW),
        "ccy": "USDT", "posCcy": "",
    }  # fmt: skip
    balance = {"adjEq": "", "details": [
        {"ccy": "USDT", "cashBal": "94.42612990333333", "eq": "69.42612990333333", "availBal": "94.4", "upl": "-25",
         "frozenBal": "0", "availEq": "69.4", "uTime": str(NOW)},
    ], "uTime": str(NOW)}  # fmt: skip
    order = {
        "instType": "SWAP", "instId": "BTC-USDT-SWAP", "ordId": "88", "clOrdId": "ours88", "px": "60000", "sz": "10",
        "accFillSz": "0", "state": "live", "ordType": "limit", "side": "buy", "posSide": "net", "tdMode": "cross",
        "reduceOnly": "false", "avgPx": "", "fee": "0", "feeCcy": "USDT", "cTime": str(NOW), "uTime": str(NOW),
        "lever": "10", "fillSz": "0", "fillPx": "", "tag": "", "category": "normal",
    }  # fmt: skip
    fill = {
        "instType": "SWAP", "instId": "BTC-USDT-SWAP", "tradeId": "123", "ordId": "87", "clOrdId": "ours87",
        "billId": "456", "fillPx": "61000", "fillSz": "25", "side": "sell", "posSide": "net", "execType": "T",
        "feeCcy": "USDT", "fee": "-7.625", "ts": str(NOW), "fillTime": str(NOW),
    }  # fmt: skip
    bill = {
        "billId": "1001", "instType": "SWAP", "instId": "BTC-USDT-SWAP", "ccy": "USDT", "balChg": "-0.5125",
        "bal": "100", "posBalChg": "0", "type": "8", "subType": "173", "ts": str(NOW + 10), "fee": "0",
        "pnl": "-0.5125",
        "ordId": "", "sz": "0",
    }  # fmt: skip
    transfer = {
        **bill,
        "billId": "1000",
        "instType": "",
        "instId": "",
        "type": "1",
        "balChg": "100",
        "ts": str(NOW - 9),
    }
    return {
        "GET /api/v5/public/instruments?instType=SWAP": listed(market),
        "GET /api/v5/public/instruments": listed(),
        "GET /api/v5/account/positions": listed(position),
        "GET /api/v5/account/balance": listed(balance),
        "GET /api/v5/trade/orders-pending": listed(order),
        "GET /api/v5/trade/orders-algo-pending": listed(),
        "GET /api/v5/trade/fills-history?instType=SWAP": listed(fill),
        "GET /api/v5/trade/fills-history": listed(),
        "GET /api/v5/account/bills-archive?type=8": listed(bill),
        "GET /api/v5/account/bills-archive": listed(bill, transfer),
    }


def krakenfutures() -> Answers:
    def market(symbol: str, kind: str, tick: float) -> Mapping[str, object]:
        return {
            "symbol": symbol, "type": kind, "tickSize": tick, "contractSize": 1, "tradeable": True,
            "openingDate": "2022-01-01T00:00:00.000Z", "contractValueTradePrecision": 0, "base": "BTC", "quote": "USD",
            "marginLevels": [{"contracts": 0, "initialMargin": 0.02, "maintenanceMargin": 0.01}],
            "underlying": "rr_xbtusd",
        }  # fmt: skip

    when = "2026-11-18T09:30:00.123Z"
    fills = [
        {"fill_id": "f1", "symbol": "PI_XBTUSD", "side": "buy", "order_id": "o1", "fillTime": when, "size": 5000,
         "price": 27937.5, "fillType": "maker", "fee_paid": 0.00008957, "fee_currency": "BTC", "cli_ord_id": "ours1"},
    ]  # fmt: skip
    log = [
        {"id": 1, "date": when, "asset": "usd", "info": "transfer", "booking_uid": "b1", "margin_account": "flex",
         "old_balance": 0, "new_balance": 250.5, "contract": "", "execution": "", "fee": None},
        {"id": 2, "date": when, "asset": "xbt", "info": "funding rate change", "booking_uid": "b2",
        "contract": "pi_xbtusd",
         "margin_account": "flex", "old_balance": 0.5, "new_balance": 0.49999, "realized_funding": -0.00001,
         "fee": None},
    ]  # fmt: skip
    order = {
        "order_id": "o2", "cliOrdId": "ours2", "symbol": "PI_XBTUSD", "side": "sell", "orderType": "lmt",
        "limitPrice": 30000.0, "unfilledSize": 700, "filledSize": 300, "receivedTime": when, "lastUpdateTime": when,
        "status": "partiallyFilled", "reduceOnly": True,
    }  # fmt: skip
    return {
        "GET /derivatives/api/v3/instruments": saved(
            {"result": "success", "instruments": [market("PI_XBTUSD", "futures_inverse", 0.5)]}
        ),
        "GET /derivatives/api/v3/openpositions": saved({"result": "success", "serverTime": when, "openPositions": [
            {"side": "short", "symbol": "PI_XBTUSD", "price": 27523.749993345933, "fillTime": when, "size": 8000,
             "unrealizedFunding": 0.0000587},
        ]}),
        "GET /derivatives/api/v3/accounts": saved({"result": "success", "accounts": {"flex": {
            "type": "multiCollateralMarginAccount",
            "currencies": {"XBT": {"quantity": 0.1185308247, "available": 0.1, "value": 5000}},
        }}}),
        "GET /derivatives/api/v3/openorders": saved({"result": "success", "openOrders": [order]}),
        "GET /derivatives/api/v3/fills": saved({"result": "success", "fills": fills}),
        "GET /api/history/v3/account-log?info=funding rate change": saved({"accountUid": "u", "logs": log[1:]}),
        "GET /api/history/v3/account-log": saved({"accountUid": "u", "logs": log}),
    }  # fmt: skip


def bitget() -> Answers:
    def listed(data: object) -> bytes:
        return saved({"code": "00000", "msg": "success", "requestTime": NOW, "data": data})

    market = {
        "symbol": "ETHUSDT", "baseCoin": "ETH", "quoteCoin": "USDT", "buyLimitPriceRatio": "0.01",
        "feeRateUpRatio": "0",
        "makerFeeRate": "0.0002", "takerFeeRate": "0.0006", "supportMarginCoins": ["USDT"], "minTradeNum": "0.01",
        "priceEndStep": "1", "volumePlace": "2", "pricePlace": "2", "sizeMultiplier": "0.01", "symbolType": "perpetual",
        "symbolStatus": "normal", "offTime": "-1", "deliveryTime": "", "launchTime": "", "minLever": "1",
        "maxLever": "125", "openCostUpRatio": "0", "minTradeUSDT": "5", "limitOpenTime": "-1",
    }  # fmt: skip
    position = {
        "marginCoin": "USDT", "symbol": "ETHUSDT", "holdSide": "short", "openDelegateSize": "0", "marginSize": "9.6",
        "available": "0.02", "locked": "0", "total": "0.02", "leverage": "20", "achievedProfits": "0",
        "openPriceAvg": "1801.33", "marginMode": "crossed", "posMode": "one_way_mode", "unrealizedPL": "1.5",
        "liquidationPrice": "2500.1", "keepMarginRate": "0.004", "markPrice": "1790", "cTime": str(NOW),
        "uTime": str(NOW),
    }  # fmt: skip
    fill = {
        "tradeId": "1103122437840805890", "symbol": "ETHUSDT", "orderId": "1103122437760503816", "price": "1801.33",
        "baseVolume": "0.02", "feeDetail": [{"deduction": "no", "feeCoin": "USDT", "totalDeductionFee": "0",
        "totalFee": "-0.02161596"}], "side": "sell", "quoteVolume": "36.0266", "profit": "0",
        "tradeSide": "sell_single",
        "posMode": "one_way_mode", "tradeScope": "taker", "cTime": str(NOW),
    }  # fmt: skip
    bill = {
        "billId": "900", "symbol": "ETHUSDT", "amount": "-0.004522", "fee": "0", "businessType": "contract_settle_fee",
        "coin": "USDT", "balance": "100", "cTime": str(NOW + 10),
    }  # fmt: skip
    account = {
        "marginCoin": "USDT", "locked": "0", "available": "100.5", "crossedMaxAvailable": "100",
        "accountEquity": "102.0",
        "isolatedMaxAvailable": "100", "maxTransferOut": "100", "usdtEquity": "102.0", "unrealizedPL": "1.5",
        "coupon": "0",
    }  # fmt: skip
    contracts = "GET /api/v2/mix/market/contracts"
    return {
        contracts + "?productType=USDT-FUTURES": listed([market]),
        contracts: listed([]),
        "GET /api/v2/mix/position/all-position?productType=USDT-FUTURES": listed([position]),
        "GET /api/v2/mix/position/all-position": listed([]),
        "GET /api/v2/mix/account/accounts": listed([account]),
        "GET /api/v2/mix/order/orders-pending": listed({"entrustedList": None, "endId": None}),
        "GET /api/v2/mix/order/fills": listed({"fillList": [fill], "endId": "1"}),
        "GET /api/v2/mix/account/bill": listed({"bills": [bill], "endId": "900"}),
    }


def kucoinfutures() -> Answers:
    def listed(data: object) -> bytes:
        return saved({"code": "200000", "data": data})

    market = {
        "symbol": "XBTUSDTM", "rootSymbol": "USDT", "type": "FFWCSX", "firstOpenDate": 1585555200000,
        "expireDate": None,
        "settleDate": None, "baseCurrency": "XBT", "quoteCurrency": "USDT", "settleCurrency": "USDT",
        "maxOrderQty": 1000000,
        "maxPrice": 1000000.0, "lotSize": 1, "tickSize": 0.1, "multiplier": 0.001, "initialMargin": 0.01,
        "maintainMargin": 0.005, "makerFeeRate": 0.0002, "takerFeeRate": 0.0006, "isInverse": False, "isQuanto": True,
        "status": "Open", "maxLeverage": 100, "nextFundingRateTime": 21031525,
    }  # fmt: skip
    position = {
        "id": "p1", "symbol": "XBTUSDTM", "autoDeposit": False, "crossMode": True, "currentQty": -20,
        "currentCost": "-1220", "markPrice": 61000.5, "avgEntryPrice": 61100.25, "unrealisedPnl": 1.995,
        "realisedPnl": -0.7, "liquidationPrice": 90000.1, "isOpen": True, "currentTimestamp": NOW, "posCost": -1222.005,
        "settleCurrency": "USDT", "marginMode": "CROSS", "positionSide": "BOTH", "leverage": 10, "realLeverage": 9.9,
        "openingTimestamp": NOW,
    }  # fmt: skip
    fill = {
        "symbol": "XBTUSDTM", "tradeId": "t1", "orderId": "o1", "side": "sell", "liquidity": "taker",
        "forceTaker": True,
        "price": "61100.25", "size": 20, "value": "1222.005", "feeRate": "0.0006", "fixFee": "0", "feeCurrency": "USDT",
        "stop": "", "fee": "0.733203", "orderType": "market", "tradeType": "trade", "createdAt": NOW,
        "settleCurrency": "USDT", "tradeTime": NOW * 1_000_000, "openFeePay": "0.733203", "closeFeePay": "0",
    }  # fmt: skip
    funding = {
        "id": 36275152660006, "symbol": "XBTUSDTM", "timePoint": NOW + 10, "fundingRate": 0.000013,
        "markPrice": 61000.0,
        "positionQty": -20, "positionCost": -1220.0, "funding": 0.01586, "settleCurrency": "USDT",
    }  # fmt: skip
    account = {
        "accountEquity": 99.8699050905, "unrealisedPNL": 1.995, "marginBalance": 97.8749050905, "positionMargin": 12.2,
        "orderMargin": 0, "frozenFunds": 0, "availableBalance": 85.7, "currency": "USDT",
    }  # fmt: skip
    ledger = [
        {"time": NOW - 10, "type": "TransferIn", "amount": 100, "fee": 0, "accountEquity": 100, "status": "Completed",
         "remark": "", "offset": 51360793, "currency": "USDT"},
        {"time": NOW + 1, "type": "RealisedPNL", "amount": -0.733203, "fee": 0, "accountEquity": 99.26,
         "status": "Completed", "remark": "XBTUSDTM", "offset": 51360794, "currency": "USDT"},
    ]  # fmt: skip
    return {
        "GET /api/v1/contracts/active": listed([market]),
        "GET /api/v1/positions": listed([position]),
        "GET /api/v1/account-overview": listed(account),
        "GET /api/v1/orders": listed({"currentPage": 1, "pageSize": 50, "totalNum": 0, "totalPage": 0, "items": []}),
        "GET /api/v1/stopOrders": listed(
            {"currentPage": 1, "pageSize": 50, "totalNum": 0, "totalPage": 0, "items": []}
        ),
        "GET /api/v1/fills": listed({"currentPage": 1, "pageSize": 50, "totalNum": 1, "totalPage": 1, "items": [fill]}),
        "GET /api/v1/funding-history": listed({"dataList": [funding], "hasMore": False}),
        "GET /api/v1/transaction-history": listed({"hasMore": False, "dataList": ledger}),
    }


def deribit() -> Answers:
    def result(value: object) -> bytes:
        return saved({"jsonrpc": "2.0", "id": 1, "result": value, "usIn": 1, "usOut": 2, "usDiff": 1, "testnet": False})

    market = {
        "price_index": "btc_usd", "kind": "future", "instrument_name": "BTC-PERPETUAL", "max_leverage": 50,
        "maker_commission": 0.0, "taker_commission": 0.0005, "instrument_type": "reversed", "tick_size": 0.5,
        "expiration_timestamp": 32503708800000, "creation_timestamp": 1534167754000, "is_active": True,
        "contract_size": 10.0, "instrument_id": 124972, "min_trade_amount": 10.0, "future_type": "reversed",
        "settlement_currency": "BTC", "settlement_period": "perpetual", "base_currency": "BTC",
        "counter_currency": "USD", "quote_currency": "USD", "tick_size_steps": [],
    }  # fmt: skip
    position = {
        "instrument_name": "BTC-PERPETUAL", "direction": "sell", "size": -5000.0, "size_currency": -0.0819,
        "average_price": 61050.25, "mark_price": 61000.5, "index_price": 61001, "floating_profit_loss": 0.00006,
        "leverage": 25, "kind": "future", "initial_margin": 0.003, "maintenance_margin": 0.002, "delta": -0.0819,
        "estimated_liquidation_price": 90000.1, "total_profit_loss": 0.0001, "realized_profit_loss": 0,
    }  # fmt: skip
    trade = {
        "trade_id": "48079290", "trade_seq": 1, "instrument_name": "BTC-PERPETUAL", "timestamp": NOW,
        "direction": "sell",
        "amount": 5000.0, "price": 61050.25, "fee": 0.00004095, "fee_currency": "BTC", "order_id": "o1",
        "liquidity": "T",
        "order_type": "market", "state": "filled", "label": "ours1", "index_price": 61000.0, "mark_price": 61000.1,
        "self_trade": False, "matching_id": None, "tick_direction": 1,
    }  # fmt: skip
    summary = {
        "currency": "BTC", "balance": 0.50005905, "equity": 0.50011905, "available_funds": 0.49,
        "maintenance_margin": 0.002,
        "initial_margin": 0.003, "session_upl": 0.00006, "margin_balance": 0.5,
    }  # fmt: skip
    currencies = [{"currency": "BTC", "currency_long": "Bitcoin", "coin_type": "BITCOIN", "withdrawal_fee": 0.0001,
                   "min_confirmations": 1, "fee_precision": 4, "min_withdrawal_fee": 0.0001}]  # fmt: skip
    private, public = "GET /api/v2/private/", "GET /api/v2/public/"
    return {
        public + "get_currencies": result(currencies),
        public + "get_instruments": result([market]),
        private + "get_positions": result([position]),
        private + "get_account_summaries": result({"id": 10, "summaries": [summary]}),
        private + "get_account_summary": result(summary),
        private + "get_open_orders": result([]),
        private + "get_open_orders_by_currency": result([]),
        private + "get_user_trades_by_currency_and_time": result({"trades": [trade], "has_more": False}),
        private + "get_user_trades_by_currency": result({"trades": [trade], "has_more": False}),
    }


WORLDS = {world.__name__: world for world in (binanceusdm, bybit, okx, krakenfutures, bitget, kucoinfutures, deribit)}
