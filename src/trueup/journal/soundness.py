"""What must hold in a change before any store writes it."""

from itertools import pairwise

from trueup.ports import Change


def require_sound(change: Change) -> None:
    """Raises :class:`ValueError` for a change that contradicts itself: a mistake of ours, not of the store's."""
    frames = change.frames
    if not frames or change.seq != frames[-1].last:
        raise ValueError(f"{change.ledger}: a change is true at the seq of its last frame, not {change.seq}")
    for frame, following in pairwise(frames):
        if following.first != frame.last + 1 or following.previous != frame.hash:
            raise ValueError(f"{change.ledger}: frame {following.first} does not continue frame {frame.first}")
    if len(dict(change.keys)) < len(change.keys):
        raise ValueError(f"{change.ledger}: the same identity is booked twice up to {change.seq}")
    owners = {p.account for p in change.positions} | {b.account for b in change.balances}
    owners |= {o.account for o in change.orders} | {f.ledger for f in frames}
    if owners != {change.ledger}:
        raise ValueError(f"{change.ledger}: rows of {sorted(owners)}")
