"""Who asks: a signed grant for a token, which is renewed ahead, got anew where it is refused, and never shown."""

import asyncio
import json
from base64 import urlsafe_b64decode
from random import Random

import pytest

from tests.venues.jsonrpc_derivatives.live.engine_script import (
    ACCOUNT,
    CLIENT_SECRET,
    MS,
    TOKEN,
    Fault,
    HandClock,
    Row,
    Script,
    grant,
    run,
    summaries,
    summary,
)
from tests.venues.transport.rawserver import serving
from trueup.model.errors import AuthenticationFailed, Malformed, VenueError
from trueup.model.times import from_ms
from trueup.venues.coinbase_derivatives.live import coinbase_derivatives_venue
from trueup.venues.jsonrpc_derivatives.auth import client_signature, token_of
from trueup.venues.jsonrpc_derivatives.live import EngineVenue
from trueup.venues.transport.secrets import Secret

SUMMARIES = "private/get_account_summaries"


def test_a_signature_is_the_published_one() -> None:
    """Of https://docs.deribit.com/articles/authentication, "Client Signature"."""
    signed = client_signature(Secret("id", "AMANDA"), Secret("secret", CLIENT_SECRET), lambda: "1iqt2wls")
    assert signed(from_ms(1_576_074_319_000)) == {
        "grant_type": "client_signature",
        "client_id": "AMANDA",
        "timestamp": 1_576_074_319_000,
        "nonce": "1iqt2wls",
        "data": "",
        "signature": "56590594f97921b09b18f166befe0d1319b198bbcdad7ca73382de2f88fe9aa1",
    }


def test_the_engines_own_time_is_signed_and_the_secret_stays_here() -> None:
    script = Script()
    script.at = MS + 5_000
    run(lambda venue: venue.snapshot(), script)
    assert [method for method, _, _ in script.asked[:2]] == ["public/get_time", "public/auth"]
    (params,) = script.of("public/auth")
    assert params["timestamp"] == MS + 5_000
    assert params["scope"] == "session:trueup"
    assert CLIENT_SECRET not in json.dumps(script.asked)


def test_one_token_serves_all_calls_until_it_is_renewed_ahead_of_its_end() -> None:
    script, clock = Script(), HandClock()
    tokens = iter(range(1, 9))
    script.answers["public/auth"] = lambda _: {**TOKEN, "access_token": f"token-{next(tokens)}"}

    async def story(venue: EngineVenue) -> None:
        await venue.snapshot()
        clock.skip(700)
        await venue.snapshot()
        clock.skip(30)
        await venue.snapshot()

    run(story, script, clock)
    used = [token for method, _, token in script.asked if method == SUMMARIES]
    assert used == ["token-1", "token-1", "token-2"]


def test_a_token_that_is_refused_is_got_anew_and_the_call_made_again_once() -> None:
    script = Script()
    refusals = iter([Fault(13009, "unauthorized", reason="token_expired")])
    script.answers["private/cancel"] = lambda _: next(refusals, {"order_id": "1"})
    script.answers["private/get_order_state"] = Fault(10004)
    with pytest.raises(VenueError):  # the answer is no order
        run(lambda venue: venue.cancel("", "1"), script)
    assert len(script.of("public/auth")) == len(script.of("private/cancel")) == 2


def test_a_key_that_is_never_taken_says_so() -> None:
    script = Script()
    script.answers["public/auth"] = Fault(13004, "invalid_credentials")
    with pytest.raises(AuthenticationFailed, match="invalid_credentials") as refusal:
        run(lambda venue: venue.check(), script)
    assert refusal.value.venue_code == "13004"
    assert CLIENT_SECRET not in str(refusal.value)


def test_what_is_urgent_takes_a_token_that_still_holds() -> None:
    script, clock = Script(), HandClock()

    async def story(venue: EngineVenue) -> None:
        await venue.snapshot()
        clock.skip(800)
        script.answers["public/auth"] = Fault(10028, "too_many_requests")
        script.answers["private/cancel"] = Fault(10004, "order_not_found")
        script.answers["private/get_order_state"] = Fault(10004, "order_not_found")
        assert await venue.cancel("", "1") is None

    run(story, script, clock)
    assert len(script.of("public/auth")) == 1


@pytest.mark.parametrize(
    "result", [{}, {"expires_in": 900}, {**TOKEN, "expires_in": "soon"}, {**TOKEN, "access_token": "a\nb"}]
)
def test_an_answer_without_a_token_is_refused_and_not_shown(result: Row) -> None:
    with pytest.raises(Malformed) as error:
        token_of(result, 0.0)
    assert "token-1" not in str(error.value)


def test_a_token_is_not_shown() -> None:
    assert "token-1" not in repr(token_of(TOKEN, 0.0))


def test_a_key_of_another_account_is_refused() -> None:
    script = Script()
    script.answers[SUMMARIES] = summaries(summary("USDC", 1), number=11)
    with pytest.raises(AuthenticationFailed, match="is of account 10, and this key is of 11"):
        run(lambda venue: venue.check(), script, learnt={"account_id": "10"})


def test_whose_account_it_is_is_learnt() -> None:
    async def story(venue: EngineVenue) -> dict[str, str]:
        await venue.check()
        return dict(venue.learnt)

    assert run(story, Script()) == {"account_id": "10"}


def test_a_check_says_what_the_key_may() -> None:
    told = " ".join(run(lambda venue: venue.check(), Script()))
    assert "Account 10 has USDC; it holds 0 positions and 0 open orders" in told
    assert "trade:read_write" in told


def test_coinbases_grant_is_a_token_of_the_key_for_no_request_in_particular() -> None:
    script, seed = Script(), "ERERERERERERERERERERERERERERERERERERERERERE="

    async def story() -> None:
        async with serving(script) as (url, _):
            venue = coinbase_derivatives_venue(
                ACCOUNT,
                key_name=Secret("key", "organizations/a/apiKeys/b"),
                private_key=Secret("secret", seed),
                rest_url=f"{url}/api/v2",
                stream_url="ws://127.0.0.1:9",
                clock=HandClock(),
                random=Random(1),
            )
            await venue.snapshot()
            await venue.aclose()

    script.at = MS + 60_000
    asyncio.run(story())
    (params,) = script.of("public/auth")
    assert params.keys() == {"grant_type", "token"}
    assert params["grant_type"] == "coinbase_cdp"
    _, claims, _ = params["token"].split(".")
    said = json.loads(urlsafe_b64decode(claims + "=="))
    assert "uri" not in said
    assert (said["sub"], said["nbf"]) == ("organizations/a/apiKeys/b", (MS + 60_000) // 1000)
    assert seed not in json.dumps(script.asked)


def test_each_grant_is_fresh() -> None:
    assert grant()(from_ms(MS)) != grant()(from_ms(MS + 1))
