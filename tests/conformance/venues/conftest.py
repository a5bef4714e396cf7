"""Adapters make a read again that was cut off; here without the pauses that spare a venue."""

from collections.abc import Iterator

import pytest
import stamina

from trueup.venues.transport.http import ATTEMPTS


@pytest.fixture(autouse=True)
def no_pauses_between_attempts() -> Iterator[None]:
    with stamina.set_testing(testing=True, attempts=ATTEMPTS):
        yield
