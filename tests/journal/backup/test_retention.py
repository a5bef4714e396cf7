"""Which backups are kept: the newest, one a day, one a month, the newest proven. No blob goes that may be needed."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.journal.backup.chunks import Chunk, folder_of
from trueup.journal.backup.destination import Blob
from trueup.journal.backup.manifests import LedgerBackup, Listed, Manifest
from trueup.journal.backup.retention import DELETIONS_MAX, GRACE_NS, Keep, kept, unused
from trueup.model.errors import BadInput
from trueup.model.identifiers import AccountId, Seq

ACCOUNT = AccountId("paper:one")
START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR_NS = 3_600 * 10**9
NOW = 10**19 // 8


def listed(hours: int, *, proven: bool = False) -> Listed:
    """A backup taken so many hours after the year began."""
    created_at = Manifest(int((START + timedelta(hours=hours)).timestamp()) * 10**9, "", ()).created_at
    return Listed(Manifest(created_at, "", ()).name, created_at, 0, 100, proven)


def day_of(backup: Listed) -> str:
    return backup.name.removeprefix("manifests/")[:10]


HISTORIES = st.dictionaries(st.integers(0, 20_000), st.booleans(), max_size=80).map(
    lambda hours: [listed(hour, proven=proven) for hour, proven in sorted(hours.items())]
)
RULES = st.builds(Keep, st.integers(1, 6), st.integers(0, 6), st.integers(0, 6))


@given(HISTORIES, RULES)
def test_what_is_kept_is_what_the_rule_says_and_no_more(backups: list[Listed], keep: Keep) -> None:
    names = [backup.name for backup in backups]
    keeping = kept(backups, keep)
    assert keeping <= set(names)
    assert set(names[-keep.newest :]) <= keeping
    days, months = (
        {day_of(backup): backup.name for backup in backups},
        {day_of(backup)[:7]: backup.name for backup in backups},
    )
    daily = [days[day] for day in sorted(days)[-keep.days :]] if keep.days else []
    monthly = [months[month] for month in sorted(months)[-keep.months :]] if keep.months else []
    proven = [backup.name for backup in backups if backup.proven][-1:]
    assert keeping == {*names[-keep.newest :], *daily, *monthly, *proven}


@given(HISTORIES, RULES)
def test_keeping_twice_keeps_the_same(backups: list[Listed], keep: Keep) -> None:
    once = [backup for backup in backups if backup.name in kept(backups, keep)]
    assert kept(once, keep) == {backup.name for backup in once}


@given(HISTORIES, RULES, st.randoms())
def test_the_order_in_which_backups_are_listed_does_not_matter(
    backups: list[Listed], keep: Keep, random: Random
) -> None:
    shuffled = list(backups)
    random.shuffle(shuffled)
    assert kept(shuffled, keep) == kept(backups, keep)


def test_the_newest_proven_backup_stays_however_old_it_is() -> None:
    backups = [listed(0, proven=True), *(listed(hour) for hour in range(2_000, 2_300))]
    assert backups[0].name in kept(backups, Keep(1, 0, 0))
    assert len(kept(backups, Keep(1, 0, 0))) == 2


@pytest.mark.parametrize("keep", [(0, 1, 1), (1, -1, 0), (1, 0, -1)])
def test_a_rule_that_keeps_too_little_is_refused(keep: tuple[int, int, int]) -> None:
    with pytest.raises(BadInput, match="too few backups"):
        Keep(*keep)


def chunk(first: int, last: int) -> Chunk:
    name = f"{folder_of(ACCOUNT)}{first:020d}-{last:020d}-{'0' * 16}.frames.z"
    return Chunk(name, Seq(first), Seq(last), 1, "", "", 0, 0, 1, "", 1, "")


def manifest(created_at: int, *chunks: Chunk) -> Manifest:
    head = chunks[-1].last if chunks else Seq(0)
    return Manifest(created_at, "", [LedgerBackup(ACCOUNT, head, "00", 0, chunks)])


def blob(of: Chunk, age_ns: int = GRACE_NS + 1) -> Blob:
    return Blob(of.name, 1, NOW - age_ns)


def test_a_blob_goes_once_no_kept_backup_names_it() -> None:
    sealed, tail, merged = chunk(1, 100), chunk(101, 110), chunk(101, 130)
    blobs = [blob(sealed), blob(tail), blob(merged)]
    assert unused(blobs, [manifest(2, sealed, merged)], NOW) == [tail.name]
    assert unused(blobs, [manifest(1, sealed, tail), manifest(2, sealed, merged)], NOW) == []


def test_a_young_blob_stays_since_a_backup_may_be_on_its_way_that_names_it() -> None:
    old, young = chunk(1, 5), chunk(2, 6)
    blobs = [blob(old), blob(young, GRACE_NS)]
    assert unused(blobs, [manifest(1, chunk(1, 10))], NOW) == [old.name]


def test_a_blob_that_reaches_past_the_newest_backup_stays_since_it_may_be_all_there_is() -> None:
    beyond, other = chunk(1, 11), "ledgers/paper%3Atwo/" + chunk(1, 5).name.rpartition("/")[2]
    assert unused([blob(beyond), Blob(other, 1, 0)], [manifest(1, chunk(1, 10))], NOW) == []


def test_what_is_no_chunk_of_ours_is_left_alone() -> None:
    assert unused([Blob("ledgers/note.txt", 1, 0)], [manifest(1, chunk(1, 10))], NOW) == []


def test_only_so_many_blobs_go_at_once_the_oldest_first() -> None:
    blobs = [blob(chunk(number, number), GRACE_NS + number) for number in range(1, DELETIONS_MAX + 50)]
    going = unused(blobs, [manifest(1, chunk(1, 10**6))], NOW)
    assert len(going) == DELETIONS_MAX
    assert going[0] == blobs[-1].name
