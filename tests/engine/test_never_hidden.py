"""What a reconciler may not hide, lift or forget: a difference that time was blamed for, and what it forbids."""

from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from tests.engine.test_reconciler import QTY, House, old_answers_count
from tests.engine.world import ACCOUNT, DEFINED, PERP, SECOND, START, fill
from trueup.engine.histories import recorded_since
from trueup.model import events as e
from trueup.model.differences import Status
from trueup.model.identifiers import Seq
from trueup.reconcile import following
from trueup.reconcile.persistence import belief

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
