"""The adapter, reaching a venue that answers with what the real one was recorded to say."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from tests.venues.coinbase.coinbase_rows import future
from tests.venues.coinbase.live.scripted import Asked, Script, run
from trueup.model.events import Fact, FillBooked
from trueup.venues.coinbase.live import CoinbaseVenue
from trueup.venues.coinbase.stream import Conversation, Pushed

DATA = Path(__file__).resolve().parents[4].parent / "shared" / "venue-data" / "coinbase" / "nautilus"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the recorded answers are not beside this checkout")


def recorded(name: str) -> bytes:
    return (DATA / f"{name}.json").read_bytes()


def products(asked: Asked) -> object:
    """The recorded spot products, and terms for the future that is held in the recorded positions."""
    listed = {**future(contract_size="0.01"), "product_id": "BIP-20DEC30-CDE"}
    return {"products": [listed]} if asked.query.get("product_type") == ["FUTURE"] else recorded("http_products")


def test_a_recorded_state_is_read_whole() -> None:
    listed = [b'{"orders": []}', recorded("http_orders_list")]
    script = Script(
        **{
            "GET products": products,
            "GET accounts": recorded("http_accounts"),
            "GET cfm/positions": recorded("http_cfm_positions"),
            "GET orders/historical/batch": lambda asked: listed[asked.query["order_status"] == ["OPEN"]],
        }
    )
    snapshot = run(lambda venue: venue.snapshot(), script)
    assert (snapshot.failed, snapshot.unmapped) == ({}, {})
    assert snapshot.balances["USD"] == Decimal("10450.50")
    (position,) = snapshot.positions.values()
    assert (position.quantity, position.entry_price, position.liquidation_price) == (2, 49000, 40000)
    assert "0000-000000-000001" in snapshot.open_orders


def test_recorded_fills_are_history_oldest_first() -> None:
    script = Script(**{"GET products": products, "GET orders/historical/fills": recorded("http_fills")})

    async def story(venue: CoinbaseVenue) -> Sequence[Fact]:
        facts = [fact async for page, _ in venue.history(None) for fact in page]
        assert venue.refused() == []
        return facts

    booked = [fact for fact in run(story, script) if isinstance(fact, FillBooked)]
    assert [(fact.instrument, fact.fee) for fact in booked] == [
        ("ETH/USD", Decimal("0.50")),
        ("BTC/USD", Decimal("1.14")),
    ]


def test_recorded_messages_are_read_as_they_come() -> None:
    async def story(venue: CoinbaseVenue) -> Sequence[Pushed]:
        await venue.instruments()
        conversation = Conversation(venue._session)
        conversation.read(recorded("ws_heartbeats"))
        return conversation.read(recorded("ws_user"))

    (pushed,) = run(story, Script(**{"GET products": products}))
    assert (pushed.lists, pushed.continues) == (True, False)
    (report,) = pushed.reports
    assert (report.status, report.quantity, report.client_order_id) == ("open", Decimal("0.001"), "11111-000000-000001")
