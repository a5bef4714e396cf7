"""Events to bytes and back. What lives only here: the encoding of a frame's body, and how old bodies stay readable.

A body is a msgpack array of events, each an array of its tag and its fields. Fields are only ever appended, so an older
body is read with their defaults; a change of meaning is a new tag, and an *upcaster* turns the old array into the new
one when it is read. What this version does not know it refuses by name. Every number must be finite, on the way in as
on the way out: a body that could not be read back is never written.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Any, get_args

import msgspec

from trueup import __version__
from trueup.model.errors import BadInput, JournalDamaged, UnknownTag
from trueup.model.events import Event

CODEC_VERSION = 1
"""Changes whenever a body of the version before would be read differently: a snapshot of other codecs is not used."""

Row = list[Any]
"""An event as msgpack has it: its tag, then its fields, untyped."""

Upcaster = Callable[[Row], Row]
"""Turns an event under an old tag into one under the next tag."""

UPCASTERS: Mapping[str, Upcaster] = MappingProxyType({})
"""By old tag. Empty until the first tag is retired."""

_FIXARRAY_ITEMS = 16
_ARRAY16_ITEMS = 65_536

_FIELDS = {str(kind.__struct_config__.tag): len(kind.__struct_fields__) for kind in get_args(Event)}
"""How many fields this version knows of each kind of event."""


class Decoder:
    """Reads bodies; the typed way first, and through the upcasters only where that fails."""

    def __init__(self, upcasters: Mapping[str, Upcaster] = UPCASTERS) -> None:
        self._upcasters = upcasters
        self._typed = msgspec.msgpack.Decoder(list[Event])

    def decode(self, body: bytes) -> list[Event]:
        """The events of a body.

        Raises:
            UnknownTag: An event of a kind that only a newer version can read.
            JournalDamaged: Not a body, or a number that is not finite.
        """
        try:
            events = self._typed.decode(body)
        except msgspec.DecodeError:
            events = self._decode_old(body)
        lowered = body.lower()  # a number may have been forged in any spelling that Decimal takes
        if b"nan" in lowered or b"inf" in lowered:
            _refuse_non_finite_read(events)
        return events

    def _decode_old(self, body: bytes) -> list[Event]:
        try:
            rows = [self._upcast(row) for row in msgspec.msgpack.decode(body, type=list[Row])]
            return self._typed.decode(_ENCODER.encode(rows))
        except msgspec.DecodeError as error:
            raise _damaged(str(error)) from error

    def _upcast(self, row: Row) -> Row:
        tag = _tag(row)
        for _ in self._upcasters:  # one step per retired tag at most, so a circle of them ends too
            if tag not in self._upcasters:
                break
            row = self._upcasters[tag](row)
            tag = _tag(row)
        if tag not in _FIELDS:
            raise UnknownTag(tag, __version__)
        if len(row) > 1 + _FIELDS[tag]:
            raise UnknownTag(f"{tag} with {len(row) - 1} fields", __version__)
        return row


def encode(events: Sequence[Event]) -> bytes:
    """The body of a frame that holds ``events``.

    Raises:
        BadInput: A number that is not finite.
    """
    body = _ENCODER.encode(events)
    if b"NaN" in body or b"Infinity" in body:
        for name, number in _non_finite(events):
            raise BadInput(
                name, number, "not a finite number", remedy="Leave out what is unknown; never book it as NaN."
            )
    return body


def encode_rows(events: Sequence[Event]) -> bytes:
    """A part of a body, for a frame that several callers share; to be joined by :func:`join_rows`.

    Raises:
        BadInput: A number that is not finite.
    """
    return encode(events)[len(_array_header(len(events))) :]


def join_rows(parts: Sequence[bytes], count: int) -> bytes:
    """The body that holds ``count`` events in all, from its parts in order."""
    return b"".join((_array_header(count), *parts))


def _array_header(count: int) -> bytes:
    """How msgpack opens an array of ``count`` items."""
    if count < _FIXARRAY_ITEMS:
        return bytes((0x90 | count,))
    if count < _ARRAY16_ITEMS:
        return b"\xdc" + count.to_bytes(2, "big")
    return b"\xdd" + count.to_bytes(4, "big")


def decode(body: bytes) -> list[Event]:
    """The events of a body, as :meth:`Decoder.decode` reads them with this version's upcasters."""
    return _DECODER.decode(body)


def _tag(row: Row) -> str:
    return str(row[0]) if row else ""


def _refuse_non_finite_read(events: Sequence[Event]) -> None:
    for name, number in _non_finite(events):
        raise _damaged(f"{name} is {number}, which nobody could have booked")


def _non_finite(structs: Iterable[msgspec.Struct]) -> Iterable[tuple[str, Decimal]]:
    for struct in structs:
        for name in struct.__struct_fields__:
            value = getattr(struct, name)
            if isinstance(value, Decimal) and not value.is_finite():
                yield name, value
            elif isinstance(value, msgspec.Struct):
                yield from _non_finite((value,))
            elif isinstance(value, tuple):
                yield from _non_finite(part for part in value if isinstance(part, msgspec.Struct))


def _damaged(problem: str) -> JournalDamaged:
    return JournalDamaged(
        f"A frame's body cannot be read as events: {problem}.",
        remedy="Run `trueup journal verify`; restore the data directory from a copy if the chain is broken.",
    )


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = Decoder()
