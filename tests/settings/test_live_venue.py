"""From settings to a connection: each venue's own, with its secrets, and nothing sent before it is asked for."""

import asyncio
from contextlib import aclosing
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from tests.venues.paper.world import BTC, MAIN, World, limit_order, market_order
from trueup.bootstrap.venues import live_venue
from trueup.engine.clock import SystemClock
from trueup.engine.reading import Hints
from trueup.model.errors import BadInput, Rejected
from trueup.model.identifiers import account_id
from trueup.model.orders import Amendment, OrderRequest
from trueup.model.venues import Gap
from trueup.ports import LiveVenue
from trueup.settings import AccountSettings, load_settings
from trueup.venues.coinbase.live import CoinbaseVenue
from trueup.venues.hyperliquid.live import HyperliquidVenue
from trueup.venues.jsonrpc_derivatives.live import EngineVenue
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


def test_accounts_of_one_network_address_share_its_limits(tmp_path: Path) -> None:
    text = f'[accounts."hyperliquid:main"]\nstage = "trade"\naddress = "{ADDRESS}"\n'

    async def main() -> None:
        limiters = []
        for settings in (text, text, text + 'environment = "testnet"\n'):
            venue = connected(tmp_path, settings)
            assert isinstance(venue, HyperliquidVenue)
            limiters.append(venue._session.transport.limiter)
            await venue.aclose()
        assert limiters[0] is limiters[1]
        assert limiters[0] is not limiters[2]

    asyncio.run(main())


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
        with pytest.raises(Rejected, match="hyperliquid:main only observes"):
            await venue.place(OrderRequest("BTC/USDC:USDC", "buy", Decimal(1), "trend-1"))
        await venue.aclose()
        with pytest.raises(BadInput, match="this variable is not set"):
            connected(tmp_path, text.format("correct"))

    asyncio.run(main())


def test_an_account_at_oanda(tmp_path: Path) -> None:
    text = '[accounts."oanda:fx"]\nstage = "correct"\naccount_id = "101-004-1234567-001"\ntoken = "env:T"\n'

    async def main() -> None:
        venue = connected(tmp_path, text, {"T": "t0ken"})
        assert isinstance(venue, OandaVenue)
        await venue.aclose()
        with pytest.raises(BadInput, match="this variable is not set"):
            connected(tmp_path, text)

    asyncio.run(main())


def test_an_account_on_paper_that_observes_reads_everything_and_changes_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        world = World()
        resting = world.exchange.place(MAIN, limit_order("buy", "0.1", "50000", "grid-1"))
        world.trade("0.1")
        before = world.facts()
        async with PaperServer(world.exchange) as server:
            venue = connected(tmp_path, f'[accounts."{MAIN}"]\nport = {server.port}\n')
            assert "paper:main is open" in (await venue.check())[0]
            assert (await venue.snapshot()).positions
            assert await venue.find("grid-1") == resting
            async with aclosing(venue.stream()) as stream:
                assert isinstance(await anext(aiter(stream)), Gap)
            for write in (
                venue.place(market_order("buy", "0.1", "trend-1")),
                venue.cancel(BTC, resting.venue_order_id),
                venue.amend(BTC, resting.venue_order_id, Amendment(price=Decimal(1))),
                venue.close(BTC, "net", "trend-2"),
            ):
                with pytest.raises(Rejected, match="only observes") as refused:
                    await write
                assert refused.value.remedy.startswith("Nothing was sent")
            await venue.aclose()
        assert world.facts() == before

    asyncio.run(main())


def test_an_account_on_paper_that_trades(tmp_path: Path) -> None:
    async def main() -> None:
        async with PaperServer(World().exchange) as server:
            venue = connected(tmp_path, f'[accounts."{MAIN}"]\nstage = "trade"\nport = {server.port}\n')
            assert (await venue.place(market_order("buy", "0.1", "trend-1"))).status == "filled"
            await venue.aclose()

    asyncio.run(main())


def test_an_account_at_coinbase_has_a_key_of_two_parts(tmp_path: Path) -> None:
    text = '[accounts."coinbase:main"]\nkey = "env:NAME"\nsecret = "env:PEM"\n'
    environment = {"NAME": "organizations/1/apiKeys/2", "PEM": "-----BEGIN EC PRIVATE KEY-----\nAAAA\n"}

    async def main() -> None:
        venues = [connected(tmp_path, text, environment) for _ in range(2)]
        limiters = {venue._session.transport.limiter for venue in map(_below_observing, venues)}
        assert len(limiters) == 1
        for venue in venues:
            await venue.aclose()

    asyncio.run(main())
    for variable in environment:
        with pytest.raises(BadInput, match="this variable is not set"):
            connected(tmp_path, text, {name: value for name, value in environment.items() if name != variable})
    with pytest.raises(BadInput, match="key="):
        connected(tmp_path, '[accounts."coinbase:main"]\n')


def _below_observing(venue: LiveVenue) -> CoinbaseVenue:
    below = vars(venue)["_venue"]
    assert isinstance(below, CoinbaseVenue)
    return below


def test_a_venue_without_a_connection_is_said() -> None:
    account = AccountSettings(account=account_id("elsewhere", "main"))
    with pytest.raises(BadInput, match="no connection to this venue"):
        live_venue(account, environment={}, clock=SystemClock(), random=Random(1), hints=Hints())


def test_an_account_at_deribit_is_at_the_address_of_its_environment(tmp_path: Path) -> None:
    text = '[accounts."deribit:main"]\nstage = "trade"\nkey = "env:ID"\nsecret = "env:SECRET"\n'
    addresses = {"live": "https://www.deribit.com/api/v2", "test": "https://test.deribit.com/api/v2"}

    async def main() -> None:
        for environment, address in addresses.items():
            settings = f'{text}environment = "{environment}"\n'
            venue = connected(tmp_path, settings, {"ID": "amanda", "SECRET": "AMANDASECRECT"})
            assert isinstance(venue, EngineVenue)
            assert venue._rest_url == address
            await venue.aclose()
        with pytest.raises(BadInput, match="this variable is not set"):
            connected(tmp_path, text, {"ID": "amanda"})

    asyncio.run(main())


def test_an_account_at_coinbases_derivatives_gateway_is_one_of_its_own(tmp_path: Path) -> None:
    text = '[accounts."coinbase_derivatives:main"]\nstage = "trade"\nkey = "env:NAME"\nsecret = "env:PEM"\n'
    environment = {"NAME": "organizations/1/apiKeys/2", "PEM": "-----BEGIN EC PRIVATE KEY-----\nAAAA\n"}

    async def main() -> None:
        venue = connected(tmp_path, text, environment)
        assert isinstance(venue, EngineVenue)
        assert venue.account == "coinbase_derivatives:main"
        assert venue._rest_url == "https://drb.coinbase.com/api/v2"
        await venue.aclose()

    asyncio.run(main())
