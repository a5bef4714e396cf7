"""An account at Coinbase's derivatives gateway: the engine's client with a Coinbase (CDP) key, at its own address."""

from collections.abc import Mapping
from random import Random
from types import MappingProxyType

from msgspec.structs import replace

from trueup.model.identifiers import AccountId
from trueup.model.times import NS_PER_SECOND
from trueup.ports import Clock
from trueup.venues import cdp
from trueup.venues.coinbase_derivatives.reader import GATEWAY
from trueup.venues.jsonrpc_derivatives import live
from trueup.venues.jsonrpc_derivatives.auth import Grant
from trueup.venues.jsonrpc_derivatives.calls import Params
from trueup.venues.jsonrpc_derivatives.live import EngineVenue
from trueup.venues.transport.secrets import Secret

REST_URL, STREAM_URL = "https://drb.coinbase.com/api/v2", "wss://drb.coinbase.com/ws/api/v2"

CAPABILITIES = replace(
    live.CAPABILITIES,
    cannot=(
        *live.CAPABILITIES.cannot,
        "Positions with margin of their own (isolated) are not asked for, and so are their orders.",
        "Money that moves between spot and the gateway is a transfer here and another one in the other ledger.",
    ),
)


def coinbase_derivatives_venue(
    account: AccountId,
    *,
    key_name: Secret,
    private_key: Secret,
    rest_url: str = REST_URL,
    stream_url: str = STREAM_URL,
    clock: Clock,
    random: Random,
    learnt: Mapping[str, str] = MappingProxyType({}),
) -> EngineVenue:
    """A connection to an account at the gateway.

    Args:
        account: The ledger's name.
        key_name: Of the CDP key.
        private_key: Signs; it is never sent.
        rest_url: Of the calls, its path included.
        stream_url: Of the WebSocket.
        clock: For the times around answers.
        random: Spreads reconnections, and makes nonces.
        learnt: What earlier answers said of the account.
    """
    return EngineVenue(
        account,
        engine=GATEWAY,
        capabilities=CAPABILITIES,
        grant=_cdp(key_name, private_key, random),
        rest_url=rest_url,
        stream_url=stream_url,
        clock=clock,
        random=random,
        learnt=learnt,
    )


def _cdp(key_name: Secret, private_key: Secret, random: Random) -> Grant:
    """The credential of a CDP key: a token that it signs, for no request in particular."""

    def grant(now: int) -> Params:
        nonce = f"{random.getrandbits(128):032x}"
        token = cdp.token(key_name.reveal(), private_key, uri=None, now=now // NS_PER_SECOND, nonce=nonce)
        return {"grant_type": "coinbase_cdp", "token": token}

    return grant
