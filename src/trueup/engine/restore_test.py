"""A restore test in a process of its own, since it folds all of history and must not share an interpreter with booking.

Implements :class:`trueup.engine.backup_chores.RestoreTest`. The process runs at the lowest priority.
"""

import os
import subprocess
import tempfile
from collections.abc import Sequence

from trueup.model.errors import BackupDamaged

LOWEST_PRIORITY = 19
STOP_S = 10.0
"""How long a process may take to end when asked to; then it is killed."""

TOLD_MAX = 2_000
"""Characters kept of what a failed test says."""


class ChildTest:
    """A command that proves a backup and exits with 0, or says why it could not.

    Args:
        command: Is told with ``--scratch DIR`` where to do that; what it leaves there goes with it, however it ends.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._scratch = tempfile.TemporaryDirectory(prefix="trueup-restore-test-")
        self._told = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process is; closed in _end
        self._process = subprocess.Popen(  # noqa: S603 - our own program, with the names of a directory and a blob
            [*command, "--scratch", self._scratch.name],
            stdin=subprocess.DEVNULL,
            stdout=self._told,
            stderr=subprocess.STDOUT,
        )
        os.setpriority(os.PRIO_PROCESS, self._process.pid, LOWEST_PRIORITY)

    def ended(self) -> bool:
        """Whether it is over. Raises :class:`BackupDamaged` when it failed."""
        code = self._process.poll()
        if code is None:
            return False
        said = self._end()
        if code:
            raise BackupDamaged(
                f"The restore test failed (exit code {code}): {said}.", remedy="Run `trueup backup verify` and look."
            )
        return True

    def stop(self) -> None:
        """End it."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._end()

    def _end(self) -> str:
        """What it said."""
        self._scratch.cleanup()
        with self._told as told:
            told.seek(0)
            return told.read(TOLD_MAX).decode(errors="replace").strip()
