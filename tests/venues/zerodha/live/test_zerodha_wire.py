"""The calls of an account share nothing that some of them could use up for those that cannot wait."""

import asyncio
from pathlib import Path

import pytest

from tests.venues.transport.rawserver import Exchange, serving
from tests.venues.zerodha.kite_rows import ACCOUNT
from tests.venues.zerodha.live.loopback import API_KEY, TOKEN, USER, StillClock
from trueup.venues.transport.http import CONNECTIONS
from trueup.venues.transport.limiter import Priority, Window
from trueup.venues.transport.secrets import Secret
from trueup.venues.zerodha import calls, tokens
from trueup.venues.zerodha.wire import Wire


def test_reads_and_orders_that_hang_leave_connections_for_a_cancel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limits in ("LIMITS", "ORDER_LIMITS"):
        monkeypatch.setattr(calls, limits, (Window(1_000, 1.0),))
    full = asyncio.Event()
    seen: list[str] = []

    async def answering(exchange: Exchange) -> None:
        if exchange.line.startswith("DELETE"):
            await exchange.answer(body=b'{"status":"success","data":{"order_id":"1"}}')
            return
        seen.append(exchange.line)
        if len(seen) >= CONNECTIONS:
            full.set()
        await asyncio.Event().wait()

    async def story() -> None:
        kept = tokens.TokenFile(tmp_path / "login", ACCOUNT)
        kept.save(tokens.login(USER, TOKEN, StillClock().now()))
        async with serving(answering) as (url, _):
            wire = Wire(Secret("env:KEY", API_KEY), kept, url, "", StillClock())
            read, order = calls.get(calls.TRADES), calls.place({}, Priority.REST)
            hanging = [asyncio.create_task(wire.ask(call)) for call in (read, order) for _ in range(CONNECTIONS)]
            await full.wait()
            assert b"success" in await wire.ask(calls.cancel(calls.REGULAR, "1"))
            for task in hanging:
                task.cancel()
            await asyncio.gather(*hanging, return_exceptions=True)
            await wire.aclose()

    asyncio.run(story())
