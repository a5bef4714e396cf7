"""What the venue's refusals mean. What lives only here: which of them are sure, and which leave it open.

An action is answered ``ok`` with a status for each of its items, of which some may be errors, or ``err`` with one text
for all of it. Nearly every text is a refusal before anything was done. Two are not: a nonce that was used already may
have been used by this very action, and a changed order whose replacement is refused is gone.
"""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from trueup.model.errors import (
    AuthenticationFailed,
    BadInput,
    Malformed,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Unavailable,
    VenueError,
)
from trueup.model.numbers import ZERO
from trueup.venues import rows
from trueup.venues.files import json_value
from trueup.venues.hyperliquid.calls import EXCHANGE
from trueup.venues.transport.http import SERVER_ERROR, Answer, Call

_OK = 200
_UNAUTHORIZED = frozenset({401, 403})
_TOO_MANY = 429
_REFUSED = range(400, SERVER_ERROR)
_MAYBE = frozenset({408})
"""The venue waited for the request; whether it had it by then is not said."""

_LOOK = "It may have taken effect: look the order up before sending anything again."
_LATE = "It came too late to be taken; it is safe to try again. Does the machine's clock run right?"
_NEW_KEY = (
    "Check that the key belongs to an approved and unexpired API wallet of this account, and that both are of the same "
    "net (main or test)."
)


class Refusal(msgspec.Struct, frozen=True):
    """A text of the venue and what it means.

    Attributes:
        words: Some of the text, in lower case; the venue adds numbers, names and ``asset=3``.
        code: The venue's documented name for it, else a short one.
    """

    words: str
    code: str
    error: type[VenueError]
    remedy: str = ""


REFUSALS: Sequence[Refusal] = (
    # Not sure.
    Refusal("duplicate nonce", "duplicate_nonce", OutcomeUnknown, _LOOK),
    Refusal(
        "error placing new order during modify",
        "modify_lost",
        OutcomeUnknown,
        "The order is gone and its replacement was refused: look it up, and place another where one is wanted.",
    ),
    # Nothing was done, and a later try may go through.
    Refusal("too many cumulative requests", "too_many_requests", RateLimited, "Trade more, or ask less often."),
    Refusal("invalid nonce", "nonce", Unavailable, "It is safe to try again. Does the machine's clock run right?"),
    Refusal("already expired", "expired", Unavailable, _LATE),
    Refusal("action expired", "expired", Unavailable, _LATE),
    # The key.
    Refusal("user or api wallet", "unknown_signer", AuthenticationFailed, _NEW_KEY),
    Refusal("must deposit before performing actions", "unknown_signer", AuthenticationFailed, _NEW_KEY),
    Refusal("unable to recover signer", "bad_signature", AuthenticationFailed, _NEW_KEY),
    Refusal(
        "vault not registered", "unknown_vault", AuthenticationFailed, "Check the vault's or sub-account's address."
    ),
    # The order.
    Refusal("divisible by tick size", "Tick", Rejected, "Give a price that the market takes."),
    Refusal("must have minimum value", "MinTradeNtl", Rejected, "Trade more at once."),
    Refusal("insufficient margin", "PerpMargin", Rejected, "Add collateral or trade less."),
    Refusal("reduce only order would increase", "ReduceOnly", Rejected, "The position is flat or on the other side."),
    Refusal("post only order would have", "BadAloPx", Rejected, "Give a price that rests, or let it take."),
    Refusal("could not immediately match", "IocCancel", Rejected, "Nothing was offered at that price."),
    Refusal("invalid tp/sl price", "BadTriggerPx", Rejected, "Give a trigger on the other side of the market."),
    Refusal("no liquidity available", "MarketOrderNoLiquidity", Rejected, "Nothing was offered."),
    Refusal(
        "while at open interest cap", "TooAggressiveAtOpenInterestCap", Rejected, "Give a price nearer the oracle's."
    ),
    Refusal("open interest is capped", "PositionIncreaseAtOpenInterestCap", Rejected, "Only reductions are taken now."),
    Refusal("open interest too quickly", "OpenInterestIncrease", Rejected, "Trade less at once."),
    Refusal("insufficient spot balance", "InsufficientSpotBalance", Rejected, "Trade less, or move coins to spot."),
    Refusal("too far from oracle", "Oracle", Rejected, "Give a price nearer the oracle's."),
    Refusal("margin tier limit", "PerpMaxPosition", Rejected, "Trade less, or lower the leverage."),
    Refusal("never placed, already canceled, or filled", "MissingOrder", Rejected, "There is no such open order."),
    Refusal("cannot modify canceled or filled order", "MissingOrder", Rejected, "There is no such open order."),
)
"""First match counts. A text that is not among them is a refusal too: the venue says that it did nothing."""


class Taken(msgspec.Struct, frozen=True):
    """What the venue says of an item that it took.

    Attributes:
        word: ``resting``, ``filled``, or the venue's own for those without details, such as ``success``.
        order_id: Empty where it gives none.
        filled: How much traded at once.
    """

    word: str
    order_id: str = ""
    filled: Decimal = ZERO


def judge(call: Call, answer: Answer) -> VenueError | None:
    """The table for answers as a whole; None where it is the one asked for, be it with errors of single items."""
    text = rows.shown(answer.body)
    if answer.status == _OK:
        return _of_action(answer.body, text) if call.path == EXCHANGE else None
    told = f"Hyperliquid answered {answer.status} to {call.path}: {text or 'nothing'}."
    code = str(answer.status)
    if answer.status == _TOO_MANY:
        return RateLimited(told, remedy="Nothing was done; ask less often.", venue_code=code, venue_text=text)
    if answer.status in _UNAUTHORIZED:
        remedy = "The venue does not serve this address or network; its terms name countries that it does not."
        return AuthenticationFailed(told, remedy=remedy, venue_code=code, venue_text=text)
    if answer.status in _REFUSED and answer.status not in _MAYBE:
        return Rejected(told, remedy="Nothing was done.", venue_code=code, venue_text=text)
    if call.writes:
        return OutcomeUnknown(told, remedy=_LOOK, venue_code=code, venue_text=text)
    return Unavailable(told, remedy="It is safe to ask again.", venue_code=code, venue_text=text)


def refusal(text: str) -> VenueError:
    """What a text of the venue means, of one item or of a whole action."""
    told = f"Hyperliquid refused: {rows.shown(text)}"
    low = text.lower()
    for known in REFUSALS:
        if known.words in low:
            return known.error(told, remedy=known.remedy, venue_code=known.code, venue_text=text)
    return Rejected(told, remedy="Nothing was done.", venue_text=text)


def outcomes(body: bytes, asked: int) -> Sequence[Taken | VenueError]:
    """What became of each item of an action that was answered ``ok``: of a batch some may be refused.

    Args:
        body: The answer.
        asked: How many items there were.

    Raises:
        OutcomeUnknown: The answer cannot be read, or does not speak of as many.
    """
    try:
        response = rows.record(rows.as_row(json_value("/exchange", body)), "response")
        statuses = rows.records(rows.record(response, "data"), "statuses")
        if len(statuses) != asked:
            raise _unreadable(f"{len(statuses)} statuses for {asked} items", body)
        return [_outcome(status) for status in statuses]
    except (BadInput, Malformed) as error:
        raise _unreadable(str(error), body) from error


def _outcome(status: object) -> Taken | VenueError:
    if isinstance(status, str):
        return Taken(status)
    row = rows.as_row(status, "status")
    if "error" in row:
        return refusal(rows.text(row, "error"))
    if "filled" in row:
        filled = rows.record(row, "filled")
        return Taken("filled", rows.identifier(filled, "oid"), rows.decimal(filled, "totalSz"))
    return Taken("resting", rows.identifier(rows.record(row, "resting"), "oid"))


def _of_action(body: bytes, text: str) -> VenueError | None:
    try:
        answer = rows.as_row(json_value("/exchange", body))
    except (BadInput, Malformed) as error:
        return _unreadable(str(error), body)
    match answer.get("status"), answer.get("response"):
        case "ok", _:
            return None
        case "err", str(words):
            return refusal(words)
        case _:
            return _unreadable(text, body)


def _unreadable(why: str, body: bytes) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"Hyperliquid's answer to an action cannot be read: {why}.", remedy=_LOOK, venue_text=rows.shown(body)
    )
