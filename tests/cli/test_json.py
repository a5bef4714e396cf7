"""``docs/json.md``: every field that a program may meet is promised there."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import BROKEN, MAIN, STORY, Trueup, files

PAGE = Path(__file__).parents[2] / "docs" / "json.md"

FREE = {
    "fees",
    "funding",
    "transfers",
    "strategies",
    "booked_kinds",
    "fields",
    "offered_as",
    "counts",
    "events_by_kind",
}
"""Objects whose keys are names of the trade, not of ours."""


def keys(value: object, name: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, part in value.items():
            if name not in FREE:
                yield key
            yield from keys(part, "" if name == "strategies" else key)
    elif isinstance(value, list):
        for part in value:
            yield from keys(part, name)


@pytest.mark.parametrize(
    "words",
    [
        ("positions",),
        ("balances",),
        ("history", "BTC", "--fifo"),
        ("explain", "BTC"),
        ("breaks",),
        ("diff", "--from", "20"),
        ("import", BROKEN / "user_fills.json", *MAIN),
        ("reconcile", *MAIN, "--snapshot", BROKEN / "clearinghouse_state.json", STORY / "user_fills.json"),
        ("journal", "verify"),
        ("journal", "show", "--limit", "1"),
        ("views", "rebuild"),
        ("doctor",),
    ],
    ids=lambda words: words[0],
)
def test_every_field_is_promised(trueup: Trueup, words: tuple[str | Path, ...]) -> None:
    folder = [path for path in files(STORY) if path.name != "user_fills.json"]
    trueup("import", *folder, BROKEN / "user_fills.json", *MAIN)
    answer = trueup(*words, "--json").json if words[:2] != ("journal", "show") else trueup(*words, "--json").lines
    promised = set(re.findall(r"`([a-z_]+)`", PAGE.read_text()))
    found = set(keys(answer))
    assert found
    assert found <= promised


def test_numbers_are_text_and_unknown_is_null(story: Trueup) -> None:
    (btc, *_) = story("positions", "--json").json
    assert isinstance(btc["quantity"], str)
    assert btc["leverage"] is None
    assert "E" not in "".join(btc["fees"].values())
