"""Lists come newest first, in pages that nothing falls out of, and filtered by what is asked for."""

from collections.abc import Iterator
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.testing.servers.coinbase.talk import BTC, ENDING, FUTURE, Row, Talk
from trueup.model.events import FillBooked
from trueup.model.times import format_time
from trueup.testing.servers.coinbase.demo import ACCOUNT

D = Decimal
GTC, MARKET = "limit_limit_gtc", "market_market_ioc"


def paged(talk: Talk, path: str, rows: str, limit: int) -> Iterator[list[Row]]:
    """Pages until there are no more."""
    cursor = ""
    while True:
        answer = talk.get(f"{path}&limit={limit}&cursor={cursor}")
        yield answer[rows]
        cursor = answer["cursor"]
        if not cursor:
            return


@given(trades=st.integers(0, 12), limit=st.integers(1, 5))
def test_pages_of_fills_hold_each_once_whatever_happens_between_them(trades: int, limit: int) -> None:
    talk = Talk()
    for _ in range(trades):
        talk.trade("1")
    every = [row["entry_id"] for row in talk.fills()]
    assert len(every) == trades
    told: list[str] = []
    for page in paged(talk, "/orders/historical/fills?sort_by=TRADE_TIME", "fills", limit):
        assert len(page) <= limit
        told += [row["entry_id"] for row in page]
        talk.trade("-1")
    assert told == every


def test_a_full_page_of_fills_has_a_cursor_also_where_the_next_one_is_empty() -> None:
    talk = Talk()
    talk.trade("1")
    talk.trade("1")
    assert [len(page) for page in paged(talk, "/orders/historical/fills?sort_by=TRADE_TIME", "fills", 1)] == [1, 1, 0]


def test_fills_are_found_by_what_they_are_of() -> None:
    talk = Talk()
    first = talk.placed(FUTURE, "BUY", MARKET, base_size="1")
    talk.clock.pass_s(60)
    second = talk.placed(BTC, "BUY", MARKET, base_size="0.01")
    newest, oldest = talk.fills()
    assert (oldest["order_id"], newest["order_id"]) == (first, second)
    assert talk.fills(f"order_ids={first}") == [oldest]
    assert talk.fills(f"order_ids={first}&order_ids={second}") == [newest, oldest]
    assert talk.fills(f"trade_ids={newest['trade_id']}") == [newest]
    assert talk.fills(f"product_ids={FUTURE}") == [oldest]
    assert talk.fills(f"product_ids={FUTURE}&product_ids={BTC}") == [newest, oldest]
    assert talk.fills(f"start_sequence_timestamp={newest['sequence_timestamp']}") == [newest]
    assert talk.fills(f"end_sequence_timestamp={newest['sequence_timestamp']}") == [oldest]
    assert talk.fills(f"start_sequence_timestamp={oldest['sequence_timestamp']}") == [newest, oldest]
    times = [f.venue_time for f in talk.exchange.history(ACCOUNT, None)[0] if isinstance(f, FillBooked)]
    assert talk.fills(f"start_sequence_timestamp={format_time(times[-1])}") == [newest], "the very moment included"
    assert talk.fills(f"start_sequence_timestamp={format_time(times[-1] + 1)}") == []
    assert talk.fills("sort_by=PRICE") == [oldest, newest]
    assert talk.fills("retail_portfolio_id=another") == []


def test_many_fills_share_a_stamp_and_none_an_id() -> None:
    talk = Talk()
    for _ in range(5):
        talk.trade("1")
    fills = talk.fills()
    assert len({row["sequence_timestamp"] for row in fills}) == 1
    assert len({row["entry_id"] for row in fills}) == 5


def test_orders_are_found_by_what_they_are() -> None:
    talk = Talk()
    future = talk.placed(FUTURE, "BUY", MARKET, base_size="1")
    talk.clock.pass_s(60)
    resting = talk.placed(BTC, "SELL", GTC, base_size="0.01", limit_price="70000")
    made = talk.shown(resting)["created_time"]

    def found(query: str) -> list[str]:
        return [row["order_id"] for row in talk.get(f"/orders/historical/batch?{query}")["orders"]]

    assert found("") == [resting, future]
    assert found("order_status=OPEN") == [resting]
    assert found("order_status=FILLED&order_status=CANCELLED") == [future]
    assert found(f"order_ids={future}") == [future]
    assert found(f"product_ids={BTC}") == [resting]
    assert found(f"product_id={FUTURE}") == [future]
    assert found("product_type=FUTURE") == [future]
    assert found("order_side=SELL") == [resting]
    assert found("order_types=LIMIT") == [resting]
    assert found(f"start_date={made}") == [resting]
    assert found(f"end_date={made}") == [future]
    assert talk.ask("GET", "/orders/historical/batch?order_status=OPEN&order_status=FILLED")[0] == 400


def test_pages_of_orders_say_whether_there_is_more_of_what_is_asked_for() -> None:
    talk = Talk()
    open_orders = [talk.placed(BTC, "BUY", GTC, base_size="0.01", limit_price="50000") for _ in range(4)]
    talk.post("/orders/batch_cancel", {"order_ids": open_orders[:1]})
    pages = []
    for page in paged(talk, "/orders/historical/batch?order_status=OPEN", "orders", 2):
        pages.append([row["order_id"] for row in page])
        talk.placed(BTC, "BUY", GTC, base_size="0.01", limit_price="50000")
    assert pages == [open_orders[:1:-1], open_orders[1:2]]


def test_wallets_come_in_pages_with_empty_ones_among_them() -> None:
    talk = Talk()
    told = [row["currency"] for page in paged(talk, "/accounts?x=", "accounts", 2) for row in page]
    assert told == ["BTC", "ETH", "USD", "USDC"]
    assert talk.wallet("ETH") == (D(0), D(0))
    assert talk.ask("GET", "/accounts?limit=251")[0] == 400
    (wallet,) = [row for row in talk.get("/accounts")["accounts"] if row["currency"] == "BTC"]
    assert talk.get(f"/accounts/{wallet['uuid']}")["account"] == wallet
    assert talk.ask("GET", "/accounts/unknown")[0] == 404


def test_products_are_spot_where_nothing_is_asked_for() -> None:
    talk = Talk()

    def listed(query: str) -> list[str]:
        return [row["product_id"] for row in talk.get(f"/products?{query}")["products"]]

    spot, futures = [BTC, "ETH-USD", "BTC-USDC"], [FUTURE, "ETP-20DEC30-CDE", ENDING]
    assert listed("") == listed("product_type=SPOT") == spot
    assert listed("product_type=FUTURE") == futures
    assert listed("get_all_products=true") == spot + futures
    assert listed(f"product_ids={FUTURE}&product_ids={BTC}") == [BTC, FUTURE]
    assert listed("get_all_products=true&offset=2&limit=2") == ["BTC-USDC", FUTURE]
    assert talk.get(f"/products/{FUTURE}")["future_product_details"]["contract_size"] == "0.01"
    assert talk.get(f"/products/{BTC}")["alias_to"] == ["BTC-USDC"]
    assert talk.get("/products/BTC-USDC")["alias"] == BTC
    assert talk.ask("GET", "/products/DOGE-USD")[0] == 404


def test_the_book_is_what_a_taker_pays() -> None:
    talk = Talk()
    books = {
        book["product_id"]: book
        for book in talk.get(f"/best_bid_ask?product_ids={BTC}&product_ids={FUTURE}")["pricebooks"]
    }
    assert [books[name]["asks"][0]["price"] for name in (BTC, FUTURE)] == ["60001", "60005"]
    assert [books[name]["bids"][0]["price"] for name in (BTC, FUTURE)] == ["59999", "59995"]
    assert len(talk.get("/best_bid_ask")["pricebooks"]) == 6


def test_a_held_future_is_shown_in_either_form() -> None:
    for older in (False, True):
        talk = Talk(older_positions=older)
        talk.trade("2")
        (row,) = talk.get("/cfm/positions")["positions"]
        assert row["number_of_contracts"] == "2"
        price = row["avg_entry_price"] if older else row["avg_entry_price"]["value"]
        assert price == "60005"
        assert ("contract_size" in row) is not older


def test_the_futures_wallet_is_cash_with_the_gain_apart() -> None:
    talk = Talk()
    talk.trade("2")
    talk.exchange.move("BTC/USD:USD-BIP-20DEC30", D(61_000))
    summary = talk.get("/cfm/balance_summary")["balance_summary"]
    fee = D("0.006") * 60_005 * 2 / 100
    assert D(summary["cfm_usd_balance"]["value"]) == D(100_000) - fee
    assert D(summary["cbi_usd_balance"]["value"]) == 50_000
    assert D(summary["unrealized_pnl"]["value"]) == D(995) * 2 / 100
    talk.trade("-2")
    summary = talk.get("/cfm/balance_summary")["balance_summary"]
    assert (summary["unrealized_pnl"]["value"], summary["initial_margin"]["value"]) == ("0", "0")
    assert D(summary["daily_realized_pnl"]["value"]) == D(990) * 2 / 100


def test_the_portfolio_holds_what_the_wallets_and_positions_say() -> None:
    talk = Talk()
    talk.trade("-1")
    talk.exchange.deposit(ACCOUNT, "ETH", D("1.5"))
    (portfolio,) = talk.get("/portfolios")["portfolios"]
    assert portfolio["uuid"] == talk.get("/key_permissions")["portfolio_uuid"]
    told = talk.get(f"/portfolios/{portfolio['uuid']}")["breakdown"]
    assert {row["asset"]: row["total_balance_crypto"] for row in told["spot_positions"]} == {
        "BTC": 0.5, "ETH": 1.5, "USD": 50_000, "USDC": 10_000,
    }  # fmt: skip
    (held,) = told["futures_positions"]
    assert (held["product_id"], held["side"], held["amount"]) == (FUTURE, "FUTURES_POSITION_SIDE_SHORT", "1")
    assert talk.ask("GET", "/portfolios/another")[0] == 404


def test_the_time_is_the_servers() -> None:
    talk = Talk()
    assert talk.ask("GET", "/time", bearer="")[1] == {
        "iso": "2026-11-23T09:30:00Z",
        "epochSeconds": str(talk.now),
        "epochMillis": f"{talk.now}000",
    }


@pytest.mark.parametrize(
    "path",
    [
        "/accounts?limit=x",
        "/accounts?cursor=%21",
        "/accounts?cursor=Zm9v",
        pytest.param("/accounts?limit=" + 5_000 * "9", id="/accounts?limit=far too long"),
        "/accounts?cursor=\u00e4",
        "/orders/historical/batch?start_date=yesterday",
        "/orders/historical/batch?limit=1001",
        "/orders/historical/fills?limit=251",
        "/orders/historical/fills?sort_by=LUCK",
        "/orders/historical/fills?product_ids=DOGE-USD",
        "/products?product_type=OPTION",
    ],
)
def test_what_cannot_be_asked_is_a_bad_request(path: str) -> None:
    status, row = Talk().ask("GET", path)
    assert (status, row["error"]) == (400, "INVALID_ARGUMENT")


def test_what_is_new_may_take_some_looks_until_it_shows_as_it_is() -> None:
    talk = Talk(settles_after=2)
    order_id = talk.placed(BTC, "BUY", MARKET, base_size="0.01")
    looks = [talk.shown(order_id) for _ in range(3)]
    assert [(row["status"], row["filled_size"]) for row in looks] == [
        ("PENDING", "0"), ("PENDING", "0"), ("FILLED", "0.01"),
    ]  # fmt: skip
    assert [len(talk.fills()) for _ in range(4)] == [0, 0, 1, 1]
    talk.placed(BTC, "BUY", GTC, base_size="0.01", limit_price="50000")
    found = [len(talk.get("/orders/historical/batch?order_status=OPEN")["orders"]) for _ in range(3)]
    assert found == [0, 0, 1], "what is pending is not open"


def test_a_fill_that_is_taken_back_is_listed_again_as_a_reversal_of_its_trade() -> None:
    talk = Talk()
    talk.placed(BTC, "BUY", MARKET, base_size="0.5")
    before = talk.wallet("BTC"), talk.wallet("USD")
    order_id = talk.placed(BTC, "BUY", MARKET, base_size="0.01")
    talk.exchange.bust(ACCOUNT, talk.exchange.truth(ACCOUNT).trade_ids[-1])
    back, fill, *_ = talk.fills()
    assert (back["trade_type"], fill["trade_type"]) == ("REVERSAL", "FILL")
    assert (back["trade_id"], back["order_id"]) == (fill["trade_id"], order_id)
    assert back["entry_id"] != fill["entry_id"]
    assert all(back[field] == fill[field] for field in ("price", "size", "side", "commission", "product_id"))
    assert (talk.wallet("BTC"), talk.wallet("USD")) == before


def test_of_two_equal_fills_each_is_taken_back_once() -> None:
    talk = Talk()
    order_id = talk.placed(FUTURE, "BUY", GTC, base_size="40", limit_price="59990")
    for _ in range(2):
        talk.exchange.move("BTC/USD:USD-BIP-20DEC30", D(59_985))
    assert len(talk.fills(f"order_ids={order_id}")) == 2
    for trade_id in talk.exchange.truth(ACCOUNT).trade_ids:
        talk.exchange.bust(ACCOUNT, trade_id)
    rows = talk.fills(f"order_ids={order_id}")
    assert [row["trade_type"] for row in rows] == ["REVERSAL", "REVERSAL", "FILL", "FILL"]
    assert len({row["trade_id"] for row in rows}) == 2
    assert {row["trade_id"] for row in rows[:2]} == {row["trade_id"] for row in rows[2:]}
