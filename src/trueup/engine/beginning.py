"""Where an account begins whose history the venue does not tell whole: its openings, from what no history explains.

An opening stands just before the first fact that is known, and makes up the difference to what the venue states now. So
everything since is kept as it happened, and the sum is the venue's. It has one identity for each balance and position:
an account begins once.
"""

from collections.abc import Iterator

from trueup.book.book import Book
from trueup.engine.judging import Judged
from trueup.model.differences import Difference, Kind, Status, VenueSnapshot
from trueup.model.events import Fact, OpeningBalance, OpeningPosition
from trueup.model.times import format_time

_POSITIONS = frozenset({Kind.QTY, Kind.SIDE, Kind.MISSING_OURS, Kind.MISSING_THEIRS})


def openings(judged: Judged, book: Book, theirs: VenueSnapshot) -> list[Fact]:
    """What has to be opened for book and venue to agree; nothing where the venue does not say when its answer was true.

    Args:
        judged: What differs.
        book: That it differs from.
        theirs: The venue's answer.
    """
    cut = theirs.cut
    if cut is None:
        return []
    found = [one.found for one in judged.findings if one.found.status is Status.DRIFT and one.found.difference]
    return [fact for difference in found for fact in _opening(difference, book, theirs, cut)]


def _opening(found: Difference, book: Book, theirs: VenueSnapshot, cut: int) -> Iterator[Fact]:
    evidence = f"the venue's state at {format_time(cut)}, less what its history tells since"
    if found.difference is None:
        return
    if found.kind is Kind.CASH:
        since = book.balance_since(found.subject)
        wallet = book.wallets.get(found.subject)
        if wallet is None or not wallet.cut:
            at = cut if since is None else since - 1
            yield OpeningBalance(
                book.account, found.subject, found.difference, at, f"begin|{found.subject}", evidence=evidence
            )
    elif found.kind in _POSITIONS:
        symbol, _, side = found.subject.rpartition(" ")
        terms = book.terms(symbol)
        if terms is None or terms.kind == "spot":
            return  # a coin's position is its balance, which has an opening of its own
        track = book.tracks.get((symbol, side))
        stated = (theirs.positions or {}).get((symbol, side))
        alone = track is None or track.since is None
        yield OpeningPosition(
            book.account,
            symbol,
            found.difference,
            cut if track is None or track.since is None else track.since - 1,
            f"begin|{found.subject}",
            side,
            stated.entry_price if alone and stated is not None else None,
            terms.version,
            evidence,
        )
