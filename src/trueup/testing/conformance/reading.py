"""Checks of reading: what happened is told exactly once, whatever page, cursor or connection it comes over."""

from decimal import Decimal

from trueup.engine.pulling import pull
from trueup.engine.reconciling_live import reconcile_live
from trueup.model.differences import Kind, Status
from trueup.model.errors import RateLimited, Unavailable
from trueup.model.events import FillBooked, InstrumentDefined
from trueup.model.facts import fact_key
from trueup.testing.conformance.life import Books, books_of, happened, held, live, require_truth, trade, trades
from trueup.testing.conformance.rig import Rig, require

CUTS_MAX = 200
"""Messages after which a pull of a little history is over, surely."""


async def check_what_happened_is_told_once(rig: Rig) -> None:
    """The same facts in, the same facts out: trades, money, positions and balances; again, and nothing is new."""
    live(rig)
    venue = await rig.venue()
    with books_of(rig) as books:
        first = await pull(books.ledger, venue)
        require_truth(rig, books.ledger)
        require(first.whole and not first.refused, f"nothing is put aside, and {first.quarantined} were")
        again = await pull(books.ledger, venue)
        require(not again.booked, f"a second pull finds nothing new, and booked {again.booked_kinds}")
        live(rig)
        await pull(books.ledger, venue)
        require_truth(rig, books.ledger)


async def check_a_fresh_adapter_goes_on_from_the_durable_cursor(rig: Rig) -> None:
    """The cursor in the journal is all that a program needs to go on after a restart."""
    with books_of(rig) as books:
        for _ in range(3):
            live(rig)
            ledger = books.restart()
            await pull(ledger, await rig.venue(ledger.book))
            require_truth(rig, books.ledger)


async def check_pages_overlap_and_nothing_comes_twice(rig: Rig) -> None:
    """More than a page of trades, many in one instant: each is booked once, and none is lost between two pages."""
    _trade_much(rig)
    venue = await rig.venue()
    with books_of(rig) as books:
        report = await pull(books.ledger, venue)
        require(report.pages > 1, f"the history comes in pages, and came in {report.pages}")
        _require_all_trades(rig, books)


async def check_every_cursor_is_exact(rig: Rig) -> None:
    """From each cursor the history tells everything that the pages before it did not."""
    _trade_much(rig)
    venue = await rig.venue()
    everything = {fact_key(fact) or "": fact async for page, _ in venue.history(None) for fact in page}
    lacking = trades(happened(rig)) - trades(everything.values())
    require(not lacking, f"from the start the history lacks {dict(lacking)}")
    before: set[str] = set()
    with books_of(rig) as books:
        books.ledger.book_facts(InstrumentDefined(rig.account, terms) for terms in await venue.instruments())
        async for page, cursor in venue.history(None):
            before.update(fact_key(fact) or "" for fact in page)
            books.ledger.book_facts(page)
            later = (await rig.venue(books.ledger.book)).history(cursor)
            behind = {fact_key(fact) async for facts, _ in later for fact in facts}
            lost = everything.keys() - before - behind
            require(not lost, f"behind cursor {cursor} the history lacks {sorted(lost)[:5]}")


async def check_a_cursor_for_a_time_leaves_out_nothing_since(rig: Rig) -> None:
    """A pull may begin at a time: whatever happened from then on is told."""
    live(rig)
    since = rig.clock.now()
    rig.clock.skip(60)
    before = len(happened(rig))
    live(rig)
    venue = await rig.venue()
    cursor = await venue.cursor_at(since)
    told = trades([fact async for page, _ in venue.history(cursor) for fact in page])
    lacking = trades(happened(rig)[before:]) - told
    require(not lacking, f"since then there were also {dict(lacking)}")


async def check_a_snapshot_is_the_truth_and_the_book_agrees(rig: Rig) -> None:
    """The venue's state is what is held, and comparing it with the book finds no difference."""
    live(rig)
    trade(rig, "sell", 2)
    trade(rig, "buy", 1)
    venue = await rig.venue()
    snapshot = await venue.snapshot()
    require(not snapshot.failed and not snapshot.unmapped, f"all of it can be read, and {snapshot.failed} could not")
    require(snapshot.positions is not None, "a snapshot states the positions")
    stated = sum((row.quantity for row in (snapshot.positions or {}).values()), Decimal(0))
    require(stated == held(rig), f"{held(rig)} is held, and the snapshot says {stated}")
    with books_of(rig) as books:
        found = await reconcile_live(books.store, books.ledger, venue)
        agreed = found.comparison.status is Status.SYNCED
        differing = [f"{one.kind} {one.subject}: {one.direction}" for one in found.comparison.differences]
        if rig.money_step is None:  # what moved the cash is not told
            agreed = all(one.kind is Kind.CASH for one in found.comparison.differences)
        require(agreed, f"book and venue agree, and differ in {differing}")


async def check_instruments_and_marks(rig: Rig) -> None:
    """Contract terms of what was traded are stated, and stay; marks are the exchange's prices, and none is made up."""
    trade(rig, "buy")
    venue = await rig.venue()
    terms = {terms.symbol: terms for terms in await venue.instruments()}
    require(rig.symbol in terms, f"{rig.symbol} is listed, besides {sorted(terms)}")
    require({one.symbol: one for one in await venue.instruments()} == terms, "terms are the same when asked again")
    marks = {mark.instrument: mark.price for mark in await venue.marks([rig.symbol, "NOBODY/TRADES:THIS"])}
    require(
        marks == {rig.symbol: rig.exchange.prices[rig.symbol]},
        f"the mark is {rig.exchange.prices[rig.symbol]}, and {marks} was stated",
    )


async def check_a_pull_resumes_after_every_cut(rig: Rig) -> None:
    """The connection breaks at each message of a pull, before it was acted on or after: the next pull completes it."""
    live(rig)
    for acted in (False, True):
        for nth in range(1, CUTS_MAX):
            before = rig.cuts
            rig.cut_at(nth, acted=acted)
            with books_of(rig) as books:
                await _pull_in_the_end(rig, books)
                require_truth(rig, books.ledger)
            if rig.cuts == before:
                break
        require(nth > 1, "a pull sends messages")
    rig.cut_at(0, acted=False)


async def check_a_cut_between_pages_loses_nothing(rig: Rig) -> None:
    """Everybody is hung up on between two pages; what was booked stays, and the rest follows."""
    _trade_much(rig)
    venue = await rig.venue()
    with books_of(rig) as books:
        async for _ in venue.history(None):
            await rig.cut()
            await _pull_in_the_end(rig, books)
        _require_all_trades(rig, books)


READING = (
    check_what_happened_is_told_once,
    check_a_fresh_adapter_goes_on_from_the_durable_cursor,
    check_pages_overlap_and_nothing_comes_twice,
    check_every_cursor_is_exact,
    check_a_cursor_for_a_time_leaves_out_nothing_since,
    check_a_snapshot_is_the_truth_and_the_book_agrees,
    check_instruments_and_marks,
    check_a_pull_resumes_after_every_cut,
    check_a_cut_between_pages_loses_nothing,
)


async def _pull_in_the_end(rig: Rig, books: Books) -> None:
    """Pull; where the venue could not be reached once, go on where that ended, as a program does that begins again."""
    try:
        await pull(books.ledger, await rig.venue(books.ledger.book))
    except (Unavailable, RateLimited):
        ledger = books.restart()
        await pull(ledger, await rig.venue(ledger.book))


def _trade_much(rig: Rig) -> None:
    """Half again as many trades as a page holds, in bursts of an instant each, which ends pages in the midst of one."""
    for number in range(rig.page * 3 // 2):
        rig.clock.stand(still=number % _BURST > 0)
        trade(rig, "sell" if number % 2 else "buy")
    rig.clock.stand(still=False)


def _require_all_trades(rig: Rig, books: Books) -> None:
    """Each trade once. Within an instant a venue may state them in another order, so averages are left alone."""
    told = [event for _, event in books.ledger.events() if isinstance(event, FillBooked)]
    ours, theirs = trades(told), trades(happened(rig))
    require(ours == theirs, f"more was booked: {dict(ours - theirs)}; less: {dict(theirs - ours)}")
    require(not books.ledger.book.quarantined, "nothing is put aside")


_BURST = 7
