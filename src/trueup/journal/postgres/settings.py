"""Whether a server keeps what it has acknowledged. What lives only here: the settings that are read back, and refused.

They are read when a connection is made and again in each commit, since a reload changes them while it is open.
"""

from collections.abc import Mapping
from typing import Any

from trueup.journal.postgres import limits
from trueup.journal.postgres.address import Address
from trueup.journal.postgres.transaction import Transaction
from trueup.model.errors import NotDurable, StorageError

DURABLE = ("fsync", "full_page_writes", "synchronous_commit")
"""What must not be off, or a crash of the server or its machine loses commits or tears pages."""

AS_COLUMNS = ", ".join(f"current_setting('{name}') AS {name}" for name in DURABLE)

_SHOW = f"""
    SELECT current_setting('server_version_num')::integer AS version, current_setting('server_version') AS version_text,
           current_setting('server_encoding') AS encoding,
           current_setting('transaction_read_only') AS read_only, {AS_COLUMNS}"""


async def read_settings(connection: Transaction) -> Mapping[str, Any]:
    """What is read back, by name."""
    row = await connection.fetchrow(_SHOW)
    return dict(row or {})


async def require_durable(connection: Transaction, address: Address) -> None:
    """Refuse a server that is too old, is a standby, or may lose what it acknowledged.

    Raises:
        NotDurable: A setting is off.
        StorageError: Another reason; the message names it.
    """
    found = await read_settings(connection)
    if found["version"] < limits.SERVER_VERSION_MIN:
        least = limits.SERVER_VERSION_MIN // 10_000
        raise StorageError(f"{address} is PostgreSQL {found['version_text']}.", remedy=f"Use version {least} or later.")
    if found["read_only"] == "on":
        raise _only_reads(address)
    if found["encoding"] != "UTF8":
        raise StorageError(
            f"{address} stores text as {found['encoding']}.",
            remedy="Make the database with ENCODING 'UTF8' TEMPLATE template0.",
        )
    refuse_off(found, address)


async def require_primary(connection: Transaction, address: Address) -> None:
    """Refuse a standby to read from: it may not have yet what was booked a moment ago. Raises :class:`StorageError`."""
    if await connection.fetchval("SELECT pg_is_in_recovery()"):
        raise _only_reads(address)


def _only_reads(address: Address) -> StorageError:
    return StorageError(f"{address} only reads, as a standby does.", remedy="Name the primary.")


def refuse_off(found: Mapping[str, Any], address: Address) -> None:
    """Raises :class:`NotDurable` when one of :data:`DURABLE` is off."""
    for name in DURABLE:
        if found[name] == "off":
            raise NotDurable(
                f"{address} has {name} = off: it would acknowledge what a crash may lose.",
                remedy=f"Set {name} = on in postgresql.conf, or where ALTER ROLE or ALTER DATABASE put it, and reload.",
            )
