"""The same story in plain lines, for logs: one line for each thing found, each kill and each recovery."""

from collections.abc import Callable

from trueup.cli.demo.stage import Stage


class Lines:
    """Says what is new since it was last asked.

    Args:
        say: Takes one line.
    """

    def __init__(self, stage: Stage, say: Callable[[str], None]) -> None:
        self._stage = stage
        self._say = say
        self._told = 0
        self._state = ""

    def __call__(self) -> None:
        """Say what is new."""
        record = self._stage.record
        for entry in record.story[self._told :]:
            self._line(f"{entry.account}  {entry.what}: {entry.evidence} -> {entry.done}")
        self._told = len(record.story)
        if record.state != self._state:
            self._state = record.state
            self._line(f"the book is {record.state}{self._detail()}")

    def _detail(self) -> str:
        record = self._stage.record
        if record.state == "running" and not record.kills:
            return f": process {record.pid}"
        if record.state == "killed":
            return f" in mid-write, with {len(record.kills[-1].unacknowledged)} facts offered and not acknowledged"
        if record.state == "running":
            kill = record.kills[-1]
            healed = "".join(f"; {finding}" for finding in kill.findings)
            return f" again: process {record.pid}, at one with the venues {kill.down_ms} ms after the kill{healed}"
        return ""

    def _line(self, words: str) -> None:
        self._say(f"{self._stage.elapsed_ms / 1_000:6.1f} s  {words}")
