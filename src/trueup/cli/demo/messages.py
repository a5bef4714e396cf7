"""What parent and child say: orders on the child's command line, then one JSON line for each happening, on its output.

It tells what really happened to it: what it offers its ledger, what the ledger acknowledged, what a comparison found.
"""

import os
from collections.abc import Mapping, Sequence

import msgspec

from trueup.cli.demo.causes import Cause
from trueup.model.differences import Side3, Status
from trueup.model.identifiers import AccountId, Seq


class Orders(msgspec.Struct, frozen=True):
    """What the parent asks of this life.

    Attributes:
        ports: Of each account's venue.
        life: Which start this is, counted from 1.
    """

    data: str
    ports: Mapping[AccountId, int]
    seed: int
    life: int


class Message(msgspec.Struct, frozen=True, tag=True, tag_field="kind"):
    """Something that happened to the book."""


class Opened(Message, frozen=True):
    """The data directory is locked, the logs are verified, the books folded, the views caught up.

    Attributes:
        findings: What the start healed or cut.
    """

    pid: int
    opened_ms: int
    events: Mapping[AccountId, Seq]
    findings: Sequence[str]


class Ready(Message, frozen=True):
    """Every account was compared with its venue and trading begins."""


class Offered(Message, frozen=True):
    """These facts are about to be written. Not acknowledged yet: whether they survive a kill is open."""

    account: AccountId
    keys: Sequence[str]


class Acknowledged(Message, frozen=True):
    """The ledger says that these facts are durable: from here on none of them may be missing.

    Attributes:
        booked: Those of them that it did not have before.
    """

    account: AccountId
    keys: Sequence[str]
    booked: Sequence[str]
    seq: Seq


class Found(Message, frozen=True):
    """Something out of the ordinary, explained.

    Attributes:
        at: When it was found, in nanoseconds.
        ids: The venue's ids of what it concerns.
        explanation: What the evidence says.
        booked: What was done about it.
    """

    account: AccountId
    at: int
    cause: Cause
    ids: Sequence[str]
    explanation: str
    booked: str


class Compared(Message, frozen=True):
    """A comparison of memory, database and venue at one cut.

    Attributes:
        at: When it was concluded, in nanoseconds.
        rows: The three-way table after what was missing had been booked; empty unless SYNCED or DRIFT.
        broken: Differences that were new, in words.
        explained: Differences that booking what was missing has ended.
        open: Differences that remain.
        problem: Why nothing could be compared.
    """

    account: AccountId
    at: int
    status: Status
    rows: Sequence[Side3] = ()
    broken: Sequence[str] = ()
    explained: Sequence[str] = ()
    open: Sequence[str] = ()
    problem: str = ""


class Closed(Message, frozen=True):
    """The book is closed; what each state in memory hashed to just before."""

    hashes: Mapping[AccountId, str]


AnyMessage = Opened | Ready | Offered | Acknowledged | Found | Compared | Closed

_decoder: msgspec.json.Decoder[AnyMessage] = msgspec.json.Decoder(AnyMessage)


def read(line: bytes) -> AnyMessage:
    """A message from its line."""
    return _decoder.decode(line)


def tell(message: Message) -> None:
    """Write a line to standard output at once. Raises BrokenPipeError when the parent is gone."""
    line = msgspec.json.encode(message) + b"\n"
    while line:
        line = line[os.write(1, line) :]
