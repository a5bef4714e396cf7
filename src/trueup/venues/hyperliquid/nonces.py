"""Nonces: whole milliseconds, each used once by a signer, each above the one before.

The venue keeps a signer's highest nonces and takes a new one that is above the smallest of them, unused, and within a
day of its own clock. Several accounts of a process may sign with one key, so what counts is the signer, not the
account. Two processes must not share one: neither would know of the other's nonces.
"""

from threading import Lock

from trueup.model.errors import Unavailable

AHEAD_MS_MAX = 3_600_000
"""How far ahead of the venue's clock a nonce may be: far less than the venue takes, far more than a burst needs."""


class Nonces:
    """Of one signer."""

    def __init__(self) -> None:
        self._last = 0
        self._lock = Lock()

    def next(self, now_ms: int) -> int:
        """One that was never given before.

        Args:
            now_ms: The venue's clock in milliseconds, as well as it is known.

        Raises:
            Unavailable: The clock was set back by hours: a nonce above the last one might not be taken. Nothing was
                sent.
        """
        with self._lock:
            nonce = max(now_ms, self._last + 1)
            if nonce - now_ms > AHEAD_MS_MAX:
                raise Unavailable(
                    f"The clock went back: the last nonce is {(nonce - now_ms) // 1000} s ahead of it.",
                    remedy="Nothing was sent. Set the clock by NTP.",
                )
            self._last = nonce
            return nonce


class Signers:
    """Those of this process."""

    def __init__(self) -> None:
        self._nonces: dict[str, Nonces] = {}
        self._lock = Lock()

    def nonces(self, address: str) -> Nonces:
        """Of a signer's address."""
        with self._lock:
            return self._nonces.setdefault(address.lower(), Nonces())


nonces_of = Signers().nonces
"""The nonces of a signer's address: the same for all who sign with it in this process."""
