"""An account that only observes has no way to change anything at its venue."""

import asyncio
from collections.abc import Awaitable
from decimal import Decimal

import pytest

from tests.engine.scripted import ScriptedVenue
from tests.venues.oanda.live.loopback import Loopback, connected
from trueup.model.errors import Rejected
from trueup.model.orders import Amendment, OrderRequest
from trueup.ports import LiveVenue
from trueup.venues.observing import observing

WRITES = {"place", "cancel", "amend", "close"}


def test_whatever_writes_is_refused_before_anything_is_sent() -> None:
    loopback = Loopback()

    async def tale() -> None:
        async with connected(loopback) as venue:
            seen = observing(venue)
            writes: list[Awaitable[object]] = [
                seen.place(OrderRequest("EUR/USD", "buy", Decimal(1), "c-1")),
                seen.cancel("EUR/USD", "1"),
                seen.amend("EUR/USD", "1", Amendment(price=Decimal(1))),
                seen.close("EUR/USD", "net", "c-2"),
            ]
            for write in writes:
                with pytest.raises(Rejected, match="only observes") as refusal:
                    await write
                assert refusal.value.venue_code == "observing"

    asyncio.run(tale())
    assert loopback.requests == []


def test_there_is_nothing_but_reading_and_what_is_refused() -> None:
    venue = ScriptedVenue()
    seen = observing(venue)
    offered = {name for name in (*dir(LiveVenue), *LiveVenue.__annotations__) if not name.startswith("_")}
    assert {name for name in offered - WRITES if not hasattr(seen, name)} == set()
    venue.sell_all = venue.place  # type: ignore[attr-defined]  # a way to write that came later
    assert not hasattr(seen, "sell_all")
    assert not hasattr(seen, "_heard")
