"""Follows ledgers whose views are written in the transaction of each frame: there is nothing to feed or to wait for.

What is left is to make room in memory and to take the snapshots that are due.
"""

from collections import deque
from collections.abc import Sequence

from trueup.engine.feeder import TROUBLES_MAX, SnapshotDue
from trueup.engine.ledger import Ledger
from trueup.model.errors import StorageError, ViewsFailed
from trueup.model.identifiers import AccountId, Seq
from trueup.ports import Frame


class Together:
    """A :class:`trueup.engine.ledger.Follower` that has no thread.

    Attributes:
        failed: Always None: views that cannot be written fail their commit.
        troubles: The newest snapshots that could not be written, and why.
    """

    def __init__(self, snapshot_due: SnapshotDue) -> None:
        self.failed: ViewsFailed | None = None
        self.troubles: deque[str] = deque(maxlen=TROUBLES_MAX)
        self._snapshot_due = snapshot_due
        self._ledgers: dict[AccountId, Ledger] = {}

    def follow(self, ledger: Ledger, _applied: Seq) -> None:
        """Follow a ledger."""
        self._ledgers[ledger.account] = ledger

    def leave(self, account: AccountId) -> None:
        """Follow a ledger no more; one that failed to reopen has left already."""
        self._ledgers.pop(account, None)

    def room(self) -> None:
        """There is always room: what is durable is in the views."""

    def frame(self, account: AccountId, frame: Frame, _keys: Sequence[tuple[str, Seq]]) -> None:
        """A frame is durable, and its rows with it."""
        ledger = self._ledgers[account]
        ledger.keys.forget_old(frame.last)
        try:
            if (keep := self._snapshot_due(ledger)) is not None:
                keep()
        except StorageError as trouble:  # a snapshot only makes a start faster
            self.troubles.append(str(trouble))

    def wait(self, _account: AccountId, _seq: Seq, _timeout_ms: int) -> bool:
        """Whether the views hold what is durable: they do."""
        return True

    def step(self) -> None:
        """Nothing is pending."""

    def close(self) -> None:
        """Nothing is pending."""
