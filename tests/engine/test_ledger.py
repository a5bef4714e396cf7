"""The one door: what is acknowledged is durable, booked once, and seen by whoever decides next."""

import asyncio
import threading
from collections.abc import Iterator
from decimal import Decimal

import pytest
from msgspec.structs import replace

from tests.engine.world import ACCOUNT, DEFINED, PERP, START, declared, fill, opening
from trueup.book.book import Book
from trueup.bootstrap import open_store
from trueup.engine import keys as keys_module
from trueup.engine import ledger as ledger_module
from trueup.engine.ledger import Ledger
from trueup.engine.store import Store
from trueup.journal.postgres.address import Place
from trueup.model.errors import BadInput, Busy, JournalDamaged, JournalFailed, StaleVersion, UnknownInstrument
from trueup.model.events import DeclarationMatched, FillBooked, InstrumentDefined, Quarantined, SourceRead
from trueup.model.identifiers import Seq
from trueup.model.instruments import Instrument
from trueup.model.statements import PyramidingStateSaved

PATIENCE_S = 120
"""For an answer, on a machine as busy as can be."""


@pytest.fixture
def store(where: Place) -> Iterator[Store]:
    store = open_store(where)
    yield store
    store.close()


@pytest.fixture
def ledger(store: Store) -> Ledger:
    ledger = store.ledger(ACCOUNT)
    ledger.book_facts([DEFINED])
    return ledger


def quantity(ledger: Ledger) -> Decimal:
    position = ledger.book.position(PERP.symbol)
    assert position is not None
    return position.quantity


def test_a_receipt_names_what_was_written_and_it_is_in_the_log(ledger: Ledger) -> None:
    receipt = ledger.book_facts([fill(1), fill(2)])
    assert (receipt.first, receipt.last, receipt.booked, receipt.already) == (2, 3, 2, 0)
    assert [event for _, event in ledger.events(Seq(receipt.first - 1))] == [fill(1), fill(2)]


def test_the_same_fact_again_is_already_there_and_writes_nothing(ledger: Ledger) -> None:
    ledger.book_facts([fill(1)])
    again = ledger.book_facts([replace(fill(1, price="100.0"), venue_order_id="seen elsewhere"), fill(1)])
    assert (again.booked, again.already) == (0, 2)
    assert again.last == again.first - 1
    assert quantity(ledger) == 1


def test_twins_within_one_batch_are_booked_once(ledger: Ledger) -> None:
    receipt = ledger.book_facts([fill(1), fill(1), fill(1, price="7")])
    assert (receipt.booked, receipt.already, receipt.quarantined) == (1, 1, 1)


def test_the_same_identity_with_other_terms_is_quarantined_once_with_both_versions_kept(ledger: Ledger) -> None:
    booked = ledger.book_facts([fill(1)])
    first = ledger.book_facts([fill(1, price="101")])
    again = ledger.book_facts([fill(1, price="101")])
    assert (first.quarantined, again.quarantined, again.already) == (1, 0, 1)
    events = [event for _, event in ledger.events()]
    (aside,) = [event for event in events if isinstance(event, Quarantined)]
    assert aside.booked_seq == booked.first
    assert b"101" in aside.offered
    assert events[booked.first - 1] == fill(1)
    assert ledger.book.quarantined == 1
    assert quantity(ledger) == 1


def test_a_fact_of_an_undefined_instrument_is_quarantined_and_booked_when_it_is_offered_after_the_definition(
    store: Store,
) -> None:
    ledger = store.ledger(ACCOUNT)
    assert ledger.book_facts([fill(1)]).quarantined == 1
    assert ledger.book_facts([DEFINED, fill(1)]).booked == 2
    assert quantity(ledger) == 1


def test_finer_details_of_an_instrument_become_its_next_version_and_other_terms_a_conflict(ledger: Ledger) -> None:
    ticked = Instrument(PERP.symbol, "BTC", "linear", "BTC", "USDC", "USDC", price_tick=Decimal("0.5"))
    larger = Instrument(PERP.symbol, "BTC", "linear", "BTC", "USDC", "USDC", contract_size=Decimal(10))
    assert ledger.book_facts([InstrumentDefined(ACCOUNT, ticked)]).booked == 1
    assert ledger.book_facts([InstrumentDefined(ACCOUNT, ticked), DEFINED]).already == 2
    assert ledger.book_facts([InstrumentDefined(ACCOUNT, larger)]).quarantined == 1
    assert ledger.book_facts([InstrumentDefined(ACCOUNT, larger)]).already == 1
    terms = ledger.book.terms(PERP.symbol)
    assert terms is not None
    assert (terms.version, terms.price_tick) == (2, Decimal("0.5"))
    assert terms.contract_size == 1


def test_the_same_contradiction_twice_in_one_batch_is_put_aside_once_and_the_views_go_on(
    store: Store, ledger: Ledger
) -> None:
    ledger.book_facts([fill(1)])
    receipt = ledger.book_facts([fill(1, price="7"), fill(1, price="7"), fill(1, price="8")])
    assert (receipt.quarantined, receipt.already) == (2, 1)
    assert store.synced(ACCOUNT) == ledger.head.seq


def test_twins_in_one_batch_are_not_both_booked(ledger: Ledger) -> None:
    known, nameless = fill(1), replace(fill(1), venue_trade_id="weak:1:0", weak=True)
    receipt = ledger.book_facts([nameless, known])
    assert (receipt.booked, receipt.quarantined) == (1, 1)
    assert quantity(ledger) == 1


def test_two_versions_that_contradict_each_other_are_not_both_defined_by_one_batch(ledger: Ledger) -> None:
    linear = Instrument("X/USD:USD", "X", "linear", "X", "USD", "USD")
    inverse = Instrument("X/USD:USD", "X", "inverse", "X", "USD", "X", version=2)
    receipt = ledger.book_facts([InstrumentDefined(ACCOUNT, linear), InstrumentDefined(ACCOUNT, inverse)])
    assert (receipt.booked, receipt.quarantined) == (1, 1)


def test_a_number_that_cannot_be_written_is_put_aside_and_the_rest_of_the_batch_is_booked(ledger: Ledger) -> None:
    receipt = ledger.book_facts([fill(1), replace(fill(2), fee_value=Decimal("NaN")), fill(3)])
    assert (receipt.booked, receipt.quarantined) == (2, 1)
    assert quantity(ledger) == 2


@pytest.mark.parametrize("first_weak", [True, False])
def test_the_same_trade_once_without_and_once_with_an_id_is_not_booked_twice(ledger: Ledger, first_weak: bool) -> None:
    known, nameless = fill(1), replace(fill(1), venue_trade_id="weak:1:0", weak=True)
    ledger.book_facts([nameless if first_weak else known])
    second = known if first_weak else nameless
    assert ledger.book_facts([second]).quarantined == 1
    assert ledger.book_facts([second, fill(2)]).booked == 1
    assert quantity(ledger) == 2
    (aside,) = [event for _, event in ledger.events() if isinstance(event, Quarantined)]
    assert "the fill at seq 2" in aside.reason


def test_a_definition_that_cannot_be_is_quarantined(ledger: Ledger) -> None:
    nothing = Instrument("X/USDC:USDC", "X", "linear", "X", "USDC", "USDC", contract_size=Decimal(0))
    assert ledger.book_facts([InstrumentDefined(ACCOUNT, nothing)]).quarantined == 1


def test_an_opening_cut_counts_only_where_nothing_earlier_is_known(ledger: Ledger) -> None:
    assert ledger.book_facts([opening("5", at=9), fill(10)]).covered == 0
    assert ledger.book_facts([opening("40", at=20), fill(21)]).covered == 1
    assert ledger.book_facts([opening("3", at=1)]).covered == 0
    assert quantity(ledger) == 7  # 5 at the cut, and two fills after it


def test_a_fill_supersedes_the_declaration_of_the_same_trade_and_takes_its_strategy(ledger: Ledger) -> None:
    ledger.book_facts([declared("d1", at=5)])
    assert quantity(ledger) == 1
    ledger.book_facts([fill(6)])
    position = ledger.book.position(PERP.symbol)
    assert position is not None
    assert position.quantity == 1
    assert position.unconfirmed == 0
    assert {name: part.quantity for name, part in position.by_strategy.items()} == {"hand": 1}


def test_a_declaration_after_its_fill_is_superseded_at_once(ledger: Ledger) -> None:
    ledger.book_facts([fill(6)])
    ledger.book_facts([declared("d1", at=9)])
    assert quantity(ledger) == 1
    assert any(isinstance(event, DeclarationMatched) for _, event in ledger.events())


def test_two_declarations_are_not_confirmed_by_one_fill(ledger: Ledger) -> None:
    ledger.book_facts([declared("d1", at=5), declared("d2", at=5)])
    ledger.book_facts([fill(6)])
    assert quantity(ledger) == 2
    ledger.book_facts([fill(7)])
    assert quantity(ledger) == 2


def test_decisions_in_one_batch_each_see_what_the_one_before_left(ledger: Ledger) -> None:
    seen: list[int] = []

    def decide(book: Book) -> list[SourceRead]:
        seen.append(book.seq)
        return [SourceRead(ACCOUNT, f"file {book.seq}", "", "", 0, 0)]

    with ledger.turn:  # the disk is busy: these wait together
        futures = [ledger.submit(decide) for _ in range(50)]
    receipts = [future.result(PATIENCE_S) for future in futures]
    assert sorted(seen) == list(range(1, 51))
    assert [receipt.first for receipt in receipts] == list(range(2, 52))


def test_a_refusal_writes_nothing_and_the_others_of_the_batch_stand(ledger: Ledger) -> None:
    def refuse(_book: Book) -> list[FillBooked]:
        raise BadInput("limit", "1", "too much", remedy="Ask for less.")

    with ledger.turn:
        before, refused = ledger.submit(lambda _: [fill(1)]), ledger.submit(refuse)
        after = ledger.submit(lambda _: [fill(2)])
    assert before.result(PATIENCE_S).first == 2
    with pytest.raises(BadInput, match="too much"):
        refused.result(PATIENCE_S)
    assert after.result(PATIENCE_S).first == 3


@pytest.mark.parametrize(
    ("event", "error"),
    [
        (replace(fill(1), instrument="ETH/USDC:USDC"), UnknownInstrument),
        (replace(fill(1), quantity=Decimal(0)), BadInput),
        (replace(fill(1), quantity=Decimal("NaN")), BadInput),
        (replace(fill(1), fee=Decimal("NaN")), BadInput),
    ],
)
def test_what_cannot_be_folded_or_written_is_refused_before_anything_changes(
    ledger: Ledger, event: FillBooked, error: type[Exception]
) -> None:
    with pytest.raises(error):
        ledger.commit(lambda _: [event])
    assert ledger.commit(lambda _: [fill(1)]).first == 2


def test_a_version_that_one_caller_did_not_know_is_no_matter_of_the_others(ledger: Ledger) -> None:
    book = ledger.book
    with ledger.turn:  # the disk is busy: these wait together
        offers = [
            ledger.submit(lambda _: [PyramidingStateSaved(ACCOUNT, "BTC", 1, 1, "one")]),
            ledger.submit(lambda _: [PyramidingStateSaved(ACCOUNT, "BTC", 1, 1, "other")]),
            ledger.submit(lambda _: [PyramidingStateSaved(ACCOUNT, "ETH", 1, 1, "third")]),
        ]
    assert offers[0].result(PATIENCE_S).booked == 1
    with pytest.raises(StaleVersion, match="at version 1 already"):
        offers[1].result(PATIENCE_S)
    assert offers[2].result(PATIENCE_S).booked == 1
    assert ledger.book is book  # and nothing was folded anew


def test_what_refuses_everybody_gathers_nobodys_frames(ledger: Ledger) -> None:
    """A ledger may stay fenced for long while programs go on calling."""
    ledger.fence(JournalDamaged("It is broken."))
    for _ in range(5):
        with pytest.raises(JournalDamaged, match="It is broken") as read:
            ledger.read(lambda book: book)
        assert len(read.traceback) == 2
        with pytest.raises(JournalDamaged, match="It is broken"):
            ledger.book_facts([fill(1)])
    assert ledger.failed is not None
    assert ledger.failed.__traceback__ is None


def test_a_decision_cannot_book_a_fact_twice(ledger: Ledger) -> None:
    ledger.commit(lambda _: [fill(1)])
    with pytest.raises(BadInput, match="book_facts"):
        ledger.commit(lambda _: [fill(1)])


def test_a_decision_cannot_book_a_fact_twice_at_once_either(ledger: Ledger) -> None:
    with pytest.raises(BadInput, match="book_facts"):
        ledger.commit(lambda _: [fill(1), fill(1)])
    ledger.commit(lambda _: [SourceRead(ACCOUNT, "a", "b", "c", 1, 0)])
    with pytest.raises(BadInput):
        ledger.commit(lambda _: [SourceRead(ACCOUNT, "a", "b", "c", 1, 0)])


def test_an_offer_too_large_for_a_frame_is_refused_alone(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "OFFER_BYTES_MAX", 500)
    with pytest.raises(BadInput, match="parts"):
        ledger.commit(lambda _: [fill(number) for number in range(10)])
    assert ledger.commit(lambda _: [fill(1)]).booked == 1


def test_a_future_that_was_cancelled_hangs_nobody(ledger: Ledger) -> None:
    with ledger.turn:
        cancelled, waiting = ledger.submit(lambda _: [fill(1)]), ledger.submit(lambda _: [fill(2)])
        assert cancelled.cancel()
    assert waiting.result(PATIENCE_S).booked == 1
    assert quantity(ledger) == 2  # what was offered stands


def test_whatever_a_disk_does_wrong_nobody_waits_for_ever_and_nobody_is_told_it_worked(
    store: Store, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_memory(*_: object) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr(ledger.journal, "append", out_of_memory)
    with ledger.turn:
        futures = [ledger.submit(lambda _: [fill(1)]), ledger.submit(lambda _: [fill(2)])]
    for future in futures:
        with pytest.raises(JournalFailed, match="no room"):
            future.result(PATIENCE_S)
    with pytest.raises(JournalFailed):
        ledger.read(lambda book: book.seq)
    monkeypatch.undo()
    again = store.reopen(ACCOUNT)
    assert again.book_facts([fill(1), fill(2)]).booked == 2
    store.synced(ACCOUNT)
    assert store.views.positions(ACCOUNT)[1][0].quantity == 2


def test_what_was_not_written_never_reaches_the_views(
    store: Store, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise JournalFailed("The disk is full.")

    store.synced(ACCOUNT)
    with ledger.turn:  # the views wait for the turn, and get it after the failure
        first = ledger.submit(lambda _: [fill(1)])
    first.result(PATIENCE_S)
    monkeypatch.setattr(ledger.journal, "append", full)
    with pytest.raises(JournalFailed):
        ledger.book_facts([fill(2)])
    monkeypatch.undo()
    again = store.reopen(ACCOUNT)
    assert store.synced(ACCOUNT) == again.head.seq == 2
    assert store.views.positions(ACCOUNT)[1][0].quantity == 1


def test_an_error_in_a_decision_reaches_its_caller_and_nobody_else(ledger: Ledger) -> None:
    with ledger.turn:
        broken = ledger.submit(lambda _: [1 / 0])  # type: ignore[list-item]
        sound = ledger.submit(lambda _: [fill(1)])
    with pytest.raises(ZeroDivisionError):
        broken.result(PATIENCE_S)
    assert sound.result(PATIENCE_S).booked == 1


def test_an_error_while_folding_closes_the_ledger_and_a_reopened_one_holds_what_was_acknowledged(
    store: Store, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("a mistake of ours")

    ledger.book_facts([fill(1)])
    monkeypatch.setattr(ledger.book, "evolve", broken)
    with pytest.raises(KeyError):
        ledger.book_facts([fill(2)])
    with pytest.raises(JournalFailed, match="interrupted"):
        ledger.book_facts([fill(3)])
    again = store.reopen(ACCOUNT)
    assert again.book_facts([fill(1), fill(2)]).booked == 1
    assert quantity(again) == 2


def test_many_asyncio_callers_share_syncs_and_each_gets_its_own_receipt(ledger: Ledger) -> None:
    async def book() -> list[int]:
        with ledger.turn:  # the disk is busy: these wait together
            waiting = [asyncio.create_task(ledger.abook_facts([fill(n)])) for n in range(500)]
            await asyncio.sleep(0)
        return [receipt.first for receipt in await asyncio.gather(*waiting)]

    head = ledger.head.seq
    assert sorted(asyncio.run(book())) == list(range(head + 1, head + 501))
    assert quantity(ledger) == 500
    assert [frame.count for frame in ledger.journal.read()] == [1, 500]


def test_an_asyncio_caller_that_gives_up_does_not_undo_what_it_offered(ledger: Ledger) -> None:
    async def give_up() -> None:
        with ledger.turn:
            waiting = asyncio.create_task(ledger.acommit(lambda _: [fill(1)]))
            await asyncio.sleep(0)
            waiting.cancel()
        await ledger.abook_facts([fill(2)])
        with pytest.raises(asyncio.CancelledError):
            await waiting
        with pytest.raises(BadInput):
            await ledger.acommit(lambda _: [fill(1)])

    asyncio.run(give_up())
    assert quantity(ledger) == 2


def test_many_threads_book_every_fact_once(ledger: Ledger) -> None:
    def work(worker: int) -> None:
        for number in range(40):
            ledger.book_facts([fill(worker * 20 + number)])  # neighbours offer half of the same facts

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert quantity(ledger) == 15 * 20 + 40
    assert ledger.head.seq == 1 + 15 * 20 + 40


def test_a_closed_ledger_takes_nothing_more(store: Store, ledger: Ledger) -> None:
    ledger.stop()
    with pytest.raises(Busy, match="closed"):
        ledger.book_facts([fill(1)])
    assert list(ledger.events(Seq(1))) == []


def test_readers_see_only_what_is_durable_and_whole(ledger: Ledger) -> None:
    ledger.book_facts([fill(1)])
    seq, held = ledger.read(lambda book: (book.seq, book.positions()[PERP.symbol, "net"].quantity))
    assert seq == ledger.head.seq
    assert held == 1


def test_keys_that_left_memory_are_found_in_the_views(
    store: Store, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys_module, "GENERATION", 10)
    for start in range(0, 100, 10):
        ledger.book_facts([fill(number) for number in range(start, start + 10)])
        store.synced(ACCOUNT)
    assert fill(0).venue_time == START
    again = ledger.book_facts([fill(number) for number in range(101)])
    assert (again.booked, again.already) == (1, 100)
    assert ledger.book_facts([fill(5, price="9"), fill(6, at=5000)]).quarantined == 2
