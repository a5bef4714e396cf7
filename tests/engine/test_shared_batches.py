"""Callers who wait together have their fills booked as one batch; each is told what it would have been told alone."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.engine.world import ACCOUNT, DEFINED, declared, fill, store_at
from trueup.book.book import Book
from trueup.book.snapshot import state_hash
from trueup.engine.door import Fate
from trueup.engine.ledger import Ledger
from trueup.engine.receipts import Receipt, divided
from trueup.engine.store import Store
from trueup.model.errors import JournalFailed
from trueup.model.events import Fact
from trueup.model.identifiers import Seq

UNDEFINED = replace(fill(70), instrument="ETH/USDC:USDC")
ENDLESS = replace(fill(71), price=fill(71).price * 10**40)
WEAK = replace(fill(72, at=4), venue_trade_id="weak:4:0", weak=True)
NONSENSE: Any = replace(fill(73), price="a hundred")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = store_at(tmp_path)
    yield store
    store.close()


@pytest.fixture
def ledger(store: Store) -> Ledger:
    ledger = store.ledger(ACCOUNT)
    ledger.book_facts([DEFINED])
    return ledger


def offered_together(ledger: Ledger, offers: Sequence[Sequence[Fact]]) -> list[Receipt | BaseException]:
    """What each caller is told when all of them wait for the same batch."""

    async def offer() -> list[Receipt | BaseException]:
        with ledger.turn:  # the disk is busy: these wait together
            waiting = [asyncio.create_task(ledger.abook_facts(facts)) for facts in offers]
            await asyncio.sleep(0)
        return await asyncio.gather(*waiting, return_exceptions=True)

    return asyncio.run(offer())


def offered_alone(ledger: Ledger, offers: Sequence[Sequence[Fact]]) -> list[Receipt]:
    return [ledger.book_facts(facts) for facts in offers]


@pytest.mark.parametrize(
    "offers",
    [
        [[fill(1)], [fill(2)], [fill(3)]],
        [[fill(1), fill(2)], [], [fill(2), fill(1), fill(3)], [fill(3)]],
        [[fill(5)], [fill(5, price="101")], [fill(5, price="101")], [fill(6)]],
        [[fill(1), UNDEFINED], [UNDEFINED], [fill(2)], [ENDLESS, fill(3)], [fill(4)]],
        [[fill(4)], [WEAK], [fill(9), WEAK]],
        [[fill(3)], [DEFINED], [fill(4)], [fill(1), DEFINED], [fill(2)]],
        [[fill(8)], [declared("by hand", at=1)], [fill(1)], [fill(2)], [fill(1)]],
    ],
    ids=["new", "again", "contradicting", "refused", "doubtful", "with definitions", "declared"],
)
def test_each_caller_is_told_what_it_would_have_been_told_alone(
    offers: list[list[Fact]], ledger: Ledger, tmp_path: Path
) -> None:
    told = offered_together(ledger, offers)
    alone = store_at(tmp_path / "alone")
    other = alone.ledger(ACCOUNT)
    other.book_facts([DEFINED])
    assert told == offered_alone(other, offers)
    assert [event for _, event in ledger.events()] == [event for _, event in other.events()]
    assert ledger.read(state_hash) == other.read(state_hash)
    alone.close()


def test_a_receipt_names_the_events_of_its_own_caller(ledger: Ledger) -> None:
    offers: list[list[Fact]] = [[fill(3 * n), fill(3 * n + 1), UNDEFINED] for n in range(20)]
    told = offered_together(ledger, offers)
    written = dict(ledger.events())
    for facts, receipt in zip(offers, told, strict=True):
        assert isinstance(receipt, Receipt)
        assert [written[Seq(seq)] for seq in range(receipt.first, receipt.first + 2)] == facts[:2]
        assert receipt.booked == 2
        assert receipt.quarantined + receipt.already == 1
    assert [frame.count for frame in ledger.journal.read()] == [1, 41]


def test_nonsense_fails_its_own_caller_and_nobody_else(ledger: Ledger) -> None:
    told = offered_together(ledger, [[fill(1)], [NONSENSE], [fill(2)]])
    assert [isinstance(answer, Receipt) for answer in told] == [True, False, True]
    assert isinstance(told[1], TypeError)
    assert [event for _, event in ledger.events(Seq(1))] == [fill(1), fill(2)]


def test_an_error_while_folding_for_many_closes_the_ledger_for_all_of_them(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(Book, "evolve", broken)
    told = offered_together(ledger, [[fill(1)], [fill(2)]])
    assert all(isinstance(answer, JournalFailed) for answer in told)
    assert ledger.failed is not None


def test_fates_are_divided_among_callers_with_the_seqs_of_what_was_written() -> None:
    booked, already, aside = Fate.BOOKED, Fate.ALREADY, Fate.QUARANTINED
    assert list(divided([booked, already, aside, booked, already], [2, 0, 2, 1], Seq(7))) == [
        Receipt(Seq(7), Seq(7), [booked, already]),
        Receipt(Seq(8), Seq(7), []),
        Receipt(Seq(8), Seq(9), [aside, booked]),
        Receipt(Seq(10), Seq(9), [already]),
    ]
