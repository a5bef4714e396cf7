"""A TCP proxy that cuts, half-closes or stalls by command what lies between a program and its server.

It knows nothing of what it carries, and works in threads of its own, so that any program can be tried with it.
"""

import contextlib
import socket
import threading
from collections.abc import Callable
from enum import Enum
from itertools import count
from types import TracebackType
from typing import Self

_PIECE = 1 << 16


class Moment(Enum):
    """When a connection is cut, seen from one message of the client."""

    BEFORE = "before it is passed on"
    HALFWAY = "when its first half was passed on"
    SENT = "when it was passed on, whatever becomes of it"
    ANSWERED = "when it was passed on and its answer has come, which is swallowed"


class TcpProxy:
    """Passes connections on to a server until it is told otherwise; after :meth:`mend` again, on the same port.

    Attributes:
        port: Where it listens on the loopback address.
        cuts: How many connections were cut at a message.
    """

    def __init__(self, host: str, port: int) -> None:
        self._server = host, port
        self._pairs: list[_Pair] = []
        self._flowing = threading.Event()
        self._flowing.set()
        self._listener = self._listen(0)
        self._cut_at: Callable[[bytes], Moment | None] = lambda _data: None
        self._meanwhile: Callable[[], object] = lambda: None
        self.port: int = self._listener.getsockname()[1]
        self.cuts = 0

    def cut(self) -> None:
        """Refuse new connections and break those there are."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()
        self._flowing.set()

    def hang_up(self) -> None:
        """Break the connections there are."""
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            _end(pair.near, pair.far)

    def half_close(self) -> None:
        """Let the server seem to say its last word on the connections there are, and go on listening."""
        for pair in self._pairs:
            pair.silent = True
            with contextlib.suppress(OSError):
                pair.near.shutdown(socket.SHUT_WR)

    def stall(self) -> None:
        """Pass nothing on, either way, and break nothing."""
        self._flowing.clear()

    def cut_at(
        self,
        words: bytes,
        moment: Moment,
        *,
        nth: int = 1,
        times: int = 1,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> None:
        """Cut the connections whose client next sends a message with these words.

        Args:
            words: Of a message that the client sends by itself, after the answer to the one before.
            moment: When to cut.
            nth: The first of these messages that is struck; 0 for none.
            times: How many of them; later ones pass.
            meanwhile: Done when the server has been cut off, before the client can know.
        """
        last, seen = self.cuts + times, count()

        def found(data: bytes) -> Moment | None:
            if words not in data or self.cuts == last or not nth or next(seen) < nth - 1:
                return None
            self.cuts += 1
            return moment

        self._cut_at, self._meanwhile = found, meanwhile

    def mend(self) -> None:
        """Let everything through again, what was stalled first."""
        self._flowing.set()
        if self._listener.fileno() < 0:
            self._listener = self._listen(self.port)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self.cut()

    def _listen(self, port: int) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", port), reuse_port=False)
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return listener

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self._server)
            except OSError:  # nobody listens there: neither does anybody here, for this one
                near.close()
                continue
            for end in (near, far):  # else a message in two pieces waits for the first to be acknowledged
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            pair = _Pair(near, far)
            self._pairs.append(pair)
            for way in (self._to_server, self._to_client):
                threading.Thread(target=way, args=(pair,), daemon=True).start()

    def _to_server(self, pair: "_Pair") -> None:
        with contextlib.suppress(OSError):
            while data := pair.near.recv(_PIECE):
                self._flowing.wait()
                moment = self._cut_at(data)
                pair.swallows = moment is Moment.ANSWERED
                if moment is None or pair.swallows:
                    pair.far.sendall(data)
                    continue
                pair.cut = True
                pair.far.sendall(data[: _passed_on(data, moment)])
                _end(pair.far)
                self._meanwhile()
                break
        _end(pair.near, pair.far)
        pair.near.close()

    def _to_client(self, pair: "_Pair") -> None:
        with contextlib.suppress(OSError):
            while data := pair.far.recv(_PIECE):
                self._flowing.wait()
                if pair.swallows:
                    _end(pair.far)
                    self._meanwhile()
                    break
                if not (pair.cut or pair.silent):
                    pair.near.sendall(data)
        if not pair.cut:  # else the client is told by who cut it, in its own time
            _end(pair.near, pair.far)
        pair.far.close()


class _Pair:
    """One connection of a client, and the one that carries it on."""

    def __init__(self, near: socket.socket, far: socket.socket) -> None:
        self.near, self.far = near, far
        self.swallows = self.cut = self.silent = False


def _passed_on(data: bytes, moment: Moment) -> int:
    return {Moment.BEFORE: 0, Moment.HALFWAY: len(data) // 2}.get(moment, len(data))


def _end(*sockets: socket.socket) -> None:
    for end in sockets:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
