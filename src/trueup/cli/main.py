"""The program ``trueup``: its verbs, and the way out of every one of them.

A verb returns its exit code, or raises: a deliberate error is told in two lines (what, and what to do), a mistake in
the program keeps its traceback, and a command line that cannot be understood is answered with its usage. Verbs import
what they need when they run, so that help comes at once.
"""

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.main import get_command

from trueup import __version__
from trueup.cli import (
    allocating,
    assigning,
    backup,
    break_steps,
    db,
    diff,
    doctor,
    history,
    importing,
    journal,
    positions,
    reconciling,
    recover,
    report,
    restore,
    settings,
    store,
    venues,
    views,
)
from trueup.cli.demo.command import demo
from trueup.cli.options import ExitCode
from trueup.cli.output import Output, ReaderGone
from trueup.cli.verbs import help_of, register
from trueup.model.errors import TrueupError

SIGNALLED = 128
"""Exit codes above this name the signal that ended the program, as in shells."""

_PIPE = 13

app = typer.Typer(
    name="trueup",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def trueup(
    ctx: typer.Context,
    *,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="DIR|URL",
            help="The data directory, or a postgresql:// address; also TRUEUP_STORE, `store` in trueup.toml, or --data "
            "after the verb.",
        ),
    ] = None,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """The book of record for trading bots: what is held, where, why it is believed, and whether the venue agrees.

    Begin with saved answers of a venue:
      trueup import fills.json --venue hyperliquid --account main
      trueup positions
      trueup explain BTC
      trueup diff --from 2026-03-02T00:00:00Z
      trueup reconcile --venue hyperliquid --account main --snapshot state.json

    Exit codes:
      0  fine
      1  differences found; for import: rows quarantined or refused
      2  unknown: it could not be compared
      3  error: the message says what, and what to do
      4  usage: the command line cannot be understood

    With --json the answer is JSON on standard output (decimals as text, times in UTC, null for unknown) and an error
    is {"error": {"code", "message", "remedy"}} on standard error.
    """
    ctx.obj = data
    if version:
        typer.echo(f"trueup {__version__}")
        raise typer.Exit(ExitCode.FINE)
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())


app.callback(invoke_without_command=True, help=help_of(trueup))(trueup)
register(app, importing.import_files, "import")
register(app, positions.positions)
register(app, positions.balances)
register(app, history.history)
register(app, history.explain)
register(app, diff.diff)
register(app, reconciling.reconcile)
app.add_typer(break_steps.app, name="breaks")
register(app, assigning.assign)
register(app, allocating.allocation)
register(app, report.report)
app.add_typer(venues.app, name="venues")
app.add_typer(journal.app, name="journal")
app.add_typer(views.app, name="views")
register(app, recover.recover)
app.add_typer(backup.app, name="backup")
app.add_typer(db.app, name="db")
app.add_typer(store.app, name="store")
register(app, restore.restore)
register(app, doctor.doctor)
register(app, settings.settings)
register(app, demo)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; returns its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    out = Output(as_json="--json" in arguments)
    try:
        code: int | None = get_command(app).main(arguments, prog_name="trueup", standalone_mode=False)
        sys.stdout.flush()
    except TrueupError as error:
        out.error(error)
        return ExitCode.ERROR
    except typer.TyperException as error:
        _explain_usage(out, error)
        return ExitCode.USAGE
    except (ReaderGone, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has gone: nothing more to say
        return SIGNALLED + _PIPE
    except Exception:  # noqa: BLE001 - the last stop: a mistake of ours, told whole
        traceback.print_exc()
        return ExitCode.ERROR
    return code or ExitCode.FINE


def _explain_usage(out: Output, error: typer.TyperException) -> None:
    context = getattr(error, "ctx", None)
    command = "trueup" if context is None else context.command_path
    usage = "" if context is None else context.get_usage()
    out.usage(error.format_message(), usage, f"See `{command} --help`.")
