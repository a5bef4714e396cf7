"""``trueup reconcile --watch``: accounts kept in agreement with their venues until somebody interrupts."""

import asyncio
import signal
import sys
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from trueup.cli.options import ExitCode
from trueup.cli.output import Output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trueup.engine.store import Store
    from trueup.engine.watching import Account, Watch
    from trueup.journal.postgres.address import Place
    from trueup.settings import AccountSettings, Settings


def keep_watch(where: "Place", config: Path | None, venue: str | None, name: str | None, out: Output) -> int:
    """Watch the accounts of the settings, or those that are named; a line for each run."""
    from trueup.cli.live import account_set
    from trueup.cli.session import opened, settings
    from trueup.model.errors import BadInput

    in_force = settings(config)
    chosen = [account_set(config, venue, name)] if venue or name else list(in_force.accounts.values())
    if not chosen:
        raise BadInput("accounts", "", "the settings name none", remedy="Set one up: see trueup.toml.example.")
    with opened(where, out, create=True) as store:
        asyncio.run(_watched(store, in_force, chosen, out))
    return ExitCode.FINE


async def _watched(store: "Store", settings: "Settings", chosen: "Sequence[AccountSettings]", out: Output) -> None:
    from trueup.engine.watching import Rhythm, watch

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    rhythm = Rhythm(period_s=float(settings.reconciliation_interval))
    accounts = [_account(store, settings, account) for account in chosen]
    await watch(store, accounts, random=Random(), rhythm=rhythm, told=partial(_tell, out), stop=stop)


def _account(store: "Store", settings: "Settings", account: "AccountSettings") -> "Account":
    from trueup.cli.live import connected, hints
    from trueup.engine.watching import Account
    from trueup.settings.policies import policies, stops_required

    return Account(
        store.ledger(account.account),
        lambda: connected(account, hints(store, account)),
        policies(settings.corrections, account),
        stops_required(settings.corrections),
    )


def _tell(out: Output, watch: "Watch") -> None:
    """One line on standard output for each run; troubles on standard error."""
    if watch.trouble:
        out.note(f"{watch.account}: {watch.trouble}")
    elif watch.last is not None:
        run = watch.last
        if out.as_json:
            from trueup.cli.run_shapes import shape_run

            line = {"account": watch.account, "status": run.comparison.status.value, "booked": run.pulled.booked}
            out.lines([{**line, **shape_run(run, dry=False)}])
        else:
            from trueup.cli import render

            status = run.comparison.status.value
            differ = f", {len(run.findings)} differences" if run.findings else ""
            booked = f", {run.pulled.booked} booked" if run.pulled.booked else ""
            put_right = f", {len(run.corrected)} put right" if run.corrected else ""
            words = f"{run.comparison.compared} compared{differ}{booked}{put_right}"
            render.show(f"{render.moment(run.began_at)} {watch.account} {run.trigger}: {status}: {words}", status)
    sys.stdout.flush()
