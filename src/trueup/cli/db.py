"""``trueup db``: the schema and the state of a database."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trueup.cli.options import Data, ExitCode, Json, backup_directory
from trueup.cli.output import Output
from trueup.cli.verbs import register

if TYPE_CHECKING:
    from trueup.engine.backing_up import Made
    from trueup.journal.postgres.address import Address
    from trueup.journal.postgres.status import Status
    from trueup.journal.postgres.storage import PostgresStorage


def upgrade(
    ctx: typer.Context,
    *,
    backup_to: Annotated[
        Path | None,
        typer.Option(
            "--backup-to",
            metavar="DIR",
            envvar="TRUEUP_BACKUP",
            default_factory=backup_directory,
            help="Back up every ledger to this directory first.",
            show_default=False,
        ),
    ],
    no_backup: Annotated[bool, typer.Option("--no-backup", help="You have a backup of your own.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> int:
    """Make the schema in an empty database, or bring an older one up to date.

    Each migration runs once, in a transaction of its own. Where there are events already, they are backed up first.

    Examples:
      trueup --data postgresql://trueup@db/trueup db upgrade
      trueup --data postgresql://trueup@db/trueup db upgrade --backup-to /mnt/safe/trueup
    """
    from trueup.bootstrap import open_outdated
    from trueup.journal.backup.manifests import short_name

    out = Output(as_json=as_json)
    storage = open_outdated(_address(ctx, data))
    try:
        schema = storage.schema()
        made = _backed_up(storage, backup_to, out) if schema.missing and schema.frames and not no_backup else None
        names = storage.upgrade()
    finally:
        storage.close()
    if as_json:
        out.data({"ran": list(names), "backup": None if made is None else short_name(made.manifest.name)})
    else:
        from trueup.cli import render

        for name in names:
            render.show(f"ran {name}")
        if not names:
            render.show("The schema is up to date.")
    return ExitCode.FINE


def status(ctx: typer.Context, *, data: Data = None, as_json: Json = False) -> int:
    """Show the server, its settings, the schema, the ledgers with their heads, sizes and connections.

    Exit code 1: the schema waits for an upgrade, or the triggers that protect the journal are off.

    Example:
      trueup --data postgresql://trueup@db/trueup db status --json
    """
    from trueup.bootstrap import open_outdated

    out = Output(as_json=as_json)
    storage = open_outdated(_address(ctx, data))
    try:
        found = storage.status()
    finally:
        storage.close()
    if as_json:
        from trueup.cli.shapes import plain

        out.data(plain(found))
    else:
        _show(found)
    return ExitCode.DIFFERENCES if found.pending or found.guards_off else ExitCode.FINE


def _address(ctx: typer.Context, data: str | None) -> "Address":
    """The database; raises :class:`BadInput` when the store is a directory."""
    from trueup.cli.session import place
    from trueup.model.errors import BadInput

    where = place(ctx, data)
    if isinstance(where, Path):
        raise BadInput(
            "data", where, "a directory, and this verb works on a database", remedy="Give --data postgresql://…"
        )
    return where


def _backed_up(storage: "PostgresStorage", to: Path | None, out: Output) -> "Made":
    """The backup that goes before a migration."""
    from trueup.bootstrap import back_up_outdated
    from trueup.journal.backup.manifests import short_name
    from trueup.model.errors import BackupFailed, BadInput

    if to is None:
        raise BadInput(
            "backup-to",
            "",
            "this database holds events",
            remedy="Give --backup-to DIR, or --no-backup if you have one.",
        )
    with out.progress("backing up") as progress:
        made = back_up_outdated(storage, to, progress)
    if made.findings:
        raise BackupFailed("; ".join(made.findings), remedy="Mend that first; the schema was not changed.")
    out.note(f"backed up to {to}: {short_name(made.manifest.name)}")
    return made


def _show(found: "Status") -> None:
    from trueup.cli import render

    settings = ", ".join(f"{name} {value}" for name, value in found.settings.items())
    connections = ", ".join(f"{number} {name}" for name, number in found.connections.items()) or "none"
    render.show(f"{found.address}: PostgreSQL {found.server}")
    render.show(f"settings: {settings}")
    render.show(f"schema: {found.schema}" + (f", pending: {', '.join(found.pending)}" if found.pending else ""))
    render.show(f"size: {found.database_bytes >> 20} MiB, frames {found.frames_bytes >> 20} MiB")
    render.show(f"connections: {connections}; the server allows {found.connections_max} in all")
    if found.guards_off:
        render.show(f"missing or disabled: {', '.join(found.guards_off)}, which protect the journal", "fail")
    columns = [render.text("LEDGER"), render.number("EPOCH"), render.number("SEQ"), render.text("RECORDED")]
    columns += [render.number("VIEWS AT"), render.text("HEAD")]
    rows: list[list[render.Cell]] = [
        [
            ledger.account,
            ledger.epoch,
            ledger.seq,
            render.moment(ledger.recorded_at),
            ledger.viewed,
            ledger.head_hash[:16],
        ]
        for ledger in found.ledgers
    ]
    render.show_table(columns, rows)


app = typer.Typer(no_args_is_help=True, help="The schema and the state of a PostgreSQL database.")
for verb in (upgrade, status):
    register(app, verb)
