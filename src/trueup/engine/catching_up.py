"""Folding what another writer has booked, without beginning anew: the cost follows what is new, not what there is."""

from trueup.book.book import Book
from trueup.engine.changes import fold, forget_changes, identities
from trueup.engine.keys import Keys
from trueup.engine.past import Past


def caught_up(book: Book, past: Past, keys: Keys) -> bool:
    """Fold on to the last frame that any writer booked; the views hold what it did already.

    Args:
        book: Folded to the journal's head, with nothing staged.
        past: Of that journal.
        keys: The identities in it.

    Returns:
        False where the history that is stored is not the one folded here: then none of the three is of use any more.

    Raises:
        StorageError: It could not be read; nor are they.
    """
    before = past.journal.head
    past.journal.follow()
    for frame in past.journal.read(before.seq):
        if frame.first == before.seq + 1 and frame.previous != before.hash:
            return False
        past.until = frame.last
        keys.add(identities(frame, fold(book, frame)))
        keys.forget_old(frame.last)
    past.until = None
    forget_changes(book)
    return book.seq == past.journal.head.seq > before.seq
