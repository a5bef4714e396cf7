"""Identities that left memory are found all the same, by whatever still answers."""

from collections.abc import Mapping, Sequence

import pytest

from tests.engine.world import DEFINED, fill
from trueup.engine import keys as module
from trueup.engine.keys import Keys
from trueup.model.errors import ViewsFailed
from trueup.model.identifiers import Seq


def failing(_keys: Sequence[str]) -> Mapping[str, Seq]:
    raise ViewsFailed("They are away.")


def test_what_is_booked_after_the_views_failed_is_known_when_it_leaves_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GENERATION", 1)
    keys = Keys(failing, ["fill|1"], lambda: [(Seq(1), DEFINED), (Seq(2), fill(1))])
    assert keys.booked(["fill|1", "fill|2"]) == {"fill|1": 2}
    for seq in range(3, 8):
        keys.add([(f"fill|{seq}", Seq(seq))])
        keys.forget_old(Seq(seq))
    assert keys.booked(["fill|3", "fill|7", "fill|8"]) == {"fill|3": 3, "fill|7": 7}
