"""Who may ask the rehearsal Kite, for how long, from where, and how often."""

from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from tests.testing.servers.zerodha.talk import LEAD, SHARE, Talk
from trueup.model.errors import BadInput
from trueup.testing.servers.zerodha import limits
from trueup.testing.servers.zerodha.demo import API_KEY, API_SECRET, USER_ID, demo_app
from trueup.testing.servers.zerodha.sessions import REQUEST_TOKEN_S, App

ORDER = {**SHARE, "transaction_type": "BUY", "quantity": "1", "order_type": "MARKET", "market_protection": "-1"}


def sent_on(talk: Talk, **query: str) -> dict[str, str]:
    """What the login page tells the app's own address."""
    extra = "".join(f"&{name}={value}" for name, value in query.items())
    answer = talk.raw("GET", f"/connect/login?v=3&api_key={API_KEY}{extra}")
    location = urlsplit(answer.headers["location"])
    assert (answer.status, f"{location.scheme}://{location.netloc}{location.path}") == (302, talk.app.redirect_url)
    return {name: values[0] for name, values in parse_qs(location.query).items()}


def exchanged(talk: Talk, token: str, **form: str) -> tuple[int, str]:
    """Status and type of error of an exchange of a request token."""
    usual = {"api_key": API_KEY, "request_token": token, "checksum": demo_app().checksum(token)}
    status, row = talk.ask("POST", "/session/token", {**usual, **form})
    if status == 200:
        talk.token = row["data"]["access_token"]
        return status, row["data"]["user_id"]
    return status, row["error_type"]


def test_a_login_is_redirected_and_its_token_becomes_a_session() -> None:
    talk = Talk()
    old = talk.token
    told = sent_on(talk, redirect_params="state%3Dmine")
    assert (told["status"], told["action"], told["state"]) == ("success", "login", "mine")
    assert exchanged(talk, told["request_token"]) == (200, USER_ID)
    assert talk.get("/user/profile")["user_id"] == USER_ID
    talk.token = old
    assert talk.refused("GET", "/orders")[:2] == (403, "TokenException"), "the earlier session has ended"


def test_a_request_token_holds_once_and_for_minutes_and_with_its_checksum() -> None:
    talk = Talk()
    token = sent_on(talk)["request_token"]
    assert exchanged(talk, token, checksum="0" * 64) == (403, "TokenException")
    assert exchanged(talk, token) == (200, USER_ID), "a wrong checksum does not use it up"
    assert exchanged(talk, token) == (403, "TokenException")
    late = sent_on(talk)["request_token"]
    talk.clock.pass_s(REQUEST_TOKEN_S)
    assert exchanged(talk, late) == (403, "TokenException")
    assert exchanged(talk, "made-up") == (403, "TokenException")
    assert exchanged(talk, token, api_key="nobody") == (400, "InputException")


@pytest.mark.parametrize("query", ["v=3&api_key=nobody", f"v=2&api_key={API_KEY}", f"api_key={API_KEY}", ""])
def test_the_login_page_knows_its_apps_and_its_version(query: str) -> None:
    assert Talk().refused("GET", f"/connect/login?{query}")[:2] == (400, "InputException")


def test_a_session_dies_at_six_in_the_morning_in_india() -> None:
    talk = Talk()
    talk.clock.pass_s(20 * 3_600 - 1)  # it is ten
    assert talk.get("/orders") == []
    talk.clock.pass_s(1)
    assert talk.refused("GET", "/orders") == (403, "TokenException", "Incorrect `api_key` or `access_token`.")


def test_a_session_ends_where_it_is_ended() -> None:
    talk = Talk()
    wrong = talk.ask("DELETE", f"/session/token?api_key={API_KEY}&access_token=wrong")
    assert (wrong[0], talk.get("/orders")) == (403, [])
    status, row = talk.ask("DELETE", f"/session/token?api_key={API_KEY}&access_token={talk.token}")
    assert (status, row["data"]) == (200, True)
    assert talk.refused("GET", "/orders")[:2] == (403, "TokenException")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x-kite-version": ""}, (400, "InputException")),
        ({"x-kite-version": "2"}, (400, "InputException")),
        ({"authorization": ""}, (403, "TokenException")),
        ({"authorization": f"token {API_KEY}"}, (403, "TokenException")),
        ({"authorization": f"token {API_KEY}:"}, (403, "TokenException")),
        ({"authorization": "token nobody:wrong"}, (403, "TokenException")),
        ({"authorization": f"Bearer {API_KEY}:wrong"}, (403, "TokenException")),
    ],
)
def test_every_request_names_the_version_and_who_asks(headers: dict[str, str], expected: tuple[int, str]) -> None:
    status, row = Talk().ask("GET", "/orders", headers=headers)
    assert (status, row["error_type"]) == expected


def test_orders_come_from_the_registered_address_and_reads_from_anywhere() -> None:
    talk = Talk(app=msgspec.structs.replace(demo_app(), addresses=frozenset({"10.0.0.1"})))
    assert talk.get("/orders") == []
    for method, path in (("POST", "/orders/regular"), ("PUT", "/orders/regular/1"), ("DELETE", "/orders/regular/1")):
        status, kind, message = talk.refused(method, path, **ORDER)
        assert (status, kind) == (403, "PermissionException")
        assert "IP 127.0.0.1" in message
    near = Talk(app=msgspec.structs.replace(demo_app(), addresses=frozenset({"127.0.0.1"})))
    assert near.order()


def test_ten_orders_fit_into_a_second_of_the_calendar() -> None:
    talk = Talk(requests_max=limits.USUAL)
    talk.clock.pass_s(0.9)
    for _ in range(10):
        talk.order()
    assert talk.refused("POST", "/orders/regular", **ORDER) == (429, "NetworkException", "Too many requests")
    assert len(talk.get("/orders")) == 10, "what is too much is not done, and reads have a limit of their own"
    talk.clock.pass_s(0.1)
    talk.order()


@pytest.mark.parametrize(("path", "most"), [("/quote/ltp?i=NSE:SBIN", 1), ("/trades", 10)])
def test_quotes_and_other_reads_have_limits(path: str, most: int) -> None:
    talk = Talk(requests_max=limits.USUAL)
    statuses = [talk.ask("GET", path)[0] for _ in range(most + 1)]
    assert statuses == [200] * most + [429]


@pytest.mark.parametrize("field", ["redirect_url", "postback_url"])
def test_nobody_is_sent_off_this_machine(field: str) -> None:
    with pytest.raises(BadInput, match="not on this machine"):
        msgspec.structs.replace(demo_app(), **{field: "http://kite.example.com/"})
    App("k", API_SECRET, "u", "http://[::1]:1/", "http://localhost:2/")


def test_paths_methods_and_bodies_that_kite_does_not_have_are_refused() -> None:
    talk = Talk()
    assert talk.refused("GET", "/nothing")[:2] == (404, "InputException")
    assert talk.refused("DELETE", "/orders")[:2] == (405, "InputException")
    assert talk.refused("GET", "/user/margins/nothing")[:2] == (400, "InputException")
    assert talk.refused("GET", "/quote")[:2] == (400, "InputException")
    assert talk.refused("GET", "/quote?" + "&i=NSE:SBIN" * 501)[:2] == (400, "InputException")
    assert talk.refused("PATCH", "/session/token")[:2] == (405, "InputException")
    assert talk.ask("POST", "/orders/regular", LEAD, {"content-type": "application/json"})[0] == 400
