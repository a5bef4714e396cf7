"""Saved answers on disk: opening them safely, and reading their JSON without losing a digit.

A file holds one answer, or one JSON value a line, or is a cassette of recorded requests and answers (YAML). Whoever
saved it, it may be anything: sizes and nesting are bounded, and what cannot be read is refused by name.
"""

import base64
import binascii
import re
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from pathlib import Path
from typing import cast

import msgspec
import yaml

from trueup.model.differences import VenuePosition, VenueSnapshot
from trueup.model.errors import BadInput, Malformed
from trueup.model.identifiers import PositionKey
from trueup.venues import looks
from trueup.venues.rows import shown

FILE_BYTES_MAX = 512 * 1024 * 1024
"""Of a file, and of an answer once unpacked."""

CASSETTE_BYTES_MAX = 64 * 1024 * 1024
"""YAML is read by a slow but safe parser (the fast one overflows the stack on deep nesting)."""

NESTING_MAX = 64
"""Levels of an answer; venues stay below ten."""

_CASSETTE = re.compile(rb"^interactions:", re.MULTILINE)
_HEAD_BYTES = 65_536
_SAVE_AGAIN = "Save the venue's answer again, as it came."
_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_OK = range(200, 300)

# What the YAML library raises for scalars that are not what their tag says, and for absurd nesting.
_SCALAR_ERRORS = (ValueError, AttributeError, LookupError, TypeError, RecursionError)


class Answer(msgspec.Struct, frozen=True):
    """One answer of a venue, as saved.

    Attributes:
        name: The file, with ``#1``, ``#2``, … for the answers of a cassette.
        data: The answer itself.
        sha256: Of the whole file, in hexadecimal: its provenance.
        request: The body of the request that it answers, where the file says it.
    """

    name: str
    data: bytes
    sha256: str
    request: bytes | None = None


def open_answers(path: Path) -> Sequence[Answer]:
    """The answers that a file holds, in its order.

    Raises:
        BadInput: Not a file that can be read, empty, or too large.
        Malformed: A cassette that cannot be read, or that recorded a failed request.
    """
    data = _contents(path)
    digest = sha256(data).hexdigest()
    if _CASSETTE.search(data, 0, _HEAD_BYTES) is None:
        return (Answer(path.name, data, digest),)
    return tuple(
        Answer(f"{path.name}#{number}", body, digest, request)
        for number, (request, body) in enumerate(_interactions(path.name, data), 1)
    )


def json_value(name: str, data: bytes) -> object:
    """The JSON value in ``data``; numbers with a point or an exponent become exact decimals.

    Raises:
        Malformed: Not JSON in UTF-8, or nested too deeply. ``NaN`` and ``Infinity`` are not JSON.
    """
    try:
        value: object = _DECODER.decode(data.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, InvalidOperation) as error:
        what, remedy = looks.not_json(data)
        message = f"{name}: not JSON; it looks like {what}." if what else f"{name}: not JSON: {shown(error)}."
        raise Malformed(message, remedy=remedy or _SAVE_AGAIN) from error
    except RecursionError:
        raise _too_deep(name) from None
    _check_nesting(name, value)
    return value


def merge_snapshots(snapshots: Sequence[VenueSnapshot]) -> VenueSnapshot:
    """The parts of one account's state as one snapshot.

    Where a part is given more than once the latest cut wins, the last one given where cuts do not tell; one without a
    cut counts as older than one with. Positions are told apart by their scope, balances by their wallet. The whole is
    as old as its oldest part, and a part that one of the answers failed to give is failed.

    Raises:
        BadInput: Nothing to merge, or several accounts.
    """
    accounts = sorted({snapshot.account for snapshot in snapshots})
    if len(accounts) != 1:
        raise BadInput(
            "account", ", ".join(accounts), "not exactly one account", remedy="Give the answers of one account."
        )
    ordered = sorted(snapshots, key=lambda s: -1 if s.cut is None else s.cut)
    by_scope = {s.position_scope: s for s in ordered if s.positions is not None}
    by_wallet = {_wallet(currency): s for s in ordered for currency in s.balances or ()}
    orders = [s for s in ordered if s.open_orders is not None][-1:]
    used = [*by_scope.values(), *by_wallet.values(), *orders]
    failed = {part: reason for s in ordered for part, reason in s.failed.items()}
    return VenueSnapshot(
        account=accounts[0],
        cut=min((s.cut for s in used if s.cut is not None), default=None),
        positions=None if "positions" in failed else _positions(by_scope.values()),
        balances=None if "balances" in failed else _balances(ordered, by_wallet),
        open_orders=None if "open_orders" in failed or not orders else orders[0].open_orders,
        unmapped={symbol: row for s in used for symbol, row in s.unmapped.items()},
        failed=failed,
        position_scope=_scope(by_scope),
        source=tuple(dict.fromkeys(name for s in used for name in s.source)),
    )


# --- files ------------------------------------------------------------------------------------------------------------


def _contents(path: Path) -> bytes:
    try:
        if not path.is_file():  # a pipe would block for ever
            raise _unusable(path, "not a file", "Give the path of a saved answer.")
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise _unusable(path, f"cannot be read ({error.strerror})", "Check the path and its permissions.") from error
    if len(data) > FILE_BYTES_MAX:
        raise _unusable(path, f"more than {FILE_BYTES_MAX} bytes", "Split it into several answers.")
    if not data.strip():
        raise _unusable(path, "empty", "Save the venue's answer again; an empty answer is not a flat account.")
    return data


def _unusable(path: Path, problem: str, remedy: str) -> BadInput:
    return BadInput("file", str(path), problem, remedy=remedy)


# --- JSON -------------------------------------------------------------------------------------------------------------


def _check_nesting(name: str, value: object) -> None:
    """Refuse what later code could not walk recursively, without recursion."""
    level = [value]
    for _ in range(NESTING_MAX):
        level = [child for node in level for child in _children(node) if type(child) is dict or type(child) is list]
        if not level:
            return
    raise _too_deep(name)


def _children(node: object) -> Iterable[object]:
    if isinstance(node, dict):
        return node.values()
    return node if isinstance(node, list) else ()


def _too_deep(name: str) -> Malformed:
    return Malformed(f"{name}: nested more than {NESTING_MAX} levels deep.", remedy=_SAVE_AGAIN)


# --- cassettes --------------------------------------------------------------------------------------------------------


class _Loader(yaml.SafeLoader):
    """YAML without merge keys: recorders write none, and nested ones grow without bound."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Leave ``<<`` a key; it has no value of its own, so it is refused."""


def _interactions(name: str, data: bytes) -> Iterator[tuple[bytes | None, bytes]]:
    """Request and answer of each interaction; all are checked before the first is used."""
    left = FILE_BYTES_MAX
    for number, item in enumerate(_recorded(name, data), 1):
        label = f"{name}#{number}"
        response = _mapping(_mapping(item).get("response"))
        code = _mapping(response.get("status")).get("code")
        if code not in _OK:
            raise Malformed(
                f"{label}: the recorded request failed (status {shown(code)}).",
                remedy="Take this interaction out of the file; a failed query is no answer.",
            )
        body = _bytes(_mapping(response.get("body")).get("string"))
        if body is None:
            raise Malformed(f"{label}: the response has no body.", remedy="Record the request again.")
        answer = unpacked(label, body, left)
        left -= len(answer)
        yield _bytes(_mapping(_mapping(item).get("request")).get("body")), answer


def _recorded(name: str, data: bytes) -> Sequence[object]:
    if len(data) > CASSETTE_BYTES_MAX:
        raise Malformed(
            f"{name}: a cassette of more than {CASSETTE_BYTES_MAX} bytes.", remedy="Save its answers as JSON files."
        )
    try:
        recorded = _mapping(yaml.load(data, _Loader)).get("interactions")  # noqa: S506 - a stricter SafeLoader
    except (yaml.YAMLError, *_SCALAR_ERRORS) as error:
        raise Malformed(f"{name}: not YAML: {shown(error)}.", remedy="Record the cassette again.") from error
    if not isinstance(recorded, list):
        raise Malformed(f"{name}: no list of interactions.", remedy="Record the cassette again.")
    return recorded


def _mapping(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}


def _bytes(value: object) -> bytes | None:
    """A body as recorders write it: text, ``!!binary``, or base64 under a key of its own."""
    if isinstance(value, Mapping):
        encoded = value.get("base64_string")
        try:
            return base64.b64decode(encoded, validate=True) if isinstance(encoded, str | bytes) else None
        except (binascii.Error, ValueError):
            return None
    if isinstance(value, str):
        return value.encode(errors="surrogatepass")
    return value if isinstance(value, bytes) else None


def unpacked(label: str, body: bytes, size_max: int) -> bytes:
    """The body without its gzip wrapping, if it has one; bounded, since a small one may unpack to a huge one.

    Raises:
        Malformed: Damaged, cut off, or more than ``size_max`` bytes once unpacked.
    """
    if not body.startswith(b"\x1f\x8b"):
        return body
    unpacker = zlib.decompressobj(wbits=31)
    try:
        data = unpacker.decompress(body, max(size_max, 1))
    except zlib.error as error:
        raise Malformed(f"{label}: damaged gzip: {error}.", remedy="Record the request again.") from error
    if not unpacker.eof:
        raise Malformed(f"{label}: gzip that is cut off or unpacks too large.", remedy="Record the request again.")
    return data


# --- snapshots --------------------------------------------------------------------------------------------------------


def _positions(parts: Collection[VenueSnapshot]) -> Mapping[PositionKey, VenuePosition] | None:
    if not parts:
        return None
    merged: dict[PositionKey, VenuePosition] = {}
    for part in parts:
        scope = part.position_scope or frozenset()
        merged = {key: position for key, position in merged.items() if key[0] not in scope}
        merged |= part.positions or {}
    return merged


def _scope(parts: Collection[frozenset[str] | None]) -> frozenset[str] | None:
    return frozenset[str]().union(*(scope or () for scope in parts)) if parts and None not in parts else None


def _balances(ordered: Sequence[VenueSnapshot], by_wallet: Mapping[str, VenueSnapshot]) -> Mapping[str, Decimal] | None:
    if all(snapshot.balances is None for snapshot in ordered):
        return None
    return {
        currency: amount
        for wallet, snapshot in by_wallet.items()
        for currency, amount in (snapshot.balances or {}).items()
        if _wallet(currency) == wallet
    }


def _wallet(currency: str) -> str:
    return currency.partition("@")[2]
