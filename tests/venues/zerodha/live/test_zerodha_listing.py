"""The instruments file: a hundred thousand rows are indexed at once, and read where somebody asks."""

import asyncio
import gzip
from datetime import date, time
from decimal import Decimal
from pathlib import Path

import pytest

from tests.venues.zerodha.live.loopback import CSV, StillClock
from trueup.model.errors import BadInput, Malformed
from trueup.venues.rows import Row
from trueup.venues.zerodha import instruments, ist
from trueup.venues.zerodha.instruments import Terms
from trueup.venues.zerodha.listing import Listing

RECORDED = Path(__file__).resolve().parents[5] / "shared" / "venue-data" / "zerodha" / "mocks" / "instruments_all.csv"

MANY = 100_000


def loaded(data: bytes, folder: Path | None = None) -> Listing:
    async def given() -> bytes:
        return data

    async def load() -> Listing:
        found = Listing(given, folder, StillClock())
        await found.load()
        assert found.loaded
        return found

    return asyncio.run(load())


@pytest.mark.parametrize("data", [CSV.encode(), gzip.compress(CSV.encode()), CSV.replace("\n", "\r\n").encode()])
def test_rows_are_found_by_exchange_and_tradingsymbol(data: bytes) -> None:
    found = loaded(data).find(("NFO", "NIFTY26NOVFUT"))
    assert found is not None
    assert (found.token, found.price_tick, found.lot_size) == (1001986, Decimal("0.05"), Decimal(65))
    assert found.expiry == ist.at(date(2026, 11, 26), time(23, 59, 59)) + 999_999_999


def test_what_is_not_listed_is_not_found_and_a_broken_row_is_refused_where_it_is_asked_for() -> None:
    found = loaded(CSV.replace("1001986", "many").encode())
    assert found.find(("NFO", "SBIN")) is None
    assert found.find(("NSE", "SBIN")) is not None
    with pytest.raises(BadInput, match="instrument_token"):
        found.find(("NFO", "NIFTY26NOVFUT"))


@pytest.mark.parametrize(
    "data", [b"", b"<html>", b"instrument_token,exchange_token,tradingsymbol,x\n1,2,3", b"\xff\xfe"]
)
def test_what_is_no_instruments_file_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        loaded(data)


def test_a_hundred_thousand_rows_are_indexed_without_reading_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head, *_ = CSV.splitlines()
    rows = [
        f'{n * 256 + 2},{n},NIFTY26N{n}CE,"NIFTY, 50",0.0,2026-11-26,{n}.0,0.05,65,CE,NFO-OPT,NFO' for n in range(MANY)
    ]
    read: list[Row] = []
    whole = instruments.terms

    def counted(row: Row) -> Terms:
        read.append(row)
        return whole(row)

    monkeypatch.setattr(instruments, "terms", counted)
    found = loaded("\n".join([head, *rows]).encode(), tmp_path)
    assert not read
    terms = found.find(("NFO", f"NIFTY26N{MANY - 1}CE"))
    assert terms is not None
    assert (terms.strike, len(read)) == (Decimal(MANY - 1), 1)
    (kept,) = tmp_path.iterdir()
    assert kept.stat().st_size < len("\n".join(rows)) / 3


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded answers are not beside this checkout")
def test_a_published_file_is_indexed() -> None:
    found = loaded(RECORDED.read_bytes()).find(("NSE", "ADANIPORTS"))
    assert found is not None
    assert found.token == 3861249
