"""How often an app may ask: so many requests in each second by the calendar, by what they ask for."""

from collections.abc import Mapping

from trueup.model.times import NS_PER_SECOND
from trueup.ports import Clock
from trueup.testing.servers.zerodha.wire import NETWORK, Refusal

QUOTES, ORDERS, OTHERS = "quotes", "orders", "others"

USUAL: Mapping[str, int] = {QUOTES: 1, ORDERS: 10, OTHERS: 10}
"""In a second, as the venue documents it."""

NONE: Mapping[str, int] = {}
"""As often as one likes."""

_TOO_MANY = 429


class Limits:
    """Requests of the present second, by app and kind."""

    def __init__(self, clock: Clock, most: Mapping[str, int]) -> None:
        self._clock = clock
        self._most = most
        self._second = 0
        self._counts: dict[tuple[str, str], int] = {}

    def count(self, api_key: str, kind: str) -> None:
        """Count a request. Raises :class:`Refusal` for one too many, which counts as well."""
        second = self._clock.now() // NS_PER_SECOND
        if second != self._second:
            self._second = second
            self._counts.clear()
        count = self._counts[api_key, kind] = self._counts.get((api_key, kind), 0) + 1
        if kind in self._most and count > self._most[kind]:
            raise Refusal(NETWORK, "Too many requests", _TOO_MANY)
