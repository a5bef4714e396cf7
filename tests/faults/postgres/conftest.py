"""The server of one's own, one for the tests of a module, and a fresh schema on it for each test."""

from collections.abc import Iterator

import pytest

from tests.faults.postgres.cluster import Cluster, programs
from tests.postgresql import REQUIRED


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    found = programs()
    if found is None:
        if REQUIRED:
            pytest.fail("the programs of a PostgreSQL server (initdb, postgres) are required here, and absent")
        pytest.skip("no programs of a PostgreSQL server (initdb, postgres) are installed")
    with Cluster.made(found) as made:
        yield made


@pytest.fixture
def url(cluster: Cluster) -> str:
    """The address of an empty schema on the server of one's own."""
    return cluster.new_schema()
