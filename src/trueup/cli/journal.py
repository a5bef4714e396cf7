"""``trueup journal``: prove it, look into it, take it out."""

from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from trueup.cli.options import Account, Data, ExitCode, Json
from trueup.cli.output import Output
from trueup.cli.verbs import register

if TYPE_CHECKING:
    from trueup.engine.ledger import Ledger
    from trueup.engine.replay import Entry
    from trueup.engine.verifying import LedgerProof, Proof
    from trueup.model.identifiers import AccountId


def verify(
    ctx: typer.Context,
    *,
    account: Account = None,
    data: Data = None,
    as_json: Json = False,
) -> int:
    """Read every event of every ledger, prove the chain of hashes, and compare views and snapshots with what it says.

    The exit code is 1 when something is not what was written. Nothing is changed; `trueup recover` heals.

    Examples:
      trueup journal verify
      trueup journal verify --account main --json
    """
    from trueup.bootstrap import open_storage
    from trueup.cli.session import existing, named_account, place
    from trueup.engine import verifying

    out = Output(as_json=as_json)
    storage = open_storage(existing(place(ctx, data)))
    try:
        accounts = verifying.stored_accounts(storage)
        if account is not None:
            accounts = [named_account(accounts, account)]
        with out.progress("verifying") as progress:
            proof = verifying.verify_storage(storage, accounts, lambda _, done, total: progress(done, total))
    finally:
        storage.close()
    if as_json:
        out.data(proof_shape(proof))
    else:
        show_proof(proof)
        if not proof.ok:
            from trueup.cli import render

            render.show("Run `trueup recover` to heal what a copy can heal.")
    return ExitCode.FINE if proof.ok else ExitCode.DIFFERENCES


def show(
    ctx: typer.Context,
    *,
    account: Account = None,
    after: Annotated[
        int | None,
        typer.Option("--after", metavar="SEQ", min=0, help="The first events after SEQ; without, the newest."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="At most N events of each account.")] = 50,
    kind: Annotated[
        str | None, typer.Option("--kind", metavar="KIND[,KIND…]", help="Only such events, as fill or quarantined.")
    ] = None,
    data: Data = None,
    as_json: Json = False,
) -> int:
    """Show events as they were recorded, the newest of each account unless --after says where to start.

    Examples:
      trueup journal show --kind quarantined
      trueup journal show --account main --after 1200 --limit 10 --json
    """
    from trueup.cli.session import chosen_accounts, opened, place
    from trueup.cli.shapes import entry_shape

    out = Output(as_json=as_json)
    kinds = _kinds(kind)
    with opened(place(ctx, data), out) as store:
        for whose in chosen_accounts(store, account):
            entries = _wanted(store.ledger(whose), after, limit, kinds)
            if as_json:
                out.lines(entry_shape(whose, entry) for entry in entries)
            else:
                _show_entries(whose, entries)
    return ExitCode.FINE


def export(ctx: typer.Context, *, account: Account = None, data: Data = None, as_json: Json = False) -> int:
    """Write every event as a line of JSON: account, seq, recorded_at, kind, and its fields by name.

    The events are JSON in any case; --json makes errors and notes JSON as well.

    Example:
      trueup journal export --account main > main.jsonl
    """
    from trueup.cli.session import chosen_accounts, opened, place
    from trueup.cli.shapes import entry_shape
    from trueup.engine.replay import entries

    out = Output(as_json=as_json)
    with opened(place(ctx, data), out) as store:
        for whose in chosen_accounts(store, account):
            ledger = store.ledger(whose)
            with out.progress(whose) as progress:
                for entry in entries(ledger):
                    out.lines([entry_shape(whose, entry)])
                    progress(entry.seq, ledger.head.seq)
    return ExitCode.FINE


def _kinds(words: str | None) -> frozenset[str] | None:
    """The kinds asked for; raises :class:`typer.BadParameter` for one that does not exist."""
    if words is None:
        return None
    from trueup.model.events import Event

    known = {str(kind.__struct_config__.tag).partition("/")[0] for kind in get_args(Event)}
    asked = frozenset(word.strip() for word in words.split(","))
    unknown = sorted(asked - known)
    if unknown:
        raise typer.BadParameter(f"There are no events of kind {unknown[0]!r}. Known are: {', '.join(sorted(known))}.")
    return asked


def _wanted(ledger: "Ledger", after: int | None, limit: int, kinds: frozenset[str] | None) -> "list[Entry]":
    from trueup.engine.replay import entries
    from trueup.model.facts import kind_of
    from trueup.model.identifiers import Seq

    start = max(0, ledger.head.seq - limit) if after is None and kinds is None else after or 0
    every = entries(ledger, Seq(start))
    found: Iterator[Entry] = (entry for entry in every if kinds is None or kind_of(entry.event) in kinds)
    return list(deque(found, maxlen=limit) if after is None else islice(found, limit))


def _show_entries(account: "AccountId", entries: "list[Entry]") -> None:
    from trueup.cli import render
    from trueup.model.facts import kind_of

    columns = [render.number("SEQ"), render.text("RECORDED"), render.text("KIND"), render.prose("EVENT")]
    rows: list[list[render.Cell]] = [
        [entry.seq, render.moment(entry.recorded_at), kind_of(entry.event), _sentence(entry)] for entry in entries
    ]
    render.show_table(columns, rows, title=account)


def _sentence(entry: "Entry") -> str:
    """What an event says, in one line: its fields by name, without those that say nothing."""
    from trueup.cli.shapes import offered, plain
    from trueup.model.events import Compared, Quarantined

    event = entry.event
    if isinstance(event, Quarantined):
        where = f"{event.source}: " if event.source else ""
        return f"{where}{event.reason} | {offered(event)}"
    if isinstance(event, Compared):
        found = "; ".join(f"{each.kind} {each.subject}: {each.direction}" for each in event.breaks)
        return f"{event.status} with {', '.join(event.source) or 'the venue'} | {found or f'{event.compared} compared'}"
    fields = plain(event)
    if isinstance(terms := fields.get("instrument"), dict):
        fields = fields | terms
        del fields["instrument"]
    return " ".join(
        f"{name}={value}" for name, value in fields.items() if name != "account" and value not in (None, "")
    )


def proof_shape(proof: "Proof") -> dict[str, object]:
    """A proof for a program."""
    from trueup.cli.shapes import plain

    ledgers = [{"ok": ledger.ok} | plain(ledger) for ledger in proof.ledgers]
    return {"ok": proof.ok, "ledgers": ledgers, "views": list(proof.views)}


def show_proof(proof: "Proof") -> None:
    """A proof for a person."""
    from trueup.cli import render

    columns = [render.text("LEDGER"), render.text("CHAIN"), render.text("VIEWS"), render.number("EVENTS")]
    columns += [render.number("FRAMES"), render.number("BYTES"), render.text("HEAD")]
    rows = [
        [
            ledger.account,
            "fail" if ledger.log else "ok",
            _views_word(ledger, proof),
            ledger.events,
            ledger.frames,
            ledger.log_bytes,
            f"{ledger.head_seq} {ledger.head_hash[:16]}",
        ]
        for ledger in proof.ledgers
    ]
    render.show_table(columns, rows)
    for wrong in proof.views:
        render.show(f"views: {wrong}", "fail")
    for ledger in proof.ledgers:
        _show_ledger(ledger)


def _show_ledger(ledger: "LedgerProof") -> None:
    from trueup.cli import render

    for wrong in ledger.log:
        render.show(f"{ledger.account}: {wrong}", "fail")
    for wrong in ledger.views:
        render.show(f"{ledger.account}, views: {wrong}", "fail")
    if ledger.snapshot:
        render.show(f"{ledger.account}: {ledger.snapshot}", "fail")
    if ledger.torn:
        render.show(
            f"{ledger.account}: it ends in an unfinished write that nobody was told of; opening it clears that."
        )
    if ledger.views_seq is not None and ledger.views_seq < ledger.head_seq:
        render.show(f"{ledger.account}: the views are at seq {ledger.views_seq}; opening it brings them up.")


def _views_word(ledger: "LedgerProof", proof: "Proof") -> str:
    if proof.views or ledger.views_seq is None:
        return "fail" if proof.views or ledger.views else "not compared"
    return "fail" if ledger.views else "ok"


app = typer.Typer(no_args_is_help=True, help="Prove the journal, look into it, or export it.")
for verb in (verify, show, export):
    register(app, verb)
