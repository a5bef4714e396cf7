"""The paper exchange's calls and answers as bytes: what only a connection needs, and the framing.

A frame is four bytes of length, big-endian, and so many bytes of msgpack: one tagged struct. A connection carries one
call and its answer, so that a late answer can never be taken for another call's; a ``Subscribe`` connection carries
reports until it ends.
"""

import asyncio
from typing import Generic, TypeVar

import msgspec

from trueup.model import errors
from trueup.model.events import Fact
from trueup.venues.paper.calls import Answer, AnyCall, Call, Found, Listed, Marked, Page, Snapped

FRAME_BYTES_MAX = 16 * 1024 * 1024
"""A page of history is a tenth of a megabyte; a longer frame is a stranger's, or an error."""

_HEADER_BYTES = 4


class Subscribe(Call, frozen=True):
    """Answered by :class:`Subscribed`, then any number of :class:`Reported` and :class:`Beat`."""


class Subscribed(Answer, frozen=True):
    """Reports follow."""


class Reported(Answer, frozen=True):
    """A fact that happened."""

    fact: Fact


class Beat(Answer, frozen=True):
    """Nothing happened, and the connection is alive."""


class Failed(Answer, frozen=True):
    """A :class:`~trueup.model.errors.VenueError`, by its code."""

    code: str
    message: str
    remedy: str
    venue_code: str = ""
    venue_text: str = ""

    @classmethod
    def of(cls, error: errors.VenueError) -> "Failed":
        """The error as it travels."""
        return cls(error.code, error.message, error.remedy, error.venue_code, error.venue_text)

    def error(self) -> errors.VenueError:
        """The error as it is raised."""
        kind = _ERRORS.get(self.code, errors.VenueError)
        return kind(self.message, remedy=self.remedy, venue_code=self.venue_code, venue_text=self.venue_text)


AnyAnswer = Listed | Snapped | Page | Found | Marked | Subscribed | Reported | Beat | Failed

CALLS: msgspec.msgpack.Decoder[AnyCall | Subscribe] = msgspec.msgpack.Decoder(AnyCall | Subscribe)
ANSWERS: msgspec.msgpack.Decoder[AnyAnswer] = msgspec.msgpack.Decoder(AnyAnswer)

_ERRORS: dict[str, type[errors.VenueError]] = {
    kind.code: kind
    for kind in (
        errors.Rejected,
        errors.RateLimited,
        errors.AuthenticationFailed,
        errors.Unavailable,
        errors.OutcomeUnknown,
        errors.Malformed,
    )
}

T = TypeVar("T")
A = TypeVar("A", bound=Answer)


def decode(frame: str | bytes, decoder: "msgspec.msgpack.Decoder[T]") -> T:
    """The struct in a frame. Raises :class:`Malformed` where it is none that is known."""
    try:
        return decoder.decode(frame if isinstance(frame, bytes) else frame.encode())
    except msgspec.MsgspecError as error:
        raise errors.Malformed(f"A frame that cannot be read: {error}.") from error


def expect(answer: Answer, expected: type[A]) -> A:
    """The answer, where it is of the kind that was due. Raises :class:`Malformed`."""
    if not isinstance(answer, expected):
        raise errors.Malformed(f"The paper venue answered {type(answer).__name__} where {expected.__name__} was due.")
    return answer


def unless_failed(answer: Answer) -> Answer:
    """The answer; raises the error that it stands for, where it stands for one."""
    if isinstance(answer, Failed):
        raise answer.error()
    return answer


class FrameReader(Generic[T]):
    """Frames of one connection. Giving up on waiting for one loses nothing."""

    def __init__(self, stream: asyncio.StreamReader, decoder: "msgspec.msgpack.Decoder[T]") -> None:
        self._stream = stream
        self._decoder = decoder
        self._size: int | None = None

    async def read(self) -> T:
        """The struct in the next frame. Raises as :meth:`frame` does; Malformed also where it is none that is known."""
        return decode(await self.frame(), self._decoder)

    async def frame(self) -> bytes:
        """The next frame.

        Raises:
            EOFError: The connection ended, between frames or within one.
            OSError: It broke.
            Malformed: A frame too long.
        """
        if self._size is None:
            self._size = int.from_bytes(await self._stream.readexactly(_HEADER_BYTES), "big")
        if self._size > FRAME_BYTES_MAX:
            raise errors.Malformed(f"A frame of {self._size} bytes; at most {FRAME_BYTES_MAX} are taken.")
        frame = await self._stream.readexactly(self._size)
        self._size = None
        return frame


async def send(stream: asyncio.StreamWriter, message: Call | Answer) -> None:
    """Send a struct as one frame; returns when the connection takes more. Raises OSError when it is broken."""
    await send_frame(stream, msgspec.msgpack.encode(message))


async def send_frame(stream: asyncio.StreamWriter, frame: bytes) -> None:
    """Send one frame. Raises as :func:`send` does."""
    stream.write(len(frame).to_bytes(_HEADER_BYTES, "big") + frame)
    await stream.drain()
