"""``trueup breaks list | show | ack | …``: where each break is in its life, and what people do about it."""

from collections.abc import Iterator, Sequence
from getpass import getuser
from typing import TYPE_CHECKING, Annotated

import typer

from trueup.cli.break_shapes import adjustment_words, shape, show_list, show_one
from trueup.cli.breaks import breaks
from trueup.cli.options import Account, Data, ExitCode, Json
from trueup.cli.output import Output
from trueup.cli.verbs import help_of, register

if TYPE_CHECKING:
    from trueup.book.lifecycle import BreakRecord
    from trueup.engine.ledger import Ledger
    from trueup.engine.store import Store
    from trueup.model.events import AdjustmentProposed
    from trueup.model.identifiers import AccountId

Id = Annotated[str, typer.Argument(metavar="ID", help="Of `trueup breaks list`; its first characters do.")]
Proposal = Annotated[
    str, typer.Argument(metavar="ADJUSTMENT", help="Its id in `trueup breaks show`; its first characters do.")
]
By = Annotated[
    str, typer.Option("--by", metavar="NAME", help="Who does it.", default_factory=getuser, show_default="you")
]
Note = Annotated[str, typer.Option("--note", metavar="TEXT", help="What is known of it.")]

_CODES = {True: ExitCode.FINE, False: ExitCode.DIFFERENCES}


def list_breaks(
    ctx: typer.Context,
    *,
    account: Account = None,
    every: Annotated[bool, typer.Option("--all", help="Those that ended within the last day too.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> int:
    """Show the breaks that stand: how far each has come, what it is put down to, how old and how large it is.

    A break is DETECTED, CONFIRMED when it lasted, OPEN when no rule put it right; people acknowledge, investigate and
    resolve it. It ends by itself only when a comparison that looked no longer finds it.

    Exit code 1: some stand.

    Examples:
      trueup breaks list
      trueup breaks list --all --json
    """
    from trueup.cli.session import chosen_accounts, opened, place

    out = Output(as_json=as_json)
    with opened(place(ctx, data), out) as store:
        now = store.clock.now()
        found = [
            (whose, record)
            for whose in chosen_accounts(store, account)
            for record in _records(store.ledger(whose), now)
            if every or not record.ended
        ]
        forbidden = [line for whose in chosen_accounts(store, account) for line in _forbidden(store.ledger(whose))]
        if as_json:
            out.data([shape(store.ledger(whose), record, now) for whose, record in found])
        else:
            show_list(found, forbidden, now)
    return _CODES[all(record.ended for _, record in found)]


def show(ctx: typer.Context, *, name: Id, data: Data = None, as_json: Json = False) -> int:
    """Show one break with all that is known: causes to the last unit, evidence, notes, a proposed adjustment.

    Examples:
      trueup breaks show 3fa9
    """
    from trueup.cli.session import opened, place

    out = Output(as_json=as_json)
    with opened(place(ctx, data), out) as store:
        whose, record = _named(store, name)
        ledger, now = store.ledger(whose), store.clock.now()
        if as_json:
            out.data(shape(ledger, record, now))
        else:
            show_one(ledger, record, now)
    return _CODES[record.ended]


def ack(ctx: typer.Context, *, name: Id, by: By, note: Note = "", data: Data = None, as_json: Json = False) -> int:
    """Say that you know of a break; it is yours from then on.

    Examples:
      trueup breaks ack 3fa9 --note "asked the venue"
    """
    return _take(ctx, name, "ACKNOWLEDGE", data, as_json, by=by, note=note)


def investigate(
    ctx: typer.Context, *, name: Id, by: By, note: Note = "", data: Data = None, as_json: Json = False
) -> int:
    """Say that you look into an acknowledged break.

    Examples:
      trueup breaks investigate 3fa9
    """
    return _take(ctx, name, "INVESTIGATE", data, as_json, by=by, note=note)


def note(
    ctx: typer.Context,
    *,
    name: Id,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What is known of it.")],
    by: By,
    data: Data = None,
    as_json: Json = False,
) -> int:
    """Write down what is known of a break.

    Examples:
      trueup breaks note 3fa9 "the venue says that the fill was busted"
    """
    return _take(ctx, name, "NOTE", data, as_json, by=by, note=text)


def assign(
    ctx: typer.Context,
    *,
    name: Id,
    owner: Annotated[str, typer.Argument(metavar="OWNER", help="To whom.")],
    by: By,
    note: Note = "",
    data: Data = None,
    as_json: Json = False,
) -> int:
    """Give a break to somebody.

    Examples:
      trueup breaks assign 3fa9 bob
    """
    return _take(ctx, name, "ASSIGN", data, as_json, by=by, owner=owner, note=note)


def resolve(
    ctx: typer.Context,
    *,
    name: Id,
    cause: Annotated[str, typer.Option("--cause", metavar="TEXT", help="Why the sides differed.")],
    evidence: Annotated[
        list[str],
        typer.Option("--evidence", metavar="ID", help="What shows it: ids of facts, a ticket. May be repeated."),
    ],
    by: By,
    note: Note = "",
    data: Data = None,
    as_json: Json = False,
) -> int:
    """Close a break, with its cause and what shows it. Nothing is booked; if both sides still differ, it comes back.

    Examples:
      trueup breaks resolve 3fa9 --cause "opened by hand at the venue" --evidence ticket-4711
    """
    return _take(ctx, name, "RESOLVE", data, as_json, by=by, cause=cause, evidence=tuple(evidence), note=note)


def approve(ctx: typer.Context, *, name: Proposal, by: By, data: Data = None, as_json: Json = False) -> int:
    """Approve a proposed adjustment, numbers and all: its id is made of them. Two different people must.

    It is booked by the next reconciliation that finds the same numbers; others are proposed anew, under another id.

    Examples:
      trueup breaks show 3fa9
      trueup breaks approve 7c21 --by alice
    """
    from trueup.cli.session import opened, place
    from trueup.model.events import AdjustmentApproved
    from trueup.reconcile.policy import APPROVERS

    out = Output(as_json=as_json)
    with opened(place(ctx, data), out) as store:
        proposal = _proposed(store, name)
        ledger, now = store.ledger(proposal.account), store.clock.now()
        wanted = AdjustmentApproved(proposal.account, proposal.adjustment.adjustment_id, by, now)
        ledger.commit(lambda _: [wanted])
        given = ledger.read(lambda book: book.breaks.approvals[wanted.adjustment_id])
        record = ledger.read(lambda book: book.breaks.records[proposal.subject, proposal.sort])
        if as_json:
            out.data(shape(ledger, record, now))
        else:
            from trueup.cli import render

            render.show(f"{adjustment_words(proposal)}: approved by {' and '.join(given)}, {APPROVERS} must.")
    return ExitCode.FINE


app = typer.Typer(help=help_of(breaks), invoke_without_command=True)
app.callback()(breaks)
register(app, list_breaks, "list")
register(app, show)
register(app, ack)
register(app, investigate)
register(app, note)
register(app, assign)
register(app, resolve)
register(app, approve)


def _take(ctx: typer.Context, name: str, step: str, data: str | None, as_json: bool, **said: object) -> int:
    """Take one step with a break, and show where it stands then."""
    from trueup.cli.session import opened, place
    from trueup.model.events import BreakMoved

    out = Output(as_json=as_json)
    with opened(place(ctx, data), out) as store:
        whose, record = _named(store, name)
        ledger, now = store.ledger(whose), store.clock.now()
        move = BreakMoved(whose, *record.key, step, now, **said)  # type: ignore[arg-type]
        ledger.commit(lambda _: [move])
        after = ledger.read(lambda book: book.breaks.records[record.key])
        if as_json:
            out.data(shape(ledger, after, now))
        else:
            show_one(ledger, after, now)
    return ExitCode.FINE


def _records(ledger: "Ledger", now: int) -> "Sequence[BreakRecord]":
    return sorted(ledger.read(lambda book: book.breaks.known(now)).values(), key=lambda one: (one.ended, one.key))


def _named(store: "Store", name: str) -> "tuple[AccountId, BreakRecord]":
    """The break whose id begins so. Raises :class:`NotFound`, and :class:`BadInput` where several do."""
    from trueup.cli.session import chosen_accounts
    from trueup.model.breaks import break_id
    from trueup.model.errors import BadInput, NotFound

    now = store.clock.now()
    found = [
        (whose, record)
        for whose in chosen_accounts(store, None)
        for record in _records(store.ledger(whose), now)
        if break_id(whose, record.key).startswith(name)
    ]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(break_id(whose, record.key) for whose, record in found)
        raise BadInput("id", name, "several breaks begin so", remedy=f"Name one: {ids}.")
    raise NotFound(f"There is no break {name!r}.", remedy="See: trueup breaks list --all.")


def _proposed(store: "Store", name: str) -> "AdjustmentProposed":
    """What is proposed under an id that begins so. Raises :class:`NotFound`, or :class:`BadInput` where several do."""
    from trueup.cli.session import chosen_accounts
    from trueup.model.errors import BadInput, NotFound

    found = {
        one.adjustment.adjustment_id: one
        for whose in chosen_accounts(store, None)
        for one in store.ledger(whose).read(lambda book: tuple(book.breaks.proposed.values()))
        if name and one.adjustment.adjustment_id.startswith(name)
    }
    if len(found) > 1:
        raise BadInput("id", name, "several adjustments begin so", remedy=f"Name one: {', '.join(found)}.")
    if not found:
        raise NotFound(
            f"No adjustment {name!r} waits: it was booked, or its numbers changed.",
            remedy="`trueup breaks show` names what is proposed for a break.",
        )
    return found.popitem()[1]


def _forbidden(ledger: "Ledger") -> Iterator[str]:
    """What an account may not do, in sentences."""
    restriction = ledger.read(lambda book: book.breaks.restriction)
    if restriction is None:
        return
    why = f" ({'; '.join(restriction.reasons)})" if restriction.reasons else ""
    if restriction.halted:
        yield f"{ledger.account}: no new risk{why}"
    elif restriction.reduce_only:
        yield f"{ledger.account}: positions may only become smaller{why}"
    elif restriction.instruments:
        yield f"{ledger.account}: positions in {', '.join(restriction.instruments)} may only become smaller{why}"
