"""What a person sees: the live display on a terminal, and the result at the end. It shows, and works nothing out."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from rich.console import Group, JustifyMethod, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from trueup.cli.demo.messages import Compared
from trueup.cli.demo.record import Kill, Record
from trueup.cli.demo.stage import Stage
from trueup.cli.demo.summary import FoundFault, FoundKill, Summary
from trueup.cli.render import figure
from trueup.model.differences import Side3
from trueup.model.identifiers import AccountId
from trueup.model.times import NS_PER_MS

STATUS_STYLES = {
    "SYNCED": "green",
    "PENDING": "yellow",
    "NOT_COMPARED": "yellow",
    "FAILED": "magenta",
    "DRIFT": "bold red",
}
STATE_STYLES = {"running": "green", "killed": "bold red", "recovering": "yellow"}
_TOTALS_JUSTIFIED: tuple[JustifyMethod, ...] = ("left", "right", "left", "left")

CAUSE_STYLE, BREAK_STYLE = "bold", "bold yellow"

KINDS = {
    "drop": "fill report lost",
    "duplicate": "fill reported twice",
    "time_out": "order timed out, placed",
    "foreign_trade": "trade by hand",
    "liquidation": "liquidation",
    "outage": "venue down",
}
"""Faults in a person's words."""


def live_view(stage: Stage, seconds: float, height: int) -> RenderableType:
    """The display while it runs; of the story, newest first, what a terminal of so many lines may have room for."""
    record = stage.record
    return Group(
        _head(stage, seconds),
        _three_ways(record),
        _story(record, stage.began, height),
    )


def result_view(summary: Summary) -> RenderableType:
    """The result."""
    verdict = "The book is the venues' truth" if summary.ok else "The book is NOT the venues' truth"
    style = "green" if summary.ok else "red"
    parts: list[RenderableType] = [_totals(summary), Text(), _faults(summary)]
    if summary.not_struck:
        words = f"{_counted(summary.not_struck, 'planned fault')} did not strike in time: let it run for longer"
        parts += [Text(), Text(words, style="yellow")]
    if summary.problems:
        parts += [Text(), Text("\n".join(f"✗ {problem}" for problem in summary.problems), style="red")]
    return Panel(Group(*parts), title=Text(verdict, style=f"bold {style}"), border_style=style, padding=(1, 2))


# --- while it runs ----------------------------------------------------------------------------------------------------


def _head(stage: Stage, seconds: float) -> RenderableType:
    elapsed = stage.elapsed_ms / 1_000
    prices = [
        f"{symbol} {figure(price)}"
        for exchange in stage.exchanges.values()
        for symbol, price in exchange.prices.items()
    ]
    line = Table.grid(expand=True, padding=(0, 2))
    line.add_column(no_wrap=True)
    line.add_column(ratio=1)
    line.add_column(no_wrap=True, justify="right")
    bar = ProgressBar(total=seconds, completed=min(elapsed, seconds), complete_style="cyan", finished_style="cyan")
    line.add_row("Two paper venues, one book", bar, f"{elapsed:4.1f} of {seconds:g} s")
    lines: list[RenderableType] = [line, Text("   ".join(prices), style="dim"), *_book(stage.record, stage.began)]
    return Panel(Group(*lines), title="trueup demo", border_style="cyan")


def _three_ways(record: Record) -> RenderableType:
    table = _table("Three ways, at one cut", "account", "", "memory", "database", "venue", "")
    for column in table.columns[2:5]:
        column.justify, column.no_wrap, column.overflow = "right", True, "ellipsis"
    for account in sorted(record.compared):
        for cells in _account_rows(account, record.compared[account]):
            table.add_row(*cells)
    return table


def _account_rows(account: AccountId, compared: Compared) -> Iterator[Sequence[RenderableType]]:
    """An account's positions and balances, and its open orders in one row."""
    name: RenderableType = Text(account, style="bold")
    for row in compared.rows:
        if row.section != "open_orders":
            # Spot is compared as the balance it is.
            venue = _number(row.venue) if row.venue is not None else Text("as balance", style="dim")
            cells = (_number(row.memory), _number(row.database), venue)
            yield name, row.subject.removesuffix(" net"), *cells, _status(row.status)
            name = ""
    orders = [row for row in compared.rows if row.section == "open_orders"]
    counts = [str(sum(side is not None for side in sides)) for sides in _sides(orders)]
    yield name, "open orders", *counts, _status(compared.status)


def _sides(rows: Sequence[Side3]) -> tuple[list[str | None], list[str | None], list[str | None]]:
    return [row.memory for row in rows], [row.database for row in rows], [row.venue for row in rows]


def _story(record: Record, began: int, most: int) -> RenderableType:
    title = f"Found and explained: {record.breaks} breaks, {record.breaks - record.explained} open"
    table = _table(title, "at", "account", "found", "evidence", "booked")
    for entry in reversed(record.story[-most:]):
        at = f"{(entry.at - began) / NS_PER_MS / 1_000:.1f} s"
        style = BREAK_STYLE if entry.what.startswith("break") or entry.what.endswith("breaks") else CAUSE_STYLE
        table.add_row(at, entry.account, Text(entry.what, style=style), entry.evidence, entry.done)
    return table


def _book(record: Record, began: int) -> list[Text]:
    state = Text.assemble(
        "The book is ",
        (record.state, STATE_STYLES.get(record.state, "bold")),
        f": life {record.life}, process {record.pid}, {sum(record.events.values()):,} events, ",
        f"{sum(map(len, record.acknowledged.values())):,} facts acknowledged, {record.comparisons} comparisons",
    )
    return [state, *(_killed(kill, began) for kill in record.kills)]


def _killed(kill: Kill, began: int) -> Text:
    at = (kill.at - began) / NS_PER_MS / 1_000
    text = Text.assemble(("SIGKILL", "bold red"), f" at {at:.1f} s, {_writing(len(kill.unacknowledged))}")
    if not kill.ready_at:
        return text.append(" …", "yellow")
    return text.append(f": open again in {kill.opened_ms} ms, at one with the venues {kill.down_ms} ms after the kill")


# --- at the end -------------------------------------------------------------------------------------------------------


def _totals(summary: Summary) -> RenderableType:
    breaks, detect = summary.breaks, summary.time_to_detect
    grid = Table.grid(padding=(0, 3))
    for justify in _TOTALS_JUSTIFIED:
        grid.add_column(no_wrap=True, justify=justify)
    grid.add_row("events", _bold(f"{summary.events:,}"), "breaks found", _bold(f"{breaks.found}"))
    grid.add_row("acknowledged", _bold(f"{summary.acknowledged:,}"), "explained", _bold(f"{breaks.explained}"))
    grid.add_row("lost", _zero(summary.lost), "open", _zero(breaks.open))
    shown = "-" if detect.median_ms is None else f"median {detect.median_ms} ms, at most {detect.max_ms} ms"
    grid.add_row("doubled", _zero(summary.doubled), "time to detect", _bold(shown))
    return grid


def _faults(summary: Summary) -> RenderableType:
    table = _table("", "at", "account", "what struck", "after", "what was found")
    table.columns[3].justify = "right"
    rows = [(fault.at_ms, _fault_row(fault)) for fault in summary.faults]
    rows += [(kill.at_ms, _kill_row(kill)) for kill in summary.kills]
    for at_ms, cells in sorted(rows, key=lambda row: row[0]):
        table.add_row(f"{at_ms / 1_000:.1f} s", *cells)
    return table


def _fault_row(fault: FoundFault) -> Sequence[RenderableType]:
    after = "-" if fault.detected_ms is None else f"{fault.detected_ms or '< 1'} ms"
    words = fault.explanation or Text("NOT FOUND", style="bold red")
    return fault.account, Text(KINDS.get(fault.kind, fault.kind), style=CAUSE_STYLE), after, words


def _kill_row(kill: FoundKill) -> Sequence[RenderableType]:
    words = _recovery(kill.unacknowledged, kill.survived, kill.opened_ms)
    after = f"{kill.down_ms} ms"
    return "the book", Text("SIGKILL", style="bold red"), after, f"{_writing(kill.unacknowledged)}: {words}"


def _writing(facts: int) -> str:
    return f"in the middle of writing {_counted(facts, 'fact')}" if facts else "just after a write"


def _recovery(written: int, survived: int, opened_ms: int) -> str:
    """What became of the facts that were being written, and how long the start took."""
    fate = f"{survived} of {written} had reached the disk; " if written else ""
    return f"{fate}logs verified and books open in {opened_ms} ms; then at one with the venues"


# --- small things -----------------------------------------------------------------------------------------------------


def _table(title: str, *columns: str) -> Table:
    table = Table(
        box=None, expand=True, title=title or None, title_justify="left", title_style="bold cyan", pad_edge=False
    )
    for column in columns:
        table.add_column(column, header_style="dim", overflow="fold", no_wrap=column in {"at", "account", "found"})
    return table


def _status(status: str) -> Text:
    return Text(status, style=STATUS_STYLES.get(status, ""))


def _number(shown: str | None) -> str:
    return "-" if shown is None else figure(Decimal(shown))


def _bold(words: str) -> Text:
    return Text(words, style="bold")


def _zero(count: int) -> Text:
    return Text(f"{count}", style="bold red" if count else "bold green")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
