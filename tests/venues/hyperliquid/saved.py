"""What these tests share: reading values as saved answers, and where fixtures and recordings are."""

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from trueup.model.events import Fact
from trueup.model.identifiers import AccountId
from trueup.ports import Reading
from trueup.venues.hyperliquid.reader import HyperliquidReader

ROOT = Path(__file__).parents[3]
FIXTURES = ROOT / "tests" / "fixtures" / "hyperliquid"
RECORDINGS = ROOT.parent / "shared" / "venue-data" / "hyperliquid"

ACCOUNT = AccountId("hyperliquid:main")
ME = "0x1111111111111111111111111111111111111111"
OTHER = "0x2222222222222222222222222222222222222222"
MS = 1_000_000
TIME = 1_772_446_200_000

F = TypeVar("F")


def read(
    value: object, request: object = None, *, reader: HyperliquidReader | None = None, address: str = ""
) -> Reading:
    """Read a value as if it had been saved."""
    body = None if request is None else json.dumps(request).encode()
    return (reader or HyperliquidReader(ACCOUNT, address)).read("saved.json", json.dumps(value).encode(), body)


def read_file(path: Path, reader: HyperliquidReader | None = None) -> Reading:
    return (reader or HyperliquidReader(ACCOUNT)).read(path.name, path.read_bytes())


def of(reading: Reading, kind: type[F]) -> Sequence[F]:
    """The facts of one kind."""
    return [fact for fact in reading.facts if isinstance(fact, kind)]


def only(reading: Reading, kind: type[F]) -> F:
    (fact,) = of(reading, kind)
    return fact


def fill(**changes: object) -> dict[str, Any]:
    """A fill as the venue gives it; a field set to None is left out."""
    row = {
        "coin": "BTC",
        "px": "60000.0",
        "sz": "0.05",
        "side": "B",
        "time": TIME,
        "startPosition": "0.0",
        "dir": "Open Long",
        "closedPnl": "0.0",
        "hash": "0x" + "0" * 64,
        "oid": 7001,
        "crossed": True,
        "fee": "1.35",
        "tid": 9001,
        "feeToken": "USDC",
        **changes,
    }
    return {name: value for name, value in row.items() if value is not None}


def total(facts: Sequence[Fact], field: str) -> Decimal:
    return sum((getattr(fact, field) for fact in facts), Decimal(0))
