"""The adapter's pauses spare a venue; here there is none."""

from collections.abc import Iterator

import pytest
import stamina

from trueup.venues.coinbase import following, lookup


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for module in (following, lookup):
        monkeypatch.setattr(module, "PAUSES_S", (0.0,) * len(module.PAUSES_S))
    monkeypatch.setattr(lookup, "SETTLE_S", 0.0)
    with stamina.set_testing(testing=True, attempts=2, cap=True):
        yield
