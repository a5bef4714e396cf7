"""Names of accounts, positions and facts."""

import re
from typing import Literal, NewType

from trueup.model.errors import BadInput

AccountId = NewType("AccountId", str)
"""``venue:name``: one ledger, one lease, one shard."""

Seq = NewType("Seq", int)
"""Position of an event in its ledger: dense from 1, given by the writer."""

Side = Literal["buy", "sell"]
PositionSide = Literal["net", "long", "short"]
PositionKey = tuple[str, str]
"""(canonical instrument, position side) within one account."""

CONTROL = AccountId("control")
"""The ledger of what spans accounts."""

EXTERNAL = "external"
"""The strategy of what nobody ordered through us."""

_ACCOUNT = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}:[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)


def account_id(venue: str, name: str) -> AccountId:
    """The account ``venue:name``.

    Raises:
        BadInput: A character that would not be safe in a path, or a name of more than 64 characters.
    """
    text = f"{venue}:{name}"
    if _ACCOUNT.fullmatch(text) is None:
        raise BadInput(
            "account", text, "not an account name", remedy="Use letters, digits, '_', '-' and '.', at most 64 of them."
        )
    return AccountId(text)


def parse_account(text: str) -> AccountId:
    """The account from its text ``venue:name``, or ``control``; raises :class:`BadInput` as :func:`account_id` does."""
    if text == CONTROL:
        return CONTROL
    venue, _, name = text.partition(":")
    return account_id(venue, name)
