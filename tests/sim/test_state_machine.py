"""Any order of booking, repeating, contradicting, coming late, restarting, rebuilding, crashing, backing up and
restoring agrees with a dictionary of what was acknowledged."""

import shutil
from decimal import Decimal
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import ClassVar

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from tests.sim.test_vfs import plan
from trueup import bootstrap
from trueup.book.snapshot import state_hash
from trueup.engine.backing_up import back_up, finished
from trueup.engine.door import Fate
from trueup.engine.ledger import Ledger
from trueup.engine.restoring import plan as plan_restore
from trueup.engine.restoring import restore
from trueup.engine.store import Store
from trueup.journal.backup.local import LocalDestination
from trueup.journal.embedded import EmbeddedStorage
from trueup.model.events import FillBooked, InstrumentDefined
from trueup.model.identifiers import AccountId, Side
from trueup.model.numbers import exact
from trueup.model.times import NS_PER_SECOND
from trueup.ports import Head
from trueup.testing.sim.house import House, small
from trueup.testing.sim.many import scratch
from trueup.testing.sim.offers import PERP, START
from trueup.testing.sim.run import HEALED
from trueup.testing.sim.vfs import simulated

ACCOUNT = AccountId("sim:one")
NUMBERS = st.decimals(Decimal("0.01"), Decimal(1_000), places=2)
Known = dict[str, FillBooked]


def held(known: Known) -> Decimal:
    """What the fills in a dictionary come to."""
    with exact():
        return sum((f.quantity if f.side == "buy" else -f.quantity for f in known.values()), Decimal(0))


class Books(RuleBasedStateMachine):
    """A store on a simulated disk, and the dictionary of its fills."""

    fills: ClassVar = Bundle("fills")

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(mkdtemp(prefix="trueup-machine-", dir=scratch()))
        (self.root / "disk").mkdir()
        self.known: Known = {}
        self.put_aside = 0
        self.time = START
        self.backed_up: tuple[Head, bytes] | None = None
        self.simulation = simulated()
        self.bounds = small()
        vfs = self.simulation.__enter__()
        self.bounds.__enter__()
        self.house = House(self.root / "disk", vfs, Random(0))

    def teardown(self) -> None:
        self.house.end(plan())
        self.bounds.__exit__(None, None, None)
        self.simulation.__exit__(None, None, None)
        shutil.rmtree(self.root)

    @property
    def ledger(self) -> Ledger:
        return self.house.store.ledger(ACCOUNT)

    @initialize(target=fills)
    def begin(self) -> MultipleResults[FillBooked]:
        assert self.ledger.book_facts([InstrumentDefined(ACCOUNT, PERP)]).booked == 1
        return multiple(*(self._book("buy", Decimal(number), Decimal(100)) for number in (1, 2, 3)))

    # --- booking ------------------------------------------------------------------------------------------------------

    @rule(target=fills, side=st.sampled_from(["buy", "sell"]), quantity=NUMBERS, price=NUMBERS, late=st.booleans())
    def book(self, side: Side, quantity: Decimal, price: Decimal, late: bool) -> FillBooked:
        return self._book(side, quantity, price, late=late)

    @rule(fill=fills)
    def repeat(self, fill: FillBooked) -> None:
        assert self.ledger.book_facts([fill, fill]).fates == [Fate.ALREADY, Fate.ALREADY]

    @rule(fill=consumes(fills))
    def contradict(self, fill: FillBooked) -> None:
        other = msgspec.structs.replace(fill, price=fill.price + 1)
        assert self.ledger.book_facts([other, fill]).fates == [Fate.QUARANTINED, Fate.ALREADY]
        self.put_aside += 1
        assert self.ledger.book_facts([other]).fates == [Fate.QUARANTINED_BEFORE]

    # --- what the store does besides ----------------------------------------------------------------------------------

    @rule()
    def feed(self) -> None:
        self.house.clock.pass_by(1)
        self.house.store.step()

    @rule()
    def reopen(self) -> None:
        self.house.store.reopen(ACCOUNT)

    @rule()
    def close_with_a_snapshot_and_start(self) -> None:
        self.house.close()

    @rule()
    def rebuild_the_views(self) -> None:
        self.house.close()
        self.house.rebuild_views()

    @rule()
    def rebuild_the_views_while_booking(self) -> None:
        self.house.store.rebuild_views()

    # --- what happens to it -------------------------------------------------------------------------------------------

    @rule()
    def be_killed(self) -> None:
        self._end("kill")

    @rule(seed=st.integers(0, 9))
    def lose_power(self, seed: int) -> None:
        self.house.machine._random.seed(seed)
        self._end("power")

    # --- backups ------------------------------------------------------------------------------------------------------

    @rule()
    def back_up(self) -> None:
        finished(back_up(self.house.store, self._destination(), quiet=True))
        self.backed_up = self.ledger.head, self.ledger.read(state_hash)

    @precondition(lambda self: self.backed_up is not None)
    @rule()
    def restore_the_newest_backup(self) -> None:
        target = self.root / "restored"
        shutil.rmtree(target, ignore_errors=True)
        destination = self._destination()
        planned = plan_restore(destination)
        restore(destination, planned, bootstrap.new_directory(target), progress=lambda *_: None)
        storage = EmbeddedStorage.open(target, background=False)
        store = Store.open(storage, self.house.clock, background=False)
        ledger = store.ledger(ACCOUNT)
        assert (ledger.head, ledger.read(state_hash)) == self.backed_up
        store.close()

    # --- at any time --------------------------------------------------------------------------------------------------

    @invariant()
    def the_book_is_the_dictionary(self) -> None:
        position = self.ledger.book.position(PERP.symbol)
        assert position is not None
        assert position.quantity == held(self.known)
        assert self.ledger.book.quarantined == self.put_aside
        assert self.ledger.head.seq == 1 + len(self.known) + self.put_aside
        assert not any(HEALED in finding for finding in self.house.store.findings)

    @rule()
    def the_views_are_the_dictionary(self) -> None:
        self.house.store.synced(ACCOUNT)
        _, positions = self.house.store.views.positions(ACCOUNT)
        assert [position.quantity for position in positions] == [held(self.known)]

    def _book(self, side: Side, quantity: Decimal, price: Decimal, *, late: bool = False) -> FillBooked:
        number = len(self.known) + 1
        self.time += NS_PER_SECOND
        time = self.time - (number % 7) * NS_PER_SECOND - 1 if late else self.time
        fill = FillBooked(
            ACCOUNT, PERP.symbol, "net", side, quantity, price, Decimal("0.01"), "USDC", time, str(number)
        )
        assert self.ledger.book_facts([fill]).fates == [Fate.BOOKED]
        self.known[str(number)] = fill
        return fill

    def _end(self, end: str) -> None:
        self.house.end(plan(end=end))
        self.house.machine.begin(plan(after=1_000_000))

    def _destination(self) -> LocalDestination:
        return bootstrap.open_destination(self.root / "backups", create=True)


TestBooks = Books.TestCase
TestBooks.settings = settings(max_examples=40, stateful_step_count=15)
