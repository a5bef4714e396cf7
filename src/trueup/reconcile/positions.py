"""Positions, three ways: quantity and side, average price, leverage, margin mode.

One pass over the book; the rows of database and venue are taken out as they are met, so what is left of them was never
ours. Keys that agree in everything cost a few look-ups and no object: a large book is mostly those. A spot position is
a balance: where the venue does not state it, it was compared as the balance that it is.
"""

from decimal import Decimal

import msgspec

from trueup.model.differences import Kind, Severity, Status, VenuePosition
from trueup.model.identifiers import PositionKey
from trueup.model.instruments import Instrument, wallet_currency
from trueup.model.numbers import ONE, ZERO, canonical
from trueup.model.positions import Position
from trueup.reconcile.database import compare_row
from trueup.reconcile.findings import Findings, worst
from trueup.reconcile.missing import explain, quantity_effects, report_fills
from trueup.reconcile.state import Sides
from trueup.reconcile.tolerance import exposure, pays_fees_in_kind, round_to_lot

SECTION = "positions"

Three = tuple[Position | None, Position | None, VenuePosition | None]
"""What memory, database and venue say of one position; None is flat, or not asked."""


def compare_positions(sides: Sides, found: Findings) -> None:
    """Compare every position of the three sides."""
    ours, database, theirs = sides.ours.positions, sides.database, sides.theirs
    rows = dict(ours if database is None else database.positions)
    answers = dict(theirs.positions or {})
    take_row, take_answer = rows.pop, answers.pop
    low, high = ONE - sides.tolerances.entry_price, ONE + sides.tolerances.entry_price
    missing = sides.missing_fills
    agreed = 0
    for key, position in ours.items():
        row = take_row(key, None)
        answer = take_answer(key, None)
        if row != position or answer is None or key in missing or not _agree(position, answer, low, high):
            _compare_one(sides, found, key, (position, row, answer))
        else:
            agreed += 1
            if found.table:
                _add_row(sides, found, key, (position, row, answer), len(found.differences))
    found.compared += agreed
    for key, row in rows.items():
        _compare_one(sides, found, key, (None, row, answers.pop(key, None)))
    for key, answer in answers.items():
        _compare_one(sides, found, key, (None, None, answer))
    for key in missing.keys() - ours.keys() - rows.keys() - answers.keys():
        _compare_one(sides, found, key, (None, None, None))
    _report_scope(sides, found)


def follow_balances(found: Findings) -> None:
    """Give the row of each spot position that the venue did not state what its balance said."""
    if not found.spot_rows:
        return
    balances = {row.subject: row for row in found.rows if row.section == "balances"}
    for place, currency in found.spot_rows.items():
        row, balance = found.rows[place], balances.get(currency)
        if balance is not None and row.status is Status.NOT_COMPARED:
            found.rows[place] = msgspec.structs.replace(row, status=balance.status, kinds=row.kinds + balance.kinds)


def _agree(position: Position, answer: VenuePosition, low: Decimal, high: Decimal) -> bool:
    """Whether a position surely is as the venue states it; where this is False, :func:`_compare_one` tells why not.

    Our average lies between ``low`` and ``high`` times the venue's; as costs, so that nothing is divided. A short has
    negative costs, for which both comparisons turn round: hence one must be what the other is.
    """
    quantity, cost = position.quantity, position.cost
    leverage, margin_mode, entry_price = answer.leverage, answer.margin_mode, answer.entry_price
    if (
        answer.quantity != quantity
        or (leverage is not None and leverage != position.leverage)
        or (margin_mode is not None and margin_mode != position.margin_mode)
    ):
        return False
    if entry_price is None or cost is None:
        return True
    instrument = position.instrument
    worth = quantity * instrument.contract_size
    if instrument.kind == "inverse":
        cost, worth = worth, cost
    expected = entry_price * worth
    return (low * expected <= cost) is (cost <= high * expected)


def _compare_one(sides: Sides, found: Findings, key: PositionKey, three: Three) -> None:
    """Compare a position that does not agree in everything."""
    position, row, answer = three
    before = len(found.differences)
    status = compare_row(sides, found, " ".join(key), position, row)
    if _spoken_for(sides, key, position, answer):
        found.compared += 1
        agreed = _compare_quantity(sides, found, key, three)
        if agreed:
            fills = sides.missing_fills.get(key, ())
            report_fills(found, " ".join(key), fills, "together they change no quantity")
        if position is not None and answer is not None:
            _compare_terms(found, " ".join(key), position, answer)
            if agreed:  # else the averages must differ
                _compare_entry(sides, found, " ".join(key), position, answer)
    if found.table:
        _add_row(sides, found, key, three, before, status)


def _spoken_for(sides: Sides, key: PositionKey, position: Position | None, answer: VenuePosition | None) -> bool:
    """Whether the venue's answer says what this position is: by a row or, unless it is a balance, by its absence."""
    theirs = sides.theirs
    if answer is not None:
        return True
    if theirs.positions is None or not (theirs.position_scope is None or key[0] in theirs.position_scope):
        return False
    instrument = _instrument(sides, key, position)
    return instrument is None or instrument.kind != "spot"


def _instrument(sides: Sides, key: PositionKey, position: Position | None) -> Instrument | None:
    return sides.ours.instruments.get(key[0]) if position is None else position.instrument


def _compare_quantity(sides: Sides, found: Findings, key: PositionKey, three: Three) -> bool:
    """Report a difference in quantity beyond tolerance; True when there is none."""
    position, row, answer = three
    instrument = _instrument(sides, key, position)
    step = None if instrument is None else instrument.quantity_step
    ours = ZERO if position is None else position.quantity
    theirs = ZERO if answer is None else answer.quantity
    lots = round_to_lot(ours, step), round_to_lot(theirs, step)
    gap = lots[1] - lots[0]
    mark = answer.mark_price if answer is not None and answer.mark_price else sides.ours.marks.get(key[0])
    worth = exposure(instrument, gap, mark)
    kind = _kind(*lots)
    in_kind = position is not None and pays_fees_in_kind(position)
    usual = sides.tolerances.coin if in_kind else sides.tolerances.quantity
    tolerance = sides.tolerances.by_instrument.get(key[0], usual)
    if kind is not Kind.SIDE and tolerance.allows(gap, theirs, step=step, worth=worth):
        return True
    difference = theirs - ours
    words, ids = explain(quantity_effects(sides.missing_fills.get(key, ())), difference)
    pending = _may_arrive(sides.in_flight.get(key, ZERO), difference)
    critical = abs(gap) > (step or ZERO) or _exceeds(worth, sides.tolerances.notional_limit)
    found.add(
        kind,
        " ".join(key),
        _direction(kind, ours, theirs) + ("; orders in flight may explain it" if pending else "") + words,
        ours=canonical(ours),
        database=_shown(row) if sides.database else None,
        theirs=canonical(theirs),
        difference=difference,
        severity=Severity.INFO if pending else Severity.CRITICAL if kind is Kind.QTY and critical else None,
        status=Status.PENDING if pending else Status.DRIFT,
        evidence=ids,
    )
    return False


def _kind(ours: Decimal, theirs: Decimal) -> Kind:
    if not ours:
        return Kind.MISSING_OURS
    if not theirs:
        return Kind.MISSING_THEIRS
    return Kind.QTY if (ours > ZERO) is (theirs > ZERO) else Kind.SIDE


def _exceeds(worth: Decimal | None, limit: Decimal | None) -> bool:
    """Whether a limit is broken; an unknown worth breaks every limit."""
    return limit is not None and (worth is None or worth > limit)


def _may_arrive(in_flight: Decimal, difference: Decimal) -> bool:
    """Whether a difference lies between nothing and what orders may still bring."""
    return (difference > ZERO) is (in_flight > ZERO) and abs(difference) <= abs(in_flight)


def _direction(kind: Kind, ours: Decimal, theirs: Decimal) -> str:
    if kind is not Kind.QTY:
        return f"we are {_held(ours)}, venue is {_held(theirs)}"
    size = canonical(abs(theirs) - abs(ours)).removeprefix("-")
    more = "more" if abs(theirs) > abs(ours) else "less"
    return f"venue holds {size} {more}" if theirs > ZERO else f"venue is short {size} {more}"


def _held(quantity: Decimal) -> str:
    if not quantity:
        return "flat"
    return f"{'long' if quantity > ZERO else 'short'} {canonical(abs(quantity))}"


def _compare_terms(found: Findings, subject: str, position: Position, answer: VenuePosition) -> None:
    """Report another leverage or margin mode than ours; what we do not know is not compared."""
    ours, theirs = position.leverage, answer.leverage
    if ours is None and theirs is not None:
        found.not_compared.append(f"leverage of {subject}")
    elif ours is not None and theirs is not None and ours != theirs:
        found.add(
            Kind.LEVERAGE,
            subject,
            f"venue has leverage {canonical(theirs)}, we have {canonical(ours)}",
            ours=canonical(ours),
            theirs=canonical(theirs),
            difference=theirs - ours,
        )
    if position.margin_mode is None and answer.margin_mode is not None:
        found.not_compared.append(f"margin mode of {subject}")
    elif answer.margin_mode not in {None, position.margin_mode}:
        found.add(
            Kind.MARGIN_MODE,
            subject,
            f"venue has margin mode {answer.margin_mode}, we have {position.margin_mode}",
            ours=position.margin_mode,
            theirs=answer.margin_mode,
        )


def _compare_entry(sides: Sides, found: Findings, subject: str, position: Position, answer: VenuePosition) -> None:
    """Report another average price, for information: venues compute it by rules of their own (domain rule 3.6)."""
    ours, theirs = position.entry_price, answer.entry_price
    if ours is None or theirs is None or abs(theirs - ours) <= sides.tolerances.entry_price * abs(theirs):
        return
    found.add(
        Kind.AVG_PX,
        subject,
        f"venue's average entry is {'above' if theirs > ours else 'below'} ours",
        ours=canonical(ours),
        theirs=canonical(theirs),
        difference=theirs - ours,
        status=Status.SYNCED,
    )


def _add_row(
    sides: Sides, found: Findings, key: PositionKey, three: Three, since: int, status: Status = Status.SYNCED
) -> None:
    """Add a row where at least two sides were asked; flat on all of them is not worth one."""
    position, row, answer = three
    if SECTION in sides.theirs.failed:
        status = worst([status, Status.FAILED])
    asked = _spoken_for(sides, key, position, answer)
    if not asked:
        status = worst([status, Status.NOT_COMPARED])
    if not (asked or sides.database or status is Status.FAILED):
        return
    numbers = _shown(position), _shown(row) if sides.database else None, _shown(answer) if asked else None
    if len(found.differences) > since or status is Status.PENDING or set(numbers) - {"0", None}:
        instrument = _instrument(sides, key, position)
        if not asked and instrument is not None and instrument.kind == "spot":
            found.spot_rows[len(found.rows)] = wallet_currency(instrument.base, instrument.wallet)
        found.row(SECTION, " ".join(key), numbers, since, status)


def _shown(side: Position | VenuePosition | None) -> str:
    """The quantity; one that was asked and has no row holds nothing."""
    return "0" if side is None else canonical(side.quantity)


def _report_scope(sides: Sides, found: Findings) -> None:
    """Name the instruments we hold that the venue's answer does not speak for."""
    theirs = sides.theirs
    if theirs.positions is None or theirs.position_scope is None:
        return
    held = {
        symbol
        for (symbol, _), position in sides.ours.positions.items()
        if position.quantity and position.instrument.kind != "spot"
    }
    found.not_compared.extend(f"positions of {symbol}" for symbol in sorted(held - theirs.position_scope))
