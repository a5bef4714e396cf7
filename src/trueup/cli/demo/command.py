"""``trueup demo``: the verb. Sets the stage, shows it, checks the book against the venues, says how it went."""

import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from trueup.cli.options import ExitCode, Json
from trueup.cli.output import Output
from trueup.model.errors import BadInput, TrueupError

if TYPE_CHECKING:
    from collections.abc import Callable

    from trueup.cli.demo.play import Audience
    from trueup.cli.demo.stage import Stage
    from trueup.cli.demo.summary import Summary

SIGNALLED = 128
FRAME_MS = 100
PLAIN_WIDTH = 140
SECONDS_MIN, SECONDS_MAX = 2, 3_600


def demo(
    ctx: typer.Context,
    seconds: Annotated[
        float, typer.Option("--seconds", metavar="N", min=SECONDS_MIN, max=SECONDS_MAX, help="How long it trades.")
    ] = 20,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Other prices, orders and moments.")] = 7,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", help="Keep the book in this new directory, to look at afterwards."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Watch a book stay true while everything goes wrong.

    Two paper venues run in this process; a second process is the book and trades three instruments there. Reports get
    lost or come twice, an order times out, somebody trades by hand, a position is liquidated, a venue goes down, and
    the book itself is killed in the middle of a write, twice. What is found, how it is explained and what is booked
    shows as it happens.

    At the end the book on disk is compared with the venues' own truth: exit code 0 when they agree in everything and
    all that struck was found, 1 when not. Nothing leaves this machine, and no keys are needed.

    Examples:
      trueup demo
      trueup demo --seconds 60 --seed 3 --data demo-data
      trueup --data demo-data positions
    """
    from trueup.cli.demo.play import play

    out = Output(as_json=as_json)
    chosen = data or ctx.find_root().obj
    received: list[signal.Signals] = []
    try:
        with _ended_by_request(received), _directory(chosen, out) as directory:
            summary = play(directory, seconds, seed, _silent if as_json else _show_run(seconds))
            if chosen or not summary.ok:
                summary = msgspec.structs.replace(summary, data=str(directory))
            else:
                shutil.rmtree(directory)
    except KeyboardInterrupt:
        ended_by = received[0] if received else signal.SIGINT
        out.note(f"Ended by {ended_by.name}; the venues and the book are closed.")
        return SIGNALLED + ended_by
    if as_json:
        out.data(summary)
    else:
        _show_result(summary)
    return ExitCode.FINE if summary.ok else ExitCode.DIFFERENCES


@contextmanager
def _ended_by_request(received: list[signal.Signals]) -> Iterator[None]:
    """Take SIGTERM, and note it, as an interrupt from the keyboard: that ends everything here in good order."""

    def interrupt(number: int, _frame: object) -> None:
        received.append(signal.Signals(number))
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _directory(chosen: Path | None, out: Output) -> Iterator[Path]:
    """A place for the book: the one chosen, which must be new, or one that goes when the run was interrupted."""
    if chosen is not None:
        path = chosen.expanduser()
        if path.exists() and not (path.is_dir() and not any(path.iterdir())):
            raise BadInput(
                "data",
                str(path),
                "not an empty directory",
                remedy="The demo's venues begin anew each time: name a new directory.",
            )
        yield path
        return
    path = Path(tempfile.mkdtemp(prefix="trueup-demo-"))
    try:
        yield path
    except KeyboardInterrupt:
        shutil.rmtree(path)
        raise
    except TrueupError:
        out.note(f"The book as it was left is in {path}.")
        raise


@contextmanager
def _silent(_stage: "Stage") -> "Iterator[Callable[[], None]]":
    yield lambda: None


def _show_run(seconds: float) -> "Audience":
    """The live display on a terminal, lines elsewhere."""
    from rich.console import Console
    from rich.live import Live

    from trueup.cli.demo.lines import Lines
    from trueup.cli.demo.screen import live_view

    console = Console(highlight=False)

    @contextmanager
    def lines(stage: "Stage") -> "Iterator[Callable[[], None]]":
        yield Lines(stage, _say)

    @contextmanager
    def screen(stage: "Stage") -> "Iterator[Callable[[], None]]":
        with Live(console=console, auto_refresh=False, transient=True) as live:
            shown = 0

            def frame() -> None:
                nonlocal shown
                if stage.elapsed_ms - shown >= FRAME_MS:
                    shown = stage.elapsed_ms
                    live.update(live_view(stage, seconds, console.height), refresh=True)

            yield frame

    return screen if console.is_terminal and not console.is_dumb_terminal else lines


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _show_result(summary: "Summary") -> None:
    from rich.console import Console

    from trueup.cli.demo.screen import result_view

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    console.print(result_view(summary))
    if summary.data:
        where = shlex.quote(summary.data)
        _say(f"The book is in {where}. Look at it:")
        for verb in ("positions", "balances", "explain BTC/USDC:USDC --account paper:north", "journal verify"):
            _say(f"  trueup --data {where} {verb}")
    else:
        _say("The book was removed. Keep the next one, and look at it afterwards:")
        _say("  trueup demo --data demo-data")
        _say("  trueup --data demo-data positions")
