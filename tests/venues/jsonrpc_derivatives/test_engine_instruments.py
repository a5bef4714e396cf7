"""The units of the engine's instruments, which decide what a position is worth: by published figures."""

from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from trueup.book.book import Book
from trueup.model.errors import BadInput
from trueup.model.events import FillBooked, InstrumentDefined
from trueup.model.identifiers import AccountId, Seq, Side
from trueup.venues.jsonrpc_derivatives.instruments import from_name, from_symbol

ACCOUNT = AccountId("deribit:units")


def gained(name: str, quantity: str, bought: str, sold: str) -> Decimal:
    """What a purchase and a sale bring in the settlement currency."""
    terms = from_name(name, "")
    sides: tuple[tuple[Side, str], ...] = (("buy", bought), ("sell", sold))
    fills = [
        FillBooked(
            ACCOUNT, terms.symbol, "net", side, Decimal(quantity), Decimal(price), Decimal(0), terms.settle, at, str(at)
        )
        for at, (side, price) in enumerate(sides, 1)
    ]
    book = Book(ACCOUNT)
    book.evolve([InstrumentDefined(ACCOUNT, terms), *fills], Seq(1))
    total = book.balances()[terms.settle].total
    assert total is not None
    return total


def test_dollars_of_an_inverse_perpetual_gain_coins() -> None:
    """A published position: 185,160 dollars at 15,000 have gained 1.69711368 BTC at 17,391."""
    assert gained("BTC-PERPETUAL", "185160", "15000", "17391").quantize(Decimal("0.00000001")) == Decimal("1.69711368")


def test_coins_of_a_linear_perpetual_gain_the_stable_coin() -> None:
    assert gained("ETH_USDC-PERPETUAL", "0.5", "3000", "3067.2") == Decimal("33.60")


def test_a_dated_future_counts_like_the_perpetual() -> None:
    assert gained("BTC-27DEC26", "1000", "50000", "100000") == Decimal("0.01")
    assert gained("SOL_USDC-27DEC26", "10", "150", "151.5") == Decimal("15.0")


@pytest.mark.parametrize(
    ("symbol", "name", "kind", "settle"),
    [
        ("BTC/USD:BTC", "BTC-PERPETUAL", "inverse", "BTC"),
        ("BTC/USD:BTC-27DEC26", "BTC-27DEC26", "inverse", "BTC"),
        ("ETH/USDC:USDC", "ETH_USDC-PERPETUAL", "linear", "USDC"),
        ("ETH/USDC:USDC-6MAR26", "ETH_USDC-6MAR26", "linear", "USDC"),
        ("BTC/USDT:USDT", "BTC_USDT-PERPETUAL", "linear", "USDT"),
        ("SOL/USDC", "SOL_USDC", "spot", "USDC"),
    ],
)
def test_a_symbol_and_a_name_are_two_words_for_the_same_terms(symbol: str, name: str, kind: str, settle: str) -> None:
    terms = from_name(name, "")
    assert (terms.symbol, terms.native_symbol, terms.kind, terms.settle) == (symbol, name, kind, settle)
    assert terms.contract_size == 1
    assert from_symbol(symbol, "") == terms


@pytest.mark.parametrize(
    "symbol",
    ["", "BTC", "BTC/EUR:BTC", "BTC/USDC:USDT", "btc/usd:btc", "BTC/USD:BTC-27DEC26-100000-C", "BTC/USD:BTC-x"],
)
def test_what_the_engine_has_no_name_for_is_refused(symbol: str) -> None:
    with pytest.raises(BadInput):
        from_symbol(symbol, "")


NAMES = st.from_regex(r"\A[A-Z]{1,6}(_[A-Z]{3,4})?-(PERPETUAL|[0-9]{1,2}(JAN|JUN|DEC)[0-9]{2})\Z")


@given(NAMES)
def test_every_name_comes_back_from_its_symbol(name: str) -> None:
    terms = from_name(name, "")
    assume(terms.base != terms.quote)
    assert from_symbol(terms.symbol, "").native_symbol == name
