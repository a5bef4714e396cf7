"""Opening the store for one command, and finding in it what the command line names."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar

import typer

from trueup.book.book import Book
from trueup.cli.output import Output
from trueup.engine.reading import Source, hints_of, read_answers
from trueup.engine.store import Store
from trueup.journal.postgres.address import Address, Place
from trueup.model.errors import BadInput, NotFound
from trueup.model.identifiers import CONTROL, AccountId, account_id
from trueup.settings import Settings, is_reference, load_settings
from trueup.venues.files import Answer

SETTINGS = Path("trueup.toml")
"""Where settings are, where nobody says otherwise."""

ANY_VENUE = "generic"
"""Its files say what they say, of an account of any venue."""

PlaceT = TypeVar("PlaceT", bound=Place)

_IMPORT_FIRST = "Import something first (trueup import --help), or name another directory with --data."


def settings(config: Path | None = None) -> Settings:
    """What is set: in the file that is named here, by TRUEUP_CONFIG, or ``trueup.toml`` here; and in the environment.

    Raises:
        BadSettings: All mistakes there are.
    """
    return load_settings(config or settings_file(), os.environ)


def settings_file() -> Path | None:
    """The file of settings that nobody named on the command line; None where there is none."""
    named = os.environ.get("TRUEUP_CONFIG")
    if named:
        return Path(named)
    return SETTINGS if SETTINGS.exists() else None


def place(ctx: typer.Context, given: str | None) -> Place:
    """Where the store is: behind the verb, before the verb, as set, or the system's default.

    Raises:
        BadInput: Meant to be the address of a database, and is none; or a secret that cannot be had.
        BadSettings: Nobody named it, and the settings cannot be read.
    """
    chosen: str | None = given or ctx.find_root().obj
    if not chosen:
        chosen = settings().store
        if is_reference(chosen):
            from trueup.venues.transport.secrets import load

            chosen = load("store", chosen, os.environ).reveal()
    if chosen and Address.is_one(chosen):
        return Address.parse(chosen)
    if chosen:
        return Path(chosen).expanduser()
    from platformdirs import user_data_path

    return user_data_path("trueup", appauthor=False)


def data_directory(ctx: typer.Context, given: str | None) -> Path:
    """The :func:`place`, for a verb that works on files. Raises :class:`BadInput` when it is a database."""
    where = place(ctx, given)
    if isinstance(where, Address):
        raise BadInput("data", where, "a database, and this verb works on files", remedy="Name a data directory.")
    return where


def existing(where: PlaceT) -> PlaceT:
    """The place, unless it is a directory that is not there: then it raises :class:`NotFound`."""
    if isinstance(where, Path) and not where.exists():
        raise NotFound(f"There is no data directory at {where}.", remedy=_IMPORT_FIRST)
    return where


@contextmanager
def opened(where: Place, out: Output, *, create: bool = False, backup_to: Path | None = None) -> Iterator[Store]:
    """The store of a place for one command; what opening it found or healed is noted for the person.

    Args:
        where: Which store.
        out: Where notes go.
        create: Whether to make it where there is none.
        backup_to: Where to back it up to meanwhile, and at the end.
    """
    from trueup.bootstrap import keep_backups, open_store

    if not create:
        existing(where)
    with out.progress("views are rebuilt") as progress:
        store = open_store(where, lambda _account, seq, head: progress(seq, head), create=create)
    try:
        if backup_to is not None:
            keep_backups(store, backup_to, apart_from=where if isinstance(where, Path) else None, tests=False)
        yield store
    finally:
        store.close()
        for finding in store.findings:
            out.note(finding)


class Named(NamedTuple):
    """What a person says: the format of the answers, by default that of the account's venue; and of the account."""

    venue: str | None
    home_currency: str
    address: str


def read_sources(
    store: Store,
    account: AccountId,
    answers: Sequence[Answer],
    out: Output,
    named: Named,
) -> Sequence[Source]:
    """Read answers with what the book knows of the account so far."""
    from trueup.bootstrap.venues import reader

    known = store.ledger(account).book if account in store.accounts() else Book(account)
    hints = hints_of(known, home_currency=named.home_currency, address=named.address)
    with out.progress("reading") as progress:
        return read_answers(lambda: reader(named.venue or account.partition(":")[0], account, hints), answers, progress)


def chosen_accounts(store: Store, wanted: str | None) -> Sequence[AccountId]:
    """The accounts that a command is about: the one named, or all; ``control`` is none of them unless it is named.

    Raises:
        NotFound: There is no such account.
        BadInput: Several venues have an account of this name.
    """
    known = [account for account in store.accounts() if account != CONTROL or wanted == CONTROL]
    return known if wanted is None else [named_account(known, wanted)]


def named_account(known: Sequence[AccountId], wanted: str) -> AccountId:
    """The account of a name, with its venue or without. Raises as :func:`chosen_accounts` does."""
    found = [account for account in known if wanted in (account, account.partition(":")[2])]
    if len(found) == 1:
        return found[0]
    if found:
        raise BadInput("account", wanted, "several accounts have this name", remedy=f"Name one: {', '.join(found)}.")
    have = f"There are: {', '.join(known)}." if known else _IMPORT_FIRST
    raise NotFound(f"There is no account {wanted!r}.", remedy=have)


def saved_account(venue: str | None, name: str | None) -> AccountId:
    """The account that files are of, which both say. Raises :class:`typer.BadParameter` where that is left open."""
    said = (name or "").partition(":")
    if not (name and (venue or said[1])):
        raise typer.BadParameter("Files need --venue and --account, or --account VENUE:NAME: they do not say whose.")
    return venue_account(venue or said[0], name)


def venue_account(venue: str, name: str) -> AccountId:
    """The account ``venue:name``; the name may say the venue as well. Generic files may be of any venue's."""
    said, colon, rest = name.partition(":")
    if colon and venue == ANY_VENUE:
        return account_id(said, rest)
    if colon and said != venue:
        raise BadInput("account", name, f"an account of another venue than {venue}", remedy="Make --venue agree.")
    return account_id(venue, rest if colon else name)
