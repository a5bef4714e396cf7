"""What the tests of the command line share: results, and the files they import."""

import json
from pathlib import Path
from typing import Any, Protocol

FIXTURES = Path(__file__).parents[1] / "fixtures"
STORY = FIXTURES / "hyperliquid" / "story"
BROKEN = FIXTURES / "hyperliquid" / "broken"
OANDA = FIXTURES / "oanda"
GENERIC = FIXTURES / "generic"

MAIN = ("--venue", "hyperliquid", "--account", "main")
FX = ("--venue", "oanda", "--account", "fx")
BROKER = ("--venue", "generic", "--account", "broker")


class Result:
    """What came of one command line."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever the verb prints
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def error(self) -> dict[str, str]:
        """The error object that --json writes to standard error."""
        found: dict[str, str] = json.loads(self.err.splitlines()[-1])["error"]
        return found


class Trueup(Protocol):
    """Runs a command line."""

    def __call__(self, *words: str | Path) -> Result: ...


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in {".json", ".jsonl", ".csv"})


def rows(name: str) -> list[dict[str, Any]]:
    """The rows of a file of the story, for a test to change."""
    found: list[dict[str, Any]] = json.loads((STORY / name).read_text())
    return found


def written(path: Path, value: object) -> Path:
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def head_of(trueup: Trueup, account: str = "main") -> int:
    """The last seq of an account's journal."""
    lines = trueup("journal", "show", "--account", account, "--limit", "1", "--json").lines
    return int(lines[-1]["seq"])


def by_symbol(positions: Result) -> dict[str, Any]:
    return {position["native_symbol"]: position for position in positions.json}
