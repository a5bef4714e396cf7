"""Coinbase's official client reads, trades and listens. Arguments: host and port, key name, private key."""

import json
import sys
import threading

from coinbase.rest import RESTClient
from coinbase.websocket import WebsocketResponse, WSUserClient
from requests.adapters import HTTPAdapter
from requests.exceptions import HTTPError

PATIENCE_S = 60
SPOT, FUTURE = "BTC-USD", "BIP-20DEC30-CDE"


class Plain(HTTPAdapter):
    """What the client asks for over TLS, in clear: on loopback there is no certificate."""

    def send(self, request: object, **more: object) -> object:
        request.url = request.url.replace("https://", "http://", 1)
        return super().send(request, **more)


def connected(at: str, key: str, secret: str) -> RESTClient:
    client = RESTClient(api_key=key, api_secret=secret, base_url=at, timeout=PATIENCE_S)
    client.session.mount("https://", Plain())
    return client


class Ear:
    """Listens to the user's channels, and reads every message with the client's own classes."""

    def __init__(self, at: str, key: str, secret: str) -> None:
        self.heard: list[WebsocketResponse] = []
        self.done = threading.Event()
        self.began = threading.Event()
        self.client = WSUserClient(
            api_key=key, api_secret=secret, base_url=f"ws://{at}", on_message=self.hear, retry=False
        )

    def hear(self, text: str) -> None:
        self.heard.append(WebsocketResponse(json.loads(text)))
        if self.heard[-1].channel == "user":
            self.began.set()
        if {("last", "CANCELLED")} & set(self.states()):
            self.done.set()

    def states(self) -> list[tuple[str, str]]:
        return [
            (order.client_order_id, order.status)
            for message in self.heard
            if message.channel == "user"
            for event in message.events
            for order in event.orders or []
        ]

    def told(self) -> dict[str, object]:
        positions = [
            (position.product_id, position.side, position.number_of_contracts)
            for message in self.heard
            if message.channel == "user"
            for event in message.events
            for position in event.positions.expiring_futures_positions
        ]
        return {
            "numbers": [message.sequence_num for message in self.heard],
            "channels": sorted({message.channel for message in self.heard}),
            "states": self.states(),
            "positions": positions,
        }


def trade(client: RESTClient) -> dict[str, object]:
    resting = client.limit_order_gtc_buy("resting", SPOT, base_size="0.1", limit_price="50000")
    oid = resting.success_response["order_id"]
    last = client.limit_order_gtc_buy("last", SPOT, base_size="0.1", limit_price="40000")
    story = {
        "resting": resting.to_dict(),
        "again": client.market_order_buy("resting", SPOT, quote_size="10").success_response["order_id"] == oid,
        "found": client.get_order(oid).order.status,
        "edited": client.edit_order(oid, size="0.2", price="49000").success,
        "edited price": client.get_order(oid).order.order_configuration.limit_limit_gtc.limit_price,
        "shown": [order.order_id == oid for order in client.list_orders(order_status=["OPEN"]).orders],
        "cancelled": [client.cancel_orders([oid]).results[0].success for _ in range(2)],
        "bought": client.market_order_buy("bought", SPOT, quote_size="1000").to_dict(),
        "sold": client.market_order_sell("sold", FUTURE, base_size="2").success,
        "stop": client.stop_limit_order_gtc_buy(
            "stop",
            FUTURE,
            base_size="2",
            limit_price="66000",
            stop_price="65000",
            stop_direction="STOP_DIRECTION_STOP_UP",
        ).success,
        "closed": client.close_position("closed", FUTURE, size="1").success,
        "too much": client.limit_order_gtc_buy("much", SPOT, base_size="90", limit_price="50000").error_response[
            "error"
        ],
        "off the tick": client.limit_order_gtc_buy("off", SPOT, base_size="1", limit_price="50000.001").error_response[
            "error"
        ],
        "previewed": client.preview_market_order_buy(SPOT, quote_size="100").errs,
        "unknown order": status(lambda: client.get_order("11111111-1111-4111-8111-111111111111")),
    }
    client.cancel_orders([last.success_response["order_id"]])
    return story


def status(ask: object) -> int:
    """The status of what is refused."""
    try:
        ask()
    except HTTPError as error:
        return error.response.status_code
    return 200


def look(client: RESTClient) -> dict[str, object]:
    (portfolio,) = client.get_portfolios().portfolios
    breakdown = client.get_portfolio_breakdown(portfolio.uuid).breakdown
    summary = client.get_futures_balance_summary().balance_summary
    return {
        "balances": {
            account.currency: [account.available_balance["value"], account.hold["value"]]
            for account in client.get_accounts(limit=250).accounts
        },
        "fills": fills(client),
        "orders": [[order.client_order_id, order.status] for order in client.list_orders().orders],
        "positions": {
            position.product_id: [position.side, position.number_of_contracts]
            for position in client.list_futures_positions().positions
        },
        "position": client.get_futures_position(FUTURE).position.number_of_contracts,
        "futures": [position.product_id for position in breakdown.futures_positions],
        "cash": summary.cfm_usd_balance["value"],
        "products": [product.product_id for product in client.get_products(get_all_products=True).products],
        "public": [product.product_id for product in client.get_public_products(product_type="FUTURE").products],
        "contract": client.get_product(FUTURE).future_product_details["contract_size"],
        "books": [book.product_id for book in client.get_best_bid_ask([SPOT, FUTURE]).pricebooks],
        "spread": client.get_product_book(SPOT).spread_absolute,
        "tier": client.get_transaction_summary().fee_tier["taker_fee_rate"],
        "permissions": client.get_api_key_permissions().to_dict(),
        "portfolio": portfolio.uuid,
        "time": client.get_unix_time().to_dict(),
    }


def fills(client: RESTClient) -> list[list[str]]:
    """All of them, in pages of two."""
    rows, cursor = [], None
    while True:
        answer = client.get_fills(limit=2, cursor=cursor)
        rows += [
            [row.entry_id, row.product_id, row.side, row.price, row.size, row.size_in_quote] for row in answer.fills
        ]
        cursor = answer.cursor
        if not cursor:
            return rows


def main(at: str, key: str, secret: str) -> None:
    client, ear = connected(at, key, secret), Ear(at, key, secret)
    ear.client.open()
    ear.client.heartbeats()
    ear.client.user([])
    ear.client.futures_balance_summary()
    if not ear.began.wait(PATIENCE_S):
        raise TimeoutError("the user channel said nothing")
    did = trade(client)
    if not ear.done.wait(PATIENCE_S):
        raise TimeoutError("the user channel did not tell of the last cancel")
    saw = {"did": did, **look(client), "heard": ear.told()}
    saw["stranger"] = status(connected(at, "organizations/nobody/apiKeys/nothing", secret).get_accounts)
    ear.client.close()
    print(json.dumps(saw, default=str))


main(*sys.argv[1:])
