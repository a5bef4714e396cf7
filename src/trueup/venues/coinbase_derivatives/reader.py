"""The reader of the gateway's saved answers: the engine's, for an account that is a ledger of its own."""

from trueup.model.identifiers import AccountId
from trueup.venues.jsonrpc_derivatives.reader import Engine, EngineReader

GATEWAY = Engine("Coinbase's derivatives gateway")
"""Pairs are traded elsewhere at Coinbase. In a ledger of its own the gateway's money needs no wallet."""


class GatewayReader(EngineReader):
    """Reads the saved answers of one account at the gateway."""

    def __init__(self, account: AccountId) -> None:
        super().__init__(account, GATEWAY)
