"""Kite's table of answers: what each means for what was asked, with its own word and text kept.

==========================================  ===================  ==================================================
answer                                      for a read           for a write
==========================================  ===================  ==================================================
200, ``success``                            the answer           taken; what became of it, the order's state says
``TokenException``                          AuthenticationFailed AuthenticationFailed: log in
``PermissionException``                     AuthenticationFailed AuthenticationFailed; of the address: Rejected
``Input-``, ``Margin-``, ``Holding-``,
``UserException``                           Rejected             Rejected
``OrderException``                          Unavailable          Rejected, once the day's orders do not have it
429                                         RateLimited          RateLimited
404                                         NotThere             NotThere, a Rejected
408, ``Data-``, ``NetworkException``, 5xx   Unavailable          OutcomeUnknown: Kite lost touch with the exchange
other 4xx                                   Rejected             Rejected
==========================================  ===================  ==================================================

No answer at all is the transport's to judge: Unavailable for a read, OutcomeUnknown for a write that was sent.
"""

import re

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
from trueup.venues.transport.http import Answer, Call, Judge

ORDER = "OrderException"

_REFUSED = frozenset({"InputException", "MarginException", "HoldingException", "UserException"})
_IN_DOUBT = frozenset({"DataException", "NetworkException"})
_OK = range(200, 300)
_CLIENT_ERRORS = range(400, 500)
_TIMED_OUT, _TOO_MANY, _NOT_FOUND = 408, 429, 404
_FORBIDDEN = frozenset({401, 403})
_ADDRESS = re.compile(r"\bIPs?\b|\bIP[ -]address|whitelist", re.IGNORECASE | re.ASCII)

_STATIC_IP = (
    "Nothing was done. Since April 2026 orders are taken from the registered static address only: register this "
    "machine's at developers.kite.trade (Profile, IP Whitelist). Reading works from anywhere."
)


class NotThere(Rejected):
    """What was named is not at the venue."""


def judging(log_in: str) -> Judge:
    """The table; ``log_in`` says what to do when the token is over."""

    def judge(call: Call, answer: Answer) -> VenueError | None:
        code, text, failed = said(answer)
        if answer.status in _OK and not failed:
            return None
        told = f"Kite answered {call.method} {_plain(call.path)} with status {answer.status}: {text or 'no words'}"
        kind, remedy = _kind(call, answer.status, code, text, log_in)
        return kind(f"{told} ({code})." if code else f"{told}.", remedy=remedy, venue_code=code, venue_text=text)

    return judge


def said(answer: Answer) -> tuple[str, str, bool]:
    """Kite's word and text of an error, and whether its body says that it is one; the status, where it has no word."""
    if answer.status in _OK and b'"error"' not in answer.body[:200]:
        return "", "", False  # a long list, or the instruments file: it is read once, by its reader
    try:
        row = rows.as_row(json_value("answer", answer.body))
    except (Malformed, BadInput):
        return str(answer.status), rows.shown(answer.body) if answer.body else "", False
    failed = row.get("status") == "error"
    return rows.shown(row.get("error_type") or answer.status), rows.shown(row.get("message") or ""), failed


def _kind(call: Call, status: int, code: str, text: str, log_in: str) -> tuple[type[VenueError], str]:
    """The error that an answer stands for, and what to do next."""
    if status == _TOO_MANY:
        return RateLimited, "Nothing was done: 10 requests a second, 1 for quotes. Too many for long block the key."
    if code == "TokenException":
        return AuthenticationFailed, f"{log_in}."
    refused = code in _REFUSED or (code == ORDER and call.writes)
    forbidden = code == "PermissionException" or (status in _FORBIDDEN and not refused)
    if (refused or forbidden) and call.writes and _ADDRESS.search(text):
        return Rejected, _STATIC_IP
    if forbidden:
        return AuthenticationFailed, "Check what the app may do at developers.kite.trade, and that it is paid for."
    return (Rejected, "Nothing was done.") if refused else _by_status(call, status, code)


def _by_status(call: Call, status: int, code: str) -> tuple[type[VenueError], str]:
    """What a status says where Kite's word says no more."""
    if status == _NOT_FOUND:
        return NotThere, "Check the id; Kite knows orders of the present day only."
    if status in _CLIENT_ERRORS and status != _TIMED_OUT and code not in _IN_DOUBT | {ORDER}:
        return Rejected, "Nothing was done."
    if call.writes:
        return OutcomeUnknown, "It may have taken effect: look it up by its tag before sending anything again."
    return Unavailable, "It is safe to ask again."


def _plain(path: str) -> str:
    return path.partition("?")[0]
