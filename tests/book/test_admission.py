"""What a book refuses: told before anything changes, with the field, its value and what to do."""

from decimal import Decimal
from typing import get_args

import pytest
from msgspec.structs import fields, replace

from tests.book.world import ACCOUNT, BTC, XBTUSD, D, Ledger, World
from trueup.book.control import STATEMENTS
from trueup.model import events as e
from trueup.model.errors import BadInput, UnknownInstrument
from trueup.model.instruments import Instrument
from trueup.model.numbers import ONE

KNOWN = World().on(XBTUSD).declare("buy", "2", "100")
DECLARED = KNOWN.last_id
ADJUSTMENT = e.AdjustmentBooked(ACCOUNT, "a", 1, "", "", "", currency="USDC", cash=D(1))
PROPOSED = e.AdjustmentProposed(ACCOUNT, "USDC", "CASH", 1, ADJUSTMENT, "beyond the limit")
KNOWN.add(PROPOSED)


def last(world: World) -> e.Event:
    return world.events[-1]


def version_of(
    symbol: str, *, base: str = "BTC", size: Decimal = ONE, wallet: str = "", version: int = 2, effective_from: int = 0
) -> e.InstrumentDefined:
    terms = Instrument(symbol, "X", "linear", base, "USDC", "USDC", size, wallet=wallet)
    return e.InstrumentDefined(ACCOUNT, replace(terms, version=version, effective_from=effective_from))


UNHEARD = Instrument("XYZ/USDC:USDC", "XYZ", "linear", "XYZ", "USDC", "USDC")


@pytest.mark.parametrize(
    "event",
    [
        last(World(UNHEARD).buy("1", "1")),
        last(World(UNHEARD).declare("buy", "1", "1")),
        last(World(UNHEARD).opening("1")),
        last(World(UNHEARD).adjust("1", "1")),
        last(World(UNHEARD).split(2, 1)),
        last(World(UNHEARD).roll(BTC, "1", "1", "1", "1", "a")),
        last(World(UNHEARD).fund("1")),
        last(World(UNHEARD).order("1", "open")),
        last(World(UNHEARD).mark("1")),
        last(World().buy("1", "1", instrument_version=2)),
    ],
)
def test_an_instrument_nobody_defined(event: e.Event) -> None:
    with pytest.raises(UnknownInstrument, match="no definition"):
        KNOWN.book.admit(event)


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (last(World().buy("0", "1")), "quantity"),
        (last(World().sell("-1", "1")), "quantity"),
        (last(World().buy("NaN", "1")), "quantity"),
        (last(World().declare("buy", "0", "1")), "quantity"),
        (last(World().buy("1", "1", fee="1", fee_currency="")), "fee_currency"),
        (last(World().buy("1", "1", settled_amount="1")), "settled_currency"),
        (last(World(XBTUSD).buy("1", "0")), "price"),
        (last(World(XBTUSD).buy("1", "-1")), "price"),
        (last(World(XBTUSD).buy("1", "Infinity")), "price"),
        (last(World(XBTUSD).opening("1", "0")), "price"),
        (last(World(XBTUSD).adjust("1", "0")), "price"),
        (last(World(XBTUSD).roll(BTC, "1", "1", "1", "0", "a")), "near_basis"),
        (last(World(XBTUSD).roll(BTC, "1", "0", "1", "1", "a")), "near_price"),
        (last(World().split(0, 1)), "new"),
        (last(World().split(10**36, 1)), "new"),
        (e.AdjustmentBooked(ACCOUNT, "a", 1, "", "", "", cash=D(1)), "currency"),
        (last(World().split(1, 0)), "old"),
        (last(World().split(1, 1, "0")), "quantity_after"),
        (version_of(BTC.symbol, size=D(0)), "contract_size"),
        (version_of(BTC.symbol, size=D(10)), "contract_size"),
        (version_of(BTC.symbol, size=D(10), effective_from=-1), "contract_size"),
        (version_of(BTC.symbol, size=D(10), version=0), "contract_size"),
        (e.InstrumentDefined(ACCOUNT, Instrument("X/Y", "X", "spot", "X", "Y", "Y", D(10))), "contract_size"),
        (version_of(BTC.symbol, base="XBT"), "base"),
        (version_of(BTC.symbol, wallet="spot"), "wallet"),
        (last(World().match(DECLARED, "f", "3")), "quantity"),
        (last(World().match(DECLARED, "f", "0")), "quantity"),
        (last(World().match("unheard", "f", "1")), "quantity"),
        (last(World().match(DECLARED, "f", "NaN")), "quantity"),
        (last(World().split(1, 1, "NaN")), "quantity_after"),
    ],
)
def test_what_cannot_be(event: e.Event, field: str) -> None:
    book = KNOWN.book
    with pytest.raises(BadInput) as refusal:
        book.admit(event)
    assert refusal.value.field == field
    assert refusal.value.remedy


@pytest.mark.parametrize(
    "event",
    [
        last(World().buy("1", "-5", fee="-1")),  # oil once traded below zero
        last(World().buy("1", "0", fee="0", fee_currency="")),
        last(World(XBTUSD).opening("1")),
        last(World(XBTUSD).opening("-1", "5")),
        last(World(XBTUSD).roll(BTC, "-1", "1", "1", "1", "a")),
        last(World().split(1, 3, "5")),
        last(World().adjust(cash="1", currency="USDC")),
        version_of(BTC.symbol),
        version_of(BTC.symbol, size=D(10), effective_from=1),
        version_of(BTC.symbol, size=D(10), version=0, effective_from=-1),
        version_of("NEW/USDC:USDC"),
        last(World().match(DECLARED, "f", "2")),
        last(World().transfer("1")),
        e.FeeCharged(ACCOUNT, D(1), "USDC", 1, "1"),
        ADJUSTMENT,
        e.Quarantined(ACCOUNT, "", "why", b""),
    ],
)
def test_what_can_be(event: e.Event) -> None:
    KNOWN.book.admit(event)


EVENTS: list[e.Event] = [
    *KNOWN.events,
    last(World().buy("1", "1", fee="1", fee_value="1", settled_amount="1", settled_currency="USDC")),
    e.FeeCharged(ACCOUNT, D(1), "USDC", 1, "1"),
    e.FundingPaid(ACCOUNT, BTC.symbol, D(1), "USDC", 1, "1", rate=D(1)),
    last(World().transfer("1")),
    last(World().flag_liquidation()),
    last(World().split(2, 1, "1")),
    last(World().roll(BTC, "1", "1", "1", "1", "a")),
    last(World().leverage("1")),
    last(World().margin_mode("cross")),
    last(World().opening("1", "1")),
    last(World().opening_balance("1")),
    last(World().adjust("1", "1", cash="1", currency="USDC")),
    last(World().order("1", "open")),
    last(World().match(DECLARED, "f", "1")),
    last(World().mark("1")),
    e.Quarantined(ACCOUNT, "", "why", b""),
    e.SourceRead(ACCOUNT, "file", "00", "userFills", 1, 0),
    e.CursorMoved(ACCOUNT, "7"),
    e.Compared(ACCOUNT, "SYNCED", ("file",), 1, 1, (("SYNCED", 1),)),
    e.BreakMoved(ACCOUNT, "USDC", "CASH", "DETECT", 1, difference=D(1), rest=D(1), worth=D(1)),
    e.Corrected(ACCOUNT, "USDC", "CASH", 1, "checker", "FEE", ("fee|1",), D(1)),
    PROPOSED,
    e.AdjustmentApproved(ACCOUNT, ADJUSTMENT.adjustment_id, "alice", 1),
    e.Restricted(ACCOUNT, 1),
    e.TradesAssigned(ACCOUNT, BTC.symbol, "net", 1, 2, "trend", "alice", 3),
    e.ReconciliationsCounted(ACCOUNT, 1, 2, (("SYNCED", 3),), 4),
    e.ReportIssued(ACCOUNT, "2026-11-21", "00", "", "alice", 1),
]


def test_every_kind_of_event_is_among_these() -> None:
    elsewhere = {*STATEMENTS, e.AllocationChecked}  # in test_control.py
    assert {type(event) for event in EVENTS} == set(get_args(e.Event)) - elsewhere


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
@pytest.mark.parametrize("number", ["1e36", "-1e600", "1e-37", "1.5e-600", "NaN", "sNaN", "-Infinity", "1." + "1" * 37])
def test_no_amount_is_without_bounds(event: e.Event, number: str) -> None:
    book = KNOWN.book
    book.admit(event)
    subject = event.instrument if isinstance(event, e.InstrumentDefined) else event
    for field in fields(subject):
        if "Decimal" in str(field.type):
            changed = replace(subject, **{field.name: D(number)})
            with pytest.raises(BadInput) as refusal:
                book.admit(e.InstrumentDefined(ACCOUNT, changed) if isinstance(changed, Instrument) else changed)
            assert refusal.value.field == field.name
            assert refusal.value.remedy
            if isinstance(event, e.FillBooked) and isinstance(changed, e.FillBooked):  # many are looked at together
                refused = book.refusals([event, changed])
                assert [(place, told.args) for place, told in refused.items()] == [(1, refusal.value.args)]


@pytest.mark.parametrize("number", ["9" * 36 + "." + "9" * 36, "1e-36", "1e35", "0.00", "1." + "0" * 50])
def test_whatever_passes_folds(number: str) -> None:
    ledger = Ledger(World().events)
    for event in World().buy("1", "1").adjust(cash="1", currency="USDC").events[1:]:
        for field in ("quantity", "price", "fee", "cash"):
            if hasattr(event, field):
                changed = replace(event, **{field: D(number)})
                if D(number) or field != "quantity":
                    ledger.book.admit(changed)
                    ledger.then(changed)
    assert ledger.book.balances()["USDC"].total is not None
