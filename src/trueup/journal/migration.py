"""Numbered schema files, forward only. What lives only here: what they are, and which of them a database still lacks.

A database keeps the hash of each file that ran in it, so one written by a newer trueup, or by files that were edited
after they had run, is told apart.
"""

from collections.abc import Sequence
from hashlib import blake2b
from importlib import resources
from typing import NamedTuple


class Migration(NamedTuple):
    """One numbered file."""

    number: int
    name: str
    sql: str

    @property
    def hash(self) -> bytes:
        """blake2b-256 of its text."""
        return blake2b(self.sql.encode(), digest_size=32).digest()


class Unfit(Exception):
    """A database whose schema this version cannot use; the message says why."""


class Newer(Unfit):
    """More has run in it than this version knows."""


class Edited(Unfit):
    """What ran in it is not what this version would have run."""


def known(package: str = "trueup.journal") -> list[Migration]:
    """The migrations this version brings for a kind of database, in order."""
    files = resources.files(package).joinpath("migrations").iterdir()
    named = sorted((file.name, file) for file in files if file.name.endswith(".sql"))
    return [Migration(int(name[:4]), name, file.read_text(encoding="utf-8")) for name, file in named]


def pending(done: Sequence[bytes], migrations: Sequence[Migration]) -> Sequence[Migration]:
    """What has to run yet, given the hashes of what did.

    Raises:
        Newer: A newer version has been there.
        Edited: A migration was edited after it had run.
    """
    if len(done) > len(migrations):
        raise Newer(f"It has schema {len(done)}; this trueup knows {len(migrations)}.")
    for number, (migration, hash_) in enumerate(zip(migrations, done, strict=False), start=1):
        if migration.number != number or migration.hash != hash_:
            raise Edited(f"Migration {migration.name} is not the one that ran.")
    return migrations[len(done) :]
