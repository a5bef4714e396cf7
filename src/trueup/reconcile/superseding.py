"""How an adjustment gives way to the facts it stood for, when these appear at last.

An adjustment brought the book to the venue's number at a cut. A fact from before that cut which comes later was part of
it, so as much of the adjustment is taken back as the fact brings: the number stays what the venue said, and once all
facts are there nothing of the adjustment is left. Booked in one commit with the fact, under an id made of both, so that
no order of arrival and no restart does it twice.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from decimal import Decimal
from hashlib import blake2b

from trueup.model import events as e
from trueup.model.facts import fact_key, order_key
from trueup.model.instruments import Instrument, wallet_currency
from trueup.model.numbers import ZERO, canonical, exact
from trueup.reconcile.explain.effects import effects

SUPERSEDED = "SUPERSEDED"
"""The cause of entries that take an adjustment back."""


Counts = Callable[[str, int], bool]
"""Whether a subject counts what happened at a venue time, or an opening cut has it in already."""


def taken_back(
    adjustments: Collection[e.AdjustmentBooked],
    fact: e.Fact,
    instruments: Mapping[str, Instrument],
    *,
    replaced: Iterable[e.TradeDeclared] = (),
    counts: Counts = lambda _subject, _time: True,
) -> tuple[e.AdjustmentBooked, ...]:
    """The entries to book with a fact that is new to the book.

    What a fact does to a balance by an amount that is not known before it is booked takes nothing back; the next
    comparison shows it.

    Args:
        adjustments: All that the book holds.
        fact: That the book does not hold yet.
        instruments: Terms in effect, by canonical symbol.
        replaced: Declared trades, in the quantity that gives way: to this venue's fill, or this one to fills before it.
        counts: See :data:`Counts`.
    """
    standing = sorted((one for one in adjustments if one.cause != SUPERSEDED), key=order_key)
    if not standing or isinstance(fact, e.AdjustmentBooked):
        return ()
    brought: dict[tuple[str, str], Decimal | None] = {}
    with exact():
        for sign, one in ((1, fact), *((-1, declared) for declared in replaced)):
            for subject, amount in effects(one, instruments).items():
                adjustment = _covering(standing, subject, one, instruments)
                if adjustment is not None and counts(subject, order_key(one)[0]):
                    place = adjustment.adjustment_id, subject
                    before = brought.get(place, ZERO)
                    brought[place] = None if before is None or amount is None else before + sign * amount
        by_id = {one.adjustment_id: one for one in standing}
        return tuple(_back(by_id[name], fact, amount) for (name, _), amount in brought.items() if amount)


def _covering(
    standing: Iterable[e.AdjustmentBooked], subject: str, fact: e.Fact, instruments: Mapping[str, Instrument]
) -> e.AdjustmentBooked | None:
    """The first adjustment of a subject whose cut a fact is within."""
    time = order_key(fact)[0]
    return next((one for one in standing if time <= one.venue_time and _subject(one, instruments) == subject), None)


def _subject(adjustment: e.AdjustmentBooked, instruments: Mapping[str, Instrument]) -> str:
    if adjustment.quantity:
        return f"{adjustment.instrument} {adjustment.position_side}"
    terms = instruments.get(adjustment.instrument)
    return wallet_currency(adjustment.currency, terms.wallet if terms is not None else "")


def _back(adjustment: e.AdjustmentBooked, fact: e.Fact, amount: Decimal) -> e.AdjustmentBooked:
    """As much of an adjustment as a fact brings, at the adjustment's own time and price."""
    key = fact_key(fact) or ""
    return e.AdjustmentBooked(
        adjustment.account,
        blake2b(f"{adjustment.adjustment_id}\x1f{key}".encode(), digest_size=12).hexdigest(),
        adjustment.venue_time,
        SUPERSEDED,
        f"{key} brings {canonical(amount)} of adjustment {adjustment.adjustment_id}",
        adjustment.author,
        instrument=adjustment.instrument,
        position_side=adjustment.position_side,
        quantity=-amount if adjustment.quantity else adjustment.quantity,
        price=adjustment.price,
        currency=adjustment.currency,
        cash=-amount if adjustment.cash else adjustment.cash,
        instrument_version=adjustment.instrument_version,
    )
