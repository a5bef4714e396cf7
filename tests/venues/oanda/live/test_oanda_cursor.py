"""The exact cursor: every transaction once and in order, resumable anywhere, and never beyond a hole."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from decimal import Decimal
from urllib.parse import urlsplit

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.venues.oanda.live.loopback import ACCOUNT, Loopback, Row, connected, pulled, transaction, transfers
from trueup.model.errors import Malformed, Unavailable
from trueup.model.events import Fact, InstrumentDefined, OpeningBalance, OrderReported, TransferBooked
from trueup.venues.oanda.calls import Calls
from trueup.venues.oanda.history import READERS_MAX, History, Readers, Transactions, decode
from trueup.venues.oanda.reader import OandaReader
from trueup.venues.transport.http import Call


class Venue:
    """Gives transactions as badly as it may: few at a time, some only at the second asking, in any order, grown since.

    Attributes:
        rows: By id.
        late: Ids that are left out of the first answer that would have them.
        gone: Ids that are never given.
        page: Most rows in an answer.
        grows: Rows that are there only after each answer, one at a time.
    """

    def __init__(
        self, rows: list[Row], *, late: set[int], gone: set[int], page: int, grows: list[Row], backwards: bool
    ) -> None:
        self.rows, self.late, self.gone, self.page = rows, set(late), gone, page
        self.grows, self.backwards = list(grows), backwards

    async def ask(self, call: Call) -> bytes:
        first, to = self._range(urlsplit(call.path).path, {name: str(value) for name, value in call.query.items()})
        within = [row for row in self.rows if first <= int(row["id"]) <= to and int(row["id"]) not in self.gone]
        given = [row for row in within if int(row["id"]) not in self.late][: self.page]
        self.late.difference_update(int(row["id"]) for row in within)
        last = self.rows[-1]["id"]
        if self.grows:
            self.rows.append(self.grows.pop(0))
        return msgspec.json.encode(
            {"transactions": given[::-1] if self.backwards else given, "lastTransactionID": last}
        )

    def _range(self, path: str, query: Mapping[str, str]) -> tuple[int, int]:
        if path.endswith("/sinceid"):
            return int(query["id"]) + 1, int(self.rows[-1]["id"])
        assert int(query["to"]) - int(query["from"]) < 1_000
        return int(query["from"]), int(query["to"])


def history(venue: Venue) -> History:
    return History(Transactions(Calls("001"), venue.ask), Readers(OandaReader(ACCOUNT, "EUR")))


def ids(facts: list[Fact]) -> list[int]:
    return [int(fact.venue_id) for fact in facts if isinstance(fact, TransferBooked)]


async def drained(venue: Venue, cursor: str | None, most: int) -> tuple[list[Fact], str]:
    """Facts of at most so many pages, and the cursor behind them."""
    taken: list[tuple[Sequence[Fact], str]] = []
    async with aclosing(history(venue).pages(cursor, int(venue.rows[-1]["id"]) if cursor is None else 0)) as pages:
        async for page in pages:
            taken.append(page)
            if len(taken) == most:
                break
    return [fact for facts, _ in taken for fact in facts], taken[-1][1]


LATE = st.sets(st.integers(2, 60), max_size=12)


@settings(max_examples=150, deadline=None)
@given(
    count=st.integers(1, 60),
    late=LATE,
    page=st.integers(1, 30),
    grown=st.integers(0, 8),
    backwards=st.booleans(),
    cuts=st.lists(st.integers(1, 5), max_size=12),
)
def test_every_transaction_once_in_order_wherever_it_is_cut(
    count: int, late: set[int], page: int, grown: int, backwards: bool, cuts: list[int]
) -> None:
    rows = transfers(range(1, count + grown + 1))
    venue = Venue(rows[:count], late=late, gone=set(), page=page, grows=rows[count:], backwards=backwards)

    async def story() -> list[Fact]:
        facts: list[Fact] = []
        cursor: str | None = None
        for most in [*cuts, 1_000_000]:
            more, reached = await drained(venue, cursor, most)
            before = 0 if cursor is None else decode(cursor).id
            assert ids(more) == list(range(max(before + 1, 2), decode(reached).id + 1))
            facts += more
            cursor = reached
        return facts

    found = ids(asyncio.run(story()))
    assert found == list(range(2, len(found) + 2))
    assert len(found) >= count - 1


@settings(max_examples=80, deadline=None)
@given(count=st.integers(3, 60), gone=st.integers(2, 60), late=LATE, page=st.integers(1, 30))
def test_no_cursor_is_ever_beyond_a_hole(count: int, gone: int, late: set[int], page: int) -> None:
    gone = min(gone, count - 1)
    venue = Venue(transfers(range(1, count + 1)), late=late, gone={gone}, page=page, grows=[], backwards=False)

    async def story() -> None:
        facts: list[Fact] = []
        cursor = ""

        async def until_it_stops() -> None:
            nonlocal cursor
            async for more, reached in history(venue).pages(None, count):
                facts.extend(more)
                cursor = reached

        with pytest.raises(Unavailable, match=f"does not give transaction {gone},"):
            await until_it_stops()
        assert ids(facts) == list(range(2, gone))
        assert decode(cursor).id == gone - 1
        venue.gone.clear()
        more, _ = await drained(venue, cursor, 1_000_000)
        assert ids(facts + more) == list(range(2, count + 1))

    asyncio.run(story())


def test_ids_are_compared_as_numbers() -> None:
    rows = transfers(range(1, 1_004))
    venue = Venue(rows[:1_000], late=set(), gone=set(), page=1_000, grows=rows[1_000:], backwards=False)

    async def story() -> None:
        more, cursor = await drained(venue, '{"id":998}', 1_000_000)
        assert ids(more) == [999, 1_000, 1_001, 1_002, 1_003][: len(more)]
        assert decode(cursor).id >= 1_000

    asyncio.run(story())


def test_many_are_asked_for_by_their_ids_a_thousand_at_a_time() -> None:
    async def story() -> None:
        loopback = Loopback(transactions=transfers(range(1, 2_502)))
        async with connected(loopback) as venue:
            facts, cursor = await pulled(venue)
            assert await pulled(venue, cursor) == ([], cursor)
        assert ids(facts) == list(range(2, 2_502))
        asked = [one.partition("/transactions/")[2] for one in loopback.requests if "/transactions/" in one]
        assert asked == [
            "idrange?from=1&to=1000",
            "idrange?from=1001&to=2000",
            "sinceid?id=2000",
            "sinceid?id=2501",
        ]

    asyncio.run(story())


def test_the_same_page_read_twice_says_the_same() -> None:
    """A page that was not booked is read again: its orders were in the same state before it both times."""

    async def story() -> None:
        loopback = Loopback()
        loopback.page = 3
        async with connected(loopback) as venue:
            pages = [page async for page in venue.history(None)]
            again = [[page async for page in venue.history(cursor)] for _, cursor in pages]
        async with connected(Loopback()) as venue:
            whole, _ = await pulled(venue)
        assert [fact for facts, _ in pages for fact in facts if not isinstance(fact, InstrumentDefined)] == [
            fact for fact in whole if not isinstance(fact, InstrumentDefined)
        ]
        assert len(pages) == 6
        for number, rest in enumerate(again, start=1):
            assert rest[: len(pages) - number] == pages[number:]

    asyncio.run(story())


@pytest.mark.parametrize("text", ["", "18", '{"id":-1}', '{"id":"x"}', "{}"])
def test_a_cursor_of_something_else_is_refused(text: str) -> None:
    async def story() -> None:
        async with connected(Loopback()) as venue:
            with pytest.raises(Malformed, match="cursor="):
                await pulled(venue, text)

    asyncio.run(story())


def test_a_cursor_beyond_the_last_transaction_is_of_another_account() -> None:
    async def story() -> None:
        async with connected(Loopback()) as venue:
            with pytest.raises(Malformed, match="the account's last is 18"):
                await pulled(venue, '{"id":19}')

    asyncio.run(story())


def test_the_money_of_each_page_is_proved_from_the_balance_before_it() -> None:
    async def story() -> None:
        rows = transfers(range(1, 12))
        rows[6]["accountBalance"] = "6.01"  # a cent from nowhere, and gone with the next one
        loopback = Loopback(transactions=rows, page=1)
        async with connected(loopback) as venue:
            await pulled(venue)
            assert [warning.partition(":")[0] for warning in venue.warnings] == [
                "after transaction 7 OANDA states a balance of 6.01, and the facts lead to 6",
                "after transaction 8 OANDA states a balance of 7, and the facts lead to 7.01",
            ]

    asyncio.run(story())


def test_an_account_begins_at_zero() -> None:
    async def story() -> None:
        rows = transfers(range(1, 4))
        rows[1]["accountBalance"], rows[2]["accountBalance"] = "1.5", "2.5"
        async with connected(Loopback(transactions=rows)) as venue:
            await pulled(venue)
            (warning,) = venue.warnings
            assert warning.startswith("after transaction 2 OANDA states a balance of 1.5, and the facts lead to 1:")

    asyncio.run(story())


def test_a_ledger_is_proved_to_the_cent_against_every_balance() -> None:
    async def story() -> None:
        loopback = Loopback()
        loopback.page = 4
        async with connected(loopback) as venue:
            facts, _ = await pulled(venue)
            assert await venue.prove(facts) == []
            one_off = [
                msgspec.structs.replace(fact, amount=fact.amount + Decimal("0.01"))
                if isinstance(fact, TransferBooked) and fact.venue_id == "15"
                else fact
                for fact in facts
            ]
            (found,) = await venue.prove(one_off)
            assert found.startswith("after transaction 15 ")
            assert found.endswith("a difference of -0.01")
            without = [fact for fact in facts if getattr(fact, "venue_trade_id", "") != "13"]
            (found,) = await venue.prove(without)
            assert "after transaction 13 " in found
            foreign = TransferBooked(ACCOUNT, Decimal(1), "EUR", 1, "77")
            assert await venue.prove([*facts, foreign]) == ["transaction 77 is booked, and OANDA has none"]

    asyncio.run(story())


def test_a_ledger_that_begins_later_is_proved_from_its_opening() -> None:
    async def story() -> None:
        async with connected(Loopback()) as venue:
            facts, _ = await pulled(venue, await venue.cursor_at(1772488800000000000))
            assert await venue.prove(facts) == []
            assert len(await venue.prove([fact for fact in facts if getattr(fact, "venue_trade_id", "") != "10"])) == 1
            poorer = [
                msgspec.structs.replace(fact, amount=fact.amount - 1) if isinstance(fact, OpeningBalance) else fact
                for fact in facts
            ]
            (found,) = await venue.prove(poorer)
            assert found.startswith("after transaction 8 ")
            assert found.endswith("a difference of 1")

    asyncio.run(story())


def test_a_transaction_that_appears_late_is_asked_for_by_its_id() -> None:
    async def story() -> None:
        loopback = Loopback(transactions=transfers(range(1, 6)))
        base = f"/v3/accounts/{loopback.account['id']}/transactions"
        holey = [row for row in loopback.transactions if row["id"] not in {"3", "4"}]
        loopback.say(f"GET {base}/idrange", (200, {"transactions": holey, "lastTransactionID": "5"}))
        loopback.say(f"GET {base}/sinceid", (200, {"transactions": holey[2:], "lastTransactionID": "5"}))
        async with connected(loopback) as venue:
            facts, _ = await pulled(venue)
        assert ids(facts) == [2, 3, 4, 5]
        assert "idrange?from=3&to=5" in loopback.requests[-1]

    asyncio.run(story())


def test_rows_nobody_takes_stop_the_pull() -> None:
    async def story() -> None:
        rows = [transaction(number, "FEE_OF_A_NEW_KIND", amount="1") for number in range(1, 10_101)]
        async with connected(Loopback(transactions=rows)) as venue:
            with pytest.raises(Malformed, match="nobody puts them on record"):
                await pulled(venue)

    asyncio.run(story())


def test_whoever_begins_again_is_told_what_became_of_each_order_too() -> None:
    terms = {"instrument": "EUR_USD", "units": "100", "price": "1.05", "timeInForce": "GTC"}
    story = [
        transaction(1, "LIMIT_ORDER", **terms),
        transaction(2, "CLIENT_CONFIGURE"),
        transaction(3, "ORDER_CANCEL", orderID="1"),
    ]
    rest = [transaction(number, "CLIENT_CONFIGURE") for number in range(4, READERS_MAX + 10)]

    async def reports(told: History) -> list[str]:
        return [fact.status async for facts, _ in told.pages(None) for fact in facts if isinstance(fact, OrderReported)]

    async def twice() -> list[list[str]]:
        told = history(Venue([*story, *rest], late=set(), gone=set(), page=1, grows=[], backwards=False))
        return [await reports(told), await reports(told)]

    assert asyncio.run(twice()) == [["open", "canceled"]] * 2
