"""The one clock of the running program. Nothing else reads the time."""

import time


class SystemClock:
    """`ports.Clock` on the operating system's clocks."""

    def now(self) -> int:
        """Wall clock in nanoseconds UTC."""
        return time.time_ns()

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()
