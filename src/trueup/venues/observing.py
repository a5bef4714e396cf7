"""An account that only observes: whatever would change anything at its venue is refused before it is sent."""

from typing import NoReturn, cast

from trueup.model.errors import Rejected
from trueup.model.orders import Amendment, OrderRequest
from trueup.ports import LiveVenue


def observing(venue: LiveVenue) -> LiveVenue:
    """The same account, for reading."""
    return cast("LiveVenue", _Observing(venue))


_READING = frozenset(
    {
        "account", "capabilities", "warnings", "learnt", "health", "check", "instruments", "snapshot", "history",
        "cursor_at", "refused", "client_id", "marks", "stream", "prove", "find", "aclose",
    }
)  # fmt: skip
"""What a live venue offers that changes nothing there."""


class _Observing:
    """All of a live venue that reads. What writes raises :class:`Rejected`, and there is nothing else."""

    def __init__(self, venue: LiveVenue) -> None:
        self._venue = venue

    def __getattr__(self, name: str) -> object:
        if name not in _READING:
            raise AttributeError(f"{name} is not for an account that only observes")
        return getattr(self._venue, name)

    async def place(self, request: OrderRequest) -> NoReturn:
        raise self._refusal(f"the order {request.client_order_id!r} was not placed")

    async def cancel(self, instrument: str, venue_order_id: str) -> NoReturn:
        raise self._refusal(f"order {venue_order_id} in {instrument} was not cancelled")

    async def amend(self, instrument: str, venue_order_id: str, amendment: Amendment) -> NoReturn:
        raise self._refusal(f"order {venue_order_id} in {instrument} was not changed to {amendment}")

    async def close(self, instrument: str, position_side: str, client_order_id: str) -> NoReturn:
        raise self._refusal(f"the {position_side} position in {instrument} was not closed by {client_order_id!r}")

    def _refusal(self, told: str) -> Rejected:
        return Rejected(
            f"{self._venue.account} only observes: {told}.",
            remedy="Nothing was sent. Raise the account's stage in trueup.toml when it is to trade.",
            venue_code="observing",
        )
