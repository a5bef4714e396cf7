"""``trueup recover``: heal what a surviving copy can heal, and say what was done and what is left."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trueup.cli.options import Data, ExitCode, Json
from trueup.cli.output import Output

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trueup.engine.recovering import Backup, Recovery
    from trueup.journal.embedded import EmbeddedStorage


def recover(
    ctx: typer.Context,
    *,
    from_backup: Annotated[
        Path | None,
        typer.Option(
            "--from-backup", metavar="DIR", help="Take what the views do not hold from this backup directory."
        ),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Only say what is damaged; nothing is changed.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> int:
    """Heal a damaged data directory: logs from the views or a backup, views from the logs.

    Snapshots that cannot be used or are not what the log folds to are deleted, saved heads and the format written
    again, and segments that stand under another's name moved to where they belong. The lock that a dead process left
    is no damage. A log that no copy heals stays as it is; other ledgers are healed all the same.

    Exit code 0: everything is whole now; 1: something is left, or with --check, something is damaged.

    Examples:
      trueup recover --check
      trueup recover --from-backup /mnt/safe/trueup --json
    """
    from trueup.bootstrap import open_backup, open_for_recovery, open_storage
    from trueup.cli.session import data_directory, existing
    from trueup.engine.recovering import NO_BACKUP

    out = Output(as_json=as_json)
    path = existing(data_directory(ctx, data))
    backup, problems = open_backup(from_backup) if from_backup is not None else (NO_BACKUP, [])
    for problem in problems:
        out.note(problem)
    storage, done = (open_storage(path), []) if check else open_for_recovery(path)
    with closing(storage), out.progress("verifying") as progress:
        found = _work(storage, backup, progress, check=check)
    _tell(out, found, [*done, *found.done], check=check)
    return ExitCode.FINE if found.ok else ExitCode.DIFFERENCES


def _work(
    storage: "EmbeddedStorage", backup: "Backup", progress: "Callable[[int, int], None]", *, check: bool
) -> "Recovery":
    from trueup.engine.recovering import examine, recover

    work = examine if check else recover
    return work(storage, backup, lambda _, done, total: progress(done, total))


def _tell(out: Output, found: "Recovery", done: "Sequence[str]", *, check: bool) -> None:
    from trueup.cli.journal import proof_shape, show_proof

    if out.as_json:
        shape = {"ok": found.ok, "changed": bool(done), "done": list(done), "remaining": list(found.remaining)}
        out.data(shape | {name: value for name, value in proof_shape(found.proof).items() if name != "ok"})
        return
    from trueup.cli import render

    for mended in done:
        render.show(f"mended: {mended}")
    show_proof(found.proof)
    for problem in found.remaining:
        render.show(problem, "fail")
    if found.ok:
        render.show("Everything is whole." if check or not done else "Everything is whole now.")
    elif not check:
        render.show("What is left needs another copy: run this again with --from-backup, or `trueup restore`.")
