"""Any combination of known causes is explained by just these, to the last unit; an unknown one is just the rest."""

from decimal import Decimal

from hypothesis import assume, given
from hypothesis import strategies as st

from tests.reconcile.pair import ACCOUNT, BTC, BTC_NET, EXACT, LEFT_OVER, Pair
from trueup.model import events as e
from trueup.reconcile.explain.causes import Cause

sizes = [Decimal(2**power) / 1024 for power in range(len(EXACT) + len(LEFT_OVER))]
"""No sum of some, whatever their signs, is zero."""

ways = st.lists(st.sampled_from(["buy", "sell"]), min_size=len(sizes), max_size=len(sizes))
exact_ones = st.lists(st.sampled_from(sorted(EXACT)), unique=True)
left_over = st.lists(st.sampled_from(sorted(LEFT_OVER)), unique=True)


def planted(names: list[str], ways: list[str], split_after: int | None = None) -> Pair:
    """A pair with causes, and after some of them a split that both sides have."""
    pair = Pair()
    for place, (name, size, way) in enumerate(zip(names, sizes, ways, strict=False)):
        {**EXACT, **LEFT_OVER}[name](pair, size, way)
        if place == split_after:
            both = e.SplitBooked(ACCOUNT, BTC.symbol, 4, 1, pair.now(), "both")
            pair.ours.append(both)
            pair.theirs.append(both)
    return pair


@given(exact_ones, left_over, ways, st.integers(0, 9))
def test_planted_causes_are_named_and_leave_no_rest(
    names: list[str], more: list[str], ways: list[str], split_after: int
) -> None:
    # What the snapshot does not show yet is newer than anything that it does show.
    pair = planted([*names, *more], ways, split_after if split_after < len(names) else None)
    explained = pair.explained()
    assume(explained.keys() == pair.expected.keys())  # where several act on one number, they might cancel
    assert {subject: set(one.causes) for subject, one in explained.items()} == dict(pair.expected)
    assert {one.rest for one in explained.values()} <= {0}
    assert all(one.complete for one in explained.values())


@given(exact_ones, ways, st.integers(-(10**9), 10**9).filter(bool), st.sampled_from([BTC_NET, "USDC", "SOL"]))
def test_an_unknown_cause_is_exactly_the_rest(names: list[str], ways: list[str], unknown: int, subject: str) -> None:
    pair = planted(names, ways)
    amount = Decimal(unknown).scaleb(-9)
    pair.wrong[subject] += amount
    pair.expect(Cause.UNEXPLAINED, subject)
    explained = pair.explained()
    assume(explained.keys() == pair.expected.keys())
    assert {one.subject: one.rest for one in explained.values()} == {
        one: amount if one == subject else 0 for one in explained
    }
    assert {one: set(found.causes) for one, found in explained.items()} == dict(pair.expected)
    assert explained[subject].causes[-1] is Cause.UNEXPLAINED
    assert not explained[subject].complete


@given(exact_ones, ways, st.randoms(use_true_random=False))
def test_the_order_in_which_facts_were_found_changes_nothing(names: list[str], ways: list[str], random: object) -> None:
    pair = planted(names, ways)
    before = pair.explained()
    random.shuffle(pair.ours)  # type: ignore[attr-defined]
    random.shuffle(pair.theirs)  # type: ignore[attr-defined]
    after = pair.explained()
    assert {subject: (one.causes, one.rest) for subject, one in before.items()} == {
        subject: (one.causes, one.rest) for subject, one in after.items()
    }
