"""How fast fills fold in memory: average cost, fees and balances, on linear contracts, in batches of 1,000.

Each turn folds the same fills into a new book, with the garbage collector off: what is measured is the fold. That it is
exact is checked each time: what all fills paid and cost, summed apart, is what the book holds, to the last digit.
"""

import gc
from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from typing import Any

from benchmarks.measure import Row, in_turns, result, say, seconds
from benchmarks.world import ACCOUNT, fills, perpetual
from trueup.book.book import Book
from trueup.model.events import FillBooked, InstrumentDefined
from trueup.model.identifiers import Seq
from trueup.model.numbers import exact

FILLS = 200_000
BATCH = 1_000
TURNS = 5
CASES = ((200, 1, 500_000), (200, 3, 350_000), (10_000, 1, 300_000))
"""Positions, strategies, and the fills a second to reach."""


def run(quick: bool) -> dict[str, Any]:
    count = 20_000 if quick else FILLS
    say(f"fold: {count:,} fills, {TURNS} turns")
    stories = [fills(positions, strategies)(count) for positions, strategies, _ in CASES]
    sides = [partial(_rate, case[0], story) for case, story in zip(CASES, stories, strict=True)]
    rows = [
        Row(f"fold, {positions:,} positions, {strategies} strategies", rates, "/s", reach)
        for (positions, strategies, reach), rates in zip(CASES, in_turns(TURNS, *sides), strict=True)
    ]
    return result(rows, fills=count, batch=BATCH, exact=True)


def _rate(positions: int, story: Sequence[FillBooked]) -> float:
    """Fills folded a second."""
    book = Book(ACCOUNT, history=lambda: ())
    book.evolve([InstrumentDefined(ACCOUNT, perpetual(number)) for number in range(positions)], Seq(1))
    gc.collect()
    gc.disable()
    elapsed = seconds(partial(_fold, book, story))
    gc.enable()
    _check(book, story)
    return len(story) / elapsed


def _fold(book: Book, story: Sequence[FillBooked]) -> None:
    for first in range(0, len(story), BATCH):
        book.evolve(story[first : first + BATCH], Seq(book.seq + 1))


def _check(book: Book, story: Sequence[FillBooked]) -> None:
    with exact():
        signed = (fill.quantity if fill.side == "buy" else -fill.quantity for fill in story)
        paid = sum((size * fill.price for size, fill in zip(signed, story, strict=True)), Decimal(0))
        fees = sum((fill.fee for fill in story), Decimal(0))
        cost = sum((found.cost for found in book.positions().values() if found.cost is not None), Decimal(0))
        balance = book.balances()["USDC"]
        if (cost - balance.realized, -balance.fees) != (paid, fees):
            raise RuntimeError(f"the fills paid {paid} and {fees} of fees; the book lost a digit of that")
