"""A day in the generic format: inverse, quanto, spot with a fee in coins, and hedge mode, to the last digit."""

from decimal import Decimal
from pathlib import Path

import pytest

from trueup.book.book import Book
from trueup.model.events import Fact
from trueup.model.identifiers import AccountId, PositionKey, Seq
from trueup.ports import Reading
from trueup.venues.generic.instruments import read_instruments
from trueup.venues.generic.reader import GenericReader

ACCOUNT = AccountId("generic:story")
FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "generic"


def contents(name: str) -> bytes:
    return (FIXTURES / name).read_bytes()


def read(*names: str) -> list[Reading]:
    reader = GenericReader(ACCOUNT, read_instruments(contents("story/instruments.json")))
    return [reader.read(name, contents(name)) for name in names]


def folded(facts: list[Fact]) -> Book:
    book = Book(ACCOUNT)
    book.evolve(facts, Seq(1))
    return book


def held(book: Book) -> dict[PositionKey, tuple[Decimal, Decimal | None, Decimal | None]]:
    """Quantity, entry price and leverage of what is not flat; spot positions are balances."""
    positions = book.positions()
    return {
        key: (row.quantity, row.entry_price, row.leverage)
        for key, row in positions.items()
        if row.quantity and row.instrument.kind != "spot"
    }


@pytest.mark.parametrize("name", ["story/facts.csv", "story/facts.jsonl"])
def test_the_story_agrees_to_the_last_digit(name: str) -> None:
    facts, state = read(name, "story/snapshot.json")
    assert (facts.refused, state.refused) == ([], [])
    book, snapshot = folded(list(facts.facts)), state.snapshot
    assert snapshot is not None
    assert snapshot.positions is not None
    assert held(book) == {key: (p.quantity, p.entry_price, p.leverage) for key, p in snapshot.positions.items()}
    assert {currency: balance.total for currency, balance in book.balances().items()} == snapshot.balances
    assert book.open_orders() == snapshot.open_orders
    spot = book.position("AVAX/USDT")
    assert spot is not None
    assert spot.quantity == Decimal("5.99")


def test_csv_and_json_lines_say_the_same() -> None:
    csv, lines = read("story/facts.csv", "story/facts.jsonl")
    assert (csv.kind, lines.kind) == ("CSV", "JSON lines")
    assert csv.facts == lines.facts
    assert csv.rows == lines.rows == 14


def test_the_broken_story_is_short_of_one_fill() -> None:
    facts, state = read("broken/facts.csv", "story/snapshot.json")
    book, snapshot = folded(list(facts.facts)), state.snapshot
    assert snapshot is not None
    assert snapshot.balances is not None
    assert held(book)["BTC/USDT:USDT", "long"][0] == Decimal("0.5")
    total = book.balances()["USDT"].total
    assert total is not None
    assert snapshot.balances["USDT"] - total == Decimal("198.32")
