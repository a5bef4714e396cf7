"""A day at Kite: what trades add up to in the book is what positions and holdings say."""

from decimal import Decimal

from tests.venues.zerodha.kite_rows import ACCOUNT, all_of, answer, holding, margins, net, order, position, read, trade
from trueup.book.book import Book
from trueup.engine.reading import read_answers
from trueup.model.differences import Status
from trueup.model.events import Fact, FillBooked, InstrumentDefined, OpeningBalance, OpeningPosition
from trueup.model.identifiers import Seq
from trueup.reconcile.compare import compare
from trueup.reconcile.state import OurState
from trueup.venues.files import Answer, merge_snapshots
from trueup.venues.zerodha.reader import ZerodhaReader

LEAD = {"exchange": "MCX", "tradingsymbol": "LEADMINI26DECFUT", "product": "NRML"}
LEAD_SYMBOL = "MCX.LEADMINI26DECFUT.NRML/INR:INR"
POSITIONS = net(
    position("LEADMINI26DECFUT", 2, exchange="MCX", multiplier=1000, average_price=161.05),
    position("SBIN", -4, exchange="NSE", product="CNC", average_price=0),
    position("SBIN", 0, exchange="NSE", product="MIS"),
)
TRADES = [
    trade(1, quantity=3, price=161.05, **LEAD),
    trade(2, "SELL", quantity=1, price=162, fill_timestamp="2026-11-20 10:00:00", **LEAD),
    trade(3, "SELL", quantity=4, price=100.5),
    trade(4, quantity=5, price=100, product="MIS"),
    trade(5, "SELL", quantity=5, price=101, product="MIS", fill_timestamp="2026-11-20 10:00:00"),
]
ORDERS = [order(7001, "COMPLETE", filled=10), order(7002, "OPEN", filled=2, tag="mine")]
BEFORE = 1_795_000_000_000_000_000


def test_the_book_of_the_days_trades_agrees_with_the_state() -> None:
    reader = ZerodhaReader(ACCOUNT)
    cash = margins(equity=1407, commodity=950)
    readings = [read(data, reader) for data in (POSITIONS, [holding("SBIN", 10)], cash, ORDERS, TRADES)]
    assert not any(reading.refused for reading in readings)
    facts: list[Fact] = [fact for reading in readings for fact in reading.facts]
    facts += [
        OpeningPosition(ACCOUNT, "NSE.SBIN.CNC/INR", Decimal(10), BEFORE, "day", price=Decimal("90.25")),
        OpeningBalance(ACCOUNT, "NSE.SBIN.CNC@equity", Decimal(10), BEFORE, "shares"),
        OpeningBalance(ACCOUNT, "INR@equity", Decimal(1000), BEFORE, "equity"),
        OpeningBalance(ACCOUNT, "INR@commodity", Decimal(0), BEFORE, "commodity"),
    ]
    book = Book(ACCOUNT)
    book.evolve(facts, Seq(1))
    held = {symbol: position.quantity for (symbol, _), position in book.positions().items()}
    assert held[LEAD_SYMBOL] == 2
    assert held["NSE.SBIN.CNC/INR"] == 6
    totals = {name: balance.total for name, balance in book.balances().items()}
    assert totals["INR@commodity"] == 950  # one lot of 1000 gained 0.95
    assert totals["INR@equity"] == 1000 + 402 + 5
    snapshots = [reading.snapshot for reading in readings if reading.snapshot is not None]
    ours = OurState(
        ACCOUNT,
        Seq(1),
        book.positions(),
        book.balances(),
        book.open_orders(),
        {one.symbol: one for versions in book.instruments.values() for one in versions.values()},
    )
    found = compare(ours, None, merge_snapshots(snapshots))
    assert [(one.kind, one.subject, one.direction) for one in found.differences] == []
    assert (found.status, found.compared) == (Status.SYNCED, 7)


def test_files_given_in_any_order_are_read_as_they_build_on_one_another() -> None:
    table = (
        "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,"
        "instrument_type,segment,exchange\n1,2,LEADMINI26DECFUT,LEAD,0,2026-12-31,0,0.05,1,FUT,MCX-FUT,MCX\n"
    )
    files = {"trades": answer(TRADES), "positions": answer(POSITIONS), "instruments": table.encode()}
    sources = read_answers(lambda: ZerodhaReader(ACCOUNT), [Answer(name, data, "") for name, data in files.items()])
    assert [source.answer.name for source in sources] == ["instruments", "positions", "trades"]
    assert [len(source.reading.refused) for source in sources] == [0, 0, 0]
    assert len(all_of(FillBooked, sources[2].reading)) == len(TRADES)
    (lead,) = (
        one.instrument for one in all_of(InstrumentDefined, sources[1].reading) if one.instrument.symbol == LEAD_SYMBOL
    )
    assert (lead.price_tick, lead.contract_size) == (Decimal("0.05"), Decimal(1000))
