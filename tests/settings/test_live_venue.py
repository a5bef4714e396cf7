"""From settings to a connection: each venue's own, with its secrets, and nothing sent before it is asked for."""

import asyncio
from pathlib import Path
from random import Random

import pytest

from tests.venues.paper.world import MAIN, World
from trueup.bootstrap import live_venue
from trueup.engine.clock import SystemClock
from trueup.engine.reading import Hints
from trueup.model.errors import BadInput
from trueup.ports import LiveVenue
from trueup.settings import load_settings
from trueup.venues.hyperliquid.live import HyperliquidVenue
from trueup.venues.oanda.live import OandaVenue
from trueup.venues.paper.server import PaperServer

ADDRESS = "0x" + "a1" * 20
KEY = "0x" + "11" * 32


def connected(tmp_path: Path, text: str, environment: dict[str, str] | None = None) -> LiveVenue:
    """The only account of a file of settings."""
    file = tmp_path / "trueup.toml"
    file.write_text(text)
    (account,) = load_settings(file, {}).accounts.values()
    return live_venue(account, environment=environment or {}, clock=SystemClock(), random=Random(1), hints=Hints())


def test_an_account_at_hyperliquid(tmp_path: Path) -> None:
    text = f'[accounts."hyperliquid:main"]\nstage = "trade"\naddress = "{ADDRESS}"\nsigner = "env:AGENT"\n'

    async def main() -> None:
        venue = connected(tmp_path, text, {"AGENT": KEY})
        assert isinstance(venue, HyperliquidVenue)
        assert venue.account == "hyperliquid:main"
        await venue.aclose()

    asyncio.run(main())


def test_an_account_that_only_observes_is_given_no_key(tmp_path: Path) -> None:
    text = f'[accounts."hyperliquid:main"]\nstage = "{{}}"\naddress = "{ADDRESS}"\nsigner = "env:AGENT"\n'

    async def main() -> None:
        venue = connected(tmp_path, text.format("observe"))
        assert isinstance(venue, HyperliquidVenue)
        await venue.aclose()
        with pytest.raises(BadInput, match="this variable is not set"):
            connected(tmp_path, text.format("correct"))

    asyncio.run(main())


def test_an_account_at_oanda(tmp_path: Path) -> None:
    text = '[accounts."oanda:fx"]\naccount_id = "101-004-1234567-001"\ntoken = "env:T"\n'

    async def main() -> None:
        venue = connected(tmp_path, text, {"T": "t0ken"})
        assert isinstance(venue, OandaVenue)
        await venue.aclose()
        with pytest.raises(BadInput, match="this variable is not set"):
            connected(tmp_path, text)

    asyncio.run(main())


def test_an_account_on_paper(tmp_path: Path) -> None:
    async def main() -> None:
        async with PaperServer(World().exchange) as server:
            venue = connected(tmp_path, f'[accounts."{MAIN}"]\nport = {server.port}\n')
            assert "paper:main is open" in (await venue.check())[0]
            await venue.aclose()

    asyncio.run(main())


def test_a_venue_without_a_connection_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no connection to this venue"):
        connected(tmp_path, '[accounts."coinbase:main"]\n')
