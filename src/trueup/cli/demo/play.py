"""One whole play: the venues open, the stage runs, the book on disk is checked, and the run is put into numbers."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from random import Random

from trueup.cli.demo.check import check_data
from trueup.cli.demo.stage import Stage
from trueup.cli.demo.summary import Summary, summarise
from trueup.cli.demo.world import make_plan, open_venues
from trueup.engine.clock import SystemClock

Audience = Callable[[Stage], AbstractContextManager[Callable[[], None]]]
"""Given the stage, gives what is called whenever something happened."""


def play(data: Path, seconds: float, seed: int, audience: Audience) -> Summary:
    """Play to the end and check.

    Raises:
        BookFailed: The book's process ended when nobody had asked it to; its data is as it left it.
        StorageError: The directory cannot be used, or what is in it not be read any more.
    """
    clock = SystemClock()
    plan = make_plan(Random(f"{seed} plan"), seconds)
    exchanges = open_venues(plan, Random(f"{seed} venues"), clock)
    stage = Stage(exchanges, plan, data, seed, clock)
    with audience(stage) as watch:
        asyncio.run(stage.run(seconds, watch))
    record = stage.record
    hashes = record.closed.hashes if record.closed is not None else {}
    truths = {account: exchange.truth(account) for account, exchange in exchanges.items()}
    checks, file_problems = check_data(data, truths, record.acknowledged, hashes)
    return summarise(
        record,
        record.detections(stage.struck),
        checks,
        file_problems,
        seed=seed,
        began=stage.began,
        ran_ms=stage.elapsed_ms,
        planned=sum(len(faults.faults) for faults in plan.faults.values()) + len(plan.while_dead) + len(plan.kills_ms),
    )
