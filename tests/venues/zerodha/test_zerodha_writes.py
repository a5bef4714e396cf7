"""What answers writes: order ids, slices, errors; and the checksum of a postback."""

import json
from hashlib import sha256

import pytest

from tests.venues.zerodha.kite_rows import ACCOUNT, TIME, order, read
from trueup.model.errors import BadInput, Malformed
from trueup.venues.zerodha import placement, postback
from trueup.venues.zerodha.reader import ZerodhaReader

REFUSAL = {"error": {"code": 400, "error_type": "MarginException", "message": "Insufficient funds.", "data": None}}


def test_an_order_id_is_all_that_a_placement_says() -> None:
    assert placement.placed({"order_id": "151"}) == placement.Placed("151")
    assert "order 151 was taken" in read({"order_id": "151"}).note


def test_slices_are_taken_or_refused_one_by_one() -> None:
    data = {"order_id": "150", "children": [{"order_id": "151"}, REFUSAL, {"order_id": 152}]}
    found = placement.placed(data)
    assert (found.order_id, found.slices) == ("150", ("151", "152"))
    assert found.refused == (placement.RefusedSlice(2, "MarginException", "Insufficient funds."),)
    reading = read(data)
    assert (reading.kind, reading.rows, reading.facts) == ("placed", 4, [])
    assert "2 of its 3 slices were taken, not slice 2: MarginException Insufficient funds." in reading.note


@pytest.mark.parametrize("children", [[{}], ["151"], "151", [{"order_id": str(n)} for n in range(11)]])
def test_a_slice_that_says_nothing_may_have_been_taken(children: object) -> None:
    with pytest.raises(BadInput):
        placement.placed({"order_id": "150", "children": children})


def test_an_error_is_not_an_answer() -> None:
    error = {"status": "error", "message": "Token is invalid.", "error_type": "TokenException", "data": None}
    with pytest.raises(Malformed, match="an error of Kite") as refusal:
        ZerodhaReader(ACCOUNT).read("positions", json.dumps(error).encode())
    assert (refusal.value.venue_code, refusal.value.venue_text) == ("TokenException", "Token is invalid.")


SECRET = "s3cret"
CHECKSUM = sha256(f"1{TIME}{SECRET}".encode()).hexdigest()


def test_a_postback_with_its_checksum_is_genuine() -> None:
    row = order(1, checksum=CHECKSUM)
    postback.check(row, SECRET)
    assert postback.checksum("1", TIME, SECRET) == CHECKSUM


@pytest.mark.parametrize(
    ("fields", "secret"),
    [
        ({}, "other"),
        ({"checksum": CHECKSUM.upper()}, SECRET),
        ({"checksum": ""}, SECRET),
        ({"checksum": None}, SECRET),
        ({"checksum": "é"}, SECRET),
        ({"order_id": "2"}, SECRET),
        ({"order_timestamp": "2026-11-20 09:15:02"}, SECRET),
    ],
)
def test_any_other_is_refused(fields: dict[str, object], secret: str) -> None:
    with pytest.raises(BadInput):
        postback.check({**order(1), "checksum": CHECKSUM, **fields}, secret)
