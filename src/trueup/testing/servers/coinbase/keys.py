"""Whose token is good: keys of the Coinbase Developer Platform, and the JWTs that they sign (RFC 7515, 7518, 8037)."""

import binascii
from base64 import urlsafe_b64decode
from collections.abc import Collection, Mapping
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from trueup.model.identifiers import AccountId
from trueup.model.times import NS_PER_SECOND
from trueup.ports import Clock
from trueup.testing.servers.coinbase.wire import unauthorized

LIFE_S = 120
"""How long a token may say that it is good for."""

LEEWAY_S = 10
"""How far the clocks of client and venue may lie apart. The venue states none."""

ISSUERS = frozenset({"cdp", "coinbase-cloud"})
"""The older name is still sent by many, and taken."""

PublicKey = ec.EllipticCurvePublicKey | Ed25519PublicKey

_NUMBER_BYTES = 32
"""Of each of the two numbers of an ES256 signature."""


class Key(msgspec.Struct, frozen=True):
    """A key as the venue keeps it.

    Attributes:
        name: ``organizations/.../apiKeys/...``, or an id alone.
        public: On P-256 for ES256, or of Ed25519.
        account: The account of the exchange that it sees: a key belongs to one portfolio.
        scopes: Of ``view``, ``trade`` and ``transfer``.
    """

    name: str
    public: PublicKey
    account: AccountId
    scopes: frozenset[str] = frozenset({"view", "trade"})


class _Header(msgspec.Struct):
    alg: str
    kid: str
    nonce: str


class _Claims(msgspec.Struct):
    sub: str
    iss: str
    nbf: int
    exp: int
    uri: str = ""
    uris: tuple[str, ...] = ()


class Guard:
    """Lets in who has a good token."""

    def __init__(self, keys: Collection[Key], clock: Clock) -> None:
        self._keys: Mapping[str, Key] = {key.name: key for key in keys}
        self._clock = clock
        self._used: dict[str, int] = {}

    def admit(self, token: str, uris: Collection[str]) -> Key:
        """The key of a request's token, which must be made for it.

        Args:
            token: The JWT.
            uris: Any of the ways to write method, host and path of the request.

        Raises:
            Refusal: 401.
        """
        key, _, claims = self._verified(token)
        if not {claims.uri, *claims.uris} & set(uris):
            raise unauthorized()
        return key

    def admit_stream(self, token: str) -> Key:
        """The key of a subscription's token, which is for no request, and good once. Raises :class:`Refusal` (401)."""
        key, header, claims = self._verified(token)
        now = self._now()
        self._used = {nonce: until for nonce, until in self._used.items() if until >= now}
        if claims.uri or claims.uris or header.nonce in self._used:
            raise unauthorized()
        self._used[header.nonce] = claims.exp + LEEWAY_S
        return key

    def _verified(self, token: str) -> tuple[Key, _Header, _Claims]:
        parts = token.split(".")
        if len(parts) != 3:  # noqa: PLR2004 - header, claims and signature
            raise unauthorized()
        header, claims = _read(parts[0], _Header), _read(parts[1], _Claims)
        key, now = self._keys.get(header.kid), self._now()
        if key is None or not header.nonce or not _signs(key.public, header.alg, token, _bytes(parts[2])):
            raise unauthorized()
        if claims.sub != key.name or claims.iss not in ISSUERS or claims.exp - claims.nbf > LIFE_S:
            raise unauthorized()
        if claims.nbf > now + LEEWAY_S or claims.exp < now - LEEWAY_S:
            raise unauthorized()
        return key, header, claims

    def _now(self) -> int:
        return self._clock.now() // NS_PER_SECOND


def _signs(public: PublicKey, algorithm: str, token: str, signature: bytes) -> bool:
    """Whether a key made the signature of a token."""
    signed = token.rpartition(".")[0].encode()
    try:
        if isinstance(public, Ed25519PublicKey):
            public.verify(signature, signed)
            return algorithm == "EdDSA"
        r, s = (int.from_bytes(half, "big") for half in (signature[:_NUMBER_BYTES], signature[_NUMBER_BYTES:]))
        public.verify(encode_dss_signature(r, s), signed, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return algorithm == "ES256" and len(signature) == 2 * _NUMBER_BYTES


def _read(part: str, kind: type[Any]) -> Any:  # noqa: ANN401 - of the kind that is given
    try:
        return msgspec.json.decode(_bytes(part), type=kind)
    except msgspec.DecodeError:
        raise unauthorized() from None


def _bytes(part: str) -> bytes:
    try:
        return urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (binascii.Error, ValueError):
        raise unauthorized() from None
