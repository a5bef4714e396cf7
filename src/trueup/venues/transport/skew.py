"""How far a venue's clock is from ours. What lives only here: the estimate, and when to refuse to go on.

Each answer that carries the venue's time bounds the offset between the two clocks: it was read off between our sending
and our receiving. Answers that came quickly bound it best, so the narrowest of the recent ones counts; the estimate is
off by no more than half its round trip (the rule of NTP, RFC 5905, section 8). Two answers that cannot both be true
show that a clock was set between them: the older one is forgotten.
"""

from collections import deque

import msgspec

from trueup.model.errors import Unavailable
from trueup.model.times import NS_PER_MS

SAMPLES = 32
"""Recent answers that are weighed; older ones say nothing of how the clocks drift."""


class Offset(msgspec.Struct, frozen=True):
    """The venue's clock minus ours, in nanoseconds; off by at most ``error_ns``."""

    offset_ns: int
    error_ns: int


class ClockSkew:
    """The offset of one venue's clock.

    Args:
        refused_ms: An offset surely beyond this is refused: signatures and expiries of orders would not hold.
    """

    def __init__(self, refused_ms: int) -> None:
        self._refused_ms = refused_ms
        self._samples: deque[Offset] = deque(maxlen=SAMPLES)

    def answered(self, sent_at: int, venue_time: int, received_at: int, resolution_ns: int = NS_PER_MS) -> None:
        """Weigh an answer; one that was received before it was sent, because our clock was set meanwhile, says nothing.

        Args:
            sent_at: Our time before it, in nanoseconds UTC.
            venue_time: The venue's in it.
            received_at: Our time after it.
            resolution_ns: What the venue's time is cut to.
        """
        trip = received_at - sent_at
        if trip >= 0:
            middle = venue_time + resolution_ns // 2
            error = (trip + resolution_ns) // 2 + 1
            newest = Offset(middle - sent_at - trip // 2, error)
            agreeing = (one for one in self._samples if abs(one.offset_ns - newest.offset_ns) <= one.error_ns + error)
            self._samples = deque([*agreeing, newest], maxlen=SAMPLES)

    @property
    def offset(self) -> Offset | None:
        """The best estimate; None before the first answer."""
        return min(self._samples, key=lambda sample: sample.error_ns, default=None)

    def venue_now(self, now: int) -> int:
        """What the venue's clock shows when ours shows ``now``; ours, until the venue said anything."""
        offset = self.offset
        return now if offset is None else now + offset.offset_ns

    def require_close(self) -> None:
        """Refuse to send what carries a time while the clocks are too far apart.

        Raises:
            Unavailable: The offset is beyond what was allowed, whatever the error of the estimate. Nothing was sent.
        """
        offset = self.offset
        if offset is None or abs(offset.offset_ns) - offset.error_ns <= self._refused_ms * NS_PER_MS:
            return
        behind = "behind" if offset.offset_ns > 0 else "ahead of"
        raise Unavailable(
            f"This machine's clock is {abs(offset.offset_ns) / 1e9:.3f} s {behind} the venue's; "
            f"at most {self._refused_ms / 1000:g} s are allowed.",
            remedy="Nothing was sent. Set the clock by NTP.",
        )
