"""The names in a directory: what programs see, and what a loss of power leaves of it.

The model: to create, rename or delete changes the directory in the cache; only its own sync makes that last. What was
not synced survives in part: a beginning of it, where the file system keeps changes in order, or any selection. Each
change is whole or not at all, so that a rename never leaves a file without either name.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Union

from trueup.testing.sim.pages import CachedFile, Fate

Node = Union[CachedFile, "CachedDirectory"]


class CachedDirectory:
    """A directory. Its names for programs are :attr:`live`."""

    def __init__(self) -> None:
        self.live: dict[str, Node] = {}
        self._medium: dict[str, Node] = {}
        self._pending: list[Mapping[str, Node | None]] = []

    def change(self, change: Mapping[str, Node | None]) -> None:
        """Names come, go (None), or stand for something else, in one step."""
        self._pending.append(change)
        _apply(self.live, change)

    def sync(self) -> None:
        """The names last."""
        self._medium = dict(self.live)
        self._pending.clear()

    def lose_power(self, random: Random, fate: Fate) -> None:
        """What is left of the names, and of what they stand for."""
        for change in self._pending:
            if random.random() < fate.chance:
                _apply(self._medium, change)
            elif fate.ordered:
                break
        self._pending.clear()
        self.live = dict(self._medium)
        for node in self.live.values():
            node.lose_power(random, fate)

    def find(self, path: Path) -> "CachedDirectory":
        """A directory below this one, by its path from here."""
        here = self
        for name in path.parts:
            node = here.live[name]
            if not isinstance(node, CachedDirectory):
                raise NotADirectoryError(str(path))
            here = node
        return here

    def files(self) -> Iterator[tuple[Path, CachedFile]]:
        """Every file below, by its path from here."""
        for name, node in list(self.live.items()):  # a database that is thrown away meanwhile deletes its log
            if isinstance(node, CachedFile):
                yield Path(name), node
            else:
                yield from ((Path(name) / path, file) for path, file in node.files())

    def directories(self) -> Iterator[Path]:
        """Every directory below, by its path from here, the outer ones first."""
        for name, node in self.live.items():
            if isinstance(node, CachedDirectory):
                yield Path(name)
                yield from (Path(name) / path for path in node.directories())


def _apply(names: dict[str, Node], change: Mapping[str, Node | None]) -> None:
    for name, node in change.items():
        if node is None:
            names.pop(name, None)
        else:
            names[name] = node
