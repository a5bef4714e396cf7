"""The user's WebSocket, over a real socket: what is told, how it is counted, and when the venue hangs up."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.testing.servers.coinbase.talk import BTC, FUTURE, Row, Talk, token
from tests.testing.servers.coinbase.test_coinbase_recorded import DATA, differences
from trueup.testing.servers.chaos import Chaos, VenueClock
from trueup.testing.servers.coinbase.demo import ACCOUNT, ED25519_KEY_NAME, KEY_NAME, demo_keys
from trueup.testing.servers.coinbase.feeds import SNAPSHOT_BATCH
from trueup.testing.servers.coinbase.keys import Guard
from trueup.testing.servers.faults import NO_FAULTS
from trueup.testing.servers.serving import serving
from trueup.venues.paper.faults import Drop, Outage

PATIENCE_S = 60.0
LONG_S = 3_600.0
D = Decimal
GTC, MARKET = "limit_limit_gtc", "market_market_ioc"


class Ear:
    """A WebSocket with patience, and what it has heard."""

    def __init__(self, talk: Talk, connection: ClientConnection) -> None:
        self.numbers: list[int] = []
        self._talk = talk
        self._connection = connection

    async def say(self, **message: object) -> None:
        await self._connection.send(json.dumps(message))

    async def subscribe(self, channel: str, key: str = ED25519_KEY_NAME, **more: object) -> str:
        """With a good token; gives it."""
        made = token(None, self._talk.now, key=key)
        await self.say(type="subscribe", channel=channel, **({"jwt": made} | more))
        return made

    async def hear(self) -> Row:
        async with asyncio.timeout(PATIENCE_S):
            message: Row = json.loads(await self._connection.recv())
        if "sequence_num" in message:
            self.numbers.append(message["sequence_num"])
        return message

    async def hear_of(self, channel: str) -> Row:
        """The next message of a channel."""
        while True:
            message = await self.hear()
            assert message.get("type") != "error", message
            if message["channel"] == channel:
                return message

    async def event(self, channel: str = "user") -> Row:
        """The next event of a channel."""
        (event,) = (await self.hear_of(channel))["events"]
        told: Row = event
        return told

    async def end(self) -> str:
        """Hear until the venue hangs up; why it does."""
        try:
            while True:
                await self.hear()
        except ConnectionClosed:
            return self._connection.close_reason or ""


@asynccontextmanager
async def listening(talk: Talk, path: str = "") -> AsyncIterator[Ear]:
    async with serving(talk.server) as at, connect(f"{at.ws}{path}") as connection:
        yield Ear(talk, connection)


def heard(talk: Talk, story: Callable[[Ear], Awaitable[None]]) -> None:
    async def main() -> None:
        async with listening(talk) as ear:
            await story(ear)

    asyncio.run(main())


def test_a_subscription_begins_with_how_things_are_then_tells_each_change() -> None:
    talk = Talk(beat_s=LONG_S)
    resting = talk.placed(BTC, "BUY", GTC, "resting", base_size="0.1", limit_price="50000")
    talk.trade("2")

    async def story(ear: Ear) -> None:
        await ear.subscribe("user", KEY_NAME)
        assert list((await ear.event("subscriptions"))["subscriptions"]) == ["user"]
        snapshot = await ear.event()
        assert snapshot["type"] == "snapshot"
        assert [(row["order_id"], row["status"], row["leaves_quantity"]) for row in snapshot["orders"]] == [
            (resting, "OPEN", "0.1")
        ]
        (held,) = snapshot["positions"]["expiring_futures_positions"]
        assert (held["product_id"], held["side"], held["number_of_contracts"]) == (FUTURE, "LONG", "2")
        talk.post("/orders/batch_cancel", {"order_ids": [resting]})
        (row,) = (await ear.event())["orders"]
        assert (row["order_id"], row["status"], row["leaves_quantity"]) == (resting, "CANCELLED", "0")
        talk.placed(FUTURE, "SELL", MARKET, "close", base_size="2")
        told = [await ear.event() for _ in range(3)]
        rows = [row for event in told for row in event["orders"]]
        assert [(row["status"], row["cumulative_quantity"]) for row in rows] == [("OPEN", "0"), ("FILLED", "2")]
        (closed,) = [row for event in told for row in event["positions"]["expiring_futures_positions"]]
        assert (closed["product_id"], closed["number_of_contracts"]) == (FUTURE, "0")
        assert ear.numbers == list(range(6)), "every message of the connection is counted, from 0"

    heard(talk, story)


def test_an_edit_is_one_change_of_one_order() -> None:
    talk = Talk(beat_s=LONG_S)
    order_id = talk.placed(BTC, "BUY", GTC, base_size="0.1", limit_price="50000")

    async def story(ear: Ear) -> None:
        await ear.subscribe("user")
        await ear.event()
        talk.post("/orders/edit", {"order_id": order_id, "price": "49000", "size": "0.2"})
        talk.post("/orders/batch_cancel", {"order_ids": [order_id]})
        rows = [(await ear.event())["orders"][0] for _ in range(2)]
        assert [(row["order_id"], row["status"], row["limit_price"]) for row in rows] == [
            (order_id, "OPEN", "49000"),
            (order_id, "CANCELLED", "49000"),
        ]
        assert rows[0]["leaves_quantity"] == "0.2"

    heard(talk, story)


def test_a_long_snapshot_comes_in_batches_the_last_of_which_is_not_full() -> None:
    for many in (SNAPSHOT_BATCH - 1, SNAPSHOT_BATCH, SNAPSHOT_BATCH + 1):
        talk = Talk(beat_s=LONG_S)
        made = [talk.placed(BTC, "BUY", GTC, base_size="0.001", limit_price="50000") for _ in range(many)]

        async def story(ear: Ear, made: list[str] = made) -> None:
            await ear.subscribe("user")
            told: list[str] = []
            while True:
                event = await ear.event()
                assert event["type"] == "snapshot"
                told += [row["order_id"] for row in event["orders"]]
                if len(event["orders"]) < SNAPSHOT_BATCH:
                    break
            assert told == made

        heard(talk, story)


def test_one_may_listen_for_some_products_alone() -> None:
    talk = Talk(beat_s=LONG_S)

    async def story(ear: Ear) -> None:
        await ear.subscribe("user", product_ids=[BTC])
        await ear.event()
        talk.placed(FUTURE, "BUY", GTC, base_size="1", limit_price="50000")
        ours = talk.placed(BTC, "BUY", GTC, base_size="0.01", limit_price="50000")
        (row,) = (await ear.event())["orders"]
        assert row["order_id"] == ours

    heard(talk, story)


def test_a_bad_token_is_told_and_the_connection_ends_in_its_time() -> None:
    talk = Talk(beat_s=LONG_S, subscribe_s=2.0)

    async def story(ear: Ear) -> None:
        later = talk.now + 600
        for made in ("", "x", token(None, later), token("GET x/y", talk.now)):
            await ear.say(type="subscribe", channel="user", jwt=made)
            assert await ear.hear() == {"type": "error", "message": "authentication failure"}
        assert await ear.end() == "no subscription"

    heard(talk, story)


def test_each_subscription_needs_a_token_of_its_own() -> None:
    talk = Talk(beat_s=LONG_S)

    async def story(ear: Ear) -> None:
        made = await ear.subscribe("user")
        await ear.event()
        await ear.say(type="subscribe", channel="futures_balance_summary", jwt=made)
        assert (await ear.hear())["message"] == "authentication failure"
        await ear.subscribe("futures_balance_summary")
        assert (await ear.event("futures_balance_summary"))["type"] == "snapshot"

    heard(talk, story)


@pytest.mark.parametrize(
    "message",
    [
        "",
        "nonsense",
        [],
        {"type": "sing"},
        {"type": "subscribe"},
        {"type": "subscribe", "channel": "level2"},
        {"type": "subscribe", "channel": "user", "product_ids": ["DOGE-USD"]},
        {"type": "subscribe", "channel": "user", "product_ids": [{}]},
        {"type": "subscribe", "channel": "user", "product_ids": "BTC-USD"},
    ],
)
def test_what_is_not_understood_is_answered_by_an_error(message: object) -> None:
    async def story(ear: Ear) -> None:
        await ear._connection.send(message if isinstance(message, str) else json.dumps(message))
        assert (await ear.hear())["type"] == "error"

    heard(Talk(beat_s=LONG_S), story)


def test_heartbeats_need_no_token_and_are_counted_with_everything_else() -> None:
    async def story(ear: Ear) -> None:
        await ear.say(type="subscribe", channel="heartbeats")
        beats = [(await ear.event("heartbeats"))["heartbeat_counter"] for _ in range(3)]
        assert beats == [1, 2, 3]
        await ear.subscribe("user")
        await ear.event()
        await ear.event("heartbeats")
        assert ear.numbers == list(range(len(ear.numbers)))
        await ear.say(type="unsubscribe", channel="heartbeats")
        while (await ear.event("subscriptions"))["subscriptions"].keys() != {"user"}:
            pass

    heard(Talk(beat_s=0.02), story)


def test_a_silent_connection_is_closed_and_heartbeats_keep_one_open() -> None:
    async def silent(ear: Ear) -> None:
        await ear.subscribe("user")
        assert await ear.end() == "idle"

    async def beating(ear: Ear) -> None:
        await ear.subscribe("heartbeats")
        for _ in range(40):
            await ear.event("heartbeats")

    heard(Talk(idle_s=0.3, beat_s=LONG_S), silent)
    heard(Talk(idle_s=0.3, beat_s=0.02), beating)


def test_the_futures_account_is_told_when_it_changes() -> None:
    talk = Talk(beat_s=LONG_S)

    async def story(ear: Ear) -> None:
        await ear.subscribe("futures_balance_summary")
        first = (await ear.event("futures_balance_summary"))["fcm_balance_summary"]
        assert (first["cfm_usd_balance"], first["unrealized_pnl"]) == ("100000", "0")
        talk.trade("1")
        event = await ear.event("futures_balance_summary")
        assert event["type"] == "update"
        assert D(event["fcm_balance_summary"]["initial_margin"]) > 0

    heard(talk, story)


def test_a_lost_report_of_a_fill_loses_no_order_state() -> None:
    talk = Talk(Drop(account=ACCOUNT, nth=1), beat_s=LONG_S)

    async def story(ear: Ear) -> None:
        await ear.subscribe("user")
        await ear.event()
        talk.placed(FUTURE, "BUY", MARKET, base_size="1")
        rows = [(await ear.event())["orders"][0] for _ in range(2)]
        assert [row["status"] for row in rows] == ["OPEN", "FILLED"]
        assert len(talk.fills()) == 1

    heard(talk, story)


def test_an_outage_hangs_up_and_answers_nothing_until_it_is_over() -> None:
    talk = Talk(Outage(account=ACCOUNT, for_ms=5_000), beat_s=LONG_S)

    async def story(ear: Ear) -> None:
        await ear.subscribe("user")
        await ear.event()
        talk.exchange.advance()
        assert await ear.end() == "The venue is down."
        assert talk.ask("GET", "/accounts")[0] == 503
        assert talk.ask("GET", "/orders/historical/batch")[0] == 503
        talk.clock.pass_s(6)
        assert talk.ask("GET", "/accounts")[0] == 200

    heard(talk, story)


def test_other_paths_are_refused() -> None:
    async def main() -> None:
        async with serving(Talk().server) as at:
            with pytest.raises(InvalidStatus):
                await connect(f"{at.ws}/elsewhere").__aenter__()

    asyncio.run(main())


def test_chaos_may_stand_before_it() -> None:
    talk = Talk(beat_s=LONG_S)

    async def main() -> None:
        chaos = Chaos(talk.server, NO_FAULTS, VenueClock(talk.clock))
        async with serving(chaos) as at, connect(at.ws) as connection:
            ear = Ear(talk, connection)
            await ear.subscribe("user")
            assert (await ear.event())["type"] == "snapshot"

    asyncio.run(main())


RECORDED = {
    "nautilus/ws_user.json": "user",
    "nautilus/ws_heartbeats.json": "heartbeats",
    "nautilus/ws_subscriptions.json": "subscriptions",
    "jkorf/Subscriptions-AdvancedTrade-Heartbeat.txt": "heartbeats",
}


@pytest.mark.skipif(not DATA.is_dir(), reason="the recorded answers are not beside this checkout")
@pytest.mark.parametrize(("name", "channel"), RECORDED.items())
def test_recorded_messages_and_ours_are_of_one_shape(name: str, channel: str) -> None:
    talk = Talk(beat_s=0.05)
    talk.placed(BTC, "BUY", GTC, base_size="0.1", limit_price="50000")

    async def story(ear: Ear) -> None:
        await ear.subscribe("user")
        await ear.subscribe("heartbeats")
        ours = await ear.hear_of(channel)
        if channel == "subscriptions":
            ours["events"][0]["subscriptions"] = {"level2": ["x"], "market_trades": ["x"]}  # the names are data
        assert list(differences(recorded(DATA / name), ours, channel)) == []

    heard(talk, story)


def recorded(path: Path) -> object:
    text = path.read_text()
    return json.loads(text[text.index("\n=") + 2 :] if path.suffix == ".txt" else text)


def test_a_used_token_is_forgotten_when_it_has_run_out() -> None:
    """So that nothing grows without end."""
    talk = Talk()
    guard = Guard(demo_keys(), talk.clock)
    guard.admit_stream(token(None, talk.now))
    talk.clock.pass_s(200)
    guard.admit_stream(token(None, talk.now))
    assert len(guard._used) == 1
