"""An adjusted book stays at the venue's number, whatever comes later of the time before: it gives back what counts."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.engine.test_reconciler import FREELY, House, old_answers_count
from tests.engine.world import ACCOUNT, START, declared, fill, opening
from trueup.engine import door
from trueup.model import events as e

__all__ = ["old_answers_count"]

D = Decimal
SOLD = replace(declared("d", at=2), side="sell")


@pytest.mark.parametrize(
    ("sentence", "before", "later"),
    [
        ("a fill that was missing", [fill(1)], [fill(2), fill(3)]),
        ("the fill of a declared trade that was counted", [declared("d", at=1)], [fill(1)]),
        ("a declared trade that was missing", [fill(1)], [SOLD]),
        ("a declared trade, then its fill", [fill(1)], [SOLD, fill(2, side="sell")]),
        ("a fill, then the declared trade that it confirms", [fill(1)], [fill(2), declared("d", at=2)]),
        ("what an opening has counted", [replace(opening("1", at=5), price=D(100))], [fill(2), fill(3)]),
    ],
)
def test_an_adjusted_position_stays_at_the_venues_number(
    tmp_path: Path, sentence: str, before: Sequence[e.Fact], later: Sequence[e.Fact]
) -> None:
    house = House(tmp_path, *(fact for fact in before if isinstance(fact, e.FillBooked)), policies=FREELY)
    house.run()
    house.ledger.book_facts(before)
    house.holds(4)
    house.run()
    house.run()
    assert house.quantity == 4, sentence
    for fact in later:
        assert house.ledger.book_facts([fact]).booked == 1, sentence
        assert house.quantity == 4, sentence
    house.store.close()


def test_an_adjusted_balance_gives_nothing_back_for_what_its_opening_has_counted(tmp_path: Path) -> None:
    house = House(tmp_path, policies=FREELY)
    house.run()
    adjusted = e.AdjustmentBooked(ACCOUNT, "a", START + 9, "UNEXPLAINED", "", "reconciler", currency="USDC", cash=D(10))
    house.ledger.book_facts([e.OpeningBalance(ACCOUNT, "USDC", D(100), START + 5, "o"), adjusted])
    told = e.Corrected(ACCOUNT, "USDC", "CASH", 1, "reconciler", "UNEXPLAINED", ("adjustment|a",), D(10), adjusted)
    house.ledger.commit(lambda _: [told])
    for at in (2, 7):
        house.ledger.book_facts([e.TransferBooked(ACCOUNT, D(3), "USDC", START + at, f"t{at}")])
        assert house.ledger.book.balances()["USDC"].total == 110
    house.store.close()


def test_facts_that_came_after_an_adjustment_cost_what_they_cost_without_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(tmp_path, fill(1), policies=FREELY)
    house.holds(4)
    house.run()
    house.run()
    house.start_again()
    asked: list[e.Fact] = []

    def counted(_: object, fact: e.Fact, *_more: object, **_named: object) -> tuple[()]:
        asked.append(fact)
        return ()

    monkeypatch.setattr(door, "taken_back", counted)
    late, newer = fill(3), fill(4, at=5_000)
    house.ledger.book_facts([newer])
    house.ledger.book_facts([late])
    assert asked == [late]
    house.store.close()
