"""A read that fails is made again; here without the pauses that spare a venue."""

from collections.abc import Iterator

import pytest
import stamina


@pytest.fixture(autouse=True)
def no_pauses_between_attempts() -> Iterator[None]:
    with stamina.set_testing(testing=True, attempts=2, cap=True):
        yield
