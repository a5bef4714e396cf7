"""A token of a CDP key is taken where everything in it is as documented, and not where one thing is otherwise."""

from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from trueup.testing.servers.cdp import PublicKey, Untrusted, verified
from trueup.venues import cdp
from trueup.venues.transport.secrets import Secret

NOW = 1_800_000_000
NS = 1_000_000_000
EC = ec.derive_private_key(2**200 + 1, ec.SECP256R1())
EDWARDS = ed25519.Ed25519PrivateKey.from_private_bytes(32 * b"\x07")
PEM = EC.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
SECRETS = {"ec": PEM, "edwards": b64encode(EDWARDS.private_bytes_raw()).decode()}
KEYS: dict[str, PublicKey] = {"ec": EC.public_key(), "edwards": EDWARDS.public_key()}


def token(name: str, *, now: int = NOW, uri: str | None = None) -> str:
    return cdp.token(name, Secret("secret", SECRETS[name]), uri=uri, now=now, nonce="1")


@pytest.mark.parametrize("name", KEYS)
def test_a_token_of_each_kind_of_key_is_taken(name: str) -> None:
    claims = verified(token(name, uri="GET host/path"), KEYS, now=NOW * NS)
    assert (claims.sub, claims.uri) == (name, "GET host/path")
    assert verified(token(name), KEYS, now=(NOW + 119) * NS).uri is None


@pytest.mark.parametrize("name", KEYS)
def test_it_is_valid_from_its_beginning_to_its_end(name: str) -> None:
    for now in (NOW - 1, NOW + 120):
        with pytest.raises(Untrusted, match="not valid now"):
            verified(token(name), KEYS, now=now * NS)


@pytest.mark.parametrize("name", KEYS)
def test_whatever_is_changed_in_it_it_is_taken_no_more(name: str) -> None:
    header, body, signature = token(name).split(".")
    claims = msgspec.json.decode(urlsafe_b64decode(body + "=="))
    for changed in ({"exp": NOW + 3_600}, {"sub": "other"}, {"iss": "me"}, {"nbf": NOW - 5}, {"uri": "GET x"}):
        other = urlsafe_b64encode(msgspec.json.encode(claims | changed)).decode().rstrip("=")
        with pytest.raises(Untrusted):
            verified(f"{header}.{other}.{signature}", KEYS, now=NOW * NS)


def test_another_key_of_that_name_is_not_taken() -> None:
    swapped: dict[str, PublicKey] = {"ec": KEYS["edwards"], "edwards": KEYS["ec"]}
    strangers: dict[str, PublicKey] = {
        "ec": ec.derive_private_key(5, ec.SECP256R1()).public_key(),
        "edwards": ed25519.Ed25519PrivateKey.from_private_bytes(32 * b"\x08").public_key(),
    }
    for keys in (swapped, strangers, {}):
        for name in KEYS:
            with pytest.raises(Untrusted):
                verified(token(name), keys, now=NOW * NS)


@pytest.mark.parametrize("text", ["", "a.b", "a.b.c", "é.é.é", "....", "e30.e30.e30", "W10.W10.W10"])
def test_what_is_no_token_is_not_taken(text: str) -> None:
    with pytest.raises(Untrusted):
        verified(text, KEYS, now=NOW * NS)
