"""SQLite on simulated disks, for one test at a time."""

from collections.abc import Iterator

import pytest

from trueup.testing.sim.house import small
from trueup.testing.sim.vfs import SimulatedVfs, simulated


@pytest.fixture
def vfs() -> Iterator[SimulatedVfs]:
    """The simulation under the page checksums of this process."""
    with simulated() as vfs, small():
        yield vfs
