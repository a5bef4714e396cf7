"""How a database stands: its server, settings, schema, ledgers, sizes and connections, read in one transaction."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from trueup.journal.postgres import migrations
from trueup.journal.postgres.database import APPLICATION, Database
from trueup.journal.postgres.settings import DURABLE, read_settings
from trueup.journal.postgres.transaction import Transaction
from trueup.model.errors import StorageError
from trueup.model.identifiers import AccountId, Seq


class LedgerStatus(msgspec.Struct, frozen=True):
    """One ledger, by its row.

    Attributes:
        viewed: Seq that the derived rows are true at.
    """

    account: AccountId
    epoch: int
    seq: Seq
    head_hash: str
    recorded_at: int
    viewed: Seq


class Status(msgspec.Struct, frozen=True):
    """A database that may hold a store.

    Attributes:
        address: Without its password.
        server: Its version.
        settings: Those that durability depends on.
        schema: How many migrations ran; 0 where there is no store yet.
        pending: Those that have to run, by name.
        guards_off: Triggers that protect the journal and are missing or disabled.
        ledgers: By account.
        frames_bytes, database_bytes: On disk, indexes included.
        connections: Of trueup, by what they are for.
        connections_max: Of the server, for all.
    """

    address: str
    server: str
    settings: Mapping[str, str]
    schema: int
    pending: Sequence[str]
    guards_off: Sequence[str]
    ledgers: Sequence[LedgerStatus]
    frames_bytes: int
    database_bytes: int
    connections: Mapping[str, int]
    connections_max: int


_LEDGERS = "SELECT name, epoch, applied, head, recorded_at, viewed FROM ledgers ORDER BY name"

_SIZES = """
    SELECT coalesce(pg_total_relation_size(to_regclass('frames')), 0) AS frames,
           pg_database_size(current_database()) AS database,
           current_setting('max_connections')::integer AS connections_max"""

_CONNECTIONS = """
    SELECT application_name, count(*) AS number FROM pg_stat_activity
    WHERE datname = current_database() AND application_name LIKE $1 GROUP BY application_name ORDER BY 1"""


def read_status(database: Database) -> Status:
    """How a database stands.

    Raises:
        StorageError: It cannot be read, or its schema is newer than this version or was edited.
    """

    async def work(connection: Transaction) -> Status:
        settings = await read_settings(connection)
        schema = await migrations.schema(connection, database)
        ledgers = [] if schema.fresh else await connection.fetch(_LEDGERS)
        (sizes,) = await connection.fetch(_SIZES)
        connections = await connection.fetch(_CONNECTIONS, f"{APPLICATION} %")
        return Status(
            address=str(database.address),
            server=settings["version_text"],
            settings={name: settings[name] for name in DURABLE},
            schema=len(schema.done),
            pending=[migration.name for migration in schema.missing],
            guards_off=[] if schema.fresh else sorted(migrations.GUARDS - schema.guards),
            ledgers=[_ledger(row) for row in ledgers],
            frames_bytes=sizes["frames"],
            database_bytes=sizes["database"],
            connections={row["application_name"]: row["number"] for row in connections},
            connections_max=sizes["connections_max"],
        )

    return database.read(work, StorageError)


def _ledger(row: Any) -> LedgerStatus:  # noqa: ANN401 - a record
    return LedgerStatus(
        account=AccountId(row["name"]),
        epoch=row["epoch"],
        seq=Seq(row["applied"]),
        head_hash=row["head"].hex(),
        recorded_at=row["recorded_at"],
        viewed=Seq(row["viewed"]),
    )
