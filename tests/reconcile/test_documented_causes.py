"""``docs/reconciliation.md``: its table of causes is the one that explains differences."""

import re
from pathlib import Path

from trueup.reconcile.explain.causes import Cause
from trueup.reconcile.explain.taxonomy import TAXONOMY

DOCUMENT = Path(__file__).parents[2] / "docs" / "reconciliation.md"


def test_each_cause_is_documented_once_with_what_is_done_about_it() -> None:
    rows = re.findall(r"^\| ([A-Z_, ]+) \| .+ \| ([a-z ]+) \|$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    told = [(cause, action) for causes, action in rows for cause in causes.split(", ")]
    done = {cause: TAXONOMY[cause].action.value.lower().replace("_", " ") for cause in Cause}
    assert sorted(told) == sorted((cause.value, action) for cause, action in done.items())
