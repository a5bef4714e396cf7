"""The reader of Deribit's saved answers: the engine's, for an account that has no other money."""

from trueup.model.identifiers import AccountId
from trueup.venues.jsonrpc_derivatives.reader import Engine, EngineReader


class DeribitReader(EngineReader):
    """Reads the saved answers of one Deribit account."""

    def __init__(self, account: AccountId) -> None:
        super().__init__(account, Engine("Deribit"))
