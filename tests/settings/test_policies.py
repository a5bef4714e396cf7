"""How far correcting goes, by account, by kind of break, and never beyond what its stage allows."""

from decimal import Decimal
from pathlib import Path

import pytest

from trueup.model.errors import BadSettings
from trueup.model.identifiers import AccountId
from trueup.model.venues import Stage
from trueup.reconcile.policy import Mode
from trueup.settings import PaperSettings, load_settings
from trueup.settings.policies import policies, stops_required
from trueup.settings.shape import Corrections

ONE, TWO = AccountId("paper:one"), AccountId("paper:two")


def account(name: AccountId = ONE, stage: Stage = Stage.TRADE) -> PaperSettings:
    return PaperSettings(account=name, stage=stage, port=1)


@pytest.mark.parametrize(
    ("name", "kind", "mode"),
    [
        (ONE, "QTY", Mode.ADJUST_WITHIN),
        (ONE, "CASH", Mode.ADJUST_BEYOND),
        (TWO, "QTY", Mode.BOOK_FACTS),
        (TWO, "CASH", Mode.REPORT),
    ],
)
def test_the_most_particular_mode_counts(name: AccountId, kind: str, mode: Mode) -> None:
    modes = {"paper:one": "adjust", "paper:one CASH": "approve", "CASH": "report"}
    found = policies(Corrections(modes=modes, adjust_up_to=Decimal(7)), account(name)).of(name, kind)
    assert (found.mode, found.limit) == (mode, Decimal(7))


def test_an_account_that_only_observes_is_never_adjusted() -> None:
    observes = account(stage=Stage.OBSERVE)
    assert policies(Corrections(mode="approve"), observes).of(ONE, "QTY").mode is Mode.BOOK_FACTS
    assert policies(Corrections(mode="report"), observes).of(ONE, "QTY").mode is Mode.REPORT


def test_stops_are_required_of_some_or_of_all() -> None:
    assert stops_required(Corrections()) == frozenset()
    assert stops_required(Corrections(stops_required=("BTC/USDC:USDC",))) == frozenset({"BTC/USDC:USDC"})
    assert stops_required(Corrections(stops_required=("*",))) is None


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('mode = "fix"', "not a known value"),
        ('modes = { CASH = "fix" }', "not modes"),
        ('modes = { CASHH = "adjust" }', "neither an account nor a kind"),
        ('modes = { "paper:one CASHH" = "adjust" }', "neither an account nor a kind"),
        ("escalate_from = [2, 1]", "not a list of ascending amounts"),
        ("escalate_from = 5", "not a list of ascending amounts"),
        ("adjust_up_to = -1", "out of range"),
        ("stops_required = [1]", "not a list of symbols"),
        ("stroms = 5", "not a setting of corrections"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, line: str, problem: str) -> None:
    file = tmp_path / "trueup.toml"
    file.write_text(f"[corrections]\n{line}\n")
    with pytest.raises(BadSettings, match=problem) as told:
        load_settings(file, {})
    assert told.value.mistakes[0].where == f"{file}:2"


def test_all_of_them_are_read(tmp_path: Path) -> None:
    file = tmp_path / "trueup.toml"
    file.write_text(
        '[corrections]\nmode = "adjust"\nmodes = { "paper:one CASH" = "report" }\nadjust_up_to = 10\n'
        "adjust_per_day = 20\nper_hour = 3\nstorm = 4\ncritical_exposure = 100\nescalate_from = [1, 2.5]\n"
        'stops_required = ["*"]\n'
    )
    settings = load_settings(file, {})
    found = policies(settings.corrections, account())
    assert found.default.mode is Mode.ADJUST_WITHIN
    assert (found.default.limit, found.adjusted_per_day) == (Decimal(10), Decimal(20))
    assert (found.corrections_per_hour, found.storm) == (3, 4)
    assert found.critical_of(ONE) == Decimal(100)
    assert found.escalate_from == (Decimal(1), Decimal("2.5"))
