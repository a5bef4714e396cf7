"""The same trade under two identities: read once with the venue's id, and once from an answer that had none.

Nobody can tell from the numbers whether they are one trade or two, so the second is put aside with both named, and not
booked. Only fills as old as the newest that has no id are looked at: a venue that gives ids costs nothing here.
"""

from collections.abc import Iterable, Mapping, Sequence

from trueup.book.book import Book, History
from trueup.model.events import Event, FillBooked
from trueup.model.facts import fact_key, terms
from trueup.model.identifiers import Seq


def twins(facts: Sequence[Event], book: Book, history: History) -> Mapping[str, str]:
    """By fact key, which fill has the same terms but the other sort of identity, in words.

    Args:
        facts: As offered. Of twins within them, the one without an id is named.
        book: Before any of them.
        history: Every event of the ledger so far; read only when some fill is in doubt.
    """
    weak = [f.venue_time for f in facts if type(f) is FillBooked and f.weak]
    if not (weak or book.weak_until):
        return {}
    weak_until = max([book.weak_until, *weak])
    doubtful = [f for f in facts if type(f) is FillBooked and f.venue_time <= weak_until]
    if not doubtful:
        return {}
    known = {(fill.weak, *terms(fill)): "a fill offered with it" for fill in doubtful if not fill.weak}
    if book.tracks:
        known.update(_booked_at({fill.venue_time for fill in doubtful}, history()))
    named = {fact_key(fill) or "": known.get((not fill.weak, *terms(fill))) for fill in doubtful}
    return {key: twin for key, twin in named.items() if twin is not None}


def _booked_at(times: set[int], history: Iterable[tuple[Seq, Event]]) -> dict[tuple[object, ...], str]:
    return {
        (event.weak, *terms(event)): f"the fill at seq {seq}"
        for seq, event in history
        if type(event) is FillBooked and event.venue_time in times
    }
