"""Pulling a history: each page with its cursor in one commit, from the durable cursor on, whatever is cut off where."""

import asyncio
from pathlib import Path

import pytest

from tests.engine.scripted import ScriptedVenue
from tests.engine.world import ACCOUNT, DEFINED, PERP, SECOND, START, fill, opening, store_at
from trueup.engine.ledger import Ledger
from trueup.engine.pulling import DECISIONS_MAX, REFUSALS_TOLD, Pull, pull, served
from trueup.engine.receipts import Receipt
from trueup.journal.codec import decode
from trueup.model.errors import BadInput, ConcurrentUpdate, Unavailable
from trueup.model.events import CursorMoved, Event, FillBooked, InstrumentDefined, Quarantined, SourceRead
from trueup.model.identifiers import AccountId
from trueup.ports import Refused

FILLS = [fill(number) for number in range(1, 8)]


def frames(ledger: Ledger) -> list[list[Event]]:
    return [decode(frame.body) for frame in ledger.frames()]


def pulled(ledger: Ledger, venue: ScriptedVenue, since: int | None = None) -> Pull:
    return asyncio.run(pull(ledger, venue, since=since))


def unreadable(row: int) -> Refused:
    return Refused("history", row, "px", "NaN", "no number", "Tell us.", b"NaN %d" % row)


def test_every_page_stands_in_one_frame_with_its_cursor(tmp_path: Path) -> None:
    store, venue = store_at(tmp_path), ScriptedVenue(FILLS)
    ledger = store.ledger(ACCOUNT)
    report = pulled(ledger, venue)
    definitions, *pages = frames(ledger)
    assert [type(event) for event in definitions] == [InstrumentDefined]
    assert [[event.cursor for event in page if isinstance(event, CursorMoved)] for page in pages] == [
        ["2"], ["4"], ["6"], ["7"],
    ]  # fmt: skip
    assert [fact for page in pages for fact in page[:-1]] == FILLS
    assert (report.pages, report.booked, report.already, report.instruments) == (4, 7, 3, 1)
    assert (report.cursor, report.until, report.whole) == ("7", START + 7 * SECOND, True)
    assert report.warnings == venue.warnings
    store.close()


def test_a_pull_that_finds_nothing_new_writes_nothing(tmp_path: Path) -> None:
    store, venue = store_at(tmp_path), ScriptedVenue(FILLS)
    ledger = store.ledger(ACCOUNT)
    pulled(ledger, venue)
    head = ledger.head
    report = pulled(ledger, venue)
    assert (ledger.head, venue.asked) == (head, [None, "7"])
    assert (report.booked, report.already) == (0, 1)
    store.close()


@pytest.mark.parametrize("good", range(5))
def test_a_pull_that_was_cut_off_goes_on_where_it_was_even_after_a_restart(tmp_path: Path, good: int) -> None:
    store, venue = store_at(tmp_path), ScriptedVenue(FILLS)
    venue.failures.extend([None] * good)
    venue.failures.append(Unavailable("cut off"))
    if good < 4:
        with pytest.raises(Unavailable):
            pulled(store.ledger(ACCOUNT), venue)
    else:
        pulled(store.ledger(ACCOUNT), venue)
        venue.failures.clear()
    store.close()

    store = store_at(tmp_path)
    ledger = store.ledger(ACCOUNT)
    assert ledger.book.cursor == (None, "2", "4", "6", "7")[good]
    pulled(ledger, venue)
    booked = [event for frame in frames(ledger) for event in frame if isinstance(event, FillBooked)]
    assert booked == FILLS
    assert venue.asked[-1] == (None, "2", "4", "6", "7")[good]
    store.close()


def test_the_cursor_comes_out_of_a_snapshot_too(tmp_path: Path) -> None:
    store, venue = store_at(tmp_path), ScriptedVenue(FILLS)
    pulled(store.ledger(ACCOUNT), venue)
    store.close()  # keeps a snapshot
    store = store_at(tmp_path)
    assert store.ledger(ACCOUNT).book.cursor == "7"
    assert not store.findings
    store.close()


def test_a_row_that_cannot_be_read_is_kept_with_its_bytes_once_and_stops_nothing(tmp_path: Path) -> None:
    store, venue = store_at(tmp_path), ScriptedVenue(FILLS)
    ledger = store.ledger(ACCOUNT)
    for _ in range(2):
        venue.unreadable = [unreadable(row) for row in range(1, 151)]
        report = pulled(ledger, venue)
        assert (report.refused, report.whole, report.refusals[0].raw) == (150, False, b"NaN 1")
    kept = [event for frame in frames(ledger) for event in frame if isinstance(event, Quarantined)]
    assert [note.offered for note in kept] == [b"NaN %d" % row for row in range(1, 151)]
    assert ledger.book.cursor == "7"
    store.close()


def test_whose_account_it_is_is_put_on_record_when_it_is_news(tmp_path: Path) -> None:
    store, venue = store_at(tmp_path), ScriptedVenue(FILLS)
    ledger = store.ledger(ACCOUNT)
    for learnt in ({"address": "0x1"}, {"address": "0x1"}, {"address": "0x1", "hedging": "true"}, {"hedging": "false"}):
        venue.learnt = learnt
        pulled(ledger, venue)
    notes = [event.learnt for frame in frames(ledger) for event in frame if isinstance(event, SourceRead)]
    assert notes == [(("address", "0x1"),), (("hedging", "true"),), (("hedging", "false"),)]
    assert ledger.book.learnt == {"address": "0x1", "hedging": "false"}
    store.close()


def test_a_report_holds_the_first_refused_rows_and_counts_all(tmp_path: Path) -> None:
    store, venue = store_at(tmp_path), ScriptedVenue()
    venue.unreadable = [unreadable(row) for row in range(REFUSALS_TOLD + 1)]
    report = pulled(store.ledger(ACCOUNT), venue)
    assert (report.refused, len(report.refusals), report.until) == (REFUSALS_TOLD + 1, REFUSALS_TOLD, None)
    store.close()


def test_a_pull_since_a_time_begins_there(tmp_path: Path) -> None:
    store, venue = store_at(tmp_path), ScriptedVenue(FILLS)
    report = pulled(store.ledger(ACCOUNT), venue, START + 5 * SECOND)
    assert venue.asked == ["4"]
    assert report.booked == 4  # the one before it is the overlap
    store.close()


def test_a_pull_since_a_time_leaves_out_nothing_after_the_last_pull(tmp_path: Path) -> None:
    store, venue = store_at(tmp_path), ScriptedVenue(FILLS[:2])
    ledger = store.ledger(ACCOUNT)
    pulled(ledger, venue)
    venue.facts = list(FILLS)
    report = pulled(ledger, venue, START + 6 * SECOND)
    assert (report.booked, report.cursor, ledger.book.cursor) == (5, "7", "7")
    venue.facts = [fill(100, at=1), *FILLS]  # comes late
    report = pulled(ledger, venue, START)
    assert (report.booked, ledger.book.cursor) == (1, "8")
    store.close()


def test_an_opening_cut_is_judged_by_what_its_own_page_says_before_it(tmp_path: Path) -> None:
    store, venue = store_at(tmp_path), ScriptedVenue([fill(1), opening("1", at=2), fill(3)], page=3)
    ledger = store.ledger(ACCOUNT)
    report = pulled(ledger, venue)
    assert (report.covered, report.covered_openings) == (1, [f"{PERP.symbol} net"])
    assert len(frames(ledger)) == 2
    store.close()


def test_definitions_in_a_page_are_booked_before_what_uses_them(tmp_path: Path) -> None:
    store, venue = store_at(tmp_path), ScriptedVenue([fill(1), DEFINED], page=2)
    venue.terms = []
    report = pulled(store.ledger(ACCOUNT), venue)
    assert (report.instruments, report.booked, report.quarantined) == (1, 1, 0)
    store.close()


@pytest.mark.parametrize(("times", "served_in_the_end"), [(DECISIONS_MAX - 1, True), (DECISIONS_MAX, False)])
def test_where_another_writer_was_first_a_task_is_done_again_within_bounds(
    tmp_path: Path, times: int, served_in_the_end: bool
) -> None:
    store = store_at(tmp_path)
    ledger = store.ledger(ACCOUNT)
    first = [ConcurrentUpdate("another was first")] * times

    def overtaken(ledger: Ledger) -> Receipt:
        if first:
            raise first.pop()
        return ledger.book_now([DEFINED, fill(1)])

    if served_in_the_end:
        assert asyncio.run(served(ledger, overtaken)).booked == 2
    else:
        with pytest.raises(ConcurrentUpdate):
            asyncio.run(served(ledger, overtaken))
    assert ledger.head.seq == 2 * served_in_the_end
    store.close()


def test_the_ledger_of_another_account_is_refused(tmp_path: Path) -> None:
    store, venue = store_at(tmp_path), ScriptedVenue(FILLS)
    with pytest.raises(BadInput, match="the ledger is of paper:other"):
        pulled(store.ledger(AccountId("paper:other")), venue)
    store.close()
