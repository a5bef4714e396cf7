"""The server of one's own, one in each process that runs tests, and a fresh schema on it for each test."""

from collections.abc import Iterator

import pytest

from tests.faults.postgres.cluster import Cluster, programs
from tests.postgresql import REQUIRED

ABSENT = "no server of one's own: initdb, postgres or, as root, the user of that name is absent"


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    found = programs()
    if found is None:
        (pytest.fail if REQUIRED else pytest.skip)(ABSENT)
    with Cluster.made(found) as made:
        yield made


@pytest.fixture
def url(cluster: Cluster) -> str:
    """The address of an empty schema on the server of one's own."""
    return cluster.new_schema()
