"""What a verb says when it meets a damaged journal: the command that heals it."""

from pathlib import Path

from trueup.journal.findings import damaged


def test_the_remedy_is_the_command_that_heals() -> None:
    assert "`trueup recover`" in damaged(Path("log"), 7, "the frame is not what it was").remedy
