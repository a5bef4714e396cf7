"""What the database itself allows nobody, whatever program connects to it."""

import asyncpg
import pytest

from tests.engine.world import ACCOUNT, DEFINED, fill
from tests.postgresql import ask
from trueup.bootstrap import open_store
from trueup.journal.postgres.address import Address
from trueup.model.errors import StorageError

HASH = "decode(repeat('07', 32), 'hex')"
NO_HASH = "decode(repeat('00', 32), 'hex')"
INSERT = "INSERT INTO frames SELECT id, {first}, {count}, 1, 1, 0, {previous}, {hash}, {body} FROM ledgers"


@pytest.fixture
def booked(postgres: str) -> str:
    """The address of a store with a ledger of five events in five frames."""
    store = open_store(Address.parse(postgres))
    ledger = store.ledger(ACCOUNT)
    ledger.book_facts([DEFINED])
    for number in range(4):
        ledger.book_facts([fill(number)])
    store.close()
    return postgres


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE frames SET body = body",
        "UPDATE frames SET recorded_at = 0 WHERE first = 3",
        "DELETE FROM frames WHERE first = 5",
        "TRUNCATE frames CASCADE",
    ],
)
def test_frames_are_never_changed_or_dropped(booked: str, statement: str) -> None:
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="only ever appended to") as refused:
        ask(booked, statement)
    assert refused.value.constraint_name == "journal_is_append_only"


@pytest.mark.parametrize(
    ("first", "previous"),
    [
        ("7", "(SELECT head FROM ledgers)"),
        ("5", "(SELECT head FROM ledgers)"),
        ("6", HASH),
        ("6", NO_HASH),
    ],
)
def test_a_frame_that_does_not_continue_the_chain_is_refused(booked: str, first: str, previous: str) -> None:
    statement = INSERT.format(first=first, count=1, previous=previous, hash=HASH, body="'x'::bytea")
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="does not continue the chain"):
        ask(booked, statement)


@pytest.mark.parametrize("path", ["pg_temp, store", "''"])
def test_tables_that_a_session_has_in_their_place_deceive_no_guard(booked: str, path: str) -> None:
    forged = INSERT.replace("frames", "store.frames").replace("ledgers", "store.ledgers")
    statement = forged.format(first=51, count=1, previous=HASH, hash=HASH, body="'x'::bytea")
    another = "INSERT INTO pg_temp.frames SELECT ledger, 50, 1, 1, 1, 0, previous, " + HASH + ", body FROM store.frames"
    before = (f"SET search_path = {path}", "CREATE TEMP TABLE frames (LIKE store.frames)", f"{another} LIMIT 1")
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="which expects seq 6"):
        ask(booked, *before, statement)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="is not its last frame"):
        ask(booked, *before, f"UPDATE store.ledgers SET applied = 50, head = {HASH}")


def test_the_first_frame_of_a_ledger_continues_nothing(postgres: str) -> None:
    ask(
        postgres,
        f"INSERT INTO ledgers (name, epoch, applied, head, recorded_at, viewed) VALUES ('a:b', 1, 0, {NO_HASH}, 0, 0)",
    )
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="expects seq 1"):
        ask(postgres, INSERT.format(first=2, count=1, previous=NO_HASH, hash=HASH, body="'x'::bytea"))
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="expects seq 1"):
        ask(postgres, INSERT.format(first=1, count=1, previous=HASH, hash=HASH, body="'x'::bytea"))


@pytest.mark.parametrize(
    ("count", "hash_", "body"),
    [("0", HASH, "'x'::bytea"), ("1", "'short'::bytea", "'x'::bytea"), ("1", HASH, "''::bytea")],
)
def test_a_frame_has_events_a_body_and_a_whole_hash(booked: str, count: str, hash_: str, body: str) -> None:
    previous = "(SELECT head FROM ledgers)"
    with pytest.raises(asyncpg.CheckViolationError):
        ask(booked, INSERT.format(first=6, count=count, previous=previous, hash=hash_, body=body))


@pytest.mark.parametrize(
    "change",
    ["applied = 4, viewed = 4", "epoch = 0", f"head = {HASH}", "name = 'other:one'", "id = DEFAULT"],
)
def test_a_ledger_only_advances(booked: str, change: str) -> None:
    with pytest.raises(asyncpg.PostgresError):
        ask(booked, f"UPDATE ledgers SET {change}")


def test_the_head_is_the_last_frame_at_the_end_of_every_transaction(booked: str) -> None:
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="is not its last frame"):
        ask(booked, f"UPDATE ledgers SET applied = 6, head = {HASH}")


def test_a_ledger_with_frames_cannot_be_dropped(booked: str) -> None:
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        ask(booked, "DELETE FROM ledgers")


def test_a_key_is_booked_once(booked: str) -> None:
    with pytest.raises(asyncpg.UniqueViolationError):
        ask(booked, "INSERT INTO fact_keys SELECT ledger, key, 5 FROM fact_keys LIMIT 1")


def test_a_store_whose_guards_are_off_is_refused(booked: str) -> None:
    ask(booked, "ALTER TABLE frames DISABLE TRIGGER journal_is_append_only")
    try:
        with pytest.raises(StorageError, match="journal_is_append_only, which protect"):
            open_store(Address.parse(booked))
    finally:
        ask(booked, "ALTER TABLE frames ENABLE TRIGGER journal_is_append_only")
