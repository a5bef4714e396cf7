"""The proof of cash: each transaction that moves money states the balance after it.

Between two of them the balance must have moved by exactly what our facts say. Where it did not, and where ids are
missing (they rise by one, without holes), a person is told; nothing is refused for it, since every row by itself is
sound.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from itertools import pairwise

import msgspec

from trueup.model.errors import BadInput
from trueup.model.events import Fact, FillBooked, FundingPaid, OpeningBalance, TransferBooked
from trueup.model.numbers import ZERO, canonical, exact
from trueup.venues import rows
from trueup.venues.oanda.known import Known
from trueup.venues.rows import Row

_SHOWN_MAX = 5
"""Findings told one by one; the rest are counted."""


class Applied(msgspec.Struct, frozen=True):
    """A transaction that was read.

    Attributes:
        balance: Of the account after it; None where it states none, or was refused.
    """

    id: int
    time: int
    facts: Sequence[Fact]
    balance: Decimal | None


def findings(applied: Sequence[Applied], read: Sequence[int], last: int = 0) -> list[str]:
    """What does not hold together, in words.

    Args:
        applied: By id; those that were refused are left out.
        read: All ids the answer has, in order, refused ones included.
        last: The id up to which it should have them; 0 when it does not say.
    """
    ends = [*read, last + 1] if read and last > read[-1] else read
    found = [_hole(before, after) for before, after in pairwise(ends) if after - before > 1]
    refused = sorted(set(read).difference(step.id for step in applied))
    money = [(step.id, step.balance, step.facts) for step in applied if step.balance is not None]
    for (before, balance, _), (after, stated, facts) in pairwise(money):
        beyond = stated - balance - cash(facts)
        if beyond and bisect_left(refused, before) == bisect_left(refused, after):  # none between that explains it
            found.append(
                f"the balance moved by {canonical(beyond)} between transactions {before} and {after}, unexplained"
            )
    rest = len(found) - _SHOWN_MAX
    return found[:_SHOWN_MAX] + ([f"and {rest} more such findings"] if rest > 0 else [])


def opening(applied: Iterable[Applied], known: Known) -> list[OpeningBalance]:
    """The balance before the first transaction that states one, unless the account's own first was read."""
    first = next((transaction for transaction in applied if transaction.balance is not None), None)
    home = known.home
    if first is None or first.balance is None or known.created or not home:
        return []
    return [
        OpeningBalance(
            account=known.account,
            currency=home,
            amount=first.balance - cash(first.facts),
            venue_time=first.time,
            opening_id=f"{home}:{first.id}",
            evidence=f"transaction {first.id} accountBalance {canonical(first.balance)} less its amounts",
        )
    ]


def cash(facts: Iterable[Fact]) -> Decimal:
    """What the facts of one transaction move in the home currency."""
    moved = ZERO
    for fact in facts:
        if isinstance(fact, FillBooked):
            moved += (fact.settled_amount or ZERO) - fact.fee
        elif isinstance(fact, FundingPaid | TransferBooked):
            moved += fact.amount
    return moved


def stated(transactions: Mapping[int, Row]) -> dict[int, Decimal]:
    """The balance after each transaction that states one that can be read, by id in order."""
    found: dict[int, Decimal] = {}
    for number in sorted(transactions):
        with suppress(BadInput):  # the row itself is refused where it is read
            balance = rows.optional_decimal(transactions[number], "accountBalance")
            if balance is not None:
                found[number] = balance
    return found


def follow(
    balances: Mapping[int, Decimal], facts: Iterable[Fact], balance: Decimal | None
) -> tuple[list[str], Decimal | None]:
    """Hold what facts move against the balances that OANDA stated, transaction by transaction.

    Args:
        balances: After each transaction that states one, by id in order.
        facts: All that these transactions gave, or that a ledger booked of them.
        balance: Before the first of them; None where it is unknown, and then the first states it.

    Returns:
        Each difference, named by its transaction, and the balance after the last.
    """
    moved: defaultdict[int, Decimal] = defaultdict(lambda: ZERO)
    openings: dict[int, Decimal] = {}
    found = []
    with exact():
        for fact in facts:
            number = transaction_of(fact)
            if number is not None and isinstance(fact, OpeningBalance):
                openings[number] = fact.amount
            elif number is not None:
                moved[number] += cash((fact,))
        for number in sorted({*openings, *moved, *balances}):
            balance = openings.get(number, balance)
            balance = None if balance is None else balance + moved[number]
            after = balances.get(number, balance)
            if balance is not None and after is not None and after != balance:
                found.append(
                    f"after transaction {number} OANDA states a balance of {canonical(after)}, and the facts lead to "
                    f"{canonical(balance)}: a difference of {canonical(after - balance)}"
                )
            balance = after
    return found, balance


def by_transaction(facts: Iterable[Fact]) -> dict[int, list[Fact]]:
    """Facts about money by the transaction they came from; without those that came from none of OANDA."""
    found: defaultdict[int, list[Fact]] = defaultdict(list)
    for fact in facts:
        number = transaction_of(fact)
        if number is not None:
            found[number].append(fact)
    return found


def transaction_of(fact: Fact) -> int | None:
    """The transaction that a fact about money came from; None for any other fact, and for one not of OANDA."""
    match fact:
        case FillBooked():
            text = fact.venue_trade_id
        case FundingPaid() | TransferBooked():
            text = fact.venue_id
        case OpeningBalance():
            text = fact.opening_id.rpartition(":")[2]  # it stands before the transaction that it was taken from
        case _:
            return None
    number = text.partition(":")[0]
    return int(number) if number.isascii() and number.isdecimal() else None


def _hole(before: int, after: int) -> str:
    first, last = before + 1, after - 1
    which = f"transaction {first} is" if first == last else f"transactions {first} to {last} are"
    return f"{which} not in this answer: fetch idrange?from={first}&to={last}"
