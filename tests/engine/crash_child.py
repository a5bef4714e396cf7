"""Books batches of fills from several threads as fast as it can, and says each batch's number once it is acknowledged.

Run as a program: STORE FIRST_BATCH, the store a directory or an address. It ends when it is killed, or after a bounded
number of batches.
"""

import sys
from itertools import count
from pathlib import Path
from threading import Lock, Thread

from tests.engine.world import ACCOUNT, DEFINED, fill
from trueup.bootstrap import open_store
from trueup.journal.postgres.address import Address, Place
from trueup.model.events import FillBooked

BATCH = 20
BATCHES_MAX = 20_000
THREADS = 3


def batch(number: int) -> list[FillBooked]:
    """The fills of a batch."""
    return [fill(number * BATCH + index, side="buy" if index % 2 else "sell") for index in range(BATCH)]


def main(where: Place, first: int) -> None:
    ledger = open_store(where).ledger(ACCOUNT)
    ledger.book_facts([DEFINED])
    numbers, lock = count(first), Lock()

    def work() -> None:
        for number in numbers:
            if number >= first + BATCHES_MAX:
                return
            ledger.book_facts(batch(number))
            with lock:
                sys.stdout.write(f"{number}\n")
                sys.stdout.flush()

    threads = [Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    place = sys.argv[1]
    main(Address.parse(place) if Address.is_one(place) else Path(place), int(sys.argv[2]))
