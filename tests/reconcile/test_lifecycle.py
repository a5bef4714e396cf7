"""The life of a break: legal steps only, what each asks for, ageing and escalation, and what comparisons do to it."""

from collections.abc import Mapping
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.reconcile.pair import ACCOUNT, BTC_NET
from trueup.book.breaks import KEPT_NS, Breaks
from trueup.book.lifecycle import BY_A_PERSON, ENDED, NOTE_LENGTH_MAX, NOTES_MAX, TRANSITIONS, BreakRecord, moved
from trueup.model.breaks import BreakKey, Share, State, Step
from trueup.model.differences import Difference, Kind, Severity, Status
from trueup.model.errors import BadInput
from trueup.model.events import BreakMoved
from trueup.model.times import NS_PER_SECOND
from trueup.reconcile.ageing import Age, age, level_due
from trueup.reconcile.explain.causes import Cause, Explanation, Part
from trueup.reconcile.following import Finding, follow
from trueup.reconcile.persistence import IN_FLIGHT_NS_MAX, Sighting

D = Decimal
KEY: BreakKey = (BTC_NET, "QTY")


def record(state: State = State.DETECTED, **fields: object) -> BreakRecord:
    return replace(BreakRecord(key=KEY, state=state, detected_at=0, moved_at=0, kind="QTY"), **fields)


def move(step: Step, **fields: object) -> BreakMoved:
    """A step with all that any step may ask for."""
    whole = BreakMoved(ACCOUNT, *KEY, step, 5, "alice", "n", "bob", "FUNDING", ("funding|1",), 9)
    return replace(whole, **fields)


# --- the table --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("step", Step)
def test_only_the_steps_of_the_table_are_possible(state: State, step: Step) -> None:
    if (state, step) in TRANSITIONS:
        assert moved(record(state), move(step)).state is TRANSITIONS[state, step]
    else:
        with pytest.raises(BadInput, match=f"the break is {state}"):
            moved(record(state), move(step))


@pytest.mark.parametrize("step", Step)
def test_a_break_begins_by_being_seen_and_by_nothing_else(step: Step) -> None:
    if step is Step.DETECT:
        assert moved(None, move(step)).state is State.DETECTED
    else:
        with pytest.raises(BadInput, match="nobody has seen this break"):
            moved(None, move(step))


def test_a_step_of_a_newer_version_is_refused() -> None:
    with pytest.raises(BadInput, match="the break is OPEN"):
        moved(record(State.OPEN), replace(move(Step.NOTE), step="TELEPORT"))


def test_every_state_is_reached_and_every_end_can_come_back() -> None:
    reached: set[State | None] = {None}
    for _ in (*State, None):
        reached |= {to for (at, _), to in TRANSITIONS.items() if at in reached}
    assert reached == {None, *State}
    assert {at for at, step in TRANSITIONS if step is Step.RECUR} == ENDED
    assert not {step for at, step in TRANSITIONS if at in ENDED} - {Step.RECUR}


def test_the_whole_way_by_hand() -> None:
    way = (Step.CONFIRM, Step.OPEN, Step.ACKNOWLEDGE, Step.INVESTIGATE, Step.RESOLVE)
    stands = record()
    for at, step in enumerate(way, 1):
        stands = moved(
            stands, BreakMoved(ACCOUNT, *KEY, step, at, by="alice", cause="FUNDING", evidence=("funding|1",))
        )
    assert (stands.state, stands.owner, stands.moved_at) == (State.RESOLVED, "alice", 5)
    assert (stands.cause, stands.evidence, stands.ended) == ("FUNDING", ("funding|1",), True)
    again = moved(replace(stands, level=3), BreakMoved(ACCOUNT, *KEY, Step.RECUR, 9))
    assert (again.state, again.recurrences, again.detected_at) == (State.DETECTED, 1, 9)
    assert (again.cause, again.evidence, again.level, again.owner) == ("", (), 0, "alice")


@given(st.lists(st.sampled_from(Step), max_size=30))
def test_no_sequence_of_steps_leaves_the_table(steps: list[Step]) -> None:
    stands = record()
    for at, step in enumerate(steps, 1):
        if (stands.state, step) in TRANSITIONS:
            before, stands = stands, moved(stands, move(step, at=at, level=at))
            assert stands.state is TRANSITIONS[before.state, step]
            assert stands.recurrences == before.recurrences + (step is Step.RECUR)
            assert (stands.moved_at == at) is (before.state is not stands.state)


# --- what steps ask for -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sentence", "state", "step", "fields"),
    [
        *(("no name", State.ACKNOWLEDGED, step, {"by": ""}) for step in sorted(BY_A_PERSON - {Step.ACKNOWLEDGE})),
        ("no name", State.OPEN, Step.ACKNOWLEDGE, {"by": ""}),
        ("no cause", State.OPEN, Step.RESOLVE, {"cause": ""}),
        ("no evidence", State.OPEN, Step.RESOLVE, {"evidence": ()}),
        ("no rule", State.OPEN, Step.AUTO_RESOLVE, {"by": ""}),
        ("no cause", State.OPEN, Step.AUTO_RESOLVE, {"cause": ""}),
        ("no owner", State.OPEN, Step.ASSIGN, {"owner": ""}),
        ("no text", State.OPEN, Step.NOTE, {"note": ""}),
        ("too long", State.OPEN, Step.NOTE, {"note": "n" * (NOTE_LENGTH_MAX + 1)}),
        ("no higher", State.OPEN, Step.ESCALATE, {"level": 2}),
    ],
)
def test_what_a_step_lacks_is_refused(sentence: str, state: State, step: Step, fields: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        moved(record(state, level=2), move(step, **fields))
    assert moved(record(state, level=2), move(step)).key == KEY, sentence


def test_notes_are_kept_with_their_authors_and_bounded() -> None:
    stands = moved(record(), move(Step.NOTE, by="alice", note="asked the venue"))
    assert stands.notes == ("alice: asked the venue",)
    with pytest.raises(BadInput, match=str(NOTES_MAX)):
        moved(record(notes=("a: b",) * NOTES_MAX), move(Step.NOTE))


# --- ageing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "bucket"),
    [
        (0, Age.UNDER_A_MINUTE),
        (59, Age.UNDER_A_MINUTE),
        (60, Age.UNDER_FIVE_MINUTES),
        (299, Age.UNDER_FIVE_MINUTES),
        (300, Age.UNDER_AN_HOUR),
        (3_599, Age.UNDER_AN_HOUR),
        (3_600, Age.UNDER_A_DAY),
        (86_399, Age.UNDER_A_DAY),
        (86_400, Age.A_DAY_OR_MORE),
    ],
)
def test_age_buckets(seconds: int, bucket: Age) -> None:
    assert age(record(), seconds * NS_PER_SECOND) is bucket
    assert level_due(record(), D(0), (), seconds * NS_PER_SECOND) == bucket


def test_what_ended_grows_no_older_and_asks_for_no_one() -> None:
    over = record(State.RESOLVED, moved_at=61 * NS_PER_SECOND)
    assert age(over, 10**18) is Age.UNDER_FIVE_MINUTES
    assert level_due(over, None, (D(1),), 10**18) == 0


@pytest.mark.parametrize(("exposure", "level"), [("0", 0), ("999", 0), ("1000", 1), ("5000", 2), (None, 2)])
def test_escalation_by_exposure(exposure: str | None, level: int) -> None:
    worth = None if exposure is None else D(exposure)
    assert level_due(record(), worth, (D(1000), D(5000)), 1) == level


def test_bounds_that_do_not_ascend_are_refused() -> None:
    with pytest.raises(BadInput):
        level_due(record(), D(1), (D(2), D(2)), 1)


# --- what comparisons do ----------------------------------------------------------------------------------------------


def found(kind: Kind = Kind.QTY, status: Status = Status.DRIFT) -> Difference:
    return Difference(kind, Severity.HIGH, status, ACCOUNT, BTC_NET, "1", None, "2", D(1), "venue holds 1 more")


WHY = Explanation(BTC_NET, "QTY", D(1), (Part(Cause.FUNDING, D(1), ("funding|1",), "w"),), D(0))


class Watched:
    """Comparisons one after another, five seconds and a cut apart, folded as a book does."""

    def __init__(self) -> None:
        self.known = Breaks()
        self.sightings: Mapping[BreakKey, Sighting] = {}
        self.moves: list[str] = []
        self.now = 0

    @property
    def breaks(self) -> dict[BreakKey, BreakRecord]:
        return self.known.records

    def look(
        self, *differences: Difference, seconds: int = 5, looked_at: bool = True, booked: bool = False
    ) -> State | None:
        self.now += seconds * NS_PER_SECOND
        followed = follow(
            ACCOUNT,
            self.known.known(self.now),
            self.sightings,
            [Finding(one, WHY, D(100)) for one in differences],
            cut=self.now,
            now=self.now,
            looked_at=lambda key: looked_at,
            booked={KEY: ("FILL_MISSING", ("fill|7",))} if booked else None,
        )
        for one in followed.moves:
            self.known.refuse(one)
            self.known.fold(one)
        self.sightings = followed.sightings
        self.moves += [one.step for one in followed.moves]
        return self.breaks[KEY].state if self.breaks else None

    def start_again(self) -> None:
        """Sightings do not outlive the process."""
        self.sightings = {}


def test_what_lasts_is_confirmed_and_what_goes_before_was_timing() -> None:
    watched = Watched()
    assert watched.look(found()) is State.DETECTED
    assert watched.look(found()) is State.CONFIRMED
    other = Watched()
    other.look(found())
    assert other.look() is State.EXPIRED_TIMING


def test_what_is_not_looked_at_neither_ends_nor_lasts() -> None:
    watched = Watched()
    watched.look(found())
    assert watched.look(looked_at=False) is State.DETECTED
    watched.look(found())
    assert watched.look(looked_at=False) is State.CONFIRMED
    assert watched.look() is State.AUTO_RESOLVED


def test_what_was_booked_for_it_is_the_cause_of_its_end() -> None:
    watched = Watched()
    watched.look(found())
    assert watched.look(booked=True) is State.AUTO_RESOLVED
    assert (watched.breaks[KEY].cause, watched.breaks[KEY].evidence) == ("FILL_MISSING", ("fill|7",))


def test_one_that_agrees_again_by_itself_says_that_nobody_knows_why() -> None:
    watched = Watched()
    watched.look(found())
    watched.look(found())
    watched.look()
    assert watched.breaks[KEY].cause == "UNEXPLAINED"


def test_the_wrong_side_is_confirmed_at_once() -> None:
    assert Watched().look(found(Kind.SIDE)) is State.CONFIRMED


def test_the_wrong_side_that_comes_back_is_confirmed_at_once() -> None:
    watched = Watched()
    watched.look(found(Kind.SIDE))
    watched.look()
    assert watched.look(found(Kind.SIDE)) is State.CONFIRMED
    assert watched.moves == ["DETECT", "CONFIRM", "AUTO_RESOLVE", "RECUR", "CONFIRM"]


def test_a_quantity_that_turns_into_the_wrong_side_is_the_same_break() -> None:
    watched = Watched()
    watched.look(found())
    assert watched.look(found(Kind.MISSING_THEIRS)) is State.CONFIRMED
    assert len(watched.breaks) == 1
    assert watched.breaks[KEY].kind == "MISSING_THEIRS"


def test_what_waits_too_long_is_confirmed() -> None:
    watched = Watched()
    assert watched.look(found(status=Status.PENDING)) is State.DETECTED
    assert watched.look(found(status=Status.PENDING)) is State.DETECTED
    seconds = IN_FLIGHT_NS_MAX // NS_PER_SECOND
    assert watched.look(found(status=Status.PENDING), seconds=seconds) is State.CONFIRMED


@pytest.mark.parametrize("status", [Status.FAILED, Status.SYNCED])
def test_what_could_not_be_compared_is_no_break(status: Status) -> None:
    assert Watched().look(found(status=status)) is None


def test_it_comes_back_within_a_day_as_the_same_break_and_later_as_another() -> None:
    watched = Watched()
    watched.look(found())
    watched.look()
    assert watched.look(found()) is State.DETECTED
    assert watched.breaks[KEY].recurrences == 1
    watched.look()
    day = KEPT_NS // NS_PER_SECOND
    assert watched.look(found(), seconds=day + 1) is State.DETECTED
    assert watched.breaks[KEY].recurrences == 0


def test_an_open_break_is_not_confirmed_again_and_the_same_is_no_news() -> None:
    watched = Watched()
    for _ in range(5):
        watched.look(found())
    assert watched.moves == ["DETECT", "CONFIRM"]


def test_it_is_kept_as_what_it_shows() -> None:
    watched = Watched()
    watched.look(found())
    shows = watched.breaks[KEY]
    assert (shows.kind, shows.severity) == ("QTY", "HIGH")
    assert (shows.difference, shows.rest, shows.worth) == (D(1), D(0), D(100))
    assert shows.why == (Share("FUNDING", D(1), ("funding|1",), "w"),)
    watched.look(replace(found(), difference=D(3), severity=Severity.CRITICAL))
    assert watched.moves == ["DETECT", "CHANGE"]  # another amount may be another fill that is late
    shows = watched.breaks[KEY]
    assert (shows.severity, shows.difference) == ("CRITICAL", D(3))


def test_a_start_counts_cuts_anew_and_age_on() -> None:
    watched = Watched()
    watched.look(found())
    watched.start_again()
    assert watched.look(found()) is State.DETECTED
    assert watched.look(found()) is State.CONFIRMED
    waits = Watched()
    waits.look(found(status=Status.PENDING))
    waits.start_again()
    seconds = IN_FLIGHT_NS_MAX // NS_PER_SECOND + 1
    assert waits.look(found(status=Status.PENDING), seconds=seconds) is State.CONFIRMED


sightings = st.lists(
    st.tuples(st.sampled_from([None, Status.DRIFT, Status.PENDING]), st.booleans(), st.booleans()), max_size=20
)


@given(sightings)
def test_the_moves_of_a_break_replayed_lead_to_where_it_stands(looks: list[tuple[Status | None, bool, bool]]) -> None:
    watched = Watched()
    for status, looked_at, booked in looks:
        before = watched.breaks.get(KEY)
        count = len(watched.moves)
        watched.look(*([found(status=status)] if status else []), looked_at=looked_at, booked=booked)
        after = watched.breaks.get(KEY)
        state = None if before is None else before.state
        for step in watched.moves[count:]:
            state = TRANSITIONS[state, Step(step)]
        if after is not None:
            assert after.state is state
            assert status is None or not after.ended
