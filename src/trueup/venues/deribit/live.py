"""A Deribit account: the engine's client with Deribit's own key, at Deribit's addresses."""

from collections.abc import Mapping
from random import Random
from types import MappingProxyType

from trueup.model.identifiers import AccountId
from trueup.ports import Clock
from trueup.venues.deribit.reader import DERIBIT
from trueup.venues.jsonrpc_derivatives import auth, live
from trueup.venues.jsonrpc_derivatives.live import EngineVenue
from trueup.venues.transport.secrets import Secret

REST_URL, STREAM_URL = "https://www.deribit.com/api/v2", "wss://www.deribit.com/ws/api/v2"
TEST_REST_URL, TEST_STREAM_URL = "https://test.deribit.com/api/v2", "wss://test.deribit.com/ws/api/v2"

CAPABILITIES = live.CAPABILITIES


def deribit_venue(
    account: AccountId,
    *,
    client_id: Secret,
    client_secret: Secret,
    rest_url: str = REST_URL,
    stream_url: str = STREAM_URL,
    clock: Clock,
    random: Random,
    learnt: Mapping[str, str] = MappingProxyType({}),
) -> EngineVenue:
    """A connection to an account at Deribit.

    Args:
        account: The ledger's name.
        client_id: Of the API key.
        client_secret: Signs; it is never sent.
        rest_url: Of the calls, its path included.
        stream_url: Of the WebSocket.
        clock: For the times around answers.
        random: Spreads reconnections, and makes nonces.
        learnt: What earlier answers said of the account.
    """
    return EngineVenue(
        account,
        engine=DERIBIT,
        capabilities=CAPABILITIES,
        grant=auth.client_signature(client_id, client_secret, lambda: f"{random.getrandbits(128):032x}"),
        rest_url=rest_url,
        stream_url=stream_url,
        clock=clock,
        random=random,
        learnt=learnt,
    )
