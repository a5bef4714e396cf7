"""OANDA's table of answers: what each means for what was asked, with its own code and words kept.

========================  ==========================================  ===============================================
answer                    for a read                                  for a write
========================  ==========================================  ===============================================
200, 201                  the answer                                  done; an order cancelled at once: Rejected
400                       Rejected                                    Rejected, with ``rejectReason``
401, 403                  AuthenticationFailed                        AuthenticationFailed
404                       NotThere, a Rejected                        NotThere, a Rejected
405, 416, other 4xx       Rejected                                    Rejected
408                       Unavailable                                 OutcomeUnknown
429                       RateLimited                                 RateLimited
5xx, anything else        Unavailable                                 OutcomeUnknown
========================  ==========================================  ===============================================

No answer at all is the transport's to judge: Unavailable for a read, OutcomeUnknown for a write that was sent.
"""

from contextlib import suppress
from urllib.parse import urlsplit

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
from trueup.venues import rows
from trueup.venues.files import json_value
from trueup.venues.rows import Row
from trueup.venues.transport.http import Answer, Call, Judge

ALREADY_EXISTS = "CLIENT_ORDER_ID_ALREADY_EXISTS"
"""The reason where another pending order has the client id."""

_OK = range(200, 300)
_TIMED_OUT = 408
_CLIENT_ERRORS = range(400, 500)
_ON_ITS_TERMS = frozenset({"TIME_IN_FORCE_EXPIRED", "INSUFFICIENT_LIQUIDITY", "BOUNDS_VIOLATION"})
"""Why an order that may only trade at once did not: what was asked for, and no refusal."""

_ENVIRONMENTS = {"api-fxtrade": "live", "stream-fxtrade": "live", "api-fxpractice": "practice"}
_OF_ACCOUNT = {"001": "live", "101": "practice"}


class NotThere(Rejected):
    """What was named is not at the venue."""


def judging(account_id: str, rest_url: str) -> Judge:
    """The table, for one account at one address."""

    def judge(call: Call, answer: Answer) -> VenueError | None:
        if answer.status in _OK:
            return None
        code, text = said(answer.body)
        told = f"OANDA answered {call.method} {call.path} with status {answer.status}: {text or 'no words'}"
        told = f"{told} ({code})." if code else f"{told}."
        kind, remedy = _kind(call, answer, pairing(account_id, rest_url))
        return kind(told, remedy=remedy, venue_code=code or str(answer.status), venue_text=text)

    return judge


def said(body: bytes) -> tuple[str, str]:
    """OANDA's code and words in an error: the reason of the rejected transaction, else the error's own code."""
    try:
        answer = rows.as_row(json_value("answer", body))
    except (Malformed, BadInput):
        return "", rows.shown(body) if body else ""
    reasons = [
        row.get("rejectReason") for field, value in answer.items() if (row := _rejected(field, value)) is not None
    ]
    code = next((reason for reason in reasons if isinstance(reason, str)), answer.get("errorCode", ""))
    return rows.shown(code or ""), rows.shown(answer.get("errorMessage", ""))


def killed(canceled: object, *, at_once_only: bool = False) -> Rejected | None:
    """Why an order that was accepted and cancelled in one answer counts as refused; None where it does not.

    Args:
        canceled: The transaction that cancelled the order, of which nothing was filled; None where there is none.
        at_once_only: Whether it was only to trade at once: then it may be cancelled on its own terms, as was asked for.
    """
    if canceled is None:
        return None
    reason = ""
    with suppress(BadInput):
        reason = rows.optional_text(rows.as_row(canceled), "reason")
    if at_once_only and reason in _ON_ITS_TERMS:
        return None
    return Rejected(
        f"OANDA accepted the order and cancelled it at once: {reason or 'no reason given'}.",
        remedy="Nothing was traded. Prices tell whether the instrument is tradeable.",
        venue_code=reason,
        venue_text=reason,
    )


def pairing(account_id: str, rest_url: str) -> str:
    """What to look at where the token is not accepted: live and practice know different tokens and accounts."""
    environment = next((word for host, word in _ENVIRONMENTS.items() if _host(rest_url).startswith(host)), "")
    belongs = _OF_ACCOUNT.get(account_id.partition("-")[0], "")
    if environment and belongs and environment != belongs:
        return (
            f"Account {account_id} looks like a {belongs} account, and this address is the {environment} environment."
        )
    where = f"This is the {environment} environment. " if environment else ""
    return (
        f"{where}Live and practice have tokens of their own: make one for this environment, and check the account id."
    )


def _kind(call: Call, answer: Answer, pair: str) -> tuple[type[VenueError], str]:
    """The error that a status stands for, and what to do next."""
    match answer.status:
        case 401 | 403:
            return AuthenticationFailed, pair
        case 404:
            return NotThere, "Check the id and the account."
        case 429:
            return RateLimited, "At most 120 requests a second."
        case status if status in _CLIENT_ERRORS and status != _TIMED_OUT:
            return Rejected, "Nothing was done."
    if call.writes:
        return OutcomeUnknown, "It may have taken effect: look it up before sending anything again."
    return Unavailable, "It is safe to ask again."


def _rejected(field: str, value: object) -> Row | None:
    return value if field.endswith("RejectTransaction") and isinstance(value, dict) else None


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""
