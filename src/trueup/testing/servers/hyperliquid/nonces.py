"""Which nonces a signer may still use: each once, near the time, and above the least of the newest that are kept."""

from bisect import insort
from collections import defaultdict

KEPT = 100
"""Newest nonces of a signer that are remembered."""

WINDOW_MS = 86_400_000
"""How far a nonce may be from the venue's time."""


class Nonces:
    """The newest nonces of every signer."""

    def __init__(self) -> None:
        self._kept: dict[str, list[int]] = defaultdict(list)

    def take(self, signer: str, nonce: int, now_ms: int) -> str:
        """Use a nonce up; returns what is wrong with it instead, in the venue's words."""
        kept = self._kept[signer]
        least = max(kept[0] if len(kept) == KEPT else 0, now_ms - WINDOW_MS)
        if nonce in kept:
            return f"Invalid nonce: duplicate nonce {nonce}"
        if nonce < least:
            return f"Invalid nonce: nonce too low {nonce} < {least}"
        if nonce > now_ms + WINDOW_MS:
            return f"Invalid nonce: nonce too high {nonce} > {now_ms + WINDOW_MS}"
        insort(kept, nonce)
        del kept[:-KEPT]
        return ""
