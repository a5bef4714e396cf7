"""Whose a token of a Coinbase Developer Platform key is: a JWT (RFC 7519), judged by the holder's public key.

Written from the documentation, apart from :mod:`trueup.venues.cdp`, which makes such tokens.
"""

from base64 import urlsafe_b64decode
from collections.abc import Mapping

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from trueup.model.times import NS_PER_SECOND

VALID_S_MAX = 120
"""No token may be valid for longer."""

_PARTS = 3
_COORDINATE_BYTES = 32

PublicKey = EllipticCurvePublicKey | Ed25519PublicKey


class Header(msgspec.Struct, frozen=True):
    """What a token says of its signature."""

    alg: str
    kid: str
    nonce: str


class Claims(msgspec.Struct, frozen=True):
    """What a token claims: ``uri`` is the request that it is for; None where it names none, as for a stream."""

    sub: str
    iss: str
    nbf: int
    exp: int
    uri: str | None = None


class Untrusted(Exception):
    """Why a token is not taken."""


def verified(token: str, keys: Mapping[str, PublicKey], *, now: int) -> Claims:
    """The claims of a token, which a key of that name signed and which is valid now.

    Args:
        token: As it was sent.
        keys: By name.
        now: Nanoseconds UTC.

    Raises:
        Untrusted: It is no such token.
    """
    parts = token.split(".")
    if len(parts) != _PARTS:
        raise Untrusted("not a JSON web token")
    try:
        header, body, signature = (_decoded(part) for part in parts)
        named, claims = msgspec.json.decode(header, type=Header), msgspec.json.decode(body, type=Claims)
    except ValueError as error:
        raise Untrusted("not a JSON web token") from error
    if named.kid not in keys or claims.sub != named.kid:
        raise Untrusted("unknown key")
    if not named.nonce or claims.iss != "cdp":
        raise Untrusted("no nonce, or another issuer")
    _check_times(claims, now // NS_PER_SECOND)
    _check_signature(keys[named.kid], named.alg, token.rpartition(".")[0].encode(), signature)
    return claims


def _check_times(claims: Claims, now_s: int) -> None:
    if not claims.nbf <= now_s < claims.exp:
        raise Untrusted("not valid now")
    if claims.exp - claims.nbf > VALID_S_MAX:
        raise Untrusted("valid for too long")


def _check_signature(key: PublicKey, algorithm: str, signed: bytes, signature: bytes) -> None:
    """As RFC 7518, section 3.4, and RFC 8037 have it."""
    try:
        if isinstance(key, Ed25519PublicKey) and algorithm == "EdDSA":
            key.verify(signature, signed)
            return
        if isinstance(key, EllipticCurvePublicKey) and algorithm == "ES256" and len(signature) == 2 * _COORDINATE_BYTES:
            halves = signature[:_COORDINATE_BYTES], signature[_COORDINATE_BYTES:]
            first, second = (int.from_bytes(half, "big") for half in halves)
            key.verify(encode_dss_signature(first, second), signed, ECDSA(SHA256()))
            return
    except InvalidSignature as error:
        raise Untrusted("wrong signature") from error
    raise Untrusted("another algorithm than the key's")


def _decoded(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))
