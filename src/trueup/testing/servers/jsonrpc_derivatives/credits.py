"""How often one may ask: a pool of credits for each sort of request, which fills again all the time.

The figures are those that Deribit publishes for an account without volume.
"""

from collections.abc import Mapping

import msgspec

from trueup.ports import Clock


class Pool(msgspec.Struct, frozen=True):
    """Of what size a pool is, how fast it fills in a second, and what a request takes out."""

    most: int
    refill: int
    cost: int


MATCHING = Pool(20, 5, 1)
USUAL = Pool(50_000, 10_000, 500)
_OWN: Mapping[str, Pool] = {
    "public/get_instruments": Pool(500_000, 10_000, 10_000),
    "public/subscribe": Pool(30_000, 10_000, 3_000),
    "private/subscribe": Pool(30_000, 10_000, 3_000),
    "private/get_transaction_log": Pool(80_000, 10_000, 10_000),
}
"""Requests that have a pool of their own."""


class Credits:
    """What everybody has left, by who asks and for what."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._left: dict[tuple[str, str], tuple[float, float]] = {}

    def take(self, who: str, method: str, *, matching: bool) -> bool:
        """Whether a request may be answered; then it is paid for."""
        sort, pool = ("matching", MATCHING) if matching else (method, _OWN[method]) if method in _OWN else ("", USUAL)
        now = self._clock.monotonic()
        left, since = self._left.get((who, sort), (float(pool.most), now))
        left = min(left + (now - since) * pool.refill, float(pool.most))
        enough = left >= pool.cost
        self._left[who, sort] = (left - pool.cost if enough else left, now)
        return enough
