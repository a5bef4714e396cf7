"""Who may ask: keys and what they open, the grants of ``public/auth``, tokens, and requests that are signed."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b, sha256
from typing import TYPE_CHECKING

import msgspec

from trueup.model.identifiers import AccountId
from trueup.ports import Clock
from trueup.testing.servers import asgi
from trueup.testing.servers.jsonrpc_derivatives import wire
from trueup.testing.servers.jsonrpc_derivatives.params import Params
from trueup.testing.servers.jsonrpc_derivatives.wire import Row

if TYPE_CHECKING:
    from trueup.testing.servers.cdp import PublicKey

FULL_SCOPE = "account:read_write block_trade:read_write trade:read_write wallet:read"
READ_SCOPE = "account:read block_trade:read trade:read wallet:read"
CDP_SCOPE = "wallet:user:read wallet:accounts:read wallet:transactions:read wallet:buys:create"
CDP_READ_SCOPE = "wallet:user:read wallet:accounts:read wallet:transactions:read"
_TRADES = frozenset({"trade:read_write", "wallet:buys:create"})

SIGNED_MS_MAX = 60_000
"""How far the time of a signed request may be from the venue's."""

_SIGNED = re.compile(r"deri-hmac-sha256 id=([^,]+),ts=(\d+),sig=([0-9a-f]+),nonce=([^,]+)")


class Access(msgspec.Struct, frozen=True):
    """What somebody may do."""

    account: AccountId
    scope: str

    @property
    def trades(self) -> bool:
        """Whether orders may be given."""
        return not _TRADES.isdisjoint(self.scope.split())


class Key(msgspec.Struct, frozen=True):
    """A key of the engine's own: its secret, and what it opens."""

    secret: str
    access: Access

    def __repr__(self) -> str:
        """Without the secret."""
        return f"Key(access={self.access!r})"


class CdpKey(msgspec.Struct, frozen=True):
    """A key of the Coinbase Developer Platform, and what it opens."""

    public: PublicKey
    access: Access


class Token(msgspec.Struct, frozen=True):
    """A token that was given out.

    Attributes:
        until: In seconds that never go back.
        holder: The connection that it is good for; None for any.
    """

    access: Access
    until: float
    holder: object | None


Grant = Callable[["Auth", Params, str], Access]
"""Tells who asks by the parameters, and by the host that was asked."""


class Auth:
    """Keys, and the tokens that were given for them.

    Args:
        clock: Whose ``now`` is the venue's time, and whose ``monotonic`` ends tokens.
        keys: By client id.
        cdp_keys: By name.
        lasts_s: How long a token lasts.
    """

    def __init__(self, clock: Clock, *, keys: Mapping[str, Key], cdp_keys: Mapping[str, CdpKey], lasts_s: int) -> None:
        self.keys = keys
        self.cdp_keys = cdp_keys
        self._clock = clock
        self._lasts_s = lasts_s
        self._tokens: dict[str, Token] = {}
        self._refreshing: dict[str, Access] = {}
        self._given = 0

    @property
    def grants(self) -> Mapping[str, Grant]:
        """Those that there are keys for."""
        return {**(_OWN if self.keys else {}), **(_COINBASE if self.cdp_keys else {})}

    def grant(self, params: Params, host: str, connection: object | None) -> tuple[Access, Row]:
        """Answer ``public/auth``, and tell who it was. Raises :class:`wire.Refusal`.

        A token that was asked for over a WebSocket is good for that alone, unless it is to be one of a session.
        """
        access = self.grants[params.choice("grant_type", self.grants.keys())](self, params, host)
        session = next((word for word in params.text("scope", "").split() if word.startswith("session:")), "")
        token, scope = self._token(access, None if session else connection), access.scope
        row: Row = {"access_token": token, "expires_in": self._lasts_s}
        if self.keys:
            refresh, scope = self._named("refresh"), f"{session or 'connection'} {scope}"
            self._refreshing[refresh] = access
            row |= {"refresh_token": refresh, "enabled_features": []}
        row |= {"scope": scope, "token_type": "bearer"}
        if "state" in params:
            row["state"] = params.text("state")
        return access, row

    def access(self, token: str, connection: object | None = None) -> Access:
        """What a token opens over a connection. Raises :class:`wire.Refusal`."""
        found = self._tokens.get(token)
        if found is None or found.until <= self._clock.monotonic():
            raise unauthorized("invalid_token" if found is None else "token_expired")
        if found.holder is not None and found.holder is not connection:
            raise unauthorized("a token of another connection")
        return found.access

    def of_request(self, request: asgi.Request) -> Access | None:
        """What the headers of a request open; None where they say nothing. Raises :class:`wire.Refusal`."""
        header = request.headers.get("authorization", "")
        if header.lower().startswith("bearer "):
            return self.access(header[len("bearer ") :])
        if not header:
            return None
        return self._signed(header, request)

    def refresh(self, params: Params) -> Access:
        """Who a refresh token was given to; it is used up."""
        access = self._refreshing.pop(params.text("refresh_token"), None)
        if access is None:
            raise wire.refused(13009, "unauthorized", "invalid_token")
        return access

    def by_secret(self, params: Params) -> Access:
        """Whose a client id and its secret are."""
        key = self.keys.get(params.text("client_id"))
        if key is None or not hmac.compare_digest(key.secret.encode(), params.text("client_secret").encode()):
            raise wire.refused(13004, "invalid_credentials")
        return key.access

    def by_signature(self, params: Params) -> Access:
        """Who signed the time, a nonce and what data there are."""
        said = [params.text(name, "") for name in ("timestamp", "nonce", "data")]
        return self._by_hmac(params.text("client_id"), said, params.text("signature"))

    def by_cdp(self, params: Params, host: str) -> Access:
        """Whose CDP key signed a token, for this request or for none in particular."""
        from trueup.testing.servers.cdp import Untrusted, verified  # noqa: PLC0415 - what it needs is an extra

        public = {name: key.public for name, key in self.cdp_keys.items()}
        try:
            claims = verified(params.text("token"), public, now=self._clock.now())
        except Untrusted as error:
            raise wire.refused(13004, "invalid_credentials", str(error)) from error
        if claims.uri is not None and claims.uri not in {f"{way} {host}/api/v2/public/auth" for way in ("POST", "GET")}:
            raise wire.refused(13004, "invalid_credentials", "a token for another request")
        return self.cdp_keys[claims.sub].access

    def _signed(self, header: str, request: asgi.Request) -> Access:
        parts = _SIGNED.fullmatch(header)
        if parts is None:
            raise unauthorized("invalid authorization header")
        client_id, timestamp, signature, nonce = parts.groups()
        address = request.raw_path + (f"?{request.raw_query}" if request.raw_query else "")
        asked = f"{request.method}\n{address}\n{request.body.decode('utf-8', 'replace')}\n"
        return self._by_hmac(client_id, [timestamp, nonce, asked], signature)

    def _by_hmac(self, client_id: str, said: Sequence[str], signature: str) -> Access:
        key, now = self.keys.get(client_id), wire.milliseconds(self._clock.now())
        if key is None or not said[0].isdigit() or abs(int(said[0]) - now) > SIGNED_MS_MAX:
            raise wire.refused(13004, "invalid_credentials")
        expected = hmac.new(key.secret.encode(), "\n".join(said).encode(), sha256).hexdigest()
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            raise wire.refused(13004, "invalid_credentials")
        return key.access

    def _token(self, access: Access, holder: object | None) -> str:
        token = self._named("access")
        self._tokens[token] = Token(access, self._clock.monotonic() + self._lasts_s, holder)
        return token

    def _named(self, kind: str) -> str:
        """A name that nothing had before; nobody need fear that it is guessed."""
        self._given += 1
        digest = blake2b(f"{kind} {self._given}".encode(), digest_size=24).hexdigest()
        return f"{wire.milliseconds(self._clock.now())}.{digest}"


def unauthorized(reason: str) -> wire.Refusal:
    """The error of who has to say who it is."""
    return wire.refused(13009, "unauthorized", reason)


_OWN: Mapping[str, Grant] = {
    "client_credentials": lambda auth, params, _: auth.by_secret(params),
    "client_signature": lambda auth, params, _: auth.by_signature(params),
    "refresh_token": lambda auth, params, _: auth.refresh(params),
}
_COINBASE: Mapping[str, Grant] = {"coinbase_cdp": lambda auth, params, host: auth.by_cdp(params, host)}
