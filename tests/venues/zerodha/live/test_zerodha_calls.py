"""What is asked of Kite: forms by the rules of 2026, and what is refused before it is sent."""

from decimal import Decimal
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.model.errors import Rejected
from trueup.model.orders import Amendment, OrderRequest
from trueup.venues.transport.limiter import Priority
from trueup.venues.zerodha import calls
from trueup.venues.zerodha.instruments import Key, Terms

NIFTY = Key("NFO", "NIFTY26NOVFUT", "NRML")
LEAD = Key("MCX", "LEADMINI26NOVFUT", "NRML")
TERMS = Terms("NFO", "NIFTY26NOVFUT", 1, "NFO-FUT", "FUT", Decimal("0.05"), Decimal(65), None, None)


def request(**fields: object) -> OrderRequest:
    return OrderRequest(**{"instrument": NIFTY.symbol, "side": "buy", "quantity": Decimal(65), **fields})  # type: ignore[arg-type]  # of a test's own


def test_a_market_order_has_its_protection_and_our_tag() -> None:
    assert calls.order_form(request(client_order_id="strategy 7"), NIFTY, TERMS) == {
        "exchange": "NFO",
        "tradingsymbol": "NIFTY26NOVFUT",
        "transaction_type": "BUY",
        "order_type": "MARKET",
        "quantity": "65",
        "product": "NRML",
        "validity": "DAY",
        "market_protection": "-1",
        "tag": calls.tag("strategy 7"),
    }


def test_each_type_has_its_prices_and_a_stop_its_protection() -> None:
    price, trigger = Decimal("24500.05"), Decimal(24400)
    limit = calls.order_form(request(order_type="limit", price=price), NIFTY, TERMS)
    assert (limit["order_type"], limit["price"], "market_protection" in limit, "tag" in limit) == (
        "LIMIT",
        "24500.05",
        False,
        False,
    )
    stop = calls.order_form(request(order_type="stop", trigger_price=trigger), NIFTY, TERMS)
    assert (stop["order_type"], stop["trigger_price"], stop["market_protection"]) == ("SL-M", "24400", "-1")
    both = calls.order_form(request(order_type="stop_limit", price=price, trigger_price=trigger), NIFTY, TERMS)
    assert (both["order_type"], both["price"], both["trigger_price"]) == ("SL", "24500.05", "24400")
    assert "market_protection" not in both


@pytest.mark.parametrize(
    ("key", "fields", "field"),
    [
        (NIFTY, {"quantity": Decimal(64)}, "quantity"),
        (NIFTY, {"quantity": Decimal("65.5")}, "quantity"),
        (NIFTY, {"quantity": Decimal(-65)}, "quantity"),
        (NIFTY, {"order_type": "limit", "price": Decimal("24500.03")}, "price"),
        (NIFTY, {"order_type": "limit"}, "price"),
        (NIFTY, {"price": Decimal(24500)}, "price"),
        (NIFTY, {"order_type": "stop", "trigger_price": Decimal(0)}, "trigger_price"),
        (NIFTY, {"order_type": "take_profit", "trigger_price": Decimal(1)}, "order_type"),
        (NIFTY, {"time_in_force": "gtc"}, "time_in_force"),
        (NIFTY, {"time_in_force": "fok"}, "time_in_force"),
        (LEAD, {"time_in_force": "ioc"}, "time_in_force"),
        (NIFTY, {"position_side": "long"}, "position_side"),
    ],
)
def test_what_kite_would_not_take_is_refused_before_it_is_sent(key: Key, fields: dict[str, object], field: str) -> None:
    with pytest.raises(Rejected, match=rf"^{field}=.*Nothing was sent"):
        calls.order_form(request(**fields), key, TERMS)


def test_lots_of_other_exchanges_are_counted_and_not_multiplied() -> None:
    terms = Terms("MCX", "LEADMINI26NOVFUT", 1, "MCX-FUT", "FUT", Decimal("0.05"), Decimal(1000), None, None)
    assert calls.order_form(request(quantity=Decimal(3)), LEAD, terms)["quantity"] == "3"


def test_an_immediate_order_is_taken_elsewhere() -> None:
    assert calls.order_form(request(time_in_force="ioc"), NIFTY, TERMS)["validity"] == "IOC"


def test_without_the_days_terms_kite_alone_judges() -> None:
    assert calls.order_form(request(quantity=Decimal(1)), NIFTY, None)["quantity"] == "1"


@given(st.text(max_size=60))
def test_a_tag_is_at_most_twenty_letters_and_digits_and_always_the_same(client_order_id: str) -> None:
    tag = calls.tag(client_order_id)
    assert calls.tag(client_order_id) == tag
    assert calls.tag(tag) == tag
    assert bool(tag) == bool(client_order_id)
    assert len(tag) <= 20
    assert not tag or (tag.isascii() and tag.isalnum())


def test_ids_that_only_differ_at_their_ends_have_tags_of_their_own() -> None:
    assert calls.tag("strategy:2026-11-20:entry:1") != calls.tag("strategy:2026-11-20:entry:2")


def test_changes_name_only_what_the_order_has() -> None:
    changed = calls.modification_form(Amendment(quantity=Decimal(130), price=Decimal(24500)), "LIMIT", NIFTY, TERMS)
    assert changed == {"order_type": "LIMIT", "quantity": "130", "price": "24500"}
    for amendment, kind in ((Amendment(price=Decimal(1)), "SL-M"), (Amendment(trigger_price=Decimal(1)), "LIMIT")):
        with pytest.raises(Rejected, match="has none"):
            calls.modification_form(amendment, kind, NIFTY, TERMS)


def test_ids_are_escaped_in_paths_and_names_in_queries() -> None:
    assert calls.cancel("regular", "../session/token").path == "/orders/regular/..%2Fsession%2Ftoken"
    path, _, query = calls.last_prices(["NSE:M&M", "NSE:SBIN"]).path.partition("?")
    assert (path, parse_qs(query)["i"]) == ("/quote/ltp", ["NSE:M&M", "NSE:SBIN"])


def test_what_protects_or_ends_a_position_waits_for_nobody() -> None:
    assert calls.priority_of(request()) is Priority.REST
    assert calls.priority_of(request(reduce_only=True)) is Priority.PROTECTIVE
    assert calls.priority_of(request(order_type="stop", trigger_price=Decimal(1))) is Priority.PROTECTIVE
    assert calls.cancel("regular", "1").priority is Priority.CANCEL


@pytest.mark.parametrize(
    "symbol", ["BTC/USDC:USDC", "NFO.X.NRML/INR", "NSE.SBIN.CNC/INR:INR", "NSE.SBIN/INR", "NSE.SBIN.CO/INR:INR", ""]
)
def test_symbols_of_nothing_that_is_traded_here_are_refused(symbol: str) -> None:
    with pytest.raises(Rejected, match="instrument="):
        calls.key_of(symbol)


@given(
    st.sampled_from(["NSE", "NFO", "MCX", "BCD"]),
    st.text("ABCXYZ019&_.,*+%()' -", min_size=1, max_size=30),
    st.sampled_from(sorted(calls.PRODUCTS)),
)
def test_a_symbol_names_what_it_was_made_of(exchange: str, name: str, product: str) -> None:
    key = Key(exchange, name, product)
    assert calls.key_of(key.symbol) == key
