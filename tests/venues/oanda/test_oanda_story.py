"""Whole stories in OANDA's formats: one whose transactions and state agree to the cent, one with a fill missing."""

from decimal import Decimal
from pathlib import Path

import pytest

from trueup.book.book import Book
from trueup.model.differences import VenueSnapshot
from trueup.model.events import Fact, FillBooked, FundingPaid, OpeningBalance, OrderReported, TransferBooked
from trueup.model.facts import fact_key, terms
from trueup.model.identifiers import AccountId, Seq
from trueup.ports import Reading
from trueup.venues.oanda.reader import OandaReader

ACCOUNT = AccountId("oanda:story")
FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "oanda"


def read(folder: str, *names: str) -> list[Reading]:
    reader = OandaReader(ACCOUNT)
    return [reader.read(name, (FIXTURES / folder / name).read_bytes()) for name in names]


def folded(facts: list[Fact]) -> Book:
    book = Book(ACCOUNT)
    book.evolve(facts, Seq(1))
    return book


def snapshot_of(reading: Reading) -> VenueSnapshot:
    assert reading.snapshot is not None
    return reading.snapshot


def held(book: Book) -> dict[tuple[str, str], tuple[Decimal, Decimal | None]]:
    return {key: (position.quantity, position.entry_price) for key, position in book.positions().items()}


def test_the_story_agrees_to_the_cent() -> None:
    instruments, account, transactions = read("story", "instruments.json", "account.json", "transactions.json")
    assert [*instruments.refused, *account.refused, *transactions.refused] == []
    assert transactions.note == ""
    book, state = folded([*instruments.facts, *transactions.facts]), snapshot_of(account)
    assert state.positions is not None
    assert held(book) == {key: (row.quantity, row.entry_price) for key, row in state.positions.items()}
    assert book.balances()["EUR"].total == Decimal("9998.75")
    assert state.balances == {"EUR": Decimal("9998.75")}
    assert book.open_orders() == state.open_orders
    position = book.position("EUR/USD")
    assert position is not None
    assert position.instrument.price_tick == Decimal("0.00001")
    assert position.fees == {"EUR": Decimal("1.25")}


def test_the_money_adds_up_as_the_table_of_the_readme_says() -> None:
    facts = read("story", "transactions.json")[0].facts
    assert sum(f.settled_amount or 0 for f in facts if isinstance(f, FillBooked)) == Decimal("54.0250")
    assert sum(f.fee for f in facts if isinstance(f, FillBooked)) == Decimal("1.2500")
    assert sum(f.amount for f in facts if isinstance(f, FundingPaid)) == Decimal("-1.2279")
    transfers = [(f.amount, f.reason) for f in facts if isinstance(f, TransferBooked)]
    assert transfers == [(Decimal(10000), "deposit"), (Decimal("-52.7971"), "withdrawal")]
    assert not any(isinstance(f, OpeningBalance) for f in facts)  # the account's first transaction is among them


def test_orders_end_as_their_transactions_say() -> None:
    facts = read("story", "transactions.json")[0].facts
    last = {fact.venue_order_id: fact.status for fact in facts if isinstance(fact, OrderReported)}
    assert last == {
        "3": "filled", "5": "canceled", "6": "filled", "9": "filled", "12": "filled",
        "14": "open", "17": "rejected", "18": "open",
    }  # fmt: skip


def test_the_stream_and_the_list_give_the_same_facts() -> None:
    stream, listed = read("story", "stream.jsonl")[0], read("story", "transactions.json")[0]
    assert stream.kind == "transaction stream"
    assert stream.facts == listed.facts
    assert stream.refused == listed.refused == []
    assert stream.note == ""


@pytest.mark.parametrize("name", ["open_positions.json", "pending_orders.json"])
def test_a_part_of_the_state_alone_says_the_same(name: str) -> None:
    account, trades_known = read("story", "account.json", name)
    part, whole = snapshot_of(trades_known), snapshot_of(account)
    assert part.balances is None
    assert part.positions in (None, whole.positions)
    assert part.open_orders in (None, whole.open_orders)
    assert part.positions or part.open_orders


def test_reading_again_in_other_pieces_never_contradicts() -> None:
    """The same keys have the same terms, whether the creation of an order was in the same file or in none."""
    whole = read("story", "account.json", "transactions.json")[1].facts
    known = {fact_key(fact): terms(fact) for fact in whole}
    lines = (FIXTURES / "story" / "stream.jsonl").read_bytes().splitlines()
    for size in (2, 4, 7):
        together = OandaReader(ACCOUNT, "EUR")
        for start in range(1, 17, size - 1):
            piece = b"\n".join(lines[start : start + size])
            for reader in (together, OandaReader(ACCOUNT, "EUR")):
                for fact in reader.read("piece", piece).facts:
                    if not isinstance(fact, OpeningBalance):
                        assert terms(fact) == known[fact_key(fact)], fact


def test_the_missing_fill_is_named_and_the_gap_is_its_money() -> None:
    account, transactions = read("broken", "account.json", "transactions.json")
    assert "transaction 13 is not in this answer: fetch idrange?from=13&to=13" in transactions.note
    assert "the balance moved by 49.5102 between transactions 10 and 15" in transactions.note
    assert transactions.refused == []
    book, state = folded(list(transactions.facts)), snapshot_of(account)
    assert state.positions is not None
    assert held(book)["DE30/EUR", "net"] != held_by_venue(state)["DE30/EUR", "net"]
    assert held(book)["EUR/USD", "net"] == held_by_venue(state)["EUR/USD", "net"]
    assert state.balances is not None
    total = book.balances()["EUR"].total
    assert total is not None
    assert state.balances["EUR"] - total == Decimal("49.5102")


def held_by_venue(state: VenueSnapshot) -> dict[tuple[str, str], tuple[Decimal, Decimal | None]]:
    assert state.positions is not None
    return {key: (row.quantity, row.entry_price) for key, row in state.positions.items()}
