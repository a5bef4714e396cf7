"""What each of the venue's refusals means: which are sure, and which leave it open."""

import msgspec
import pytest

from trueup.model.errors import (
    AuthenticationFailed,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Unavailable,
    VenueError,
)
from trueup.venues.hyperliquid import calls
from trueup.venues.hyperliquid.errors import REFUSALS, Taken, judge, outcomes, refusal
from trueup.venues.transport.http import Answer, Call
from trueup.venues.transport.limiter import Priority

ACTION = calls.exchange(Priority.REST)
READ = calls.info("meta", {}, Priority.REST)

TEXTS: list[tuple[str, type[VenueError], str]] = [
    ("Price must be divisible by tick size. asset=3", Rejected, "Tick"),
    ("Order must have minimum value of $10.", Rejected, "MinTradeNtl"),
    ("Order must have minimum value of 10 USDC.", Rejected, "MinTradeNtl"),
    ("Insufficient margin to place order. asset=0", Rejected, "PerpMargin"),
    ("Reduce only order would increase position. asset=3", Rejected, "ReduceOnly"),
    ("Post only order would have immediately matched, bbo was 100.1@100.2. asset=1", Rejected, "BadAloPx"),
    ("Order could not immediately match against any resting orders. asset=1", Rejected, "IocCancel"),
    ("Invalid TP/SL price. asset=1", Rejected, "BadTriggerPx"),
    ("No liquidity available for market order.", Rejected, "MarketOrderNoLiquidity"),
    (
        "Order would increase open interest while open interest is capped",
        Rejected,
        "PositionIncreaseAtOpenInterestCap",
    ),
    (
        "Order rejected due to price more aggressive than oracle while at open interest cap",
        Rejected,
        "TooAggressiveAtOpenInterestCap",
    ),
    ("Order would increase open interest too quickly", Rejected, "OpenInterestIncrease"),
    ("Insufficient spot balance asset=10000", Rejected, "InsufficientSpotBalance"),
    ("Order price too far from oracle", Rejected, "Oracle"),
    ("Price too far from oracle asset=4", Rejected, "Oracle"),
    ("Order would cause position to exceed margin tier limit at current leverage", Rejected, "PerpMaxPosition"),
    ("Order was never placed, already canceled, or filled. asset=0", Rejected, "MissingOrder"),
    ("Cannot modify canceled or filled order", Rejected, "MissingOrder"),
    ("Order has zero size.", Rejected, ""),
    ("Something the venue never said before", Rejected, ""),
    ("Action expired: expiresAfter 1700000015000 is before 1700000020000", Unavailable, "expired"),
    (
        "User or API Wallet 0x399129af1d8f5b030e00a3e15e68610a884bced6 does not exist.",
        AuthenticationFailed,
        "unknown_signer",
    ),
    ("L1 error: User or API Wallet 0x39 does not exist.", AuthenticationFailed, "unknown_signer"),
    ("Must deposit before performing actions. User: 0x39", AuthenticationFailed, "unknown_signer"),
    ("Unable to recover signer.", AuthenticationFailed, "bad_signature"),
    ("Vault not registered: 0x39", AuthenticationFailed, "unknown_vault"),
    (
        "Too many cumulative requests sent (10001 > 10000) for cumulative volume traded $0.00.",
        RateLimited,
        "too_many_requests",
    ),
    ("Invalid nonce: nonce too low 5 < 6", Unavailable, "nonce"),
    ("Action already expired", Unavailable, "expired"),
    ("Invalid nonce: duplicate nonce 1700000000000", OutcomeUnknown, "duplicate_nonce"),
    (
        "Error placing new order during modify: Post only order would have immediately matched, bbo was 1@2",
        OutcomeUnknown,
        "modify_lost",
    ),
]


def answered(status: int, body: object) -> Answer:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return Answer(status, {}, raw, 0, 1)


def ok(*statuses: object) -> bytes:
    return msgspec.json.encode({"status": "ok", "response": {"type": "order", "data": {"statuses": statuses}}})


@pytest.mark.parametrize(("text", "kind", "code"), TEXTS)
def test_a_text_means_the_same_of_an_item_and_of_a_whole_action(text: str, kind: type[VenueError], code: str) -> None:
    whole = judge(ACTION, answered(200, {"status": "err", "response": text}))
    (item,) = outcomes(ok({"error": text}), 1)
    for error in (whole, item, refusal(text)):
        assert type(error) is kind
        assert (error.venue_code, error.venue_text) == (code, text)
        assert error.remedy


def test_every_row_of_the_table_has_a_text_that_meets_it() -> None:
    met = {refusal(text).venue_code for text, _, _ in TEXTS}
    assert {row.code for row in REFUSALS} <= met


def test_of_a_batch_some_may_be_refused() -> None:
    body = ok(
        {"resting": {"oid": 7, "cloid": "0x01"}},
        {"error": "Insufficient margin to place order."},
        {"filled": {"totalSz": "0.02", "avgPx": "1891.4", "oid": 8}},
        "success",
        "waitingForTrigger",
    )
    rested, refused, filled, done, waits = outcomes(body, 5)
    assert rested == Taken("resting", "7")
    assert isinstance(refused, Rejected)
    assert filled == Taken("filled", "8", msgspec.convert("0.02", type(filled.filled)))  # type: ignore[union-attr]
    assert (done, waits) == (Taken("success"), Taken("waitingForTrigger"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"null",
        ok(),
        ok("success", "success"),
        ok({}),
        ok({"resting": {}}),
        ok({"filled": {"oid": 1, "totalSz": "NaN"}}),
        ok(5),
        msgspec.json.encode({"status": "ok", "response": {"type": "default"}}),
    ],
)
def test_an_answer_to_an_action_that_cannot_be_read_leaves_it_open(body: bytes) -> None:
    with pytest.raises(OutcomeUnknown):
        outcomes(body, 1)


@pytest.mark.parametrize(
    ("call", "status", "body", "kind"),
    [
        (ACTION, 200, b"<html>", OutcomeUnknown),
        (ACTION, 200, {"status": "odd"}, OutcomeUnknown),
        (ACTION, 200, {"status": "err", "response": {"type": "x"}}, OutcomeUnknown),
        (ACTION, 200, [], OutcomeUnknown),
        (ACTION, 400, b"bad", Rejected),
        (ACTION, 401, b"", AuthenticationFailed),
        (ACTION, 403, b"", AuthenticationFailed),
        (ACTION, 404, b"", Rejected),
        (ACTION, 408, b"", OutcomeUnknown),
        (ACTION, 422, b"Failed to deserialize the JSON body into the target type", Rejected),
        (ACTION, 429, b"", RateLimited),
        (ACTION, 302, b"", OutcomeUnknown),
        (ACTION, 500, b"", OutcomeUnknown),
        (ACTION, 502, b"", OutcomeUnknown),
        (ACTION, 503, b"", OutcomeUnknown),
        (READ, 403, b"", AuthenticationFailed),
        (READ, 422, b"Failed to deserialize the JSON body into the target type", Rejected),
        (READ, 429, b"", RateLimited),
        (READ, 500, b"null", Unavailable),
        (READ, 503, b"", Unavailable),
        (READ, 302, b"", Unavailable),
    ],
)
def test_what_a_status_means_depends_on_whether_anything_may_have_been_done(
    call: Call, status: int, body: object, kind: type[VenueError]
) -> None:
    error = judge(call, answered(status, body))
    assert type(error) is kind
    if status != 200:
        assert error is not None
        assert error.venue_code == str(status)


def test_what_was_asked_for_is_no_error() -> None:
    assert judge(READ, answered(200, {"universe": []})) is None
    assert judge(ACTION, answered(200, ok({"error": "Order has zero size."}))) is None
