"""Exact dedupe: which facts are booked already, whatever time they carry.

The newest keys are in memory, all others in the views. A key leaves memory only when the views have it, so between the
two every key is found. So that a new fact need not wait for the disk to say that it is new, a bit is kept for every key
ever booked: where the bit of a key is not set, it was never booked; where it is, the views are asked.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b

from trueup.model.errors import ViewsFailed
from trueup.model.events import Event, InstrumentDefined, Quarantined, SourceRead
from trueup.model.facts import fact_key
from trueup.model.identifiers import Seq

GENERATION = 100_000
"""Keys per generation; two are kept, about 30 MB at most."""

BITS = 1 << 24
"""Two megabytes a ledger: once a million keys are booked, 6 % of new facts cost a look-up for nothing."""

_MASK = BITS - 1

Find = Callable[[Sequence[str]], Mapping[str, Seq]]


def identity(event: Event) -> str | None:
    """The key under which the booking of an event is remembered; None when it needs none.

    Definitions of instruments are known by symbol and version in the book; a quarantined offer is remembered by its
    content, so that offering the same again quarantines it once; a file by its name and content.
    """
    if isinstance(event, Quarantined):
        return f"quarantined|{blake2b(event.offered + event.source.encode(), digest_size=16).hexdigest()}"
    if isinstance(event, SourceRead):
        return f"source|{event.sha256}|{event.name}"
    return None if isinstance(event, InstrumentDefined) else fact_key(event)


class Keys:
    """The identities booked in one ledger.

    Args:
        find: Looks keys up in the views.
        known: Every key booked so far.
        history: Every event of the ledger so far, for when the views fail.
    """

    def __init__(self, find: Find, known: Iterable[str], history: Callable[[], Iterable[tuple[Seq, Event]]]) -> None:
        self._bits = bytearray(BITS // 8)
        self._set_bits(known)
        self._find = find
        self._history = history
        self._logged: dict[str, Seq] | None = None
        self._young: dict[str, Seq] = {}
        self._old: dict[str, Seq] = {}
        self._young_last = self._old_last = Seq(0)

    def booked(self, keys: Iterable[str]) -> dict[str, Seq]:
        """Seqs of those of the keys that are booked already."""
        bits, marked = self._bits, []
        for key in keys:
            bit = hash(key) & _MASK
            if bits[bit >> 3] >> (bit & 7) & 1:
                marked.append(key)
        if not marked:
            return {}
        known = {key: seqs[key] for seqs in (self._old, self._young) for key in marked if key in seqs}
        elsewhere = [key for key in marked if key not in known]
        if elsewhere:
            known.update(self._look_up(elsewhere))
        return known

    def add(self, booked: Sequence[tuple[str, Seq]]) -> None:
        """Remember facts that are being booked."""
        if booked:
            self._young.update(booked)
            if self._logged is not None:
                self._logged.update(booked)
            self._set_bits([key for key, _ in booked])
            self._young_last = booked[-1][1]

    def _set_bits(self, keys: Iterable[str]) -> None:
        bits = self._bits
        for key in keys:
            bit = hash(key) & _MASK
            bits[bit >> 3] |= 1 << (bit & 7)

    def _look_up(self, keys: Sequence[str]) -> Mapping[str, Seq]:
        """Ask the views; once they fail, the log, which takes a while and then all keys are in memory."""
        if self._logged is None:
            try:
                return self._find(keys)
            except ViewsFailed:
                booked = ((identity(event), seq) for seq, event in self._history())
                self._logged = {key: seq for key, seq in booked if key is not None}
        logged = self._logged
        return {key: logged[key] for key in keys if key in logged}

    def views_answer(self) -> None:
        """The views answer again: what was read from the log for want of them may go."""
        self._logged = None

    def forget_old(self, applied: Seq) -> None:
        """Make room, as far as the views have taken over: ``applied`` is the last seq they hold."""
        if len(self._young) >= GENERATION and self._old_last <= applied:
            self._old, self._old_last, self._young = self._young, self._young_last, {}
