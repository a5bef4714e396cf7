"""Opening the data directory for one command, and finding in it what the command line names."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import typer

from trueup.book.book import Book
from trueup.cli.output import Output
from trueup.engine.reading import Source, hints_of, read_answers
from trueup.engine.store import Store
from trueup.model.errors import BadInput, NotFound
from trueup.model.identifiers import CONTROL, AccountId, account_id
from trueup.venues.files import Answer

_IMPORT_FIRST = "Import something first (trueup import --help), or name another directory with --data."


def data_directory(ctx: typer.Context, given: Path | None) -> Path:
    """The data directory: behind the verb, before the verb, from the environment, or the system's default."""
    chosen = given or ctx.find_root().obj or os.environ.get("TRUEUP_DATA")
    if chosen:
        return Path(chosen).expanduser()
    from platformdirs import user_data_path

    return user_data_path("trueup", appauthor=False)


def existing(path: Path) -> Path:
    """The data directory, when there is one; raises :class:`NotFound` when there is not."""
    if not path.exists():
        raise NotFound(f"There is no data directory at {path}.", remedy=_IMPORT_FIRST)
    return path


@contextmanager
def opened(path: Path, out: Output, *, create: bool = False) -> Iterator[Store]:
    """The store of a data directory for one command; what opening it found or healed is noted for the person."""
    from trueup.bootstrap import open_store

    if not create:
        existing(path)
    with out.progress("views are rebuilt") as progress:
        store = open_store(path, lambda _account, seq, head: progress(seq, head), create=create)
    try:
        yield store
    finally:
        store.close()
        for finding in store.findings:
            out.note(finding)


def read_sources(
    store: Store, account: AccountId, answers: Sequence[Answer], out: Output, *, home_currency: str, address: str
) -> Sequence[Source]:
    """Read a venue's answers with what the book knows of the account so far."""
    from trueup.bootstrap import reader

    known = store.ledger(account).book if account in store.accounts() else Book(account)
    hints = hints_of(known, home_currency=home_currency, address=address)
    with out.progress("reading") as progress:
        return read_answers(lambda: reader(account.partition(":")[0], account, hints), answers, progress)


def chosen_accounts(store: Store, wanted: str | None) -> Sequence[AccountId]:
    """The accounts that a command is about: the one named, or all.

    Raises:
        NotFound: There is no such account.
        BadInput: Several venues have an account of this name.
    """
    known = [account for account in store.accounts() if account != CONTROL]
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


def venue_account(venue: str, name: str) -> AccountId:
    """The account ``venue:name``; the name may say the venue as well."""
    said, colon, rest = name.partition(":")
    if colon and said != venue:
        raise BadInput("account", name, f"an account of another venue than {venue}", remedy="Make --venue agree.")
    return account_id(venue, rest if colon else name)
