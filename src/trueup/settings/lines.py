"""Where in a TOML text each key stands: tomllib does not tell."""

import tomllib
from collections.abc import Iterator, Mapping

KeyPath = tuple[str, ...]
"""The tables that a key is in, then itself."""


def lines_of(text: str) -> Iterator[tuple[KeyPath, int]]:
    """The line on which each table and key of a TOML text begins; the text is known to be whole.

    tomllib tells no lines. So a statement is lines until they are TOML by themselves.
    """
    outer: KeyPath
    table: KeyPath = ()
    statement, began = "", 0
    for number, line in enumerate(text.split("\n"), start=1):
        began = began if statement else number
        statement += line + "\n"
        try:
            said = tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            continue
        key = _innermost(said)
        if statement.lstrip().startswith("["):
            outer, table = (), key
        else:
            outer = table
        yield from (((*outer, *key[:end]), began) for end in range(1, len(key) + 1))
        statement = ""


def _innermost(said: Mapping[str, object]) -> KeyPath:
    """The path of the one key of a statement."""
    place: list[str] = []
    value: object = said
    while isinstance(value, dict) and len(value) == 1:
        ((key, value),) = value.items()
        place.append(key)
    return tuple(place)
