"""A day at Zerodha by the command line: a person logs in, looks, imports, compares and logs out, in a rehearsal."""

import io
import stat
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.cli.program import Trueup
from tests.cli.test_venues import Rehearsal, ended, served

LOGIN = ("venues", "login", "zerodha")


@pytest.fixture
def rehearsal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rehearsal]:
    made = served(tmp_path, "zerodha")
    for name, value in made.told["environment"].items():
        monkeypatch.setenv(name, value)
    yield made
    if made.process.poll() is None:
        ended(made)


def redirected(url: str) -> str:
    """Where the venue's page sends the browser of a person who signs in."""
    return httpx.get(url, follow_redirects=False, trust_env=False).headers["location"]


def test_a_person_logs_in_for_a_day(
    trueup: Trueup, rehearsal: Rehearsal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = ("--config", rehearsal.config)
    before = trueup("venues", "check", "zerodha", *config, "--json")
    assert (before.code, before.error["code"]) == (3, "authentication_failed")
    assert before.error["remedy"] == "Log in: trueup venues login zerodha:main"

    key = rehearsal.told["environment"]["REHEARSAL_KEY"]
    url = f"{rehearsal.told['http']}/connect/login?v=3&api_key={key}"
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{redirected(url)}\n"))
    done = trueup(*LOGIN, *config)
    assert (done.code, url in done.out) == (0, True)
    assert "AB1234 is logged in until about" in done.out
    kept = tmp_path / "rehearsal-zerodha.login"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600

    looked = trueup("venues", "check", "zerodha:main", *config)
    assert (looked.code, looked.err) == (0, "")
    assert "zerodha:main, stage trade" in looked.out
    assert "The login ends at about" in looked.out

    first = trueup("import", "--venue", "zerodha", *config, "--json")
    assert (first.code, first.json["booked_kinds"]["fill"]) == (0, 1)
    compared = trueup("reconcile", "--account", "zerodha:main", *config)
    assert (compared.code, "SYNCED" in compared.out) == (0, True)
    assert "NFO.NIFTY30DECFUT.NRML" in trueup("positions").out

    out = trueup("venues", "logout", "zerodha:main", *config)
    assert (out.code, kept.exists()) == (0, False)
    assert trueup("venues", "check", "zerodha", *config, "--json").error["code"] == "authentication_failed"


def test_what_is_no_login_is_refused_and_not_repeated(
    trueup: Trueup, rehearsal: Rehearsal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for pasted in ("https://example.com/?status=failed&secret=planted", "nothing like it"):
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{pasted}\n"))
        refused = trueup(*LOGIN, "--config", rehearsal.config, "--json")
        assert (refused.code, refused.error["field"]) == (3, "request_token")
        assert "planted" not in refused.out + refused.err
    monkeypatch.setattr("sys.stdin", io.StringIO("usedup0123456789\n"))
    late = trueup(*LOGIN, "--config", rehearsal.config, "--json")
    assert late.error["code"] == "authentication_failed"
    assert not (tmp_path / "rehearsal-zerodha.login").exists()


def test_elsewhere_nobody_logs_in(trueup: Trueup, tmp_path: Path) -> None:
    config = tmp_path / "trueup.toml"
    config.write_text('[accounts."paper:one"]\nport = 1\n')
    refused = trueup("venues", "login", "paper", "--config", config, "--json")
    assert (refused.code, refused.error["field"]) == (3, "venue")
