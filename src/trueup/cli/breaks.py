"""``trueup breaks``: where book and venue differed when they were last compared, now or as of any earlier moment."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from trueup.cli.moments import opened_at, parse_moment, say_when, standing
from trueup.cli.options import Account, AsOf, Data, ExitCode, Json, VenueTime
from trueup.cli.output import Output

if TYPE_CHECKING:
    from trueup.engine import time_travel
    from trueup.model.events import Compared
    from trueup.ports import Head

NEVER = "NEVER_COMPARED"
"""The status of an account for which no outcome is on record: unknown, not agreed."""


def breaks(
    ctx: typer.Context,
    *,
    account: Account = None,
    as_of: AsOf = None,
    venue_time: VenueTime = False,
    data: Data = None,
    as_json: Json = False,
) -> int:
    """Show the newest outcome of a comparison with the venue, and each difference it found.

    Each difference has a life: `trueup breaks list` shows where it stands and why, and the other verbs take it on.

    `trueup reconcile` puts its outcome on record, once, until it finds something else: an outcome holds since it was
    recorded. With --venue-time it is the newest of a snapshot taken until then.

    The exit code is that of the worst account: 0 SYNCED, 1 DRIFT, 2 FAILED, PENDING or never compared.

    Examples:
      trueup breaks
      trueup breaks --account main --as-of 2026-03-02T12:00:00Z --json
    """
    if ctx.invoked_subcommand is not None:
        return ExitCode.FINE
    out = Output(as_json=as_json)
    moment = parse_moment(as_of, venue_time)
    with opened_at(ctx, data, out) as store:
        from trueup.engine.time_travel import head_at

        accounts = list(standing(store, account, moment, out))
        recorded = [head_at(store.ledger(then.account), then.compared_at) for then in accounts]
    say_when(accounts, out)
    if as_json:
        out.data([_shape(then, head) for then, head in zip(accounts, recorded, strict=True)])
    else:
        for then, head in zip(accounts, recorded, strict=True):
            _show(then, head)
    return max((_code(then.compared) for then in accounts), key=_WORST.index, default=ExitCode.FINE)


_WORST = (ExitCode.FINE, ExitCode.UNKNOWN, ExitCode.DIFFERENCES)
"""A difference that was found outranks what could not be compared, as in a comparison."""


def _code(outcome: "Compared | None") -> ExitCode:
    from trueup.cli.reconciling import CODES

    return ExitCode.UNKNOWN if outcome is None else CODES[outcome.status]


def _shape(then: "time_travel.AsOf", recorded: "Head") -> dict[str, object]:
    from trueup.cli.shapes import plain, plain_fields

    outcome = then.compared
    if outcome is None:
        return {"account": then.account, "status": NEVER, "seq": None, "recorded_at": None, "breaks": []}
    return plain_fields(
        account=then.account,
        status=outcome.status,
        seq=recorded.seq,
        recorded_at=recorded.recorded_at,
        cut=outcome.cut,
        source=outcome.source,
        compared=outcome.compared,
        counts=dict(outcome.counts),
        not_compared=outcome.not_compared,
        unlisted=outcome.unlisted,
        breaks=[plain(found) for found in outcome.breaks],
    )


def _show(then: "time_travel.AsOf", recorded: "Head") -> None:
    from trueup.cli import render

    outcome = then.compared
    if outcome is None:
        render.show(f"{then.account}: never compared with its venue; compare it with `trueup reconcile`.", "warn")
        return
    if outcome.breaks:
        _show_breaks(then.account, outcome)
    more = f", {outcome.unlisted} more differences not kept" if outcome.unlisted else ""
    cut = f" with the venue's state of {render.moment(outcome.cut)}" if outcome.cut is not None else ""
    render.show(
        f"{then.account}: {outcome.status} since {render.moment(recorded.recorded_at)} (seq {recorded.seq}): "
        f"{outcome.compared} compared{cut}{more}",
        outcome.status,
    )


def _show_breaks(account: str, outcome: "Compared") -> None:
    from trueup.cli import render

    columns = [render.text("KIND"), render.text("SEVERITY"), render.text("STATUS"), render.text("ABOUT")]
    columns += [render.number("DIFFERENCE"), render.prose("IN WORDS"), render.prose("EVIDENCE")]
    rows: Sequence[Sequence[render.Cell]] = [
        [
            found.kind,
            found.severity,
            found.status,
            found.subject,
            "" if found.difference is None else found.difference,
            found.direction,
            render.listed(found.evidence),
        ]
        for found in outcome.breaks
    ]
    render.show_table(columns, rows, title=account)
