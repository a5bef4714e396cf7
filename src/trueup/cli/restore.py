"""``trueup restore``: a new data directory from a backup."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trueup.cli.options import Account, BackupFrom, ExitCode, Json
from trueup.cli.output import Output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trueup.engine.points import Point
    from trueup.engine.restoring import Plan, RestoredLedger


def restore(
    *,
    source: BackupFrom,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="The new data directory; not there yet, or empty.")],
    seq: Annotated[
        int | None, typer.Option("--seq", metavar="N", min=1, help="Only up to this event of an account.")
    ] = None,
    account: Account = None,
    time: Annotated[
        str | None,
        typer.Option("--time", metavar="TIME", help="Only what was recorded by then, in every account."),
    ] = None,
    head: Annotated[
        str, typer.Option("--head", metavar="HASH", help="Only up to the commit with this hash, or its first digits.")
    ] = "",
    accept_loss: Annotated[
        int, typer.Option("--accept-loss", metavar="N", min=0, help="Go on although N acknowledged events are lost.")
    ] = 0,
    replacing: Annotated[
        Path | None,
        typer.Option(
            "--replacing",
            metavar="DIR",
            exists=True,
            file_okay=False,
            help="The directory that is given up: what it knows and the backup lacks counts as lost.",
        ),
    ] = None,
    as_json: Json = False,
) -> int:
    """Make a new data directory from a backup, up to the newest event or an earlier point.

    Every blob is hashed, every event's place in the chain checked, and the book folded to the state that was noted
    when the backup was taken. The directory appears only when all of that is done. Nothing is ever written over:
    stop the process, move the old directory away, and restore into its place.

    Events that are known to have been acknowledged and would not come back are counted and named, and need
    --accept-loss with their number. With --replacing, what the old directory knows counts too.

    An account's commits are restored whole. With --seq or --head the other accounts are restored to their newest.

    Examples:
      trueup restore --from /mnt/safe/trueup --to data --replacing data.broken
      trueup restore --from /mnt/safe/trueup --to look --time 2026-03-02T12:00:00Z --accept-loss 480
      trueup restore --from /mnt/safe/trueup --to look --seq 1200 --account main --accept-loss 35
    """
    from trueup.bootstrap import new_directory, old_directory, open_destination
    from trueup.engine import restoring

    out = Output(as_json=as_json)
    point = _point(seq, account, time, head)
    destination = open_destination(source)
    if replacing is None:
        planned = restoring.plan(destination, point)
    else:
        with old_directory(replacing) as old:
            planned = restoring.plan(destination, point, old)
    for finding in planned.findings:
        out.note(finding)
    target = new_directory(to, source, replacing)
    with out.progress("restoring") as progress:
        ledgers = restoring.restore(destination, planned, target, accept_loss=accept_loss, progress=progress)
    if as_json:
        out.data(_shape(planned, to, ledgers))
    else:
        _show(planned, to, ledgers)
    return ExitCode.FINE


def _point(seq: int | None, account: str | None, time: str | None, head: str) -> "Point":
    from trueup.engine.points import Point
    from trueup.model.identifiers import AccountId, Seq
    from trueup.model.times import parse_time

    if sum((seq is not None, time is not None, bool(head))) > 1:
        raise typer.BadParameter("Give one of --seq, --time and --head.")
    if account is not None and seq is None:
        raise typer.BadParameter("--account says whose --seq it is; without that, everything is restored.")
    return Point(
        seq=None if seq is None else Seq(seq),
        account=None if account is None else AccountId(account),
        time=None if time is None else parse_time(time, "time"),
        head=head,
    )


def _shape(planned: "Plan", to: Path, ledgers: "Sequence[RestoredLedger]") -> dict[str, object]:
    from trueup.cli.shapes import plain
    from trueup.journal.backup.manifests import short_name

    lost = [{"count": loss.count} | plain(loss) for loss in planned.losses]
    return {
        "backup": short_name(planned.backup),
        "to": str(to),
        "ledgers": plain(list(ledgers)),
        "lost": sum(loss.count for loss in planned.losses),
        "losses": lost,
    }


def _show(planned: "Plan", to: Path, ledgers: "Sequence[RestoredLedger]") -> None:
    from trueup.cli import render
    from trueup.cli.backup import show_restored

    show_restored(ledgers)
    for loss in planned.losses:
        render.show(f"lost: {loss.sentence()}", "warn")
    render.show(f"Restored into {to}. Prove it with `trueup --data {to} journal verify`.", "ok")
