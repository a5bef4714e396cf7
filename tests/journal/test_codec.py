from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.journal.samples import LEDGER, fill
from trueup import __version__
from trueup.journal.codec import Decoder, Row, Upcaster, decode, encode, encode_rows, join_rows
from trueup.model import events as e
from trueup.model.differences import Break
from trueup.model.errors import BadInput, JournalDamaged, UnknownTag
from trueup.model.instruments import Instrument

PRICE = 6  # where a fill's price stands in its row


def rows(*events: e.Event) -> list[Row]:
    return msgspec.msgpack.decode(encode(events), type=list[Row])


def body_with(position: int, value: object) -> bytes:
    (row,) = rows(fill(1))
    row[position] = value
    return msgspec.msgpack.encode([row])


def compared(difference: Decimal) -> e.Compared:
    found = Break("CASH", "LOW", "DRIFT", "USDC", "1", None, "0.5", difference, "less", ("9",))
    return e.Compared(LEDGER, "DRIFT", ("state.json",), None, 1, (("DRIFT", 1),), (found,), 0, ("orders",))


def test_every_event_comes_back_as_it_went() -> None:
    instrument = Instrument("BTC/USD:USD", "BTC", "linear", "BTC", "USD", "USD", price_tick=Decimal("0.1"))
    events: list[e.Event] = [
        e.InstrumentDefined(LEDGER, instrument),
        fill(1),
        e.OpeningPosition(LEDGER, "BTC/USD:USD", Decimal(-2), 5, "o1", price=None),
        e.Quarantined(LEDGER, "fill|1", "twice", b"\x00\xffNaN inf", booked_seq=None),
        e.SourceRead(LEDGER, "Infinity-NaN.json", "00", "fills", 1, 0),
        e.CursorMoved(LEDGER, '{"time":1}'),
        compared(Decimal("-0.5")),
    ]
    assert decode(encode(events)) == events


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_a_finite_number_keeps_every_digit_and_its_exponent(price: Decimal) -> None:
    (event,) = decode(encode([e.MarkSampled(LEDGER, "BTC/USD:USD", price, 1)]))
    assert isinstance(event, e.MarkSampled)
    assert str(event.price) == str(price)


@pytest.mark.parametrize("text", ["1E+3", "-0", "-0.00", "1E-30"])
def test_odd_notations_of_finite_numbers_are_the_same_number_afterwards(text: str) -> None:
    assert decode(encode([fill(1, text)])) == decode(body_with(PRICE, text)) == [fill(1, text)]


@pytest.mark.parametrize("text", ["NaN", "sNaN", "-NaN", "NaN123", "Infinity", "-Infinity"])
def test_a_number_that_is_not_finite_is_never_written(text: str) -> None:
    with pytest.raises(BadInput, match="price") as refusal:
        encode([fill(1, text)])
    assert refusal.value.field == "price"


def test_a_number_deep_in_a_comparison_is_looked_at_as_well() -> None:
    with pytest.raises(BadInput, match="difference"):
        encode([compared(Decimal("NaN"))])


def test_a_number_deep_in_an_instrument_is_looked_at_as_well() -> None:
    instrument = Instrument("A/B", "A", "spot", "A", "B", "B", price_tick=Decimal("NaN"))
    with pytest.raises(BadInput, match="price_tick"):
        encode([e.InstrumentDefined(LEDGER, instrument)])


@pytest.mark.parametrize("text", ["NaN", "nan", "-nAn7", "sNaN", "inf", "+INF", "Infinity", "-infinity"])
def test_a_number_that_is_not_finite_is_never_read(text: str) -> None:
    with pytest.raises(JournalDamaged, match="price"):
        decode(body_with(PRICE, text))


@pytest.mark.parametrize(
    "body",
    [b"", b"\xc1", b"\x90\x00", msgspec.msgpack.encode({"a": 1}), msgspec.msgpack.encode([1]), encode([fill(1)])[:-1]],
)
def test_what_is_no_body_is_refused_as_damage(body: bytes) -> None:
    with pytest.raises(JournalDamaged, match="cannot be read as events"):
        decode(body)


def test_a_field_of_another_type_is_refused_as_damage() -> None:
    with pytest.raises(JournalDamaged, match="int"):
        decode(body_with(9, "yesterday"))


@pytest.mark.parametrize(("row", "tag"), [(["fill/9", 1, 2], "fill/9"), ([], ""), ([["fill/1"]], "['fill/1']")])
def test_an_unknown_event_is_refused_by_name_and_version(row: Row, tag: str) -> None:
    with pytest.raises(UnknownTag) as refusal:
        decode(msgspec.msgpack.encode([*rows(fill(1)), row]))
    assert refusal.value.value == tag
    assert __version__ in str(refusal.value)
    assert "later" in refusal.value.remedy


def test_a_body_from_before_fields_were_appended_is_read_with_their_defaults() -> None:
    (row,) = rows(fill(1))
    first_optional = e.FillBooked.__struct_fields__.index("venue_order_id") + 1  # behind the tag
    assert decode(msgspec.msgpack.encode([row[:first_optional]])) == [fill(1)]


def test_an_upcaster_reads_a_retired_tag_among_present_ones() -> None:
    def from_lots(row: Row) -> Row:  # fill/0 counted in hundredths
        quantity = str(Decimal(row[5]) / 100)
        return ["fill/1", *row[1:5], quantity, *row[6:]]

    (row,) = rows(fill(1))
    old: Row = ["fill/0", *row[1:5], "50", *row[6:]]
    decoder = Decoder({"fill/0": from_lots})
    assert decoder.decode(msgspec.msgpack.encode([old, row])) == [fill(1), fill(1)]
    with pytest.raises(UnknownTag, match="fill/0"):
        decode(msgspec.msgpack.encode([old]))


def test_upcasters_follow_one_another_and_a_circle_ends() -> None:
    def renamed(tag: str) -> Upcaster:
        return lambda row: [tag, *row[1:]]

    (row,) = rows(fill(1))
    old = msgspec.msgpack.encode([["fill/-1", *row[1:]]])
    assert Decoder({"fill/-1": renamed("fill/0"), "fill/0": renamed("fill/1")}).decode(old) == [fill(1)]
    with pytest.raises(UnknownTag):
        Decoder({"fill/-1": renamed("fill/0"), "fill/0": renamed("fill/-1")}).decode(old)


@pytest.mark.parametrize("sizes", [[1], [1, 2], [15, 1], [16, 16], [65_535], [65_536, 1]])
def test_a_body_joined_from_parts_is_the_body_of_the_whole(sizes: list[int]) -> None:
    mark = e.MarkSampled(LEDGER, "BTC/USD:USD", Decimal(1), 1)
    parts = [encode_rows([mark] * size) for size in sizes]
    assert join_rows(parts, sum(sizes)) == encode([mark] * sum(sizes))


def test_fields_that_a_newer_version_appended_are_not_dropped() -> None:
    (row,) = rows(fill(1))
    with pytest.raises(UnknownTag, match=rf"fill/1 with {len(row)} fields"):
        decode(msgspec.msgpack.encode([[*row, "a later field"]]))
