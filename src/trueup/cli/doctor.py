"""``trueup doctor``: is everything as it should be, and what to do where it is not?"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trueup.cli.options import Data, ExitCode, Json, backup_directory
from trueup.cli.output import Output

if TYPE_CHECKING:
    from trueup.engine.health import Check
    from trueup.journal.postgres.address import Place

CODES = {"ok": ExitCode.FINE, "warn": ExitCode.DIFFERENCES, "fail": ExitCode.ERROR}


def doctor(
    ctx: typer.Context,
    *,
    backup: Annotated[
        Path | None,
        typer.Option(
            "--backup",
            metavar="DIR",
            envvar="TRUEUP_BACKUP",
            default_factory=backup_directory,
            help="Look at these backups too.",
            show_default=False,
        ),
    ],
    data: Data = None,
    as_json: Json = False,
) -> int:
    """Check that all is well, and say what to do where it is not.

    It looks at versions, the disk, the lock, the chain of every ledger, the views, the backups, and what waits for a
    person. Each finding comes with its remedy.

    Exit code 0: all is well; 1: something to look at; 3: something is broken.

    Example:
      trueup doctor --json
    """
    from trueup.bootstrap import last_proven
    from trueup.cli.session import place
    from trueup.engine import health
    from trueup.engine.clock import SystemClock

    out = Output(as_json=as_json)
    where = place(ctx, data)
    checks = [*health.check_versions()]
    if isinstance(where, Path):
        checks += health.check_directory(where)
    if not isinstance(where, Path) or where.exists():
        checks += _check_stored(where, out)
    if isinstance(where, Path):
        checks += health.check_scrubbed(last_proven(where), SystemClock().now())
    if backup is not None:
        checks += _check_backups(backup)
    verdict = health.worst(checks)
    if as_json:
        from trueup.cli.shapes import plain

        out.data({"verdict": verdict, "checks": plain(checks)})
    else:
        _show(checks)
    return CODES[verdict]


def _check_stored(where: "Place", out: Output) -> "Sequence[Check]":
    """What is stored, when nobody else has the directory; the books are opened only if every chain is whole."""
    from trueup.bootstrap import open_storage, open_store
    from trueup.engine import health
    from trueup.engine.verifying import stored_accounts, verify_storage
    from trueup.model.errors import DirectoryLocked, NotFound, StorageError

    try:
        storage = open_storage(where)
    except DirectoryLocked as locked:
        return [health.Check("lock", "warn", f"{locked.message} Chains and views were not checked.", locked.remedy)]
    except NotFound as empty:
        return [health.Check("database", "warn", empty.message, empty.remedy)]
    except StorageError as failure:
        return [health.Check("store", "fail", failure.message, failure.remedy)]
    try:
        accounts = stored_accounts(storage)
        with out.progress("verifying") as progress:
            proof = verify_storage(storage, accounts, lambda _, done, total: progress(done, total))
        checks = [*health.check_place(storage), *health.check_proof(proof), *health.check_snapshots(proof)]
    finally:
        storage.close()
    if not proof.ok:
        return checks
    store = open_store(where, create=False)
    try:
        return [*checks, *health.check_booked(store, accounts)]
    finally:
        store.close()


def _check_backups(path: Path) -> "Sequence[Check]":
    from trueup.bootstrap import open_destination
    from trueup.engine.backup_health import check_backups

    return check_backups(lambda: open_destination(path))


def _show(checks: "Sequence[Check]") -> None:
    from trueup.cli import render

    columns = [render.text("CHECK"), render.text("STATE"), render.prose("FOUND"), render.prose("REMEDY")]
    render.show_table(columns, [[check.name, check.verdict, check.detail, check.remedy] for check in checks])
