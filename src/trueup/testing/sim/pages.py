"""One file as a machine holds it: what programs see, what stands on the medium, and what the cache still owes it.

The model: programs write into pages of the kernel's cache. Until a sync returns, the medium may have got any of the
versions that a page went through, each sector by itself and in any order. A sync that returns has put all of it there
(the disk never lies). A sync that fails leaves the pages clean though the medium may lack them: they read as written
until the cache drops them, and a later sync has nothing to do. Writing into a page makes all of it dirty again.
"""

from collections.abc import Iterable
from random import Random
from typing import NamedTuple, TypeVar

Version = TypeVar("Version", bytes, int)

PAGE = 4096
"""What the kernel caches and writes as one."""


class Fate(NamedTuple):
    """How a loss of power treats what was not synced.

    Attributes:
        sector: Bytes that the drive writes whole or not at all.
        chance: That something written reached the medium; 0 for nothing, 1 for all.
        ordered: Whether names change in the order in which they were changed, as on a journalling file system.
    """

    sector: int
    chance: float
    ordered: bool


class CachedFile:
    """A file. Its content for programs is :attr:`live`.

    Attributes:
        live: As programs read it.
        lost: Pages that a failed sync left clean though the medium may not have them.
    """

    def __init__(self) -> None:
        self.live = bytearray()
        self.lost: set[int] = set()
        self._medium: dict[int, bytes] = {}
        self._medium_size = 0
        self._dirty: dict[int, list[bytes]] = {}
        self._sizes: list[int] = []
        self._before_cut: tuple[dict[int, bytes], int] | None = None

    @property
    def owes(self) -> bool:
        """Whether a loss of power could take something."""
        return bool(self._dirty or self._sizes or self.lost or self._before_cut)

    def write(self, data: bytes, offset: int) -> None:
        """A program writes."""
        end = offset + len(data)
        if end > len(self.live):
            self.live.extend(bytes(end - len(self.live)))
            self._sizes.append(end)
        self.live[offset:end] = data
        for number in range(offset // PAGE, -(-end // PAGE)):
            self._dirty.setdefault(number, []).append(self._page(number))

    def truncate(self, size: int, random: Random, fate: Fate) -> None:
        """A program cuts the file, or lengthens it with zeros."""
        if size >= len(self.live):
            if size > len(self.live):
                self.live.extend(bytes(size - len(self.live)))
                self._sizes.append(size)
            return
        self._flush(random, fate)  # a disk may write at any time, so what it has of the past is decided here
        if self._before_cut is None:
            self._before_cut = (dict(self._medium), self._medium_size)
        del self.live[size:]
        pages = -(-size // PAGE)
        for table in (self._medium, self._dirty):
            for number in [number for number in table if number >= pages]:
                del table[number]
        self.lost = {number for number in self.lost if number < pages}
        self._medium_size = min(size, self._medium_size)
        if size % PAGE and pages - 1 in self._medium:
            self._medium[pages - 1] = self._medium[pages - 1][: size % PAGE].ljust(PAGE, b"\0")

    def sync(self) -> None:
        """A sync that returns: whatever is dirty is on the medium."""
        for number, versions in self._dirty.items():
            self._medium[number] = versions[-1]
            self.lost.discard(number)
        self._dirty.clear()
        self._sizes.clear()
        self._medium_size = len(self.live)
        self._before_cut = None

    def fail_sync(self, random: Random, fate: Fate) -> None:
        """A sync that fails: some of it is on the medium, and the kernel holds all of it for written."""
        self._flush(random, fate)
        for number in self._dirty:
            if self._medium.get(number, _BLANK) != self._page(number):
                self.lost.add(number)
        self._dirty.clear()

    def evict(self) -> Iterable[int]:
        """The cache drops its clean pages; the offsets of those that now read as the medium has them."""
        dropped = sorted(number for number in self.lost if number not in self._dirty)
        for number in dropped:
            start, end = number * PAGE, min((number + 1) * PAGE, len(self.live))
            self.live[start:end] = self._medium.get(number, _BLANK)[: end - start]
        self.lost.difference_update(dropped)
        return [number * PAGE for number in dropped]

    def lose_power(self, random: Random, fate: Fate) -> None:
        """All that is left is the medium's, with what happened to reach it."""
        self._flush(random, fate)
        if self._before_cut is not None and random.random() >= fate.chance:
            self._medium, self._medium_size = self._before_cut
        content = bytearray(self._medium_size)
        for number, page in self._medium.items():
            start = number * PAGE
            if start < len(content):
                end = min(start + PAGE, len(content))
                content[start:end] = page[: end - start]
        self.live = content
        self._medium = {number: self._page(number) for number in self._medium if number * PAGE < len(content)}
        self.lost.clear()
        self._dirty.clear()
        self._sizes.clear()
        self._before_cut = None

    def _page(self, number: int) -> bytes:
        return bytes(self.live[number * PAGE : (number + 1) * PAGE]).ljust(PAGE, b"\0")

    def _flush(self, random: Random, fate: Fate) -> None:
        """Some of what is dirty reaches the medium: of each sector some version, and some size."""
        for number, versions in self._dirty.items():
            page = self._medium.get(number, _BLANK)
            self._medium[number] = b"".join(
                _some((page, *versions), random, fate.chance)[start : start + fate.sector]
                for start in range(0, PAGE, fate.sector)
            )
        if self._sizes:
            self._medium_size = _some((self._medium_size, *self._sizes), random, fate.chance)


_BLANK = bytes(PAGE)


def _some(versions: tuple[Version, ...], random: Random, chance: float) -> Version:
    """The newest of several versions with the given chance, else any of those before it."""
    if random.random() < chance:
        return versions[-1]
    return versions[random.randrange(len(versions) - 1)] if len(versions) > 1 else versions[0]
