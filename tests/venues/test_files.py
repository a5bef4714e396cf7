"""Saved files: whatever they hold, they open or are refused by name."""

import base64
import gzip
import os
from contextlib import suppress
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.model.differences import VenuePosition, VenueSnapshot
from trueup.model.errors import BadInput, Malformed
from trueup.model.identifiers import AccountId
from trueup.venues import files
from trueup.venues.files import json_value, merge_snapshots, open_answers

ACCOUNT = AccountId("hyperliquid:main")


def save(folder: Path, data: bytes, name: str = "answer") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def cassette(*bodies: str, code: str = "200") -> bytes:
    lines = ["interactions:"]
    for number, body in enumerate(bodies, 1):
        lines += [
            "- request:",
            f'    body: \'{{"type": "t{number}"}}\'',
            "  response:",
            f"    body: {body}",
            "    status:",
            f"      code: {code}",
        ]
    return "\n".join([*lines, "version: 1", ""]).encode()


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_file_is_one_answer_with_its_provenance(tmp_path: Path) -> None:
    (answer,) = open_answers(save(tmp_path, b'{"a": 1}', "state.json"))
    assert (answer.name, answer.data, answer.request) == ("state.json", b'{"a": 1}', None)
    assert answer.sha256 == sha256(b'{"a": 1}').hexdigest()


@pytest.mark.parametrize("data", [b"", b" \n\t "])
def test_an_empty_file_is_not_a_flat_account(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(BadInput, match="not a flat account"):
        open_answers(save(tmp_path, data))


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "absent", tmp_path / "pipe"):
        with pytest.raises(BadInput, match="not a file"):
            open_answers(path)


def test_what_the_system_refuses_is_refused_with_its_reason(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        open_answers(tmp_path / ("x" * 300))


def test_a_file_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "FILE_BYTES_MAX", 10)
    assert open_answers(save(tmp_path, b'["567890"]'))
    with pytest.raises(BadInput, match="more than 10 bytes"):
        open_answers(save(tmp_path, b'["5678901"]'))


# --- cassettes --------------------------------------------------------------------------------------------------------


def test_a_cassette_gives_every_answer_with_its_request(tmp_path: Path) -> None:
    packed = base64.b64encode(gzip.compress(b"[3]")).decode()
    plain = base64.b64encode(b"[4]").decode()
    bodies = ["{string: '[1]'}", f"{{string: !!binary {packed}}}", f"{{string: {{base64_string: {plain}}}}}"]
    answers = open_answers(save(tmp_path, cassette(*bodies), "c.yaml"))
    assert [(a.name, a.data, a.request) for a in answers] == [
        ("c.yaml#1", b"[1]", b'{"type": "t1"}'),
        ("c.yaml#2", b"[3]", b'{"type": "t2"}'),
        ("c.yaml#3", b"[4]", b'{"type": "t3"}'),
    ]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (cassette("{string: '[]'}", code="500"), "the recorded request failed"),
        (cassette("{string: '[]'}", code="null"), "the recorded request failed"),
        (cassette("{}"), "no body"),
        (cassette("{string: {base64_string: '*'}}"), "no body"),
        (cassette("{string: {base64_string: 5}}"), "no body"),
        (cassette("{string: !!binary H4sIAAAA}"), "cut off"),
        (cassette("{string: !!binary H4sI/////w==}"), "damaged gzip"),
        (b"interactions: 5", "no list of interactions"),
        (b"interactions:\n- [", "not YAML"),
        (b"interactions: 2020-99-99", "not YAML"),
        (b"interactions: " + b"[" * 10_000, "not YAML"),
        (b"interactions:\n- !!python/object:os.system {}", "not YAML"),
        (b"interactions: !!timestamp x", "not YAML"),
        (b"interactions: !!bool x", "not YAML"),
        (b"interactions: !!int ''", "not YAML"),
        (b"interactions: [&a {b: 1}, {<<: *a}]", "not YAML"),
    ],
)
def test_a_bad_cassette_is_refused_as_a_whole(tmp_path: Path, data: bytes, reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        open_answers(save(tmp_path, data))


def test_a_small_body_may_not_unpack_to_a_huge_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = base64.b64encode(gzip.compress(b" " * 1_000_000)).decode()
    path = save(tmp_path, cassette(f"{{string: !!binary {packed}}}"))
    assert len(open_answers(path)[0].data) == 1_000_000
    monkeypatch.setattr(files, "FILE_BYTES_MAX", 1_500_000)
    with pytest.raises(Malformed, match=r"#2: gzip .* unpacks too large"):
        open_answers(save(tmp_path, cassette(*[f"{{string: !!binary {packed}}}"] * 2), "two.yaml"))
    monkeypatch.setattr(files, "FILE_BYTES_MAX", 100_000)
    with pytest.raises(Malformed, match="unpacks too large"):
        open_answers(path)


def test_a_cassette_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "CASSETTE_BYTES_MAX", 20)
    with pytest.raises(Malformed, match="more than 20 bytes"):
        open_answers(save(tmp_path, cassette("{string: '[1]'}")))


# --- JSON -------------------------------------------------------------------------------------------------------------


def test_numbers_keep_every_digit() -> None:
    value = json_value("f", b"\xef\xbb\xbf[0.10, 1e400, 123456789012345678901234567890, -0.0]")
    assert [str(number) for number in value] == ["0.10", "1E+400", "123456789012345678901234567890", "-0.0"]  # type: ignore[attr-defined]
    assert not any(isinstance(number, float) for number in value)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[NaN]",
        b"[Infinity]",
        b"[1] 2",
        b'"\xff"',
        b'["\\ud800"]',
        b"[1e99999999999999999999]",
        b"9" * 10_000,
        b"[" * 100_000,
        b"[" * 65 + b"]" * 65,
        b'{"a":' * 65 + b"1" + b"}" * 65,
    ],
    ids=lambda data: repr(data[:20]),
)
def test_what_is_not_json_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed, match=r"^f: ") as refusal:
        json_value("f", data)
    assert refusal.value.remedy


@pytest.mark.parametrize(
    ("data", "what", "remedy"),
    [
        (b"POST\n/info\nfalse\n[\n  {}\n]\n", "a request recorded as text", "the answer's JSON alone"),
        (b"HTTP/1.1 200 OK\r\n\r\n{}", "a request recorded as text", "the answer's JSON alone"),
        (b"fills:\n- coin: BTC\n", "YAML that is no cassette", "record a cassette"),
        (b"- coin: BTC\n  px: '1'\n", "YAML that is no cassette", "record a cassette"),
        (b"# kept by hand\nfills: []\n", "YAML that is no cassette", "record a cassette"),
        (b"\xef\xbb\xbf<!doctype html>\n<p>", "a web page", "Ask again"),
        (b"time,coin,side\n1,BTC,B\n", "a table", "--venue generic"),
        (b"nothing in particular", "", "Save the venue's answer again"),
        (b'[{"coin": "BTC", "px"', "", "Save the venue's answer again"),
    ],
)
def test_what_is_not_json_is_told_by_what_it_looks_like(data: bytes, what: str, remedy: str) -> None:
    with pytest.raises(Malformed, match=f"not JSON; it looks like {what}" if what else "not JSON: ") as refusal:
        json_value("f", data)
    assert remedy in refusal.value.remedy


def test_nesting_within_bounds_is_read() -> None:
    assert json_value("f", b"[" * 64 + b"]" * 64)


@given(st.binary(max_size=200) | st.text(alphabet='{}[],:"0123456789.eE-+\\unaN ', max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(Malformed):
        json_value("f", data)


@given(st.binary(max_size=200) | st.text(max_size=60).map(str.encode))
def test_any_cassette_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed.yaml"
    path.write_bytes(b"interactions:" + data)
    with suppress(Malformed):
        open_answers(path)


# --- snapshots --------------------------------------------------------------------------------------------------------


def position(instrument: str, quantity: int) -> VenuePosition:
    return VenuePosition(instrument, "net", Decimal(quantity))


def state(cut: int | None, scope: frozenset[str] | None = None, **quantities: int) -> VenueSnapshot:
    held = {(name, "net"): position(name, quantity) for name, quantity in quantities.items()}
    return VenueSnapshot(ACCOUNT, cut=cut, positions=held, position_scope=scope, source=(f"state{cut}",))


def quantities(snapshot: VenueSnapshot) -> dict[str, int]:
    return {key[0]: int(held.quantity) for key, held in (snapshot.positions or {}).items()}


def test_parts_come_together() -> None:
    cash = VenueSnapshot(ACCOUNT, balances={"USDC": Decimal(5)}, source=("cash",))
    orders = VenueSnapshot(ACCOUNT, open_orders={}, unmapped={"@1": "order in @1"}, source=("orders",))
    merged = merge_snapshots([orders, state(7, BTC=1), cash])
    assert (quantities(merged), merged.balances, merged.open_orders) == ({"BTC": 1}, {"USDC": Decimal(5)}, {})
    assert (merged.cut, merged.unmapped) == (7, {"@1": "order in @1"})
    assert set(merged.source) == {"state7", "cash", "orders"}


def test_what_no_answer_says_stays_unknown() -> None:
    merged = merge_snapshots([state(7)])
    assert (merged.positions, merged.balances, merged.open_orders) == ({}, None, None)
    assert merge_snapshots([VenueSnapshot(ACCOUNT)]).positions is None


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_later_cut_wins_in_whatever_order(order: tuple[int, int]) -> None:
    parts = [state(7, BTC=1, ETH=2), state(8, BTC=3)]
    merged = merge_snapshots([parts[index] for index in order])
    assert (quantities(merged), merged.cut, merged.source) == ({"BTC": 3}, 8, ("state8",))


def test_scopes_stand_side_by_side_and_the_whole_is_as_old_as_the_oldest() -> None:
    merged = merge_snapshots([state(8, frozenset({"BTC", "ETH"}), BTC=1), state(7, frozenset({"XYZ"}), XYZ=2)])
    assert quantities(merged) == {"BTC": 1, "XYZ": 2}
    assert (merged.position_scope, merged.cut) == (frozenset({"BTC", "ETH", "XYZ"}), 7)


def test_a_later_scope_clears_what_it_speaks_for() -> None:
    merged = merge_snapshots([state(7, None, BTC=1, XYZ=2), state(8, frozenset({"XYZ", "ABC"}), ABC=3)])
    assert quantities(merged) == {"BTC": 1, "ABC": 3}
    assert merged.position_scope is None


def test_balances_are_replaced_wallet_by_wallet() -> None:
    old = VenueSnapshot(ACCOUNT, cut=1, balances={"USDC": Decimal(1), "USDC@spot": Decimal(2), "PURR@spot": Decimal(3)})
    new = VenueSnapshot(ACCOUNT, cut=2, balances={"USDC@spot": Decimal(9)})
    assert merge_snapshots([new, old]).balances == {"USDC": Decimal(1), "USDC@spot": Decimal(9)}
    assert merge_snapshots([VenueSnapshot(ACCOUNT, balances={})]).balances == {}


def test_a_part_that_failed_anywhere_is_failed() -> None:
    broken = VenueSnapshot(ACCOUNT, failed={"positions": "a row of it could not be read"})
    merged = merge_snapshots([state(7, BTC=1), broken])
    assert merged.positions is None
    assert merged.failed == {"positions": "a row of it could not be read"}


def test_several_accounts_are_not_merged() -> None:
    with pytest.raises(BadInput, match="not exactly one account"):
        merge_snapshots([state(7), VenueSnapshot(AccountId("hyperliquid:other"))])
    with pytest.raises(BadInput, match="not exactly one account"):
        merge_snapshots([])
