"""``trueup store``: moving everything from one store to another."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trueup.cli.options import ExitCode, Json
from trueup.cli.output import Output
from trueup.cli.verbs import register

if TYPE_CHECKING:
    from trueup.engine.copying import Copied
    from trueup.journal.postgres.address import Place

From = Annotated[
    str, typer.Option("--from", metavar="DIR|URL", help="The store to copy: a directory or a postgresql:// address.")
]
To = Annotated[str, typer.Option("--to", metavar="DIR|URL", help="Where to: empty, or begun by an earlier copy.")]


def copy(
    *,
    source: From,
    to: To,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; only say whether the two are equal.")] = False,
    as_json: Json = False,
) -> int:
    """Copy every ledger from one store to another, between directories and databases in either direction.

    Frames are copied as they are: the same seqs, times and hashes. The views are made from them at the target, and the
    copy is done when both heads and both folded states are equal. One that was interrupted goes on where it stopped;
    a target with another history is refused. Stop whoever books at the source first.

    Exit code 1: with --check, the two are not equal.

    Examples:
      trueup store copy --from data --to postgresql://trueup@db/trueup
      trueup store copy --from postgresql://trueup@db/trueup --to data.copy
      trueup store copy --from data --to postgresql://trueup@db/trueup --check
    """
    from trueup.bootstrap import compare_stores, copy_store
    from trueup.cli.session import existing

    out = Output(as_json=as_json)
    ours, theirs = existing(_place(source)), _place(to)
    if check:
        found = compare_stores(ours, existing(theirs))
    else:
        with out.progress("copying") as progress:
            found = copy_store(ours, theirs, progress)
    if as_json:
        out.data({"equal": all(copied.equal for copied in found), "ledgers": [_shape(copied) for copied in found]})
    else:
        _show(found)
    return ExitCode.FINE if all(copied.equal for copied in found) else ExitCode.DIFFERENCES


def _place(given: str) -> "Place":
    from trueup.journal.postgres.address import Address

    return Address.parse(given) if Address.is_one(given) else Path(given).expanduser()


def _shape(copied: "Copied") -> dict[str, object]:
    sides = {"source": copied.source, "target": copied.target}
    return {"account": copied.account, "equal": copied.equal} | {
        name: None
        if side is None
        else {"seq": side.head.seq, "head": side.head.hash.hex(), "state_hash": side.state_hash}
        for name, side in sides.items()
    }


def _show(found: "Sequence[Copied]") -> None:
    from trueup.cli import render

    columns = [render.text("LEDGER"), render.number("SEQ"), render.text("HEAD"), render.number("SEQ THERE")]
    columns += [render.text("HEAD THERE"), render.text("")]
    rows: list[list[render.Cell]] = [
        [
            copied.account,
            *(("", "") if copied.source is None else (copied.source.head.seq, copied.source.head.hash.hex()[:12])),
            *(("", "") if copied.target is None else (copied.target.head.seq, copied.target.head.hash.hex()[:12])),
            "equal" if copied.equal else "NOT EQUAL",
        ]
        for copied in found
    ]
    render.show_table(columns, rows)


app = typer.Typer(no_args_is_help=True, help="Everything that is kept, as a whole.")
register(app, copy)
