"""Plans of wire faults: what they say, and what is said of a plan with mistakes."""

from pathlib import Path

import pytest

from trueup.model.errors import BadInput
from trueup.testing.servers import faults as f

WHOLE = """
[[faults]]
kind = "delay"
message = "userFills"
for_ms = 5
[[faults]]
kind = "reset"
at = "halfway"
path = "/exchange"
nth = 2
times = 0
[[faults]]
kind = "status"
status = 429
retry_after_s = 1
method = "GET"
"""


def test_a_plan_is_read_from_toml() -> None:
    assert f.WirePlan.parse(WHOLE).faults == (
        f.Delay(message="userFills", for_ms=5),
        f.Reset(at="halfway", path="/exchange", nth=2, times=0),
        f.Status(status=429, retry_after_s=1, method="GET"),
    )


def test_every_kind_can_be_written_down() -> None:
    needed = {"delay": "for_ms = 1", "status": "status = 500", "slow_body": "piece_bytes = 1\npause_ms = 1"}
    needed |= {"wrong_clock": "by_ms = -5", "maintenance": "for_ms = 1"}
    text = "".join(f'[[faults]]\nkind = "{kind}"\n{needed.get(kind, "")}\n' for kind in f.KINDS)
    assert [type(fault) for fault in f.WirePlan.parse(text).faults] == list(f.KINDS.values())


def test_all_mistakes_are_told_at_once() -> None:
    text = """
    fault = 1
    [[faults]]
    kind = "dealy"
    [[faults]]
    kind = "status"
    status = 200
    at = "halfway"
    nth = 0
    [[faults]]
    kind = "delay"
    mesage = "x"
    """
    with pytest.raises(BadInput) as caught:
        f.WirePlan.parse(text, "plan.toml")
    told = str(caught.value).split("; ")
    assert caught.value.value == "plan.toml"
    for words in (
        "fault: not known; a plan has [[faults]] only",
        "fault 1: kind='dealy': not known",
        "fault 2: status=200",
        "fault 2: at='halfway'",
        "fault 2: nth=0",
        "fault 3: mesage: not known",
        "fault 3: for_ms: missing",
    ):
        assert sum(words in mistake for mistake in told) <= 1
        assert words in str(caught.value)


@pytest.mark.parametrize("text", ["faults = 1", "faults = [1]", "[[faults]]\nkind = []", "[[faults]]\nnth = 1", "= ="])
def test_what_is_no_plan_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        f.WirePlan.parse(text)


def test_a_plan_is_loaded_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    with pytest.raises(BadInput, match="cannot be read"):
        f.WirePlan.load(path)
    path.write_text(WHOLE)
    assert f.WirePlan.load(path) == f.WirePlan.parse(WHOLE)
