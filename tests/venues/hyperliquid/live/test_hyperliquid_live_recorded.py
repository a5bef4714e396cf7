"""The adapter, reaching a venue that answers with what the real one was recorded to say."""

import json
from collections.abc import Mapping

import pytest

from tests.venues.hyperliquid.live.scripted import Script, run
from tests.venues.hyperliquid.saved import RECORDINGS
from trueup.model.events import FundingPaid, TransferBooked
from trueup.venues.files import open_answers
from trueup.venues.hyperliquid.live import HyperliquidVenue

CASSETTES = RECORDINGS / "sdk-cassettes"

pytestmark = pytest.mark.skipif(not CASSETTES.exists(), reason="the recorded answers are not here")


def recorded(name: str) -> tuple[Mapping[str, str], bytes]:
    """A recorded request and its answer."""
    (answer,) = open_answers(CASSETTES / f"{name}.yaml")
    return json.loads(answer.request or b"{}"), answer.data


def test_a_recorded_state_is_read_whole() -> None:
    script = Script()
    request, state = recorded("test_get_user_state")
    _, orders = recorded("test_get_open_orders")
    script.info |= {"clearinghouseState": state, "frontendOpenOrders": orders}
    snapshot = run(lambda venue: venue.snapshot(), script, address=request["user"])
    assert not snapshot.failed
    assert not snapshot.unmapped
    assert len(snapshot.positions) == state.count(b'"szi"')
    assert len(snapshot.open_orders) == orders.count(b'"oid"')
    assert all(position.mark_price for position in snapshot.positions.values())


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("test_user_funding_history_with_end_time", FundingPaid),
        ("test_user_non_funding_ledger_updates_with_end_time", TransferBooked),
        ("test_user_twap_slice_fills", object),
    ],
)
def test_recorded_lists_are_history(name: str, kind: type) -> None:
    script = Script()
    request, body = recorded(name)
    script.info[request["type"]] = body

    async def story(venue: HyperliquidVenue) -> int:
        facts = [fact async for page, _ in venue.history(None) for fact in page]
        assert venue.refused() == []
        assert not venue.warnings
        return sum(isinstance(fact, kind) for fact in facts)

    assert run(story, script, address=request["user"]) == body.count(b'"time"')
