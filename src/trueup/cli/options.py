"""Options that several verbs share, and the exit codes all of them keep to."""

from enum import IntEnum
from pathlib import Path
from typing import Annotated, Literal

import typer


class ExitCode(IntEnum):
    """What a script may rely on."""

    FINE = 0
    DIFFERENCES = 1
    UNKNOWN = 2
    ERROR = 3
    USAGE = 4


Venue = Literal["hyperliquid", "oanda", "coinbase", "coinbase_derivatives", "deribit", "zerodha", "generic", "paper"]

Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="DIR|URL",
        help="The data directory, or a postgresql:// address; also TRUEUP_STORE. "
        "Default: this system's place for a program's data.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON: decimals as text, times in UTC, null for unknown.")]
Account = Annotated[
    str | None, typer.Option("--account", metavar="NAME", help="Only this account: NAME or VENUE:NAME.")
]
AsOf = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        metavar="SEQ|TIME",
        help='How it stood after event SEQ of an account, or at a TIME like "2026-03-02T12:00:00Z".',
    ),
]
VenueTime = Annotated[
    bool,
    typer.Option(
        "--venue-time",
        help="TIME is the venue's: all that had happened by then. Without: what we had recorded by then.",
    ),
]


def backup_directory() -> Path | None:
    """Where backups are, as set; None where nobody said."""
    from trueup.cli.session import settings

    named = settings().backup
    return Path(named) if named else None


def _needed_backup_directory() -> Path:
    named = backup_directory()
    if named is None:
        raise typer.BadParameter(
            "No backup directory is named: give --to or --from, TRUEUP_BACKUP, or `backup` in trueup.toml."
        )
    return named


_BACKUP_HELP = "The backup directory; also `backup` in trueup.toml."

BackupInto = Annotated[
    Path,
    typer.Option(
        "--to",
        metavar="DIR",
        envvar="TRUEUP_BACKUP",
        default_factory=_needed_backup_directory,
        help=_BACKUP_HELP,
        show_default=False,
    ),
]
BackupFrom = Annotated[
    Path,
    typer.Option(
        "--from",
        metavar="DIR",
        envvar="TRUEUP_BACKUP",
        default_factory=_needed_backup_directory,
        help=_BACKUP_HELP,
        show_default=False,
    ),
]
BackupTo = Annotated[
    Path | None,
    typer.Option(
        "--backup-to",
        metavar="DIR",
        envvar="TRUEUP_BACKUP",
        default_factory=backup_directory,
        help="Back up to this directory while booking, and at the end; see `trueup backup --help`.",
        show_default=False,
    ),
]
VenueName = Annotated[
    Venue | None, typer.Option("--venue", help="Whose answers the files hold, or where the account is.")
]
AccountName = Annotated[
    str | None, typer.Option("--account", metavar="NAME", help="Your name for the account: NAME or VENUE:NAME.")
]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="The settings; also TRUEUP_CONFIG. Default: trueup.toml here.",
        show_default=False,
    ),
]
Instruments = Annotated[
    Path | None,
    typer.Option(
        "--instruments",
        metavar="FILE",
        exists=True,
        dir_okay=False,
        help="Contract details; nothing is booked when it cannot be read.",
    ),
]
HomeCurrency = Annotated[
    str,
    typer.Option("--home-currency", metavar="CUR", help="OANDA: the account's currency, when no file states it."),
]
Address = Annotated[
    str,
    typer.Option("--address", metavar="0x…", help="Hyperliquid: the account's address; others' answers are refused."),
]
