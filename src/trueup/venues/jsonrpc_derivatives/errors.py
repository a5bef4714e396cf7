"""The engine's table of answers: what each error code means for what was asked, its own code and words kept.

A refusal by code is sure: the engine did nothing. Codes of failures inside of it are not, so a write that meets one may
have been done. The codes are those of https://docs.deribit.com/articles/errors and of the JSON-RPC 2.0 specification.
Over HTTP an error comes with a status of its own, which only counts where the body is no answer of the engine.
"""

from collections.abc import Mapping
from decimal import Decimal

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
from trueup.venues import cdp, rows
from trueup.venues.files import json_value
from trueup.venues.rows import Row
from trueup.venues.transport.http import Answer, Call, Judge

_OK = range(200, 300)
_REFUSED = range(400, 500)
_TOO_MANY = 429
_MAYBE = frozenset({408})

_LOOK = "It may have taken effect: look it up before sending anything again."
_AGAIN = "It is safe to ask again."
_LATER = "Nothing was done; it is safe to try again."


class NotThere(Rejected):
    """What was named is not at the venue."""


class NotOpen(Rejected):
    """The order is over: there is nothing left of it to cancel or change."""


class TokenRefused(AuthenticationFailed):
    """The access token is not taken, any more or at all. Nothing was done."""


Meaning = tuple[type[VenueError], str]
"""An error and what to do next."""

_KEY = "Check the API key, its scopes, and that it is of this environment (live or test)."

_OF_CODE: Mapping[int, Meaning] = {
    # The caller: by a token that may have ended, by a key that is wrong, or by a scope that it has not.
    13004: (TokenRefused, _KEY),
    13009: (TokenRefused, _KEY),
    **dict.fromkeys((9999, 10000, 11042, 13000, 13001, 13002, 13021), (AuthenticationFailed, _KEY)),
    # Too much, or not now.
    10028: (RateLimited, "Nothing was done; ask less often."),
    10047: (RateLimited, "Nothing was done; the queue of the matching engine is full."),
    10066: (RateLimited, "Nothing was done; fewer calls at once."),
    10040: (Unavailable, _LATER),
    10041: (Unavailable, "Trading pauses for the daily settlement at 08:00 UTC, for seconds. " + _LATER),
    11051: (Unavailable, "The venue is under maintenance. " + _LATER),
    13025: (Unavailable, "The venue switched this method off for now. " + _LATER),
    13503: (Unavailable, _LATER),
    13888: (Unavailable, "It came too late to be taken: " + _LATER),
    # Failures inside: whether it was done is not said.
    **dict.fromkeys((10001, 11031, 11094, 13008, -32603), (OutcomeUnknown, _LOOK)),
    # What is named; what is no id at all, nothing there can have.
    **dict.fromkeys((10004, 10025, 10029, 13020), (NotThere, "Check the id and the account.")),
    **dict.fromkeys((10010, 11008, 11044), (NotOpen, "The order is over.")),
    # The order.
    10009: (Rejected, "Add collateral or trade less."),
    10020: (Rejected, "Check the instrument's name."),
    10021: (Rejected, "Give an amount in the instrument's steps."),
    10043: (Rejected, "Give a price in the instrument's ticks."),
    10044: (Rejected, "Give a trigger in the instrument's ticks."),
    11035: (Rejected, "Cancel a trigger order first: there are as many as are allowed."),
    11054: (Rejected, "Give a price that rests, or let it take."),
}


def judging(title: str) -> Judge:
    """The table, for one place where the engine runs."""

    def judge(call: Call, answer: Answer) -> VenueError | None:
        row = _row(answer.body)
        if row is not None and row.get("error") is not None:
            return of_error(title, call.path, row, writes=call.writes)
        if row is not None and "result" in row and answer.status in _OK:
            return None
        return _of_status(title, call, answer)

    return judge


def of_error(title: str, method: str, answer: Row, *, writes: bool) -> VenueError:
    """What an answer with an error means.

    Args:
        title: Of the place, for messages.
        method: Or path that was asked.
        answer: The whole JSON-RPC answer.
        writes: Whether the method may change anything.
    """
    try:
        error = rows.record(answer, "error")
        code, message = rows.integer(error, "code"), _shown(error.get("message", ""))
    except BadInput:
        return _unreadable(title, method, _shown(answer.get("error")), writes=writes)
    kind, remedy = _OF_CODE.get(code, (Rejected, "Nothing was done."))
    if kind is OutcomeUnknown and not writes:
        kind, remedy = Unavailable, _AGAIN
    reason = _reason(error.get("data"))
    told = f"{title} refused {method}: {message or 'no words'}{reason} ({code})."
    return kind(told, remedy=remedy, venue_code=str(code), venue_text=message + reason)


def wait_s(body: bytes) -> float | None:
    """Seconds that an error asks to be left alone for; None where it does not say."""
    row = _row(body)
    error = row.get("error") if row is not None else None
    data = error.get("data") if isinstance(error, dict) else None
    for field, share in (("retry_after", 1.0), ("retry_after_ms", 0.001), ("wait", 1.0)):
        value = data.get(field) if isinstance(data, dict) else None
        if isinstance(value, int | Decimal) and not isinstance(value, bool) and value >= 0:
            return float(value) * share
    return None


def _reason(data: object) -> str:
    """What an error says besides: which parameter, and why."""
    if not isinstance(data, dict):
        return ""
    said = [_shown(data[field]) for field in ("param", "reason") if isinstance(data.get(field), str)]
    return f" ({': '.join(said)})" if said else ""


def _of_status(title: str, call: Call, answer: Answer) -> VenueError:
    """What an answer means that is not the engine's own."""
    text = _shown(answer.body) if answer.body else ""
    told = f"{title} answered {call.path} with status {answer.status}: {text or 'no words'}."
    code = str(answer.status)
    if answer.status in {401, 403}:
        return AuthenticationFailed(told, remedy=_KEY, venue_code=code, venue_text=text)
    if answer.status == _TOO_MANY:
        return RateLimited(told, remedy="Nothing was done; ask less often.", venue_code=code, venue_text=text)
    if answer.status in _REFUSED and answer.status not in _MAYBE:
        return Rejected(told, remedy="Nothing was done.", venue_code=code, venue_text=text)
    if call.writes:
        return OutcomeUnknown(told, remedy=_LOOK, venue_code=code, venue_text=text)
    return Unavailable(told, remedy=_AGAIN, venue_code=code, venue_text=text)


def _unreadable(title: str, method: str, text: str, *, writes: bool) -> VenueError:
    kind, remedy = (OutcomeUnknown, _LOOK) if writes else (Malformed, _AGAIN)
    return kind(f"{title}: the error of {method} cannot be read: {text}.", remedy=remedy, venue_text=text)


def _shown(value: object) -> str:
    return cdp.without_tokens(rows.shown(value))


def _row(body: bytes) -> Row | None:
    try:
        return rows.as_row(json_value("answer", body))
    except (Malformed, BadInput):
        return None
