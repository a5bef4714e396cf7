"""Whatever breaks on the wire, reading and following end in the truth; every kind of fault, at every adapter."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial

import msgspec
import pytest

from tests.conformance.venues.rigs import SocketRig
from tests.conformance.venues.test_ccxt import hyperliquid_by_ccxt
from tests.conformance.venues.test_coinbase import coinbase
from tests.conformance.venues.test_hyperliquid import hyperliquid
from tests.conformance.venues.test_jsonrpc_derivatives import SETUPS as ENGINES
from tests.conformance.venues.test_oanda import oanda
from tests.conformance.venues.test_zerodha import zerodha
from trueup.testing.conformance import following, reading
from trueup.testing.conformance.venues import run
from trueup.testing.servers import faults as f
from trueup.testing.servers.faults import AnyFault, WirePlan

Faulty = Callable[[WirePlan], AbstractAsyncContextManager[SocketRig]]

FACTS = {
    "hyperliquid": "userFills",
    "ccxt": "userFills",
    "oanda": "ORDER_FILL",
    "coinbase": '"update"',
    "deribit": "user.changes",
    "zerodha": '"type":"order"',
}
"""What a message of the stream holds that carries fills, or tells of them."""

READS: Sequence[tuple[str, Sequence[AnyFault]]] = [
    ("server errors", [f.Status(status=503, nth=2, times=2), f.Status(status=500, at="after", nth=5)]),
    ("too many requests", [f.Status(status=429, nth=3, retry_after_s=0)]),
    ("slow bodies", [f.SlowBody(piece_bytes=4_000, pause_ms=1, times=0)]),
    ("a wrong clock", [f.WrongClock(by_ms=45_000, nth=3, for_ms=500)]),
    ("cut answers", [f.Reset(nth=2, at="halfway"), f.HalfClose(nth=4, at="halfway"), f.Reset(nth=6, at="after")]),
]


def messages(words: str) -> Sequence[tuple[str, AnyFault]]:
    return [
        ("duplicated", f.Duplicate(message=words, times=0)),
        ("reordered", f.Reorder(message=words, nth=2, times=3)),
        ("delayed", f.Delay(message=words, for_ms=50, times=0)),
        ("half closed", f.HalfClose(message=words, nth=3)),
        ("reset", f.Reset(message=words, nth=3)),
        ("dropped", f.Drop(message=words, nth=2, times=4)),
    ]


SETUPS: dict[str, Faulty] = {
    "hyperliquid": hyperliquid,
    "ccxt": hyperliquid_by_ccxt,
    "oanda": oanda,
    "coinbase": coinbase,
    "deribit": lambda plan: ENGINES["deribit"](plan=plan),
    "zerodha": zerodha,
}


@pytest.mark.parametrize(("kind", "faults"), READS, ids=lambda value: value if isinstance(value, str) else "")
@pytest.mark.parametrize("venue", SETUPS)
def test_reading_ends_in_the_truth(venue: str, kind: str, faults: Sequence[AnyFault]) -> None:
    plan = WirePlan(tuple(faults))
    asyncio.run(run(reading.check_what_happened_is_told_once, partial(SETUPS[venue], plan)))


@pytest.mark.parametrize("kind", [kind for kind, _ in messages("")])
@pytest.mark.parametrize("venue", SETUPS)
def test_following_ends_in_the_truth(venue: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # A message that is lost without a trace is found by the next pull alone.
    monkeypatch.setattr(following, "PACE", msgspec.structs.replace(following.PACE, pull_s=2.0))
    plan = WirePlan((dict(messages(FACTS[venue]))[kind],))
    asyncio.run(run(following.check_following_ends_in_the_truth, partial(SETUPS[venue], plan)))


@pytest.mark.parametrize("venue", SETUPS)
def test_maintenance_is_waited_for(venue: str) -> None:
    plan = WirePlan((f.Maintenance(for_ms=1_500, nth=12),))
    asyncio.run(run(following.check_what_happens_while_nobody_listens_is_pulled, partial(SETUPS[venue], plan)))
