"""A comparison with its explanations: the book at the venue's cut, held against the venue, each difference put down.

Nothing is booked here, and nobody is asked: the venue's answers are given.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from trueup.book.book import Book
from trueup.engine.histories import History, evidence, later_than
from trueup.engine.ledger import Ledger
from trueup.engine.reconciling import book_side, database_side
from trueup.engine.store import Store
from trueup.model import events as e
from trueup.model.breaks import BreakKey
from trueup.model.differences import Comparison, Difference, Kind, Side3, Status, VenueSnapshot
from trueup.model.identifiers import PositionKey, Seq
from trueup.model.instruments import Instrument
from trueup.model.numbers import ZERO, exact
from trueup.reconcile.compare import compare
from trueup.reconcile.cut import at_cut
from trueup.reconcile.explain.evidence import Evidence
from trueup.reconcile.explain.explaining import explain
from trueup.reconcile.explain.taxonomy import OF_AMOUNTS, OF_KIND
from trueup.reconcile.findings import worst
from trueup.reconcile.following import Finding, break_key
from trueup.reconcile.in_flight import waiting
from trueup.reconcile.protection import unprotected
from trueup.reconcile.state import OurState
from trueup.reconcile.tolerance import DEFAULTS, Tolerances, exposure

_OF_ORDERS = frozenset({Kind.ORPHAN_ORDER, Kind.ORDER_MISSING, Kind.ORDER_STATE})
_UNSAID = {Kind.CASH.value: "balance of", Kind.LEVERAGE.value: "leverage of", Kind.MARGIN_MODE.value: "margin mode of"}
"""How a comparison names what one side did not say, by sort of break."""

_NO_MONEY = frozenset({Kind.LEVERAGE, Kind.MARGIN_MODE, Kind.AVG_PX})
"""What differs without anything more or less being held."""

_OF_DATABASE = frozenset({Kind.MEMORY_DATABASE, Kind.VIEW_LAG})


class Judged(msgspec.Struct, frozen=True):
    """A comparison and what its differences are put down to.

    Attributes:
        seq: Of the book that was compared.
        missing: The venue's facts that the book lacks, as far as its history was read.
        prices: Our and the venue's average entry, by position as differences name it.
        looked_at: Whether the subject of a break was compared.
    """

    comparison: Comparison
    findings: Sequence[Finding]
    seq: Seq
    missing: Sequence[e.Fact]
    instruments: Mapping[str, Instrument]
    prices: Mapping[str, tuple[Decimal | None, Decimal | None]]
    looked_at: Callable[[BreakKey], bool]

    @property
    def worth_reading(self) -> bool:
        """Whether the venue's history may tell more than is known: an amount that nothing accounts for entirely."""
        return any(
            one.found.status is Status.DRIFT and OF_KIND[one.found.kind] is OF_AMOUNTS and not one.why.complete
            for one in self.findings
        )


def judge(
    store: Store,
    ledger: Ledger,
    theirs: VenueSnapshot,
    ours: Sequence[e.Fact],
    history: History | None,
    *,
    whole: bool = True,
    defined: Mapping[str, Instrument] | None = None,
    marks: Mapping[str, Decimal] | None = None,
    stops_required: Collection[str] | None = (),
    tolerances: Tolerances = DEFAULTS,
) -> Judged:
    """Compare an account with its venue at the venue's cut, and explain what differs.

    Args:
        store: With the views of the account.
        ledger: Of the account.
        theirs: The venue's answer.
        ours: Our facts since before the history begins, or of the last minutes without one.
        history: The venue's, where it was read.
        whole: Whether the views are asked too, which may have to catch up first, and rows are made for people.
        defined: Terms of instruments that the book does not know.
        marks: What the venue's earlier answers stated, for positions that it no longer does.
        stops_required: Instruments whose positions need a resting stop; None for all.
        tolerances: How far numbers may lie apart.
    """
    later = later_than(ours, theirs.cut)
    database = database_side(store, ledger.account) if whole and not later else None
    state, quantities = ledger.read(lambda book: (book_side(book, defined), _quantities(book, theirs.cut, later)))
    state = replace(state, marks={**state.marks, **(marks or {})})
    shown = at_cut(state, quantities, later) if later else state
    comparison = compare(shown, database, theirs, tolerances, table=whole, now=store.clock.now())
    required = state.instruments if stops_required is None else stops_required
    differences = (*comparison.differences, *unprotected(theirs, required))
    known = Evidence()
    if differences or history is not None:
        known = evidence(ledger, theirs, state.instruments, ours, history, _positions(differences))
    explained = explain(differences, known)
    differences = waiting(differences, explained)
    return Judged(
        _with(comparison, differences, later if whole else ()),
        [Finding(one, why, _worth(one, state, theirs)) for one, why in zip(differences, explained, strict=True)],
        state.seq,
        known.facts.missing,
        state.instruments,
        _prices(shown, theirs, differences),
        _looked_at(comparison, theirs, with_database=database is not None and not database.failed),
    )


def _quantities(book: Book, cut: int | None, later: Sequence[e.Fact]) -> Mapping[PositionKey, Decimal]:
    return book.as_of_cut(cut) if later and cut is not None else {}


def _positions(differences: Sequence[Difference]) -> list[PositionKey]:
    """The positions that amounts differ of."""
    subjects = {one.subject for one in differences if OF_KIND[one.kind] is OF_AMOUNTS and one.kind is not Kind.CASH}
    return [(symbol, side) for symbol, _, side in (subject.rpartition(" ") for subject in subjects)]


def _with(comparison: Comparison, differences: tuple[Difference, ...], later: Sequence[e.Fact]) -> Comparison:
    """The comparison with its differences as they stand now that it is known what time explains."""
    settled = {one.subject for one in differences if one.status is Status.PENDING}
    unsettled = {one.subject for one in differences if one.status is not Status.PENDING}
    passing = settled - unsettled
    return replace(
        comparison,
        differences=differences,
        status=worst([one.status for one in differences]),
        rows=tuple(_row(row, passing) for row in comparison.rows) if passing else comparison.rows,
        not_compared=(*comparison.not_compared, *(("database: the account traded after the cut",) if later else ())),
    )


def _row(row: Side3, passing: Collection[str]) -> Side3:
    return replace(row, status=Status.PENDING) if row.status is Status.DRIFT and row.subject in passing else row


def _prices(
    shown: OurState, theirs: VenueSnapshot, differences: Sequence[Difference]
) -> Mapping[str, tuple[Decimal | None, Decimal | None]]:
    stated = theirs.positions or {}
    found = {}
    for key in _positions(differences):
        held, there = shown.positions.get(key), stated.get(key)
        found[" ".join(key)] = (
            None if held is None else held.entry_price,
            None if there is None else there.entry_price,
        )
    return found


def _worth(found: Difference, state: OurState, theirs: VenueSnapshot) -> Decimal | None:
    """What a difference is worth, in the currency that its instrument is quoted in; None when unknown."""
    if found.kind in _NO_MONEY:
        return ZERO
    if found.difference is None:
        return None
    with exact():
        if found.kind is Kind.CASH:
            return _worth_of_cash(found.subject, found.difference, state)
        symbol, _, side = found.subject.rpartition(" ")
        stated = (theirs.positions or {}).get((symbol, side))
        mark = state.marks.get(symbol) if stated is None or stated.mark_price is None else stated.mark_price
        return exposure(state.instruments.get(symbol), found.difference, mark)


def _worth_of_cash(name: str, amount: Decimal, state: OurState) -> Decimal | None:
    """Money is worth itself, a coin what a market of it says, spot before contracts; else it is unknown."""
    currency, terms = name.partition("@")[0], state.instruments.values()
    if any(one.settle == currency for one in terms if one.kind == "linear"):
        return abs(amount)
    markets = sorted((one.kind != "spot", one.symbol) for one in terms if one.base == currency)
    if not markets:
        return abs(amount) if any(one.quote == currency for one in terms) else None
    mark = next((state.marks[symbol] for _, symbol in markets if symbol in state.marks), None)
    return None if mark is None else abs(amount) * mark


def _looked_at(comparison: Comparison, theirs: VenueSnapshot, *, with_database: bool) -> Callable[[BreakKey], bool]:
    """Whether the subject of a break was compared, so that not finding it says something."""
    failed = set(theirs.failed)
    stale = any(one.kind is Kind.STALE_SOURCE and one.subject == "snapshot" for one in comparison.differences)
    given = {name for name in ("positions", "balances", "open_orders") if getattr(theirs, name) is not None} - failed
    silent = set(comparison.not_compared)
    unknown = {break_key(one) for one in comparison.differences if one.status is Status.FAILED}

    def looked_at(key: BreakKey) -> bool:
        subject, sort = key
        if key in unknown:
            return False
        if sort in _OF_DATABASE:
            return with_database
        if stale or "venue" in failed or f"{_UNSAID.get(sort, 'positions of')} {subject}" in silent:
            return False
        if sort == Kind.SYMBOL_MAP:  # named by the venue, and whichever part of its answer it stood in
            return bool(given) and not failed
        if sort == Kind.CASH:
            return "balances" in given
        if sort in _OF_ORDERS:
            return "open_orders" in given
        if sort == Kind.STOP_MISSING and "open_orders" not in given:
            return False
        symbol = subject.rpartition(" ")[0]
        return "positions" in given and (theirs.position_scope is None or symbol in theirs.position_scope)

    return looked_at
