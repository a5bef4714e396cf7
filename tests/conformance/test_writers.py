"""Leaders old and new, and two writers at once: one wins, the other knows, and nothing is lost."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Barrier

import pytest

from tests.conformance.conftest import AnyStorage
from tests.engine.world import ACCOUNT, DEFINED, PERP, fill
from tests.postgresql import ask, empty
from trueup.book.book import Book
from trueup.book.snapshot import state_hash
from trueup.bootstrap import open_storage, open_store
from trueup.engine.ledger import Ledger
from trueup.engine.store import Store
from trueup.journal.codec import encode
from trueup.journal.postgres.address import Address
from trueup.model.errors import BadInput, ConcurrentUpdate, StaleEpoch
from trueup.model.events import Event, FillBooked
from trueup.model.facts import fact_key
from trueup.ports import Journal

BODY = encode([DEFINED])


def journal(storage: AnyStorage, epoch: int | None = None) -> Journal:
    return storage.open_ledger(ACCOUNT, None, epoch=epoch).journal


class TestEpochs:
    def test_frames_carry_the_epoch_of_their_leader_and_a_later_start_keeps_it(self, storage: AnyStorage) -> None:
        leader = journal(storage, epoch=7)
        assert leader.append(BODY, 1, 5).epoch == 7
        leader.close()
        follower = journal(storage)
        assert follower.append(BODY, 1, 6).epoch == 7
        follower.close()

    def test_an_older_leader_writes_no_more(self, storage: AnyStorage) -> None:
        new = journal(storage, epoch=3)
        new.append(BODY, 1, 5)
        new.close()
        with pytest.raises(StaleEpoch, match="epoch 3, and this process holds epoch 2"):
            journal(storage, epoch=2).append(BODY, 1, 6)
        again = journal(storage)
        assert again.head.seq == 1
        again.close()


class TestJournal:
    def test_time_never_goes_back_and_each_frame_continues_the_one_before(self, storage: AnyStorage) -> None:
        log = journal(storage)
        first, second = log.append(BODY, 1, 50), log.append(BODY, 1, 20)
        assert (second.recorded_at, second.previous, second.first) == (50, first.hash, 2)
        assert list(log.read()) == [first, second]
        log.close()

    @pytest.mark.parametrize(("body", "count"), [(BODY, 0), (bytes((64 << 20) + 1), 1)])
    def test_what_cannot_be_one_frame_is_refused_and_the_next_one_is_not(
        self, storage: AnyStorage, body: bytes, count: int
    ) -> None:
        log = journal(storage)
        with pytest.raises(BadInput):
            log.append(body, count, 1)
        assert log.append(BODY, 1, 1).first == 1
        log.close()


@pytest.fixture
def stores(postgres: str) -> Iterator[Sequence[Store]]:
    """Two processes' worth of stores on one database."""
    address = Address.parse(postgres)
    first = open_store(address)
    first.ledger(ACCOUNT).book_facts([DEFINED])
    both = [first, open_store(address)]
    both[1].ledger(ACCOUNT)
    yield both
    for store in both:
        store.close()


def ids(ledger: Ledger) -> list[str]:
    return [event.venue_trade_id for _, event in ledger.events() if isinstance(event, FillBooked)]


class TestTwoWriters:
    def test_the_second_is_told_catches_up_and_succeeds(self, stores: Sequence[Store]) -> None:
        one, two = (store.ledger(ACCOUNT) for store in stores)
        one.book_facts([fill(1)])
        with pytest.raises(ConcurrentUpdate, match="stands at seq 2, and this goes on from 1"):
            two.book_facts([fill(2)])
        assert two.head == one.head
        assert two.book_facts([fill(2)]).booked == 1
        assert ids(two) == ["1", "2"]
        assert two.book.position(PERP.symbol) is not None
        assert one.catch_up() == 3
        assert state_hash(one.book) == state_hash(two.book)

    def test_what_the_other_booked_is_already_there(self, stores: Sequence[Store]) -> None:
        one, two = (store.ledger(ACCOUNT) for store in stores)
        one.book_facts([fill(1), fill(2)])
        with pytest.raises(ConcurrentUpdate):
            two.book_facts([fill(2), fill(3)])
        receipt = two.book_facts([fill(2), fill(3)])
        assert (receipt.booked, receipt.already) == (1, 1)

    def test_catching_up_is_for_readers_too_and_costs_nothing_when_nobody_wrote(
        self, stores: Sequence[Store], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one, two = (store.ledger(ACCOUNT) for store in stores)
        one.book_facts([fill(1)])
        book, reads = two.book, two.journal.read
        assert two.catch_up() == 2
        assert state_hash(two.book) == state_hash(one.book)
        monkeypatch.setattr(two.journal, "read", None)
        assert two.catch_up() == 2
        monkeypatch.setattr(two.journal, "read", reads)
        assert two.book is book  # folded on, and not anew

    def test_what_another_booked_is_folded_on_as_if_it_had_been_booked_here(
        self, stores: Sequence[Store], postgres: str
    ) -> None:
        """Late facts, decisions and keys included; and the rows that the other wrote are not written again."""
        one, two = (store.ledger(ACCOUNT) for store in stores)
        for at in (50, 20, 35, 1):
            one.book_facts([fill(at), fill(at + 100)])
            two.catch_up()
            assert state_hash(two.book) == state_hash(one.book)
        assert two.book_facts([fill(20), fill(135), fill(200)]).already == 2
        one.catch_up()
        assert state_hash(two.book) == state_hash(one.book)
        assert [row["version"] for row in ask(postgres, "SELECT version FROM book_positions")] == [5]

    def test_a_history_that_another_took_the_place_of_is_taken_up_anew(
        self, stores: Sequence[Store], postgres: str
    ) -> None:
        """As when a database is restored under a program that runs."""
        one, two = (store.ledger(ACCOUNT) for store in stores)
        two.book_facts([fill(1)])
        empty(postgres)
        new = open_store(Address.parse(postgres))
        new.ledger(ACCOUNT).book_facts([DEFINED, fill(7)])
        new.ledger(ACCOUNT).book_facts([fill(8)])
        new.close()
        assert (one.catch_up(), two.catch_up()) == (3, 3)
        assert ids(one) == ids(two) == ["7", "8"]
        assert state_hash(one.book) == state_hash(two.book)
        assert two.book_facts([fill(1), fill(8)]).booked == 1

    def test_a_decision_is_made_again_on_what_the_other_left(self, stores: Sequence[Store]) -> None:
        """One position, two writers, each closing it: together they close it once."""
        one, two = (store.ledger(ACCOUNT) for store in stores)
        one.book_facts([fill(1)])
        two.catch_up()

        def flatten(book: Book) -> Sequence[Event]:
            position = book.position(PERP.symbol)
            held = position.quantity if position is not None else Decimal(0)
            return [fill(99, side="sell")] if held else []

        one.commit(flatten)
        with pytest.raises(ConcurrentUpdate):
            two.commit(flatten)
        receipt = two.commit(flatten)
        assert receipt.last < receipt.first
        closed = two.book.position(PERP.symbol)
        assert closed is not None
        assert closed.quantity == 0

    def test_a_key_that_is_known_before_its_frame_is_folded_makes_the_writer_give_way(
        self, stores: Sequence[Store]
    ) -> None:
        """The other may book between the reading of the log and the reading of the keys."""
        one, two = (store.ledger(ACCOUNT) for store in stores)
        one.book_facts([fill(1)])
        two.keys._set_bits([fact_key(fill(1)) or ""])
        with pytest.raises(ConcurrentUpdate, match="is at seq 1 here, and another writer booked seq 2"):
            two.book_facts([fill(1)])
        assert two.book_facts([fill(1)]).already == 1

    def test_many_turns_at_once_lose_nothing_and_double_nothing(self, stores: Sequence[Store]) -> None:
        together = Barrier(2)

        def book(store: Store, numbers: range) -> int:
            ledger, refused = store.ledger(ACCOUNT), 0
            together.wait(60)
            for number in numbers:
                while True:
                    try:
                        ledger.book_facts([fill(number)])
                        break
                    except ConcurrentUpdate:
                        refused += 1
            return refused

        with ThreadPoolExecutor(2) as pool:
            turns = [pool.submit(book, stores[0], range(30)), pool.submit(book, stores[1], range(20, 50))]
            refusals = [turn.result(120) for turn in turns]
        one, two = (store.ledger(ACCOUNT) for store in stores)
        one.catch_up()
        two.catch_up()
        assert sorted(ids(one), key=int) == [str(number) for number in range(50)]
        assert state_hash(one.book) == state_hash(two.book)
        assert sum(refusals) > 0

    def test_a_new_leader_shuts_the_old_one_out_before_its_first_frame(
        self, stores: Sequence[Store], postgres: str
    ) -> None:
        storage = open_storage(Address.parse(postgres))
        storage.open_ledger(ACCOUNT, None, epoch=2)
        storage.close()
        with pytest.raises(BaseException, match="led by epoch 2") as refused:
            stores[0].ledger(ACCOUNT).book_facts([fill(1)])
        assert isinstance(refused.value.__cause__, StaleEpoch)
