"""Moving a store: the same seqs and hashes at the other place, whichever kind either is."""

import json
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from tests.conformance.test_store import OTHER, STORY, assert_rows_are_the_book, told
from tests.engine.world import ACCOUNT, DEFINED, fill
from trueup.bootstrap import compare_stores, copy_store, open_storage, open_store
from trueup.cli.main import main
from trueup.engine.copying import Copied
from trueup.journal.postgres.address import Address, Place
from trueup.model.errors import BadInput, StorageError
from trueup.model.events import InstrumentDefined
from trueup.model.identifiers import AccountId, Seq
from trueup.ports import Frame


@pytest.fixture(params=["embedded", "postgresql"])
def there(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """The other place, empty."""
    if request.param == "embedded":
        return tmp_path / "there"
    return Address.parse(request.getfixturevalue("empty_schema"))


@pytest.fixture
def here(where: Place) -> Place:
    """A store with two ledgers."""
    with closing(open_store(where)) as store:
        told(store.ledger(ACCOUNT))
        store.ledger(OTHER).book_facts([defined(OTHER)])
    return where


def defined(account: AccountId) -> InstrumentDefined:
    return msgspec.structs.replace(DEFINED, account=account)


def copied(here: Place, there: Place) -> list[Copied]:
    told_of: list[tuple[int, int]] = []
    found = list(copy_store(here, there, lambda done, total: told_of.append((done, total))))
    assert told_of == sorted(told_of)
    assert told_of[-1][0] == told_of[-1][1] == 2 * sum(each.source.head.seq for each in found if each.source)
    return found


def frames(place: Place) -> dict[str, list[Frame]]:
    """Everything in the logs, but for the offset, which says something of a file."""
    with closing(open_store(place)) as store:
        return {account: list(store.ledger(account).journal.read()) for account in store.accounts()}


def test_every_ledger_is_there_with_its_seqs_times_and_hashes_and_the_rows_are_made(here: Place, there: Place) -> None:
    found = copied(here, there)
    assert [(each.account, each.equal) for each in found] == [(ACCOUNT, True), (OTHER, True)]
    assert frames(there) == frames(here)
    with closing(open_store(there)) as store:
        assert_rows_are_the_book(store)
        assert store.ledger(ACCOUNT).book_facts(STORY).booked == 0
        assert store.ledger(ACCOUNT).book_facts([fill(500, at=20_000_000)]).booked == 1


def test_copying_again_goes_on_where_the_first_copy_stopped(here: Place, there: Place) -> None:
    copied(here, there)
    with closing(open_store(here)) as store:
        store.ledger(ACCOUNT).book_facts([fill(501, at=20_000_000)])
    copied(here, there)
    assert frames(there) == frames(here)


def test_a_copy_that_was_cut_short_goes_on(here: Place, there: Place) -> None:
    with closing(open_store(here)) as source, closing(open_storage(there, create=True)) as storage:
        ledger = source.ledger(ACCOUNT)
        begun = next(iter(ledger.journal.read()))
        half = source.ledger(ACCOUNT).journal.recorded_by(begun.recorded_at)
        storage.adopt(ACCOUNT, lambda after: (f for f in ledger.journal.read(after) if f.last <= half.seq), half)
    copied(here, there)
    assert frames(there) == frames(here)


def test_another_history_is_refused_and_left_alone(here: Place, there: Place) -> None:
    with closing(open_store(there)) as store:
        store.ledger(ACCOUNT).book_facts(STORY[:1])
    before = frames(there)
    with pytest.raises(BadInput, match="in another history") as refused:
        copied(here, there)
    assert "empty place" in refused.value.remedy
    assert frames(there) == before


def test_a_ledger_that_the_source_does_not_have_is_refused(where: Place, there: Place) -> None:
    with closing(open_store(where)) as store:
        told(store.ledger(ACCOUNT))
    with closing(open_store(there)) as store:
        store.ledger(OTHER).book_facts([defined(OTHER)])
    with pytest.raises(BadInput, match=f"it holds {OTHER}"):
        copied(where, there)


def test_frames_that_do_not_lead_where_they_should_are_refused(here: Place, there: Place) -> None:
    with closing(open_store(here)) as source, closing(open_storage(there, create=True)) as storage:
        journal = source.ledger(ACCOUNT).journal
        with pytest.raises(StorageError):
            storage.adopt(ACCOUNT, lambda after: (f for f in journal.read(after) if f.last == 1), journal.head)


def test_comparing_writes_nothing_and_says_what_differs(here: Place, there: Place) -> None:
    copied(here, there)
    with closing(open_store(here)) as store:
        store.ledger(ACCOUNT).book_facts([fill(502, at=20_000_000)])
    ours, other = compare_stores(here, there)
    assert not ours.equal
    assert ours.source is not None
    assert ours.target is not None
    assert ours.source.head.seq == ours.target.head.seq + 1
    assert other.equal


def test_the_verb_copies_and_checks(here: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = here.direct if isinstance(here, Address) else str(here)
    words = ["store", "copy", "--from", source, "--to", str(tmp_path / "there")]
    assert main([*words, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["equal"] is True
    assert [ledger["account"] for ledger in answer["ledgers"]] == [ACCOUNT, OTHER]
    assert answer["ledgers"][0]["source"] == answer["ledgers"][0]["target"]
    assert main([*words, "--check"]) == 0
    assert "equal" in capsys.readouterr().out
    with closing(open_store(here)) as store:
        assert store.ledger(ACCOUNT).book_facts([fill(503, at=20_000_000)]).first == Seq(
            answer["ledgers"][0]["source"]["seq"] + 1
        )
    assert main([*words, "--check"]) == 1
    shown = capsys.readouterr().out
    assert "NOT EQUAL" in shown
    assert max(map(len, shown.splitlines())) <= 80
