"""What a correction would book: venue records by default, adjustments only as policies, budgets and approvals allow."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from tests.reconcile.pair import ACCOUNT, BTC, BTC_NET, CUT, ETH, OWN, SOL, Pair, fold
from trueup.book.lifecycle import BreakRecord
from trueup.model import events as e
from trueup.model.breaks import State
from trueup.model.differences import Difference, Kind, Severity, Status
from trueup.model.errors import BadInput
from trueup.model.identifiers import AccountId
from trueup.model.instruments import Instrument
from trueup.model.numbers import ZERO
from trueup.model.times import NS_PER_SECOND
from trueup.reconcile.adjust import adjustment_id, adjustment_price
from trueup.reconcile.consequence import consequence
from trueup.reconcile.correct import Candidate, Circumstances, Correction, Held, Plan, plan
from trueup.reconcile.explain.evidence import Evidence, sift
from trueup.reconcile.explain.explaining import explain
from trueup.reconcile.policy import Mode, Policies, Policy, budget_left, is_approved

D = Decimal
HOUR = 3_600 * NS_PER_SECOND
NOW = 100 * HOUR
XBT = Instrument("BTC/USD:BTC", "XBTUSD", "inverse", "BTC", "USD", "BTC")


def record(subject: str = BTC_NET, state: State = State.CONFIRMED, **fields: object) -> BreakRecord:
    plain = BreakRecord(key=(subject, "QTY"), state=state, detected_at=0, moved_at=0)
    return replace(plain, **{"kind": "QTY", "severity": "CRITICAL", **fields})


def corrected(at: int, adjusted: Decimal = ZERO) -> e.Corrected:
    return e.Corrected(ACCOUNT, BTC_NET, "QTY", at, "checker", "FILL_MISSING", ("fill|1",), adjusted)


def differs(ours: str = "10", theirs: str = "15", subject: str = BTC_NET, kind: Kind = Kind.QTY) -> Difference:
    return Difference(
        kind,
        Severity.CRITICAL,
        Status.DRIFT,
        ACCOUNT,
        subject,
        ours,
        None,
        theirs,
        D(theirs) - D(ours),
        "venue holds more",
    )


def candidate(found: Difference | None = None, evidence: Evidence | None = None, **fields: object) -> Candidate:
    one = found or differs()
    why = explain([one], evidence or Evidence())[0]
    plain = Candidate(record(one.subject), one, why, D(500), D(100), D(102))
    return replace(plain, **fields)


AT = Circumstances(CUT, NOW, "checker", instruments={one.symbol: one for one in (BTC, ETH, SOL, XBT)})
ADJUSTING = Policies(default=Policy(Mode.ADJUST_WITHIN, D(1000)), adjusted_per_day=D(1000))
APPROVING = Policies(default=Policy(Mode.ADJUST_BEYOND, D(100)), adjusted_per_day=D(1000))


def planned(one: Candidate, policies: Policies = ADJUSTING, at: Circumstances = AT) -> Correction | Held:
    """What becomes of the only candidate."""
    found = plan([one], policies, at)
    return found.corrections[0] if found.corrections else found.held[0]


def reason(one: Candidate, policies: Policies = ADJUSTING, at: Circumstances = AT) -> str:
    held = planned(one, policies, at)
    assert isinstance(held, Held), held
    return held.reason


def adjustment(one: Candidate, policies: Policies = ADJUSTING, at: Circumstances = AT) -> e.AdjustmentBooked:
    found = planned(one, policies, at)
    assert isinstance(found, Correction), found
    (entry,) = found.entries
    assert isinstance(entry, e.AdjustmentBooked)
    return entry


# --- policies ---------------------------------------------------------------------------------------------------------


def test_the_most_particular_policy_holds() -> None:
    account, other = AccountId("paper:a"), AccountId("paper:b")
    report, facts, within = Policy(Mode.REPORT), Policy(), Policy(Mode.ADJUST_WITHIN, D(1))
    policies = Policies({(account, "QTY"): report, (account, ""): within, ("", "CASH"): report})
    assert policies.of(account, "QTY") is report
    assert policies.of(account, "CASH") is within
    assert policies.of(other, "CASH") is report
    assert policies.of(other, "QTY") == facts


def test_by_default_records_of_the_venue_are_booked_and_nothing_is_adjusted() -> None:
    pair = Pair()
    pair.lacks(pair.trade(BTC, "buy", D(5)), "FILL_MISSING", BTC_NET)  # type: ignore[arg-type]
    facts = sift(pair.ours, pair.theirs)
    one = candidate(evidence=Evidence(facts))
    found = plan([one], Policies(), replace(AT, missing=facts.missing))
    assert found.entries == facts.missing
    assert [correction.causes for correction in found.corrections] == [("FILL_MISSING",)]
    assert "policy is not to adjust" in reason(candidate(), Policies())


def test_a_policy_to_report_books_nothing() -> None:
    fill = Pair().trade(BTC, "buy", D(5))
    one = candidate(evidence=Evidence(sift([], [fill])))
    policies = Policies(default=Policy(Mode.REPORT))
    assert "report only" in reason(one, policies, replace(AT, missing=(fill,)))


def test_facts_come_before_any_adjustment_and_are_booked_in_venue_order() -> None:
    pair = Pair()
    first, second = pair.trade(BTC, "buy", D(1)), pair.trade(BTC, "buy", D(1))
    one = candidate(evidence=Evidence(sift([], [second, first])))
    assert one.why.rest == D(3)
    found = planned(one, ADJUSTING, replace(AT, missing=(second, first)))
    assert isinstance(found, Correction)
    assert (list(found.entries), found.adjusted) == ([first, second], D(0))


def test_a_fact_that_serves_two_breaks_is_booked_once() -> None:
    fill = Pair().trade(SOL, "buy", D(5))
    evidence = Evidence(sift([], [fill]), {SOL.symbol: SOL})
    both = [candidate(differs(subject=name, kind=Kind.CASH), evidence) for name in ("SOL", "USDC")]
    found = plan(both, Policies(), replace(AT, missing=(fill,)))
    assert len(found.corrections) == 2
    assert found.entries == (fill,)


def test_a_foreign_trade_is_booked_as_nobody_s_strategy() -> None:
    fill = Pair().trade(BTC, "buy", D(5), venue_order_id="elsewhere")
    one = candidate(evidence=Evidence(sift([], [fill]), own_orders=frozenset({OWN})))
    found = plan([one], Policies(), replace(AT, missing=(fill,)))
    (entry,) = found.entries
    assert isinstance(entry, e.FillBooked)
    assert (entry.strategy, found.corrections[0].causes) == ("external", ("FOREIGN_TRADE",))


# --- adjustments ------------------------------------------------------------------------------------------------------


def price(text: str | None) -> Decimal | None:
    return None if text is None else D(text)


@pytest.mark.parametrize(
    ("ours", "our_price", "theirs", "their_price", "expected"),
    [
        ("10", "100", "15", "102", "106"),
        ("-100", "1.30", "-200", "1.28", "1.26"),
        ("150", "1.23456", "250", "1.24567", "1.262335"),
        ("100", "1.20", "-100", "1.25", "1.25"),
        ("100", "1.20", "0", None, "1.20"),
        ("0", None, "100", "1.25", "1.25"),
    ],
)
def test_an_adjustment_is_priced_by_the_rule(
    ours: str, our_price: str | None, theirs: str, their_price: str | None, expected: str
) -> None:
    entry = adjustment(candidate(differs(ours, theirs), our_price=price(our_price), their_price=price(their_price)))
    assert (entry.price, entry.quantity) == (D(expected), D(theirs) - D(ours))
    assert (entry.instrument, entry.position_side, entry.venue_time) == (BTC.symbol, "net", CUT)
    assert (entry.cause, entry.author) == ("UNEXPLAINED", "checker")


@pytest.mark.parametrize(
    ("ours", "our_price", "theirs", "their_price", "words"),
    [
        ("100", "2", "200", "1", "no positive price"),
        ("10", None, "15", "102", "our average is unknown"),
        ("10", "100", "15", None, "the venue's average is unknown"),
        ("10", None, "0", None, "our average is unknown"),
        ("0", None, "10", None, "the venue's average is unknown"),
    ],
)
def test_without_a_price_nothing_is_adjusted(
    ours: str, our_price: str | None, theirs: str, their_price: str | None, words: str
) -> None:
    assert words in reason(candidate(differs(ours, theirs), our_price=price(our_price), their_price=price(their_price)))


def test_an_inverse_contract_is_priced_by_its_harmonic_average() -> None:
    assert adjustment_price(D(1000), D(5000), D(3000), D(5625), inverse=True) == D(6000)
    with pytest.raises(BadInput):
        adjustment_price(D(1000), D(5000), D(3000), D(15000), inverse=True)
    entry = adjustment(candidate(differs("1000", "3000", f"{XBT.symbol} net"), our_price=D(5000), their_price=D(5625)))
    assert entry.price == D(6000)


def test_an_adjusted_book_holds_what_the_venue_holds_at_its_average_and_no_strategy_has_it() -> None:
    facts = [replace(fact, strategy="s") if isinstance(fact, e.FillBooked) else fact for fact in Pair().ours]
    before = fold(facts).positions()[BTC.symbol, "net"]
    found = differs(str(before.quantity), str(before.quantity + 5))
    after = fold([*facts, adjustment(candidate(found, our_price=before.entry_price, their_price=D("100.06")))])
    held = after.positions()[BTC.symbol, "net"]
    assert (held.quantity, held.entry_price) == (before.quantity + 5, D("100.06"))
    assert held.realized_pnl == before.realized_pnl
    assert held.by_strategy["s"] == before.by_strategy["s"]
    assert held.by_strategy["external"].quantity == 5


def test_an_adjustment_of_cash() -> None:
    entry = adjustment(candidate(differs("10", "7.5", "USDC", Kind.CASH)))
    assert (entry.currency, entry.cash, entry.quantity, entry.price) == ("USDC", D("-2.5"), D(0), None)
    assert "position as well" in reason(candidate(differs("10", "7.5", "SOL", Kind.CASH)))
    assert "balance as well" in reason(candidate(differs(subject=f"{SOL.symbol} net")))


def test_the_same_change_has_the_same_identity_and_another_cut_another() -> None:
    first = adjustment(candidate())
    assert first == adjustment(candidate())
    assert first.adjustment_id == adjustment_id(ACCOUNT, BTC.symbol, CUT, D(10), D(15))
    assert first.adjustment_id != adjustment(candidate(), at=replace(AT, cut=CUT + 1)).adjustment_id


def test_an_answer_without_a_time_is_nothing_to_adjust_to() -> None:
    assert "does not say when" in reason(candidate(), at=replace(AT, cut=None))


def test_what_is_undefined_is_not_adjusted() -> None:
    assert "nobody defined it" in reason(candidate(), at=replace(AT, instruments={}))


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (candidate(record=record(state=State.DETECTED)), "not confirmed"),
        (candidate(record=record(state=State.RESOLVED)), "not confirmed"),
        (candidate(evidence=Evidence(multipliers={BTC.symbol: D(2)})), "SYMBOL_MAP asks for MEND_MAP"),
        (candidate(evidence=Evidence(rounding={BTC_NET: D(9)})), "ROUNDING asks for WATCH"),
        (candidate(differs(kind=Kind.AVG_PX)), "no amount"),
        (candidate(record=record(recurrences=1)), "came back"),
        (candidate(worth=D(1001)), "beyond 1000"),
        (candidate(worth=None), "unknown amount"),
    ],
)
def test_what_is_not_adjusted_unasked(one: Candidate, words: str) -> None:
    assert words in reason(one)


def test_the_limit_itself_is_within() -> None:
    assert adjustment(candidate(worth=D(1000))).quantity == 5


def test_an_entry_of_ours_is_taken_back_by_approval_only() -> None:
    fill = Pair().trade(BTC, "sell", D(5))
    one = candidate(evidence=Evidence(sift([fill], [])))
    assert one.why.causes == ("FILL_EXTRA",)
    assert "takes back an entry of ours" in reason(one)


# --- approval ---------------------------------------------------------------------------------------------------------


def approvals(adjustment_id: str, *keys: str) -> Circumstances:
    return replace(AT, approvals={adjustment_id: keys})


def test_beyond_the_limit_two_different_keys_must_approve() -> None:
    held = planned(candidate(), APPROVING)
    assert isinstance(held, Held)
    assert held.proposed is not None
    name = held.proposed.adjustment_id
    for keys in ((), ("a",), ("a", "a"), ("a", "")):
        assert "two keys must approve" in reason(candidate(), APPROVING, approvals(name, *keys))
    assert adjustment(candidate(), APPROVING, approvals(name, "a", "b")) == held.proposed
    assert "two keys must approve" in reason(candidate(), APPROVING, approvals("another", "a", "b"))


def test_without_that_policy_no_approval_helps() -> None:
    name = adjustment_id(ACCOUNT, BTC.symbol, CUT, D(10), D(15))
    held = planned(candidate(worth=D(5000)), ADJUSTING, approvals(name, "a", "b"))
    assert isinstance(held, Held)
    assert held.proposed is None


def test_an_approval_under_way_holds_while_the_numbers_do() -> None:
    held = planned(candidate(), APPROVING)
    assert isinstance(held, Held)
    proposed = held.proposed
    assert proposed is not None
    later = replace(approvals(proposed.adjustment_id, "a", "b"), cut=CUT + 7)
    assert adjustment(candidate(proposed=proposed), APPROVING, later) == proposed
    moved = candidate(differs(theirs="16"), proposed=proposed)
    anew = planned(moved, APPROVING, later)
    assert isinstance(anew, Held)
    assert anew.proposed is not None
    assert (anew.proposed.venue_time, anew.proposed.quantity) == (CUT + 7, D(6))


def test_an_approval_is_of_one_adjustment_by_different_people() -> None:
    assert not is_approved("x", {"x": ("a",), "y": ("b",)})
    assert is_approved("x", {"x": ("a", "b")})


# --- budgets ----------------------------------------------------------------------------------------------------------


def test_budgets_count_the_last_hour_and_the_last_day() -> None:
    past = {25 * HOUR: 1, 24 * HOUR: 2, HOUR: 4, 1: 8}
    spent = [corrected(NOW - ago, D(worth)) for ago, worth in past.items()]
    left = budget_left(Policies(corrections_per_hour=3, adjusted_per_day=D(100)), spent, NOW)
    assert (left.corrections, left.adjusted) == (2, D(88))


def test_spent_budgets_leave_it_to_people() -> None:
    spent = replace(AT, spent=(corrected(NOW - 1, D(501)),))
    assert "budget is spent" in reason(candidate(), at=spent)
    assert adjustment(candidate(), at=replace(AT, spent=(corrected(NOW - 1, D(500)),))).quantity == 5
    fill = Pair().trade(BTC, "buy", D(5))
    facts = candidate(evidence=Evidence(sift([], [fill])))
    once = replace(ADJUSTING, corrections_per_hour=1)
    assert "an hour are spent" in reason(facts, once, replace(spent, missing=(fill,)))
    assert "budget is spent" in reason(candidate(), once, replace(AT, spent=(corrected(NOW - 1),)))


def test_one_plan_spends_what_it_plans() -> None:
    two = [candidate(), candidate(differs(subject=f"{ETH.symbol} net"))]
    found = plan(two, replace(ADJUSTING, adjusted_per_day=D(999)), AT)
    assert (len(found.corrections), len(found.held)) == (1, 1)


# --- storms and doubts ------------------------------------------------------------------------------------------------


def many(count: int) -> list[Candidate]:
    return [candidate(differs(subject=f"X{number} net")) for number in range(count)]


def test_a_storm_of_breaks_freezes_correction() -> None:
    found = plan(many(6), ADJUSTING, AT)
    assert found.entries == ()
    assert len(found.held) == 6
    assert "6" not in found.frozen[0]
    assert "more than 5 subjects" in found.frozen[0]
    assert plan(many(5), ADJUSTING, AT).frozen == ()


def test_any_doubt_freezes_correction_facts_included() -> None:
    fill = Pair().trade(BTC, "buy", D(5))
    one = candidate(evidence=Evidence(sift([], [fill])))
    found = plan([one], ADJUSTING, replace(AT, missing=(fill,), doubts=("the stream has only just come back",)))
    assert (found.entries, found.frozen) == ((), ("the stream has only just come back",))


def test_an_empty_plan() -> None:
    assert plan([], ADJUSTING, AT) == Plan()


# --- consequences -----------------------------------------------------------------------------------------------------


def test_a_critical_break_leaves_its_instrument_reduce_only_until_it_ends() -> None:
    found = consequence(ACCOUNT, [record()], {}, Policies())
    assert (set(found.reduce_only), found.account_reduce_only, found.halted) == ({BTC.symbol}, False, False)
    assert found.reasons == (f"QTY of {BTC_NET} is critical",)
    for state in (State.OPEN, State.ACKNOWLEDGED, State.INVESTIGATING):
        assert consequence(ACCOUNT, [record(state=state)], {}, Policies()).reduce_only
    for state in (State.RESOLVED, State.AUTO_RESOLVED, State.EXPIRED_TIMING, State.DETECTED):
        assert consequence(ACCOUNT, [record(state=state)], {}, Policies()) == consequence(ACCOUNT, [], {}, Policies())


def test_a_critical_break_without_an_instrument_concerns_the_account() -> None:
    found = consequence(ACCOUNT, [record("kPEPE")], {}, Policies())
    assert (found.reduce_only, found.account_reduce_only) == (frozenset(), True)


def test_what_is_not_critical_forbids_nothing() -> None:
    assert not consequence(ACCOUNT, [record(severity="HIGH")], {}, Policies()).reduce_only


@pytest.mark.parametrize(("worth", "expected"), [(D(99), False), (D(100), True), (None, True)])
def test_exposure_from_the_bound_on_leaves_the_account_reduce_only(worth: Decimal | None, expected: bool) -> None:
    one = record(severity="HIGH")
    found = consequence(ACCOUNT, [one], {one.key: worth}, Policies(critical={"": D(100)}))
    assert found.account_reduce_only is expected
    assert bool(found.reasons) is expected


def test_exposures_add_up() -> None:
    two = [record(name, severity="HIGH") for name in ("A net", "B net")]
    worths = {one.key: D(50) for one in two}
    assert consequence(ACCOUNT, two, worths, Policies(critical={"": D(100)})).account_reduce_only


def test_the_critical_bound_is_the_account_s_own() -> None:
    one = record(severity="HIGH")
    policies = Policies(critical={"": D(1), ACCOUNT: D(100)})
    assert not consequence(ACCOUNT, [one], {one.key: D(99)}, policies).account_reduce_only
    assert policies.critical_of(AccountId("paper:other")) == 1
    assert Policies().critical_of(ACCOUNT) is None


def test_a_storm_halts_new_risk() -> None:
    storm = [record(f"X{number} net", severity="LOW") for number in range(6)]
    assert consequence(ACCOUNT, storm, {}, Policies()).halted
    assert not consequence(ACCOUNT, storm[:5], {}, Policies()).halted
