"""Whose signature is this? Actions in the venue's own form, their hashes, and the address that signed.

The venue reads an action, writes it anew in its own order of fields, with numbers in their shortest form and addresses
in lower case, and takes the hash of that. Who signed something else has signed as somebody else: the address recovered
is a stranger's. That is how mistakes of signing show there, and here.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from eth_keys.exceptions import BadSignature

from trueup.model.numbers import canonical
from trueup.venues.ethereum import Account, encode_typed_data, keccak

Amount = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,20}(\.[0-9]{1,8})?$")]
Cloid = Annotated[str, msgspec.Meta(pattern=r"^0x[0-9a-f]{32}$")]
Address = Annotated[str, msgspec.Meta(pattern=r"^0x[0-9a-fA-F]{40}$")]


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A piece of an action; its fields stand in the order in which they are hashed."""


class Limit(Part, frozen=True):
    """How long a limit order stands."""

    tif: Literal["Gtc", "Ioc", "Alo", "FrontendMarket"]


class Trigger(Part, frozen=True, rename="camel"):
    """What sets an order off."""

    is_market: bool
    trigger_px: Amount
    tpsl: Literal["tp", "sl"]


class Kind(Part, frozen=True):
    """Either a limit or a trigger order."""

    limit: Limit | None = None
    trigger: Trigger | None = None

    def __post_init__(self) -> None:
        """Not both, and not neither."""
        if (self.limit is None) is (self.trigger is None):
            raise ValueError("an order is either a limit or a trigger order")


class Order(Part, frozen=True):
    """An order: asset, whether it buys, price, size, whether it only reduces, kind, client order id."""

    a: int
    b: bool
    p: Amount
    s: Amount
    r: bool
    t: Kind
    c: Cloid | None = None


class Builder(Part, frozen=True):
    """Who built the interface, and for what fee in tenths of a basis point."""

    b: Address
    f: int


class Cancel(Part, frozen=True):
    """An order to be cancelled, by asset and order id."""

    a: int
    o: int


class CancelByCloid(Part, frozen=True):
    """An order to be cancelled, by client order id."""

    asset: int
    cloid: Cloid


class Modify(Part, frozen=True):
    """An order to be replaced."""

    oid: int | Cloid
    order: Order


class Action(Part, frozen=True, tag_field="type", rename="camel"):
    """What is asked for."""


class PlaceOrders(Action, frozen=True, tag="order"):
    """Place orders."""

    orders: Annotated[list[Order], msgspec.Meta(min_length=1)]
    grouping: Literal["na", "normalTpsl", "positionTpsl"]
    builder: Builder | None = None


class CancelOrders(Action, frozen=True, tag="cancel"):
    """Cancel orders."""

    cancels: Annotated[list[Cancel], msgspec.Meta(min_length=1)]


class CancelOrdersByCloid(Action, frozen=True, tag="cancelByCloid"):
    """Cancel orders."""

    cancels: Annotated[list[CancelByCloid], msgspec.Meta(min_length=1)]


class ModifyOrder(Action, frozen=True, tag="modify"):
    """Replace an order."""

    oid: int | Cloid
    order: Order


class ModifyOrders(Action, frozen=True, tag="batchModify"):
    """Replace orders."""

    modifies: Annotated[list[Modify], msgspec.Meta(min_length=1)]


class UpdateLeverage(Action, frozen=True, tag="updateLeverage"):
    """Set the leverage of a coin."""

    asset: int
    is_cross: bool
    leverage: int


class ScheduleCancel(Action, frozen=True, tag="scheduleCancel"):
    """Cancel everything at a time, unless it is put off before; without a time, never."""

    time: int | None = None


class SetReferrer(Action, frozen=True, tag="setReferrer"):
    """Say who brought the account here."""

    code: str


class Noop(Action, frozen=True, tag="noop"):
    """Use up a nonce."""


class UserAction(Action, frozen=True):
    """What only the user's own key may sign."""

    signature_chain_id: str
    hyperliquid_chain: Literal["Mainnet", "Testnet"]

    @property
    def mainnet(self) -> bool:
        """Which of the two chains it is for."""
        return self.hyperliquid_chain == "Mainnet"


class ApproveAgent(UserAction, frozen=True, tag="approveAgent"):
    """Let another key sign for the account."""

    agent_address: Address
    nonce: int
    agent_name: str | None = None


class ApproveBuilderFee(UserAction, frozen=True, tag="approveBuilderFee"):
    """Agree to pay a builder up to so many percent."""

    max_fee_rate: Annotated[str, msgspec.Meta(pattern=r"^[0-9](\.[0-9]{1,4})?%$")]
    builder: Address
    nonce: int


AnyAction = (
    PlaceOrders
    | CancelOrders
    | CancelOrdersByCloid
    | ModifyOrder
    | ModifyOrders
    | UpdateLeverage
    | ScheduleCancel
    | SetReferrer
    | Noop
    | ApproveAgent
    | ApproveBuilderFee
)


class Signature(msgspec.Struct, frozen=True):
    """An ECDSA signature."""

    r: Annotated[str, msgspec.Meta(pattern=r"^0x[0-9a-fA-F]{1,64}$")]
    s: Annotated[str, msgspec.Meta(pattern=r"^0x[0-9a-fA-F]{1,64}$")]
    v: Literal[27, 28]


class Signed(msgspec.Struct, frozen=True, rename="camel"):
    """A request of ``/exchange``."""

    action: AnyAction
    nonce: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
    signature: Signature
    vault_address: Address | None = None
    expires_after: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] | None = None


def signer(request: Signed, *, mainnet: bool) -> str:
    """The address that signed, in lower case. Raises :class:`ValueError` where no key can have."""
    action = request.action
    typed = _transaction(action) if isinstance(action, UserAction) else _agent(request, mainnet=mainnet)
    signature = request.signature
    vrs = (signature.v, int(signature.r, 16), int(signature.s, 16))
    try:
        return str(Account.recover_message(encode_typed_data(full_message=typed), vrs=vrs)).lower()
    except BadSignature as error:
        raise ValueError(str(error)) from error


def action_hash(request: Signed) -> bytes:
    """What a trading action's signature covers: the action, its nonce, the vault and the end of its validity."""
    data = msgspec.msgpack.encode(_own_form(msgspec.to_builtins(request.action)))
    data += request.nonce.to_bytes(8, "big")
    data += b"\x00" if request.vault_address is None else b"\x01" + bytes.fromhex(request.vault_address[2:])
    if request.expires_after is not None:
        data += b"\x00" + request.expires_after.to_bytes(8, "big")
    return bytes(keccak(data))


def _own_form(value: object, field: str = "") -> object:
    """The action as the venue writes it."""
    if isinstance(value, Mapping):
        return {name: _own_form(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [_own_form(each, field) for each in value]
    if isinstance(value, str) and field in {"p", "s", "triggerPx"}:
        return canonical(Decimal(value))
    return value.lower() if isinstance(value, str) and field == "b" else value


def _agent(request: Signed, *, mainnet: bool) -> dict[str, object]:
    """Trading actions are signed for by a phantom agent of the chain."""
    fields = (("source", "string"), ("connectionId", "bytes32"))
    message = {"source": "a" if mainnet else "b", "connectionId": action_hash(request)}
    return _typed("Exchange", 1337, "Agent", fields, message)


def _transaction(action: UserAction) -> dict[str, object]:
    message = msgspec.to_builtins(action)
    if isinstance(action, ApproveAgent):
        fields: Sequence[tuple[str, str]] = (
            ("hyperliquidChain", "string"), ("agentAddress", "address"), ("agentName", "string"), ("nonce", "uint64"),
        )  # fmt: skip
        name, message["agentName"] = "ApproveAgent", action.agent_name or ""
    else:
        fields = (
            ("hyperliquidChain", "string"), ("maxFeeRate", "string"), ("builder", "address"), ("nonce", "uint64"),
        )  # fmt: skip
        name = "ApproveBuilderFee"
    chain = int(action.signature_chain_id, 16)
    message = {field: message[field] for field, _ in fields}
    return _typed("HyperliquidSignTransaction", chain, f"HyperliquidTransaction:{name}", fields, message)


def _typed(
    domain: str, chain: int, primary: str, fields: Sequence[tuple[str, str]], message: Mapping[str, object]
) -> dict[str, object]:
    """EIP-712 data."""
    domain_fields = (
        ("name", "string"),
        ("version", "string"),
        ("chainId", "uint256"),
        ("verifyingContract", "address"),
    )
    return {
        "domain": {"name": domain, "version": "1", "chainId": chain, "verifyingContract": "0x" + 40 * "0"},
        "types": {
            "EIP712Domain": [{"name": name, "type": kind} for name, kind in domain_fields],
            primary: [{"name": name, "type": kind} for name, kind in fields],
        },
        "primaryType": primary,
        "message": message,
    }
