"""Key, secret, request token and access token of Kite are nowhere but on the wire and in the login's own file."""

import asyncio
import logging
import traceback
from contextlib import suppress
from decimal import Decimal
from http.client import HTTPConnection
from pathlib import Path
from random import Random

import pytest

from tests.venues import test_leaks as leaks
from trueup.bootstrap import open_store
from trueup.bootstrap.venues import live_venue, venue_login
from trueup.engine.clock import SystemClock
from trueup.engine.reading import Hints
from trueup.model.errors import TrueupError
from trueup.settings import load_settings
from trueup.testing.servers.serving import serving
from trueup.testing.servers.zerodha.demo import ACCOUNT, demo_markets
from trueup.testing.servers.zerodha.hours import always
from trueup.testing.servers.zerodha.server import ZerodhaServer
from trueup.testing.servers.zerodha.sessions import App
from trueup.venues.paper.exchange import PaperExchange
from trueup.venues.zerodha.login import request_token

NIFTY = "NFO.NIFTY30DECFUT.NRML/INR:INR"
SECRET = "planted-5ec2e7-secret"
ENVIRONMENT = {"KEY": "plainkey", "SECRET": SECRET}
REDIRECT = "http://127.0.0.1:8765/"


@pytest.fixture(autouse=True)
def _everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    for name in ("", "asyncio", "httpx", "httpcore", "stamina", "trueup", "websockets", "websockets.client"):
        caplog.set_level(logging.DEBUG, logger=name)


def server() -> ZerodhaServer:
    exchange = PaperExchange(demo_markets(), clock=SystemClock(), random=Random(1))
    exchange.open_account(ACCOUNT, {"INR@equity": Decimal(1_000_000_000)})
    apps = {ACCOUNT: App("plainkey", SECRET, "AB1234", REDIRECT)}
    return ZerodhaServer(exchange, apps, clock=SystemClock(), random=Random(2), hours=always)


def browse(host: str, port: int, url: str) -> str:
    """Where a browser is sent on to, which writes nothing down."""
    line = HTTPConnection(host, port)
    try:
        line.request("GET", url.partition(str(port))[2])
        return line.getresponse().getheader("location", "")
    finally:
        line.close()


def settings(folder: Path, http: str, ws: str) -> str:
    return f"""
[accounts."{ACCOUNT}"]
stage = "trade"
api_key = "env:KEY"
secret = "env:SECRET"
token_file = "{folder / "kept" / "login"}"
rest_url = "{http}"
stream_url = "{ws}"
login_url = "{http}/connect/login"
"""


def test_a_day_with_its_login_and_logout_leaves_no_trace(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    errors: list[Exception] = []

    async def main() -> None:
        async with serving(server()) as address:
            (tmp_path / "trueup.toml").write_text(settings(tmp_path, address.http, address.ws))
            (account,) = load_settings(tmp_path / "trueup.toml", ENVIRONMENT).accounts.values()
            flow = venue_login(account, environment=ENVIRONMENT, clock=SystemClock())
            sent_on = await asyncio.to_thread(browse, address.host, address.port, flow.url)
            await flow.complete(sent_on)
            token = (tmp_path / "kept" / "login").read_text().partition('"access_token":"')[2].partition('"')[0]
            monkeypatch.setattr(leaks, "NEEDLES", [token, request_token(sent_on)])  # the server shows its app's secret
            venue = live_venue(account, environment=ENVIRONMENT, clock=SystemClock(), random=Random(1), hints=Hints())
            store = open_store(tmp_path / "data" / "store")
            await leaks.use(venue, store, NIFTY, Decimal(65))
            assert leaks.check_reprs(venue, flow, account) > 100
            monkeypatch.setattr(leaks, "NEEDLES", [SECRET, *leaks.NEEDLES])
            await flow.end()
            for refused in (venue.check, flow.end, venue.snapshot):
                try:
                    await refused()
                except TrueupError as error:
                    errors.append(error)
            await venue.aclose()
            await flow.aclose()
            store.close()

    asyncio.run(main())
    assert len(errors) == 3
    leaks.check_errors(errors)
    assert leaks.check_files(tmp_path / "data") > 3
    leaks.check_logs(caplog)
    assert any(record.name == "httpx" and "/session/token" in record.getMessage() for record in caplog.records)
    leaks.assert_clean("the output", "".join(capfd.readouterr()))


def test_a_stream_that_is_refused_leaves_no_trace(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaks, "NEEDLES", ["planted-token"])

    async def main() -> None:
        (tmp_path / "kept").mkdir()
        kept = tmp_path / "kept" / "login"
        kept.write_text('{"user_id":"AB1234","access_token":"planted-token","login_time":"2026-11-20T06:30:00Z"}')
        kept.chmod(0o600)
        async with serving(server()) as address:
            (tmp_path / "trueup.toml").write_text(settings(tmp_path, address.http, address.ws))
            (account,) = load_settings(tmp_path / "trueup.toml", ENVIRONMENT).accounts.values()
            venue = live_venue(account, environment=ENVIRONMENT, clock=SystemClock(), random=Random(1), hints=Hints())
            for ask in (venue.check, lambda: anext(venue.stream())):
                with pytest.raises(TrueupError) as caught:
                    await ask()
                leaks.check_errors([caught.value])
                leaks.assert_clean("a traceback", "".join(traceback.format_exception(caught.value)))
            with suppress(TrueupError):
                await venue.snapshot()
            leaks.check_reprs(venue)
            await venue.aclose()

    asyncio.run(main())
    leaks.check_logs(caplog)
