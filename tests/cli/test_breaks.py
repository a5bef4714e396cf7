"""``trueup breaks``: what the newest comparison found, now and as of any earlier moment."""

from tests.cli.program import BROKEN, FX, MAIN, OANDA, STORY, Trueup, files, head_of

GOOD = [STORY / name for name in ("clearinghouse_state.json", "spot_clearinghouse_state.json", "open_orders.json")]
FILL = BROKEN / "user_fills_by_time.json"


def drifted(trueup: Trueup) -> Trueup:
    """The program after a comparison found that fill 9102 is missing."""
    good = [path for path in files(STORY) if path.name != "user_fills.json" and path not in GOOD]
    assert trueup("import", *good, BROKEN / "user_fills.json", *MAIN).code == 0
    assert trueup("reconcile", *MAIN, "--snapshot", BROKEN / "clearinghouse_state.json", FILL).code == 1
    return trueup


def test_the_newest_outcome_is_listed_with_its_breaks(trueup: Trueup) -> None:
    found = drifted(trueup)("breaks", "--json")
    (account,) = found.json
    assert (found.code, account["account"], account["status"]) == (1, "hyperliquid:main", "DRIFT")
    assert account["cut"] == "2026-03-02T12:05:00Z"
    assert account["seq"] == head_of(trueup)
    quantity = next(each for each in account["breaks"] if each["kind"] == "QTY")
    assert (quantity["subject"], quantity["ours"], quantity["theirs"], quantity["difference"]) == (
        "ETH/USDC:USDC net",
        "-1.25",
        "-0.75",
        "0.5",
    )
    assert (quantity["severity"], quantity["status"], quantity["evidence"]) == ("CRITICAL", "DRIFT", ["9102"])
    told = trueup("breaks")
    assert told.code == 1
    assert "hyperliquid:main: DRIFT since" in told.out
    assert "9102" in told.out


def test_breaks_are_asked_for_as_of_any_moment(trueup: Trueup) -> None:
    drift = head_of(drifted(trueup))
    trueup("import", FILL, *MAIN)
    assert trueup("reconcile", *MAIN, "--snapshot", *GOOD).code == 0
    now = trueup("breaks", "--json")
    assert (now.code, now.json[0]["status"], now.json[0]["breaks"]) == (0, "SYNCED", [])
    before, then = (trueup("breaks", "--as-of", str(seq), "--json") for seq in (drift - 1, drift))
    assert (before.code, before.json[0]["status"]) == (2, "NEVER_COMPARED")
    assert (then.code, then.json[0]["status"], then.json[0]["seq"]) == (1, "DRIFT", drift)
    recorded = then.json[0]["recorded_at"]
    assert trueup("breaks", "--as-of", recorded, "--json").json == then.json
    early = trueup("breaks", "--as-of", "2026-03-02T11:00:00Z", "--venue-time", "--json")
    assert early.json[0]["status"] == "NEVER_COMPARED"
    told = trueup("breaks", "--as-of", str(drift)).out
    assert told.startswith(f"hyperliquid:main AS OF seq {drift}, recorded ")


def test_the_journal_shows_an_outcome_in_words(trueup: Trueup) -> None:
    told = drifted(trueup)("journal", "show", "--kind", "compared").out
    assert "DRIFT with clearinghouse_state.json | " in told
    assert "QTY ETH/USDC:USDC net: " in told


def test_an_account_that_was_never_compared_is_unknown(story: Trueup) -> None:
    told = story("breaks")
    assert told.code == 2
    assert "never compared" in told.out
    assert "trueup reconcile" in told.out


def test_the_exit_code_is_that_of_the_worst_account(trueup: Trueup) -> None:
    drifted(trueup)
    trueup("import", *files(OANDA / "story"), *FX)
    assert trueup("breaks").code == 1
    assert trueup("breaks", "--account", "fx").code == 2
