"""From settings to an exchange of ccxt: what it asks for is asked for by our names, and a reader is given no key."""

import asyncio
from pathlib import Path
from random import Random

import pytest

from trueup.bootstrap.venues import live_venue
from trueup.engine.clock import SystemClock
from trueup.engine.reading import Hints
from trueup.model.errors import BadInput, BadSettings, Rejected
from trueup.ports import LiveVenue
from trueup.settings import load_settings
from trueup.venues.ccxt.live import CcxtVenue

BYBIT = '[accounts."bybit:main"]\nvenue = "ccxt"\nexchange = "bybit"\nstage = "trade"\n'
KEYS = 'key = "env:K"\nsecret = "env:S"\n'
SECRETS = {"K": "the-key", "S": "the-secret", "P": "the-password", "W": "0x" + 32 * "11"}


async def connected(tmp_path: Path, text: str) -> LiveVenue:
    file = tmp_path / "trueup.toml"
    file.write_text(text)
    (account,) = load_settings(file, {}).accounts.values()
    return live_venue(account, environment=SECRETS, clock=SystemClock(), random=Random(1), hints=Hints())


def test_an_account_at_an_exchange_of_ccxt(tmp_path: Path) -> None:
    async def main() -> None:
        venue = await connected(tmp_path, BYBIT + KEYS + 'rest_url = "http://127.0.0.1:1"\n')
        assert isinstance(venue, CcxtVenue)
        assert (venue.account, venue.learnt) == ("bybit:main", {"exchange": "bybit"})
        assert venue._exchange.urls["api"]["private"] == "http://127.0.0.1:1"
        assert (venue._exchange.apiKey, venue._exchange.secret) == ("the-key", "the-secret")
        assert "the-secret" not in repr(vars(venue._session)["_credentials"])
        await venue.aclose()

    asyncio.run(main())


def test_the_test_system_is_another_one(tmp_path: Path) -> None:
    async def main() -> None:
        venue = await connected(tmp_path, BYBIT + KEYS + 'environment = "sandbox"\n')
        assert isinstance(venue, CcxtVenue)
        assert "testnet" in str(venue._exchange.urls["api"])
        await venue.aclose()
        with pytest.raises(BadInput, match="has no test system"):
            await connected(tmp_path, BYBIT.replace('"bybit"', '"bitfinex"') + KEYS + 'environment = "sandbox"\n')

    asyncio.run(main())


@pytest.mark.parametrize(
    ("text", "missing"),
    [(BYBIT, "key"), (BYBIT + 'key = "env:K"\n', "secret"), (BYBIT.replace("bybit", "okx") + KEYS, "password")],
)
def test_what_an_exchange_asks_for_is_named(tmp_path: Path, text: str, missing: str) -> None:
    with pytest.raises(BadInput) as told:
        asyncio.run(connected(tmp_path, text))
    assert told.value.field == missing
    assert told.value.remedy.startswith(f"Name {missing}")


def test_an_exchange_that_ccxt_does_not_know_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="ccxt knows no such exchange"):
        asyncio.run(connected(tmp_path, BYBIT.replace('"bybit"', '"nobody"') + KEYS))


@pytest.mark.parametrize(("stage", "key"), [("observe", None), ("trade", SECRETS["W"])])
def test_a_wallet_that_is_only_read_is_given_no_key(tmp_path: Path, stage: str, key: str | None) -> None:
    text = (
        f'[accounts."hl:main"]\nvenue = "ccxt"\nexchange = "hyperliquid"\nstage = "{stage}"\n'
        f'wallet = "0x{40 * "1"}"\nsecret = "env:W"\n'
    )

    async def main() -> None:
        venue = await connected(tmp_path, text)
        exchange = venue._exchange if isinstance(venue, CcxtVenue) else vars(venue)["_venue"]._exchange
        assert (exchange.privateKey or None) == key
        assert exchange.walletAddress == "0x" + 40 * "1"
        if stage == "observe":
            with pytest.raises(Rejected, match="only observes"):
                await venue.close("BTC/USDC:USDC", "net", "x")
        await venue.aclose()

    asyncio.run(main())


def test_the_same_key_under_two_names_is_a_mistake(tmp_path: Path) -> None:
    file = tmp_path / "trueup.toml"
    file.write_text(BYBIT + KEYS + BYBIT.replace("bybit:main", "bybit:other") + KEYS)
    with pytest.raises(BadSettings, match="the same account at its venue as bybit:main"):
        load_settings(file, {})
