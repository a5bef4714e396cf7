"""Tokens are verified with the public key, as whoever receives them does; keys come in every form Coinbase gives."""

import json
import subprocess
import sys
from base64 import b64encode, urlsafe_b64decode
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from trueup.model.errors import AuthenticationFailed
from trueup.venues.cdp import token
from trueup.venues.transport.secrets import Secret

NAME = "organizations/7c8d/apiKeys/51a2"
URI = "GET api.coinbase.com/api/v3/brokerage/accounts"
NOW = 1_700_000_000

EC = ec.derive_private_key(0x51A2, ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def pem(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey, form: PrivateFormat) -> str:
    return key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


SEC1 = pem(EC, PrivateFormat.TraditionalOpenSSL)
EC_FORMS = {
    "sec1": SEC1,
    "sec1 on one line, as in a file of Coinbase": SEC1.replace("\n", "\\n"),
    "pkcs8": pem(EC, PrivateFormat.PKCS8),
}
ED_FORMS = {
    "pkcs8": pem(ED, PrivateFormat.PKCS8),
    "32 bytes": b64encode(ED.private_bytes_raw()).decode(),
    "64 bytes": b64encode(ED.private_bytes_raw() + ED.public_key().public_bytes_raw()).decode(),
}


def made(value: str, uri: str | None = URI) -> str:
    return token(NAME, Secret("env:KEY", value), uri=uri, now=NOW, nonce="00ff")


def opened(text: str) -> tuple[dict[str, Any], dict[str, Any], bytes, bytes]:
    """Header, claims, what is signed, and the signature."""
    header, claims, signature = (urlsafe_b64decode(f"{part}==") for part in text.split("."))
    return json.loads(header), json.loads(claims), text.rpartition(".")[0].encode(), signature


def verified(text: str) -> None:
    header, _, signed, signature = opened(text)
    if header["alg"] == "EdDSA":
        ED.public_key().verify(signature, signed)
        return
    assert len(signature) == 64
    numbers = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    EC.public_key().verify(encode_dss_signature(*numbers), signed, ec.ECDSA(SHA256()))


def test_a_token_claims_what_coinbase_documents() -> None:
    header, claims, _, _ = opened(made(SEC1))
    assert header == {"alg": "ES256", "kid": NAME, "nonce": "00ff", "typ": "JWT"}
    assert claims == {"sub": NAME, "iss": "cdp", "nbf": NOW, "exp": NOW + 120, "uri": URI}


def test_a_token_for_a_stream_names_no_request() -> None:
    assert "uri" not in opened(made(SEC1, uri=None))[1]


@pytest.mark.parametrize("form", EC_FORMS)
def test_an_ec_key_signs_whatever_form_it_comes_in(form: str) -> None:
    for _ in range(20):  # the numbers of a signature are now and then shorter than 32 bytes
        verified(made(EC_FORMS[form]))


@pytest.mark.parametrize("form", ED_FORMS)
def test_an_ed25519_key_signs_whatever_form_it_comes_in(form: str) -> None:
    text = made(ED_FORMS[form])
    assert opened(text)[0]["alg"] == "EdDSA"
    verified(text)


def test_a_token_of_another_key_is_not_verified() -> None:
    other = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
    with pytest.raises(InvalidSignature):
        verified(made(pem(other, PrivateFormat.PKCS8)))


WRONG = {
    "words": "not a key",
    "base64 of 31 bytes": b64encode(bytes(31)).decode(),
    "halves that do not belong together": b64encode(ED.private_bytes_raw() + bytes(32)).decode(),
    "a pem of nothing": "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n",
    "another curve": pem(ec.derive_private_key(7, ec.SECP384R1()), PrivateFormat.PKCS8),
    "another kind": pem(rsa.generate_private_key(65537, 2048), PrivateFormat.PKCS8),
}


@pytest.mark.parametrize("value", WRONG)
def test_what_is_no_key_is_refused_and_never_repeated(value: str) -> None:
    with pytest.raises(AuthenticationFailed) as refused:
        made(WRONG[value])
    assert "env:KEY" in str(refused.value)
    assert WRONG[value][:24] not in str(refused.value)
    assert refused.value.__suppress_context__


def test_the_signing_library_is_imported_with_the_first_token() -> None:
    code = "import sys, trueup.venues.cdp; print('cryptography' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert told.stdout == "False\n"
