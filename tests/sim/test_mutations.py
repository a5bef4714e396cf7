"""The simulation is worth something because it catches the program with any one of its cares left out."""

import pytest

from tests.sim.mutations import MUTATIONS, Mutation
from trueup.testing.sim.many import scratch
from trueup.testing.sim.run import run
from trueup.testing.sim.vfs import SimulatedVfs

SEEDS_MAX = 600
"""Most are caught within thirty seeds, all of them within two hundred when this was written."""


@pytest.mark.parametrize("mutation", MUTATIONS.values(), ids=MUTATIONS.keys())
def test_the_simulation_catches_a_program_that_left_this_out(mutation: Mutation, vfs: SimulatedVfs) -> None:
    with mutation():
        caught = next((seed for seed in range(SEEDS_MAX) if run(seed, vfs, scratch()).finding), None)
    assert caught is not None
    assert not run(caught, vfs, scratch()).finding  # and the same seed finds nothing in the program as it is
