"""The suite notices what it is there for: adapters that are wrong in one way each."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial

import msgspec
import pytest

from tests.conformance.venues.test_paper import BrokenLine, in_process
from trueup.model.differences import VenueSnapshot
from trueup.model.errors import OutcomeUnknown, Unavailable
from trueup.model.events import Fact, FillBooked, FundingPaid, OrderReported
from trueup.model.orders import OrderRequest
from trueup.testing.conformance import following, life, reading, trading
from trueup.testing.conformance.rig import NotConforming
from trueup.testing.conformance.venues import Check, run
from trueup.venues.transport.stream import Stream


class CursorTooFar(BrokenLine):
    """Its cursor is ahead of what it told."""

    async def history(self, cursor: str | None) -> AsyncIterator[tuple[Sequence[Fact], str]]:
        async for facts, behind in super().history(cursor):
            yield facts[: len(facts) - 2 * (len(facts) > 3)], behind


class NamesAnew(BrokenLine):
    """What is told again has another name each time."""

    asked = 0

    async def history(self, cursor: str | None) -> AsyncIterator[tuple[Sequence[Fact], str]]:
        async for facts, behind in super().history(cursor):
            self.asked += 1
            yield [self._renamed(fact) for fact in facts], behind

    def _renamed(self, fact: Fact) -> Fact:
        if isinstance(fact, FundingPaid):
            return msgspec.structs.replace(fact, venue_id=f"{fact.venue_id}/{self.asked}")
        if isinstance(fact, OrderReported):
            return msgspec.structs.replace(fact, report_id=f"{fact.report_id}/{self.asked}")
        return fact


class GivesUpPages(BrokenLine):
    """Takes an answer that did not come for the end of the history."""

    async def history(self, cursor: str | None) -> AsyncIterator[tuple[Sequence[Fact], str]]:
        try:
            async for page in super().history(cursor):
                yield page
        except Unavailable:
            yield (), "3"


class FlatOnFailure(BrokenLine):
    """Says that nothing is held."""

    async def snapshot(self) -> VenueSnapshot:
        return msgspec.structs.replace(await super().snapshot(), positions={})


class PlacesAgain(BrokenLine):
    """Repeats an order whose answer was lost."""

    async def place(self, request: OrderRequest) -> OrderReported:
        try:
            return await super().place(request)
        except OutcomeUnknown:
            await super().place(msgspec.structs.replace(request, client_order_id=""))
            raise


class FindsNothing(BrokenLine):
    """Says that there is no order."""

    async def find(self, client_order_id: str) -> OrderReported | None:
        return None


class SilentStream(BrokenLine):
    """Opens a stream that keeps quiet about its gaps."""

    def stream(self) -> Stream[Fact]:
        stream = super().stream()
        stream._put = lambda item: Stream._put(stream, item) if isinstance(item, FillBooked) else None  # type: ignore[method-assign]  # the mutation
        return stream


@pytest.mark.parametrize(
    ("mutant", "check"),
    [
        (CursorTooFar, reading.check_what_happened_is_told_once),
        (CursorTooFar, reading.check_every_cursor_is_exact),
        (CursorTooFar, reading.check_pages_overlap_and_nothing_comes_twice),
        (NamesAnew, reading.check_what_happened_is_told_once),
        (GivesUpPages, reading.check_a_pull_resumes_after_every_cut),
        (FlatOnFailure, reading.check_a_snapshot_is_the_truth_and_the_book_agrees),
        (PlacesAgain, trading.check_an_order_without_an_answer_is_found_and_never_made_twice),
        (FindsNothing, trading.check_an_order_without_an_answer_is_found_and_never_made_twice),
        (FindsNothing, trading.check_a_market_order_trades_once),
    ],
)
def test_a_wrong_adapter_is_found_out(mutant: type[BrokenLine], check: Check) -> None:
    with pytest.raises(NotConforming):
        asyncio.run(run(check, partial(in_process, mutant)))


@pytest.mark.parametrize(
    "check",
    [following.check_every_connection_begins_with_a_gap, following.check_what_happens_while_nobody_listens_is_pulled],
)
def test_a_stream_that_keeps_its_gaps_to_itself_is_found_out(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (life, following):
        monkeypatch.setattr(module, "PATIENCE_S", 1.0)
    with pytest.raises(NotConforming):
        asyncio.run(run(check, partial(in_process, SilentStream)))
