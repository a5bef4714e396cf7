"""``trueup views``: the derived database, made anew."""

import typer

from trueup.cli.options import Data, ExitCode, Json
from trueup.cli.output import Output
from trueup.cli.verbs import register


def rebuild(ctx: typer.Context, *, data: Data = None, as_json: Json = False) -> int:
    """Make the views database anew from the journal; the old one is kept beside it as views.sqlite3.damaged.

    Example:
      trueup views rebuild
    """
    from trueup.bootstrap import rebuild_views
    from trueup.cli.session import existing, place
    from trueup.model.identifiers import AccountId, Seq

    out = Output(as_json=as_json)
    reached: dict[AccountId, Seq] = {}
    with out.progress("rebuilding") as progress:

        def advance(account: AccountId, seq: Seq, head: Seq) -> None:
            reached[account] = seq
            progress(seq, head)

        rebuild_views(existing(place(ctx, data)), advance, out.note)
    if as_json:
        out.data({"ledgers": [{"account": account, "seq": seq} for account, seq in sorted(reached.items())]})
    else:
        from trueup.cli import render

        for account, seq in sorted(reached.items()):
            render.show(f"{account}: rebuilt up to seq {seq}")
        if not reached:
            render.show("There is nothing in the journal yet.")
    return ExitCode.FINE


app = typer.Typer(no_args_is_help=True)
register(app, rebuild)


@app.callback()
def views() -> None:
    """The views database, which is derived from the journal."""
