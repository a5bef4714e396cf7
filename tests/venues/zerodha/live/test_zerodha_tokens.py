"""The file of a login: for its user alone, taken anew when it changes, and told of before it is over."""

import stat
from datetime import date, time
from pathlib import Path

import pytest

from trueup.model.errors import AuthenticationFailed, BadInput
from trueup.venues.zerodha import ist, login, tokens
from trueup.venues.zerodha.tokens import Login, TokenFile

NOON = ist.at(date(2026, 11, 20), time(12))
MORNING = ist.at(date(2026, 11, 21), time(6))
PLANTED = "planted-access-token"


@pytest.fixture
def kept(tmp_path: Path) -> TokenFile:
    return TokenFile(tmp_path / "below" / "login", "zerodha:main")


def test_a_login_is_kept_for_its_user_alone(kept: TokenFile, tmp_path: Path) -> None:
    kept.save(tokens.login("AB1234", PLANTED, NOON))
    path = tmp_path / "below" / "login"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["login"]
    assert kept.load() == Login("AB1234", PLANTED, "2026-11-20T06:30:00Z")


def test_a_later_login_is_taken_without_a_new_start(kept: TokenFile, tmp_path: Path) -> None:
    kept.save(tokens.login("AB1234", "first", NOON))
    assert kept.load().access_token == "first"
    TokenFile(tmp_path / "below" / "login", "zerodha:main").save(tokens.login("AB1234", "second", NOON))
    assert kept.load().access_token == "second"
    kept.forget()
    kept.forget()
    with pytest.raises(AuthenticationFailed, match="trueup venues login zerodha:main"):
        kept.load()


def test_a_file_that_others_may_read_is_refused(kept: TokenFile, tmp_path: Path) -> None:
    kept.save(tokens.login("AB1234", PLANTED, NOON))
    kept.load()
    (tmp_path / "below" / "login").chmod(0o640)
    with pytest.raises(BadInput, match="others may use this file") as caught:
        kept.load()
    assert PLANTED not in str(caught.value)


@pytest.mark.parametrize(
    "content", ["{}", "no json", '{"user_id":"A","access_token":"planted-x","login_time":"today"}']
)
def test_a_file_that_holds_something_else_is_refused_and_not_repeated(
    kept: TokenFile, tmp_path: Path, content: str
) -> None:
    kept.save(tokens.login("AB1234", PLANTED, NOON))
    (tmp_path / "below" / "login").write_text(content)
    with pytest.raises(BadInput, match="does not hold a login") as caught:
        kept.load()
    assert "planted" not in str(caught.value)


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="token_file"):
        TokenFile(tmp_path / "file" / "login", "zerodha:main").save(tokens.login("AB1234", PLANTED, NOON))


def test_a_login_never_shows_its_token() -> None:
    made = tokens.login("AB1234", PLANTED, NOON)
    assert PLANTED not in f"{made!r} {made}"


@pytest.mark.parametrize(("at", "ends"), [("05:59", 20), ("06:00", 21), ("12:00", 21), ("23:59", 21)])
def test_a_login_ends_at_the_next_six_in_india(at: str, ends: int) -> None:
    made = tokens.login("AB1234", PLANTED, ist.at(date(2026, 11, 20), time.fromisoformat(at)))
    assert made.ends_at == ist.at(date(2026, 11, ends), time(6))


def test_the_end_is_announced_from_the_evening_on(kept: TokenFile) -> None:
    (nobody,) = kept.warnings(NOON)
    assert "Log in: trueup venues login zerodha:main." in nobody
    kept.save(tokens.login("AB1234", PLANTED, NOON))
    assert kept.warnings(NOON) == ()
    (soon,) = kept.warnings(MORNING - 1)
    assert soon.startswith("The login ends at about 2026-11-21 06:00 IST; after that, log in: trueup venues login")
    (over,) = kept.warnings(MORNING)
    assert over.startswith("The login ended at about 2026-11-21 06:00 IST. Log in:")


@pytest.mark.parametrize(
    "pasted",
    [
        "https://example.com/?action=login&type=login&status=success&request_token=abcDEF0123456789",
        " abcDEF0123456789\n",
        "http://127.0.0.1:8765/kite?x=1&request_token=abcDEF0123456789&status=success#",
        "request_token=abcDEF0123456789",
    ],
)
def test_the_request_token_is_found_in_what_was_pasted(pasted: str) -> None:
    assert login.request_token(pasted) == "abcDEF0123456789"


@pytest.mark.parametrize(
    "pasted", ["", "short", "https://example.com/?status=cancelled&request_token=planted0123", "ü" * 9]
)
def test_what_holds_none_is_refused_and_not_repeated(pasted: str) -> None:
    with pytest.raises(BadInput, match="request_token") as caught:
        login.request_token(pasted)
    assert "planted" not in str(caught.value)


def test_the_checksum_is_of_key_token_and_secret() -> None:
    # SHA-256 of "abc", as FIPS 180-4 has it.
    assert login.checksum("a", "b", "c") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
