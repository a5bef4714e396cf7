"""A database that somebody changed behind its guards: refused by name, and nothing made worse."""

import pytest

from tests.engine.world import ACCOUNT, DEFINED, PERP, fill
from tests.postgresql import ask
from trueup.book.snapshot import state_hash
from trueup.bootstrap import open_storage, open_store, rebuild_views
from trueup.engine.verifying import stored_accounts, verify_storage
from trueup.journal.postgres.address import Address
from trueup.model.errors import JournalDamaged, ViewsFailed
from trueup.model.identifiers import Seq

FRAMES = 6


@pytest.fixture
def booked(postgres: str) -> str:
    """The address of a store with a ledger of six frames, an event each."""
    store = open_store(Address.parse(postgres))
    ledger = store.ledger(ACCOUNT)
    ledger.book_facts([DEFINED])
    for number in range(FRAMES - 1):
        ledger.book_facts([fill(number, side="sell" if number == 3 else "buy")])
    store.close()
    return postgres


def tamper(url: str, *statements: str) -> None:
    """Change what nobody may change, with the guards off."""
    ask(url, "SET session_replication_role = replica", *statements)


def without_snapshots(url: str) -> None:
    ask(url, "DELETE FROM snapshots")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("UPDATE frames SET body = set_byte(body, 20, get_byte(body, 20) # 1) WHERE first = 3", "frame 3 .*its hash"),
        ("UPDATE frames SET recorded_at = recorded_at + 1 WHERE first = 3", "frame 3 .*its hash"),
        ("UPDATE frames SET epoch = 9 WHERE first = 6", "frame 6 .*its hash"),
        ("DELETE FROM frames WHERE first = 3", "frame 4 .*not the one behind seq 2"),
        ("DELETE FROM frames WHERE first > 4", "frames behind seq 5 are missing; the ledger reaches to seq 6"),
        ("DELETE FROM frames", "frames behind seq 5 are missing"),
    ],
)
def test_a_frame_that_is_not_what_was_written_is_refused_and_named(booked: str, change: str, told: str) -> None:
    tamper(booked, change)
    without_snapshots(booked)
    store = open_store(Address.parse(booked))
    with pytest.raises(JournalDamaged, match=told) as refused:
        store.ledger(ACCOUNT)
    assert "Restore the database from a backup" in refused.value.remedy
    store.close()
    storage = open_storage(Address.parse(booked))
    proof = verify_storage(storage, stored_accounts(storage), lambda *_: None)
    storage.close()
    assert not proof.ok
    assert proof.ledgers[0].log


def test_a_last_frame_that_is_damaged_is_found_whatever_snapshot_stands_there(booked: str) -> None:
    tamper(booked, "UPDATE frames SET body = body || 'x'::bytea WHERE first = 6")
    store = open_store(Address.parse(booked))
    with pytest.raises(JournalDamaged, match="frame 6"):
        store.ledger(ACCOUNT)
    store.close()


def test_a_frame_put_in_the_place_of_another_ledgers_is_refused(booked: str) -> None:
    tamper(
        booked,
        "INSERT INTO ledgers (name, epoch, applied, head, recorded_at, viewed)"
        " SELECT 'paper:two', 1, applied, head, recorded_at, 0 FROM ledgers",
        "INSERT INTO frames SELECT (SELECT id FROM ledgers WHERE name = 'paper:two'), first, count, recorded_at, epoch,"
        " synced, previous, hash, body FROM frames",
    )
    store = open_store(Address.parse(booked))
    with pytest.raises(JournalDamaged, match="paper:two: frame 6"):
        store.ledger(type(ACCOUNT)("paper:two"))
    assert store.ledger(ACCOUNT).head.seq == FRAMES
    store.close()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE snapshots SET state_hash = decode(repeat('00', 32), 'hex')",
        "UPDATE snapshots SET state = 'nonsense'",
        "UPDATE snapshots SET hash = decode(repeat('00', 32), 'hex')",
        "UPDATE snapshots SET codec = 99",
        "UPDATE snapshots SET seq = seq + 1",
    ],
)
def test_a_snapshot_that_cannot_be_believed_is_passed_over(booked: str, change: str) -> None:
    store = open_store(Address.parse(booked))
    state = state_hash(store.ledger(ACCOUNT).book)
    store.close()
    ask(booked, change)
    store = open_store(Address.parse(booked))
    assert state_hash(store.ledger(ACCOUNT).book) == state
    assert any("passed over" in finding for finding in store.findings)
    store.close()


def test_rows_that_were_changed_are_found_and_made_anew(booked: str) -> None:
    ask(booked, "UPDATE book_positions SET quantity = 5")
    assert wrong_views(booked)
    rebuild_views(Address.parse(booked), lambda *_: None, print)
    assert not wrong_views(booked)


def wrong_views(url: str) -> bool:
    storage = open_storage(Address.parse(url))
    proof = verify_storage(storage, stored_accounts(storage), lambda *_: None)
    storage.close()
    assert not any(ledger.log for ledger in proof.ledgers)
    return not proof.ok


def test_rows_beyond_the_head_are_found(booked: str) -> None:
    ask(booked, "UPDATE book_positions SET seq = 99")
    storage = open_storage(Address.parse(booked))
    assert list(storage.views().check()) == [f"rows of what is not applied yet: {ACCOUNT} in book_positions"]
    storage.close()


def test_a_row_that_trueup_did_not_write_is_no_answer(booked: str) -> None:
    ask(booked, """UPDATE book_positions SET fees = '{"USDC": "much"}'""")
    store = open_store(Address.parse(booked))
    with pytest.raises(ViewsFailed, match="did not write"):
        store.views.positions(ACCOUNT)
    store.close()


@pytest.mark.parametrize("viewed", [0, 1, 4])
def test_views_that_fell_behind_are_brought_up_by_the_next_start(booked: str, viewed: int) -> None:
    store = open_store(Address.parse(booked))
    rows = store.views.positions(ACCOUNT)
    store.close()
    ask(booked, f"DELETE FROM fact_keys WHERE seq > {viewed}", f"UPDATE ledgers SET viewed = {viewed}")
    store = open_store(Address.parse(booked))
    store.ledger(ACCOUNT)
    assert store.views.positions(ACCOUNT) == rows
    assert len(list(store.views.keys(ACCOUNT))) == FRAMES - 1
    assert store.ledger(ACCOUNT).book_facts([fill(1), fill(9)]).booked == 1
    store.close()


def test_a_rebuilding_that_was_killed_is_finished_by_the_next_start(booked: str) -> None:
    storage = open_storage(Address.parse(booked))
    views = storage.new_views()
    assert views.positions(ACCOUNT) == (Seq(0), [])
    assert (views.applied(ACCOUNT), views.head(ACCOUNT).seq, list(views.ledgers())) == (0, 0, [])
    storage.close()
    store = open_store(Address.parse(booked))
    assert store.ledger(ACCOUNT).head.seq == FRAMES
    assert store.views.applied(ACCOUNT) == FRAMES
    assert not store.findings
    store.close()


def test_each_row_of_a_position_counts_its_changes(booked: str) -> None:
    count = f"SELECT version FROM book_positions WHERE instrument = '{PERP.symbol}'"
    before = ask(booked, count)[0]["version"]
    store = open_store(Address.parse(booked))
    store.ledger(ACCOUNT).book_facts([fill(100)])
    store.close()
    assert ask(booked, count)[0]["version"] == before + 1
