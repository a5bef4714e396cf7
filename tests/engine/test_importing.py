"""Importing: the order of files and rows never matters, and nothing is booked or noted twice."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.engine.world import ACCOUNT, DEFINED, PERP, fill, opening, store_at
from trueup.engine.importing import CHUNK, book_sources, import_sources
from trueup.engine.ledger import Ledger
from trueup.engine.reading import Hints, Source, hints_of, open_files, read_answers
from trueup.model.errors import BadInput, Malformed
from trueup.model.events import Fact, InstrumentDefined, OpeningBalance, Quarantined, SourceRead, TransferBooked
from trueup.ports import Reading, Refused
from trueup.venues.files import Answer


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    store = store_at(tmp_path)
    yield store.ledger(ACCOUNT)
    store.close()


def source(name: str, *facts: Fact, refused: int = 0) -> Source:
    bad = [Refused(name, row + 1, "px", "NaN", "no number", "Mend it.", b"row %d" % row) for row in range(refused)]
    return Source(Answer(name, name.encode(), name), Reading("fills", facts, bad, rows=len(facts) + refused))


def kinds(ledger: Ledger) -> list[type]:
    return [type(event) for _, event in ledger.events()]


def test_facts_of_all_files_are_booked_in_venue_order(ledger: Ledger) -> None:
    report = book_sources(ledger, [source("b", fill(3), fill(1)), source("a", fill(2), DEFINED)])
    numbers = [event.venue_trade_id for _, event in ledger.events() if hasattr(event, "venue_trade_id")]
    assert numbers == ["1", "2", "3"]
    assert [(file.name, file.booked, file.instruments) for file in report.files] == [("b", 2, 0), ("a", 1, 1)]
    assert report.whole


def test_many_facts_take_several_commits_and_progress_is_told(ledger: Ledger) -> None:
    told: list[tuple[int, int]] = []
    facts = [fill(number) for number in range(2 * CHUNK + 1)]
    report = book_sources(ledger, [source("a", DEFINED, *facts)], lambda done, total: told.append((done, total)))
    total = len(facts) + 1
    assert told == [(1, total), (CHUNK + 1, total), (2 * CHUNK + 1, total), (total, total)]
    assert report.total("booked") == len(facts)


def test_a_fact_in_two_files_is_booked_for_the_first_of_them(ledger: Ledger) -> None:
    report = book_sources(ledger, [source("a", DEFINED, fill(1)), source("b", DEFINED, fill(1), fill(2))])
    assert [(file.booked, file.already) for file in report.files] == [(1, 0), (1, 1)]


@pytest.mark.parametrize("reverse", [False, True])
def test_an_opening_is_covered_by_older_facts_of_the_same_import(ledger: Ledger, reverse: bool) -> None:
    files = [source("old", DEFINED, fill(1)), source("new", opening("1", at=2), fill(2))]
    report = book_sources(ledger, files[::-1] if reverse else files)
    assert {file.name: file.covered for file in report.files} == {"old": 0, "new": 1}
    assert report.whole, "a covered opening is no difference"


def test_an_opening_balance_is_covered_by_older_cash_of_the_same_import(ledger: Ledger) -> None:
    early = TransferBooked(ACCOUNT, Decimal(5), "USDC", fill(1).venue_time, "t1")
    late = OpeningBalance(ACCOUNT, "USDC", Decimal(9), fill(2).venue_time, "o1")
    report = book_sources(ledger, [source("a", late, early)])
    assert (report.total("booked"), report.total("covered")) == (1, 1)
    assert ledger.book.balances()["USDC"].total == 5


def test_refused_rows_and_files_are_put_on_record_once(ledger: Ledger) -> None:
    files = [source("a", DEFINED, fill(1), refused=250)]
    first = book_sources(ledger, files)
    written = kinds(ledger)
    assert (written.count(Quarantined), written.count(SourceRead)) == (250, 1)
    again = book_sources(ledger, files)
    assert kinds(ledger) == written
    assert not first.whole
    assert not again.whole
    assert len(again.refusals) == again.total("refused") == 250


def test_a_file_is_noted_after_everything_it_gave(ledger: Ledger) -> None:
    book_sources(ledger, [source("a", DEFINED, fill(1), refused=1)])
    assert kinds(ledger)[-1] is SourceRead
    note = [event for _, event in ledger.events()][-1]
    assert isinstance(note, SourceRead)
    assert (note.name, note.sha256, note.rows, note.refused) == ("a", "a", 3, 1)


def test_a_contradiction_counts_as_quarantined_each_time(ledger: Ledger) -> None:
    book_sources(ledger, [source("a", DEFINED, fill(1))])
    larger = InstrumentDefined(ACCOUNT, replace(PERP, contract_size=Decimal(10)))
    for _ in range(2):
        report = book_sources(ledger, [source("b", larger, fill(1, price="99"))])
        assert (report.total("quarantined"), report.whole) == (2, False)


def test_fewer_details_of_known_terms_are_no_new_version(ledger: Ledger) -> None:
    ticked = InstrumentDefined(ACCOUNT, replace(PERP, price_tick=Decimal("0.1")))
    book_sources(ledger, [source("a", ticked, fill(1))])
    report = book_sources(ledger, [source("b", DEFINED, fill(2))])
    assert report.total("instruments") == 0
    assert list(ledger.book.instruments[PERP.symbol]) == [1]


def test_a_ledger_is_made_only_for_something_to_put_into_it(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    try:
        unread = Source(Answer("x", b"", ""), Reading("refused"), Malformed("no answer", remedy="Ask again."))
        report = import_sources(store, ACCOUNT, [unread])
        assert (list(store.accounts()), report.whole) == ([], False)
        assert report.files[0].problem == "no answer"
        assert import_sources(store, ACCOUNT, [source("a", DEFINED)]).whole
        assert list(store.accounts()) == [ACCOUNT]
    finally:
        store.close()


class Learner:
    """Reads `{"needs": [...], "gives": name, "at": time}`; refuses what needs something it has not read."""

    def __init__(self) -> None:
        self.known: set[str] = set()

    def read(self, name: str, data: bytes, request: bytes | None = None) -> Reading:
        row = json.loads(data)
        if not self.known.issuperset(row["needs"]):
            raise Malformed(f"{name}: needs {row['needs']}", remedy="Give it first.")
        self.known.add(row["gives"])
        if row["at"] is None:
            return Reading("definitions", [DEFINED])
        return Reading("fills", [fill(row["at"])])


def answer(gives: str, *needs: str, at: int | None = None) -> Answer:
    return Answer(gives, json.dumps({"gives": gives, "needs": needs, "at": at}).encode(), "")


def test_answers_are_read_in_the_order_in_which_they_build_on_one_another() -> None:
    told: list[tuple[int, int]] = []
    given = [answer("third", "second", at=3), answer("second", "terms", at=2), answer("terms")]
    sources = read_answers(Learner, given, lambda done, total: told.append((done, total)))
    refused = [found.answer.name for found in sources if found.error is not None]
    assert [found.answer.name for found in sources] == ["terms", "second", "third"]
    assert refused == [], "one that was refused is read again behind those it may have lacked"
    assert len(told) == 9


def test_answers_in_a_good_order_are_read_once() -> None:
    told: list[tuple[int, int]] = []
    read_answers(Learner, [answer("terms"), answer("a", "terms", at=1)], lambda *done: told.append(done))
    assert told == [(1, 2), (2, 2)]


def test_files_that_cannot_be_opened_stop_no_other(tmp_path: Path) -> None:
    (tmp_path / "good.json").write_text("{}")
    (tmp_path / "empty.json").write_text("")
    answers, unusable = open_files([tmp_path / "empty.json", tmp_path / "good.json", tmp_path / "none.json"])
    assert [found.name for found in answers] == ["good.json"]
    assert [found.answer.name for found in unusable] == ["empty.json", "none.json"]


def test_a_reader_is_told_what_the_book_knows(ledger: Ledger) -> None:
    assert hints_of(ledger.book, home_currency="EUR", address="0x1") == Hints([], [], "EUR", "0x1", traded=[])
    book_sources(ledger, [source("a", DEFINED, fill(1))])
    known = Hints([PERP], [], "USDC", traded=[PERP.symbol])
    assert hints_of(ledger.book) == known, "that no side is told apart proves nothing"
    book_sources(ledger, [source("a", replace(fill(2), position_side="long"))])
    assert hints_of(ledger.book).hedging


def test_what_an_answer_says_of_the_account_is_on_record_and_nobody_may_say_otherwise(ledger: Ledger) -> None:
    learnt = {"address": "0x1", "home_currency": "EUR"}
    book_sources(ledger, [Source(Answer("state", b"", "00"), Reading("account", learnt=learnt))])
    assert hints_of(ledger.book, home_currency="EUR", address="0X1").learnt == learnt
    with pytest.raises(BadInput, match="earlier say EUR"):
        hints_of(ledger.book, home_currency="USD")
    with pytest.raises(BadInput, match="earlier say 0x1"):
        hints_of(ledger.book, address="0x2")
