"""A book from a snapshot. What lives only here: what a snapshot must prove before it is believed.

It saves time and is never the truth: whoever is refused one folds the log instead.
"""

from trueup.book.book import Book, History
from trueup.book.snapshot import proves, restore
from trueup.model.errors import BadInput
from trueup.model.identifiers import AccountId, Seq


def resumed(account: AccountId, seq: Seq, state: bytes, proved: bytes, history: History | None = None) -> Book:
    """The book that a snapshot holds.

    Args:
        account: Whose it must be.
        seq: Where it must stand.
        state: The book as :func:`trueup.book.snapshot.snapshot` wrote it.
        proved: The :func:`trueup.book.snapshot.state_hash` that was kept beside it.
        history: For the book.

    Raises:
        BadInput: It is of another format, account or seq, or what comes out is not what was hashed.
    """
    if not proves(state, proved):
        raise _refused(seq, "its state does not fit the hash beside it")
    try:
        book = restore(state, history)
    except (LookupError, ArithmeticError, ValueError) as error:
        raise _refused(seq, f"its parts do not fit one another ({error!r})") from error
    if (book.account, book.seq) != (account, seq):
        raise _refused(seq, f"it is the state of {book.account} at seq {book.seq}")
    return book


def _refused(seq: Seq, problem: str) -> BadInput:
    return BadInput("snapshot", seq, problem, remedy="Fold the log instead; the snapshot only saves time.")
