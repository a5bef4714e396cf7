"""What may happen to a venue's answers between its adapter and who asks: late, old, in part, wrong, or never."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, cast

from trueup.model.differences import VenueSnapshot
from trueup.model.events import Fact, InstrumentDefined
from trueup.model.facts import order_key
from trueup.ports import LiveVenue


class Between:
    """A venue over its adapter, whose answers are tampered with.

    Attributes:
        told_until: Venue time of the newest facts that the history tells so far; None where it tells all.
        forgot_until: Venue time up to which the history has aged out; 0 where it tells all.
        state: What becomes of a snapshot.
    """

    def __init__(self, venue: LiveVenue) -> None:
        self.told_until: int | None = None
        self.forgot_until = 0
        self.state: Callable[[VenueSnapshot], VenueSnapshot] = lambda seen: seen
        self._venue = venue

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the adapter has
        return getattr(self._venue, name)

    async def snapshot(self) -> VenueSnapshot:
        return self.state(await self._venue.snapshot())

    async def history(self, cursor: str | None) -> AsyncIterator[tuple[Sequence[Fact], str]]:
        """A page that is not told yet does not move the cursor; one that has aged out does."""
        async for facts, behind in self._venue.history(cursor):
            told = [fact for fact in facts if self._tells(fact)]
            cursor = behind if self.told_until is None else cursor or ""
            yield told, cursor

    def _tells(self, fact: Fact) -> bool:
        if isinstance(fact, InstrumentDefined):
            return True
        return self.forgot_until < order_key(fact)[0] and (
            self.told_until is None or order_key(fact)[0] <= self.told_until
        )


def between(venue: LiveVenue) -> tuple[Between, LiveVenue]:
    """The same venue twice: to tamper with, and to be asked."""
    tampered = Between(venue)
    return tampered, cast("LiveVenue", tampered)
