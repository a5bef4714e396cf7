"""What ccxt's exceptions mean. What lives only here: which of them are sure, and which leave it open.

ccxt names an error by what the venue's answer said. For a read the name says whether asking again can help. For an
order it has to be read more strictly: what may have left and was not surely refused may have been done, and a code that
ccxt has no name for is no sure refusal.
"""

import re
import socket
from collections.abc import Mapping, Sequence

from trueup.model.errors import (
    AuthenticationFailed,
    Malformed,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Unavailable,
    VenueError,
)

KINDS: Mapping[str, type[VenueError]] = {
    "AuthenticationError": AuthenticationFailed,
    "RateLimitExceeded": RateLimited,
    "DDoSProtection": RateLimited,
    "InvalidNonce": Unavailable,
    "OnMaintenance": Unavailable,
    "ExchangeClosedByUser": Unavailable,
    "ArgumentsRequired": Rejected,
    "BadRequest": Rejected,
    "InsufficientFunds": Rejected,
    "InvalidOrder": Rejected,
    "MarketClosed": Rejected,
    "NotSupported": Rejected,
    "OperationRejected": Rejected,
}
"""By the name of the exception or of the nearest of its parents; surely so for an order too."""

NEVER_LEFT = ("ClientConnectorError", "ConnectionTimeoutError")
"""aiohttp's names for a connection that was never there."""

WORDS_MAX = 300

_QUERY = re.compile(r"(https?://[^\s?]*)\?\S*")
_STREAM = re.compile(r"(wss?://[^\s/?'\"]*)[/?][^\s'\"]*")
_LOOK = "It may have taken effect: look it up before sending anything again."


def judge(error: Exception, *, where: str, order_left: bool, secrets: Sequence[str]) -> VenueError:
    """What an exception out of ccxt means.

    Args:
        error: As it came.
        where: What was asked of whom.
        order_left: Whether an order, a change or a cancel may have reached the venue.
        secrets: Texts that must not be in any message: ccxt's own messages name whole addresses.
    """
    names = [kind.__name__ for kind in type(error).__mro__]
    words = hidden(str(error), secrets) or names[0]
    told = f"{where}: {words}"
    known = next((KINDS[name] for name in names if name in KINDS), None)
    if known is not None:
        return known(told, remedy=_REMEDIES[known], venue_code=names[0], venue_text=words)
    if order_left and not _never_left(error):
        return OutcomeUnknown(told, remedy=_LOOK, venue_code=names[0], venue_text=words)
    if "BaseError" not in names and not isinstance(error, TimeoutError):
        told = f"{where}: ccxt cannot read the answer: {names[0]}: {words}"
        return Malformed(told, remedy="The exchange may have changed its answers; see whether a newer ccxt reads them.")
    if "NetworkError" in names or isinstance(error, TimeoutError) or _never_left(error):
        return Unavailable(told, remedy=_REMEDIES[Unavailable], venue_code=names[0], venue_text=words)
    return Rejected(told, remedy=_REMEDIES[Rejected], venue_code=names[0], venue_text=words)


def hidden(text: str, secrets: Sequence[str]) -> str:
    """A text without any credential.

    Queries of addresses carry signatures, and paths of streams the keys that whoever has them may listen by.
    """
    text = _STREAM.sub(r"\1", _QUERY.sub(r"\1", text))
    for secret in secrets:
        if secret:
            text = text.replace(secret, "<secret>")
    return text if len(text) <= WORDS_MAX else f"{text[: WORDS_MAX - 1]}…"


def _never_left(error: BaseException) -> bool:
    cause = error.__cause__
    names = () if cause is None else tuple(kind.__name__ for kind in type(cause).__mro__)
    return isinstance(cause, socket.gaierror) or any(name in names for name in NEVER_LEFT)


_REMEDIES: Mapping[type[VenueError], str] = {
    AuthenticationFailed: "Check the key, its permissions and the addresses it may be used from.",
    RateLimited: "Nothing was done; ask less often.",
    Unavailable: "It is safe to ask again.",
    Rejected: "Nothing was done.",
}
