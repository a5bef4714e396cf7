"""The process that is the book: ``python -m trueup.cli.demo.child``. It is killed without warning, and started again.

A start goes: lock, verify, snapshot and tail, views, streams, comparison with the venues, and only then orders.
Standard input says when to end: a line asks for an orderly end; its own end means that the parent is gone, and the
child goes too.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import msgspec

from trueup.book.snapshot import state_hash
from trueup.bootstrap import open_store
from trueup.cli.demo.keeper import RETRY_S, Keeper
from trueup.cli.demo.messages import Closed, Opened, Orders, Ready, tell
from trueup.cli.demo.trader import Trader
from trueup.engine.clock import SystemClock
from trueup.model.differences import Status
from trueup.model.errors import Unavailable
from trueup.venues.paper.client import PaperClient
from trueup.venues.paper.server import HOST

RECONCILE_S = 0.4
LOOK_AGAIN_S = 0.02
LOOKS_MAX = 200
"""Comparisons until one is SYNCED, at a start and at the end: four seconds and more."""


class ParentGone(Exception):
    """Standard input ended: nobody is left who could say when to end."""


async def run(orders: Orders) -> None:
    """Live until told to end. Raises :class:`ParentGone`, in a group, when there is nobody left to tell."""
    clock = SystemClock()
    began = clock.monotonic()
    store = open_store(Path(orders.data))
    try:
        keepers = {
            account: Keeper(store, PaperClient(HOST, port, account, clock=clock, random=Random()))
            for account, port in orders.ports.items()
        }
        events = {account: keeper.ledger.head.seq for account, keeper in keepers.items()}
        opened_ms = round(1_000 * (clock.monotonic() - began))
        tell(Opened(os.getpid(), opened_ms, events, store.findings))
        trader = Trader(keepers, Random(f"{orders.seed} {orders.life}"), clock, orders.life)
        await _work(list(keepers.values()), trader, lambda: tell(Ready()))
        hashes = {account: state_hash(keeper.ledger.book).hex() for account, keeper in keepers.items()}
    finally:
        store.close()
    tell(Closed(hashes))


async def _work(keepers: Sequence[Keeper], trader: Trader, ready: Callable[[], None]) -> None:
    """Listen, start, then trade and compare until told to end; end with book and venues agreed."""
    ending = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        listening = [group.create_task(keeper.listen()) for keeper in keepers]
        told = group.create_task(_told_to_end())
        await asyncio.gather(*map(_start, keepers))
        booking = [group.create_task(keeper.book_reports()) for keeper in keepers]
        await asyncio.gather(*map(_until_synced, keepers))
        ready()
        busy = [group.create_task(_compare_often(keeper, ending)) for keeper in keepers]
        busy.append(group.create_task(trader.trade(ending)))
        await told
        ending.set()
        await asyncio.gather(*busy)
        await asyncio.gather(*map(_until_synced, keepers))
        for task in (*listening, *booking):
            task.cancel()


async def _start(keeper: Keeper) -> None:
    """Reach the venue, however long it is down; then learn its instruments and what the book cannot know."""
    while True:
        await keeper.heard.wait()
        try:
            await keeper.begin()
        except Unavailable:
            await asyncio.sleep(RETRY_S)
        else:
            return


async def _compare_often(keeper: Keeper, ending: asyncio.Event) -> None:
    while not ending.is_set():
        status = await keeper.reconcile()
        await asyncio.sleep(LOOK_AGAIN_S if status is Status.PENDING else RECONCILE_S)


async def _until_synced(keeper: Keeper) -> None:
    """Compare until book and venue agree. A book that never does is for the parent's check to tell."""
    for _ in range(LOOKS_MAX):
        if await keeper.reconcile() is Status.SYNCED:
            return
        await asyncio.sleep(LOOK_AGAIN_S)


async def _told_to_end() -> None:
    """Wait for the parent's word. Raises :class:`ParentGone` when none will come."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    if not await reader.readline():
        raise ParentGone


def main() -> int:
    """Run as its orders say, given as JSON on the command line."""
    code = 0
    try:
        asyncio.run(run(msgspec.json.decode(sys.argv[1], type=Orders)))
    except* (ParentGone, BrokenPipeError):
        code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
