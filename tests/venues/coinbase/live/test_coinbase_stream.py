"""The stream over a real WebSocket: what is subscribed to, what a lost message means, and where fills come from."""

import asyncio
import json
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from tests.venues.coinbase.coinbase_rows import ACCOUNT, NS, fill, order, pushed, snapshot, update
from tests.venues.coinbase.coinbase_rows import message as row
from tests.venues.coinbase.live.scripted import KEY_NAME, Row, Script, Status, run, turns, venue
from trueup.model.errors import AuthenticationFailed, Malformed, Rejected, Unavailable
from trueup.model.events import Fact, FillBooked, OrderReported
from trueup.model.orders import OrderRequest
from trueup.model.positions import OpenOrder
from trueup.model.venues import Gap
from trueup.venues.coinbase.following import Following
from trueup.venues.coinbase.live import CoinbaseVenue
from trueup.venues.coinbase.messages import SNAPSHOT_BATCH
from trueup.venues.coinbase.stream import CHANNELS, Conversation, Pushed

PATIENCE_S = 60.0
FILLS = "GET orders/historical/fills"
BATCH = "GET orders/historical/batch"
Talking = Callable[[ServerConnection], Awaitable[None]]


def message(sequence: int, *events: object, channel: str = "user") -> str:
    return json.dumps(row(sequence, *events, channel=channel))


def agreed(sequence: int = 0) -> str:
    channels = {"user": ["11111111"], "heartbeats": ["heartbeats"]}
    return message(sequence, {"subscriptions": channels}, channel="subscriptions")


def beat(sequence: int) -> str:
    return message(sequence, {"heartbeat_counter": sequence}, channel="heartbeats")


def traded(filled: str, left: str = "0", **fields: object) -> Row:
    status = "FILLED" if left == "0" else "OPEN"
    return update(pushed("o-1", cumulative_quantity=filled, leaves_quantity=left, status=status, **fields))


def listed(*fills: Row) -> Row:
    return {"fills": list(fills), "cursor": ""}


@asynccontextmanager
async def streaming(
    talk: Talking, script: Script | None = None, **options: object
) -> AsyncIterator[tuple[CoinbaseVenue, Following]]:
    """The adapter's stream, from a venue that talks as it is told on each connection."""

    async def connection(connection: ServerConnection) -> None:
        for _ in CHANNELS:
            await connection.recv()
        await talk(connection)

    async with serve(connection, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with venue(script or Script(), stream_url=f"ws://127.0.0.1:{port}", **options) as adapter:
            stream = adapter.stream()
            stream._stream._reconnect_first_s = 0.01
            yield adapter, stream
            await stream.aclose()


def saying(*messages: str) -> Talking:
    """Says this on every connection, and nothing more."""

    async def talk(connection: ServerConnection) -> None:
        for one in messages:
            await connection.send(one)
        await connection.wait_closed()

    return talk


def heard(count: int, *messages: str, script: Script | None = None, **options: object) -> Sequence[Fact | Gap]:
    """The first things that are told."""

    async def story() -> Sequence[Fact | Gap]:
        async with streaming(saying(*messages), script, **options) as (_, stream), asyncio.timeout(PATIENCE_S):
            return [await anext(stream) for _ in range(count)]

    return asyncio.run(story())


def talked(story: Callable[[Conversation], Any]) -> Any:  # noqa: ANN401 - the story's
    """A conversation on its own, of an account whose products are known."""

    async def told(adapter: CoinbaseVenue) -> object:
        await adapter.instruments()
        return story(Conversation(adapter._session))

    return run(told, Script())


# --- the conversation -------------------------------------------------------------------------------------------------


def test_each_subscription_has_a_token_of_its_own_that_names_no_request() -> None:
    def story(conversation: Conversation) -> None:
        greetings = [json.loads(greeting) for greeting in conversation.hello()]
        assert [(one["type"], one["channel"]) for one in greetings] == [
            ("subscribe", "user"),
            ("subscribe", "heartbeats"),
        ]
        heads = [json.loads(urlsafe_b64decode(one["jwt"].split(".")[0] + "==")) for one in greetings]
        claims = [json.loads(urlsafe_b64decode(one["jwt"].split(".")[1] + "==")) for one in greetings]
        assert len({head["nonce"] for head in heads}) == 2
        assert all("uri" not in claim and claim["sub"] == KEY_NAME for claim in claims)

    talked(story)


def test_what_comes_before_all_is_agreed_on_is_held_back() -> None:
    def story(conversation: Conversation) -> None:
        only_user = message(0, {"subscriptions": {"user": []}}, channel="subscriptions")
        assert conversation.read(only_user) == ()
        assert conversation.read(message(1, snapshot(pushed("o-1")))) == ()
        (first,) = conversation.read(beat(2))
        assert isinstance(first, Pushed)
        assert (first.lists, [report.venue_order_id for report in first.reports]) == (True, ["o-1"])

    talked(story)


@pytest.mark.parametrize(("numbers", "lost"), [((0, 2), "1 to 1"), ((0, 1, 7), "2 to 6"), ((5, 7), "6 to 6")])
def test_a_number_that_is_left_out_ends_the_connection(numbers: Sequence[int], lost: str) -> None:
    def story(conversation: Conversation) -> None:
        for number in numbers[:-1]:
            conversation.read(beat(number))
        with pytest.raises(Unavailable, match=lost):
            conversation.read(beat(numbers[-1]))

    talked(story)


def test_a_message_that_comes_twice_is_read_once() -> None:
    def story(conversation: Conversation) -> None:
        conversation.read(agreed())
        assert len(conversation.read(message(1, traded("1", "1")))) == 1
        assert conversation.read(message(1, traded("1", "1"))) == ()
        assert conversation.read(message(0, traded("1", "1"))) == ()

    talked(story)


@pytest.mark.parametrize(
    "text",
    [
        "7",
        "{",
        message(1, {"type": "update", "orders": [7]}),
        message(1, update(pushed("o-1", status="SOMETHING"))),
        message(1, update(pushed("o-1", product_id="BIT-25DEC26-CDE"))),
        json.dumps(row(1, update(pushed("o-1"))) | {"timestamp": "yesterday"}),
        b"\xff",
    ],
)
def test_a_message_that_cannot_be_read_is_a_gap(text: str | bytes) -> None:
    def story(conversation: Conversation) -> None:
        conversation.read(agreed())
        with pytest.raises(Malformed):
            conversation.read(text)

    talked(story)


@pytest.mark.parametrize(
    ("words", "error"),
    [("authentication failure", AuthenticationFailed), ("invalid JWT", AuthenticationFailed), ("too many", Rejected)],
)
def test_a_refused_subscription_ends_the_stream(words: str, error: type[Exception]) -> None:
    refusal = json.dumps({"type": "error", "message": words})
    with pytest.raises(error, match=words):
        heard(1, refusal)


# --- what is told -----------------------------------------------------------------------------------------------------


def test_the_gap_comes_first_then_what_is_open_then_what_changes() -> None:
    told = heard(4, agreed(), message(1, snapshot(pushed("o-1"))), message(2, update(pushed("o-2"))), beat(3),
                 message(4, update(pushed("o-3"))))  # fmt: skip
    assert isinstance(told[0], Gap)
    assert [report.venue_order_id for report in told[1:] if isinstance(report, OrderReported)] == ["o-1", "o-2", "o-3"]


def test_the_fills_of_an_order_that_traded_are_asked_for_and_told_as_the_venue_lists_them() -> None:
    script = Script(**{FILLS: listed(fill("e1", size="0.5"), fill("e2", size="1.5"))})
    gap, report, first, second = heard(4, agreed(), message(1, snapshot()), message(2, traded("2")), script=script)
    assert isinstance(gap, Gap)
    assert isinstance(report, OrderReported)
    assert isinstance(first, FillBooked)
    assert isinstance(second, FillBooked)
    assert (report.status, first.quantity, second.quantity) == ("filled", Decimal("0.5"), Decimal("1.5"))
    assert script.last(FILLS).query["order_ids"] == ["o-1"]


def test_fills_that_one_look_found_are_not_asked_for_again_nor_told_twice() -> None:
    script = Script(**{FILLS: listed(fill("e1", size="0.5"), fill("e2", size="1.5"))})
    pushes = [message(1, traded("0.5", "1.5")), message(2, traded("1", "1")), message(3, traded("2"))]
    told = heard(6, agreed(), *pushes, script=script)
    assert [type(one).__name__ for one in told].count("FillBooked") == 2
    assert script.whats().count(FILLS) == 1


def test_two_states_of_an_order_in_one_message_are_one_look() -> None:
    script = Script(**{FILLS: listed(fill("e1", size="2"))})
    both = message(1, update(*traded("1", "1")["orders"], *traded("2")["orders"]))
    told = heard(5, agreed(), both, message(2, update(pushed("o-2"))), script=script)
    assert [type(one).__name__ for one in told].count("FillBooked") == 1
    assert script.whats().count(FILLS) == 1


def test_each_fill_of_an_order_is_told_once() -> None:
    half, rest = fill("e1", size="0.5"), fill("e2", size="1.5")
    script = Script(**{FILLS: turns(listed(half), listed(half, rest))})
    told = heard(5, agreed(), message(1, traded("0.5", "1.5")), message(2, traded("2")), script=script)
    assert [one.venue_trade_id for one in told if isinstance(one, FillBooked)] == ["e1", "e2"]


def test_fills_that_are_listed_later_are_waited_for() -> None:
    script = Script(
        **{FILLS: turns(listed(), listed(fill("e1", size="1")), listed(fill("e1", size="1"), fill("e2", size="1")))}
    )
    told = heard(4, agreed(), message(1, traded("2")), script=script)
    assert [one.venue_trade_id for one in told if isinstance(one, FillBooked)] == ["e1", "e2"]


@pytest.mark.parametrize("answer", [listed(fill("e1", size="1")), Status("503 Service Unavailable")])
def test_fills_that_are_not_listed_in_time_are_a_gap_and_never_made_up(answer: object) -> None:
    told = heard(
        3 if isinstance(answer, Status) else 4, agreed(), message(1, traded("2")), script=Script(**{FILLS: answer})
    )
    assert isinstance(told[-1], Gap)
    assert "o-1" in told[-1].reason
    assert sum(one.quantity for one in told if isinstance(one, FillBooked)) in {0, 1}


def test_what_an_open_order_had_traded_before_is_left_to_the_history() -> None:
    script = Script(**{FILLS: listed(fill("e1", size="1"))})
    listing = snapshot(pushed("o-1", cumulative_quantity="1", leaves_quantity="1"))
    heard(3, agreed(), message(1, listing), message(2, update(pushed("o-2"))), script=script)
    assert FILLS not in script.whats()


def test_a_cancelled_order_keeps_the_quantity_that_the_venue_does_not_say_any_more() -> None:
    ended = update(pushed("o-1", status="CANCELLED", cumulative_quantity="0", leaves_quantity="0"))
    _, _, last = heard(3, agreed(), message(1, snapshot(pushed("o-1"))), message(2, ended))
    assert isinstance(last, OrderReported)
    assert (last.status, last.quantity, last.filled) == ("canceled", Decimal(2), Decimal(0))


def open_order(number: str) -> OpenOrder:
    return OpenOrder(
        account=ACCOUNT,
        instrument="BTC/USD",
        position_side="net",
        side="buy",
        quantity=Decimal(2),
        filled=Decimal(0),
        status="open",
        venue_order_id=number,
        client_order_id="",
        price=Decimal(90),
        trigger_price=None,
        order_type="limit",
        reduce_only=False,
        updated_at=NS,
    )


def test_what_ended_while_nobody_listened_is_asked_for() -> None:
    script = Script(**{BATCH: {"orders": [order("o-2", status="CANCELLED")]}})
    full = [pushed(f"n-{number}") for number in range(SNAPSHOT_BATCH)]
    told = heard(
        SNAPSHOT_BATCH + 3,
        agreed(),
        message(1, snapshot(*full)),
        message(2, snapshot(pushed("o-1"))),
        script=script,
        open_orders=[open_order("o-1"), open_order("o-2")],
    )
    assert isinstance(told[-1], OrderReported)
    assert (told[-1].venue_order_id, told[-1].status) == ("o-2", "canceled")
    assert script.last(BATCH).query["order_ids"] == ["o-2"]


def test_what_was_placed_and_ended_while_nobody_listened_is_asked_for() -> None:
    script = Script(**{BATCH: {"orders": [order("o-1", status="CANCELLED")]}})

    async def story() -> Fact | Gap:
        talk = saying(agreed(), message(1, snapshot()))
        async with streaming(talk, script) as (adapter, stream), asyncio.timeout(PATIENCE_S):
            bid = OrderRequest("BTC/USD", "buy", Decimal(2), "a-1", order_type="limit", price=Decimal(90))
            assert (await adapter.place(bid)).status == "open"
            assert isinstance(await anext(stream), Gap)
            return await anext(stream)

    told = asyncio.run(story())
    assert isinstance(told, OrderReported)
    assert (told.venue_order_id, told.status) == ("o-1", "canceled")


def test_a_list_that_was_cut_off_says_nothing_of_what_is_open_now() -> None:
    script = Script(**{BATCH: {"orders": [order("n-7", status="CANCELLED")]}})
    connections = 0

    async def talk(connection: ServerConnection) -> None:
        nonlocal connections
        connections += 1
        await connection.send(agreed())
        if connections == 1:
            full = [pushed(f"n-{number}") for number in range(SNAPSHOT_BATCH)]
            await connection.send(message(1, snapshot(*full)))
            return
        await connection.send(message(1, snapshot(*(pushed(f"n-{number}") for number in range(7)))))
        await connection.wait_closed()

    async def story() -> None:
        async with streaming(talk, script) as (_, stream), asyncio.timeout(PATIENCE_S):
            while not (isinstance(one := await anext(stream), OrderReported) and one.status == "canceled"):
                pass
        assert script.last(BATCH).query["order_ids"] == [f"n-{number}" for number in range(7, SNAPSHOT_BATCH)]

    asyncio.run(story())


def test_orders_whose_end_cannot_be_asked_for_are_asked_for_at_the_next_connection() -> None:
    script = Script(
        **{
            BATCH: turns(
                *[Status("503 Service Unavailable")] * 4, {"orders": [order("o-2", status="FILLED", filled_size="2")]}
            )
        }
    )
    connections = 0

    async def talk(connection: ServerConnection) -> None:
        nonlocal connections
        connections += 1
        await connection.send(agreed())
        await connection.send(message(1, snapshot()))
        if connections < 4:
            await connection.send(beat(7))  # messages were lost
        await connection.wait_closed()

    async def story() -> None:
        async with streaming(talk, script, open_orders=[open_order("o-2")]) as (adapter, stream):
            async with asyncio.timeout(PATIENCE_S):
                while not isinstance(one := await anext(stream), OrderReported):
                    assert isinstance(one, Gap)
            assert one.venue_order_id == "o-2"
            assert any("could not be asked for" in warning for warning in adapter.warnings)
            assert adapter.health["stream"].reconnects

    asyncio.run(story())


def test_giving_up_on_waiting_loses_nothing() -> None:
    gate = asyncio.Event()

    async def talk(connection: ServerConnection) -> None:
        await connection.send(agreed())
        await gate.wait()
        await connection.send(message(1, traded("2")))
        await connection.wait_closed()

    async def story() -> None:
        script = Script(**{FILLS: listed(fill("e1"))})
        async with streaming(talk, script) as (_, stream):
            assert isinstance(await anext(stream), Gap)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await anext(stream)
            gate.set()
            async with asyncio.timeout(PATIENCE_S):
                assert [type(await anext(stream)) for _ in range(2)] == [OrderReported, FillBooked]

    asyncio.run(story())
