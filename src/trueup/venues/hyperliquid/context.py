"""What a parser of one answer has to know besides the answer: whose it is, and which markets are known."""

import msgspec

from trueup.model.identifiers import AccountId, Side
from trueup.venues.hyperliquid.meta import Symbols

SIDES: dict[str, Side] = {"B": "buy", "A": "sell"}
"""The venue writes bid and ask."""


class Context(msgspec.Struct, frozen=True):
    """Of one answer.

    Attributes:
        name: The answer's, for reports.
        account: Whose facts these become.
        symbols: Markets known so far in this import.
        address: The account's address at the venue, in lower case; empty when nothing says it.
        dex: The builder dex that was asked for; empty is the main one; None when nothing says it.
    """

    name: str
    account: AccountId
    symbols: Symbols
    address: str = ""
    dex: str | None = None
