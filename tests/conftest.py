"""What every test shares: the hypothesis profiles, and a PostgreSQL to those that ask for one.

`HYPOTHESIS_PROFILE=dev` looks further, with fresh examples each time; the default, `ci`, gives the same answer twice.
No profile measures time: how long an example takes says something about the machine, nothing about the code.
"""

import os
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.postgresql import ask, drop_database, empty, make_database, require_server
from trueup.bootstrap import open_storage
from trueup.journal.postgres.address import Address, Place
from trueup.venues.hyperliquid.nonces import Signers

SCHEMAS = count(1)

UNTIMED = settings(database=None, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])

settings.register_profile("ci", UNTIMED, derandomize=True, max_examples=100)
settings.register_profile("dev", UNTIMED, max_examples=1_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(scope="session")
def worker_database() -> Iterator[str]:
    """The address of a database of this test process."""
    require_server()
    name = f"trueup_test_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{os.getpid()}"
    yield make_database(name)
    drop_database(name)


@pytest.fixture
def empty_schema(worker_database: str) -> Iterator[str]:
    """The address of a schema of this test alone, with nothing in it."""
    schema = f"test_{next(SCHEMAS)}"
    ask(worker_database, f"CREATE SCHEMA {schema}")
    yield f"{worker_database}?search_path={schema}"
    ask(worker_database, f"DROP SCHEMA {schema} CASCADE")


@pytest.fixture(scope="session")
def made_schema(worker_database: str) -> str:
    """The address of a schema with the tables of a store: making them takes longer than most tests."""
    ask(worker_database, "CREATE SCHEMA store")
    url = f"{worker_database}?search_path=store"
    open_storage(Address.parse(url), create=True).close()
    return url


@pytest.fixture
def postgres(made_schema: str) -> Iterator[str]:
    """The address of a store on PostgreSQL that holds nothing yet."""
    yield made_schema
    empty(made_schema)


@pytest.fixture(params=["embedded", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A place for a store, of either kind: what is asked of one is asked of the other."""
    if request.param == "embedded":
        return tmp_path / "data"
    return Address.parse(request.getfixturevalue("postgres"))


@pytest.fixture(autouse=True)
def nonces_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process counts nonces for its life; with a clock of its own, a test would find another's ahead."""
    trading = sys.modules.get("trueup.venues.hyperliquid.trading")
    if trading is not None:
        monkeypatch.setattr(trading, "nonces_of", Signers().nonces)
