"""Tokens of a Coinbase Developer Platform (CDP) key: what they claim, and in which forms such a key comes.

A token is a JWT (RFC 7519) for one request, or for one subscription to a stream. Its claims are those of Coinbase's own
clients: ``sub`` the key's name, ``iss`` ``cdp``, ``nbf`` and ``exp``, and for a request ``uri``. The signing library is
an extra: it is imported with the first token.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from trueup.model.errors import AuthenticationFailed
from trueup.venues.transport.secrets import Secret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

VALID_S = 120
"""How long a token is valid: no longer one is taken."""

KEYS_KEPT = 16
"""Keys that are kept parsed, which takes longer than signing does."""

_TOKEN = re.compile(r"eyJ[\w.-]{8,}|[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}", re.ASCII)
"""A JWT, perhaps cut off, begins with ``{"`` in base64; others are three parts of the same letters."""

_COORDINATE_BYTES = 32
_SEED_BYTES = 32
_PEM = "-----BEGIN "
_FORMS = "an EC key (P-256) or an Ed25519 key in PEM, or 32 or 64 bytes of an Ed25519 key in base64"


class _Key(msgspec.Struct, frozen=True):
    """A private key: the name of its algorithm in a token, and how it signs."""

    algorithm: str
    sign: Callable[[bytes], bytes]


def token(key_name: str, secret: Secret, *, uri: str | None, now: int, nonce: str) -> str:
    r"""A token that is valid from now on, for :data:`VALID_S` seconds.

    Args:
        key_name: As Coinbase shows it: ``organizations/…/apiKeys/…``, or the id alone.
        secret: The private key. Line ends of a PEM may be written ``\n``, as in Coinbase's own files.
        uri: ``GET api.coinbase.com/api/v3/brokerage/accounts``: method, host and path, without scheme and query. None
            for a stream.
        now: Seconds since 1970 by the venue's clock.
        nonce: Anything that no other token had.

    Raises:
        AuthenticationFailed: Not a private key in any form that is taken, or the signing library is not installed.
    """
    key = _key(secret)
    header = {"alg": key.algorithm, "kid": key_name, "nonce": nonce, "typ": "JWT"}
    claims: dict[str, object] = {"sub": key_name, "iss": "cdp", "nbf": now, "exp": now + VALID_S}
    if uri is not None:
        claims["uri"] = uri
    signed = b".".join(_base64url(msgspec.json.encode(part)) for part in (header, claims))
    return b".".join((signed, _base64url(key.sign(signed)))).decode()


def without_tokens(text: str) -> str:
    """A text of the venue without what looks like a token: whatever repeats ours to us, it goes no further."""
    return _TOKEN.sub("…", text)


@lru_cache(KEYS_KEPT)
def _key(secret: Secret) -> _Key:
    text = secret.reveal().replace("\\n", "\n").strip()
    try:
        return _of_pem(text) if text.startswith(_PEM) else _of_bytes(text)
    except ImportError:
        raise AuthenticationFailed(
            "Requests to Coinbase cannot be signed: the signing library is not installed.",
            remedy="pip install 'trueup[coinbase]'",
        ) from None
    except Exception:  # noqa: BLE001 - of many kinds, and their words may quote the key
        raise AuthenticationFailed(f"{secret.name}: not a private key of Coinbase.", remedy=f"Give {_FORMS}.") from None


def _of_pem(text: str) -> _Key:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415 - an extra

    return _signing(load_pem_private_key(text.encode(), password=None))


def _of_bytes(text: str) -> _Key:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - an extra

    raw = b64decode(text, validate=True)
    key = Ed25519PrivateKey.from_private_bytes(raw[:_SEED_BYTES])
    if raw[_SEED_BYTES:] not in {b"", key.public_key().public_bytes_raw()}:
        raise binascii.Error("the second half is not the public key of the first")
    return _signing(key)


def _signing(key: PrivateKeyTypes) -> _Key:
    """How a key signs. Raises :class:`TypeError` for one of another kind."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415 - an extra

    if isinstance(key, ed25519.Ed25519PrivateKey):
        return _Key("EdDSA", key.sign)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise TypeError("a key of another kind")

    def sign(data: bytes) -> bytes:
        """As RFC 7518, section 3.4, has it: both numbers one after the other, each of 32 bytes."""
        numbers = decode_dss_signature(key.sign(data, ec.ECDSA(SHA256())))
        return b"".join(number.to_bytes(_COORDINATE_BYTES, "big") for number in numbers)

    return _Key("ES256", sign)


def _base64url(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")
