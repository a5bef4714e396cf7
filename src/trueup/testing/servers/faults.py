"""What goes wrong on the wire, and when: a plan made beforehand, as plain data.

It can be kept in a file::

    [[faults]]
    kind = "status"
    status = 503
    at = "after"       # the order was placed, and the answer says that something broke
    method = "POST"
    path = "/orders"
    nth = 2

Each fault counts what it matches for itself, and strikes from the ``nth`` time on, as many ``times`` as it says. Where
several would strike at once, the first of the plan does.
"""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from trueup.model.errors import BadInput

Natural = Annotated[int, msgspec.Meta(ge=1)]
Count = Annotated[int, msgspec.Meta(ge=0)]
Moment = Literal["before", "halfway", "after"]
"""Of a request: before it is acted on; when it was, and half of the answer is out; when it was, without an answer."""


class Fault(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", forbid_unknown_fields=True):
    """What all faults have in common.

    Attributes:
        method: Of the requests it matches; empty for any. A WebSocket opens with GET.
        path: A part of their path; empty for any.
        nth: The first one that it strikes, counted from 1.
        times: How many of those that follow, the first included; 0 for all.
    """

    method: str = ""
    path: str = ""
    nth: Natural = 1
    times: Count = 1


class MessageFault(Fault, frozen=True, kw_only=True):
    """Strikes a message of a WebSocket or of a streamed answer.

    Attributes:
        message: Words that it holds, such as the name of its channel; empty for any.
    """

    message: str = ""


class Delay(MessageFault, frozen=True, kw_only=True, tag="delay"):
    """The message, and what is behind it, arrives ``for_ms`` later."""

    for_ms: Natural


class Drop(MessageFault, frozen=True, kw_only=True, tag="drop"):
    """The message never arrives."""


class Duplicate(MessageFault, frozen=True, kw_only=True, tag="duplicate"):
    """The message arrives twice."""


class Reorder(MessageFault, frozen=True, kw_only=True, tag="reorder"):
    """The message arrives after the next one of its connection."""


class Cut(Fault, frozen=True, kw_only=True):
    """Ends a connection.

    Attributes:
        message: Strikes in the place of a message with these words; None to strike a request.
        at: When, of a request.
    """

    message: str | None = None
    at: Moment = "after"


class HalfClose(Cut, frozen=True, kw_only=True, tag="half_close"):
    """The venue says nothing any more on this connection, and goes on listening."""


class Reset(Cut, frozen=True, kw_only=True, tag="reset"):
    """The connection breaks off."""


class Status(Fault, frozen=True, kw_only=True, tag="status"):
    """Another answer than the venue's own.

    Attributes:
        at: Whether the request was acted on all the same.
        retry_after_s: What the answer says of when to come back; None where it does not.
    """

    status: Annotated[int, msgspec.Meta(ge=400, le=599)]
    at: Literal["before", "after"] = "before"
    body: str = ""
    retry_after_s: Count | None = None


class SlowBody(Fault, frozen=True, kw_only=True, tag="slow_body"):
    """The body of the answer comes in small pieces with a pause before each."""

    piece_bytes: Natural
    pause_ms: Natural


class WrongClock(Fault, frozen=True, kw_only=True, tag="wrong_clock"):
    """From this request on the venue's clock is off by ``by_ms``, for ``for_ms``, or for good where that is 0."""

    by_ms: int
    for_ms: Count = 0


class Maintenance(Fault, frozen=True, kw_only=True, tag="maintenance"):
    """From this request on, for ``for_ms``, every stream ends and every request is refused with ``status``."""

    for_ms: Natural
    status: Annotated[int, msgspec.Meta(ge=400, le=599)] = 503
    body: str = ""


AnyFault = Delay | Drop | Duplicate | Reorder | HalfClose | Reset | Status | SlowBody | WrongClock | Maintenance

KINDS: Mapping[str, type[Fault]] = {
    str(kind.__struct_config__.tag): kind
    for kind in (Delay, Drop, Duplicate, Reorder, HalfClose, Reset, Status, SlowBody, WrongClock, Maintenance)
}


class WirePlan(msgspec.Struct, frozen=True):
    """Everything that is to go wrong between a server and its clients."""

    faults: tuple[AnyFault, ...] = ()

    @classmethod
    def parse(cls, text: str, name: str = "plan") -> "WirePlan":
        """A plan from TOML.

        Raises:
            BadInput: Not TOML, or a plan with mistakes: all of them at once, each with what to write instead.
        """
        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise BadInput("plan", name, f"not TOML: {error}", remedy="Mend the line that is named.") from error
        mistakes = list(_mistakes(data))
        if mistakes:
            raise BadInput("plan", name, "; ".join(mistakes), remedy="Mend each of these.")
        return msgspec.convert(data, cls)

    @classmethod
    def load(cls, path: Path) -> "WirePlan":
        """A plan from a file. Raises :class:`BadInput` as :meth:`parse` does, and where it cannot be read."""
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput("plan", str(path), f"cannot be read: {error}", remedy="Name a TOML file.") from error
        return cls.parse(text, str(path))


NO_FAULTS = WirePlan()


def _mistakes(data: Mapping[str, object]) -> Iterator[str]:
    for key in data.keys() - {"faults"}:
        yield f"{key}: not known; a plan has [[faults]] only"
    listed = data.get("faults", [])
    if not isinstance(listed, list):
        yield "faults: not a list; begin each fault with [[faults]]"
        return
    for number, fault in enumerate(listed, start=1):
        for mistake in _mistakes_of(fault):
            yield f"fault {number}: {mistake}"


def _mistakes_of(fault: object) -> Iterator[str]:
    if not isinstance(fault, dict):
        yield "not a table; begin it with [[faults]]"
        return
    kind = KINDS.get(str(fault.get("kind")))
    if kind is None:
        yield f"kind={fault.get('kind')!r}: not known; write one of {', '.join(KINDS)}"
        return
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for name in fault.keys() - fields.keys() - {"kind"}:
        yield f"{name}: not known; {fault['kind']} has {', '.join(fields)}"
    for name, field in fields.items():
        if name in fault:
            yield from _mistake_in(name, fault[name], field.type)
        elif field.required:
            yield f"{name}: missing; {fault['kind']} needs it"


def _mistake_in(name: str, value: object, wanted: Any) -> Iterator[str]:  # noqa: ANN401 - a type, of any form
    try:
        msgspec.convert(value, wanted)
    except msgspec.ValidationError as error:
        yield f"{name}={value!r}: {error}"
