"""The engine's codes, and answers that are none of its: each becomes the error that says what to do next."""

import json
from decimal import Decimal
from typing import Any

import pytest

from tests.venues.jsonrpc_derivatives.live.engine_script import HANG_UP, Fault, HandClock, Script, Status, run
from trueup.model.errors import (
    AuthenticationFailed,
    Malformed,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Unavailable,
    VenueError,
)
from trueup.model.orders import OrderRequest
from trueup.venues.jsonrpc_derivatives import errors
from trueup.venues.jsonrpc_derivatives.errors import NotOpen, NotThere, TokenRefused
from trueup.venues.jsonrpc_derivatives.live import EngineVenue
from trueup.venues.transport.http import Answer, Call

READ = Call("POST", "/api/v2/private/get_positions")
WRITE = Call("POST", "/api/v2/private/buy", writes=True)


def judged(call: Call, body: object, status: int = 400) -> VenueError | None:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return errors.judging("Deribit")(call, Answer(status, {}, data, 0, 0))


def refused(call: Call, code: int, **data: object) -> VenueError:
    error = judged(call, {"jsonrpc": "2.0", "error": {"code": code, "message": "words", "data": data or None}})
    assert error is not None
    assert error.venue_code == str(code)
    assert "words" in error.venue_text
    assert error.remedy
    return error


@pytest.mark.parametrize(
    ("code", "read", "write"),
    [
        (13004, TokenRefused, TokenRefused),
        (13009, TokenRefused, TokenRefused),
        (13021, AuthenticationFailed, AuthenticationFailed),
        (10028, RateLimited, RateLimited),
        (10047, RateLimited, RateLimited),
        (10040, Unavailable, Unavailable),
        (10041, Unavailable, Unavailable),
        (11051, Unavailable, Unavailable),
        (13888, Unavailable, Unavailable),
        (10001, Unavailable, OutcomeUnknown),
        (11094, Unavailable, OutcomeUnknown),
        (-32603, Unavailable, OutcomeUnknown),
        (10004, NotThere, NotThere),
        (11044, NotOpen, NotOpen),
        (10009, Rejected, Rejected),
        (11054, Rejected, Rejected),
        (-32602, Rejected, Rejected),
        (99999, Rejected, Rejected),
    ],
)
def test_a_code_means_the_same_everywhere(code: int, read: type[VenueError], write: type[VenueError]) -> None:
    assert type(refused(READ, code)) is read
    assert type(refused(WRITE, code)) is write


def test_what_is_wrong_with_a_parameter_is_told() -> None:
    error = refused(WRITE, -32602, param="amount", reason="must be a multiple of contract size")
    assert "amount: must be a multiple of contract size" in str(error)


@pytest.mark.parametrize(
    ("status", "body", "read", "write"),
    [
        (401, b"<html>", AuthenticationFailed, AuthenticationFailed),
        (404, b"", Rejected, Rejected),
        (408, b"", Unavailable, OutcomeUnknown),
        (429, b"slow down", RateLimited, RateLimited),
        (502, b"<html>", Unavailable, OutcomeUnknown),
        (200, b"<html>", Unavailable, OutcomeUnknown),
        (200, b"{}", Unavailable, OutcomeUnknown),
        (200, b'{"error": "text"}', Malformed, OutcomeUnknown),
        (200, b'{"error": {"message": "no code"}}', Malformed, OutcomeUnknown),
    ],
)
def test_an_answer_that_is_not_the_engines_own(
    status: int, body: bytes, read: type[VenueError], write: type[VenueError]
) -> None:
    assert type(judged(READ, body, status)) is read
    assert type(judged(WRITE, body, status)) is write


def test_an_answer_with_a_result_is_the_one_asked_for() -> None:
    assert judged(WRITE, {"jsonrpc": "2.0", "result": []}, 200) is None


@pytest.mark.parametrize(
    ("data", "wait"),
    [
        ({"retry_after": 3}, 3.0),
        ({"retry_after_ms": 250}, 0.25),
        ({"wait": 1.5}, 1.5),
        ({"wait": "x"}, None),
        (None, None),
    ],
)
def test_how_long_to_wait_is_taken_from_the_error(data: object, wait: float | None) -> None:
    body = json.dumps({"error": {"code": 10028, "message": "too_many_requests", "data": data}}).encode()
    assert errors.wait_s(body) == wait


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"code": 13004, "message": "bad eyJhbGciOiJF.eyJzdWIiOiJv.c2lnbmF0dXJl"}},
        {"error": {"code": 13004, "message": "bad", "data": {"reason": "eyJhbGciOiJF.eyJzdWIiOiJv.c2lnbmF0dXJl"}}},
        {"error": "eyJhbGciOiJF.eyJzdWIiOiJv.c2lnbmF0dXJl"},
        {"access_token": "eyJhbGciOiJF.eyJzdWIiOiJv.c2lnbmF0dXJl"},
    ],
)
def test_a_token_that_an_answer_repeats_goes_no_further(body: object) -> None:
    error = judged(READ, body)
    assert error is not None
    assert "c2lnbmF0dXJl" not in f"{error} {vars(error)}"


def placed(venue: EngineVenue) -> Any:  # noqa: ANN401 - awaited by whoever runs it
    return venue.place(OrderRequest("ETH/USDC:USDC", "buy", Decimal("0.5"), "ours"))


@pytest.mark.parametrize(
    ("answer", "error"),
    [(HANG_UP, OutcomeUnknown), (Status("502 Bad Gateway"), OutcomeUnknown), (Fault(10047), RateLimited)],
)
def test_an_order_goes_out_once_whatever_comes_of_it(answer: object, error: type[VenueError]) -> None:
    script = Script()
    script.answers["private/buy"] = answer
    with pytest.raises(error):
        run(placed, script)
    assert len(script.of("private/buy")) == 1


def test_a_read_that_was_too_much_is_made_again_after_the_wait_that_is_asked_for() -> None:
    script = Script()
    answers: list[object] = [Fault(10028, "too_many_requests", retry_after_ms=20), []]
    script.answers["private/get_positions"] = lambda _: answers.pop(0)
    snapshot = run(lambda venue: venue.snapshot(), script, HandClock())
    assert snapshot.positions == {}
    assert answers == []
