"""The reader of Deribit's saved answers: the engine's, for an account that has no other money."""

from trueup.model.identifiers import AccountId
from trueup.venues.jsonrpc_derivatives.reader import Engine, EngineReader

DERIBIT = Engine("Deribit", kinds=("future", "spot"), scope="session:trueup")
"""A token of a named session holds for all connections; one without is bound to that on which it was asked for."""


class DeribitReader(EngineReader):
    """Reads the saved answers of one Deribit account."""

    def __init__(self, account: AccountId) -> None:
        super().__init__(account, DERIBIT)
