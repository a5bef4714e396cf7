"""Financing, dividends, transfers, and the proof of cash by the balances the venue states."""

import json
from decimal import Decimal

import pytest

from tests.venues.oanda.oanda_rows import (
    ACCOUNT,
    NS,
    TIME,
    fill,
    only,
    problems,
    read,
    transaction,
)
from trueup.model.events import (
    FundingPaid,
    OpeningBalance,
    TransferBooked,
)
from trueup.venues.oanda.reader import OandaReader


def financing(whole: str, *parts: tuple[str, str]) -> dict[str, object]:
    listed = [{"instrument": name, "financing": amount} for name, amount in parts]
    return transaction(8, "DAILY_FINANCING", financing=whole, positionFinancings=listed)


def test_daily_financing_is_paid_per_instrument() -> None:
    reading = read(financing("-0.3", ("EUR_USD", "-0.1"), ("XAU_USD", "0"), ("DE30_EUR", "-0.3"), ("EUR_USD", "0.1")))
    assert [(f.venue_id, f.amount) for f in reading.facts if isinstance(f, FundingPaid)] == [
        ("8:DE30_EUR", Decimal("-0.3"))
    ]


@pytest.mark.parametrize("parts", [[], [("EUR_USD", "-0.2")]])
def test_financing_that_does_not_add_up_is_refused_with_both_numbers(parts: list[tuple[str, str]]) -> None:
    (refused,) = read(financing("-0.3", *parts)).refused
    assert (refused.field, refused.value) == ("financing", "-0.3")
    assert refused.problem == f"the positions' financing adds up to {parts[0][1] if parts else 0}"


def test_no_financing_at_all_gives_no_fact_even_in_an_unknown_currency() -> None:
    row = transaction(8, "DAILY_FINANCING", financing="0.0000", accountBalance="5")
    reading = read(row, reader=OandaReader(ACCOUNT))
    assert (reading.facts, reading.refused) == ([], [])


def test_a_dividend_is_paid_like_financing() -> None:
    row = transaction(8, "DIVIDEND_ADJUSTMENT", instrument="DE30_EUR", dividendAdjustment="-1.5")
    paid = only(FundingPaid, read(row))
    assert (paid.venue_id, paid.instrument, paid.amount) == ("8:DE30_EUR", "DE30/EUR", Decimal("-1.5"))
    assert read({**row, "dividendAdjustment": "0"}).facts == []


@pytest.mark.parametrize(
    ("amount", "reason", "word"),
    [
        ("5", "CLIENT_FUNDING", "deposit"),
        ("-5", None, "withdrawal"),
        ("-5", "ACCOUNT_TRANSFER", "internal"),
        ("5", "ADJUSTMENT", "adjustment"),
    ],
)
def test_transfers_say_why(amount: str, reason: str | None, word: str) -> None:
    booked = only(TransferBooked, read(transaction(8, "TRANSFER_FUNDS", amount=amount, fundingReason=reason)))
    assert (booked.amount, booked.reason, booked.venue_id) == (Decimal(amount), word, "8")


def test_money_of_an_unknown_kind_is_refused_and_its_absence_is_not() -> None:
    reading = read(
        transaction(3, "LOYALTY_BONUS", amount="5", accountBalance="105"),
        transaction(4, "MARGIN_CALL_ENTER"),
        transaction(5, "TRANSFER_FUNDS_REJECT", amount="5"),
        transaction(6, "SOMETHING_NEW", colour="red"),
        transaction(7, "RESET_RESETTABLE_PL"),
    )
    assert problems(reading) == [(1, "type", "LOYALTY_BONUS")]
    assert reading.facts == []
    assert reading.rows == 5


def test_an_account_read_from_its_middle_starts_from_the_balance_stated_there() -> None:
    opening = only(OpeningBalance, read(fill(7, "20", pl="2", commission="1", accountBalance="101")))
    assert (opening.amount, opening.currency, opening.opening_id, opening.venue_time) == (
        Decimal(100),
        "EUR",
        "EUR:7",
        NS,
    )
    assert opening.evidence == "transaction 7 accountBalance 101 less its amounts"


def transfer(number: int, amount: str, balance: str) -> dict[str, object]:
    return transaction(number, "TRANSFER_FUNDS", amount=amount, accountBalance=balance)


def test_a_balance_that_moves_by_itself_is_told_and_nothing_refused() -> None:
    reading = read(transfer(3, "5", "105"), transaction(4, "MARGIN_CALL_EXIT"), transfer(5, "5", "111"))
    assert reading.note == "the balance moved by 1 between transactions 3 and 5, unexplained"
    assert reading.refused == []


def test_a_hole_is_told_whether_or_not_money_is_missing() -> None:
    assert read(transfer(3, "5", "105"), transfer(5, "5", "110")).note == (
        "transaction 4 is not in this answer: fetch idrange?from=4&to=4"
    )
    assert "transactions 4 to 6 are not in this answer" in read(transfer(3, "5", "105"), transfer(7, "5", "110")).note


def test_a_refused_row_is_no_hole_and_explains_the_gap_it_leaves() -> None:
    reading = read(transfer(3, "5", "105"), transfer(4, "x", "110"), transfer(5, "5", "115"))
    assert problems(reading) == [(2, "amount", "x")]
    assert reading.note == ""


def test_ids_far_apart_cost_no_more_than_ids_close_by() -> None:
    reading = read(transfer(1, "1", "100"), transfer(10**18 - 1, "1", "99"))
    assert "transactions 2 to 999999999999999998 are not in this answer" in reading.note
    assert "the balance moved by -2" in reading.note


def test_findings_are_bounded() -> None:
    reading = read(*(transfer(number, "1", "100") for number in range(1, 21)))
    assert reading.note.endswith("and 14 more such findings")


def test_rows_are_read_by_id_whatever_order_they_stand_in() -> None:
    rows = [transfer(number, "1", str(100 + number)) for number in (999, 1000, 998)]
    reading = read(*rows, rows[0])
    assert [f.venue_id for f in reading.facts if isinstance(f, TransferBooked)] == ["998", "999", "1000"]
    assert only(OpeningBalance, reading).opening_id == "EUR:998"
    assert reading.note == ""


def test_one_id_with_two_contents_is_refused() -> None:
    assert problems(read(transfer(3, "5", "105"), transfer(3, "6", "105"))) == [(2, "id", "3")]


def test_a_heartbeat_names_what_the_stream_missed() -> None:
    lines = [transfer(3, "5", "105"), {"type": "HEARTBEAT", "lastTransactionID": "5", "time": TIME}]
    data = "\n\n".join(json.dumps(line) for line in lines) + '\n{"id":"6","ty'
    reading = OandaReader(ACCOUNT, "EUR").read("stream", data.encode())
    assert reading.note == "transactions 4 to 5 are not in this answer: fetch idrange?from=4&to=5"
    assert [(refused.row, refused.raw) for refused in reading.refused] == [(4, b'{"id":"6","ty')]
