"""The words of a break's life: its states, the steps between them, and what a difference is put down to."""

from decimal import Decimal
from enum import StrEnum
from hashlib import blake2b
from typing import TypeAlias

import msgspec

BreakKey: TypeAlias = tuple[str, str]
"""Subject and sort of break: which one of the account it is, from one comparison to the next."""


def break_id(account: str, key: BreakKey) -> str:
    """A short name of a break, the same for as long as it may come back."""
    return blake2b("\x1f".join((account, *key)).encode(), digest_size=4).hexdigest()


class State(StrEnum):
    """Where a break is in its life."""

    DETECTED = "DETECTED"
    CONFIRMED = "CONFIRMED"
    OPEN = "OPEN"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    INVESTIGATING = "INVESTIGATING"
    RESOLVED = "RESOLVED"
    AUTO_RESOLVED = "AUTO_RESOLVED"
    EXPIRED_TIMING = "EXPIRED_TIMING"


class Step(StrEnum):
    """What can happen to a break.

    Attributes:
        DETECT: It is seen for the first time.
        CONFIRM: It lasted.
        OPEN: No rule resolved it; it is for people.
        RESOLVE: A person names cause and evidence.
        AUTO_RESOLVE: A rule booked what was missing, or the sides agree again.
        EXPIRE: The sides agree again before it was confirmed.
        RECUR: The same break is back.
        CHANGE: It shows as something else: its kind, severity, size or causes.
        NOTE, ASSIGN, ESCALATE: Leave it where it is.
    """

    DETECT = "DETECT"
    CONFIRM = "CONFIRM"
    OPEN = "OPEN"
    ACKNOWLEDGE = "ACKNOWLEDGE"
    INVESTIGATE = "INVESTIGATE"
    RESOLVE = "RESOLVE"
    AUTO_RESOLVE = "AUTO_RESOLVE"
    EXPIRE = "EXPIRE"
    RECUR = "RECUR"
    CHANGE = "CHANGE"
    NOTE = "NOTE"
    ASSIGN = "ASSIGN"
    ESCALATE = "ESCALATE"


class Share(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """One cause's share of a difference, as a journal keeps it.

    Attributes:
        cause: By name, so that an older version can read what a newer one found.
        amount: Signed like the difference; None when the evidence does not give it.
        evidence: The first identities of the facts, orders and answers that show it.
    """

    cause: str
    amount: Decimal | None
    evidence: tuple[str, ...]
    words: str
