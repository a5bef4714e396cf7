"""Signatures of actions: the hash of an action, and the typed message that a key signs (EIP-712).

The hash covers the action as msgpack, so the order of its keys counts, the nonce, the vault or sub-account acted for,
and the time after which the action is void. The signing library is an extra: reading needs none of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from trueup.model.errors import AuthenticationFailed
from trueup.venues.transport.secrets import Secret

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

VALID_MS = 15_000
"""How long an order is valid: longer than its answer is waited for, so one that got no answer in time is soon void."""

Action = Mapping[str, object]

_CHAIN = 1337
_NO_CONTRACT = "0x" + "0" * 40
_DOMAIN = {"name": "Exchange", "version": "1", "chainId": _CHAIN, "verifyingContract": _NO_CONTRACT}
_TYPES = {"Agent": [{"name": "source", "type": "string"}, {"name": "connectionId", "type": "bytes32"}]}
_SOURCES = {True: "a", False: "b"}
"""By whether it is the main net."""


class Signature(msgspec.Struct, frozen=True):
    """As the venue wants it."""

    r: str
    s: str
    v: int


class Signer:
    """Signs with one key.

    Args:
        secret: A private key in hexadecimal, best of an API wallet (agent): such a key cannot withdraw.
        mainnet: Else the test net. A signature for one is worthless on the other.

    Attributes:
        address: Of the key, in lower case.

    Raises:
        AuthenticationFailed: Not a key, or the signing library is not installed.
    """

    def __init__(self, secret: Secret, *, mainnet: bool) -> None:
        self._account = _account(secret)
        self._mainnet = mainnet
        self.address = str(self._account.address).lower()

    def sign(self, action: Action, nonce: int, vault: str | None, expires_after: int | None) -> Signature:
        """The signature of an action.

        Args:
            action: Its keys in the venue's order.
            nonce: In milliseconds.
            vault: The address acted for, where it is not the signer's own or its master's.
            expires_after: In milliseconds; None for an action that is valid whenever it arrives.
        """
        from trueup.venues.ethereum import encode_typed_data  # noqa: PLC0415 - an extra

        message = {
            "source": _SOURCES[self._mainnet],
            "connectionId": action_hash(action, nonce, vault, expires_after),
        }
        signed = self._account.sign_message(encode_typed_data(_DOMAIN, _TYPES, message))
        return Signature(hex(signed.r), hex(signed.s), signed.v)


def action_hash(action: Action, nonce: int, vault: str | None, expires_after: int | None) -> bytes:
    """What a signature is of."""
    from trueup.venues.ethereum import keccak  # noqa: PLC0415 - an extra

    data = msgspec.msgpack.encode(action) + nonce.to_bytes(8, "big")
    data += b"\x00" if vault is None else b"\x01" + bytes.fromhex(vault.removeprefix("0x"))
    if expires_after is not None:
        data += b"\x00" + expires_after.to_bytes(8, "big")
    return keccak(data)


def _account(secret: Secret) -> LocalAccount:
    try:
        from trueup.venues.ethereum import Account  # noqa: PLC0415 - an extra
    except ImportError:
        raise AuthenticationFailed(
            "Orders for Hyperliquid cannot be signed: the signing library is not installed.",
            remedy="pip install 'trueup[hyperliquid]'",
        ) from None
    try:
        account: LocalAccount = Account.from_key(secret.reveal())
    except Exception:  # noqa: BLE001 - of many kinds, and their words may quote the key
        raise AuthenticationFailed(
            f"{secret.name}: not a private key.", remedy="Give 64 hexadecimal digits, best those of an API wallet."
        ) from None
    return account
