"""``trueup backup``: take one, list them, prove one, let old ones go."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trueup.cli.options import BackupFrom, BackupInto, Data, ExitCode, Json
from trueup.cli.output import Output
from trueup.cli.verbs import register

if TYPE_CHECKING:
    from trueup.engine.backing_up import Made, Pruned
    from trueup.engine.proving import Verified
    from trueup.engine.restoring import RestoredLedger
    from trueup.journal.backup.manifests import Described, LedgerBackup


def create(ctx: typer.Context, *, to: BackupInto, data: Data = None, as_json: Json = False) -> int:
    """Back up every ledger: what the newest backup has already is not copied again.

    The directory is made when there is none, in one that is there. It should be on another disk than the data, and
    best a folder of its own on it, such as /mnt/safe/trueup: while that disk is not mounted, nothing is then written
    in its place.

    A ledger that is damaged, or does not continue what the backup has of it, keeps its place in the backup as it is;
    that is said, and makes the exit code 1.

    Examples:
      trueup backup create --to /mnt/safe/trueup
      TRUEUP_BACKUP=/mnt/safe/trueup trueup backup create --json
    """
    from trueup.bootstrap import open_destination
    from trueup.cli.session import opened, place
    from trueup.engine.backing_up import back_up, finished

    out = Output(as_json=as_json)
    where = place(ctx, data)
    directory = where if isinstance(where, Path) else None
    with opened(where, out) as store, out.progress("backing up") as progress:
        destination = open_destination(to, create=True, apart_from=directory)
        if directory is not None and destination.shares_disk_with(directory):
            out.note("The backup is on the disk that the data are on: it does not outlive that disk.")
        made = finished(back_up(store, destination, quiet=True), lambda at: progress(at.seq, at.head))
    if as_json:
        out.data(_made_shape(made))
    else:
        _show_made(made)
    return ExitCode.DIFFERENCES if made.findings else ExitCode.FINE


def list_backups(*, source: BackupFrom, as_json: Json = False) -> int:
    """List the backups, the newest last: when each was taken, what it holds, and whether a restore has proved it.

    Exit code 1: one of them cannot be read.

    Example:
      trueup backup list --from /mnt/safe/trueup
    """
    from trueup.bootstrap import open_destination
    from trueup.journal.backup.manifests import described

    out = Output(as_json=as_json)
    backups = described(open_destination(source))
    if as_json:
        out.data([_backup_shape(backup) for backup in backups])
    else:
        _show_backups(backups)
    return ExitCode.DIFFERENCES if any(backup.problem for backup in backups) else ExitCode.FINE


def verify(
    *,
    backup: Annotated[str, typer.Argument(metavar="[BACKUP]", help="As listed; the newest unless told.")] = "",
    source: BackupFrom,
    scratch: Annotated[
        Path | None,
        typer.Option(
            "--scratch",
            metavar="DIR",
            exists=True,
            file_okay=False,
            help="Where the backup is restored for the test; it needs room for the whole journal and its views.",
        ),
    ] = None,
    as_json: Json = False,
) -> int:
    """Restore a backup into a scratch place, fold it to the state it was taken of, and mark it as proven.

    Every blob is hashed, every event folded. Besides, every other backup is looked at: whether its manifest is what
    was written, and its blobs are there and as large as they should be. The exit code is 1 when something is not.

    Examples:
      trueup backup verify --from /mnt/safe/trueup
      trueup backup verify 2026-03-02T120000.000000000Z-000000001200 --from /mnt/safe/trueup --scratch /var/tmp
    """
    from trueup.bootstrap import open_destination
    from trueup.engine.clock import SystemClock
    from trueup.engine.proving import verify as verified
    from trueup.journal.backup.new_directory import refuse_inside

    out = Output(as_json=as_json)
    if scratch is not None:
        refuse_inside("scratch", scratch, source)
    with out.progress("restoring") as progress:
        found = verified(open_destination(source), backup, SystemClock(), scratch, progress)
    if as_json:
        out.data(_verified_shape(found))
    else:
        _show_verified(found)
    return ExitCode.DIFFERENCES if found.problems else ExitCode.FINE


def prune(
    *,
    source: BackupFrom,
    newest: Annotated[int, typer.Option("--newest", metavar="N", min=1, help="Keep the newest N.")] = 24,
    days: Annotated[
        int, typer.Option("--days", metavar="N", min=0, help="Keep the last one of each of the newest N days.")
    ] = 30,
    months: Annotated[
        int, typer.Option("--months", metavar="N", min=0, help="Keep the last one of each of the newest N months.")
    ] = 24,
    as_json: Json = False,
) -> int:
    """Delete the backups that no rule keeps, and the blobs that no kept backup needs.

    The newest proven one always stays. Days and months are UTC, and count only where they have backups. A blob stays
    for an hour at least, as a backup may be on its way that needs it. Nothing is deleted while a backup that is to be
    kept cannot be read; that is said, and makes the exit code 1.

    Example:
      trueup backup prune --from /mnt/safe/trueup --newest 10 --days 14 --months 12
    """
    from trueup.bootstrap import open_destination
    from trueup.engine.backing_up import prune as pruned
    from trueup.engine.clock import SystemClock
    from trueup.journal.backup.retention import Keep

    out = Output(as_json=as_json)
    done = pruned(open_destination(source), Keep(newest, days, months), SystemClock().now())
    if as_json:
        out.data(_pruned_shape(done))
    else:
        _show_pruned(done)
    return ExitCode.DIFFERENCES if done.findings else ExitCode.FINE


def _made_shape(made: "Made") -> dict[str, object]:
    from trueup.cli.shapes import plain_fields
    from trueup.journal.backup.manifests import short_name

    return plain_fields(
        backup=short_name(made.manifest.name),
        new=bool(made.name),
        created_at=made.manifest.created_at,
        events=made.manifest.events,
        new_events=made.new_events,
        new_blobs=made.new_chunks,
        new_bytes=made.new_bytes,
        ledgers=[_ledger_shape(ledger) for ledger in made.manifest.ledgers],
        findings=list(made.findings),
    )


def _ledger_shape(ledger: "LedgerBackup") -> dict[str, object]:
    from trueup.cli.shapes import plain_fields

    return plain_fields(
        account=ledger.account,
        head_seq=ledger.head_seq,
        head_hash=ledger.head_hash,
        recorded_at=ledger.recorded_at,
        state_seq=ledger.state_seq,
        state_hash=ledger.state_hash,
        blobs=len(ledger.chunks),
        bytes=sum(chunk.packed_size for chunk in ledger.chunks),
    )


def _show_made(made: "Made") -> None:
    from trueup.cli import render
    from trueup.journal.backup.manifests import short_name

    _show_ledgers(made.manifest.ledgers)
    if made.name:
        what = f"{made.new_events} new events in {made.new_chunks} blobs, {made.new_bytes} bytes"
        render.show(f"Backup {short_name(made.name)}: {what}.", "ok")
        render.show("Prove it with `trueup backup verify`.")
    else:
        render.show(f"Nothing is new since backup {short_name(made.manifest.name)}.")
    for finding in made.findings:
        render.show(finding, "fail")


def _show_ledgers(ledgers: "Sequence[LedgerBackup]") -> None:
    from trueup.cli import render

    columns = [render.text("LEDGER"), render.number("EVENTS"), render.number("BLOBS"), render.number("BYTES")]
    columns += [render.text("RECORDED"), render.text("HEAD")]
    rows: list[list[render.Cell]] = [
        [
            ledger.account,
            ledger.head_seq,
            len(ledger.chunks),
            sum(chunk.packed_size for chunk in ledger.chunks),
            render.moment(ledger.recorded_at or None),
            ledger.head_hash[:16],
        ]
        for ledger in ledgers
    ]
    render.show_table(columns, rows)


def _backup_shape(backup: "Described") -> dict[str, object]:
    from trueup.cli.shapes import plain_fields
    from trueup.journal.backup.manifests import short_name

    return plain_fields(
        backup=short_name(backup.name),
        created_at=backup.created_at,
        events=backup.events,
        bytes=backup.bytes,
        proven_at=backup.proven_at,
        ledgers=[_ledger_shape(ledger) for ledger in backup.ledgers],
        problem=backup.problem,
    )


def _show_backups(backups: "Sequence[Described]") -> None:
    from trueup.cli import render
    from trueup.journal.backup.manifests import short_name

    columns = [render.text("BACKUP"), render.text("TAKEN"), render.number("LEDGERS"), render.number("EVENTS")]
    columns += [render.number("BYTES"), render.text("PROVEN"), render.prose("PROBLEM")]
    rows: list[list[render.Cell]] = [
        [
            short_name(backup.name),
            render.moment(backup.created_at),
            len(backup.ledgers),
            backup.events,
            backup.bytes,
            "no" if backup.proven_at is None else render.moment(backup.proven_at),
            backup.problem,
        ]
        for backup in backups
    ]
    if rows:
        render.show_table(columns, rows)
    else:
        render.show("There is no backup yet: take one with `trueup backup create`.")


def _verified_shape(found: "Verified") -> dict[str, object]:
    from trueup.cli.shapes import plain, plain_fields
    from trueup.journal.backup.manifests import short_name

    return plain_fields(
        backup=short_name(found.name),
        proven=found.proven,
        ledgers=plain(list(found.ledgers)),
        problems=list(found.problems),
    )


def _show_verified(found: "Verified") -> None:
    from trueup.cli import render
    from trueup.journal.backup.manifests import short_name

    if found.proven:
        show_restored(found.ledgers)
        render.show(f"Backup {short_name(found.name)} was restored and is proven.", "ok")
    for problem in found.problems:
        render.show(problem, "fail")
    if found.problems and not found.proven:
        render.show("What can still be restored, `trueup restore` tells; see docs/backups.md.")


def show_restored(ledgers: "Sequence[RestoredLedger]") -> None:
    """Print what came back."""
    from trueup.cli import render

    columns = [render.text("LEDGER"), render.number("EVENTS"), render.text("RECORDED"), render.text("HEAD")]
    columns += [render.text("STATE")]
    rows: list[list[render.Cell]] = [
        [
            ledger.account,
            ledger.head_seq,
            render.moment(ledger.recorded_at),
            ledger.head_hash[:16],
            f"as noted at seq {ledger.compared_at}" if ledger.compared_at else "folded; none was noted",
        ]
        for ledger in ledgers
    ]
    render.show_table(columns, rows)


def _pruned_shape(done: "Pruned") -> dict[str, object]:
    from trueup.journal.backup.manifests import short_name

    return {
        "kept": [short_name(name) for name in done.kept],
        "deleted": [short_name(name) for name in done.deleted],
        "blobs": done.blobs,
        "freed_bytes": done.freed_bytes,
        "findings": list(done.findings),
    }


def _show_pruned(done: "Pruned") -> None:
    from trueup.cli import render

    render.show(
        f"Kept {len(done.kept)} backups, deleted {len(done.deleted)}, "
        f"and {done.blobs} blobs of {done.freed_bytes} bytes that none of them needs."
    )
    for finding in done.findings:
        render.show(finding, "fail")


app = typer.Typer(no_args_is_help=True, help="Take backups, list them, prove them by a restore, let old ones go.")
register(app, create)
register(app, list_backups, "list")
register(app, verify)
register(app, prune)
