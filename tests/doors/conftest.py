"""A store of each test, in a directory or in a database of its own, named as a door takes it."""

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests import postgresql
from trueup.reconcile import persistence

_NUMBERS = count()


@pytest.fixture(autouse=True)
def answers_a_moment_apart_are_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """A day of a bot takes a moment here, and what lasts must be seen to last."""
    monkeypatch.setattr(persistence, "APART_NS", 0)


@pytest.fixture
def database() -> Iterator[str]:
    """The address of an empty database."""
    postgresql.require_server()
    name = f"trueup_doors_{os.getpid()}_{next(_NUMBERS)}"
    url = postgresql.make_database(name)
    yield url
    postgresql.drop_database(name)


@pytest.fixture(params=["embedded", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a door may keep things; nothing is there yet."""
    if request.param == "embedded":
        return str(tmp_path / "data")
    url: str = request.getfixturevalue("database")
    return url
