"""Venue order, any arrival order (invariant I3): the facts of one position, folded as if they had come in order.

A track keeps the state now, the newest facts, and checkpoints of the state before them. A fact that is newer than all
others is folded at once. A late one is put where it belongs and the position is folded again from the checkpoint before
it; when it is older than everything kept, the journal is asked for the position's whole history.
"""

from collections.abc import Iterable, Mapping, Sequence

from trueup.book.holding import Holding
from trueup.book.position import Matched, PositionState
from trueup.book.wallet import Wallet
from trueup.model.events import FillBooked, PositionFact, SplitBooked
from trueup.model.facts import OrderKey, order_key
from trueup.model.identifiers import AccountId, PositionKey, Seq
from trueup.model.positions import Cycle, Position, SubPosition

WINDOW = 64
"""Facts between two checkpoints. Between one and two windows of facts stay in memory: enough for reports that arrive
out of order, little enough for ten thousand positions."""

START: OrderKey = (-1, 0, "")
"""Before every fact."""


class Track:
    """One position through time.

    Attributes:
        key: (instrument, position side).
        state: The position after all facts, but those in ``late``.
        cash: The balance that its fees are paid from, in ``currency``.
        wallet: The balance that what depends on the order of facts is posted to: what derivatives realise, to their
            cash; what splits add to a spot holding, to its coins.
        posted: How much of that was posted; ``posted_unknown`` counts posted closes of unknown P&L.
        log: The newest facts, in venue order.
        seq: Last event of the ledger that touched this position.
        late: Facts that came late and await :meth:`refold`.
        again_from: From where on :meth:`refold` has to fold again; None when it is not due.
        publish_from: The first round trip that the views have not been told of.
        told_from: The same as it was when they were told last; 0 before this track told them anything. They may hold
            round trips all the same, from before a start, so the first thing they are told is from where on to forget.
    """

    __slots__ = (
        "again_from", "base", "base_key", "cash", "currency", "key", "late", "log", "matched", "mid", "posted",
        "posted_unknown", "publish_from", "seq", "state", "told_from", "wallet",
    )  # fmt: skip

    def __init__(
        self,
        key: PositionKey,
        state: PositionState,
        wallets: tuple[Wallet, Wallet],
        matched: Matched,
        base_key: OrderKey = START,
    ) -> None:
        self.key = key
        self.state = state
        self.cash, self.wallet = wallets
        self.currency = state.instrument.settle
        self.posted = state.split_gain if state.spot else state.realized - state.settled
        self.posted_unknown = state.unknown - state.settled_unknown
        self.matched = matched
        self.base = None if base_key == START else state.copy()
        self.base_key = base_key
        self.mid: PositionState | None = None
        self.log: list[PositionFact] = []
        self.late: list[PositionFact] = []
        self.again_from: OrderKey | None = None
        self.seq = Seq(0)
        self.publish_from = state.cycles + 1
        self.told_from = 0

    @property
    def time(self) -> int:
        """Venue time of the newest folded fact."""
        return self.state.updated_at

    @property
    def since(self) -> int | None:
        """Venue time of the earliest fact that says something about the quantity; None when there is none.

        Fills, openings, declared trades, adjustments and splits say something; funding, fees and settings do not.
        """
        return self.state.since

    @property
    def last_key(self) -> OrderKey:
        """Where the newest folded fact stands."""
        return order_key(self.log[-1]) if self.log else self.base_key

    def add(self, fact: PositionFact) -> bool:
        """Fold the next fact; False when it is late and :meth:`refold` is due."""
        state, log = self.state, self.log
        if fact.venue_time <= state.updated_at and order_key(fact) < self.last_key:
            self.late.append(fact)
            self.fold_again_from(order_key(fact))
            return False
        realized, unknown = state.realized, state.unknown
        if type(fact) is FillBooked:  # by far the most frequent
            state.fill(fact)
        else:
            state.apply(fact, self.matched)
            if type(fact) is SplitBooked:
                self._post()
        if state.realized is not realized or state.unknown != unknown:
            self._post()
        log.append(fact)
        if not len(log) % WINDOW and not self.late:
            self._checkpoint()
        return True

    def fold_again_from(self, key: OrderKey) -> None:
        """A fact at ``key`` is new, or means something else now: :meth:`refold` is due."""
        self.again_from = key if self.again_from is None else min(self.again_from, key)

    @property
    def in_memory(self) -> bool:
        """Whether the facts kept go back far enough to fold again."""
        return self.again_from is None or self.again_from > self.base_key

    def refold(self, history: Iterable[PositionFact] | None = None) -> None:
        """Put the late facts where they belong and fold again.

        Args:
            history: All facts of the position, late ones included, in any order; None when those in memory reach
                back far enough.
        """
        if history is None:
            history = (*self.log, *self.late)
        else:
            self.base, self.base_key = None, START
        ended = self.state.closed
        self.state, self.mid, self.log = self._at_base(), None, []
        self.state.closed = [cycle for cycle in ended if cycle.number <= self.state.cycles]
        self.publish_from = min(self.publish_from, self.state.cycles + 1)
        self.late.clear()
        self.again_from = None
        for fact in sorted(history, key=order_key):
            self.add(fact)
        self._post()

    def at(self, venue_time: int) -> PositionState | None:
        """The state after the facts up to and including ``venue_time``; None when they have left memory."""
        if self.time <= venue_time:
            return self.state
        if self.base_key[0] > venue_time:
            return None
        state = self._at_base()
        for fact in self.log:
            if fact.venue_time <= venue_time:
                state.apply(fact, self.matched)
        return state

    @property
    def cycles_changed(self) -> bool:
        """Whether round trips ended, or were found not to have, since the views were told."""
        return bool(self.state.closed) or self.publish_from != self.told_from

    def take_cycles(self) -> tuple[int, Sequence[Cycle]]:
        """Round trips the views have to replace: the first number, and all there are from there on."""
        first, cycles = self.publish_from, self.state.closed
        self.publish_from = self.told_from = self.state.cycles + 1
        self.state.closed = []
        return first, cycles

    def _at_base(self) -> PositionState:
        """A copy of the state before everything in the log."""
        return self.state.fresh() if self.base is None else self.base.copy()

    def _post(self) -> None:
        """Give the balance what was gained since. What spot realises is in the legs it paid by."""
        state, wallet = self.state, self.wallet
        unknown = 0
        if state.spot:
            posted = state.split_gain
            wallet.traded += posted - self.posted
        else:
            posted = state.realized - state.settled if state.settled else state.realized
            unknown = state.unknown - state.settled_unknown
            wallet.realized += posted - self.posted
            wallet.unknown += unknown - self.posted_unknown
        self.posted, self.posted_unknown = posted, unknown
        if state.posted_since is None and (posted or unknown):
            state.posted_since = state.updated_at

    def _checkpoint(self) -> None:
        if self.mid is not None:
            self.base = self.mid
            self.base_key = order_key(self.log[WINDOW - 1])
            del self.log[:WINDOW]
        self.mid = self.state.copy()

    def frozen(self, account: AccountId) -> Position:
        """A copy for readers."""
        state = self.state
        return Position(
            account=account,
            instrument=state.instrument,
            position_side=self.key[1],
            quantity=state.quantity,
            cost=state.cost if state.known else None,
            realized_pnl=state.realized,
            realized_unknown=state.unknown,
            adjusted_pnl=state.adjusted,
            fees=state.fees(state.settle),
            fee_value=state.fee_value,
            funding=state.funding.copy(),
            by_strategy=_strategies(state),
            unconfirmed=state.unconfirmed,
            leverage=state.leverage,
            margin_mode=state.margin_mode,
            opened_at=state.opened_at,
            updated_at=state.updated_at,
            cycles=state.cycles,
            liquidations=state.liquidations,
            seq=self.seq,
        )


def _strategies(state: PositionState) -> dict[str, SubPosition]:
    if state.parts is None:
        parts: Mapping[str, Holding] = {} if state.strategy is None else {state.strategy: state}
    else:
        parts = state.parts
    return {
        strategy: SubPosition(
            quantity=part.quantity,
            cost=part.cost if part.known else None,
            realized_pnl=part.realized,
            fees=part.fees(state.settle),
            strategy_cost=part.cost + part.carried if part.known else None,
            realized_unknown=part.unknown,
        )
        for strategy, part in parts.items()
    }
