#!/usr/bin/env python3
"""Make the pictures of the demo: a real run, as the terminal showed it near its end, and its result.

Run it from a checkout with the package installed: ``python docs/images/make_demo.py``.
"""

import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

from rich.console import Console, RenderableType
from rich.terminal_theme import MONOKAI

from trueup.cli.demo.play import play
from trueup.cli.demo.screen import live_view, result_view
from trueup.cli.demo.stage import Stage

HERE = Path(__file__).parent
SECONDS, SEED = 20, 7
WIDTH, STORY = 130, 12
SHOWN_FROM_MS = 16_500
"""After the second kill, when most of the story has been told."""


def main() -> None:
    """Play once and keep two frames."""
    frames: list[RenderableType] = []

    @contextmanager
    def audience(stage: Stage) -> Iterator[Callable[[], None]]:
        def watch() -> None:
            record = stage.record
            if not frames and stage.elapsed_ms > SHOWN_FROM_MS and (len(record.kills), record.state) == (2, "running"):
                frames.append(live_view(stage, SECONDS, STORY))

        yield watch

    with tempfile.TemporaryDirectory() as data:
        summary = play(Path(data) / "data", SECONDS, SEED, audience)
    save(frames[0], "demo.svg")
    save(result_view(summary), "demo-result.svg")


def save(shown: RenderableType, name: str) -> None:
    """Write a picture that asks for nothing from outside."""
    console = Console(record=True, width=WIDTH, file=StringIO(), force_terminal=True, highlight=False)
    console.print(shown)
    picture = console.export_svg(title="trueup demo", theme=MONOKAI)
    picture = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL).replace("Fira Code, ", "")
    (HERE / name).write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main()
