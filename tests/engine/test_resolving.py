"""An order of unknown outcome: looked up until it is found, or surely is none."""

from collections.abc import Sequence
from decimal import Decimal

import pytest

from tests.engine.scripted import ScriptedVenue
from tests.engine.world import ACCOUNT, PERP, START
from tests.venues.transport.timeless import now, run
from trueup.engine.resolving import PAUSES_S, resolve
from trueup.model.errors import AuthenticationFailed, OutcomeUnknown, RateLimited, Unavailable
from trueup.model.events import OrderReported
from trueup.model.venues import Capabilities

ORDER = OrderReported(ACCOUNT, PERP.symbol, "buy", Decimal(1), Decimal(0), "open", "7", START, "7-1", "mine")
DOWN = Unavailable("down")

Answer = OrderReported | Exception | None


def resolved(answers: Sequence[Answer], find: str = "surely") -> tuple[OrderReported | None, float, int]:
    async def story() -> tuple[OrderReported | None, float, int]:
        venue, began = ScriptedVenue(), now()
        venue.capabilities = Capabilities("exact", find=find)  # type: ignore[arg-type]  # one of the words
        venue.orders.extend(answers)
        return await resolve(venue, "mine"), now() - began, len(venue.orders)

    return run(story)


@pytest.mark.parametrize("before", range(len(PAUSES_S) + 1))
@pytest.mark.parametrize("nothing", [None, DOWN, RateLimited("too often")])
def test_an_order_that_shows_late_is_found(before: int, nothing: Answer) -> None:
    assert resolved([nothing] * before + [ORDER]) == (ORDER, sum(PAUSES_S[:before]), 0)


def test_only_a_sure_look_after_half_a_minute_says_that_it_was_not_placed() -> None:
    order, waited_s, left = resolved([None] * (len(PAUSES_S) + 1))
    assert (order, left) == (None, 0)
    assert waited_s >= 30


def test_where_the_last_look_fails_nothing_is_known() -> None:
    with pytest.raises(OutcomeUnknown, match=r"unknown still\. down"):
        resolved([None] * len(PAUSES_S) + [DOWN])


def test_not_finding_proves_nothing_where_the_venue_only_scans_a_window() -> None:
    with pytest.raises(OutcomeUnknown, match="cannot look an order up surely"):
        resolved([None] * (len(PAUSES_S) + 1), find="window")


def test_a_venue_that_refuses_to_be_asked_is_not_asked_again() -> None:
    with pytest.raises(AuthenticationFailed):
        resolved([AuthenticationFailed("who are you?")])
