"""Some hundred seeds keep every promise, each is the same run every time, and the command says what it found."""

from collections import Counter
from pathlib import Path

import msgspec
import pytest

from tests.sim.mutations import no_sync_of_the_log
from trueup.testing.sim import __main__ as command
from trueup.testing.sim import many
from trueup.testing.sim.many import CHUNK, Tally, fingerprint, remember, resumed, run_many, scratch
from trueup.testing.sim.run import Outcome, run
from trueup.testing.sim.vfs import SimulatedVfs

SEEDS = range(120)


def test_every_promise_is_kept_through_crashes_power_losses_and_faults(vfs: SimulatedVfs) -> None:
    counts: Counter[str] = Counter()
    for seed in SEEDS:
        outcome = run(seed, vfs, scratch())
        assert not outcome.finding, f"seed {seed}: {outcome.finding}"
        counts.update(outcome.counts)
    assert min(counts[name] for name in ("kill", "power", "kill at rest", "power at rest", "faults")) > 0
    assert counts["JournalFailed"] > 0
    assert counts["ViewsFailed"] > 0


def traced(seed: int, vfs: SimulatedVfs) -> tuple[Outcome, list[str]]:
    lines: list[str] = []
    outcome = run(seed, vfs, scratch(), lines.append)
    return outcome, [line.replace(line[line.find("trueup-sim-") :][:19], "") for line in lines]


def test_a_seed_is_the_same_run_every_time(vfs: SimulatedVfs) -> None:
    for seed in range(5):
        assert traced(seed, vfs) == traced(seed, vfs)


def test_a_seed_is_replayed_with_all_that_happens(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--seed", "3"]) == 0
    told = capsys.readouterr().out
    assert "a life begins" in told
    assert "sync_directory" in told
    assert "every promise kept" in told


def test_a_finding_is_told_with_its_seed_and_ends_in_failure(capsys: pytest.CaptureFixture[str]) -> None:
    with no_sync_of_the_log():
        assert command.main(["--seeds", "30", "--processes", "1"]) == 1
        assert command.main(["--seeds", "30", "--processes", "1", "--json"]) == 1
    human, _, machine = capsys.readouterr().out.partition("\n{")
    tally = msgspec.json.decode("{" + machine, type=Tally)
    assert tally.failed == len(tally.findings) > 0
    assert tally.done == 30
    assert f"python -m trueup.testing.sim --seed {tally.findings[0].seed}" in human


def test_a_sitting_goes_on_where_the_last_one_stopped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = tmp_path / "kept" / "state.json"
    before = Tally(fingerprint(), 0, done=2 * CHUNK - 3, operations=7)
    remember(state, before)
    assert command.main(["--seeds", str(2 * CHUNK), "--processes", "1", "--state", str(state)]) == 0
    capsys.readouterr()
    after = resumed(state, 0)
    assert after.done == 2 * CHUNK
    assert after.operations > 7
    assert resumed(state, 1).done == 0  # other seeds
    remember(state, msgspec.structs.replace(after, code="another program"))
    assert resumed(state, 0).done == 0


def test_processes_share_the_seeds_and_answer_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "CHUNK", 4)
    outcomes = [outcome for chunk in run_many(range(11), 2) for outcome in chunk]
    assert [outcome.seed for outcome in outcomes] == list(range(11))
    assert not any(outcome.finding for outcome in outcomes)


def test_the_summary_keeps_a_bounded_number_of_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "FINDINGS_MAX", 2)
    tally = Tally("", 0)
    tally.add(Outcome(seed, {"kill": 1}, 10, 1, "I1") for seed in range(5))
    assert (tally.failed, len(tally.findings), tally.counts) == (5, 2, {"kill": 5})
