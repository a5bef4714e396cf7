"""The transaction stream: facts of what follows on, and a gap for all else. Over a real socket, and line by line."""

import asyncio
import json
from collections.abc import Sequence
from decimal import Decimal

import pytest

from tests.venues.oanda.live.loopback import ACCOUNT, Loopback, Row, connected, pulled, story, transaction, transfers
from trueup.model.errors import AuthenticationFailed, Malformed
from trueup.model.events import Fact, FillBooked, OpeningBalance, OrderReported, TransferBooked
from trueup.model.venues import Gap
from trueup.venues.oanda.calls import Calls
from trueup.venues.oanda.history import History, Readers, Transactions
from trueup.venues.oanda.reader import OandaReader
from trueup.venues.oanda.stream import Conversation
from trueup.venues.transport.http import Call

STREAM = "GET /v3/accounts/001-011-1234567-001/transactions/stream"


class Followed:
    """A conversation beside a history that is pulled on demand."""

    def __init__(self, rows: list[Row]) -> None:
        self.rows = rows
        self.history = History(Transactions(Calls("001"), self.ask), Readers(OandaReader(ACCOUNT, "EUR")))
        self.talk = Conversation(self.history)

    async def ask(self, call: Call) -> bytes:
        asked = {name: int(str(value)) for name, value in call.query.items()}
        first = asked.get("from", 0) or asked["id"] + 1
        listed = [row for row in self.rows if int(row["id"]) >= first]
        return json.dumps({"transactions": listed, "lastTransactionID": self.rows[-1]["id"]}).encode()

    def pull(self) -> None:
        async def all_of_it() -> None:
            async for _ in self.history.pages(None, len(self.rows)):
                pass

        asyncio.run(all_of_it())

    def hear(self, number: int) -> Sequence[Fact | Gap]:
        return self.talk.read(json.dumps(self.rows[number - 1]))

    def beat(self, last: int) -> Sequence[Fact | Gap]:
        return self.talk.read(json.dumps({"type": "HEARTBEAT", "lastTransactionID": str(last), "time": "1772442000.5"}))


def kinds(items: Sequence[Fact | Gap]) -> list[type]:
    return [type(item) for item in items]


@pytest.fixture
def followed() -> Followed:
    """The story up to transaction 13 was pulled, and the connection's first heartbeat was heard."""
    followed = Followed(story("transactions.json")["transactions"][:13])
    assert followed.beat(13) == ()
    assert followed.talk.agreed
    followed.pull()
    followed.rows = story("transactions.json")["transactions"]
    return followed


def test_what_follows_on_is_read_as_the_history_would(followed: Followed) -> None:
    heard = [item for number in range(14, 19) for item in followed.hear(number)]
    assert not any(isinstance(item, Gap) for item in heard)
    whole = Followed(followed.rows)
    whole.pull()
    saved = OandaReader(ACCOUNT, "EUR")
    facts = saved.read("all", json.dumps({"transactions": followed.rows}).encode()).facts
    later = [fact for fact in facts if getattr(fact, "venue_time", 0) > 1772491500000000000]
    assert [item for item in heard if item in later] == later
    assert not any(isinstance(item, OpeningBalance) for item in heard)


def test_a_heartbeat_beyond_what_was_seen_is_a_gap(followed: Followed) -> None:
    assert followed.beat(13) == ()
    assert followed.beat(14) == (Gap("transactions up to 14 were not delivered"),)
    assert followed.beat(14) == ()  # whoever was told will pull
    assert followed.beat(15) == (Gap("transactions up to 15 were not delivered"),)
    followed.pull()
    assert followed.beat(18) == ()  # the pull reached it
    assert not followed.talk.read(json.dumps(transaction(19, "REOPEN")))
    assert kinds(followed.beat(20)) == [Gap]
    followed.history.pulls += 1
    assert kinds(followed.beat(20)) == [Gap]  # that pull did not bring it


def test_ids_of_heartbeats_are_compared_as_numbers() -> None:
    followed = Followed(transfers(range(1, 1_001)))
    assert followed.beat(999) == ()
    followed.pull()
    assert followed.beat(1_000) == ()
    assert kinds(followed.beat(1_001)) == [Gap]


def test_a_line_out_of_turn_is_a_gap_and_the_history_has_it(followed: Followed) -> None:
    assert kinds(followed.hear(16)) == [Gap]
    assert kinds(followed.hear(17)) == [Gap]
    assert followed.hear(16) == ()
    followed.pull()
    (report,) = followed.hear(18)[-1:]
    assert isinstance(report, OrderReported)


def test_what_comes_twice_is_read_once(followed: Followed) -> None:
    assert followed.hear(14) != ()
    assert followed.hear(14) == ()
    assert followed.hear(13) == ()


def test_a_line_that_the_history_had_first_is_given_all_the_same(followed: Followed) -> None:
    followed.pull()
    assert [fact.venue_id for fact in followed.hear(14) if isinstance(fact, TransferBooked)] == []
    assert [fact.venue_id for fact in followed.hear(15) if isinstance(fact, TransferBooked)] == ["15"]


def test_of_an_order_that_is_not_known_the_fill_is_told_and_a_gap(followed: Followed) -> None:
    """A part of it may have been filled before: no report is better than one that says a part is the whole."""
    followed.rows = followed.rows[:14]
    followed.pull()  # knows of the order for 500
    part = {"instrument": "EUR_USD", "price": "1.1", "pl": "0", "orderID": "14"}
    followed.rows += [
        transaction(15, "ORDER_FILL", units="200", **part),
        transaction(16, "ORDER_FILL", units="300", **part),
    ]
    followed.talk = Conversation(followed.history)
    assert followed.beat(15) == ()  # of which the connection's own gap speaks
    heard = followed.hear(16)
    assert [(item.venue_trade_id, item.quantity) for item in heard if isinstance(item, FillBooked)] == [
        ("16", Decimal(300))
    ]
    assert not any(isinstance(item, OrderReported) for item in heard)
    assert heard[-1] == Gap("transaction 16 tells of an order that is not known yet")


def test_a_row_that_cannot_be_read_is_left_to_the_history(followed: Followed) -> None:
    unknown = transaction(14, "FEE_OF_A_NEW_KIND", amount="-3")
    assert kinds(followed.talk.read(json.dumps(unknown))) == [Gap]
    assert followed.history.refused() == []


@pytest.mark.parametrize("line", [b"<html>", b"[]", b'{"type":"HEARTBEAT"}', b'{"type":"ORDER_FILL","id":"x"}', b"7"])
def test_a_line_of_something_else_is_malformed(line: bytes, followed: Followed) -> None:
    with pytest.raises(Malformed):
        followed.talk.read(line)


def test_the_first_item_is_a_gap_and_then_what_happens() -> None:
    async def tale() -> None:
        loopback = Loopback()
        async with connected(loopback) as venue:
            loopback.heartbeat()
            stream = venue.stream()
            assert await anext(stream) == Gap("connected")
            await pulled(venue)
            loopback.happen(transaction(19, "TRANSFER_FUNDS", amount="1.25", accountBalance="10000"))
            fact = await anext(stream)
            assert isinstance(fact, TransferBooked)
            assert (fact.venue_id, fact.amount) == ("19", Decimal("1.25"))
            loopback.happen(transaction(20, "ORDER_CANCEL", orderID="14", reason="CLIENT_REQUEST"), tell=False)
            loopback.heartbeat()
            assert await anext(stream) == Gap("transactions up to 20 were not delivered")
            assert venue.health["stream"].connected
            await stream.aclose()

    asyncio.run(tale())


def test_a_lost_connection_is_opened_again_with_a_gap() -> None:
    async def tale() -> None:
        loopback = Loopback()
        async with connected(loopback) as venue:
            loopback.heartbeat()
            stream = venue.stream()
            assert await anext(stream) == Gap("connected")
            loopback.lines.put_nowait(None)
            loopback.heartbeat()
            assert await anext(stream) == Gap("connected")
            loopback.lines.put_nowait(b"{}")
            assert isinstance(await anext(stream), Gap)
            assert venue.health["stream"].reconnects == 1
            await stream.aclose()

    asyncio.run(tale())


def test_too_many_streams_are_tried_again_later() -> None:
    async def tale() -> None:
        loopback = Loopback()
        loopback.say(STREAM, (429, {"errorMessage": "too many"}))
        async with connected(loopback) as venue:
            loopback.heartbeat()
            stream = venue.stream()
            assert await anext(stream) == Gap("connected")
            await stream.aclose()

    asyncio.run(tale())


def test_a_token_that_is_not_taken_ends_the_stream() -> None:
    async def tale() -> None:
        loopback = Loopback()
        loopback.say(STREAM, (401, {"errorMessage": "Insufficient authorization to perform request."}))
        async with connected(loopback) as venue:
            with pytest.raises(AuthenticationFailed, match="Insufficient authorization"):
                await anext(venue.stream())

    asyncio.run(tale())
