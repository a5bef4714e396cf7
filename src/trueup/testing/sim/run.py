"""One seed, one run: a few lives of a machine, and after each the promises are checked.

A life is a process that opens the directory, works, and ends: killed, or with the machine's power, at any operation on
the disk. While it lives syncs may fail and space may run out. The last life is left in peace and must find everything.
"""

import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import apsw
import msgspec

from trueup.engine.ledger import Ledger
from trueup.engine.pulling import Page
from trueup.engine.receipts import Receipt
from trueup.engine.verifying import stored_accounts, verify_storage
from trueup.model import events as e
from trueup.model.errors import DirectoryLocked, JournalDamaged, StaleEpoch, StorageError, TrueupError
from trueup.model.identifiers import AccountId
from trueup.testing.sim.faults import Died, Plan, draw
from trueup.testing.sim.house import House
from trueup.testing.sim.machine import Trace
from trueup.testing.sim.offers import Offers, names
from trueup.testing.sim.vfs import SimulatedVfs
from trueup.testing.sim.witness import Offer, Violation, Witness

PLAIN = AccountId("sim:plain")
RICH = AccountId("sim:rich")
LIVES_MAX = 3
STEPS_MAX = 40
PROVED = 1 / 4
"""Share of seeds at whose end the program's own proof of what is stored is asked as well, which reads all of it."""

TRIES_MAX = 6
"""How often in a row something may fail for injected faults; by then they are mended."""

HEALED = "written back from the second copy"
REBUILT = "They were rebuilt"
"""What a start may say after rot alone. A crash, whatever failed before, leaves nothing to heal."""


class Outcome(msgspec.Struct):
    """What one seed came to.

    Attributes:
        counts: What happened how often: ends by kind, faults, steps.
        operations: On the disk.
        events: Acknowledged.
        finding: The promise that was broken, and how; empty when none was.
    """

    seed: int
    counts: dict[str, int]
    operations: int
    events: int
    finding: str = ""


def run(seed: int, vfs: SimulatedVfs, scratch: Path | None = None, trace: Trace | None = None) -> Outcome:
    """Run one seed.

    Args:
        seed: Everything follows from it.
        vfs: As :func:`trueup.testing.sim.vfs.simulated` gives it.
        scratch: Where the disk's files go while it runs; memory is fastest.
        trace: Told of each thing that happens.
    """
    with TemporaryDirectory(prefix="trueup-sim-", dir=scratch) as root:
        history = _History(seed, Path(root) / "disk", vfs, trace)
        return history.outcome()


class _History:
    """The lives of one seed."""

    def __init__(self, seed: int, root: Path, vfs: SimulatedVfs, trace: Trace | None) -> None:
        root.mkdir()
        self._seed = seed
        self._random = Random(seed)
        self._trace = trace
        self._house = House(root, vfs, self._random, trace)
        self._machine = self._house.machine
        self._offers = {
            account: Offers(account, self._random, plain=account == PLAIN)
            for account in (PLAIN, RICH)[: self._random.randint(1, 2)]
        }
        self._witnesses = {
            account: Witness(account, offers.history, plain=account == PLAIN)
            for account, offers in self._offers.items()
        }
        self._counts: Counter[str] = Counter()
        self._made = False  # whether there were whole tables before: what a failed sync leaves of new ones is no loss
        self._steps: Sequence[Callable[[], object]] = [
            *[self._book_fresh] * 10,
            *[self._book_again, self._book_mixed] * 4,
            *[self._contradict, self._mark, self._note] * 1,
            *[self._feed] * 8,
            *[self._pull] * 3,
            *[self._compare] * 2,
            *[self._reopen, self._restart, self._rebuild, self._rebuild_live],
        ]

    def outcome(self) -> Outcome:
        """Live them; a broken promise is the outcome, not an exception."""
        finding = ""
        try:
            for _ in range(self._random.randint(1, LIVES_MAX)):
                self._life(draw(self._random))
            self._peace()
        except Violation as violation:
            finding = str(violation)
        except Exception as error:  # noqa: BLE001 - whatever the program did, it is a finding
            finding = f"unexpected {error!r} at {_place(error)}"
        finally:
            self._machine.rest()
            self._house.end(_STILL)
        events = sum(witness.acknowledged for witness in self._witnesses.values())
        return Outcome(self._seed, dict(self._counts), self._machine.operations, events, finding)

    # --- a life -------------------------------------------------------------------------------------------------------

    def _life(self, plan: Plan) -> None:
        self._say(f"a life begins: {plan}")
        self._machine.begin(plan)
        faults = self._machine.faults
        try:
            self._live()
            self._counts[f"{plan.end} at rest"] += 1
        except Died:
            self._counts[plan.end] += 1
        except Exception:
            if not self._machine.dead:  # else it is what the program made of its own death
                raise
            self._counts[plan.end] += 1
        self._counts["faults"] += self._machine.faults - faults
        self._house.end(plan)

    def _live(self) -> None:
        self._surely(self._start)
        for _ in range(self._random.randint(1, STEPS_MAX)):
            self._house.clock.pass_by(self._random.random())
            self._surely(self._random.choice(self._steps))
            self._counts["steps"] += 1
        if self._random.random() < 1 / 2:
            self._surely(self._house.close)

    def _peace(self) -> None:
        """The last life: nothing fails; everything that was acknowledged is there, once, in log, views and proof."""
        self._say("peace")
        self._machine.dead = False
        self._machine.rest()
        self._start()
        for account, offers in self._offers.items():
            self._offer(account, [*offers.definitions(), *offers.made])
            for _ in offers.history[self._pulled(account) :]:
                self._pull_one(account)
            self._compare_one(account)
        self._house.close()
        if self._random.random() >= PROVED:
            return
        storage = self._house.storage()
        proof = verify_storage(storage, stored_accounts(storage), lambda *_: None)
        self._house.release()
        if not proof.ok:
            raise Violation(f"I3 the proof of what is stored fails: {proof}")

    def _surely(self, step: Callable[[], object]) -> None:
        """Take a step; where an injected fault breaks it, do what an operator would, until it is done."""
        for attempt in range(TRIES_MAX):
            try:
                if attempt:
                    self._resume()
                step()
            except (TrueupError, apsw.Error) as error:
                self._excuse(error)
                if attempt >= 1:
                    self._machine.mend()
            else:
                return
        raise Violation(f"it does not recover from faults that are gone ({step.__name__})")

    def _excuse(self, error: Exception) -> None:
        """A failure needs a fault of the disk in this life, and a dead process fails in any way it likes.

        What fails while SQLite closes a database it keeps to itself; a VFS in Python cannot hide it from Python.
        """
        if self._machine.dead:
            raise Died
        self._say(f"refused: {error}")
        if not self._machine.faulty:
            raise Violation(f"refused without a fault of the disk: {error!r} at {_place(error)}")
        told = isinstance(error, StorageError) and not isinstance(error, JournalDamaged | DirectoryLocked | StaleEpoch)
        if not told and "Connection.close" not in {frame.name for frame in traceback.extract_tb(error.__traceback__)}:
            raise Violation(f"a fault of the disk became {error!r} at {_place(error)}")
        self._counts[type(error).__name__] += 1

    def _resume(self) -> None:
        """After a failure: reopen the ledgers that stopped; where the views failed, start again."""
        if not self._house.is_open:
            self._start()
            return
        store = self._house.store
        for account, witness in self._witnesses.items():
            ledger = store.ledger(account)
            if ledger.failed is not None:
                ledger = store.reopen(account)
            elif witness.pending is None:
                continue
            self._witness_of(ledger)
        if store.views_failed is not None:
            self._random.choice((self._restart, self._rebuild_live))()

    # --- steps --------------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        self._say("start")
        if not self._house.is_open:
            self._house.open()
        store, made, self._made = self._house.store, self._made, True
        ledgers = [store.ledger(account) for account in self._offers]
        for finding in store.findings:
            self._say(f"found: {finding}")
            if HEALED in finding or (REBUILT in finding and made and not self._machine.faulty):
                raise Violation(f"I1 a crash left something to heal: {finding}")
        for ledger in ledgers:
            self._witness_of(ledger)
        for account, offers in self._offers.items():
            if not self._witnesses[account].acknowledged:
                self._offer(account, offers.definitions())

    def _witness_of(self, ledger: Ledger) -> None:
        """Check a ledger that was opened, and make the offer again that was never answered."""
        again = self._witnesses[ledger.account].resumed(ledger)
        if again and isinstance(again[0], e.Fact):
            self._offer(ledger.account, again)

    def _offer(self, account: AccountId, offer: Offer) -> None:
        if not offer:
            return
        witness, ledger = self._witnesses[account], self._house.store.ledger(account)
        witness.pending = offer
        self._say(f"offer {account}: {names(offer)}")
        receipt = _booked(ledger, offer)
        self._say(f"  {receipt}")
        witness.answered(receipt, ledger)

    def _pull(self) -> None:
        self._pull_one(self._account())

    def _pull_one(self, account: AccountId) -> None:
        """Book the page behind the durable cursor, as a pull does."""
        self._offer(account, self._offers[account].page(self._pulled(account)))

    def _pulled(self, account: AccountId) -> int:
        return int(self._house.store.ledger(account).read(lambda book: book.cursor) or 0)

    def _book_fresh(self) -> None:
        account = self._account()
        self._offer(account, self._offers[account].fresh())

    def _book_again(self) -> None:
        account = self._account()
        self._offer(account, self._offers[account].repeated())

    def _book_mixed(self) -> None:
        account = self._account()
        self._offer(account, self._offers[account].mixed())

    def _contradict(self) -> None:
        account = self._account()
        self._offer(account, self._offers[account].contradicting())

    def _mark(self) -> None:
        account = self._account()
        self._offer(account, [self._offers[account].mark()])

    def _note(self) -> None:
        account = self._account()
        self._offer(account, [self._offers[account].source()])

    def _feed(self) -> None:
        self._house.store.step()

    def _compare(self) -> None:
        self._compare_one(self._account())

    def _compare_one(self, account: AccountId) -> None:
        store = self._house.store
        store.synced(account)
        self._witnesses[account].check_views(store.ledger(account), store.views)

    def _reopen(self) -> None:
        self._say("reopen")
        self._witness_of(self._house.store.reopen(self._account()))

    def _restart(self) -> None:
        self._house.close()
        self._start()

    def _rebuild(self) -> None:
        self._house.close()
        self._say("rebuild the views")
        self._house.rebuild_views()
        self._start()

    def _rebuild_live(self) -> None:
        self._say("rebuild the views while ledgers book")
        self._house.store.rebuild_views()

    def _account(self) -> AccountId:
        return self._random.choice(list(self._offers))

    def _say(self, line: str) -> None:
        if self._trace is not None:
            self._trace(line)


def _booked(ledger: Ledger, offer: Offer) -> Receipt:
    """Have an offer booked by the door for its kind."""
    facts = [event for event in offer if isinstance(event, e.Fact)]
    match offer[-1]:
        case e.MarkSampled():
            return ledger.commit(lambda _: offer)
        case e.SourceRead() as note:
            return ledger.note([note])
        case e.CursorMoved(cursor=cursor):
            return ledger._writer.call(Page(facts, cursor))  # noqa: SLF001 - its door for pages takes a thread
        case _:
            return ledger.book_facts(facts)


_STILL = Plan(end="kill", on="", after=0, log_alone=False, failing={}, room=None, torn=0)


def _place(error: BaseException) -> str:
    """Where it was raised, in short."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(last.filename).name}:{last.lineno}"
