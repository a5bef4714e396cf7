"""Every recorded or published answer of Deribit is read, or refused for a stated reason."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from trueup.model.errors import Malformed
from trueup.model.events import InstrumentDefined
from trueup.model.identifiers import AccountId
from trueup.ports import Reading
from trueup.venues.deribit.reader import DeribitReader

DATA = Path(__file__).resolve().parents[3].parent / "shared" / "venue-data" / "deribit"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the recorded answers are not beside this checkout")

# name: what it is read as, facts besides definitions, refused rows, and whether it is a snapshot
READ = {
    "nautilus/http_get_account_summaries.json": ("balances", 0, 0, True),
    "nautilus/http_get_instruments.json": ("instruments", 0, 2, False),  # an option and a combo
    "nautilus/ws_order_edit_response.json": ("orders", 1, 0, False),
    "nautilus/ws_order_stop_market_no_filled_amount.json": ("orders", 1, 0, False),
}

_NOT_OURS = "holds nothing of an account"

REFUSED = {
    "nautilus/http_get_last_trades.json": _NOT_OURS,
    "nautilus/http_get_last_trades_future_combo.json": _NOT_OURS,
    "nautilus/http_get_last_trades_historical_combo.json": _NOT_OURS,
    "nautilus/http_get_last_trades_perpetual_with_combo_tags.json": _NOT_OURS,
    "nautilus/ws_book_snapshot.json": _NOT_OURS,
    "nautilus/ws_error.json": "is an error of Deribit",
    "nautilus/ws_ticker.json": _NOT_OURS,
    "nautilus/ws_trades.json": _NOT_OURS,
}


def read(name: str) -> Reading:
    return DeribitReader(AccountId("deribit:recorded")).read(name, (DATA / name).read_bytes())


def test_every_file_is_in_one_of_the_tables() -> None:
    files = {str(path.relative_to(DATA)) for path in DATA.rglob("*") if path.is_file()}
    assert files == READ.keys() | REFUSED.keys()


@pytest.mark.parametrize("name", READ)
def test_file_is_read(name: str) -> None:
    reading = read(name)
    facts = [fact for fact in reading.facts if not isinstance(fact, InstrumentDefined)]
    assert (reading.kind, len(facts), len(reading.refused), reading.snapshot is not None) == READ[name]


@pytest.mark.parametrize("name", REFUSED)
def test_file_is_refused_for_its_reason(name: str) -> None:
    with pytest.raises(Malformed, match=REFUSED[name]):
        read(name)


def test_terms_are_those_of_the_file() -> None:
    listed = json.loads((DATA / "nautilus/http_get_instruments.json").read_text(), parse_float=Decimal)["result"]
    rows = {row["instrument_name"]: row for row in listed}
    for fact in read("nautilus/http_get_instruments.json").facts:
        assert isinstance(fact, InstrumentDefined)
        row = rows[fact.instrument.native_symbol]
        assert (fact.instrument.base, fact.instrument.settle) == (row["base_currency"], row["settlement_currency"])
        assert fact.instrument.price_tick == row["tick_size"]
