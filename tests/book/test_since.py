"""How far back a book knows: the earliest fact about a position's quantity, the earliest that moved a balance."""

from collections.abc import Callable

import pytest

from tests.book.world import BTC, SPOT, World
from trueup.book.snapshot import restore, snapshot
from trueup.model.times import NS_PER_SECOND

Told = Callable[[World], World]


def since(world: World) -> int | None:
    track = world.book.tracks[(world.instrument.symbol, world.side)]
    return None if track.since is None else track.since // NS_PER_SECOND


def balance_since(world: World, currency: str = "USDC") -> int | None:
    time = world.book.balance_since(currency)
    return None if time is None else time // NS_PER_SECOND


@pytest.mark.parametrize(
    "told",
    [
        lambda world: world.buy("1", "100"),
        lambda world: world.opening("1", "100"),
        lambda world: world.opening("0"),
        lambda world: world.declare("sell", "1", "100"),
        lambda world: world.adjust("1"),
        lambda world: world.split(2, 1),
    ],
)
def test_what_says_something_about_the_quantity(told: Told) -> None:
    world = told(World().at(5)).at(9).buy("1", "100").sell("3", "100")
    assert since(world) == 5


@pytest.mark.parametrize(
    "told",
    [
        lambda world: world.fund("1"),
        lambda world: world.charge("1"),
        lambda world: world.leverage("5"),
        lambda world: world.margin_mode("cross"),
        lambda world: world.flag_liquidation(),
        lambda world: world.adjust(cash="1", currency="USDC"),
    ],
)
def test_what_says_nothing_about_the_quantity(told: Told) -> None:
    world = told(World().at(5))
    assert since(world) is None
    assert since(world.at(9).buy("1", "100")) == 9


def test_a_late_fact_takes_it_back() -> None:
    assert since(World().at(9).buy("1", "100").at(4).sell("1", "100")) == 4


@pytest.mark.parametrize(
    "told",
    [
        lambda world: world.transfer("1"),
        lambda world: world.charge("1"),
        lambda world: world.fund("1"),
        lambda world: world.adjust(cash="1", currency="USDC"),
        lambda world: world.buy("1", "100", fee="1"),
        lambda world: world.buy("1", "100", settled_amount="1", settled_currency="USDC"),
        lambda world: world.on(SPOT).buy("1", "100"),
        lambda world: world.at(4).buy("1", "100").sell("1", "101"),
        lambda world: world.at(4).opening("2").sell("1", "101"),
    ],
)
def test_what_moves_a_balance(told: Told) -> None:
    world = told(World().at(5)).at(9).transfer("1").on(BTC).at(11).sell("1", "100")
    assert balance_since(world) == 5
    assert balance_since(world, "EUR") is None


@pytest.mark.parametrize(
    "told",
    [
        lambda world: world.buy("1", "100"),
        lambda world: world.buy("1", "100", settled_amount="0", settled_currency="USDC"),
        lambda world: world.opening("1", "100"),
        lambda world: world.adjust("1", "100"),
        lambda world: world.leverage("5"),
    ],
)
def test_what_moves_none(told: Told) -> None:
    world = told(World().at(5))
    assert balance_since(world) is None
    assert balance_since(world.at(9).sell("1", "101", fee="1")) == 9


def test_what_an_opening_cut_contains_did_not_move_the_balance() -> None:
    world = World().at(2).buy("1", "100", fee="1").sell("1", "110").on(SPOT).buy("1", "100").transfer("1")
    for told in (world.opening_balance("5"), World().at(6).opening_balance("5").at(2).charge("1")):
        assert balance_since(told) is None
        assert balance_since(told.at(8).transfer("1")) == 8
    assert balance_since(world, "BTC") == 4


def test_a_restart_keeps_both() -> None:
    world = World().at(3).fund("1").buy("1", "100").sell("1", "110")
    book = restore(snapshot(world.book), lambda: ())
    assert book.tracks[(BTC.symbol, "net")].since == 4 * NS_PER_SECOND
    assert book.balance_since("USDC") == 3 * NS_PER_SECOND
