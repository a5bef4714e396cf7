"""What goes wrong in one life of the machine, and when: drawn from the seed before it begins."""

from pathlib import Path
from random import Random
from typing import Literal

import msgspec

Operation = Literal["create", "write", "truncate", "sync", "rename", "delete", "make_directory", "sync_directory"]
"""Everything that can change what a disk holds."""

NAMING: tuple[Operation, ...] = ("rename", "make_directory", "sync_directory")
"""What is done to names, and may fail."""

End = Literal["kill", "power"]
"""A process dies and leaves the kernel's cache; a machine stops and leaves the medium."""


class Died(BaseException):
    """The process is gone: nothing in it may catch this, and nothing it does afterwards happens."""


class Plan(msgspec.Struct):
    """The faults of one life.

    Attributes:
        end: How it ends; a life that comes to its last step before is closed in order, then ended all the same.
        on: The operation that is counted for the end; empty for any.
        after: How many of those go well before the one that is interrupted.
        log_alone: Whether only what is done to the log is counted, not what SQLite does, which is ten times as much.
        failing: Numbers of those that fail, from 0, by operation.
        room: Bytes by which files may still grow; None for any number.
        torn: How much of an interrupted write happens, from 0 to 1.
    """

    end: End
    on: Operation | Literal[""]
    after: int
    log_alone: bool
    failing: dict[Operation, set[int]]
    room: int | None
    torn: float

    def counts(self, path: Path) -> bool:
        """Whether what is done to a file is counted."""
        return not self.log_alone or ".sqlite3" not in path.name

    def ends(self, operation: Operation, path: Path) -> bool:
        """Count an operation; whether it is the one that is interrupted."""
        if (self.on and operation != self.on) or not self.counts(path):
            return False
        self.after -= 1
        return self.after < 0


SCALES = (40, 150, 600)
"""Bounds within which the last operation of a life is drawn: openings are short, histories are long."""

_LOG_SCALE = 4
_KIND_SCALE = 10
"""By how much fewer they are when only some are counted."""


def draw(random: Random) -> Plan:
    """The faults of a life."""
    on: Operation | Literal[""] = random.choice(("", "", "sync", "sync_directory", "rename"))
    log_alone = random.random() < 1 / 2
    scale = random.choice(SCALES) // (_LOG_SCALE if log_alone else 1) // (_KIND_SCALE if on else 1)
    failing: dict[Operation, set[int]] = {}
    if random.random() < 1 / 3:
        failing["sync"] = {random.randrange(40) for _ in range(random.randint(1, 3))}
    if random.random() < 1 / 10:
        failing["write"] = {random.randrange(200)}
    end: End = random.choice(("kill", "power", "power"))
    after = random.randrange(1 + scale)
    room = random.randrange(1 << 18) if random.random() < 1 / 8 else None
    torn = random.random()
    named = Random(torn)
    if named.random() < 1 / 4:
        failing |= {operation: {named.randrange(12)} for operation in NAMING if named.random() < 1 / 2}
    return Plan(
        end=end,
        on=on,
        after=after,
        log_alone=log_alone,
        failing=failing,
        room=room,
        torn=torn,
    )
