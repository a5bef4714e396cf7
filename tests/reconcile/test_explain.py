"""From a difference to its causes: each detector by example, the table of causes, and what is honestly not known."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from tests.reconcile.pair import (
    ACCOUNT,
    BTC,
    BTC_NET,
    CUT,
    EXACT,
    LEFT_OVER,
    OWN,
    SOL,
    Pair,
)
from trueup.model import events as e
from trueup.model.differences import Difference, Kind, Severity, Status
from trueup.model.facts import weak_id
from trueup.reconcile.explain.causes import Action, Cause, Explanation
from trueup.reconcile.explain.evidence import Amended, Evidence, OrderInFlight, Sifted, sift
from trueup.reconcile.explain.explaining import explain
from trueup.reconcile.explain.facts import cause_of_amended
from trueup.reconcile.explain.taxonomy import OF_KIND, TAXONOMY
from trueup.reconcile.findings import SEVERITY

D = Decimal


def difference(kind: Kind, subject: str, ours: str | None, theirs: str | None, **more: object) -> Difference:
    plain = Difference(kind, Severity.HIGH, Status.DRIFT, ACCOUNT, subject, ours, None, theirs, None, "words")
    return replace(plain, **more)


def of_btc(ours: str, theirs: str, evidence: Evidence) -> Explanation:
    found = difference(Kind.QTY, BTC_NET, ours, theirs, difference=D(theirs) - D(ours))
    return explain([found], evidence)[0]


def said(found: Explanation) -> list[tuple[Cause, Decimal | None]]:
    return [(part.cause, part.amount) for part in found.parts]


# --- the table --------------------------------------------------------------------------------------------------------


def test_every_cause_has_its_row_in_the_order_in_which_causes_are_looked_for() -> None:
    assert list(TAXONOMY) == list(Cause)
    assert [cause for cause, rule in TAXONOMY.items() if rule.detector is None] == [Cause.UNEXPLAINED]


def test_every_kind_of_difference_says_what_can_explain_it() -> None:
    assert set(OF_KIND) == set(Kind)


@pytest.mark.parametrize(
    ("code", "kinds", "causes"),
    [
        ("QTY", [Kind.QTY], []),
        ("SIDE", [Kind.SIDE], []),
        ("MISSING_OURS", [Kind.MISSING_OURS], [Cause.FOREIGN_TRADE]),
        ("MISSING_THEIRS", [Kind.MISSING_THEIRS], [Cause.LIQUIDATION, Cause.ADL, Cause.EXPIRY]),
        ("FILL_MISSING", [Kind.FILL_MISSING], [Cause.FILL_MISSING, Cause.HISTORY_GAP]),
        ("FILL_EXTRA / DUP", [], [Cause.FILL_EXTRA, Cause.DUPLICATE]),
        ("FILL_TERMS", [], [Cause.FILL_TERMS]),
        ("ORDER_STATE", [Kind.ORDER_STATE, Kind.ORDER_MISSING], [Cause.ORDER_REPORT]),
        ("ORPHAN_ORDER", [Kind.ORPHAN_ORDER], [Cause.FOREIGN_TRADE]),
        ("STOP_MISSING", [Kind.STOP_MISSING], []),
        ("AVG_PX", [Kind.AVG_PX], []),
        ("CASH / FEE / FUNDING", [Kind.CASH], [Cause.FEE, Cause.FUNDING, Cause.INTEREST, Cause.TRANSFER, Cause.DUST]),
        ("CCY", [], [Cause.CURRENCY]),
        ("SYMBOL_MAP", [Kind.SYMBOL_MAP], [Cause.SYMBOL_MAP]),
        ("CORP_ACTION / ROLL / EXPIRY", [], [Cause.SPLIT, Cause.ROLL, Cause.EXPIRY, Cause.ASSIGNMENT]),
        ("TIMING / IN_FLIGHT", [], [Cause.IN_FLIGHT, Cause.VENUE_LATE]),
        ("STALE_SOURCE", [Kind.STALE_SOURCE], [Cause.STALE_SOURCE]),
    ],
)
def test_every_sort_of_break_has_its_severity_or_its_cause_and_action(
    code: str, kinds: list[Kind], causes: list[Cause]
) -> None:
    assert kinds or causes, code
    assert all(kind in SEVERITY for kind in kinds)
    assert all(TAXONOMY[cause].detector is not None for cause in causes)


@pytest.mark.parametrize(
    "cause", [Cause.FILL_EXTRA, Cause.DUPLICATE, Cause.FILL_TERMS, Cause.SYMBOL_MAP, Cause.CURRENCY]
)
def test_what_is_ours_or_misread_is_never_booked_by_itself(cause: Cause) -> None:
    assert TAXONOMY[cause].action in {Action.REVERSE, Action.MEND_MAP}


@pytest.mark.parametrize("name", [*EXACT, *LEFT_OVER])
def test_each_cause_alone_is_named_with_evidence(name: str) -> None:
    pair = Pair()
    {**EXACT, **LEFT_OVER}[name](pair, D("0.25"), "buy")
    explained = pair.explained()
    assert explained
    for subject, found in explained.items():
        assert set(found.causes) == pair.expected[subject]
        assert found.complete
        assert all(part.words for part in found.parts)
        assert all(part.evidence for part in found.parts if part.cause is not Cause.ROUNDING)


# --- several at once --------------------------------------------------------------------------------------------------


def test_two_missing_fills_and_a_fee() -> None:
    pair = Pair()
    for _ in range(2):
        fill = pair.trade(SOL, "buy", D(1), fee=D("0.001"), fee_currency="SOL")
        pair.lacks(fill, Cause.FILL_MISSING, "SOL", "USDC")
    pair.lacks(e.FeeCharged(ACCOUNT, D("0.5"), "USDC", pair.now(), "f"), Cause.FEE, "USDC")
    explained = pair.explained()
    assert said(explained["SOL"]) == [(Cause.FILL_MISSING, D("0.999")), (Cause.FILL_MISSING, D("0.999"))]
    assert said(explained["USDC"])[2] == (Cause.FEE, D("-0.5"))
    assert explained["USDC"].difference == D("-200.44")
    assert explained["USDC"].rest == 0


def test_a_missed_fill_like_an_earlier_one_is_missing_all_the_same() -> None:
    pair = Pair()
    first = pair.trade(BTC, "buy", D(1))
    pair.ours.append(first)
    pair.theirs.append(first)
    pair.lacks(replace(first, venue_trade_id="like it"), Cause.FILL_MISSING, BTC_NET)
    assert said(pair.explained()[BTC_NET]) == [(Cause.FILL_MISSING, D(1))]


def test_facts_that_cancel_each_other_are_told_although_no_quantity_differs() -> None:
    pair = Pair()
    pair.theirs += [pair.trade(BTC, "buy", D(1)), pair.trade(BTC, "sell", D(1))]
    fills = sift(pair.ours, pair.theirs)
    found = explain([difference(Kind.FILL_MISSING, BTC_NET, None, None)], Evidence(facts=fills))[0]
    assert said(found) == [(Cause.FILL_MISSING, D(1)), (Cause.FILL_MISSING, D(-1))]
    assert found.complete


def test_the_profit_of_a_close_is_not_known_before_it_is_booked() -> None:
    pair = Pair()
    pair.lacks(pair.trade(BTC, "sell", D(1), settled_amount=None), Cause.FILL_MISSING, BTC_NET, "USDC")
    pair.wrong["USDC"] += 1
    found = pair.explained()["USDC"]
    assert said(found) == [(Cause.FILL_MISSING, None)]
    assert found.rest is None
    assert not found.complete


# --- sources and maps -------------------------------------------------------------------------------------------------


def test_a_source_that_failed_explains_that_nothing_is_known() -> None:
    found = difference(Kind.STALE_SOURCE, "balances", None, None, status=Status.FAILED)
    part = explain([found], Evidence(failed={"balances": "timed out"}))[0].parts[0]
    assert (part.cause, part.amount, part.words) == (Cause.STALE_SOURCE, None, "timed out")


def test_a_symbol_without_definition_is_a_matter_of_the_map() -> None:
    assert explain([difference(Kind.SYMBOL_MAP, "kPEPE", None, "5")], Evidence())[0].causes == (Cause.SYMBOL_MAP,)


def test_another_multiplier_accounts_for_what_it_makes_of_the_venues_number() -> None:
    found = of_btc("3", "3000", Evidence(multipliers={BTC.symbol: D("0.001")}))
    assert said(found) == [(Cause.SYMBOL_MAP, D(2997))]
    assert found.rest == 0


def test_a_multiplier_and_a_missing_fill() -> None:
    fill = Pair().trade(BTC, "buy", D(1))
    found = of_btc("3", "4000", Evidence(Sifted(missing=(fill,)), multipliers={BTC.symbol: D("0.001")}))
    assert said(found) == [(Cause.SYMBOL_MAP, D(3996)), (Cause.FILL_MISSING, D(1))]
    assert found.rest == 0


@pytest.mark.parametrize(
    ("cut", "theirs", "causes"), [(CUT, "0", "EXPIRY"), (8, "0", "UNEXPLAINED"), (CUT, "1", "UNEXPLAINED")]
)
def test_a_contract_that_ended_is_gone(cut: int, theirs: str, causes: str) -> None:
    ended = {BTC.symbol: replace(BTC, expiry=8)}
    assert of_btc("3", theirs, Evidence(instruments=ended, cut=cut)).causes == (Cause(causes),)


# --- time -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("theirs", "causes"),
    [("4", "IN_FLIGHT"), ("5", "IN_FLIGHT"), ("5.1", "UNEXPLAINED"), ("2.9", "IN_FLIGHT"), ("1.9", "UNEXPLAINED")],
)
def test_open_orders_explain_what_they_may_have_traded_and_no_more(theirs: str, causes: str) -> None:
    orders = OrderInFlight("1", BTC_NET, open=D(2)), OrderInFlight("2", BTC_NET, open=D(-1))
    assert of_btc("3", theirs, Evidence(orders=orders)).causes == (Cause(causes),)


def test_a_fill_that_the_history_gives_is_not_in_flight_as_well() -> None:
    fill = Pair().trade(BTC, "buy", D(1), venue_order_id="7")
    order = OrderInFlight("7", BTC_NET, reported=D(3))
    found = of_btc("0", "3", Evidence(Sifted(missing=(fill,)), orders=(order,)))
    assert said(found) == [(Cause.IN_FLIGHT, D(2)), (Cause.FILL_MISSING, D(1))]
    assert found.rest == 0


def test_a_late_snapshot_lacks_the_newest_facts_never_older_ones_alone() -> None:
    pair = Pair()
    older, newer = pair.trade(BTC, "buy", D(2)), pair.trade(BTC, "buy", D(1))
    evidence = Evidence(recent=(older, newer))
    assert of_btc("3", "2", evidence).causes == (Cause.VENUE_LATE,)
    assert of_btc("3", "0", evidence).causes == (Cause.VENUE_LATE,)
    assert of_btc("3", "1", evidence).causes == (Cause.UNEXPLAINED,)


def test_a_late_snapshot_may_lack_all_that_a_fill_moved_whose_profit_depends_on_the_position() -> None:
    stated = Pair().trade(BTC, "sell", D(1), fee=D(3))
    evidence = Evidence(recent=(replace(stated, settled_amount=None),), instruments={BTC.symbol: BTC})
    found = difference(Kind.CASH, "USDC", "97", "100", difference=D(3))
    late = explain([found], evidence)[0]
    assert (said(late), late.rest) == ([(Cause.VENUE_LATE, D(3))], D(0))
    known = Evidence(recent=(replace(stated, fee=D(2)),), instruments={BTC.symbol: BTC})
    assert explain([found], known)[0].causes == (Cause.UNEXPLAINED,)


# --- settings and orders ----------------------------------------------------------------------------------------------


def test_a_change_of_leverage_is_named_by_the_venues_record() -> None:
    record = e.LeverageSet(ACCOUNT, BTC.symbol, D(5), 1, "7")
    found = difference(Kind.LEVERAGE, BTC_NET, "3", "5", difference=D(2))
    explained = explain([found], Evidence(Sifted(missing=(record,))))[0]
    assert (explained.causes, explained.rest) == ((Cause.LEVERAGE,), D(0))
    assert explained.parts[0].evidence == ("leverage|7",)
    assert explain([found], Evidence())[0].parts[0].evidence == ("snapshot",)


def test_a_change_of_margin_mode_is_no_amount() -> None:
    record = e.MarginModeSet(ACCOUNT, BTC.symbol, "isolated", 1, "7")
    found = difference(Kind.MARGIN_MODE, BTC_NET, "cross", "isolated")
    explained = explain([found], Evidence(Sifted(missing=(record,))))[0]
    assert (explained.causes, explained.rest, explained.complete) == ((Cause.MARGIN_MODE,), None, True)
    assert explained.parts[0].evidence == ("margin_mode|7",)


def test_an_order_is_explained_by_the_report_that_we_lack() -> None:
    report = e.OrderReported(ACCOUNT, BTC.symbol, "buy", D(1), D(1), "filled", "9", 1, "9|filled")
    found = difference(Kind.ORDER_MISSING, "9", "buy 1", None)
    assert explain([found], Evidence(Sifted(missing=(report,))))[0].causes == (Cause.ORDER_REPORT,)


@pytest.mark.parametrize(("order", "cause"), [(OWN, Cause.IN_FLIGHT), ("elsewhere", Cause.FOREIGN_TRADE)])
def test_an_order_that_we_do_not_know_is_ours_or_not(order: str, cause: Cause) -> None:
    found = difference(Kind.ORPHAN_ORDER, order, None, "buy 1")
    assert explain([found], Evidence(own_orders=frozenset({OWN})))[0].causes == (cause,)
    assert explain([found], Evidence())[0].causes == (Cause.UNEXPLAINED,)


# --- two versions of a fact -------------------------------------------------------------------------------------------


def test_a_fact_that_first_came_without_an_id_is_the_same_fact() -> None:
    pair = Pair()
    named = pair.trade(BTC, "buy", D(1))
    unnamed = replace(named, venue_trade_id=weak_id((1,), 0), weak=True)
    assert sift([unnamed], [named]) == Sifted()
    assert sift([named], [unnamed]) == Sifted()
    twice = sift([unnamed], [named, replace(named, venue_trade_id="and a like one")])
    assert len(twice.missing) == 1


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"fee": D(1)}, Cause.FEE),
        ({"fee": D(1), "fee_currency": "BNB"}, Cause.CURRENCY),
        ({"price": D(1)}, Cause.FILL_TERMS),
        ({"side": "sell"}, Cause.FILL_TERMS),
    ],
)
def test_what_differs_between_two_versions_of_a_fill(change: dict[str, object], cause: Cause) -> None:
    fill = Pair().trade(BTC, "buy", D(1), fee=D(2))
    assert cause_of_amended(Amended(fill, replace(fill, **change))) is cause


def test_what_differs_between_two_versions_of_anything_else_is_its_terms() -> None:
    paid = e.FundingPaid(ACCOUNT, BTC.symbol, D(1), "USDC", 1, "7")
    assert cause_of_amended(Amended(paid, replace(paid, amount=D(2)))) is Cause.FILL_TERMS


def test_a_split_counts_what_was_missing_before_it() -> None:
    pair = Pair()
    bought = pair.trade(BTC, "buy", D(1))
    split = e.SplitBooked(ACCOUNT, BTC.symbol, 10, 1, pair.now(), "s")
    evidence = Evidence(Sifted(missing=(split, bought)), held={f"split|s|{BTC.symbol}|net": D(3)})
    found = of_btc("3", "40", evidence)
    assert said(found) == [(Cause.FILL_MISSING, D(1)), (Cause.SPLIT, D(36))]
    assert found.rest == 0
    decided = replace(split, quantity_after=D(39))
    assert said(of_btc("3", "39", replace(evidence, facts=Sifted(missing=(decided, bought)))))[1] == (
        Cause.SPLIT,
        D(35),
    )
    assert of_btc("3", "40", replace(evidence, held={})).rest is None


def test_what_was_missing_before_a_split_that_both_have_is_split_as_well() -> None:
    pair = Pair()
    pair.lacks(pair.trade(BTC, "buy", D(1)), Cause.FILL_MISSING, BTC_NET)
    split = e.SplitBooked(ACCOUNT, BTC.symbol, 10, 1, pair.now(), "s")
    pair.ours.append(split)
    pair.theirs.append(split)
    pair.has(pair.trade(BTC, "buy", D(2)), Cause.FILL_EXTRA, BTC_NET)
    found = pair.explained()[BTC_NET]
    assert said(found) == [(Cause.FILL_MISSING, D(10)), (Cause.FILL_EXTRA, D(-2))]
    assert (found.difference, found.rest) == (D(8), D(0))


def test_a_split_of_a_coin_changes_its_balance_too() -> None:
    pair = Pair()
    split = e.SplitBooked(ACCOUNT, SOL.symbol, 2, 1, pair.now(), "s")
    pair.lacks(split, Cause.SPLIT, "SOL")
    pair.evidence = replace(pair.evidence, held={f"split|s|{SOL.symbol}|net": D(512)})
    assert said(pair.explained()["SOL"]) == [(Cause.SPLIT, D(512))]


def test_a_split_of_ours_that_the_venue_lacks_leaves_the_amount_open() -> None:
    pair = Pair()
    pair.has(e.SplitBooked(ACCOUNT, BTC.symbol, 2, 1, pair.now(), "s"), Cause.FILL_EXTRA, BTC_NET)
    assert (pair.explained()[BTC_NET].causes, pair.explained()[BTC_NET].rest) == ((Cause.FILL_EXTRA,), None)
