"""Only a good token is let in: signed by its key, for this request, and for now."""

import pytest

from tests.testing.servers.coinbase.talk import HOST, ROOT, Row, Talk, signed_ec, signed_ed25519, token
from trueup.testing.servers.coinbase.demo import ED25519_KEY_NAME, KEY_NAME, READ_ONLY_KEY_NAME
from trueup.testing.servers.coinbase.keys import LEEWAY_S

ASKED = f"GET {HOST}{ROOT}/accounts"


@pytest.mark.parametrize("key", [KEY_NAME, ED25519_KEY_NAME])
def test_both_kinds_of_key_are_let_in(key: str) -> None:
    talk = Talk()
    assert talk.ask("GET", "/accounts", bearer=token(ASKED, talk.now, key=key))[0] == 200


@pytest.mark.parametrize("uri", [ASKED, f"GET api.coinbase.com{ROOT}/accounts", f"GET http://{HOST}{ROOT}/accounts"])
def test_a_token_names_the_request_by_the_host_that_was_reached_or_the_venues_own(uri: str) -> None:
    talk = Talk()
    assert talk.ask("GET", "/accounts?limit=2", bearer=token(uri, talk.now))[0] == 200
    assert talk.ask("GET", "/accounts", bearer=token(None, talk.now, uris=[uri]))[0] == 200


WRONG: dict[str, Row] = {
    "for another method": {"uri": ASKED.replace("GET", "POST")},
    "for another path": {"uri": ASKED + "x"},
    "with the query": {"uri": ASKED + "?limit=2"},
    "for no request": {"uri": None},
    "for another host": {"uri": f"GET example.com{ROOT}/accounts"},
    "of an unknown key": {"key": "nobody"},
    "of another one's claims": {"sub": "nobody"},
    "of another issuer": {"iss": "me"},
    "of a good key with another's signature": {"sign": signed_ed25519},
    "without a signature": {"sign": lambda _: b""},
    "with half a signature": {"sign": lambda data: signed_ec(data)[:32]},
    "of another algorithm": {"header": {"alg": "EdDSA"}},
    "without an algorithm": {"header": {"alg": "none"}, "sign": lambda _: b""},
    "without a nonce": {"header": {"nonce": ""}},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_a_token_that_is_not_for_this_is_refused_without_a_word_why(wrong: Row) -> None:
    talk = Talk()
    made = token(wrong.get("uri", ASKED), talk.now, **{name: said for name, said in wrong.items() if name != "uri"})
    assert talk.ask("GET", "/accounts", bearer=made) == (401, "Unauthorized\n")


@pytest.mark.parametrize("text", ["", "x", "a.b", "a.b.c", "ä.ö.ü", "e30.e30.e30", "bnVsbA.bnVsbA.bnVsbA"])
def test_what_is_no_token_is_refused(text: str) -> None:
    assert Talk().ask("GET", "/accounts", bearer=text)[0] == 401


def test_a_changed_token_is_refused() -> None:
    talk = Talk()
    head, claims, signature = token(ASKED, talk.now).split(".")
    other = token(ASKED, talk.now + 1).split(".")[1]
    assert talk.ask("GET", "/accounts", bearer=f"{head}.{claims}.{signature}")[0] == 200
    assert talk.ask("GET", "/accounts", bearer=f"{head}.{other}.{signature}")[0] == 401


def test_a_token_is_good_for_two_minutes_from_when_it_was_made() -> None:
    talk = Talk()

    def status(nbf: int = talk.now, exp: int = talk.now + 120) -> int:
        return talk.ask("GET", "/accounts", bearer=token(ASKED, talk.now, nbf=nbf, exp=exp))[0]

    assert status(nbf=talk.now + LEEWAY_S) == 200
    assert status(nbf=talk.now + LEEWAY_S + 1) == 401
    assert status(nbf=talk.now - 120, exp=talk.now - LEEWAY_S) == 200
    assert status(nbf=talk.now - 120, exp=talk.now - LEEWAY_S - 1) == 401
    assert status(exp=talk.now + 121) == 401, "none says of itself that it is good for longer"
    made = token(ASKED, talk.now)
    talk.clock.pass_s(131)
    assert talk.ask("GET", "/accounts", bearer=made)[0] == 401


def test_a_key_may_do_what_it_is_for() -> None:
    talk = Talk()
    assert talk.ask("GET", "/accounts", key=READ_ONLY_KEY_NAME)[0] == 200
    status, row = talk.ask("POST", "/orders/batch_cancel", {"order_ids": ["x"]}, key=READ_ONLY_KEY_NAME)
    assert (status, row["error"]) == (403, "PERMISSION_DENIED")
    assert "Missing required scopes" in row["error_details"]
    told = talk.ask("GET", "/key_permissions", key=READ_ONLY_KEY_NAME)[1]
    assert (told["can_view"], told["can_trade"], told["can_transfer"]) == (True, False, False)


def test_who_asks_too_often_is_told_so_for_the_rest_of_a_second() -> None:
    talk = Talk(private_max=3, public_max=2)
    assert [talk.ask("GET", "/accounts")[0] for _ in range(4)] == [200, 200, 200, 429]
    assert [talk.ask("GET", "/time", bearer="")[0] for _ in range(3)] == [200, 200, 429]
    assert talk.ask("GET", "/accounts")[1] == {
        "errors": [{"id": "rate_limit_exceeded", "message": "Too many requests"}]
    }
    talk.clock.pass_s(1)
    assert talk.ask("GET", "/accounts")[0] == 200


def test_what_is_public_needs_no_token_and_what_is_not_does() -> None:
    talk = Talk()
    for path in ("/time", "/market/products", "/market/products/BTC-USD", "/market/product_book?product_id=BTC-USD"):
        assert talk.ask("GET", path, bearer="")[0] == 200, path
    assert talk.ask("GET", "/products", bearer="")[0] == 401
    assert talk.ask("GET", "/nothing", bearer="")[0] == 401
    assert talk.ask("GET", "/nothing")[0] == 404
    assert talk.ask("DELETE", "/orders")[0] == 405
