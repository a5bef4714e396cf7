"""Fields are what they should be, or the refusal names the field, its value and the remedy."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.model.errors import BadInput
from trueup.model.events import FeeCharged, FillBooked
from trueup.model.identifiers import AccountId
from trueup.venues import rows
from trueup.venues.rows import Row, WeakIds

ACCOUNT = AccountId("hyperliquid:main")
FILL = FillBooked(
    ACCOUNT, "BTC/USDC:USDC", "net", "buy", Decimal(1), Decimal("1.50"), Decimal(0), "USDC", 1_000_000, ""
)

BAD: list[tuple[Callable[[Row, str], object], object]] = [
    (rows.text, 7),
    (rows.text, ""),
    (rows.text, "a\nb"),
    (rows.text, "\ud800"),
    (rows.text, "x" * (rows.TEXT_MAX + 1)),
    (rows.text, ["a"]),
    (rows.identifier, True),
    (rows.identifier, Decimal("1.5")),
    (rows.decimal, "1_000"),
    (rows.decimal, "NaN"),
    (rows.decimal, "Infinity"),
    (rows.decimal, "１"),  # noqa: RUF001 - a full-width digit is the point
    (rows.decimal, " 1"),
    (rows.decimal, 1.5),
    (rows.decimal, True),
    (rows.decimal, {}),
    (rows.decimal, "1e40"),
    (rows.positive, "0"),
    (rows.positive, "-1"),
    (rows.integer, "1.0"),
    (rows.integer, "-1"),
    (rows.integer, "9" * 19),
    (rows.integer, 2**63),
    (rows.integer, False),
    (rows.integer, "٣"),
    (rows.milliseconds, 0),
    (rows.milliseconds, -1),
    (rows.milliseconds, rows.MS_MAX + 1),
    (rows.record, []),
    (rows.records, {}),
]


@pytest.mark.parametrize(("read", "value"), BAD, ids=lambda case: getattr(case, "__name__", repr(case)[:20]))
def test_a_bad_value_is_refused_by_name(read: Callable[[Row, str], object], value: object) -> None:
    with pytest.raises(BadInput) as refusal:
        read({"px": value}, "px")
    assert refusal.value.field == "px"
    assert refusal.value.problem
    assert refusal.value.remedy


@pytest.mark.parametrize("row", [{}, {"px": None}])
@pytest.mark.parametrize(
    "read", [rows.text, rows.identifier, rows.decimal, rows.positive, rows.integer, rows.milliseconds, rows.record]
)
def test_missing_and_null_are_refused(read: Callable[[Row, str], object], row: Row) -> None:
    with pytest.raises(BadInput, match="missing"):
        read(row, "px")


@pytest.mark.parametrize("row", [{}, {"px": None}, {"px": ""}])
def test_optional_fields_may_be_absent(row: Row) -> None:
    assert rows.optional_text(row, "px") == ""
    assert rows.optional_identifier(row, "px") == ""
    assert rows.optional_decimal(row, "px") is None


def test_values_are_read_exactly() -> None:
    row = {"oid": 77, "px": "0.10", "n": Decimal("1.50"), "time": 1_700_000_000_001, "word": "x", "yes": True}
    assert rows.identifier(row, "oid") == "77"
    assert str(rows.decimal(row, "px")) == "0.10"
    assert rows.optional_decimal(row, "n") == Decimal("1.5")
    assert rows.milliseconds(row, "time") == 1_700_000_000_001_000_000
    assert rows.one_of(row, "word", {"x": 5}) == 5
    assert rows.flag(row, "yes", default=False)
    assert rows.flag(row, "no", default=True)


def test_an_unknown_word_is_refused_with_the_known_ones() -> None:
    with pytest.raises(BadInput, match="Known are: A, B"):
        rows.one_of({"side": "X"}, "side", {"B": 1, "A": 2})
    with pytest.raises(BadInput, match="neither true nor false"):
        rows.flag({"side": "yes"}, "side", default=False)


def test_one_bad_row_stops_no_other() -> None:
    results, refused = rows.read_each("f", [{"n": 1}, None, {"n": "x"}, {"n": 4}], lambda row: rows.integer(row, "n"))
    assert results == [1, 4]
    assert [(r.row, r.field, r.raw) for r in refused] == [(2, "row", b"null"), (3, "n", b'{"n":"x"}')]


def test_a_refused_row_is_kept_within_bounds() -> None:
    error = BadInput("n", "y" * 10_000, "too long", remedy="Shorten it.")
    refusal = rows.refused("f", 3, {"n": "y" * 100_000, "d": Decimal("1.5")}, error)
    assert len(refusal.raw) == rows.RAW_MAX
    assert len(refusal.value) <= 200
    assert rows.refused("f", 1, {"d": Decimal("1.5")}, error).raw == b'{"d":"1.5"}'
    assert rows.refused("f", 1, b"\xff,", error).raw == b"\xff,"


def test_twins_are_told_apart_and_named_the_same_every_time() -> None:
    first, second = WeakIds(), WeakIds()
    names = [first.name(FILL).venue_trade_id, first.name(FILL).venue_trade_id]
    assert names[0] != names[1]
    assert names == [second.name(FILL).venue_trade_id, second.name(FILL).venue_trade_id]
    assert first.name(FILL).weak


def test_a_weak_name_is_of_the_terms_whatever_their_digits() -> None:
    same = FillBooked(
        ACCOUNT, "BTC/USDC:USDC", "net", "buy", Decimal("1.0"), Decimal("1.5"), Decimal(0), "USDC", 1_000_000, ""
    )
    assert WeakIds().name(FILL).venue_trade_id == WeakIds().name(same).venue_trade_id
    fee = WeakIds().name(FeeCharged(ACCOUNT, Decimal(1), "USDC", 5, ""))
    assert fee.weak
    assert fee.venue_id.startswith("weak:")


@given(st.dictionaries(st.text(), st.none() | st.text() | st.integers() | st.decimals() | st.lists(st.integers())))
def test_no_row_makes_a_reader_fail_otherwise(row: dict[str, object]) -> None:
    for read in (rows.text, rows.identifier, rows.decimal, rows.positive, rows.integer, rows.milliseconds):
        results, refused = rows.read_each("f", [row], lambda row, read=read: [read(row, field) for field in row])  # type: ignore[misc]
        assert len(results) + len(refused) == 1
