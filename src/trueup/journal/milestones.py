"""Milestones: folded states of the past that are kept, so that asking about it does not fold a ledger from its start.

What lives only here: how often a state is taken, and which are kept. Recently they lie close; the further back, the
wider apart, in proportion to their age: a query then folds a few ten thousand events within the newest million, and a
small share of all events before that. Their number grows by :data:`DENSE` / 2 with each doubling of the ledger, and
what they take together stays a small part of the log, since a large state is taken less often.

Both rules are the same for every store. Which states are kept is a function of where they stand, so whoever deletes
twice, or late, ends with the same ones.
"""

from collections.abc import Iterable

from trueup.model.identifiers import Seq

NEWEST = 2
"""Kept in any case: the newest may be torn by the crash that makes it needed; the one before is there."""

SPACING = 16_384
"""Events from one to the next: as many are decoded and folded in a fifth of a second."""

DENSE = 64
"""How many of these spacings, counted back from the head, stay as they are: a million events."""

EVENTS_PER_POSITION = 8
"""Writing down a position takes about as long as booking an event, so this bounds what states cost to an eighth."""


def events_between(positions: int, least: int = SPACING) -> int:
    """Events after which the next state of so many positions is taken."""
    return max(least, EVENTS_PER_POSITION * positions)


def spacing(age: int) -> int:
    """How far apart states may lie that stand ``age`` events before the head: a power of two times :data:`SPACING`."""
    return SPACING << (max(age, 0) // (SPACING * DENSE)).bit_length()


def kept(seqs: Iterable[Seq], head: Seq) -> frozenset[Seq]:
    """Which of the states at ``seqs`` are kept once the ledger has come to ``head``.

    In each stretch of :func:`spacing` events it is the first one. Stretches of one spacing are halves of those of the
    next, so what a wider one keeps is never gone already. The stretch at the log's start needs none.
    """
    ordered = sorted(seqs)
    firsts: dict[tuple[int, int], Seq] = {}
    for seq in ordered:
        width = spacing(head - seq)
        if seq >= width:
            firsts.setdefault((width, seq // width), seq)
    return frozenset((*firsts.values(), *ordered[-NEWEST:]))
