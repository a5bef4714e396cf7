"""``python -m benchmarks [NAME …] [--quick]``: measure, print the table, and write the JSON.

Each benchmark runs in a process of its own, so that none inherits another's heap, threads or settings.
"""

import argparse
import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.measure import BENCHMARKS, run_here

NAMES = (
    "booking",
    "callers",
    "busy",
    "fold",
    "compare",
    "history",
    "as_of",
    "backup",
    "postgres",
    "venues",
    "exchanges",
    "reconciling",
)
RESULTS = BENCHMARKS / "results"


def main() -> None:
    arguments = _arguments()
    title = "quick: sizes too small to judge" if arguments.quick else None
    table = Table("measured", "median", "target", "met", title=title)
    context = multiprocessing.get_context("spawn")
    for name in arguments.name or NAMES:
        with ProcessPoolExecutor(1, context) as process:
            measured = process.submit(run_here, name, arguments.quick).result()
        for row in measured["rows"]:
            table.add_row(row["what"], _figure(row["value"], row["unit"]), _target(row), _verdict(row))
        table.add_section()
        if not arguments.quick:
            RESULTS.mkdir(exist_ok=True)
            (RESULTS / f"{name}.json").write_text(json.dumps(measured, indent=2) + "\n", "utf-8")
    Console().print(table)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure what trueup costs.")
    parser.add_argument("name", nargs="*", choices=[*NAMES, []], help=f"of {', '.join(NAMES)}; all when none is named")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that they run; nothing is written")
    return parser.parse_args()


def _figure(value: float, unit: str) -> str:
    digits = 0 if value >= 1_000 else 2
    return f"{value:,.{digits}f} {unit}"


def _target(row: dict[str, Any]) -> str:
    if row["reach"] is None:
        return ""
    return f"{'≥' if row['bound'] == 'least' else '≤'} {_figure(row['reach'], row['unit'])}"


def _verdict(row: dict[str, Any]) -> str:
    if row["met"] is None:
        return ""
    return "[green]yes[/]" if row["met"] else f"[red]no, {row['short_by']:.0%} off[/]"


if __name__ == "__main__":
    main()
