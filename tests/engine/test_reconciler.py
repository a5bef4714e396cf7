"""Runs over a real ledger: breaks live on, corrections are booked once, what they forbid lasts until they end."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.engine.scripted import ScriptedVenue
from tests.engine.world import ACCOUNT, PERP, SECOND, START, fill, store_at
from trueup.book.snapshot import state_hash
from trueup.engine.reconciling_live import Reconciler, Run
from trueup.engine.store import Store
from trueup.model import events as e
from trueup.model.breaks import State
from trueup.model.differences import Status, VenuePosition, VenueSnapshot
from trueup.model.errors import BadInput, Unavailable
from trueup.reconcile.policy import Mode, Policies, Policy

D = Decimal
QTY = (f"{PERP.symbol} net", "QTY")
FREELY = Policies(default=Policy(Mode.ADJUST_WITHIN, D(10**6)), adjusted_per_day=D(10**6))
BEYOND = Policies(default=Policy(Mode.ADJUST_BEYOND))


class Forgetful(ScriptedVenue):
    """Leaves a fact out of its pages, until it is asked for that time itself."""

    late: e.Fact | None = None

    async def cursor_at(self, venue_time: int) -> str:
        if self.late is not None:
            self.facts.append(self.late)
            self.late = None
        return await super().cursor_at(venue_time)


class House:
    """A store, a venue and runs of one reconciler; each answer of the venue is five seconds later."""

    def __init__(self, path: Path, *facts: e.Fact, policies: Policies | None = None) -> None:
        self.path = path
        self.venue = Forgetful(facts)
        self.policies = policies
        self.cut = START + 1_000 * SECOND
        self.open()

    def open(self) -> None:
        self.store: Store = store_at(self.path)
        self.ledger = self.store.ledger(ACCOUNT)
        self.reconciler = Reconciler(self.store, self.ledger, self.venue, policies=self.policies)

    def start_again(self) -> None:
        before = state_hash(self.ledger.book)
        self.store.close()
        self.open()
        assert state_hash(self.ledger.book) == before

    def holds(self, quantity: int, **failed: str) -> None:
        def state() -> VenueSnapshot:
            self.cut += 5 * SECOND
            stated = VenuePosition(PERP.symbol, "net", D(quantity), D(100), D(100))
            positions = {QTY_KEY: stated} if quantity else {}
            return VenueSnapshot(ACCOUNT, self.cut, None if failed else positions, failed=failed)

        self.venue.state = state

    def run(self, **options: object) -> Run:
        return asyncio.run(self.reconciler.run(**options))  # type: ignore[arg-type]

    @property
    def state(self) -> str:
        record = self.ledger.book.breaks.records.get(QTY)
        return "" if record is None else record.state.value

    @property
    def quantity(self) -> Decimal:
        held = self.ledger.book.position(*QTY_KEY)
        return D(0) if held is None else held.quantity

    def events(self, kind: type[e.Event]) -> list[e.Event]:
        return [event for _, event in self.ledger.events() if isinstance(event, kind)]


QTY_KEY = (PERP.symbol, "net")


@pytest.fixture(autouse=True)
def old_answers_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scripted answers are of a fixed day."""
    from trueup.engine import judging
    from trueup.reconcile.compare import compare

    monkeypatch.setattr(judging, "compare", lambda *sides, **more: compare(*sides, **{**more, "now": None}))


def test_a_difference_lives_through_runs_and_starts_and_ends_when_both_agree(tmp_path: Path) -> None:
    house = House(tmp_path, fill(1))
    house.holds(3)
    assert house.run().comparison.status is Status.DRIFT
    assert house.state == "DETECTED"
    house.run()
    assert house.state == "OPEN"  # it lasted, and no rule puts it right
    restriction = house.ledger.book.breaks.restriction
    assert restriction is not None
    assert restriction.instruments == (PERP.symbol,)
    house.start_again()
    assert house.state == "OPEN"
    house.holds(1)
    assert house.run().comparison.status is Status.SYNCED
    assert house.state == "AUTO_RESOLVED"
    restriction = house.ledger.book.breaks.restriction
    assert restriction is not None
    assert not restriction.instruments
    house.store.close()


def test_the_same_again_writes_nothing(tmp_path: Path) -> None:
    house = House(tmp_path, fill(1))
    house.holds(3)
    for _ in range(3):
        house.run()
    seq = house.ledger.head.seq
    house.run()
    assert house.ledger.head.seq == seq
    house.store.close()


def test_no_answer_is_not_flat_and_ends_no_break(tmp_path: Path) -> None:
    house = House(tmp_path, fill(1))
    house.holds(3)
    house.run()
    house.run()
    house.holds(3, positions="timed out")
    assert house.run().comparison.status is Status.FAILED
    assert house.state == "OPEN"
    house.venue.failures.append(Unavailable("down"))
    house.run()
    assert house.state == "OPEN"
    house.store.close()


def test_a_fact_that_history_tells_late_is_booked_by_its_id_and_ends_the_break_with_its_cause(tmp_path: Path) -> None:
    house = House(tmp_path, fill(1), fill(2))
    house.holds(2)
    house.run()
    house.venue.late = fill(7, at=1_001)
    house.holds(3)
    found = house.run()
    assert house.quantity == 3
    record = house.ledger.book.breaks.records[QTY]
    assert (record.state, record.cause, record.evidence) == (State.AUTO_RESOLVED, "FILL_MISSING", ("fill|7",))
    assert [event.entries for event in house.events(e.Corrected) if isinstance(event, e.Corrected)] == [("fill|7",)]
    assert found.comparison.status is Status.SYNCED
    house.store.close()


def test_a_dry_run_tells_what_would_be_booked_and_writes_nothing(tmp_path: Path) -> None:
    house = House(tmp_path, fill(1))
    house.holds(1)
    house.run()
    missed = fill(2, at=1_001)
    house.venue.facts.append(missed)
    house.holds(2)
    seq = house.ledger.head.seq
    found = house.run(dry=True)
    assert [one.entries for one in found.plan.corrections] == [(missed,)]
    assert found.missing == (missed,)
    assert house.ledger.head.seq == seq
    house.store.close()


def test_an_account_begins_once_with_what_no_history_tells(tmp_path: Path) -> None:
    house = House(tmp_path, fill(2), fill(3))
    house.holds(5)
    (opened,) = asyncio.run(house.reconciler.begin())
    assert isinstance(opened, e.OpeningPosition)
    assert (opened.quantity, opened.venue_time, opened.price) == (D(3), fill(2).venue_time - 1, None)
    assert (house.run().comparison.status, house.quantity) == (Status.SYNCED, D(5))
    house.holds(9)
    assert not asyncio.run(house.reconciler.begin())
    assert house.quantity == D(5)
    house.store.close()


def test_a_balance_begins_with_what_deposits_that_nobody_told_came_to(tmp_path: Path) -> None:
    house = House(tmp_path, fill(1))
    house.ledger.book_facts([e.InstrumentDefined(ACCOUNT, PERP)])
    house.venue.state = lambda: VenueSnapshot(
        ACCOUNT, house.cut, {QTY_KEY: VenuePosition(PERP.symbol, "net", D(1), D(100))}, {"USDC": D(500), "EUR": D(7)}
    )
    opened = asyncio.run(house.reconciler.begin())
    assert {(one.currency, one.amount) for one in opened if isinstance(one, e.OpeningBalance)} == {
        ("USDC", D("500.01")),
        ("EUR", D(7)),
    }
    assert house.run().comparison.status is Status.SYNCED
    house.store.close()


def test_to_report_only_books_nothing(tmp_path: Path) -> None:
    house = House(tmp_path, fill(1), policies=Policies(default=Policy(Mode.REPORT)))
    house.ledger.book_facts([e.InstrumentDefined(ACCOUNT, PERP)])
    house.holds(1)
    house.run()
    found = house.run()
    assert house.quantity == 0
    assert [part.cause for part in found.findings[0].why.parts] == ["FILL_MISSING"]
    assert found.plan.held[0].reason == "the policy is to report only"
    house.store.close()


def test_an_adjustment_gives_way_to_the_fill_when_it_appears(tmp_path: Path) -> None:
    house = House(tmp_path, fill(1), policies=FREELY)
    house.holds(3)
    house.run()
    assert house.quantity == 1  # once is not believed
    house.run()
    assert (house.quantity, house.state) == (D(3), "AUTO_RESOLVED")
    house.run()
    assert len(house.events(e.AdjustmentBooked)) == 1
    house.start_again()
    house.venue.facts += [fill(2), fill(3)]
    house.run()
    assert house.quantity == 3
    assert [event.cause for event in house.events(e.AdjustmentBooked) if isinstance(event, e.AdjustmentBooked)] == [
        "UNEXPLAINED",
        "SUPERSEDED",
        "SUPERSEDED",
    ]
    assert house.ledger.book_facts([fill(2)]).booked == 0
    assert house.quantity == 3
    house.store.close()


def test_beyond_the_limit_two_different_keys_approve_and_nobody_twice(tmp_path: Path) -> None:
    house = House(tmp_path, fill(1), policies=BEYOND)
    house.holds(3)
    house.run()
    house.run()
    (proposal,) = house.ledger.book.breaks.proposed.values()
    assert (proposal.adjustment.quantity, house.quantity) == (D(2), D(1))

    def approve(key: str) -> None:
        name = proposal.adjustment.adjustment_id
        house.ledger.commit(lambda _: [e.AdjustmentApproved(ACCOUNT, name, key, 1)])

    approve("alice")
    with pytest.raises(BadInput, match="approved it already"):
        approve("alice")
    house.run()
    assert house.quantity == 1
    house.start_again()
    approve("bob")
    house.run()
    assert (house.quantity, house.state) == (D(3), "AUTO_RESOLVED")
    assert house.ledger.book.breaks.proposed == {}
    house.store.close()


def test_what_is_acknowledged_by_a_person_stays_theirs(tmp_path: Path) -> None:
    house = House(tmp_path, fill(1))
    house.holds(3)
    house.run()
    house.run()
    house.ledger.commit(lambda _: [e.BreakMoved(ACCOUNT, *QTY, "ACKNOWLEDGE", 1, by="alice")])
    house.run()
    assert house.state == "ACKNOWLEDGED"
    house.holds(4)
    house.run()
    record = house.ledger.book.breaks.records[QTY]
    assert (record.state, record.owner, record.difference) == (State.ACKNOWLEDGED, "alice", D(3))
    house.store.close()


def test_a_fill_under_other_terms_is_no_second_fill(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.holds(0)
    house.run()
    house.venue.facts = [fill(1, at=1_001)]
    house.holds(1)
    house.run()
    house.venue.facts = [replace(fill(1, at=1_001), quantity=D(2))]
    house.holds(2)
    house.run()
    found = house.run()
    assert house.quantity == 1
    assert [part.cause for part in found.findings[0].why.parts] == ["FILL_TERMS"]
    house.store.close()


def test_what_both_agreed_on_and_has_aged_out_is_not_called_unknown_to_the_venue(tmp_path: Path) -> None:
    house = House(tmp_path, fill(1, at=1_000))
    house.holds(1)
    house.run()
    house.venue.facts = []
    house.holds(2)
    found = house.run()
    assert [one.why.causes for one in found.findings] == [("UNEXPLAINED",)]
    assert found.findings[0].why.rest == 1
    house.store.close()
