"""What the venue's refusals mean. What lives only here: which answers are refusals, and which leave it open.

========================  ==========================================  ===============================================
answer                    for a read                                  for a write
========================  ==========================================  ===============================================
200                       the answer                                  ``success`` true or false; neither: OutcomeUnknown
401, 403                  AuthenticationFailed                        AuthenticationFailed
404                       NotThere, a Rejected                        NotThere, a Rejected
408, 409, 499, 5xx, else  Unavailable                                 OutcomeUnknown
429                       RateLimited                                 RateLimited
other 4xx                 Rejected                                    Rejected
========================  ==========================================  ===============================================

409 may say that there is an order of that id already, and 499 that the venue itself stopped waiting for the outcome.
A success is no more than that the order, cancel or change was taken up: what became of it, the order itself tells.
"""

from collections.abc import Iterator

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
from trueup.venues.transport.http import SERVER_ERROR, Answer, Call

_OK = 200
_UNDECIDED = frozenset({408, 409, 499})
_REFUSED = range(400, SERVER_ERROR)
_LOOK = "It may have taken effect: look the order up before sending anything again."
_KEY = (
    "Check that the key is of Coinbase Advanced, may view (and to trade, trade), that the address it is used from is "
    "allowed, and that this machine's clock runs right."
)
_REASONS = ("new_order_failure_reason", "preview_failure_reason", "edit_failure_reason", "failure_reason", "error")
_WORDS = ("error_details", "message")


class NotThere(Rejected):
    """What was named is not at the venue."""


def judge(call: Call, answer: Answer) -> VenueError | None:
    """The table; None where the answer is the one asked for, be it with a refusal of what it was to do."""
    if answer.status == _OK:
        return None
    code, text = _said(answer.body)
    told = f"Coinbase answered {answer.status} to {call.method} {call.path}: {text or 'no words'}."
    kind, remedy = _kind(call, answer)
    return kind(told, remedy=remedy, venue_code=code or str(answer.status), venue_text=text)


def accepted(name: str, body: bytes) -> Row:
    """What the venue says of an order or a change that it took up.

    Raises:
        Rejected: It did not.
        OutcomeUnknown: The answer cannot be read.
    """
    try:
        answer = rows.as_row(json_value(name, body))
        if rows.flag(answer, "success", default=False):
            return answer
        refusals = list(_refusals(answer))
    except (BadInput, Malformed) as error:
        raise unreadable(name, body) from error
    if not refusals and "success" not in answer:
        raise unreadable(name, body)
    raise _refused(name, refusals)


def order_id(name: str, body: bytes) -> str:
    """The id of an order that was taken up. Raises as :func:`accepted` does."""
    answer = accepted(name, body)
    try:
        return rows.identifier(rows.record(answer, "success_response"), "order_id")
    except BadInput as error:
        raise unreadable(name, body) from error


def not_cancelled(body: bytes) -> Rejected | None:
    """Why a cancel of one order was not taken up; None where it was. Raises :class:`OutcomeUnknown`."""
    try:
        results = rows.records(rows.as_row(json_value("cancel", body)), "results")
        (result,) = (rows.as_row(result) for result in results)
        done = rows.flag(result, "success", default=False)
    except (BadInput, Malformed, ValueError) as error:
        raise unreadable("cancel", body) from error
    return None if done else _refused("cancel", [result])


def unreadable(name: str, body: bytes) -> OutcomeUnknown:
    """An answer to a write that says neither yes nor no."""
    return OutcomeUnknown(f"Coinbase's answer to {name} cannot be read.", remedy=_LOOK, venue_text=_shown(body))


def _refusals(answer: Row) -> Iterator[Row]:
    """The rows of an answer that say why."""
    if answer.get("error_response") is not None:
        yield rows.record(answer, "error_response")
    errors = answer.get("errors") or []
    for error in [errors] if isinstance(errors, dict) else rows.records({"errors": errors}, "errors"):
        yield rows.as_row(error)
    told = {name: answer[name] for name in ("failure_reason", "message") if answer.get(name)}
    if told:
        yield told


def _refused(name: str, refusals: list[Row]) -> Rejected:
    """The first reason that says something counts, and all words there are."""
    reasons = [_shown(row[field]) for row in refusals for field in _REASONS if row.get(field)]
    code = next((reason for reason in reasons if not reason.startswith("UNKNOWN_")), next(iter(reasons), ""))
    words = ", ".join(dict.fromkeys(str(row[field]) for row in refusals for field in _WORDS if row.get(field)))
    text = _shown(words or code)
    told = f"{code}: {text}" if words and code else text or "no reason given"
    return Rejected(
        f"Coinbase refused the {name}: {told}.", remedy="Nothing was done.", venue_code=code, venue_text=text
    )


def _shown(value: object) -> str:
    return cdp.without_tokens(rows.shown(value))


def _kind(call: Call, answer: Answer) -> tuple[type[VenueError], str]:
    match answer.status:
        case 401 | 403:
            return AuthenticationFailed, _KEY
        case 404:
            return NotThere, "Check the id."
        case 429:
            return RateLimited, "Nothing was done; ask less often."
        case status if status in _REFUSED and status not in _UNDECIDED:
            return Rejected, "Nothing was done."
    return (OutcomeUnknown, _LOOK) if call.writes else (Unavailable, "It is safe to ask again.")


def _said(body: bytes) -> tuple[str, str]:
    """The venue's code and words: of ``{"error", "message"}``, of ``{"errors": [{"id", "message"}]}``, or as text."""
    try:
        answer = rows.as_row(json_value("answer", body))
        listed = rows.records(answer, "errors") if answer.get("errors") else []
        first = rows.as_row(listed[0]) if listed else answer
    except (Malformed, BadInput):
        return "", _shown(body.strip())
    code = first.get("id") or first.get("error") or ""
    words = first.get("message") or first.get("error_details") or ""
    return _shown(code), _shown(words)
