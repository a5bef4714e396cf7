"""What goes where: data to standard output and nothing else; notes, errors and progress to standard error.

With ``--json`` standard output holds the answer as JSON, and standard error one JSON object a line:
``{"note": …}`` or ``{"error": {"code", "message", "remedy"[, "field", "value"]}}``.
"""

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from trueup.model.errors import BadInput, TrueupError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

BAR_AFTER_S = 0.5
"""What is done sooner needs no bar."""


class ReaderGone(Exception):
    """Whoever read standard output has stopped, as ``head`` does."""


def write(text: str) -> None:
    """Put a part of the answer on standard output; raises :class:`ReaderGone` when nobody reads it any more."""
    try:
        sys.stdout.write(text)
    except BrokenPipeError as error:
        raise ReaderGone from error


class Output:
    """Where one command writes.

    Attributes:
        as_json: Whether the answer is for a program.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    def data(self, answer: object) -> None:
        """The answer as one JSON document."""
        write(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode() + "\n")

    @staticmethod
    def lines(answers: Iterable[object]) -> None:
        """The answer as one JSON document a line."""
        for answer in answers:
            write(msgspec.json.encode(answer).decode() + "\n")

    def note(self, text: str) -> None:
        """Something a person should know that is not the answer."""
        self._aside({"note": text} if self.as_json else f"note: {text}")

    def error(self, error: TrueupError) -> None:
        """Why there is no answer, and what to do about it."""
        if self.as_json:
            told = {"code": error.code, "message": error.message or str(error), "remedy": error.remedy}
            if isinstance(error, BadInput):
                told |= {"field": error.field, "value": error.value}
            self._aside({"error": told})
        else:
            message = (
                f"{error.field}={error.value!r}: {error.problem}" if isinstance(error, BadInput) else error.message
            )
            self._aside(f"error: {message}" + (f"\n  {error.remedy}" if error.remedy else ""))

    def usage(self, message: str, usage: str, remedy: str) -> None:
        """Why a command line cannot be understood."""
        if self.as_json:
            self._aside({"error": {"code": "usage", "message": message, "remedy": remedy}})
        else:
            self._aside(f"{usage}\nerror: {message}\n  {remedy}")

    @contextmanager
    def progress(self, label: str) -> Iterator[Callable[[int, int], None]]:
        """A bar on standard error while something long goes on; nothing where no person watches."""
        if not sys.stderr.isatty():
            yield _silent
            return
        bar = _Bar(label)
        try:
            yield bar.advance
        finally:
            bar.close()

    @staticmethod
    def _aside(what: str | Mapping[str, object]) -> None:
        text = what if isinstance(what, str) else json.dumps(what)  # which writes down file names that are no text
        sys.stderr.write(text + "\n")


def _silent(_done: int, _total: int) -> None:
    """Nobody watches."""


class _Bar:
    """A bar that appears once something has taken a while."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._began = time.monotonic()
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def advance(self, done: int, total: int) -> None:
        if self._bar is None and time.monotonic() - self._began >= BAR_AFTER_S:
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task(self._label, total=None)
            self._bar.start()
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done, total=total)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
