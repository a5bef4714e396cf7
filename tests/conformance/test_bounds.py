"""Texts and whole numbers at the bounds are kept by every store; what lies beyond is refused and stops nobody."""

from collections.abc import Callable
from random import Random

import pytest
from msgspec.structs import replace

from tests.engine.world import ACCOUNT, DEFINED, PERP, fill
from trueup.engine.door import Fate
from trueup.engine.store import Store
from trueup.model.errors import BadInput
from trueup.model.events import Fact, InstrumentDefined, LeverageSet, SplitBooked, TransferBooked
from trueup.model.identifiers import CONTROL
from trueup.model.numbers import ONE
from trueup.model.statements import PositionDetailsSaved, PyramidingStateSaved, SignalLogged, SignalProcessed
from trueup.model.texts import NAME_MAX, TEXT_MAX

RANDOM = Random(5)
LONG = "".join(chr(RANDOM.randrange(0x20000, 0x2A000)) for _ in range(NAME_MAX))
"""The longest name, of characters that take four bytes each and do not shrink."""

LATEST = 2**63 - 1

Opened = Callable[[], Store]

KEPT: list[Fact] = [
    InstrumentDefined(ACCOUNT, replace(PERP, symbol=LONG, native_symbol=LONG, base=LONG, expiry=LATEST)),
    replace(fill(1), venue_trade_id=LONG, strategy=LONG, fee_currency=LONG, venue_time=LATEST),
    replace(fill(2), instrument=LONG, venue_time=-LATEST),
    TransferBooked(ACCOUNT, ONE, LONG, LATEST, LONG, "x" * TEXT_MAX),
]

BEYOND: list[Fact] = [
    replace(fill(3), venue_trade_id=LONG + "x"),
    replace(fill(3), venue_trade_id="3\0"),
    replace(fill(3), strategy="\0"),
    replace(fill(3), position_side="net\0"),
    replace(fill(3), fee_currency=LONG + "x"),
    replace(fill(3), venue_time=LATEST + 1),
    replace(fill(3), venue_sequence=2**64 - 1),
    InstrumentDefined(ACCOUNT, replace(PERP, symbol="a\0b")),
    InstrumentDefined(ACCOUNT, replace(PERP, symbol="other", expiry=LATEST + 1)),
    LeverageSet(ACCOUNT, PERP.symbol, ONE, -LATEST - 2, "lever"),
    TransferBooked(ACCOUNT, ONE, "U\0", 1, "transfer"),
    TransferBooked(ACCOUNT, ONE, "USDC", 1, "\ud800"),
    replace(fill(3), venue_trade_id="\udfff"),
    SplitBooked(ACCOUNT, PERP.symbol, 2**64 - 1, 1, 1, "split"),
    TransferBooked(ACCOUNT, ONE, "USDC", 1, "transfer", "x" * (TEXT_MAX + 1)),
]


def test_what_is_within_them_is_kept(opened: Opened) -> None:
    store = opened()
    ledger = store.ledger(ACCOUNT)
    assert set(ledger.book_facts([DEFINED, *KEPT]).fates) == {Fate.BOOKED}
    assert store.synced(ACCOUNT) == ledger.head.seq
    assert len(store.views.positions(ACCOUNT)[1]) == 2
    control = store.ledger(CONTROL)
    assert control.book_facts([SignalLogged(CONTROL, LONG, LONG, "EXIT", LATEST, LATEST, LONG, LONG)]).booked == 1
    control.commit(lambda _: [SignalProcessed(CONTROL, LONG, "FAILED", LATEST, LONG, "x" * TEXT_MAX)])
    control.commit(lambda _: [PyramidingStateSaved(CONTROL, LONG, 1, LATEST, LONG, base_position=LONG)])
    ledger.commit(lambda _: [PositionDetailsSaved(ACCOUNT, LONG, LONG, "net", 1, LATEST, LONG, expiry=LONG)])
    assert store.synced(CONTROL) == control.head.seq
    assert store.synced(ACCOUNT) == ledger.head.seq


@pytest.mark.parametrize("fact", BEYOND)
def test_a_fact_beyond_them_is_put_aside_and_its_neighbours_are_booked(opened: Opened, fact: Fact) -> None:
    store = opened()
    ledger = store.ledger(ACCOUNT)
    ledger.book_facts([DEFINED])
    fates = ledger.book_facts([fill(1), fact, fill(2)]).fates
    assert sorted(fates) == sorted([Fate.BOOKED, Fate.QUARANTINED, Fate.BOOKED])
    assert ledger.book_facts([fact]).fates == [Fate.QUARANTINED_BEFORE]
    assert store.synced(ACCOUNT) == ledger.head.seq == 4


@pytest.mark.parametrize(
    "statement",
    [
        PyramidingStateSaved(ACCOUNT, "BTC", 1, 1, "me", base_position="a\0"),
        PyramidingStateSaved(ACCOUNT, LONG + "x", 1, 1, "me"),
        PositionDetailsSaved(ACCOUNT, "p", PERP.symbol, "net", 1, 1, "me", limiter="\ud800"),
        PositionDetailsSaved(ACCOUNT, "p", PERP.symbol, "net", 1, 1, "me", rollover_count=2**63),
        PositionDetailsSaved(ACCOUNT, "p", PERP.symbol, "net", 1, 2**70, "me"),
    ],
)
def test_a_statement_beyond_them_is_refused(
    opened: Opened, statement: PyramidingStateSaved | PositionDetailsSaved
) -> None:
    store = opened()
    ledger = store.ledger(ACCOUNT)
    ledger.book_facts([DEFINED])
    with pytest.raises(BadInput):
        ledger.commit(lambda _: [statement])
    assert ledger.book_facts([fill(1)]).booked == 1
    assert store.synced(ACCOUNT) == 2
