"""``python -m trueup.testing.sim``: many seeds, or one of them with everything that happens in it."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter  # noqa: TID251 - how fast it went is told to a person

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from trueup.testing.sim.house import small
from trueup.testing.sim.many import Tally, remember, resumed, run_many, scratch
from trueup.testing.sim.run import run
from trueup.testing.sim.vfs import simulated

SHOWN_MAX = 20
"""Findings listed at the end; the state file has more."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m trueup.testing.sim", description=__doc__)
    parser.add_argument("--seed", type=int, help="replay one seed and print everything that happens")
    parser.add_argument("--seeds", type=int, default=1_000, help="how many seeds in all")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="how many at once; all cores")
    parser.add_argument("--state", type=Path, help="file that remembers how far it is, to go on from there")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    options = parser.parse_args(arguments)
    if options.seed is not None:
        return _replay(options.seed)
    tally = _run(options)
    if options.json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(tally), indent=2).decode() + "\n")
    else:
        _summarise(tally)
    return 1 if tally.failed else 0


def _replay(seed: int) -> int:
    console = Console(highlight=False, soft_wrap=True)
    with simulated() as vfs, small():
        outcome = run(seed, vfs, scratch(), lambda line: console.print(line, markup=False))
    console.print(f"\nseed {seed}: {outcome.finding or 'every promise kept'}", markup=False)
    return 1 if outcome.finding else 0


def _run(options: argparse.Namespace) -> Tally:
    tally = resumed(options.state, options.first)
    seeds = range(options.first + tally.done, options.first + options.seeds)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("seeds", total=options.seeds, completed=tally.done)
        before = perf_counter()
        for outcomes in run_many(seeds, options.processes):
            tally.add(outcomes)
            now = perf_counter()
            tally.seconds, before = tally.seconds + now - before, now
            if options.state is not None:
                remember(options.state, tally)
            for outcome in outcomes:
                if outcome.finding:
                    progress.console.print(f"seed {outcome.seed}: {outcome.finding}", markup=False)
            found = f", {tally.failed} findings" if tally.failed else ""
            progress.update(task, completed=tally.done, description=f"seeds{found}")
    return tally


def _summarise(tally: Tally) -> None:
    table = Table("what", "how often", title=f"{tally.done:,} seeds from {tally.first}", title_justify="left")
    rows = {"findings": tally.failed, "operations on the disk": tally.operations, "events booked": tally.events}
    for name, count in {**rows, **dict(sorted(tally.counts.items()))}.items():
        table.add_row(name, f"{count:,}")
    console = Console(highlight=False)
    console.print(table)
    if tally.seconds:
        console.print(f"{tally.done / tally.seconds:.1f} seeds a second")
    for finding in tally.findings[:SHOWN_MAX]:
        console.print(f"seed {finding.seed}: {finding.told}", markup=False)
        console.print(f"  python -m trueup.testing.sim --seed {finding.seed}", markup=False)


if __name__ == "__main__":
    sys.exit(main())
