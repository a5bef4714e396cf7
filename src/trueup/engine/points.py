"""Points that a ledger can be restored to. What lives only here: that a commit is never cut in two."""

from collections.abc import Mapping, Sequence

import msgspec

from trueup.journal.backup.chunks import Chunk, read_chunk
from trueup.journal.backup.destination import Destination
from trueup.journal.backup.manifests import LedgerBackup, nothing_of
from trueup.model.errors import BadInput, NotFound
from trueup.model.identifiers import AccountId, Seq
from trueup.model.times import format_time
from trueup.ports import Frame, Head

HASH_DIGITS_MIN = 8
"""Of a head hash that is given shortened."""


class Point(msgspec.Struct, frozen=True):
    """Where to restore to; the newest of everything when nothing is given.

    Attributes:
        seq: The last event of an account; the other ledgers are restored to their newest.
        account: Whose seq; needed only where there are several ledgers.
        time: The last ``recorded_at`` of every ledger, in nanoseconds.
        head: Hash of a frame, hexadecimal, at least eight digits; the ledgers without that frame as for ``seq``.
    """

    seq: Seq | None = None
    account: AccountId | None = None
    time: int | None = None
    head: str = ""


NEWEST = Point()


def cuts(destination: Destination, ledgers: Sequence[LedgerBackup], point: Point) -> Mapping[AccountId, Head]:
    """The head of each ledger at a point; ledgers that had not begun by then are left out.

    Raises:
        NotFound: There is no such point.
        BadInput: It lies inside a commit, or does not say whose it is.
        BackupDamaged: The chunk that it is in cannot be read.
        BackupFailed: The destination refused.
    """
    heads = {ledger.account: ledger.head for ledger in ledgers}
    if point.seq is not None:
        ledger = _whose(ledgers, point)
        heads[ledger.account] = _at_seq(destination, ledger, point.seq)
    elif point.time is not None:
        heads = {ledger.account: _at_time(destination, ledger, point.time) for ledger in ledgers}
        if not any(head.seq for head in heads.values()):
            raise NotFound(
                f"Nothing had been recorded by {format_time(point.time)}.", remedy="Give a later time, in UTC."
            )
    elif point.head:
        account, head = _at_hash(destination, ledgers, point.head.lower())
        heads[account] = head
    return {account: head for account, head in heads.items() if head.seq}


def _whose(ledgers: Sequence[LedgerBackup], point: Point) -> LedgerBackup:
    wanted = point.account
    found = [ledger for ledger in ledgers if wanted in (None, ledger.account, ledger.account.partition(":")[2])]
    names = ", ".join(ledger.account for ledger in ledgers)
    if not found:
        raise NotFound(f"The backup has no account {wanted or ''}.", remedy=f"It has: {names or 'none at all'}.")
    if len(found) > 1:
        raise BadInput(
            "account", wanted, "the backup has several ledgers, each with seqs of its own", remedy=f"Name one: {names}."
        )
    return found[0]


def _at_seq(destination: Destination, ledger: LedgerBackup, seq: Seq) -> Head:
    if seq >= ledger.head_seq:
        if seq == ledger.head_seq:
            return ledger.head
        raise NotFound(
            f"The backup has {ledger.account} up to seq {ledger.head_seq}, not to {seq}.",
            remedy="Give a seq up to that.",
        )
    chunk = next(chunk for chunk in ledger.chunks if chunk.last >= seq)
    frame = next(frame for frame in read_chunk(destination, ledger.account, chunk) if frame.last >= seq)
    if frame.last != seq:
        before = f"{frame.first - 1} or " if frame.first > 1 else ""
        raise BadInput(
            "seq",
            seq,
            f"seq {frame.first} to {frame.last} of {ledger.account} were one commit, which is restored whole or not",
            remedy=f"Give {before}{frame.last}.",
        )
    return _head(frame)


def _at_time(destination: Destination, ledger: LedgerBackup, time: int) -> Head:
    begun = [chunk for chunk in ledger.chunks if chunk.recorded_from <= time]
    if not begun:
        return nothing_of(ledger.account).head
    if begun[-1].recorded_to <= time:
        return begun[-1].head
    frames = read_chunk(destination, ledger.account, begun[-1])
    return _head([frame for frame in frames if frame.recorded_at <= time][-1])


def _at_hash(destination: Destination, ledgers: Sequence[LedgerBackup], digits: str) -> tuple[AccountId, Head]:
    if len(digits) < HASH_DIGITS_MIN or not digits.isalnum():
        raise BadInput("head", digits, "not a head hash", remedy=f"Give at least {HASH_DIGITS_MIN} of its hex digits.")
    found = {
        head.hash: (ledger.account, head)
        for ledger in ledgers
        for chunk in ledger.chunks
        for head in _heads(destination, ledger.account, chunk)
        if head.hash.hex().startswith(digits)
    }
    if not found:
        raise NotFound(f"No frame in the backup has a hash that begins {digits}.", remedy="Give the hash of a head.")
    if len(found) > 1:
        raise BadInput("head", digits, "several frames begin so", remedy="Give more digits.")
    return next(iter(found.values()))


def _heads(destination: Destination, account: AccountId, chunk: Chunk) -> Sequence[Head]:
    return [_head(frame) for frame in read_chunk(destination, account, chunk)]


def _head(frame: Frame) -> Head:
    return Head(frame.last, frame.hash, frame.recorded_at)
