"""Rows of the generic format: what is filled in, and what is refused, by row or for the file as a whole."""

from decimal import Decimal

import pytest

from tests.venues.generic.generic_rows import NS, TIME, booked, fill, only, problems, read, row, rows
from trueup.model.errors import Malformed
from trueup.model.events import FeeCharged, FillBooked, InstrumentDefined, OrderReported, RollBooked, TransferBooked
from trueup.model.instruments import Instrument

HEADER = "kind,id,instrument,side,quantity,price,venue_time"
GOOD = f"fill,1,BTC/USDT:USDT,buy,2,100,{TIME}"


# --- what is filled in ------------------------------------------------------------------------------------------------


def test_a_fill_needs_no_more_than_its_trade() -> None:
    booked_fill = only(FillBooked, rows(fill()))
    assert (booked_fill.venue_trade_id, booked_fill.venue_time) == ("1", NS)
    assert (booked_fill.position_side, booked_fill.strategy) == ("net", "external")
    assert (booked_fill.fee, booked_fill.fee_currency) == (Decimal(0), "USDT")


@pytest.mark.parametrize("time", [TIME, "2026-03-02T10:00:00+01:00", 1772442000000, "1772442000000"])
def test_times_are_rfc_3339_or_milliseconds(time: object) -> None:
    assert only(FillBooked, rows(fill(venue_time=time))).venue_time == NS


def test_the_id_has_two_names() -> None:
    assert only(FillBooked, rows(fill(id=None, venue_trade_id=7))).venue_trade_id == "7"
    assert only(FillBooked, rows(fill(id="7", venue_trade_id="7"))).venue_trade_id == "7"
    assert problems(rows(fill(id="7", venue_trade_id="8"))) == [(1, "id", "7")]


def test_rows_without_an_id_get_a_weak_one_that_tells_twins_apart() -> None:
    first, second, other = booked(rows(fill(id=""), fill(id=""), row("transfer", id=None, amount=5, currency="USDT")))
    assert isinstance(first, FillBooked)
    assert isinstance(second, FillBooked)
    assert isinstance(other, TransferBooked)
    assert first.weak
    assert other.weak
    assert first.venue_trade_id != second.venue_trade_id
    assert booked(rows(fill(id=""))) == [first]


def test_transfers_say_why() -> None:
    listed = [row("transfer", id=str(n), amount=n, currency="USDT") for n in (5, -5)]
    named = row("transfer", amount=1, currency="USDT", reason="reward")
    reasons = [fact.reason for fact in booked(rows(*listed, named)) if isinstance(fact, TransferBooked)]
    assert reasons == ["deposit", "withdrawal", "reward"]


def test_a_report_of_an_order_is_known_by_its_state() -> None:
    cells = {"id": "", "instrument": "EUR/USD", "side": "buy", "quantity": 5, "venue_order_id": 9}
    partial = row("order", **cells, filled="2.0", status="partially_filled", reduce_only="true")
    report = only(OrderReported, rows(partial))
    assert report.report_id == f"9:partially_filled:2:{NS}"
    assert report.reduce_only


def test_an_account_fee_names_no_instrument() -> None:
    assert only(FeeCharged, rows(row("fee", amount="1.5", currency="USDT", reason="data"))).instrument == ""


def test_both_contracts_of_a_roll_are_defined() -> None:
    cells = {"near": "BTC/USDT", "far": "BTC/USDT:USDT", "strategy": "carry", "quantity": 1}
    prices = {"near_price": 100, "far_price": 101, "near_basis": 90}
    reading = rows(row("roll", **cells, **prices))
    assert only(RollBooked, reading).roll_id == "1"
    defined = [fact.instrument.symbol for fact in reading.facts if isinstance(fact, InstrumentDefined)]
    assert defined == ["BTC/USDT", "BTC/USDT:USDT"]


# --- instruments ------------------------------------------------------------------------------------------------------


def test_a_symbol_tells_spot_and_linear() -> None:
    reading = rows(fill(), fill(id="2", instrument="EUR/USD"))
    kinds = {f.instrument.symbol: f.instrument.kind for f in reading.facts if isinstance(f, InstrumentDefined)}
    assert kinds == {"BTC/USDT:USDT": "linear", "EUR/USD": "spot"}


@pytest.mark.parametrize("symbol", ["BTC/USD:BTC", "ETH/USD:BTC", "BTC/USDT:USDT-261225", "XBTUSD", "EUR_USD"])
def test_what_a_symbol_does_not_tell_is_refused(symbol: str) -> None:
    reading = rows(fill(instrument=symbol), fill(id="2"))
    assert problems(reading) == [(1, "instrument", symbol)]
    assert "--instruments" in reading.refused[0].remedy
    assert len(booked(reading)) == 1


def test_native_names_are_understood_and_the_canonical_is_booked() -> None:
    perp = Instrument("BTC/USD:BTC", "XBTUSD", "inverse", "BTC", "USD", "BTC")
    reading = rows(fill(instrument="XBTUSD"), instruments=(perp,))
    assert only(FillBooked, reading).instrument == "BTC/USD:BTC"
    assert only(FillBooked, reading).fee_currency == "BTC"
    assert only(InstrumentDefined, reading).instrument == perp


def test_a_row_may_define_the_instrument_of_rows_before_it() -> None:
    terms = {"instrument": "BTC/USD:BTC", "native_symbol": "XBTUSD", "contract_size": "100"}
    reading = rows(fill(instrument="XBTUSD"), {"kind": "instrument", **terms})
    assert only(InstrumentDefined, reading).instrument.contract_size == 100
    assert only(FillBooked, reading).instrument == "BTC/USD:BTC"
    assert reading.rows == 2


def test_a_bad_definition_is_refused_by_its_column() -> None:
    reading = rows({"kind": "instrument", "instrument": "BTC/USD:USD", "instrument_kind": "perp"})
    assert problems(reading) == [(1, "instrument_kind", "perp")]
    assert problems(rows({"kind": "instrument", "instrument": "BTC/USD:BTC"})) == [(1, "contract_size", "")]
    assert problems(rows({"kind": "instrument", "instrument": "BTC/USD", "side": "buy"})) == [(1, "side", "buy")]
    assert problems(rows({"kind": "instrument", "contract_size": 1})) == [(1, "instrument", "")]


def test_each_fact_is_booked_under_the_terms_of_its_time() -> None:
    first = Instrument("A/B:B", "AB", "linear", "A", "B", "B")
    second = Instrument("A/B:B", "AB", "linear", "A", "B", "B", contract_size=Decimal(10), version=2, effective_from=NS)
    earlier = fill(instrument="AB", venue_time="2026-03-02T08:59:59Z")
    named = fill(instrument="AB", instrument_version=1, id="3")
    reading = rows(earlier, fill(instrument="AB", id="2"), named, instruments=(second, first))
    versions = [fact.instrument_version for fact in booked(reading) if isinstance(fact, FillBooked)]
    assert versions == [1, 2, 1]
    later_only = rows(earlier, instruments=(second,))
    assert problems(later_only) == [(1, "instrument", "AB")]


# --- rows refused -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "at_fault"),
    [
        ({"quantity": "0"}, ("quantity", "0")),
        ({"quantity": "-1"}, ("quantity", "-1")),
        ({"quantity": "1_000"}, ("quantity", "1_000")),
        ({"quantity": "\uff11"}, ("quantity", "\uff11")),
        ({"quantity": "NaN"}, ("quantity", "NaN")),
        ({"quantity": "1e99"}, ("quantity", "1e99")),
        ({"quantity": True}, ("quantity", "True")),
        ({"price": "-5"}, ("price", "-5")),
        ({"price": " 5"}, ("price", " 5")),
        ({"side": "BUY"}, ("side", "BUY")),
        ({"position_side": "both"}, ("position_side", "both")),
        ({"venue_time": "2026-03-02"}, ("venue_time", "2026-03-02")),
        ({"venue_time": 0}, ("venue_time", "0")),
        ({"venue_time": True}, ("venue_time", "True")),
        ({"fee": "1"}, ("fee_currency", "")),
        ({"settled_amount": "1"}, ("settled_currency", "")),
        ({"settled_currency": "EUR"}, ("settled_amount", "")),
        ({"instrument": None}, ("instrument", "")),
        ({"kind": "trade"}, ("kind", "trade")),
        ({"kind": "adjustment"}, ("kind", "adjustment")),
        ({"kind": None}, ("kind", "")),
        ({"amount": "5"}, ("amount", "5")),
        ({"venue_sequence": "-1"}, ("venue_sequence", "-1")),
        ({"venue_sequence": -1}, ("venue_sequence", "-1")),
        ({"instrument_version": 0}, ("instrument_version", "0")),
        ({"strategy": "a\nb"}, ("strategy", "a\nb")),
    ],
)
def test_an_impossible_row_is_refused_by_itself(cells: dict[str, object], at_fault: tuple[str, str]) -> None:
    reading = rows(fill(**cells), fill(id="2"))
    assert problems(reading) == [(1, *at_fault)]
    assert reading.refused[0].remedy
    assert [fact.venue_trade_id for fact in booked(reading) if isinstance(fact, FillBooked)] == ["2"]


@pytest.mark.parametrize(
    ("listed", "at_fault"),
    [
        (row("leverage", id="", instrument="EUR/USD", leverage=5), ("id", "")),
        (row("split", instrument="EUR/USD", new=0, old=1), ("new", "0")),
        (row("margin_mode", instrument="EUR/USD", margin_mode="portfolio"), ("margin_mode", "portfolio")),
        (
            row("order", instrument="EUR/USD", side="buy", quantity=1, filled=2, status="open", venue_order_id="9"),
            ("filled", "2"),
        ),
        (
            row("order", instrument="EUR/USD", side="buy", quantity=1, filled=-2, status="open", venue_order_id="9"),
            ("filled", "-2"),
        ),
    ],
)
def test_every_kind_is_read_strictly(listed: dict[str, object], at_fault: tuple[str, str]) -> None:
    assert problems(rows(listed)) == [(1, *at_fault)]


def test_a_refused_csv_row_is_found_by_its_line() -> None:
    quoted = 'fill,2,"BTC/USDT:USDT\n",buy,2,100,' + TIME
    reading = read(f"{HEADER}\n{GOOD}\n\n{quoted}\n{GOOD},more\nfill,3,BTC/USDT:USDT,buy,x,100,{TIME}\n")
    assert problems(reading) == [(4, "instrument", "BTC/USDT:USDT\n"), (6, "row", "8"), (7, "quantity", "x")]
    assert reading.refused[0].raw.decode() == quoted
    assert reading.refused[1].raw.decode() == f"{GOOD},more"
    assert reading.rows == 4


def test_a_refused_json_line_is_found_by_its_line() -> None:
    reading = read('{"kind":"fill"}\n\n[1]\n{"kind"\n')
    assert problems(reading) == [(1, "instrument", ""), (3, "row", "[1]"), (4, "row", '{"kind"')]


# --- files refused ----------------------------------------------------------------------------------------------------


def test_a_missing_column_refuses_the_rows_that_need_it_and_no_others() -> None:
    transfer = f"transfer,1,,5,USDT,{TIME}"
    reading = read(f"kind,id,side,amount,currency,venue_time\nfill,2,buy,,,{TIME}\n{transfer}\ninstrument,,,,,\n")
    assert problems(reading) == [(2, "instrument", ""), (4, "instrument", "")]
    assert all(refused.problem.startswith("missing: a row of kind ") for refused in reading.refused)
    assert {refused.remedy for refused in reading.refused} == {"Fill in instrument."}
    assert only(TransferBooked, reading).amount == 5


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("kind,quantitty\n", r"no column 'quantitty' in this format. Did you mean quantity\?"),
        ("kind,colour\n", "no column 'colour' in this format. Known are: amount"),
        ('{"kind":"fill"}\n{"kind":"fill","quantitty":"1"}', "no column 'quantitty'"),
        ("kind,id,id\n", "column 'id' stands twice"),
        ("id,side\n1,buy\n", "column 'kind' is missing"),
        ('kind,id\nfill,"1\n', "not CSV from line 2 on"),
        ("kind;id\n", "no column 'kind;id'"),
        (b"kind,id\nfill,\xff\n", r"byte 13 \(0xff\) is not UTF-8"),
        (b"\xef\xbb\xbfkind\xff", r"byte 7 \(0xff\) is not UTF-8"),
        ("{\n", "not JSON"),
        ("[5]", "instrument 1: row='5'"),
        ('{"snapshot":{},"instrument":[]}', "no column 'instrument'"),
        ('{"snapshot":{"positons":[]}}', r"Did you mean positions\?"),
        ('{"snapshot":5}', "not a row of named fields"),
        ('{"snapshot":{"venue_time":"noon"}}', "venue_time='noon'"),
        ("", "column 'kind' is missing"),
    ],
)
def test_a_file_with_a_name_at_fault_is_refused_as_a_whole(data: str | bytes, why: str) -> None:
    with pytest.raises(Malformed, match=why) as caught:
        read(data)
    assert caught.value.remedy


def test_an_unknown_kind_does_not_refuse_the_others() -> None:
    reading = read(f"{HEADER}\n{GOOD}\n{GOOD.replace('fill', 'fil')}\n")
    assert problems(reading) == [(3, "kind", "fil")]
    assert len(booked(reading)) == 1


@pytest.mark.parametrize("text", [f"\ufeff{HEADER}\r\n{GOOD}\r\n", f"{HEADER}\n{GOOD}", f"{HEADER}\r{GOOD}\r"])
def test_byte_order_mark_and_line_ends_do_not_matter(text: str) -> None:
    assert booked(read(text)) == booked(rows(fill()))


def test_a_file_without_rows_says_so() -> None:
    reading = read(HEADER + "\n")
    assert (reading.facts, reading.rows, reading.note) == ([], 0, "no rows")
