"""OANDA's official client reads, trades and listens. Arguments: host, port, account id, token."""

import json
import sys
import threading

import v20

PATIENCE_S = 60


def main(host: str, port: str, account: str, token: str) -> None:
    api = v20.Context(host, port, ssl=False, token=token, decimal_number_as_float=False, stream_timeout=PATIENCE_S)
    streaming = v20.Context(
        host, port, ssl=False, token=token, decimal_number_as_float=False, stream_timeout=PATIENCE_S
    )
    heard: list[dict] = []
    began = threading.Event()
    listener = threading.Thread(target=listen, args=(streaming, account, heard, began), daemon=True)
    listener.start()
    if not began.wait(PATIENCE_S):
        raise TimeoutError("the stream said nothing")
    did = trade(api, account)
    saw = {"did": did, **look(api, account)}
    listener.join(PATIENCE_S)
    saw["heard"] = [row["id"] for row in heard]
    print(json.dumps(saw, default=str))


def listen(api: v20.Context, account: str, heard: list[dict], began: threading.Event) -> None:
    """Transactions until the last one of the story, which closes the position."""
    for kind, message in api.transaction.stream(account).parts():
        began.set()
        if kind == "transaction.Transaction":
            heard.append(message.dict())
            if heard[-1].get("reason") == "MARKET_ORDER_POSITION_CLOSEOUT" and heard[-1]["type"] == "ORDER_FILL":
                return


def trade(api: v20.Context, account: str) -> dict[str, object]:
    named = {"clientExtensions": {"id": "mine/1", "tag": "a tag"}}
    resting = api.order.limit(account, instrument="EUR_USD", units="1000", price="1.05", **named)
    oid = resting.get("orderCreateTransaction").id
    found = api.order.get(account, "@mine%2F1")
    replaced = api.order.limit_replace(account, oid, instrument="EUR_USD", units="2000", price="1.06")
    new = replaced.get("orderCreateTransaction").id
    return {
        "resting": [resting.status, oid],
        "found": [found.status, found.get("order").id],
        "replaced": [replaced.status, replaced.get("orderCancelTransaction").reason],
        "shown": [order.id for order in api.order.list_pending(account).get("orders")],
        "cancelled": api.order.cancel(account, new).status,
        "cancelled again": api.order.cancel(account, new).status,
        "bought": filled(api.order.market(account, instrument="EUR_USD", units="3000")),
        "sold": filled(api.order.market(account, instrument="USD_JPY", units="-700")),
        "off the tick": refused(api.order.limit(account, instrument="EUR_USD", units="1", price="1.0000001")),
        "nothing to close": refused(api.position.close(account, "GBP_USD", longUnits="ALL")),
        "wrong account": api.account.get("101-004-0000000-009").status,
        "closed": closed(api.position.close(account, "EUR_USD", longUnits="ALL")),
    }


def filled(answer: object) -> list[str]:
    fill = answer.get("orderFillTransaction")
    return [answer.status, fill.units, fill.accountBalance]


def refused(answer: object) -> list[str]:
    named = [name for name in answer.body if name.endswith("RejectTransaction")]
    return [answer.status, *(answer.body[name].rejectReason for name in named)]


def closed(answer: object) -> list[str]:
    fill = answer.get("longOrderFillTransaction")
    return [answer.status, fill.units, fill.pl, fill.accountBalance]


def look(api: v20.Context, account: str) -> dict[str, object]:
    whole = api.account.get(account)
    since = api.transaction.since(account, id="1")
    return {
        "accounts": [row.id for row in api.account.list().get("accounts")],
        "balance": whole.get("account").balance,
        "last": whole.get("lastTransactionID"),
        "positions": {
            row.instrument: [row.long.units, row.short.units]
            for row in api.position.list_open(account).get("positions")
        },
        "trades": [row.instrument for row in api.trade.list_open(account).get("trades")],
        "instruments": [row.name for row in api.account.instruments(account).get("instruments")],
        "prices": [row.instrument for row in api.pricing.get(account, instruments="EUR_USD,USD_JPY").get("prices")],
        "since": [row.id for row in since.get("transactions")],
        "types": [row.type for row in since.get("transactions")],
        "range": [row.id for row in api.transaction.range(account, fromID="2", toID="4").get("transactions")],
        "changes": api.account.changes(account, sinceTransactionID="1").get("lastTransactionID"),
    }


main(*sys.argv[1:])
