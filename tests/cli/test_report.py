"""The attestation of a day: issued once, made again to the letter, chained to the one before, in every form."""

import csv
import io
import json
import sys
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.cli.test_break_steps import ADJUSTMENT, DETECTED, KEY, D
from tests.engine.world import ACCOUNT, DEFINED, fill, store_at
from trueup.cli.main import main
from trueup.engine import attesting
from trueup.engine.attesting import report_of
from trueup.engine.store import Store
from trueup.model import events as e
from trueup.model.times import NS_PER_SECOND

TODAY = datetime.now(UTC).date().isoformat()
COMPARED = e.Compared(ACCOUNT, "DRIFT", ("sha256:ab",), 5, 3, (("DRIFT", 1), ("SYNCED", 2)), (), 0, ("balances",))


class Later:
    """The clock of a store, days ahead."""

    def __init__(self, store: Store, days: int) -> None:
        self._clock = store.clock
        self._ahead = days * 86_400 * NS_PER_SECOND

    def now(self) -> int:
        return self._clock.now() + self._ahead

    def monotonic(self) -> float:
        return self._clock.monotonic()


def later(store: Store, monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    clock = Later(store, days)
    monkeypatch.setattr(store, "clock", clock)
    monkeypatch.setattr(store.ledger(ACCOUNT), "_clock", clock)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A day with a comparison, a break that stands, one that ended, and a correction."""
    store = store_at(tmp_path)
    ledger = store.ledger(ACCOUNT)
    ledger.book_facts([DEFINED, fill(1)])
    cash = ("USDC", "CASH")
    told: list[e.Event] = [
        COMPARED,
        DETECTED,
        e.BreakMoved(ACCOUNT, *cash, "DETECT", fill(1).venue_time + 7, kind="CASH"),
        e.BreakMoved(
            ACCOUNT, *cash, "AUTO_RESOLVE", fill(1).venue_time + 9, by="booked", cause="FEE", evidence=("fill|1",)
        ),
        e.Corrected(ACCOUNT, *cash, 8, "reconciler", "FEE", ("fill|1",)),
        e.AdjustmentProposed(ACCOUNT, *KEY, 9, ADJUSTMENT, "beyond"),
        e.AdjustmentApproved(ACCOUNT, "a1", "alice", 9),
        e.ReconciliationsCounted(ACCOUNT, 1, 2, (("FAILED", 1), ("SYNCED", 3)), 5),
    ]
    for event in told:
        ledger.commit(lambda _, event=event: (event,))  # type: ignore[misc]
    return store


def test_a_day_that_is_over_is_issued_once_and_made_again_to_the_letter(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    later(store, monkeypatch, 1)
    first = report_of(store, ACCOUNT, TODAY, signer="alice")
    assert (first.first, first.same) == (True, True)
    again = report_of(store, ACCOUNT, TODAY, signer="bob")
    assert (again.first, again.same) == (False, True)
    assert again.report == first.report
    assert again.report.signer == "alice"
    monkeypatch.setattr(attesting, "__version__", "9.9.9")  # a later program makes it again
    assert report_of(store, ACCOUNT, TODAY, signer="alice").report == first.report
    issued = attesting._issued
    monkeypatch.setattr(attesting, "_issued", lambda of: [replace(one, digest="00") for one in issued(of)])
    assert report_of(store, ACCOUNT, TODAY, signer="alice").same is False
    store.close()


def test_a_day_that_is_issued_late_leaves_none_out_of_the_chain(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    later(store, monkeypatch, 3)
    days = [(datetime.fromisoformat(TODAY) + timedelta(days=ahead)).date().isoformat() for ahead in (1, 0, 2)]
    reports = [report_of(store, ACCOUNT, day, signer="alice").report for day in days]
    assert [one.previous for one in reports] == ["", reports[0].digest, reports[1].digest]
    store.close()


def test_each_names_the_one_before(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    later(store, monkeypatch, 2)
    first = report_of(store, ACCOUNT, TODAY, signer="alice").report
    tomorrow = (datetime.fromisoformat(TODAY) + timedelta(days=1)).date().isoformat()
    second = report_of(store, ACCOUNT, tomorrow, signer="alice").report
    assert (first.previous, second.previous) == ("", first.digest)
    assert [cut.status for cut in second.cuts] == ["DRIFT"]  # what still held
    assert len(second.standing) == 1
    store.close()


def test_what_it_says(store: Store) -> None:
    issued = report_of(store, ACCOUNT, TODAY, signer="alice")
    report = issued.report
    assert (issued.first, issued.same) == (False, None)
    assert (report.opened, report.closed) == (2, {"AUTO_RESOLVE": 1})
    (standing,) = report.standing
    assert (standing.kind, standing.worth, standing.why[0].cause) == ("QTY", D(300), "FILL_MISSING")
    assert (report.gross, report.net, report.unknown_worth) == (D(300), D(300), 0)
    assert report.coverage_gaps == ("balances",)
    assert [one.entries for one in report.corrections] == [("fill|1",)]
    assert [one.by for one in report.approvals] == ["alice"]
    told = report.statistics
    assert (told.runs, told.success, told.ended) == ({"FAILED": 1, "SYNCED": 3}, 0.75, {"FEE": 1})
    assert (told.to_detect.median_ns, told.to_correct["FEE"].median_ns) == (7, 2)
    store.close()


def run(store: Store, tmp_path: Path, *words: str) -> int:
    store.close()
    return main(["--data", str(tmp_path / "data"), "report", "--date", TODAY, "--by", "alice", *words])


def test_as_json_it_carries_its_digest(store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(store, tmp_path, "--format", "json") == 1
    answer = json.loads(capsys.readouterr().out)[0]
    assert (answer["account"], answer["gross"], len(answer["digest"])) == (ACCOUNT, "300", 64)


def test_as_csv_each_figure_is_a_line(store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(store, tmp_path, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert {row["section"] for row in rows} >= {"journal", "compared", "statistics", "signature"}
    assert any(row["name"] == "gross worth standing" and row["value"] == "300" for row in rows)


def test_as_a_page_it_stands_by_itself(store: Store, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    assert run(store, tmp_path, "--format", "html", "--to", str(page)) == 1
    text = page.read_text()
    for words in ("Reconciliation report", "FILL_MISSING 2, unexplained 1", "class='bar'", "sha256:ab"):
        assert words in text
    assert "<script" not in text
    assert "http" not in text


@pytest.mark.filterwarnings("ignore:HarfBuzz-Subset:DeprecationWarning")  # an old system library does as well
def test_as_a_document(store: Store, tmp_path: Path) -> None:
    try:
        import_module("weasyprint")
    except (ImportError, OSError) as error:
        pytest.skip(f"nothing prints here: {error}")
    document = tmp_path / "report.pdf"
    assert run(store, tmp_path, "--format", "pdf", "--to", str(document)) == 1
    assert document.read_bytes().startswith(b"%PDF-")


def test_a_document_that_cannot_be_printed_says_what_to_do(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    assert run(store, tmp_path, "--format", "pdf", "--to", str(tmp_path / "report.pdf")) == 3
    assert "trueup[pdf]" in capsys.readouterr().err
    assert not (tmp_path / "report.pdf").exists()


def test_as_text(store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(store, tmp_path)
    shown = capsys.readouterr()
    assert "standing at the end" in shown.out
    assert "the day is not over" in shown.err


@pytest.mark.parametrize(("day", "words"), [("2026-13-01", "not a day"), ("2999-01-01", "has not begun")])
def test_what_is_no_day_is_refused(
    store: Store, tmp_path: Path, day: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    store.close()
    assert main(["--data", str(tmp_path / "data"), "report", "--date", day]) == 3
    assert words in capsys.readouterr().err
