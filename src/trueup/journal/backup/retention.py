"""Which backups are kept. What lives only here: the rule, as a function of what is listed, without clock or disk.

Kept are the newest :attr:`Keep.newest`, the last one of each of the newest :attr:`Keep.days` days that have any, the
last one of each of the newest :attr:`Keep.months` months that have any, and the newest proven one. Days and months are
UTC.

A blob goes once no kept manifest names it, and even then not while it is young (a backup may be on its way that will
name it), nor while it reaches past the newest manifest (it may be all there is of those events).
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from trueup.journal.backup.chunks import parse_name
from trueup.journal.backup.destination import Blob
from trueup.journal.backup.manifests import Listed, Manifest
from trueup.model.errors import BadInput
from trueup.model.identifiers import AccountId, Seq
from trueup.model.times import NS_PER_SECOND, format_time

GRACE_NS = 3_600 * NS_PER_SECOND
"""How old a blob is at least when it goes: longer than any backup takes from its first blob to its manifest."""

DELETIONS_MAX = 1_000
"""Blobs deleted at once; the rest goes the next time."""

_DAY = len("2026-11-22")
_MONTH = len("2026-11")


class Keep(msgspec.Struct, frozen=True):
    """How many backups to keep."""

    newest: int = 24
    days: int = 30
    months: int = 24

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if getattr(self, name) < (name == "newest"):
                raise BadInput(name, getattr(self, name), "too few backups", remedy="Keep the newest one at least.")


def kept(backups: Sequence[Listed], keep: Keep) -> frozenset[str]:
    """Names of the manifests to keep."""
    newest_first = sorted(backups, key=lambda backup: backup.name, reverse=True)
    names = {backup.name for backup in newest_first[: keep.newest]}
    names |= _last_of_each(newest_first, keep.days, lambda backup: format_time(backup.created_at)[:_DAY])
    names |= _last_of_each(newest_first, keep.months, lambda backup: format_time(backup.created_at)[:_MONTH])
    names |= {backup.name for backup in [backup for backup in newest_first if backup.proven][:1]}
    return frozenset(names)


def unused(chunks: Sequence[Blob], manifests: Sequence[Manifest], now: int) -> Sequence[str]:
    """Names of the chunks to delete, given every manifest that is kept; oldest first, a bounded number.

    Raises:
        ValueError: There is no manifest, so that nothing is known of what is needed.
    """
    newest = max(manifests, key=lambda manifest: manifest.created_at)
    heads: Mapping[AccountId, Seq] = {ledger.account: ledger.head_seq for ledger in newest.ledgers}
    named = {chunk.name for manifest in manifests for chunk in manifest.chunks}
    old = sorted((blob for blob in chunks if now - blob.modified_at > GRACE_NS), key=lambda blob: blob.modified_at)
    return [
        blob.name
        for blob in old
        if blob.name not in named
        and (chunk := parse_name(blob.name)) is not None
        and chunk.last <= heads.get(chunk.account, Seq(0))
    ][:DELETIONS_MAX]


def _last_of_each(newest_first: Sequence[Listed], count: int, period: Callable[[Listed], str]) -> set[str]:
    last: dict[str, str] = {}
    for backup in newest_first:
        last.setdefault(period(backup), backup.name)
    return set(list(last.values())[:count])
