"""What a fill becomes, in whose money, and which rows are refused."""

from decimal import Decimal

import pytest

from tests.venues.oanda.oanda_rows import ACCOUNT, NS, account, fill, fills, only, problems, read, state, transaction
from trueup.model.errors import Malformed
from trueup.model.events import (
    FillBooked,
    FundingPaid,
    TransferBooked,
)
from trueup.venues.oanda.reader import OandaReader


def test_a_fill_books_what_the_transaction_states() -> None:
    row = fill(
        7, "-20", clientOrderID="mine", fullVWAP="1.12", pl="3.5", commission="0.25", guaranteedExecutionFee="0.5"
    )
    booked = only(FillBooked, read(row))
    assert (booked.side, booked.quantity, booked.price) == ("sell", Decimal(20), Decimal("1.12"))
    assert (booked.fee, booked.fee_currency) == (Decimal("0.75"), "EUR")
    assert (booked.settled_amount, booked.settled_currency) == (Decimal("3.5"), "EUR")
    assert (booked.venue_trade_id, booked.venue_sequence, booked.venue_time) == ("7", 7, NS)
    assert (booked.venue_order_id, booked.client_order_id, booked.position_side) == ("6", "mine", "net")


def test_financing_with_a_fill_is_a_fact_of_its_own() -> None:
    paid = only(FundingPaid, read(fill(7, "20", financing="-0.4")))
    assert (paid.venue_id, paid.amount, paid.currency, paid.instrument) == (
        "7:financing",
        Decimal("-0.4"),
        "EUR",
        "EUR/USD",
    )


def test_the_price_of_the_trades_goes_before_the_price_of_the_fill() -> None:
    row = fill(7, "20", fullVWAP="1.2", tradeOpened={"tradeID": "7", "units": "20", "price": "1.3"})
    assert only(FillBooked, read(row)).price == Decimal("1.3")


def test_trades_closed_at_a_guaranteed_price_are_a_fill_of_their_own() -> None:
    closed = [
        {"tradeID": "3", "units": "-10", "price": "1.30", "realizedPL": "2"},
        {"tradeID": "4", "units": "-5", "price": "1.25", "realizedPL": "1"},
        {"tradeID": "5", "units": "-1", "price": "1.30", "realizedPL": "0.5"},
    ]
    booked = fills(read(fill(7, "-16", pl="3.5", commission="1", tradesClosed=closed)))
    assert [(part.venue_trade_id, part.quantity, part.price) for part in booked] == [
        ("7", Decimal(11), Decimal("1.30")),
        ("7:2", Decimal(5), Decimal("1.25")),
    ]
    assert [part.settled_amount for part in booked] == [Decimal("2.5"), 1]
    assert [part.fee for part in booked] == [1, 0]


def test_in_a_hedging_account_a_fill_belongs_to_the_side_it_opens_or_closes() -> None:
    opened = {"tradeID": "7", "units": "-20", "price": "1.1"}
    reduced = {"tradeID": "3", "units": "-5", "price": "1.1", "realizedPL": "1"}
    flip = fill(9, "-25", pl="1", financing="-1", tradeReduced=reduced, tradeOpened={**opened, "tradeID": "9"})
    reader = OandaReader(ACCOUNT)
    state(account(hedgingEnabled=True), reader)
    reading = read(fill(7, "-20", tradeOpened=opened), flip, reader=reader)
    assert [(part.venue_trade_id, part.position_side, part.quantity) for part in fills(reading)] == [
        ("7", "short", Decimal(20)),
        ("9", "long", Decimal(5)),
        ("9:2", "short", Decimal(20)),
    ]
    assert only(FundingPaid, reading).position_side == "long"


def test_a_netting_account_books_a_flip_as_one_fill() -> None:
    opened = {"tradeID": "9", "units": "-20", "price": "1.1"}
    closed = {"tradeID": "3", "units": "-5", "price": "1.1", "realizedPL": "1"}
    booked = only(FillBooked, read(fill(9, "-25", pl="1", tradesClosed=[closed], tradeOpened=opened)))
    assert (booked.venue_trade_id, booked.position_side, booked.quantity) == ("9", "net", Decimal(25))


@pytest.mark.parametrize(
    ("reason", "flag"),
    [
        ("MARKET_ORDER_MARGIN_CLOSEOUT", "margin_closeout"),
        ("MARKET_ORDER_DELAYED_TRADE_CLOSE", "delayed_trade_close"),
        ("LIMIT_ORDER", ""),
    ],
)
def test_forced_fills_are_flagged(reason: str, flag: str) -> None:
    assert only(FillBooked, read(fill(7, "20", reason=reason))).liquidation == flag


@pytest.mark.parametrize(
    ("fields", "at_fault"),
    [
        ({"units": "0"}, ("units", "0")),
        ({"units": "1_000"}, ("units", "1_000")),
        ({"units": "\uff11"}, ("units", "\uff11")),
        ({"units": None}, ("units", "")),
        ({"price": "-1.1"}, ("price", "-1.1")),
        ({"price": "NaN"}, ("price", "NaN")),
        ({"pl": None}, ("pl", "")),
        ({"commission": "Infinity"}, ("commission", "Infinity")),
        ({"instrument": "EURUSD"}, ("instrument", "EURUSD")),
        ({"time": "yesterday"}, ("time", "yesterday")),
        ({"time": "9999-12-31T00:00:00Z"}, ("time", "9999-12-31T00:00:00Z")),
        ({"id": "0"}, ("id", "0")),
        ({"id": "seven"}, ("id", "seven")),
        ({"tradeOpened": {"tradeID": "7", "units": "19", "price": "1.1"}}, ("units", "20")),
        ({"tradeOpened": {"units": "20", "price": "1.1"}}, ("tradeID", "")),
        ({"tradesClosed": [{"units": "20", "realizedPL": "x"}]}, ("realizedPL", "x")),
        ({"tradesClosed": ["x"]}, ("tradesClosed", "x")),
    ],
)
def test_an_impossible_fill_is_refused_and_the_others_are_kept(
    fields: dict[str, object], at_fault: tuple[str, str]
) -> None:
    reading = read(fill(5, "10"), {**fill(7, "20"), **fields})
    assert problems(reading) == [(2, *at_fault)]
    assert reading.refused[0].remedy
    assert [part.venue_trade_id for part in fills(reading)] == ["5"]


def test_parts_at_several_prices_must_add_up_to_the_stated_pl() -> None:
    closed = [{"tradeID": str(n), "units": "10", "price": f"1.{n}", "realizedPL": "1"} for n in (1, 2)]
    (refused,) = read(fill(7, "20", pl="3", tradesClosed=closed)).refused
    assert (refused.field, refused.value, refused.problem) == ("pl", "3", "its parts add up to 2")


def test_a_hedging_fill_without_its_trades_is_refused() -> None:
    (refused,) = read(fill(7, "20"), reader=OandaReader(ACCOUNT, "EUR", hedging=True)).refused
    assert refused.field == "tradesClosed"


@pytest.mark.parametrize(
    "proof",
    [
        {"gainQuoteHomeConversionFactor": "1", "lossQuoteHomeConversionFactor": "1.0"},
        {"homeConversionFactors": {"gainQuoteHome": {"factor": "1"}, "lossQuoteHome": {"factor": "1"}}},
    ],
)
def test_conversion_factors_of_one_prove_the_home_currency(proof: dict[str, object]) -> None:
    earlier = transaction(5, "TRANSFER_FUNDS", amount="5", accountBalance="5")
    reading = read(earlier, fill(7, "20", **proof), reader=OandaReader(ACCOUNT))
    assert only(TransferBooked, reading).currency == "USD"
    assert only(FillBooked, reading).fee_currency == "USD"


@pytest.mark.parametrize(
    "factors",
    [
        {},
        {"gainQuoteHomeConversionFactor": "1", "lossQuoteHomeConversionFactor": "0.9"},
        {"homeConversionFactors": 1},
    ],
)
def test_an_unknown_home_currency_is_not_guessed(factors: dict[str, object]) -> None:
    reading = read(fill(7, "20", accountBalance="5", **factors), reader=OandaReader(ACCOUNT))
    assert problems(reading) == [(1, "currency", "")]
    assert "--home-currency" in reading.refused[0].remedy


def test_the_creation_of_the_account_tells_the_home_currency() -> None:
    reading = read(transaction(1, "CREATE", homeCurrency="JPY"), fill(7, "20"), reader=OandaReader(ACCOUNT))
    assert only(FillBooked, reading).fee_currency == "JPY"


def test_another_home_currency_than_the_given_one_is_refused() -> None:
    with pytest.raises(Malformed, match="currency='EUR': the home currency of this account was given as USD"):
        state(account(), OandaReader(ACCOUNT, "USD"))


def test_an_answer_of_another_account_is_refused_as_a_whole() -> None:
    reader = OandaReader(ACCOUNT)
    state(account(), reader)
    with pytest.raises(Malformed, match="accountID='002': another account than 001") as refusal:
        read({**fill(7, "20"), "accountID": "001"}, {**fill(9, "20"), "accountID": "002"}, reader=reader)
    assert "--account" in refusal.value.remedy
    assert fills(read({**fill(7, "20"), "accountID": "001"}, reader=reader))


def test_what_answers_say_of_the_account_is_told_once_and_kept_to() -> None:
    reader = OandaReader(ACCOUNT)
    learnt = state(account(hedgingEnabled=True), reader).learnt
    assert learnt == {"account_id": "001", "home_currency": "EUR", "hedging": "true"}
    assert state(account(hedgingEnabled=True), reader).learnt == {}
    later = OandaReader(ACCOUNT, learnt=learnt)
    opened = {"tradeID": "7", "units": "-20", "price": "1.1"}
    booked = only(FillBooked, read(fill(7, "-20", tradeOpened=opened), reader=later))
    assert (booked.position_side, booked.fee_currency) == ("short", "EUR")
    with pytest.raises(Malformed, match="another account than 001"):
        state({"account": {"id": "002", "currency": "EUR", "balance": "1"}}, later)


def test_an_account_that_does_not_state_its_mode_leaves_it_unknown() -> None:
    assert "hedging" not in state(account()).learnt


def test_nothing_is_believed_of_an_answer_that_is_refused() -> None:
    reader = OandaReader(ACCOUNT)
    with pytest.raises(Malformed, match="positions"):
        state(account(id="666", currency="USD", positions=5), reader)
    assert state(account(), reader).learnt == {"account_id": "001", "home_currency": "EUR"}


BOUGHT = fill(5, "30", tradeOpened={"tradeID": "5", "units": "30", "price": "1.1"})
SOLD = fill(7, "-20", tradeOpened={"tradeID": "7", "units": "-20", "price": "1.1"})
CLOSED = fill(
    7,
    "-50",
    pl="1",
    tradesClosed=[{"tradeID": "5", "units": "-30", "price": "1.1", "realizedPL": "1"}],
    tradeOpened={"tradeID": "7", "units": "-20", "price": "1.1"},
)
REDUCED = fill(
    7,
    "-50",
    pl="1",
    tradeReduced={"tradeID": "3", "units": "-30", "price": "1.1", "realizedPL": "1"},
    tradeOpened={"tradeID": "7", "units": "-20", "price": "1.1"},
)


@pytest.mark.parametrize("rows", [(BOUGHT, SOLD), (REDUCED,)])
def test_sides_held_side_by_side_are_not_netted_while_nobody_says_which_it_is(rows: tuple[object, ...]) -> None:
    paid = transaction(6, "TRANSFER_FUNDS", amount="5")
    reading = read(*rows, paid, fill(8, "5"))
    assert {refused.field for refused in reading.refused} == {"hedgingEnabled"}
    assert len(reading.refused) == len(rows) + 1, "nor is a fill that does not say which trades it touched"
    assert "account's answer" in reading.refused[0].remedy
    assert only(TransferBooked, reading).amount == 5
    for hedging in (True, False):
        told = OandaReader(ACCOUNT, "EUR", hedging=hedging)
        assert not read(*rows, reader=told).refused


def test_a_side_closed_before_the_other_is_opened_proves_nothing() -> None:
    again = fill(9, "10", tradeOpened={"tradeID": "9", "units": "10", "price": "1.1"}, instrument="GBP_USD")
    reader = OandaReader(ACCOUNT, "EUR")
    for _ in range(2):  # reading it again does not hold what came later against what came before
        reading = read(BOUGHT, CLOSED, again, reader=reader)
        assert [part.position_side for part in fills(reading)] == ["net"] * 3
