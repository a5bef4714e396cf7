"""How a connection is doing, for people and for the guards: counters that only its owner changes."""

import msgspec


class ConnectionHealth(msgspec.Struct):
    """Of one stream, or of the calls to one venue.

    Attributes:
        connected: Whether there is a connection now; None where each call makes its own.
        last_message_at: When the venue last said anything, in nanoseconds UTC; None when it never did.
        messages: How often it did.
        gaps: Times after which something may be missing; each ends in a pull of the history.
        reconnects: Connections after the first.
        errors: Calls or connections that failed.
        last_error: What the newest of them said.
    """

    connected: bool | None = None
    last_message_at: int | None = None
    messages: int = 0
    gaps: int = 0
    reconnects: int = 0
    errors: int = 0
    last_error: str = ""

    def heard(self, now: int) -> None:
        """The venue said something."""
        self.last_message_at = now
        self.messages += 1

    def failed(self, error: Exception) -> None:
        """A call or connection failed."""
        self.errors += 1
        self.last_error = str(error)

    def age_ms(self, now: int) -> int | None:
        """Milliseconds since the venue last said anything; None when it never did: unknown, not fresh."""
        return None if self.last_message_at is None else max(0, now - self.last_message_at) // 1_000_000
