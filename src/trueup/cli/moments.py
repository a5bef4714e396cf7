"""The moment a command asks about, and how its answer says that it is of the past."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from trueup.cli.output import Output
from trueup.model.times import format_time

if TYPE_CHECKING:
    from trueup.engine.replay import Moment
    from trueup.engine.store import Store
    from trueup.engine.time_travel import AsOf
    from trueup.model.identifiers import AccountId


def parse_moment(as_of: str | None, venue_time: bool) -> "Moment":
    """The moment that the options ``--as-of`` and ``--venue-time`` name.

    Raises:
        typer.BadParameter: ``--venue-time`` without a time.
        BadInput: Neither a seq nor a time.
    """
    moment = moment_of(as_of, "as-of", venue_time)
    if venue_time and moment.venue_time is None:
        raise typer.BadParameter("--venue-time needs --as-of TIME.")
    return moment


def moment_of(text: str | None, field: str, venue_time: bool) -> "Moment":
    """The moment of a seq, a time, or ``now``. Raises :class:`BadInput` for anything else."""
    from trueup.engine.replay import NOW, Moment
    from trueup.model.errors import BadInput
    from trueup.model.identifiers import Seq
    from trueup.model.times import parse_time

    if text is None or text == "now":
        return NOW
    if text.isascii() and text.isdecimal():
        return Moment(seq=Seq(int(text)))
    try:
        time = parse_time(text, field)
    except BadInput as problem:
        remedy = 'Write a time with its zone, like "2026-11-21T09:30:00Z", or the number of an event.'
        raise BadInput(field, text, problem.problem, remedy=remedy) from problem
    return Moment(venue_time=time) if venue_time else Moment(recorded=time)


def whose(store: "Store", account: str | None, *moments: "Moment") -> "Sequence[AccountId]":
    """The accounts that are asked about.

    Raises:
        typer.BadParameter: A seq, without saying of which of several accounts.
        NotFound: There is no such account.
    """
    from trueup.cli.session import chosen_accounts

    chosen = chosen_accounts(store, account)
    if len(chosen) > 1 and any(moment.seq is not None for moment in moments):
        raise typer.BadParameter(
            f"A seq counts within one account: add --account, one of {', '.join(chosen)}, or ask for a time."
        )
    return chosen


@contextmanager
def opened_at(ctx: typer.Context, data: str | None, out: Output) -> "Iterator[Store]":
    """The store that the command line names, for one command."""
    from trueup.cli.session import opened, place

    with opened(place(ctx, data), out) as store:
        yield store


def standing(store: "Store", account: str | None, moment: "Moment", out: Output) -> "Iterator[AsOf]":
    """The chosen accounts as they stood. One that had not begun by a time is noted, unless that is true of all.

    Raises as :func:`whose` and :func:`trueup.engine.time_travel.as_of` do.
    """
    from trueup.engine.time_travel import as_of
    from trueup.model.errors import NotFound

    missing: list[NotFound] = []
    found = 0
    every = whose(store, account, moment)
    for chosen in every:
        with out.progress(chosen) as progress, one_of(every):
            store.ledger(chosen, lambda _account, seq, head: progress(seq, head))
        try:
            then = as_of(store, chosen, moment)
        except NotFound as not_yet:
            missing.append(not_yet)
            continue
        found += 1
        yield then
    if missing and not found:
        raise missing[0]
    for late in missing:
        out.note(late.message)


@contextmanager
def one_of(accounts: "Sequence[AccountId]") -> Iterator[None]:
    """Damage of one of several accounts is told with the way to ask for the others: an answer must not be a part."""
    from trueup.model.errors import JournalDamaged

    try:
        yield
    except JournalDamaged as damage:
        others = f" Accounts that are whole answer to --account: there are {', '.join(accounts)}."
        raise JournalDamaged(damage.message, remedy=damage.remedy + others * (len(accounts) > 1)) from damage


def title(then: "AsOf") -> str:
    """What an answer about the past is headed by; nothing for the present."""
    moment, head = then.moment, then.head
    if moment.venue_time is not None:
        return (
            f"{then.account} AS OF venue time {format_time(moment.venue_time)}: what had happened by then, "
            f"as known at seq {head.seq}"
        )
    if moment.seq is None and moment.recorded is None:
        return ""
    recorded = f", recorded {format_time(head.recorded_at)}" if head.seq else ", before its first event"
    return f"{then.account} AS OF seq {head.seq}{recorded}: what was known then, not now"


def say_when(past: "Sequence[AsOf]", out: Output) -> None:
    """Head an answer about the past: for a person above the table, for a program beside the JSON."""
    for then in past:
        words = title(then)
        if words and out.as_json:
            out.note(words)
        elif words:
            from trueup.cli import render

            render.show(words, "past")
