"""The access token: got for a credential, renewed ahead of its end, and never shown.

What differs from place to place is the credential alone: a :data:`Grant`. The secret itself is never sent.
"""

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from contextlib import nullcontext

import msgspec

from trueup.model.errors import BadInput, Malformed
from trueup.model.times import NS_PER_MS
from trueup.venues import rows
from trueup.venues.jsonrpc_derivatives.calls import Params
from trueup.venues.rows import Row
from trueup.venues.transport.limiter import Priority
from trueup.venues.transport.secrets import Secret

METHOD = "public/auth"

RENEWED_AT = 0.8
"""The share of a token's life after which another one is asked for."""

Grant = Callable[[int], Params]
"""Parameters of ``public/auth`` at a time of the venue's in nanoseconds, fresh each time.

Raises :class:`AuthenticationFailed` where there is no credential to make them from.
"""


def client_signature(client_id: Secret, secret: Secret, nonce: Callable[[], str]) -> Grant:
    """The credential of an account's own API key: the time and a nonce, signed (HMAC-SHA256) with the client secret.

    Args:
        client_id: Of the key.
        secret: Of the key.
        nonce: Gives something else each time.

    The formula is that of https://docs.deribit.com/articles/authentication, "Client Signature".
    """

    def grant(now: int) -> Params:
        moment, once = str(now // NS_PER_MS), nonce()
        signed = hmac.digest(secret.reveal().encode(), f"{moment}\n{once}\n".encode(), "sha256").hex()
        return {
            "grant_type": "client_signature",
            "client_id": client_id.reveal(),
            "timestamp": int(moment),
            "nonce": once,
            "data": "",
            "signature": signed,
        }

    return grant


class Token(msgspec.Struct, frozen=True):
    """An access token.

    Attributes:
        renew_at: By our monotonic clock, in seconds.
        ends_at: From then on it is not taken.
        scope: What it may do, in the venue's words.
    """

    value: str
    renew_at: float
    ends_at: float
    scope: str

    def __repr__(self) -> str:
        """Without the token."""
        return f"Token(scope={self.scope!r})"


def token_of(result: Row, now: float) -> Token:
    """The token of an answer that came at ``now``. Raises :class:`Malformed`."""
    value = result.get("access_token")
    if not isinstance(value, str) or not value or not (value.isascii() and value.isprintable()):
        raise Malformed(f"{METHOD}: the answer has no access token.", remedy="Ask again.")
    try:
        lasts = rows.integer(result, "expires_in")
        return Token(value, now + lasts * RENEWED_AT, now + lasts, rows.optional_text(result, "scope"))
    except BadInput as error:
        raise Malformed(f"{METHOD}: {error.field}: {error.problem}.", remedy=error.remedy) from None


class Tokens:
    """The one token that all calls of an account share. Belongs to one event loop.

    Args:
        exchange: Gets a new one from the venue; raises :class:`VenueError`.
        monotonic: Seconds that never go back.
    """

    def __init__(self, exchange: Callable[[Priority], Awaitable[Token]], monotonic: Callable[[], float]) -> None:
        self._exchange = exchange
        self._monotonic = monotonic
        self._token: Token | None = None
        self._renewing = asyncio.Lock()

    async def current(self, priority: Priority) -> Token:
        """A token that is taken now. Raises :class:`VenueError`.

        What is urgent waits for no renewal that another caller makes: it takes what still holds, or makes its own.
        """
        token = self._token
        if token is not None and self._monotonic() < (token.ends_at if priority.urgent else token.renew_at):
            return token
        async with nullcontext() if priority.urgent else self._renewing:
            token = self._token
            if token is None or self._monotonic() >= token.renew_at:
                token = self._token = await self._exchange(priority)
            return token

    def forget(self, token: Token) -> None:
        """The venue does not take this one any more."""
        if self._token is token:
            self._token = None
