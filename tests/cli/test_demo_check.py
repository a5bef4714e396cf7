"""The check at the end of the demo, on real stores: it passes a true book and names each way in which one is not."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import apsw
import msgspec
import pytest

from tests.venues.paper.world import BTC, MAIN, World
from trueup.book.snapshot import state_hash
from trueup.bootstrap import open_store
from trueup.cli.demo.check import AccountCheck, check_account, check_data
from trueup.journal.codec import encode
from trueup.model.events import Event, Fact, InstrumentDefined
from trueup.model.facts import fact_key
from trueup.venues.paper.desk import Truth


@pytest.fixture
def world() -> World:
    """An account with deposits, a position opened and partly closed by three fills."""
    world = World()
    for quantity in ("0.3", "0.2", "-0.1"):
        world.trade(quantity)
        world.step()
    return world


def truth_of(world: World) -> Truth:
    return world.exchange.truth(MAIN)


def checked(
    path: Path, world: World, facts: Sequence[Fact], *, truth: Truth | None = None, behind: Sequence[Event] = ()
) -> AccountCheck:
    """The check of a book of these facts, all acknowledged; ``behind`` goes to the log past the door that dedupes."""
    store = open_store(path)
    try:
        ledger = store.ledger(MAIN)
        terms = [InstrumentDefined(MAIN, instrument) for instrument in world.exchange.instruments(MAIN)]
        ledger.book_facts([*terms, *facts])
        if behind:
            ledger.journal.append(encode(behind), len(behind), store.clock.now())
        acknowledged = {fact_key(fact) or "" for fact in facts}
        return check_account(ledger, truth or truth_of(world), acknowledged, state_hash(ledger.book).hex())
    finally:
        store.close()


def test_a_true_book_passes(tmp_path: Path, world: World) -> None:
    check = checked(tmp_path, world, world.facts())
    assert check.problems == []
    assert (check.facts, check.fills, check.events) == (len(world.facts()), 3, len(world.facts()) + 4)


def test_a_lost_fill_is_named_and_so_are_the_numbers_it_bends(tmp_path: Path, world: World) -> None:
    check = checked(tmp_path, world, [fact for fact in world.facts() if fact_key(fact) != "fill|2"])
    assert check.lost == ("fill|2",)
    assert [difference.split(" is ")[0] for difference in check.differences] == [
        f"position of {BTC}",
        "balance of USDC",
    ]
    assert check.problems[0] == f"{MAIN}: fill|2 the venue's fact is not in the book"


def test_a_doubled_fill_is_named(tmp_path: Path, world: World) -> None:
    check = checked(tmp_path, world, world.facts(), behind=[world.fills()[1]])
    assert check.doubled == ("fill|2",)
    assert any("the state in memory was" in difference for difference in check.differences)


def test_a_fill_the_venue_never_made_is_named(tmp_path: Path, world: World) -> None:
    truth = truth_of(world)
    world.trade("0.1")
    check = checked(tmp_path, world, world.facts(), truth=truth)
    assert "fill|4" in check.foreign
    assert check.lost == ()


def test_an_acknowledged_fact_that_is_gone_is_named(tmp_path: Path, world: World) -> None:
    store = open_store(tmp_path)
    ledger = store.ledger(MAIN)
    nothing = Truth((), (), {}, {})
    check = check_account(ledger, nothing, {"fill|99"}, state_hash(ledger.book).hex())
    store.close()
    assert check.problems == [f"{MAIN}: fill|99 was acknowledged and is not in the book"]


def test_a_contradiction_is_named(tmp_path: Path, world: World) -> None:
    false = msgspec.structs.replace(world.fills()[0], price=Decimal(1))
    check = checked(tmp_path, world, [*world.facts(), false])
    assert [name.partition(" ")[0] for name in check.quarantined] == ["fill|1"]


def test_a_memory_that_was_not_the_fold_is_named(tmp_path: Path, world: World) -> None:
    checked(tmp_path, world, world.facts())
    (check,), files = check_data(tmp_path, {MAIN: truth_of(world)}, {}, {MAIN: "another"})
    assert files == []
    assert [difference.partition(" and ")[0] for difference in check.differences] == ["the state in memory was another"]


def test_views_that_are_not_what_the_log_says_are_named(tmp_path: Path, world: World) -> None:
    checked(tmp_path, world, world.facts())
    views = apsw.Connection(str(tmp_path / "views.sqlite3"))
    views.execute("UPDATE book_positions SET quantity = '17'")
    views.close()
    _, files = check_data(tmp_path, {MAIN: truth_of(world)}, {}, {})
    assert files != []
