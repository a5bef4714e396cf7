"""What programs state: the newest statement of a key holds, versions go up by one, signals wait until they end."""

from collections.abc import Sequence
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import fields, replace

from tests.book.world import ACCOUNT, BTC, D, World
from trueup.book.book import Book
from trueup.book.control import STATEMENTS, ControlRows
from trueup.book.snapshot import restore, snapshot, state_hash
from trueup.model import events as e
from trueup.model import statements as s
from trueup.model.errors import BadInput, ConcurrentUpdate, StaleVersion
from trueup.model.facts import fact_key, terms
from trueup.model.identifiers import CONTROL, AccountId, Seq

PORTFOLIO = s.PortfolioStateSaved(CONTROL, 1, 5, "me", D("1000"), D("1200.50"), D(10), D(1), D(2), D(3))
PYRAMID = s.PyramidingStateSaved(CONTROL, "GOLD", 1, 5, "me", D("70000"), "Long_1")
DETAILS = s.PositionDetailsSaved(
    ACCOUNT, "Long_1", BTC.symbol, "net", 1, 5, "me",
    True, D(1), D(2), D(3), D(4), D(5), D(6), D(7), "risk", D(1), D(1), "DEC", "2026-12-24",
    "F", "1", D(52000), "PE", "CE", D(1), D(2), "3", "4", "rolled", 1, 7, D(-5), "2026-11-26", D(51000), D(50000),
    "me", "r1",
)  # fmt: skip
SIGNAL = s.SignalLogged(CONTROL, "f1", "GOLD", "BASE_ENTRY", 4, 3, "trend", "long", D("0.8"), '{"a":1}', "webhook")
DONE = s.SignalProcessed(CONTROL, "f1", "EXECUTED", 9, "me", "filled", '{"lots":2}')
STATED: list[s.Statement] = [PORTFOLIO, PYRAMID, DETAILS, SIGNAL, DONE]


def told(*events: e.Event, account: AccountId = CONTROL) -> Book:
    book = Book(account)
    for event in events:
        book.admit(event)
        book.evolve([event], Seq(book.seq + 1))
    return book


def before(event: e.Event) -> Book:
    """A book that may be told this next."""
    if event.account == ACCOUNT:
        return World().book
    return told(SIGNAL) if event is DONE else told()


def test_every_kind_of_statement_is_among_these() -> None:
    assert {type(event) for event in STATED} == STATEMENTS == set(get_args(s.Statement))


def test_the_newest_statement_of_each_key_holds() -> None:
    second = replace(PORTFOLIO, version=2, closed_equity=None)
    other = replace(PYRAMID, instrument="SILVER")
    control = told(PORTFOLIO, PYRAMID, second, other, replace(PYRAMID, version=2, base_position=None)).control
    assert control.portfolio == second
    assert control.pyramids == {"GOLD": replace(PYRAMID, version=2, base_position=None), "SILVER": other}
    assert (control.version(s.PortfolioStateSaved), control.version(s.PyramidingStateSaved, "COPPER")) == (2, 0)


def test_a_signal_waits_until_something_became_of_it() -> None:
    assert told(SIGNAL).control.waiting == {"f1": SIGNAL}
    assert told(SIGNAL, DONE).control.waiting == {}


def test_an_account_keeps_the_details_of_its_positions_and_pyramids_of_its_own() -> None:
    book = World().book
    for event in (DETAILS, replace(PYRAMID, account=ACCOUNT)):
        book.admit(event)
        book.evolve([event], Seq(book.seq + 1))
    assert book.control.details == {"Long_1": DETAILS}
    assert book.control.pyramids["GOLD"].account == ACCOUNT


@pytest.mark.parametrize("event", [PORTFOLIO, PYRAMID])
@pytest.mark.parametrize("version", [0, 1, 3])
def test_a_statement_made_without_the_newest_one_names_both_versions(event: e.Event, version: int) -> None:
    book = told(event)
    with pytest.raises(StaleVersion, match="version 1") as refusal:
        book.admit(replace(event, version=version))
    assert (refusal.value.loaded, refusal.value.found) == (version - 1, 1)
    assert isinstance(refusal.value, ConcurrentUpdate)
    assert "Load it again" in refusal.value.remedy


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (replace(PORTFOLIO, account=ACCOUNT), "account"),
        (replace(SIGNAL, account=ACCOUNT), "account"),
        (replace(PYRAMID, instrument=""), "instrument"),
        (replace(DETAILS, position_id="a\nb"), "position_id"),
        (replace(DETAILS, instrument="UNKNOWN"), "instrument"),
        (replace(SIGNAL, fingerprint=""), "fingerprint"),
        (replace(SIGNAL, kind="HOLD"), "kind"),
        (replace(SIGNAL, payload="{"), "payload"),
        (replace(SIGNAL, payload='"\\u0000"'), "payload"),
        (replace(SIGNAL, payload=r'"\\\u0000"'), "payload"),
        (replace(SIGNAL, payload="[" * 100_000), "payload"),
        (replace(SIGNAL, strategy="a\0b"), "strategy"),
        (replace(DETAILS, reference_id="x" * 257), "reference_id"),
        (replace(DETAILS, rollover_count=2**63), "rollover_count"),
        (replace(DONE, reason="\ud800"), "reason"),
        (replace(SIGNAL, payload='"' + "x" * (1 << 20) + '"'), "payload"),
        (replace(DONE, status="DONE"), "status"),
        (replace(DONE, details="no"), "details"),
        (replace(DONE, fingerprint="f2"), "fingerprint"),
        (World().transfer("1").events[-1], "account"),
    ],
)
def test_what_may_not_be_stated(event: e.Event, field: str) -> None:
    book = World().book if event.account == ACCOUNT and type(event) is not e.TransferBooked else told(SIGNAL)
    with pytest.raises(BadInput) as refusal:
        book.admit(event)
    assert refusal.value.field == field
    assert refusal.value.remedy


def test_what_only_looks_like_a_nul_is_a_text() -> None:
    told(replace(SIGNAL, payload=r'"\\u0000"'))


def test_a_signal_ends_once() -> None:
    with pytest.raises(BadInput, match="became of it already"):
        told(SIGNAL, DONE, DONE)


def test_shares_of_venues_are_put_on_record_where_they_span_accounts() -> None:
    checked = e.AllocationChecked(CONTROL, 1, "USD", D(100), (e.VenueShare("oanda", D("0.2"), None),), D("0.05"))
    assert told(checked).seq == 1
    with pytest.raises(BadInput, match="it spans accounts"):
        told(replace(checked, account=ACCOUNT), account=ACCOUNT)
    with pytest.raises(BadInput) as refusal:
        told(replace(checked, portfolio_value=D("NaN")))
    assert refusal.value.field == "portfolio_value"


def test_the_ledger_control_may_say_where_things_came_from() -> None:
    book = told(e.Quarantined(CONTROL, "", "why", b""), e.SourceRead(CONTROL, "file", "00", "signals", 1, 0))
    assert book.quarantined == 1


@pytest.mark.parametrize("event", STATED, ids=lambda event: type(event).__name__)
@pytest.mark.parametrize("number", ["1e36", "1e-37", "NaN", "-Infinity"])
def test_no_amount_is_without_bounds(event: s.Statement, number: str) -> None:
    book = before(event)
    book.admit(event)
    for field in fields(event):
        if "Decimal" in str(field.type):
            with pytest.raises(BadInput) as refusal:
                book.admit(replace(event, **{field.name: D(number)}))
            assert refusal.value.field == field.name


def test_a_signal_is_a_fact_whose_arrival_is_not_its_content() -> None:
    again = replace(SIGNAL, received_at=99, source="poll", strength=D("0.80"))
    assert fact_key(SIGNAL) == fact_key(again) == "signal|f1"
    assert terms(SIGNAL) == terms(again)
    assert terms(SIGNAL) != terms(replace(SIGNAL, payload="{}"))


def test_the_views_are_told_each_change_once() -> None:
    book = told(PORTFOLIO, SIGNAL, PYRAMID, DONE)
    rows = book.control.take_rows()
    assert rows == ControlRows([(Seq(1), PORTFOLIO)], [(Seq(3), PYRAMID)], [], [(Seq(4), SIGNAL, DONE)])
    assert book.control.take_rows() == ControlRows()
    waits = told(SIGNAL)
    assert waits.control.take_rows().signals == [(Seq(1), SIGNAL, None)]


def test_a_past_that_begins_after_a_signal_knows_nothing_of_its_end() -> None:
    book = Book(CONTROL)
    book.evolve([DONE], Seq(7))
    assert book.control.take_rows() == ControlRows()


def test_an_opening_cut_leaves_what_was_stated() -> None:
    world = World().at(3).buy("1", "100", fee="1").add(DETAILS).at(2).opening_balance("10")
    assert world.book.control.details == {"Long_1": DETAILS}


def _next(kind: int, control: Book, number: int) -> s.Statement | None:
    """The next statement of a kind that a book admits, or None when it has no signal that waits."""
    state = control.control
    match kind:
        case 0:
            version = state.version(s.PortfolioStateSaved) + 1
            return s.PortfolioStateSaved(CONTROL, version, number, "me", closed_equity=D(number))
        case 1:
            name = f"I{number % 3}"
            version = state.version(s.PyramidingStateSaved, name) + 1
            return s.PyramidingStateSaved(CONTROL, name, version, number, "me", D(number))
        case 2:
            return s.SignalLogged(CONTROL, f"f{number}", "GOLD", "EXIT", number)
        case _:
            waits = sorted(state.waiting)
            return s.SignalProcessed(CONTROL, waits[0], "REJECTED", number, "me") if waits else None


@given(kinds=st.lists(st.integers(0, 3), max_size=30), cut=st.integers(0, 30))
def test_the_log_and_a_snapshot_fold_to_the_same_state(kinds: Sequence[int], cut: int) -> None:
    whole, stopped = Book(CONTROL), Book(CONTROL)
    rows: list[ControlRows] = []
    for number, kind in enumerate(kinds):
        event = _next(kind, whole, number)
        if number == cut:
            stopped = restore(snapshot(stopped), lambda: ())
        for book in (whole, stopped) if event is not None else ():
            assert event is not None
            book.admit(event)
            book.evolve([event], Seq(book.seq + 1))
        rows.append(stopped.control.take_rows())
    assert state_hash(whole) == state_hash(stopped)
    assert whole.control.waiting == stopped.control.waiting
    newest = {seq: row for told_ in rows for seq, *row in told_.signals}
    at_once = {seq: row for seq, *row in whole.control.take_rows().signals}
    assert {seq: newest[seq] for seq in at_once} == at_once  # however the changes were batched
