"""The past: a book folded again up to any moment is the book that stood there."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.engine.world import ACCOUNT, DEFINED, PERP, SECOND, START, declared, fill, store_at
from trueup.engine.ledger import Ledger
from trueup.engine.replay import NOW, Moment, book_at, entries
from trueup.model.errors import NotFound
from trueup.model.identifiers import Seq

KEY = (PERP.symbol, "net")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    store = store_at(tmp_path)
    yield store.ledger(ACCOUNT)
    store.close()


def quantity(ledger: Ledger, moment: Moment) -> Decimal:
    position = book_at(ledger, moment).position(*KEY)
    return Decimal(0) if position is None else position.quantity


def test_every_seq_gives_the_book_that_stood_there(ledger: Ledger) -> None:
    ledger.book_facts([DEFINED])
    stood = {ledger.head.seq: ledger.book.positions()}
    numbers = [500, *range(300), 400]  # late facts, older than what a book keeps in memory
    for number in numbers:
        ledger.book_facts([fill(number, side="buy" if number % 3 else "sell", price=str(100 + number))])
        stood[ledger.head.seq] = ledger.book.positions()
    for seq in (1, 2, 3, 150, 301, 302, 303):
        assert book_at(ledger, Moment(seq=Seq(seq))).positions() == stood[Seq(seq)]
    assert book_at(ledger, NOW).positions() == stood[ledger.head.seq]


def test_a_seq_that_is_not_there_yet_is_refused(ledger: Ledger) -> None:
    ledger.book_facts([DEFINED])
    with pytest.raises(NotFound, match="ends at seq 1"):
        book_at(ledger, Moment(seq=Seq(2)))


def test_a_time_of_recording_takes_all_that_was_recorded_by_then(ledger: Ledger) -> None:
    ledger.book_facts([DEFINED, fill(1)])
    then = ledger.head.recorded_at
    ledger.book_facts([fill(0)])
    times = {entry.seq: entry.recorded_at for entry in entries(ledger)}
    later = 2 if times[Seq(3)] > then else 3
    assert book_at(ledger, Moment(recorded=then)).seq == later
    assert quantity(ledger, Moment(recorded=then - 1)) == 0


def test_a_venue_time_takes_what_had_happened_by_then_whenever_it_was_learnt(ledger: Ledger) -> None:
    ledger.book_facts([DEFINED, fill(5)])
    ledger.book_facts([fill(1), fill(9)])
    ledger.book_facts([fill(3)])
    assert [quantity(ledger, Moment(venue_time=START + at * SECOND)) for at in (0, 1, 4, 5, 9)] == [0, 1, 2, 3, 4]


def test_a_declaration_stands_until_the_fill_that_confirms_it_had_happened(ledger: Ledger) -> None:
    ledger.book_facts([DEFINED, declared("note", at=1)])
    ledger.book_facts([fill(2)])
    before = book_at(ledger, Moment(venue_time=START + 1 * SECOND)).position(*KEY)
    after = book_at(ledger, Moment(venue_time=START + 2 * SECOND)).position(*KEY)
    assert before is not None
    assert after is not None
    assert (before.quantity, before.unconfirmed) == (Decimal(1), Decimal(1))
    assert (after.quantity, after.unconfirmed) == (Decimal(1), Decimal(0))
    assert after == ledger.book.position(*KEY)


def test_entries_begin_behind_a_seq_inside_a_commit(ledger: Ledger) -> None:
    ledger.book_facts([DEFINED, fill(1), fill(2), fill(3)])
    assert [entry.seq for entry in entries(ledger, Seq(2))] == [3, 4]
