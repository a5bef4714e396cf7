"""What ``trueup import`` tells a person of rows that were not booked."""

from pathlib import Path

from tests.cli.program import BROKER, STORY, Trueup, written


def test_an_opening_that_was_not_booked_is_named_with_the_reason(trueup: Trueup, tmp_path: Path) -> None:
    rows_ = "kind,id,instrument,side,quantity,price,venue_time\nfill,1,SOL/USDC:USDC,buy,2,100,2026-03-02T10:00:00Z\n"
    cut = "kind,id,instrument,quantity,price,venue_time\nopening_position,o,SOL/USDC:USDC,2,100,2026-03-02T11:00:00Z\n"
    given = (written(tmp_path / "facts.csv", rows_), written(tmp_path / "cut.csv", cut))
    told = trueup("import", *given, *BROKER)
    line = next(line for line in told.out.splitlines() if "Not booked" in line)
    assert "the opening of SOL/USDC:USDC net; what is booked begins before it" in line


def test_a_row_of_another_format_is_shown_as_the_text_it_is(trueup: Trueup) -> None:
    told = trueup("import", STORY / "clearinghouse_state.json", *BROKER)
    assert "b'" not in told.out
    assert '"type": "oneWay"' in told.out
