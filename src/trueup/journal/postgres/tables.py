"""How rows get into tables. What lives only here: the form of the statements; columns stand in the migrations.

Rows are those of :mod:`trueup.journal.views_rows`: numbers and mappings as text, truth values as 0 and 1. They travel
as one JSON array per column, which costs half of what the driver's own arrays do, and become on the server what the
column holds; so one statement writes any number of rows.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from trueup.journal.postgres.transaction import Transaction
from trueup.journal.views_rows import Row

COUNTED = "version"
"""A column that rows do not hold, where it counts the changes of a row: see :data:`COUNTING`."""

COUNTING = frozenset({"book_positions"})

UNDERIVED = frozenset({"ledgers", "frames", "snapshots", "instances", "trueup_migrations"})
"""Tables whose rows are not a function of the frames."""

_SHAPES = """
    SELECT relname AS name,
           array_agg(attname::text ORDER BY attnum) AS columns,
           array_agg(format_type(atttypid, atttypmod) ORDER BY attnum) AS types,
           array_agg(attname::text ORDER BY array_position(indkey::smallint[], attnum))
               FILTER (WHERE attnum = ANY (indkey)) AS key
    FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
    JOIN pg_index ON indrelid = pg_class.oid AND indisprimary
    WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' AND attnum > 0 AND NOT attisdropped
    GROUP BY relname, pg_class.oid"""


class Shape(NamedTuple):
    """A table as the database has it: its columns with their types, in order, and its primary key."""

    columns: Mapping[str, str]
    key: Sequence[str]


async def shapes(connection: Transaction) -> Mapping[str, Shape]:
    """Every table of the schema, by name."""
    rows = await connection.fetch(_SHAPES)
    return {row["name"]: Shape(dict(zip(row["columns"], row["types"], strict=True)), row["key"]) for row in rows}


def upsert(name: str, shape: Shape, columns: Sequence[str] | None = None) -> str:
    """The statement that puts rows into a table, where their keys are there already in the place of the old ones.

    Args:
        name: Of the table.
        shape: Of the table.
        columns: In the order of the rows; without, those of the table in its own order.
    """
    counting = name in COUNTING
    names = list(columns or (column for column in shape.columns if not (counting and column == COUNTED)))
    arrays = ", ".join(f"json_array_elements_text(${number}::json)" for number in range(1, len(names) + 1))
    values = ", ".join(f"sent.{column}::{shape.columns[column]}" for column in names)
    into = ", ".join(names)
    changed = [f"{column} = excluded.{column}" for column in names if column not in shape.key]
    changed += [f"{COUNTED} = {name}.{COUNTED} + 1"] if counting else []
    return (
        f"INSERT INTO {name} ({into}) SELECT {values} FROM ROWS FROM ({arrays}) AS sent ({into}) "  # noqa: S608 - ours
        f"ON CONFLICT ({', '.join(shape.key)}) DO UPDATE SET {', '.join(changed)}"
    )


def by_column(rows: Sequence[Row]) -> Sequence[str]:
    """Rows as the arguments that :func:`upsert` takes."""
    return [_ENCODE(column).decode() for column in zip(*rows, strict=True)]


def derived(found: Mapping[str, Shape]) -> Sequence[str]:
    """The tables that are derived from the frames, those that refer to others first."""
    return sorted((name for name in found if name not in UNDERIVED), key=lambda name: (name in _REFERRED_TO, name))


_REFERRED_TO = frozenset({"instruments"})

_ENCODE = msgspec.json.Encoder().encode
