"""Comparing with saved answers: what bears on the outcome besides the numbers, and proving what is stored."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.engine.world import ACCOUNT, DEFINED, PERP, START, fill, opening, store_at
from trueup.bootstrap import open_storage
from trueup.engine.reading import Source
from trueup.engine.reconciling import Reconciliation, reconcile
from trueup.engine.store import Store
from trueup.engine.verifying import verify_storage
from trueup.model.differences import Kind, Status, VenuePosition, VenueSnapshot
from trueup.model.errors import Malformed
from trueup.model.events import Compared, Fact, InstrumentDefined, OpeningBalance
from trueup.model.identifiers import Seq
from trueup.model.instruments import Instrument
from trueup.ports import Reading
from trueup.venues.files import Answer

KEY = (PERP.symbol, "net")
ETH = Instrument("ETH/USDC:USDC", "ETH", "linear", "ETH", "USDC", "USDC", quantity_step=Decimal("0.01"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = store_at(tmp_path)
    opened.ledger(ACCOUNT).book_facts([DEFINED, fill(1), fill(2)])
    yield opened
    opened.close()


def said(*facts: Fact, snapshot: VenueSnapshot | None = None, note: str = "") -> Source:
    return Source(Answer("answer", b"", ""), Reading("answer", facts, snapshot=snapshot, note=note))


def held(quantity: int, instrument: str = PERP.symbol) -> Source:
    position = VenuePosition(instrument, "net", Decimal(quantity))
    return said(snapshot=VenueSnapshot(ACCOUNT, positions={(instrument, "net"): position}))


def compared(store: Store, *sources: Source) -> Reconciliation:
    return reconcile(store, store.ledger(ACCOUNT), sources)


def test_book_database_and_venue_agree(store: Store) -> None:
    comparison = compared(store, held(2)).comparison
    assert comparison.status is Status.SYNCED
    assert comparison.memory_seq == comparison.database_seq == 3


def test_facts_the_book_lacks_are_named_each_once_and_not_booked(store: Store) -> None:
    found = compared(store, held(3), said(fill(2), fill(3)), said(fill(3)))
    assert found.missing == [fill(3)]
    assert found.comparison.differences[0].evidence == ("3",)
    ledger = store.ledger(ACCOUNT)
    assert ledger.keys.booked(["fill|3"]) == {}
    assert [type(event) for _, event in ledger.events(Seq(3))] == [Compared]


def outcomes(store: Store) -> list[Compared]:
    return [event for _, event in store.ledger(ACCOUNT).events() if isinstance(event, Compared)]


def test_an_outcome_is_on_record_once_until_it_is_another(store: Store) -> None:
    for quantity in (3, 3, 4, 4, 2, 2):
        compared(store, held(quantity))
    assert [(outcome.status, [found.theirs for found in outcome.breaks]) for outcome in outcomes(store)] == [
        ("DRIFT", ["3"]),
        ("DRIFT", ["4"]),
        ("SYNCED", []),
    ]
    assert store.ledger(ACCOUNT).book.breaks.outcome == outcomes(store)[-1]


def test_an_outcome_says_what_was_compared_with_what(store: Store) -> None:
    snapshot = VenueSnapshot(ACCOUNT, START, {KEY: VenuePosition(*KEY, Decimal(3))}, source=("state.json",))
    compared(store, said(snapshot=snapshot), said(fill(3)))
    (outcome,) = outcomes(store)
    assert (outcome.source, outcome.cut, outcome.compared, outcome.counts) == (
        ("state.json",),
        START,
        1,
        (("DRIFT", 1), ("NOT_COMPARED", 1)),
    )
    assert "open_orders" in outcome.not_compared
    (found,) = outcome.breaks
    assert (found.key, found.difference) == (("BTC/USDC:USDC net", "QTY"), Decimal(1))


def test_an_answer_that_could_not_be_read_is_on_record_and_fills_alone_are_not(store: Store) -> None:
    compared(store, said(fill(3)))
    assert outcomes(store) == []
    compared(store, Source(Answer("x", b"", ""), Reading("refused"), Malformed("no answer", remedy="Ask again.")))
    assert [outcome.status for outcome in outcomes(store)] == ["FAILED"]


def test_where_an_answer_begins_is_no_missing_fact_if_the_book_knows_what_came_before(store: Store) -> None:
    cash = OpeningBalance(ACCOUNT, "USDC", Decimal(1), START, "o1")
    strange = OpeningBalance(ACCOUNT, "EUR", Decimal(1), START, "o2")
    found = compared(store, held(2), said(opening("1", at=2), cash, strange))
    assert found.missing == [strange]


def test_terms_that_only_the_answers_know_serve_the_comparison(store: Store) -> None:
    defined = said(InstrumentDefined(ACCOUNT, ETH))
    (difference,) = compared(store, held(2), defined, held(1, ETH.symbol)).comparison.differences[-1:]
    assert difference.kind is Kind.MISSING_OURS
    assert ETH.symbol not in store.ledger(ACCOUNT).book.instruments


def test_an_unread_answer_fails_the_whole_beside_parts_that_agree(store: Store) -> None:
    unread = Source(Answer("x", b"", ""), Reading("refused"), Malformed("no answer", remedy="Ask again."))
    comparison = compared(store, held(2), unread).comparison
    assert (comparison.status, comparison.not_compared[0]) == (Status.FAILED, "x")


def test_views_that_cannot_be_read_are_unknown(store: Store) -> None:
    store.synced(ACCOUNT)
    store.views.close()
    comparison = compared(store, held(2)).comparison
    assert (comparison.status, comparison.database_seq) == (Status.FAILED, 0)


def test_what_readers_say_of_their_answers_is_passed_on(store: Store) -> None:
    assert "answer: of the main dex" in compared(store, held(2), said(note="of the main dex")).notes


def test_frames_of_another_history_in_the_views_are_found(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for place, price in ((ours, "100"), (theirs, "101")):
        opened = store_at(place)
        opened.ledger(ACCOUNT).book_facts([DEFINED, fill(1, price=price)])
        opened.close()
    (theirs / "data/views.sqlite3").replace(ours / "data/views.sqlite3")
    storage = open_storage(ours / "data")
    try:
        (ledger,) = verify_storage(storage, [ACCOUNT], lambda *_: None).ledgers
    finally:
        storage.close()
    assert ledger.log == []
    assert ledger.views == ["the views hold another frame than the log at seq 1"]
