"""What a book keeps of breaks: their lives, corrections of a day, proposals with their approvals, what is forbidden."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from tests.book.world import ACCOUNT, BTC
from trueup.book import breaks as breaks_module
from trueup.book.book import Book
from trueup.book.breaks import KEPT_NS
from trueup.book.lifecycle import BreakRecord
from trueup.book.snapshot import restore, snapshot, state_hash
from trueup.model import events as e
from trueup.model.breaks import Share, State
from trueup.model.errors import BadInput
from trueup.model.identifiers import Seq
from trueup.model.numbers import ONE

D = Decimal
QTY = (f"{BTC.symbol} net", "QTY")
CASH = ("USDC", "CASH")
DEFINED = e.InstrumentDefined(ACCOUNT, BTC)
ADJUSTMENT = e.AdjustmentBooked(
    ACCOUNT, "a1", 5, "UNEXPLAINED", "venue holds 1 more", "checker", BTC.symbol, quantity=ONE, price=D(100)
)
DETECTED = e.BreakMoved(
    ACCOUNT,
    *QTY,
    "DETECT",
    10,
    kind="QTY",
    severity="CRITICAL",
    difference=ONE,
    why=(Share("FILL_MISSING", ONE, ("fill|7",), "missing"),),
    rest=D(0),
    worth=D(100),
)
CONFIRMED = e.BreakMoved(ACCOUNT, *QTY, "CONFIRM", 11, by="CONFIRMED")
ENDED = e.BreakMoved(ACCOUNT, *QTY, "AUTO_RESOLVE", 20, by="booked", cause="FILL_MISSING", evidence=("fill|7",))
PROPOSED = e.AdjustmentProposed(ACCOUNT, *QTY, 12, ADJUSTMENT, "beyond the limit")
FORBIDS = e.Restricted(ACCOUNT, 12, (BTC.symbol,), reasons=("QTY is critical",))
CORRECTED = e.Corrected(ACCOUNT, *QTY, 13, "checker", "UNEXPLAINED", ("adjustment|a1",), D(100), ADJUSTMENT)


def book_of(*events: e.Event) -> Book:
    """Each admitted as it came, as a ledger does."""
    book = Book(ACCOUNT)
    for event in (DEFINED, *events):
        book.admit(event)
        book.evolve([event], Seq(book.seq + 1))
    return book


def approved(by: str, adjustment: str = "a1") -> e.AdjustmentApproved:
    return e.AdjustmentApproved(ACCOUNT, adjustment, by, 13)


def test_a_break_stands_where_its_moves_led() -> None:
    record = book_of(DETECTED, CONFIRMED).breaks.records[QTY]
    assert (record.state, record.difference, record.why[0].cause) == (State.CONFIRMED, ONE, "FILL_MISSING")
    with pytest.raises(BadInput, match="nobody has seen"):
        book_of(CONFIRMED)
    with pytest.raises(BadInput, match="the break is CONFIRMED"):
        book_of(DETECTED, CONFIRMED, CONFIRMED)


def test_what_ended_longer_than_a_day_ago_is_left_to_the_journal() -> None:
    other = e.BreakMoved(ACCOUNT, *CASH, "DETECT", 20 + KEPT_NS, kind="CASH")
    assert set(book_of(DETECTED, ENDED, other).breaks.records) == {QTY, CASH}
    later = e.BreakMoved(ACCOUNT, *CASH, "DETECT", 21 + KEPT_NS, kind="CASH")
    assert set(book_of(DETECTED, ENDED, later).breaks.records) == {CASH}
    again = e.BreakMoved(ACCOUNT, *QTY, "DETECT", 21 + KEPT_NS, kind="QTY")
    assert book_of(DETECTED, ENDED, again).breaks.records[QTY].recurrences == 0


def test_thousands_of_breaks_cost_as_much_each_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    looks, forgotten = [], breaks_module._forgotten

    def counted(record: BreakRecord, at: int) -> bool:
        looks.append(record)
        return forgotten(record, at)

    monkeypatch.setattr(breaks_module, "_forgotten", counted)
    book_of(*(replace(DETECTED, subject=f"S{number} net", at=10 + number) for number in range(1_000)))
    assert len(looks) < 10_000


def test_what_ended_is_forgotten_after_a_day_by_a_book_out_of_a_snapshot_too() -> None:
    recurred = replace(DETECTED, step="RECUR", at=30)
    ended = replace(ENDED, at=40)
    book = book_of(DETECTED, ENDED, recurred, ended)
    for number, at in enumerate((20 + KEPT_NS + 1, 40 + KEPT_NS, 40 + KEPT_NS + 1)):
        again = restore(snapshot(book), lambda: ())
        move = replace(DETECTED, subject=f"S{number} net", at=at)
        for one in (book, again):
            one.evolve([move], Seq(one.seq + 1))
            assert (QTY in one.breaks.records) is (at <= 40 + KEPT_NS)
        assert state_hash(again) == state_hash(book)


def test_corrections_of_a_day_are_kept_and_adjustments_for_good() -> None:
    later = e.Corrected(ACCOUNT, *CASH, 14 + KEPT_NS, "checker", "FEE", ("fee|1",))
    breaks = book_of(DETECTED, ADJUSTMENT, CORRECTED, later).breaks
    assert breaks.corrections == [later]
    assert breaks.adjustments == {"a1": ADJUSTMENT}


def test_an_approval_is_for_what_waits_and_each_key_gives_it_once() -> None:
    with pytest.raises(BadInput, match="no such adjustment waits"):
        book_of(DETECTED, approved("alice"))
    book = book_of(DETECTED, PROPOSED, approved("alice"), approved("bob"))
    assert book.breaks.approvals == {"a1": ("alice", "bob")}
    for by in ("", "alice"):
        with pytest.raises(BadInput, match="approved it already"):
            book.admit(approved(by))


@pytest.mark.parametrize(
    "settles",
    [
        ENDED,
        CORRECTED,
        e.AdjustmentProposed(ACCOUNT, *QTY, 14, ADJUSTMENT, "the numbers changed"),
    ],
)
def test_what_settles_a_proposal_takes_its_approvals_with_it(settles: e.Event) -> None:
    book = book_of(DETECTED, PROPOSED, approved("alice"), settles)
    assert book.breaks.approvals == {}
    assert list(book.breaks.proposed.values()) == ([settles] if isinstance(settles, e.AdjustmentProposed) else [])


def test_what_is_forbidden_holds_until_something_else_is_said() -> None:
    assert book_of(FORBIDS).breaks.restriction == FORBIDS
    free = e.Restricted(ACCOUNT, 20)
    assert book_of(FORBIDS, free).breaks.restriction == free


EVERYTHING = (DETECTED, CONFIRMED, PROPOSED, approved("alice"), FORBIDS, ADJUSTMENT, CORRECTED)


def test_a_snapshot_holds_all_of_it() -> None:
    book = book_of(*EVERYTHING, e.AdjustmentProposed(ACCOUNT, *CASH, 15, ADJUSTMENT, "r"), approved("bob"))
    again = restore(snapshot(book))
    assert state_hash(again) == state_hash(book)
    for part in ("records", "corrections", "adjustments", "proposed", "approvals", "restriction"):
        assert getattr(again.breaks, part) == getattr(book.breaks, part), part
        assert getattr(again.breaks, part), part


def test_a_book_without_breaks_is_written_as_it_was_before_there_were_any() -> None:
    plain = book_of()
    assert b"\x03" in snapshot(plain)[:40]
    assert state_hash(book_of(FORBIDS)) != state_hash(plain)


def test_folding_everything_again_leads_to_the_same() -> None:
    opening = e.OpeningBalance(ACCOUNT, "USDC", D(5), 30, "o1")
    paid = e.TransferBooked(ACCOUNT, ONE, "USDC", 1, "t1")
    book = book_of(paid, *EVERYTHING, opening)  # the cut is later than what it contains, so all of it is folded anew
    assert book.balances()["USDC"].known == D(5)
    assert state_hash(book) == state_hash(book_of(opening, paid, *EVERYTHING))
