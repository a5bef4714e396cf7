"""Our book and the venue's, both folded from facts, so that what differs between them is what was planted.

Both begin with the same facts. A plant puts a cause into one of the two histories, or into how the venue answers; its
size is all its own, so that no two plants cancel each other.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from decimal import Decimal

from msgspec.structs import replace

from trueup.book.book import Book
from trueup.model import events as e
from trueup.model.differences import Comparison, Difference, VenuePosition, VenueSnapshot
from trueup.model.facts import fact_key
from trueup.model.identifiers import AccountId, Seq
from trueup.model.instruments import Instrument
from trueup.model.numbers import ZERO, exact
from trueup.model.times import NS_PER_SECOND
from trueup.reconcile.compare import compare
from trueup.reconcile.explain.causes import Cause, Explanation
from trueup.reconcile.explain.evidence import Evidence, OrderInFlight, sift
from trueup.reconcile.explain.explaining import explain
from trueup.reconcile.state import OurState
from trueup.reconcile.tolerance import Tolerance, Tolerances

D = Decimal
ACCOUNT = AccountId("paper:pair")
BTC = Instrument("BTC/USDC:USDC", "BTC", "linear", "BTC", "USDC", "USDC")
ETH = Instrument("ETH/USDC:USDC", "ETH", "linear", "ETH", "USDC", "USDC")
SOL = Instrument("SOL/USDC", "SOL/USDC", "spot", "SOL", "USDC", "USDC")
BTC_NET, ETH_NET = f"{BTC.symbol} net", f"{ETH.symbol} net"
CUT = 1_000 * NS_PER_SECOND
ZERO_TOLERANCE = Tolerances(cash=Tolerance(), coin=Tolerance())
OWN = "our-order"


class Pair:
    """Two histories, how the venue answers, and what ought to be found.

    Attributes:
        ours, theirs: Facts after the definitions.
        wrong: By subject, what the venue's answer states beyond what it holds.
        expected: By subject, the planted causes.
        evidence: What the evidence says beside the two histories.
    """

    def __init__(self) -> None:
        self.time = 0
        self.ids = 0
        begin: list[e.Fact] = [
            e.TransferBooked(ACCOUNT, D(100_000), "USDC", self.now(), self.id()),
            self.trade(BTC, "buy", D(64)),
            self.trade(ETH, "sell", D(8)),
            self.trade(SOL, "buy", D(512)),
        ]
        self.ours: list[e.Fact] = begin.copy()
        self.theirs: list[e.Fact] = begin.copy()
        self.wrong: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
        self.expected: defaultdict[str, set[Cause]] = defaultdict(set)
        self.evidence = Evidence(instruments={one.symbol: one for one in (BTC, ETH, SOL)}, cut=CUT)

    def now(self) -> int:
        self.time += NS_PER_SECOND
        return self.time

    def id(self) -> str:
        self.ids += 1
        return str(self.ids)

    def trade(self, instrument: Instrument, side: str, quantity: Decimal, **more: object) -> e.FillBooked:
        """A fill whose P&L the venue states, so that its cash is known without the position."""
        fields = {
            "fee": ZERO,
            "fee_currency": "USDC",
            "venue_time": self.now(),
            "venue_trade_id": self.id(),
            "venue_order_id": OWN,
            "settled_amount": None if instrument.kind == "spot" else ZERO,
            "settled_currency": "USDC",
            **more,
        }
        return e.FillBooked(ACCOUNT, instrument.symbol, "net", side, quantity, D("99.97"), **fields)  # type: ignore[arg-type]

    def expect(self, cause: Cause, *subjects: str) -> None:
        for subject in subjects:
            self.expected[subject].add(cause)

    # --- planting -----------------------------------------------------------------------------------------------------

    def lacks(self, fact: e.Fact, cause: Cause, *subjects: str) -> None:
        """The venue has a fact that we lack."""
        self.theirs.append(fact)
        self.expect(cause, *subjects)

    def has(self, fact: e.Fact, cause: Cause, *subjects: str) -> None:
        """We have a fact that the venue lacks."""
        self.ours.append(fact)
        self.expect(cause, *subjects)

    # --- looking ------------------------------------------------------------------------------------------------------

    def look(self) -> Comparison:
        ours, theirs = fold(self.ours), fold(self.theirs)
        positions = {
            key: VenuePosition(*key, held.quantity + self.wrong[" ".join(key)])
            for key, held in theirs.positions().items()
            if held.instrument.kind != "spot"
        }
        with exact():
            balances = {name: held.known + self.wrong[name] for name, held in theirs.balances().items()}
        snapshot = VenueSnapshot(ACCOUNT, CUT, positions={k: p for k, p in positions.items() if p.quantity})
        return compare(side(ours), None, replace(snapshot, balances=balances), ZERO_TOLERANCE)

    def explained(self) -> Mapping[str, Explanation]:
        """What is said of each difference of a quantity or a balance."""
        found: list[Difference] = [one for one in self.look().differences if one.difference is not None]
        shown = [*self.theirs, *self.evidence.recent]
        known = [fact for fact in self.ours if fact not in self.evidence.after_cut]
        evidence = replace(self.evidence, facts=sift(known, shown), own_orders=frozenset({OWN}))
        return {one.subject: one for one in explain(found, evidence)}


def fold(facts: list[e.Fact]) -> Book:
    """A book of these facts; the same fact twice is booked once."""
    book = Book(ACCOUNT)
    definitions: list[e.Fact] = [e.InstrumentDefined(ACCOUNT, one) for one in (BTC, ETH, SOL)]
    events = list({fact_key(fact): fact for fact in [*definitions, *facts]}.values())
    book.evolve(events, Seq(1))
    return book


def side(book: Book) -> OurState:
    """A book as a side of a comparison."""
    terms = {symbol: versions[max(versions)] for symbol, versions in book.instruments.items()}
    return OurState(book.account, book.seq, book.positions(), book.balances(), book.open_orders(), terms)


Plant = Callable[[Pair, Decimal, str], None]
"""Puts a cause of this size into a pair, buying or selling where that makes a difference."""


def _fill(cause: Cause, **more: object) -> Plant:
    def plant(pair: Pair, size: Decimal, way: str) -> None:
        pair.lacks(pair.trade(BTC, way, size, **more), cause, BTC_NET)

    return plant


def _transfer(cause: Cause, reason: str) -> Plant:
    def plant(pair: Pair, size: Decimal, way: str) -> None:
        amount = size if way == "buy" else -size
        pair.lacks(e.TransferBooked(ACCOUNT, amount, "USDC", pair.now(), pair.id(), reason), cause, "USDC")

    return plant


def spot_fill(pair: Pair, size: Decimal, way: str) -> None:
    pair.lacks(pair.trade(SOL, way, size, fee=size / 1024, fee_currency="SOL"), Cause.FILL_MISSING, "SOL", "USDC")


def extra_fill(pair: Pair, size: Decimal, way: str) -> None:
    pair.has(pair.trade(BTC, way, size), Cause.FILL_EXTRA, BTC_NET)


def doubled_fill(pair: Pair, size: Decimal, way: str) -> None:
    fill = pair.trade(BTC, way, size)
    pair.ours.append(fill)
    pair.theirs.append(fill)
    pair.has(replace(fill, venue_trade_id=f"again-{fill.venue_trade_id}"), Cause.DUPLICATE, BTC_NET)


def other_size(pair: Pair, size: Decimal, way: str) -> None:
    fill = pair.trade(BTC, way, D(512))
    pair.theirs.append(replace(fill, quantity=fill.quantity + size))
    pair.has(fill, Cause.FILL_TERMS, BTC_NET)


def fee_in_kind(pair: Pair, size: Decimal, way: str) -> None:
    fill = pair.trade(SOL, way, D(512), fee_currency="SOL")
    pair.theirs.append(replace(fill, fee=size))
    pair.has(fill, Cause.FEE, "SOL")


def fee_apart(pair: Pair, size: Decimal, way: str) -> None:
    pair.lacks(e.FeeCharged(ACCOUNT, size, "USDC", pair.now(), pair.id()), Cause.FEE, "USDC")


def funding(pair: Pair, size: Decimal, way: str) -> None:
    amount = size if way == "buy" else -size
    fact = e.FundingPaid(ACCOUNT, BTC.symbol, amount, "USDC", pair.now(), pair.id())
    pair.lacks(fact, Cause.FUNDING, "USDC")


def split(pair: Pair, size: Decimal, way: str) -> None:
    """Of the instrument that has no other plants before it, four for one."""
    fact = e.SplitBooked(ACCOUNT, ETH.symbol, 4, 1, pair.now(), pair.id())
    held = (
        fold([one for one in pair.ours if one not in pair.evidence.after_cut]).positions()[ETH.symbol, "net"].quantity
    )
    pair.evidence = replace(pair.evidence, held={fact_key(fact) or "": held})
    pair.lacks(fact, Cause.SPLIT, ETH_NET)


def roll(pair: Pair, size: Decimal, way: str) -> None:
    price = D("101.5")
    basis = D(99)
    fact = e.RollBooked(ACCOUNT, pair.id(), BTC.symbol, ETH.symbol, "s", size, price, price, basis, pair.now())
    pair.theirs.append(fact)
    pair.lacks(replace(pair.trade(BTC, "sell", size), price=price), Cause.ROLL, BTC_NET)


def just_filled(pair: Pair, size: Decimal, way: str) -> None:
    """The venue reports an order filled and holds the position; neither side's history has the fill."""
    signed = size if way == "buy" else -size
    pair.wrong[BTC_NET] += signed
    order = OrderInFlight(pair.id(), BTC_NET, reported=signed)
    pair.evidence = replace(pair.evidence, orders=(*pair.evidence.orders, order))
    pair.expect(Cause.IN_FLIGHT, BTC_NET)


def after_the_cut(pair: Pair, size: Decimal, way: str) -> None:
    fill = pair.trade(BTC, way, size, venue_time=CUT + 1)
    pair.evidence = replace(pair.evidence, after_cut=(*pair.evidence.after_cut, fill))
    pair.has(fill, Cause.STALE_SOURCE, BTC_NET)


EXACT: Mapping[str, Plant] = {
    "missing fill": _fill(Cause.FILL_MISSING),
    "another missing fill": _fill(Cause.FILL_MISSING),
    "liquidation": _fill(Cause.LIQUIDATION, liquidation="liquidation"),
    "adl": _fill(Cause.ADL, liquidation="ADL"),
    "assignment": _fill(Cause.ASSIGNMENT, liquidation="assignment"),
    "foreign trade": _fill(Cause.FOREIGN_TRADE, venue_order_id="elsewhere"),
    "missing spot fill": spot_fill,
    "extra fill": extra_fill,
    "doubled fill": doubled_fill,
    "other size": other_size,
    "fee in kind": fee_in_kind,
    "fee apart": fee_apart,
    "dust": _transfer(Cause.DUST, "dust"),
    "interest": _transfer(Cause.INTEREST, "interest"),
    "deposit": _transfer(Cause.TRANSFER, "deposit"),
    "sub-account": _transfer(Cause.TRANSFER, "internal"),
    "funding": funding,
    "split": split,
    "roll": roll,
    "just filled": just_filled,
    "after the cut": after_the_cut,
}
"""Causes whose evidence gives their amount."""


def late(pair: Pair, size: Decimal, way: str) -> None:
    """The venue's history has our newest fill, its snapshot does not."""
    fill = pair.trade(BTC, way, size)
    pair.evidence = replace(pair.evidence, recent=(fill,))
    pair.has(fill, Cause.VENUE_LATE, BTC_NET)


def rounding(pair: Pair, size: Decimal, way: str) -> None:
    amount = D("0.00001") if way == "buy" else D("-0.00001")
    pair.wrong["USDC"] += amount
    pair.evidence = replace(pair.evidence, rounding={"USDC": D("0.00001")})
    pair.expect(Cause.ROUNDING, "USDC")


LEFT_OVER: Mapping[str, Plant] = {"late": late, "rounding": rounding}
"""Causes that take what is left over."""
