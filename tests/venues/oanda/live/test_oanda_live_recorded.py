"""What OANDA once answered, through the live adapter: the shapes are the venue's own, and no server of ours."""

import asyncio
import json
from decimal import Decimal
from typing import Any

import pytest

from tests.venues.oanda.live.loopback import RECORDED, TOKEN, Loopback, connected, pulled
from trueup.model.events import FundingPaid
from trueup.model.orders import OrderRequest

pytestmark = pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded answers are not beside this checkout")


def recorded(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RECORDED / name).read_bytes())
    return found


def base(account_id: str) -> str:
    return f"GET /v3/accounts/{account_id}"


def told(account_id: str, summary: dict[str, Any]) -> Loopback:
    """A loopback that answers the first look with what was recorded."""
    loopback = Loopback(transactions=[{"id": "1"}])
    loopback.say(f"{base(account_id)}/instruments", *[(200, recorded("account-instruments.json"))] * 2)
    loopback.say(base(account_id), *[(200, summary)] * 2)
    return loopback


def test_the_recorded_account_is_looked_at() -> None:
    summary = recorded("account-account_summary.json")
    account_id = summary["account"]["id"]

    async def story() -> None:
        loopback = told(account_id, summary)
        loopback.say("GET /v3/accounts", (200, recorded("account-accounts.json")))
        async with connected(loopback, account_id=account_id) as venue:
            sentences = await venue.check()
            assert f"Account {account_id} holds 0 positions and 0 open orders, in USD" in " ".join(sentences)
            assert TOKEN not in str(sentences)
            assert len(await venue.instruments()) == len(recorded("account-instruments.json")["instruments"])

    asyncio.run(story())


def test_the_recorded_page_after_an_id_moves_the_cursor_to_its_end() -> None:
    page = recorded("transaction-sinceid.json")
    summary = recorded("account-account_summary.json")
    account_id = summary["account"]["id"]

    async def story() -> None:
        loopback = told(account_id, summary)
        loopback.say(f"{base(account_id)}/transactions/sinceid", (200, page))
        async with connected(loopback, account_id=account_id) as venue:
            facts, cursor = await pulled(venue, '{"id":412,"balance":"99991.1320"}')
            assert venue.refused() == []
            assert venue.warnings == ()
        assert json.loads(cursor) == {"id": 414, "balance": "99991.1237", "begins": False}
        assert [fact.amount for fact in facts if isinstance(fact, FundingPaid)] == [Decimal("-0.0083")]
        assert "sinceid?id=412" in loopback.requests[-1]

    asyncio.run(story())


def test_the_recorded_close_is_reported() -> None:
    summary = recorded("account-account_summary.json")
    account_id = "000-000-1234567-000"
    summary["account"]["id"] = account_id

    async def story() -> None:
        loopback = told(account_id, summary)
        held = {"long": {"units": "100", "averagePrice": "1.1"}, "short": {"units": "0"}, "instrument": "EUR_USD"}
        loopback.say(f"{base(account_id)}/positions/EUR_USD", (200, {"position": held}))
        closing = f"PUT /v3/accounts/{account_id}/positions/EUR_USD/close"
        loopback.say(closing, (200, recorded("position-close_position.json")))
        async with connected(loopback, account_id=account_id) as venue:
            report = await venue.close("EUR/USD", "net", "")
        assert (report.venue_order_id, report.side, report.status) == ("1085", "sell", "filled")
        assert (report.filled, report.reduce_only) == (Decimal(100), True)

    asyncio.run(story())


def test_the_recorded_order_rests() -> None:
    summary = recorded("account-account_summary.json")
    account_id = summary["account"]["id"]

    async def story() -> None:
        loopback = told(account_id, summary)
        answer = recorded("order-market_if_touched_order.json")
        loopback.say(f"POST /v3/accounts/{account_id}/orders", (201, answer))
        request = OrderRequest("GBP/USD", "buy", Decimal(100), "", "take_profit", trigger_price=Decimal("1.336"))
        async with connected(loopback, account_id=account_id) as venue:
            report = await venue.place(request)
        assert (report.status, report.trigger_price, report.quantity) == ("open", Decimal("1.336"), Decimal(100))

    asyncio.run(story())
