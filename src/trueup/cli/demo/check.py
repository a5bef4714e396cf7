"""The book on disk against the venues' own truth: nothing lost, nothing doubled, every number equal to the last digit.

The venues keep their truth by their own arithmetic, in the parent, and no fault reaches it. Nothing that the book said
while it lived is believed here except what it acknowledged, which must be there.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from decimal import Decimal
from pathlib import Path

import msgspec

from trueup.book.book import Book
from trueup.book.snapshot import state_hash
from trueup.bootstrap import open_storage, open_store
from trueup.engine.ledger import Ledger
from trueup.engine.replay import Moment, book_at, entries
from trueup.engine.verifying import verify_storage
from trueup.model.events import InstrumentDefined, Quarantined
from trueup.model.facts import fact_key
from trueup.model.identifiers import AccountId
from trueup.model.numbers import canonical
from trueup.venues.paper.desk import Truth


class AccountCheck(msgspec.Struct, frozen=True):
    """What was found of one account; all but the counts must be empty.

    Attributes:
        events: In the journal.
        facts, fills: That the venue knows of.
        lost: Facts of the venue that are not in the journal.
        forgotten: Facts that were acknowledged and are not in the journal.
        doubled: Facts that are in the journal more than once.
        foreign: Facts in the journal that the venue knows nothing of.
        quarantined: Facts that were refused, with the reason.
        differences: Numbers that are not the venue's, and states that are not the fold of the journal.
    """

    account: AccountId
    events: int
    facts: int
    fills: int
    lost: tuple[str, ...]
    forgotten: tuple[str, ...]
    doubled: tuple[str, ...]
    foreign: tuple[str, ...]
    quarantined: tuple[str, ...]
    differences: tuple[str, ...]

    @property
    def problems(self) -> list[str]:
        """All that is wrong, in sentences."""
        named = {
            "the venue's fact is not in the book": self.lost,
            "was acknowledged and is not in the book": self.forgotten,
            "is in the book more than once": self.doubled,
            "is in the book and the venue knows nothing of it": self.foreign,
            "was quarantined": self.quarantined,
        }
        found = [f"{self.account}: {name} {words}" for words, names in named.items() for name in names]
        return found + [f"{self.account}: {difference}" for difference in self.differences]


def check_data(
    data: Path,
    truths: Mapping[AccountId, Truth],
    acknowledged: Mapping[AccountId, AbstractSet[str]],
    hashes: Mapping[AccountId, str],
) -> tuple[list[AccountCheck], list[str]]:
    """Check a data directory: each account against its venue, and log and views against each other.

    Args:
        data: Where the book was kept; nobody has it open.
        truths: What each account really did.
        acknowledged: Fact keys that the book said were durable.
        hashes: Of the states in memory when the book closed.

    Returns:
        What was found of each account, and what is wrong with the files.
    """
    store = open_store(data, create=False)
    try:
        checks = [
            check_account(store.ledger(account), truth, acknowledged.get(account, set()), hashes.get(account, ""))
            for account, truth in truths.items()
        ]
    finally:
        store.close()
    storage = open_storage(data)
    try:
        proof = verify_storage(storage, list(truths), lambda _account, _done, _total: None)
    finally:
        storage.close()
    wrong = [f"{ledger.account}: {words}" for ledger in proof.ledgers for words in (*ledger.log, *ledger.views)]
    return checks, [*proof.views, *wrong]


def check_account(ledger: Ledger, truth: Truth, acknowledged: AbstractSet[str], closed_as: str) -> AccountCheck:
    """Check one ledger against its venue's truth; ``closed_as`` is the hash of its state in memory at the end."""
    events = [entry.event for entry in entries(ledger)]
    booked = Counter(key for event in events if (key := fact_key(event)) is not None)
    defined = {fact_key(event) for event in events if isinstance(event, InstrumentDefined)}  # not part of a history
    return AccountCheck(
        ledger.account,
        events=len(events),
        facts=len(truth.fact_keys),
        fills=len(truth.trade_ids),
        lost=tuple(key for key in truth.fact_keys if key not in booked),
        forgotten=tuple(sorted(acknowledged - booked.keys())),
        doubled=tuple(key for key, times in booked.items() if times > 1),
        foreign=tuple(sorted(booked.keys() - defined - set(truth.fact_keys))),
        quarantined=tuple(f"{event.key} ({event.reason})" for event in events if isinstance(event, Quarantined)),
        differences=(*_other_numbers(ledger.book, truth), *_other_states(ledger, closed_as)),
    )


def _other_numbers(book: Book, truth: Truth) -> Iterable[str]:
    positions = {
        symbol: position.quantity
        for (symbol, _), position in book.positions().items()
        if position.instrument.kind != "spot"  # there the balance is the position
    }
    balances = {currency: balance.total for currency, balance in book.balances().items()}
    yield from _unequal("position of", positions, truth.positions)
    yield from _unequal("balance of", balances, truth.balances)


def _unequal(what: str, ours: Mapping[str, Decimal | None], theirs: Mapping[str, Decimal]) -> Iterable[str]:
    for name in sorted(ours.keys() | theirs.keys()):
        our, their = ours.get(name, Decimal(0)), theirs.get(name, Decimal(0))
        if our != their:
            shown = "unknown" if our is None else canonical(our)
            yield f"{what} {name} is {shown} in the book and {canonical(their)} at the venue"


def _other_states(ledger: Ledger, closed_as: str) -> Iterable[str]:
    folded = state_hash(book_at(ledger, Moment(seq=ledger.head.seq))).hex()
    if closed_as != folded:
        yield f"the state in memory was {closed_as[:16]} and the journal folds to {folded[:16]}"
    if state_hash(ledger.book).hex() != folded:
        yield f"the state that a start finds is not what the journal folds to, {folded[:16]}"
