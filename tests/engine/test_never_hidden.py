"""What a reconciler may not hide, lift or forget: a difference that time was blamed for, and what it forbids."""

from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.engine.test_reconciler import FREELY, QTY, QTY_KEY, House, old_answers_count
from tests.engine.world import ACCOUNT, DEFINED, PERP, SECOND, START, fill, opening
from trueup.engine.histories import recorded_since
from trueup.engine.past import Past
from trueup.model import events as e
from trueup.model.differences import Kind, Status, VenuePosition, VenueSnapshot
from trueup.model.identifiers import Seq
from trueup.model.instruments import Instrument
from trueup.reconcile import following
from trueup.reconcile.persistence import belief
from trueup.reconcile.policy import Mode, Policies, Policy

__all__ = ["old_answers_count"]

D = Decimal
CANCELED_UNHEARD = e.OrderReported(ACCOUNT, PERP.symbol, "buy", D(5), D(0), "open", "7", START + SECOND, "r7")


def forbidden(house: House) -> tuple[str, ...]:
    restriction = house.ledger.book.breaks.restriction
    return () if restriction is None else restriction.instruments


def test_what_an_order_is_blamed_for_too_long_is_a_break_with_all_that_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(tmp_path, fill(1), CANCELED_UNHEARD)
    house.holds(3)
    assert house.run().comparison.status is Status.PENDING
    assert (house.state, forbidden(house)) == ("DETECTED", ())
    monkeypatch.setattr(following, "belief", partial(belief, in_flight_ns_max=-1))
    house.run()
    assert (house.state, forbidden(house)) == ("OPEN", (PERP.symbol,))
    house.holds(1)
    house.run()
    assert (house.state, forbidden(house)) == ("AUTO_RESOLVED", ())
    house.store.close()


def test_an_order_that_may_explain_a_break_lifts_nothing(tmp_path: Path) -> None:
    house = House(tmp_path, fill(1))
    house.holds(3)
    house.run()
    house.run()
    assert (house.state, forbidden(house)) == ("OPEN", (PERP.symbol,))
    house.ledger.book_facts([CANCELED_UNHEARD])
    assert house.run().comparison.status is Status.PENDING
    assert (house.state, forbidden(house)) == ("OPEN", (PERP.symbol,))
    house.store.close()


def test_a_word_of_a_person_lifts_nothing_while_both_sides_still_differ(tmp_path: Path) -> None:
    house = House(tmp_path, fill(1))
    house.holds(3)
    house.run()
    house.run()
    now = house.store.clock.now()
    resolved = e.BreakMoved(ACCOUNT, *QTY, "RESOLVE", now, by="alice", cause="a typo", evidence=("t1",))
    house.ledger.commit(lambda _: [resolved])
    house.run()
    assert (house.state, forbidden(house)) == ("OPEN", (PERP.symbol,))
    assert house.ledger.book.breaks.records[QTY].recurrences == 1
    house.store.close()


def test_a_glance_after_a_trade_is_not_enough_while_a_break_stands(tmp_path: Path) -> None:
    house = House(tmp_path, fill(1))
    house.holds(1)
    assert house.run(trigger="trade").pulled.pages  # the first fill is in the history alone
    assert not house.run(trigger="trade").pulled.pages
    seen = e.BreakMoved(ACCOUNT, QTY[0], "MEMORY_DATABASE", "DETECT", house.store.clock.now(), kind="MEMORY_DATABASE")
    house.ledger.commit(lambda _: [seen])
    assert house.run(trigger="trade").pulled.pages
    assert house.ledger.book.breaks.records[QTY[0], "MEMORY_DATABASE"].ended
    house.store.close()


def test_of_our_own_past_only_what_bears_on_a_cut_is_held_in_memory(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.ledger.book_facts([DEFINED, *map(fill, range(1, 9))])
    assert recorded_since(house.ledger, Seq(0), START + 7 * SECOND) == [fill(7), fill(8)]
    house.store.close()


@pytest.mark.parametrize(("mark", "worth"), [(None, None), (D(50_000), D(250_000))])
def test_five_coins_are_not_worth_five_dollars(tmp_path: Path, mark: Decimal | None, worth: Decimal | None) -> None:
    small = Policies(default=Policy(Mode.ADJUST_WITHIN, D(100)), adjusted_per_day=D(100))
    house = House(tmp_path, policies=small)
    coin = Instrument("BTC/USD:BTC", "BTC", "inverse", "BTC", "USD", "BTC")
    house.venue.terms = [coin]
    house.ledger.book_facts([e.InstrumentDefined(ACCOUNT, coin), e.OpeningBalance(ACCOUNT, "BTC", D(1), START, "o")])
    if mark is not None:
        house.ledger.commit(lambda _: [e.MarkSampled(ACCOUNT, coin.symbol, mark, START, "venue")])

    def state() -> VenueSnapshot:
        house.cut += 5 * SECOND
        return VenueSnapshot(ACCOUNT, house.cut, {}, {"BTC": D(6)})

    house.venue.state = state
    house.run()
    found = house.run()
    assert [one.worth for one in found.findings] == [worth]
    assert not house.events(e.AdjustmentBooked)
    house.store.close()


def test_another_leverage_is_worth_no_money_and_reaches_no_bound_of_it(tmp_path: Path) -> None:
    leverage = e.LeverageSet(ACCOUNT, PERP.symbol, D(5), START + 2 * SECOND, "l")
    house = House(tmp_path, fill(1), leverage, policies=Policies(escalate_from=(D(1),), critical={"": D(1)}))

    def state() -> VenueSnapshot:
        house.cut += 5 * SECOND
        held = VenuePosition(PERP.symbol, "net", D(1), D(100), D(100), D(10))
        return VenueSnapshot(ACCOUNT, house.cut, {QTY_KEY: held})

    house.venue.state = state
    house.run()
    (found,) = house.run().findings
    assert (found.found.kind, found.found.difference, found.worth) == (Kind.LEVERAGE, D(5), D(0))
    (record,) = house.ledger.book.breaks.records.values()
    assert (record.state, record.level, house.ledger.book.breaks.restriction) == ("OPEN", 0, None)
    house.store.close()


@pytest.mark.parametrize("orders", [[], [CANCELED_UNHEARD]])
def test_nobody_waits_to_book_while_the_past_is_read_for_what_orders_brought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, orders: list[e.Fact]
) -> None:
    house = House(tmp_path, fill(1), *orders)
    house.holds(3)
    house.run()
    past = house.ledger._past

    def read(after: Seq) -> Iterator[tuple[Seq, e.Event]]:
        assert not house.ledger.turn.locked()
        yield from Past.after(past, after)

    monkeypatch.setattr(past, "after", read)
    assert house.run().findings
    house.store.close()


def test_a_holding_under_a_name_that_nobody_defined_holds_up_the_account_until_it_is_gone(tmp_path: Path) -> None:
    house = House(tmp_path)
    unmapped = {"NIFTY 50 CE": "5 of it"}

    def state() -> VenueSnapshot:
        house.cut += 5 * SECOND
        return VenueSnapshot(ACCOUNT, house.cut, {}, unmapped=unmapped, position_scope=frozenset({PERP.symbol}))

    house.venue.state = state
    house.run()
    restriction = house.run().restriction
    assert restriction is not None
    assert (restriction.reduce_only, restriction.instruments) == (True, ())
    unmapped.clear()
    restriction = house.run().restriction
    assert restriction is not None
    assert not restriction.reduce_only
    house.store.close()


def test_a_balance_that_cannot_be_compared_any_more_ends_no_break(tmp_path: Path) -> None:
    house = House(tmp_path, fill(2, side="sell"))
    house.ledger.book_facts([DEFINED, e.OpeningBalance(ACCOUNT, "USDC", D(100), START, "o"), opening("1", at=1)])

    def state() -> VenueSnapshot:
        house.cut += 5 * SECOND
        return VenueSnapshot(ACCOUNT, house.cut, {}, {"USDC": D(50)})

    house.venue.state = state
    house.venue.facts, closed = [], house.venue.facts
    house.run()
    house.run()
    assert house.ledger.book.breaks.records["USDC", "CASH"].state == "OPEN"
    house.venue.facts = closed  # of an unknown basis: so is what we should have by now
    assert [one.found.status for one in house.run().findings] == [Status.FAILED]
    assert house.ledger.book.breaks.records["USDC", "CASH"].state == "OPEN"
    house.store.close()


@pytest.mark.parametrize("quantity", [0, 3, -2])
def test_a_policy_for_a_break_holds_however_it_shows(tmp_path: Path, quantity: int) -> None:
    only_told = {("", "QTY"): Policy(Mode.REPORT)}
    house = House(tmp_path, fill(1), policies=replace(FREELY, by_account_and_kind=only_told))
    house.holds(quantity)
    for _ in range(3):
        house.run()
    assert (house.state, house.quantity) == ("OPEN", D(1))
    house.store.close()


def test_a_break_that_ends_by_what_the_stream_brought_names_that_as_its_cause(tmp_path: Path) -> None:
    house = House(tmp_path, fill(1))
    house.holds(2)
    house.run()
    house.run()
    house.venue.facts.append(fill(2))
    house.ledger.book_facts([fill(2)])
    house.run()
    record = house.ledger.book.breaks.records[QTY]
    assert (record.state, record.cause, record.evidence) == ("AUTO_RESOLVED", "FILL_MISSING", ("fill|2",))
    house.store.close()


def test_what_happened_after_a_break_was_seen_is_not_its_cause(tmp_path: Path) -> None:
    house = House(tmp_path)
    opened = e.OpeningBalance(ACCOUNT, "USDC", D(100), START, "o")
    house.venue.facts = [opened]
    told = [D(50), D(50), D(103)]

    def state() -> VenueSnapshot:
        house.cut += 5 * SECOND
        return VenueSnapshot(ACCOUNT, house.cut, {}, {"USDC": told[0]})

    house.venue.state = state
    house.run()
    told.pop(0)
    house.run()
    told.pop(0)
    house.venue.facts.append(e.TransferBooked(ACCOUNT, D(3), "USDC", house.cut + 1, "t"))
    house.run()
    record = house.ledger.book.breaks.records["USDC", "CASH"]
    assert (record.state, record.cause) == ("AUTO_RESOLVED", "UNEXPLAINED")
    house.store.close()


def test_a_break_that_becomes_dear_is_escalated_though_its_amount_stays(tmp_path: Path) -> None:
    house = House(tmp_path, fill(1), policies=Policies(escalate_from=(D(1_000),)))
    mark = D(100)

    def state() -> VenueSnapshot:
        house.cut += 5 * SECOND
        return VenueSnapshot(ACCOUNT, house.cut, {QTY_KEY: VenuePosition(PERP.symbol, "net", D(3), D(100), mark)})

    house.venue.state = state
    house.run()
    house.run()
    assert house.ledger.book.breaks.records[QTY].level == 0
    mark = D(5_000)
    house.run()
    assert house.ledger.book.breaks.records[QTY].level == 1
    house.store.close()
