"""What people do about breaks on the command line: see them, take them on, approve what is proposed."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.engine.world import ACCOUNT, DEFINED, PERP, store_at
from trueup.cli.main import main
from trueup.model import events as e
from trueup.model.breaks import Share, break_id

D = Decimal
KEY = (f"{PERP.symbol} net", "QTY")
ID = break_id(ACCOUNT, KEY)
ADJUSTMENT = e.AdjustmentBooked(
    ACCOUNT, "a1", 5, "UNEXPLAINED", "venue holds 1 more", "r", PERP.symbol, quantity=D(1), price=D(100)
)
DETECTED = e.BreakMoved(
    ACCOUNT,
    *KEY,
    "DETECT",
    1,
    kind="QTY",
    severity="CRITICAL",
    difference=D(3),
    why=(Share("FILL_MISSING", D(2), ("fill|7",), "missing in our book"),),
    rest=D(1),
    worth=D(300),
)


@pytest.fixture
def data(tmp_path: Path) -> str:
    """A ledger with one confirmed break, for which an adjustment is proposed."""
    store = store_at(tmp_path)
    ledger = store.ledger(ACCOUNT)
    ledger.book_facts([DEFINED])
    ledger.commit(lambda _: [DETECTED])
    ledger.commit(lambda _: [e.BreakMoved(ACCOUNT, *KEY, "CONFIRM", 2)])
    ledger.commit(lambda _: [e.AdjustmentProposed(ACCOUNT, *KEY, 2, ADJUSTMENT, "beyond the limit")])
    ledger.commit(lambda _: [e.Restricted(ACCOUNT, 2, (PERP.symbol,), reasons=("QTY is critical",))])
    store.close()
    return str(tmp_path / "data")


def run(data: str, *words: str) -> int:
    return main(["--data", data, "breaks", *words])


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    answer = json.loads(capsys.readouterr().out)
    return dict(answer[0] if isinstance(answer, list) else answer)


def test_the_list_says_where_each_stands_and_what_is_forbidden(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(data, "list") == 1
    shown = capsys.readouterr().out
    for words in (ID, "CONFIRMED", "CRITICAL", "FILL_MISSING 2, unexplained 1", "may only become smaller"):
        assert words in shown


def test_one_is_shown_in_full_by_the_beginning_of_its_id(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(data, "show", ID[:4]) == 1
    shown = capsys.readouterr().out
    for words in ("fill|7", "1 of it is unexplained", f"Proposed: adjust {PERP.symbol} net by 1 at 100"):
        assert words in shown
    assert run(data, "show", ID, "--json") == 1
    answer = told(capsys)
    assert (answer["state"], answer["rest"], answer["worth"]) == ("CONFIRMED", "1", "300")


def test_people_take_it_on_step_by_step(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(data, "ack", ID, "--by", "alice", "--note", "asked") == 0
    assert run(data, "assign", ID, "bob", "--by", "alice") == 0
    assert run(data, "note", ID, "they answered", "--by", "bob") == 0
    assert run(data, "investigate", ID, "--by", "bob") == 0
    capsys.readouterr()
    words = ["--cause", "BUST", "--evidence", "ticket-1", "--evidence", "fill|7", "--by", "bob", "--json"]
    assert run(data, "resolve", ID, *words) == 0
    answer = told(capsys)
    assert (answer["state"], answer["owner"], answer["cause"]) == ("RESOLVED", "bob", "BUST")
    assert answer["notes"] == ["alice: asked", "bob: they answered"]
    assert answer["evidence"] == ["ticket-1", "fill|7"]
    assert run(data, "list") == 0
    assert "No break stands" in capsys.readouterr().out


def test_a_step_that_is_not_possible_says_which_are(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(data, "investigate", ID, "--by", "bob") == 3
    assert "ACKNOWLEDGE" in capsys.readouterr().err


def test_two_different_people_approve(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(data, "approve", "a1", "--by", "alice") == 0
    assert run(data, "approve", "a1", "--by", "alice") == 3
    assert "approved it already" in capsys.readouterr().err
    assert run(data, "approve", "a1", "--by", "bob", "--json") == 0
    assert told(capsys)["approved_by"] == ["alice", "bob"]


def test_nobody_approves_other_numbers_than_they_have_seen(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(data, "show", ID) == 1
    assert "Its id is a1." in capsys.readouterr().out
    store = store_at(tmp_path)
    other = replace(ADJUSTMENT, adjustment_id="b2", quantity=D(5_000))
    store.ledger(ACCOUNT).commit(lambda _: [e.AdjustmentProposed(ACCOUNT, *KEY, 3, other, "beyond the limit")])
    store.close()
    for name in (ID, "a1", ""):
        assert run(data, "approve", name, "--by", "alice") == 3
        assert "its numbers changed" in capsys.readouterr().err
    store = store_at(tmp_path)
    assert store.ledger(ACCOUNT).book.breaks.approvals == {}
    store.close()


@pytest.mark.parametrize("name", ["zzzz", ""])
def test_an_id_that_nobody_has_is_told(data: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(data, "show", name or "nobody") == 3
    assert "There is no break" in capsys.readouterr().err


def test_the_bare_verb_still_shows_the_newest_comparison(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(data) == 2
    assert "never compared" in capsys.readouterr().out
