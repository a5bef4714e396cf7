"""Small chunks and small segments, so that a few fills fill some."""

import pytest

from tests.journal.backup.backups import small_pieces


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    small_pieces(monkeypatch)
