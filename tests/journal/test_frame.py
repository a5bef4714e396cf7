import msgspec
import pytest

from tests.journal.samples import LEDGER, frames
from trueup.journal.frame import HEADER_BYTES, Flaw, frame_bytes, size_at, size_of, unpack
from trueup.model.identifiers import AccountId, Seq
from trueup.ports import GENESIS, Frame, Hash


def data_of(frame: Frame) -> bytes:
    data = frame_bytes(frame)
    assert data is not None
    return data


def test_a_frame_comes_back_from_its_bytes_wherever_they_stand() -> None:
    for frame in frames([1, 3]):
        data = data_of(frame)
        assert len(data) == size_of(frame) == size_at(memoryview(data), 0)
        assert unpack(memoryview(b"xyz" + data + b"rest"), 3, LEDGER) == frame


def test_each_frame_names_the_one_before_and_the_first_names_genesis() -> None:
    first, second = frames([2, 1])
    assert first.previous == GENESIS
    assert second.previous == first.hash
    assert (first.last, second.first) == (2, 3)


def test_any_flipped_bit_and_any_cut_is_seen() -> None:
    data = data_of(frames([1])[0])
    for bit in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        assert isinstance(unpack(memoryview(flipped), 0, LEDGER), Flaw), bit
    for length in range(len(data)):
        assert isinstance(unpack(memoryview(data)[:length], 0, LEDGER), Flaw), length


def test_a_frame_of_another_ledger_is_not_taken_for_ours() -> None:
    assert isinstance(unpack(memoryview(data_of(frames([1])[0])), 0, AccountId("paper:other")), Flaw)


@pytest.mark.parametrize("change", [{"body": b"\x90"}, {"previous": Hash(bytes(31) + b"\1")}, {"synced": 7}])
def test_a_copy_that_was_changed_has_no_bytes(change: dict[str, object]) -> None:
    assert frame_bytes(msgspec.structs.replace(frames([1])[0], **change)) is None


def test_no_header_no_size() -> None:
    assert size_at(memoryview(bytes(HEADER_BYTES)), 0) is None
    assert size_at(memoryview(data_of(frames([1])[0])), HEADER_BYTES) is None


def test_seqs_are_dense_within_a_frame() -> None:
    frame = frames([4])[0]
    assert (frame.first, frame.last, frame.count) == (Seq(1), Seq(4), 4)
