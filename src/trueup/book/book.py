"""The book of one account: one event in, one match, the state changed.

State is a function of the set of facts and the sequence of decisions (invariant I3). The writer alone calls
:meth:`Book.evolve`; readers get frozen copies. Cash effects do not depend on order and are booked as facts arrive;
what a position realises does, so it is posted as the difference to what was posted before.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import chain
from sys import intern
from typing import Any, ClassVar, cast

import msgspec

from trueup.book.admission import check, check_fills
from trueup.book.breaks import BREAK_EVENTS, BreakEvent, Breaks
from trueup.book.control import STATEMENTS, Control, refuse
from trueup.book.orders import Orders
from trueup.book.position import PositionState
from trueup.book.track import START, Track
from trueup.book.valuation import contract_value
from trueup.book.wallet import NEVER, Wallet
from trueup.model import events as e
from trueup.model.errors import BadInput
from trueup.model.facts import OrderKey, fact_key, only_fills, order_key, position_key
from trueup.model.identifiers import CONTROL, AccountId, PositionKey, Seq
from trueup.model.instruments import Instrument, wallet_currency
from trueup.model.numbers import EXACT, ZERO, exact
from trueup.model.positions import Balance, OpenOrder, Position
from trueup.model.statements import Statement

History = Callable[[], Iterable[tuple[Seq, e.Event]]]
"""Every event of the ledger so far, oldest first, those being committed included."""


class Mark(msgspec.Struct, frozen=True):
    """The newest sampled mark of an instrument."""

    price: Decimal
    venue_time: int
    source: str


class Book:
    """What one account holds.

    Attributes:
        account: Whose book.
        seq: The last event folded.
        instruments: Terms by symbol and version.
        marks: By instrument.
        declarations: Declared trades that venue fills have not superseded entirely, by id.
        matched: How much of each declared trade is superseded, by id.
        claimed: How much of each venue fill superseded declared trades, by fact key.
        quarantined: How many facts were refused a booking so far.
        breaks: What the newest comparison with the venue found, and what became of it.
        control: What programs stated.
        assigned: By whom trades were ordered after all, as somebody said; by position.
        learnt: What answers said of the account itself, by name.
        cursor: Up to where the venue's history is booked; None when it was never pulled.
        latest: Venue time of the newest fact that is not a fill.
        weak_until: Venue time of the newest fill to which the venue gave no id; 0 when each has one.
    """

    def __init__(self, account: AccountId, history: History | None = None) -> None:
        self.account = account
        self.seq = Seq(0)
        self.instruments: dict[str, dict[int, Instrument]] = {}
        self.marks: dict[str, Mark] = {}
        self.declarations: dict[str, e.TradeDeclared] = {}
        self.matched: dict[str, Decimal] = {}
        self.claimed: dict[str, Decimal] = {}
        self.quarantined = 0
        self.assigned: dict[PositionKey, list[e.TradesAssigned]] = {}
        self.learnt: dict[str, str] = {}
        self.cursor: str | None = None
        self.latest = 0
        self.weak_until = 0
        self.orders = Orders()
        self.breaks = Breaks()
        self.control = Control()
        self.tracks: dict[PositionKey, Track] = {}
        self.wallets: dict[str, Wallet] = {}
        self._by_side: defaultdict[str, dict[str, Track]] = defaultdict(dict)  # the same, found faster by a fill
        self.touched: set[Track] = set()
        self.touched_marks: dict[str, Seq] = {}
        self._late: set[Track] = set()
        self._cut_late = False
        self._kept: list[tuple[Seq, e.Event]] | None = [] if history is None else None
        self._history = history if history is not None else self._kept_history

    # --- in -----------------------------------------------------------------------------------------------------------

    def admit(self, event: e.Event) -> None:
        """Refuse what could not be folded, before anything changes.

        Raises:
            UnknownInstrument: A fact about an instrument, or a version of one, that is not defined.
            BadInput: A number that cannot be, an amount without its currency, or an event of another ledger.
            StaleVersion: A statement that was made without knowing the newest one.
        """
        if self.account == CONTROL or type(event) in STATEMENTS or type(event) is e.AllocationChecked:
            refuse(event, self.account, self.control)
        if type(event) in BREAK_EVENTS:
            self.breaks.refuse(cast("BreakEvent", event))
        check(event, self.instruments, self.unmatched)

    def refusals(self, facts: Sequence[e.Fact]) -> dict[int, BadInput]:
        """How :meth:`admit` refuses those of some facts that it does, by their place."""
        if self.account != CONTROL and only_fills(facts):
            return check_fills(facts, self.instruments)
        refused: dict[int, BadInput] = {}
        for place, fact in enumerate(facts):
            try:
                self.admit(fact)
            except BadInput as refusal:
                refused[place] = refusal
        return refused

    def evolve(self, events: Sequence[e.Event], first: Seq) -> None:
        """Fold events ``first``, ``first + 1``, …; all were admitted."""
        if self._kept is not None:
            self._kept.extend((Seq(first + index), event) for index, event in enumerate(events))
        with exact():
            self._fold(cast("Iterable[tuple[Seq, e.Event]]", enumerate(events, first)))
            if self._cut_late:
                self._fold_everything_again()
            if self._late:
                self._refold_late()
        self.seq = Seq(first + len(events) - 1)

    def _fold(self, events: Iterable[tuple[Seq, Any]]) -> None:
        """Book what each event does to the account, then what it does to its position, if it has one."""
        fill, touch = self._fill, self.touched.add
        for seq, event in events:
            self.seq = seq
            track: Track | None
            if type(event) is e.FillBooked:  # by far the most frequent
                track = fill(event)
            else:
                track = self._EVOLVE[type(event)](self, event)
                self.latest = max(self.latest, getattr(event, "venue_time", 0))
            if track is None:
                continue
            touch(track)
            if self.assigned:
                event = self._as_assigned(event)  # noqa: PLW2901 - the same trade, under another name
            if seq > track.seq:  # noqa: PLR1730 - max() costs five times as much, for every fill
                track.seq = seq
            if not track.add(event):
                self._late.add(track)

    def forget_changes(self) -> None:
        """No views follow this book: what they have not been told of need not be kept."""
        self.touched.clear()
        self.touched_marks.clear()
        self.orders.touched.clear()
        self.control.take_rows()

    # --- out ----------------------------------------------------------------------------------------------------------

    def position(self, instrument: str, position_side: str = "net") -> Position | None:
        """A copy of one position; None when no fact ever touched it."""
        track = self.tracks.get((instrument, position_side))
        with exact():
            return track.frozen(self.account) if track is not None else None

    def positions(self) -> dict[PositionKey, Position]:
        """Copies of all positions that any fact ever touched, flat ones included."""
        with exact():
            return {key: track.frozen(self.account) for key, track in self.tracks.items()}

    def balances(self) -> dict[str, Balance]:
        """Copies of all balances."""
        return {name: wallet.frozen(self.account, name, self.seq) for name, wallet in self.wallets.items()}

    def open_orders(self) -> dict[str, OpenOrder]:
        """Copies of all orders that may still trade, by venue order id."""
        return {order: self.orders.frozen(order) for order in self.orders.open}

    def terms(self, symbol: str) -> Instrument | None:
        """The newest version of an instrument's terms."""
        versions = self.instruments.get(symbol)
        return versions[max(versions)] if versions else None

    def unmatched(self, declaration_id: str) -> Decimal:
        """How much of a declared trade venue fills have not superseded; zero when no such declaration is open."""
        declared = self.declarations.get(declaration_id)
        if declared is None:
            return ZERO
        return EXACT.subtract(declared.quantity, self.matched.get(declaration_id, ZERO))

    def newest_fact(self) -> int:
        """Venue time of the newest fact, 0 when there is none."""
        return max(self.latest, *(track.time for track in self.tracks.values()), 0)

    def balance_since(self, currency: str) -> int | None:
        """Venue time of the earliest fact that moved a balance since its opening cut; None when none did."""
        wallet = self.wallets.get(currency)
        if wallet is None:
            return None
        posted = (track.state.posted_since for track in self.tracks.values() if track.wallet is wallet)
        first = min((time for time in posted if time is not None), default=NEVER)
        first = min(first, wallet.since)
        return None if first == NEVER else first

    def as_of_cut(self, venue_time: int) -> Mapping[PositionKey, Decimal]:
        """Signed quantities after all facts up to and including ``venue_time``, later ones taken back."""
        with exact():
            cut: dict[PositionKey, Decimal] = {}
            gone = []
            for key, track in self.tracks.items():
                state = track.at(venue_time)
                if state is None:
                    gone.append(track)
                else:
                    cut[key] = state.quantity
            for track, facts in self.facts_of(gone).items():
                state = track.state.fresh()
                for fact in sorted(facts, key=order_key):
                    if fact.venue_time <= venue_time:
                        state.apply(fact, self.matched)
                cut[track.key] = state.quantity
            return cut

    def facts_of(self, tracks: Sequence[Track]) -> dict[Track, list[e.PositionFact]]:
        """All facts of some positions, from the journal, in the order of their arrival."""
        found: dict[Track, list[e.PositionFact]] = {track: [] for track in tracks}
        if found:
            wanted = {track.key: facts for track, facts in found.items()}
            for _, event in self._history():
                key = position_key(event)
                if key in wanted:
                    wanted[key].append(self._as_assigned(cast("e.PositionFact", event)))
        return found

    # --- facts --------------------------------------------------------------------------------------------------------

    def _as_assigned(self, fact: e.PositionFact) -> e.PositionFact:
        """A trade under the strategy that it was assigned to."""
        if self.assigned and isinstance(fact, e.FillBooked | e.TradeDeclared):
            for said in self.assigned.get((fact.instrument, fact.position_side), ()):
                if fact.strategy == said.of and said.since <= fact.venue_time <= said.until:
                    fact = msgspec.structs.replace(fact, strategy=said.strategy)
        return fact

    def _fill(self, event: e.FillBooked) -> Track:
        track = self._by_side[event.position_side].get(event.instrument)
        if track is None:
            track = self._open_track((event.instrument, event.position_side))
        fee, time = event.fee, event.venue_time
        if fee:
            if event.fee_currency == track.currency:
                wallet = track.cash
            else:
                wallet = self._wallet(event.fee_currency, track.state.instrument.wallet)
            if time >= wallet.cut:
                wallet.fees -= fee
                if time < wallet.since:  # noqa: PLR1730 - min() costs five times as much, for every fill
                    wallet.since = time
        if track.state.spot:
            self._pay_legs(event, event.quantity)
        if event.weak:
            self.weak_until = max(self.weak_until, time)
        if event.settled_amount:
            self._into(event.settled_currency, event.instrument, time).realized += event.settled_amount
        return track

    def _position_fact(self, event: e.PositionFact) -> Track | None:
        key = position_key(event)
        if key is None:  # fees, flags and adjustments may concern the account as a whole
            return None
        return self.tracks.get(key) or self._open_track(key)

    def _fee(self, event: e.FeeCharged) -> Track | None:
        self._into(event.currency, event.instrument, event.venue_time).fees -= event.amount
        return self._position_fact(event)

    def _funding(self, event: e.FundingPaid) -> Track | None:
        self._into(event.currency, event.instrument, event.venue_time).funding += event.amount
        return self._position_fact(event)

    def _transfer(self, event: e.TransferBooked) -> None:
        self._into(event.currency, "", event.venue_time).transfer(event.reason, event.amount)

    def _adjustment(self, event: e.AdjustmentBooked) -> Track | None:
        if event.cash:
            self._into(event.currency, event.instrument, event.venue_time).adjustments += event.cash
        return self._position_fact(event)

    def _declared(self, event: e.TradeDeclared) -> Track | None:
        self.declarations[event.declaration_id] = event
        self._pay_declared(event, event.quantity)
        return self._position_fact(event)

    def _opening_balance(self, event: e.OpeningBalance) -> None:
        known = self.wallets.get(event.currency)
        if known is None:
            self._wallet(event.currency).open_at(event.venue_time, event.amount)
        elif event.venue_time >= known.cut:  # else a later cut already says more
            self._cut_late = True  # what was booked from before the cut has to come out again

    def _instrument(self, event: e.InstrumentDefined) -> None:
        instrument = event.instrument
        self.instruments.setdefault(instrument.symbol, {})[instrument.version] = instrument

    def _order(self, event: e.OrderReported) -> None:
        self.orders.report(event)

    # --- decisions ----------------------------------------------------------------------------------------------------

    def _matched(self, event: e.DeclarationMatched) -> None:
        declared = self.declarations[event.declaration_id]
        total = self.matched.get(event.declaration_id, ZERO) + event.quantity
        self.matched[event.declaration_id] = total
        self.claimed[event.fill_key] = self.claimed.get(event.fill_key, ZERO) + event.quantity
        if total >= declared.quantity:
            del self.declarations[event.declaration_id]
        self._pay_declared(declared, -event.quantity)
        track = self.tracks[(declared.instrument, declared.position_side)]
        track.seq = max(track.seq, self.seq)
        track.fold_again_from(order_key(declared))
        self.touched.add(track)
        self._late.add(track)

    def _assign(self, event: e.TradesAssigned) -> None:
        key = event.instrument, event.position_side
        self.assigned.setdefault(key, []).append(event)
        track = self.tracks.get(key)
        if track is not None:
            track.seq = max(track.seq, self.seq)
            track.fold_again_from(START)
            self.touched.add(track)
            self._late.add(track)

    def _mark(self, event: e.MarkSampled) -> None:
        known = self.marks.get(event.instrument)
        if known is None or known.venue_time <= event.venue_time:
            self.marks[event.instrument] = Mark(event.price, event.venue_time, event.source)
            self.touched_marks[event.instrument] = self.seq

    def _quarantined(self, event: e.Quarantined) -> None:
        del event
        self.quarantined += 1

    def _source(self, event: e.SourceRead) -> None:
        """Provenance moves nothing; what it says of the account is kept."""
        self.learnt.update(event.learnt)

    def _on_record(self, event: e.AllocationChecked | e.ReconciliationsCounted | e.ReportIssued) -> None:
        """It moves nothing; who wants the past of it reads the journal."""

    def _cursor(self, event: e.CursorMoved) -> None:
        self.cursor = event.cursor

    def _compared(self, event: e.Compared) -> None:
        self.breaks.record(event, self.seq)

    def _of_a_break(self, event: BreakEvent) -> None:
        self.breaks.fold(event)

    def _stated(self, event: Statement) -> None:
        self.control.fold(event, self.seq)

    # --- cash ---------------------------------------------------------------------------------------------------------

    def _wallet(self, currency: str, wallet_name: str = "") -> Wallet:
        name = wallet_currency(currency, wallet_name)
        wallet = self.wallets.get(name)
        if wallet is None:
            wallet = self.wallets[name] = Wallet()
        return wallet

    def _into(self, currency: str, symbol: str, time: int) -> Wallet:
        """The wallet a cash fact goes to; one that is thrown away when the fact is inside the opening cut."""
        terms = self.terms(symbol)
        wallet = self._wallet(currency, terms.wallet if terms is not None else "")
        if time < wallet.cut:
            return Wallet()
        wallet.since = min(wallet.since, time)
        return wallet

    def _pay_legs(self, trade: e.FillBooked | e.TradeDeclared, quantity: Decimal) -> None:
        """A spot trade is its two legs: base one way, quote the other. ``quantity`` is how much of it to pay."""
        instrument = self.instruments[trade.instrument][trade.instrument_version]
        base = self._wallet(instrument.base, instrument.wallet)
        quote = self._wallet(instrument.quote, instrument.wallet)
        signed = quantity if trade.side == "buy" else -quantity
        if trade.venue_time >= base.cut:
            base.traded += signed
            base.since = min(base.since, trade.venue_time)
        if trade.venue_time >= quote.cut:
            quote.traded -= contract_value(instrument, signed, trade.price)
            quote.since = min(quote.since, trade.venue_time)

    def _pay_declared(self, declared: e.TradeDeclared, quantity: Decimal) -> None:
        if self.instruments[declared.instrument][declared.instrument_version].kind == "spot":
            self._pay_legs(declared, quantity)

    # --- tracks -------------------------------------------------------------------------------------------------------

    def _open_track(self, key: PositionKey) -> Track:
        versions = self.instruments[key[0]]
        instrument = versions[min(versions)]
        cash, wallet = self.wallets_of(instrument)
        key = instrument.symbol, intern(key[1])  # ten thousand positions need not hold as many copies of a word
        return self.keep(Track(key, PositionState(versions, wallet.cut), (cash, wallet), self.matched))

    def wallets_of(self, instrument: Instrument) -> tuple[Wallet, Wallet]:
        """Which balance pays a position's fees, and which gets what it posts, see :class:`trueup.book.track.Track`."""
        cash = self._wallet(instrument.settle, instrument.wallet)
        return cash, self._wallet(instrument.base, instrument.wallet) if instrument.kind == "spot" else cash

    def keep(self, track: Track) -> Track:
        """A position has begun, or comes out of a snapshot."""
        symbol, position_side = track.key
        self.tracks[track.key] = self._by_side[position_side][symbol] = track
        return track

    # --- late facts ---------------------------------------------------------------------------------------------------

    def _refold_late(self) -> None:
        gone = [track for track in self._late if not track.in_memory]
        histories = self.facts_of(gone)
        for track in self._late:
            track.refold(histories.get(track))
        self._late.clear()

    def _fold_everything_again(self) -> None:
        """A balance's opening cut came after facts that it contains: start over, with the cuts known beforehand."""
        events = list(self._history())
        self.orders, self.control, self.breaks = Orders(), Control(), Breaks()
        self.quarantined, self._cut_late = 0, False
        for state in (
            self.tracks,
            self._by_side,
            self.wallets,
            self.declarations,
            self.matched,
            self.claimed,
            self.assigned,
            self.marks,
        ):
            state.clear()
        self.touched.clear()
        self._late.clear()
        for cut in sorted((event for _, event in events if type(event) is e.OpeningBalance), key=order_key):
            self._wallet(cut.currency).open_at(cut.venue_time, cut.amount)
        facts = sorted((item for item in events if fact_key(item[1]) is not None), key=_key)
        decisions = (item for item in events if fact_key(item[1]) is None)
        self._fold(item for item in chain(facts, decisions) if type(item[1]) is not e.OpeningBalance)

    def _kept_history(self) -> Iterator[tuple[Seq, e.Event]]:
        return iter(self._kept or ())

    _EVOLVE: ClassVar[Mapping[type, Callable[["Book", Any], Track | None]]] = {
        e.FillBooked: _fill,
        e.FeeCharged: _fee,
        e.FundingPaid: _funding,
        e.TransferBooked: _transfer,
        e.LiquidationFlagged: _position_fact,
        e.SplitBooked: _position_fact,
        e.RollBooked: _position_fact,
        e.LeverageSet: _position_fact,
        e.MarginModeSet: _position_fact,
        e.OpeningPosition: _position_fact,
        e.OpeningBalance: _opening_balance,
        e.TradeDeclared: _declared,
        e.AdjustmentBooked: _adjustment,
        e.InstrumentDefined: _instrument,
        e.OrderReported: _order,
        e.DeclarationMatched: _matched,
        e.TradesAssigned: _assign,
        e.MarkSampled: _mark,
        e.Quarantined: _quarantined,
        e.SourceRead: _source,
        e.CursorMoved: _cursor,
        e.AllocationChecked: _on_record,
        e.ReconciliationsCounted: _on_record,
        e.ReportIssued: _on_record,
        e.Compared: _compared,
        **dict.fromkeys(BREAK_EVENTS, _of_a_break),
        **dict.fromkeys(STATEMENTS, _stated),
    }


def _key(item: tuple[Seq, Any]) -> OrderKey:
    return order_key(item[1])
