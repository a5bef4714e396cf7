"""Where a store on PostgreSQL is. What lives only here: how that is written, and that its password is never shown.

``postgresql://USER@HOST:PORT/DATABASE`` in the form of libpq, TLS options such as ``?sslmode=verify-full`` included.
The writer needs a server's own address. Reads may go through a transaction pooler in front of it: ``?pool=HOST:PORT``.
"""

from pathlib import Path
from typing import Self
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

import msgspec

from trueup.model.errors import BadInput

SCHEMES = ("postgresql", "postgres")
HIDDEN = "***"
POOL = "pool"


class Address(msgspec.Struct, frozen=True):
    """A database on a server. Made by :meth:`parse`; as text it shows no password.

    Attributes:
        direct: For the writer, with the password.
        pooled: For reads, with the password; the same unless a pooler is named.
    """

    direct: str
    pooled: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """An address as a person gives it.

        Raises:
            BadInput: Not an address of a PostgreSQL database.
        """
        try:
            parts = urlsplit(text)
            options = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
            _ = parts.port  # raises for what is no port
        except ValueError as error:
            raise _refused(text, "it cannot be read as an address") from error
        if parts.scheme not in SCHEMES:
            raise _refused(text, "not an address of PostgreSQL")
        if not parts.path.strip("/"):
            raise _refused(text, "it names no database")
        kept = urlencode([(name, value) for name, value in options if name != POOL])
        pool = dict(options).get(POOL)
        direct = urlunsplit(parts._replace(query=kept))
        if pool is None:
            return cls(direct, direct)
        user, at, _ = parts.netloc.rpartition("@")
        return cls(direct, urlunsplit(parts._replace(netloc=f"{user}{at}{pool}", query=kept)))

    @staticmethod
    def is_one(text: str) -> bool:
        """Whether a place that a person names is meant to be a database and not a directory."""
        return text.startswith(tuple(f"{scheme}://" for scheme in SCHEMES))

    def without_password(self, text: str) -> str:
        """A text of somebody else's, in which the password may occur, without it."""
        parts = urlsplit(self.direct)
        secrets = [parts.password, *(value for name, value in parse_qsl(parts.query) if _is_secret(name))]
        for secret in filter(None, secrets):
            text = text.replace(secret, HIDDEN).replace(unquote(secret), HIDDEN)
        return text

    def __str__(self) -> str:
        return _shown(self.direct)

    def __repr__(self) -> str:
        return f"Address({_shown(self.direct)})"


Place = Path | Address
"""Where a store is: a data directory, or a database."""


def _refused(text: str, problem: str) -> BadInput:
    return BadInput("data", _shown(text), problem, remedy="Write postgresql://USER@HOST:PORT/DATABASE.")


def _shown(text: str) -> str:
    """An address, whole or broken, without what may be a password."""
    scheme, slashes, rest = text.partition("://")
    credentials, at, place = rest.rpartition("@")
    user, colon, _ = credentials.partition(":")
    place, question, query = place.partition("?")
    options = [f"{name}={HIDDEN}" if _is_secret(name) else f"{name}{eq}{value}" for name, eq, value in _split(query)]
    return f"{scheme}{slashes}{user}{colon and ':' + HIDDEN}{at}{place}{question}{'&'.join(options)}"


def _is_secret(option: str) -> bool:
    return "password" in option


def _split(query: str) -> list[tuple[str, str, str]]:
    return [option.partition("=") for option in query.split("&")] if query else []
