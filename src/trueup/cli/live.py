"""A venue itself at the other end: finding an account in the settings, connecting, pulling, comparing."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import typer

from trueup.cli.options import ExitCode
from trueup.cli.output import Output

if TYPE_CHECKING:
    from trueup.engine.pulling import Pull
    from trueup.engine.reading import Hints
    from trueup.engine.reconciling_live import Run
    from trueup.engine.store import Store
    from trueup.ports import LiveVenue, Login
    from trueup.settings import AccountSettings, Corrections

_DAY = len("2026-11-21")

COUNTS = ("booked", "already", "covered", "quarantined", "refused", "instruments")


def account_set(config: Path | None, venue: str | None, name: str | None) -> "AccountSettings":
    """The account of the settings that a command line names, by its name or by its venue where that has one only.

    Raises:
        typer.BadParameter: It names none.
        BadInput: None is meant, or several.
        BadSettings: The settings cannot be read.
    """
    from trueup.cli.session import settings
    from trueup.model.errors import BadInput

    if not (venue or name):
        raise typer.BadParameter("Name files, or an account of the settings: --account NAME, or --venue NAME.")
    accounts = settings(config).accounts
    found = [
        account
        for known, account in accounts.items()
        if venue in {None, account.venue} and name in {None, known, known.partition(":")[2]}
    ]
    if len(found) == 1:
        return found[0]
    said = name or venue or ""
    if found:
        names = ", ".join(account.account for account in found)
        raise BadInput("account", said, "several accounts are meant", remedy=f"Name one with --account: {names}.")
    have = f"There are: {', '.join(accounts)}." if accounts else "There are none."
    raise BadInput(
        "account", said, "not in the settings", remedy=f"{have} Set it up in trueup.toml, or name another --config."
    )


@asynccontextmanager
async def connected(account: "AccountSettings", hints: "Hints") -> "AsyncIterator[LiveVenue]":
    """A connection to an account, closed behind the block."""
    from stamina.instrumentation import set_on_retry_hooks

    from trueup.bootstrap.venues import live_venue
    from trueup.engine.clock import SystemClock

    set_on_retry_hooks(())  # else it logs each attempt on standard error, which holds notes and errors of ours
    venue = live_venue(
        account,
        environment=os.environ,
        clock=SystemClock(),
        random=Random(),
        hints=hints,
    )
    try:
        yield venue
    finally:
        await venue.aclose()


@asynccontextmanager
async def logging_in(account: "AccountSettings") -> "AsyncIterator[Login]":
    """Logging in to an account, its connections closed behind the block. Raises :class:`BadInput` where nobody does."""
    from stamina.instrumentation import set_on_retry_hooks

    from trueup.bootstrap.venues import venue_login
    from trueup.engine.clock import SystemClock

    set_on_retry_hooks(())  # as above
    flow = venue_login(account, environment=os.environ, clock=SystemClock())
    try:
        yield flow
    finally:
        await flow.aclose()


def pull_live(account: "AccountSettings", store: "Store", since: str | None, out: Output) -> "Pull":
    """Book the account's history from where the last pull ended, or since a time."""
    from trueup.engine.pulling import pull

    begin = None if since is None else parse_moment_of(since, "since")
    ledger = store.ledger(account.account)

    async def pulled() -> "Pull":
        with _progress(out) as progress:
            async with connected(account, hints(store, account)) as venue:
                return await pull(ledger, venue, progress, since=begin)

    return asyncio.run(pulled())


def reconcile_live(
    account: "AccountSettings", corrections: "Corrections", store: "Store", out: Output, *, dry: bool, begin: bool
) -> "Run":
    """Compare the account with its venue as it is now, and put right what the settings allow."""
    from trueup.engine.reconciling_live import Reconciler
    from trueup.settings.policies import policies, stops_required

    ledger = store.ledger(account.account)

    async def reconciled() -> "Run":
        with _progress(out) as progress:
            async with connected(account, hints(store, account)) as venue:
                reconciler = Reconciler(
                    store,
                    ledger,
                    venue,
                    policies=policies(corrections, account),
                    stops_required=stops_required(corrections),
                )
                if begin:
                    opened = await reconciler.begin(progress)
                    out.note(
                        f"{len(opened)} openings were booked: what the venue states and its history does not tell."
                    )
                return await reconciler.run("demand", progress, dry=dry)

    return asyncio.run(reconciled())


def tell_pull(out: Output, pull: "Pull", refusals_told: int) -> int:
    """The answer of an import from the venue itself."""
    if out.as_json:
        out.data(shape(pull, refusals_told))
    else:
        _show(pull)
    return ExitCode.FINE if pull.whole else ExitCode.DIFFERENCES


def shape(pull: "Pull", refusals_told: int) -> dict[str, object]:
    """A pull as JSON; the bytes of refused rows are in the journal."""
    from trueup.model.times import format_time

    told = pull.refusals[:refusals_told]
    return {
        "account": pull.account,
        "pages": pull.pages,
        **{count: getattr(pull, count) for count in COUNTS},
        "booked_kinds": pull.booked_kinds,
        "covered_openings": pull.covered_openings,
        "until": None if pull.until is None else format_time(pull.until),
        "cursor": pull.cursor,
        "warnings": list(pull.warnings),
        "refusals": [
            {name: getattr(row, name) for name in ("file", "row", "field", "value", "problem", "remedy")}
            for row in told
        ],
        "refusals_not_listed": pull.refused - len(told),
    }


def _show(pull: "Pull") -> None:
    from trueup.cli import render

    columns = [render.number("PAGES"), *(render.number(count.upper()) for count in COUNTS)]
    render.show_table(columns, [[pull.pages, *(getattr(pull, count) for count in COUNTS)]], title=pull.account)
    if pull.booked_kinds:
        kinds = sorted(pull.booked_kinds.items(), key=lambda kind: -kind[1])
        render.show(f"Booked: {', '.join(f'{count} {kind}' for kind, count in kinds)}.")
    if pull.covered_openings:
        render.show(
            f"Not booked: the opening of {render.listed(pull.covered_openings)}; what is booked begins before it."
        )
    until = "nothing happened" if pull.until is None else f"the newest fact is of {render.moment(pull.until)}"
    render.show(f"The history is booked as far as the venue tells it; {until}.")
    for warning in pull.warnings:
        render.show(warning, "warn")
    if pull.refused or pull.quarantined:
        render.show("Look at what was put aside with `trueup journal show --kind quarantined`.", "warn")


def hints(store: "Store", account: "AccountSettings") -> "Hints":
    """What the book knows of the account, for a connection to it."""
    from trueup.engine.reading import hints_of

    return store.ledger(account.account).read(hints_of)


def parse_moment_of(text: str, field: str) -> int:
    """A time as a person gives it, in nanoseconds; a day begins at midnight UTC. Raises :class:`BadInput`."""
    from trueup.model.errors import BadInput
    from trueup.model.times import parse_time

    try:
        return parse_time(f"{text}T00:00:00Z" if len(text) == _DAY else text, field)
    except BadInput as problem:
        remedy = 'Write a day or a time with its zone, like "2026-11-21" or "2026-11-21T09:30:00Z".'
        raise BadInput(field, text, problem.problem, remedy=remedy) from problem


@contextmanager
def _progress(out: Output) -> "Iterator[Callable[[Pull], None]]":
    """How far a pull has come, measured by the time that it has reached."""
    from trueup.engine.clock import SystemClock

    now, begun = SystemClock().now(), 0
    with out.progress("pulling") as advance:

        def told(pull: "Pull") -> None:
            nonlocal begun
            if pull.until is not None:
                begun = begun or pull.until
                advance(max(pull.until - begun, 0), max(now - begun, 1))

        yield told


def require_none(without: str, **given: object) -> None:
    """Refuse options that mean nothing here. Raises :class:`typer.BadParameter`."""
    for name, value in given.items():
        if value:
            raise typer.BadParameter(f"--{name.replace('_', '-')} means nothing {without}.")
