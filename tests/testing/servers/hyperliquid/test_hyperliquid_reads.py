"""What is read: the truth of the exchange in the venue's shapes, its limits on a page, and how it refuses."""

import msgspec
import pytest

from tests.testing.servers.hyperliquid.rehearsal import (
    AGENT,
    BTC,
    BTC_ID,
    ETH,
    ETH_ID,
    GOLD,
    HYPE,
    OWNER,
    SUB,
    D,
    Rehearsal,
    Row,
    limit,
    rehearse,
    trigger,
)
from trueup.model.differences import VenueSnapshot
from trueup.model.events import Fact, FillBooked, FundingPaid, InstrumentDefined, OrderReported, TransferBooked
from trueup.ports import Reading
from trueup.testing.servers.hyperliquid.world import DEMO_ACCOUNT
from trueup.venues.files import merge_snapshots
from trueup.venues.hyperliquid.reader import HyperliquidReader
from trueup.venues.paper.faults import Liquidation, Outage, PartialSnapshot, StaleSnapshot

STRANGER = "0x" + 20 * "77"


async def eventful(venue: Rehearsal) -> None:
    """A little of everything."""
    venue.trade("0.6")
    venue.trade("-1", ETH)
    venue.trade("2", GOLD)
    venue.trade("10", HYPE)
    venue.trade("-0.4")
    venue.trade("-4", HYPE)
    venue.exchange.deposit(DEMO_ACCOUNT, "USDC", D(-500))
    venue.step(3_600_000)
    await venue.order(
        limit(BTC_ID, "buy", "0.5", "59000"),
        limit(ETH_ID, "buy", "0.5", "2500", "Alo", cloid="0x" + 32 * "c"),
        trigger(BTC_ID, "sell", "0.1", "50000", "55000", "sl"),
    )
    venue.exchange.move(BTC, D(58999))
    venue.exchange.move(BTC, D(60000))


class Reads:
    """The product's reader, fed with answers."""

    def __init__(self, venue: Rehearsal, user: str = OWNER) -> None:
        self.venue = venue
        self.user = user
        self.reader = HyperliquidReader(DEMO_ACCOUNT, user)

    async def __call__(self, kind: str, **fields: object) -> Reading:
        request = {"type": kind, "user": self.user, **fields}
        answer = await self.venue.http.post("/info", json=request)
        assert answer.status_code == 200, answer.text
        reading = self.reader.read(kind, answer.content, msgspec.json.encode(request))
        assert not reading.refused, reading.refused
        return reading


def test_the_reader_finds_everything_that_happened_and_nothing_else() -> None:
    async def story(venue: Rehearsal) -> None:
        await eventful(venue)
        read = Reads(venue)
        for dex in ("", "test"):
            await read("meta", dex=dex)
        await read("spotMeta")
        answers = [
            await read("userFillsByTime", startTime=0),
            await read("userFunding", startTime=0),
            await read("userNonFundingLedgerUpdates", startTime=0),
        ]
        found = [fact for answer in answers for fact in answer.facts]
        true = list(venue.exchange.history(DEMO_ACCOUNT, None, limit=10_000)[0])
        assert _fills(found) == _fills(true)
        assert _money(found) == _money(true)
        assert {type(fact) for fact in found} == {InstrumentDefined, FillBooked, FundingPaid, TransferBooked}

    rehearse(story)


def _fills(facts: list[Fact]) -> list[tuple[object, ...]]:
    """Fills as the venue shows them: times in milliseconds, ids of its own."""
    return sorted(
        (
            f.venue_time // 1_000_000, f.instrument, f.side, f.quantity, f.price, f.fee, f.fee_currency, f.liquidity,
            f.client_order_id,
        )
        for f in facts
        if isinstance(f, FillBooked)
    )  # fmt: skip


def _money(facts: list[Fact]) -> list[tuple[object, ...]]:
    return sorted(
        (f.venue_time // 1_000_000, f.currency, f.amount) for f in facts if isinstance(f, FundingPaid | TransferBooked)
    )


def test_the_reader_finds_how_the_account_stands() -> None:
    async def story(venue: Rehearsal) -> None:
        await eventful(venue)
        read = Reads(venue)
        for dex in ("", "test"):
            await read("meta", dex=dex)
        await read("spotMeta")
        kinds: list[tuple[str, Row]] = [
            ("clearinghouseState", {}),
            ("clearinghouseState", {"dex": "test"}),
            ("spotClearinghouseState", {}),
            ("frontendOpenOrders", {}),
        ]
        snapshots = [(await read(kind, **fields)).snapshot for kind, fields in kinds]
        shown = merge_snapshots([each for each in snapshots if each is not None])
        true = venue.exchange.snapshot(DEMO_ACCOUNT)
        assert _positions(shown) == _positions(true)
        assert {k: v for k, v in (shown.balances or {}).items() if v} == dict(true.balances or {})
        assert sorted(
            (o.instrument, o.side, o.quantity, o.filled) for o in (shown.open_orders or {}).values()
        ) == sorted((o.instrument, o.side, o.quantity, o.filled) for o in (true.open_orders or {}).values())
        assert not shown.failed
        assert not shown.unmapped

    rehearse(story)


def _positions(snapshot: VenueSnapshot) -> dict[str, tuple[object, ...]]:
    positions = (snapshot.positions or {}).values()
    return {p.instrument: (p.quantity, p.mark_price, p.unrealized_pnl) for p in positions}


def test_a_fill_says_what_was_held_before_and_what_it_did() -> None:
    async def story(venue: Rehearsal) -> None:
        for quantity in ("0.2", "0.2", "-0.1", "-0.4"):
            venue.trade(quantity)
        venue.trade("10", HYPE)
        venue.exchange.deposit(DEMO_ACCOUNT, "HYPE@spot", D(5))
        venue.trade("-4", HYPE)
        told = [(f["coin"], f["startPosition"], f["dir"], f["closedPnl"]) for f in await venue.read("userFills")]
        assert told[::-1] == [
            ("BTC", "0.0", "Open Long", "0.0"),
            ("BTC", "0.2", "Open Long", "0.0"),
            ("BTC", "0.4", "Close Long", "-0.2"),
            ("BTC", "0.3", "Long > Short", "-0.6"),
            ("@107", "0.0", "Buy", "0.0"),
            ("@107", "14.993", "Sell", "46.66"),
        ]

    rehearse(story)


def test_funding_is_counted_up_for_good_and_since_the_position_was_opened_or_changed() -> None:
    async def story(venue: Rehearsal) -> None:
        async def paid() -> list[str]:
            (row,) = (await venue.read("clearinghouseState"))["assetPositions"]
            return [row["position"]["cumFunding"][span] for span in ("allTime", "sinceOpen", "sinceChange")]

        def by_hand(*places: int) -> str:
            amounts = [-D(row["delta"]["usdc"]) for row in fundings]
            return str(sum(amounts[place] for place in places))

        venue.trade("0.2")
        venue.step(3_600_000)
        venue.trade("0.1")
        fundings = await venue.read("userFunding", startTime=0)
        assert await paid() == [by_hand(0), by_hand(0), "0.0"]
        venue.step(3_600_000)
        fundings = await venue.read("userFunding", startTime=0)
        assert await paid() == [by_hand(0, 1), by_hand(0, 1), by_hand(1)]
        venue.trade("-0.3")
        venue.trade("0.3")
        assert await paid() == [by_hand(0, 1), "0.0", "0.0"]

    rehearse(story)


def test_every_form_of_an_order_says_the_same() -> None:
    async def story(venue: Rehearsal) -> None:
        await eventful(venue)
        read = Reads(venue)
        await read("meta")
        await read("spotMeta")
        past = {f.venue_order_id: f for f in (await read("historicalOrders")).facts if isinstance(f, OrderReported)}
        for form in ("openOrders", "frontendOpenOrders"):
            snapshot = (await read(form)).snapshot
            assert snapshot is not None
            for order_id, order in (snapshot.open_orders or {}).items():
                told = past[order_id]
                assert (told.instrument, told.side, told.quantity, told.filled) == (
                    order.instrument, order.side, order.quantity, order.filled,
                )  # fmt: skip
                (status,) = [
                    f for f in (await read("orderStatus", oid=int(order_id))).facts if isinstance(f, OrderReported)
                ]
                assert status == told

    rehearse(story)


def test_a_page_of_fills_is_two_thousand_and_ten_thousand_can_be_had() -> None:
    async def story(venue: Rehearsal) -> None:
        venue.exchange.deposit(DEMO_ACCOUNT, "USDC", D(1_000_000))
        for _ in range(1_010):
            venue.trade("2")
            venue.trade("-2")
            venue.clock.pass_ms(1)
        seen: dict[int, Row] = {}
        start, pages = 0, 0
        while True:
            page = await venue.read("userFillsByTime", startTime=start)
            assert len(page) <= 2_000
            assert [fill["time"] for fill in page] == sorted(fill["time"] for fill in page)
            pages += 1
            fresh = [fill for fill in page if fill["tid"] not in seen]
            seen |= {fill["tid"]: fill for fill in fresh}
            if not fresh:
                break
            start = page[-1]["time"]
        assert len(seen) == 10_000, "the oldest hundred are not to be had any more"
        assert pages == 7
        newest = await venue.read("userFills")
        assert len(newest) == 2_000
        assert newest[0]["time"] > newest[-1]["time"]
        everything = [
            f for f in venue.exchange.history(DEMO_ACCOUNT, None, limit=10**6)[0] if isinstance(f, FillBooked)
        ]
        assert len(everything) == 10_100

    rehearse(story)


def test_a_page_of_money_is_five_hundred() -> None:
    async def story(venue: Rehearsal) -> None:
        for number in range(600):
            venue.clock.pass_ms(1)
            venue.exchange.deposit(DEMO_ACCOUNT, "USDC", D(number + 1))
        first = await venue.read("userNonFundingLedgerUpdates", startTime=venue.now_ms - 599)
        assert [row["delta"]["usdc"] for row in first] == [f"{number + 1}.0" for number in range(500)]
        rest = await venue.read("userNonFundingLedgerUpdates", startTime=first[-1]["time"])
        assert len(rest) == 101
        assert rest[0] == first[-1]
        two = await venue.read("userNonFundingLedgerUpdates", startTime=venue.now_ms - 1, endTime=venue.now_ms)
        assert len(two) == 2

    rehearse(story)


@pytest.mark.parametrize("user", [STRANGER, AGENT], ids=["nobody's", "an agent's"])
def test_another_address_looks_like_a_flat_account(user: str) -> None:
    async def story(venue: Rehearsal) -> None:
        await eventful(venue)
        state = await venue.read("clearinghouseState", user)
        assert (state["assetPositions"], state["marginSummary"]["accountValue"]) == ([], "0.0")
        assert await venue.read("spotClearinghouseState", user) == {"balances": []}
        for kind in ("openOrders", "frontendOpenOrders", "historicalOrders", "userFills", "extraAgents"):
            assert await venue.read(kind, user) == []
        for kind in ("userFillsByTime", "userFunding", "userNonFundingLedgerUpdates"):
            assert await venue.read(kind, user, startTime=0) == []

    rehearse(story)


def test_an_address_has_a_role() -> None:
    async def story(venue: Rehearsal) -> None:
        roles = {user: await venue.read("userRole", user) for user in (OWNER, AGENT, SUB, STRANGER)}
        assert roles == {
            OWNER: {"role": "user"},
            AGENT: {"role": "agent", "data": {"user": OWNER}},
            SUB: {"role": "subAccount", "data": {"master": OWNER}},
            STRANGER: {"role": "missing"},
        }
        (sub,) = await venue.read("subAccounts")
        assert (sub["subAccountUser"], sub["clearinghouseState"]["withdrawable"]) == (SUB, "1000.0")
        assert await venue.read("subAccounts", SUB) is None

    rehearse(story)


def test_actions_are_counted() -> None:
    async def story(venue: Rehearsal) -> None:
        venue.trade("0.4")
        await venue.order(limit(BTC_ID, "buy", "0.01", "50000"), limit(BTC_ID, "buy", "0.01", "50000"))
        assert await venue.read("userRateLimit") == {
            "cumVlm": "24000.4",
            "nRequestsUsed": 2,
            "nRequestsCap": 34_000,
        }

    rehearse(story)


def test_a_liquidation_shows_as_fills_and_in_the_ledger() -> None:
    async def story(venue: Rehearsal) -> None:
        venue.trade("2", GOLD)
        venue.exchange.deposit(DEMO_ACCOUNT, "USDC@test", D(-9_300))
        venue.trade("0.5")
        await venue.order(limit(110_000, "buy", "1", "2000"))
        venue.step()
        read = Reads(venue)
        forced = [f for f in (await read("userFills")).facts if isinstance(f, FillBooked) and f.liquidation]
        assert [(f.instrument, f.side, f.quantity) for f in forced] == [(GOLD, "sell", D(2))]
        rows = [row["delta"] for row in await venue.read("userNonFundingLedgerUpdates", startTime=0)]
        (told,) = [delta for delta in rows if delta["type"] == "liquidation"]
        assert told["liquidatedPositions"] == [{"coin": "test:GOLD", "szi": "2.0"}]
        assert not (await read("userNonFundingLedgerUpdates", startTime=0)).refused
        statuses = {order["status"] for order in await venue.read("historicalOrders")}
        assert "liquidatedCanceled" in statuses

    rehearse(story, Liquidation(account=DEMO_ACCOUNT, instrument=GOLD))


UNREADABLE: list[tuple[str, object]] = [
    ("no such type", {"type": "nonsense"}),
    ("no type", {}),
    ("no user", {"type": "userFills"}),
    ("no address", {"type": "userFills", "user": "somebody"}),
    ("no start", {"type": "userFillsByTime", "user": OWNER}),
    ("no such coin", {"type": "l2Book", "coin": "NOPE"}),
    ("no such dex", {"type": "meta", "dex": "nope"}),
    ("not an object", [1, 2]),
    ("joined fills", {"type": "userFillsByTime", "user": OWNER, "startTime": 0, "aggregateByTime": True}),
]


@pytest.mark.parametrize("body", [row[1] for row in UNREADABLE], ids=[row[0] for row in UNREADABLE])
def test_what_cannot_be_read_is_answered_422(body: object) -> None:
    async def story(venue: Rehearsal) -> None:
        answer = await venue.http.post("/info", json=body)
        assert answer.status_code == 422
        assert answer.text == "Failed to deserialize the JSON body into the target type"

    rehearse(story)


BROKEN_ACTIONS: list[tuple[str, Row]] = [
    ("no such action", {"type": "doNothing"}),
    ("no orders", {"type": "order", "orders": [], "grouping": "na"}),
    ("a number for a price", {"type": "order", "orders": [limit(0, "buy", "1", "1") | {"p": 1}], "grouping": "na"}),
    ("a short cloid", {"type": "order", "orders": [limit(0, "buy", "1", "1", cloid="0x1")], "grouping": "na"}),
    ("no kind", {"type": "order", "orders": [limit(0, "buy", "1", "1") | {"t": {}}], "grouping": "na"}),
    ("a field too many", {"type": "order", "orders": [limit(0, "buy", "1", "1") | {"x": 1}], "grouping": "na"}),
]


@pytest.mark.parametrize("action", [row[1] for row in BROKEN_ACTIONS], ids=[row[0] for row in BROKEN_ACTIONS])
def test_an_action_that_is_none_is_answered_422(action: Row) -> None:
    async def story(venue: Rehearsal) -> None:
        body = {"action": action, "nonce": venue.now_ms, "signature": {"r": "0x1", "s": "0x1", "v": 27}}
        assert (await venue.http.post("/exchange", json=body)).status_code == 422

    rehearse(story)


def test_other_requests_are_refused_as_http_does() -> None:
    async def story(venue: Rehearsal) -> None:
        assert (await venue.http.get("/info")).status_code == 405
        assert (await venue.http.post("/nowhere", json={})).status_code == 404
        assert (await venue.http.post("/info", content=b"{}")).status_code == 415
        headers = {"content-type": "application/json"}
        assert (await venue.http.post("/info", content=b"{", headers=headers)).status_code == 400
        answer = await venue.http.post("/info", json={"type": "allMids"})
        assert answer.headers["date"] == "Fri, 15 Jan 2027 08:00:00 GMT", "the venue's own clock"

    rehearse(story)


def test_who_asks_too_much_is_answered_429_until_the_minute_is_over() -> None:
    async def story(venue: Rehearsal) -> None:
        async def status(kind: str) -> int:
            return (await venue.http.post("/info", json={"type": kind, "user": OWNER, "startTime": 0})).status_code

        assert [await status("userRole"), await status("userFees")] == [200, 200]
        assert await status("userRole") == 429
        assert [await status("meta"), await status("meta")] == [200, 429], (
            "120 in all, and nothing for what was refused"
        )
        venue.clock.pass_ms(60_000)
        assert await status("userRole") == 200

    rehearse(story, weight_per_minute=100)


def test_long_answers_weigh_more() -> None:
    async def story(venue: Rehearsal) -> None:
        for _ in range(100):
            venue.trade("0.01")
        assert len(await venue.read("userFills")) == 100
        assert await venue.read("allMids")
        assert (await venue.http.post("/info", json={"type": "allMids"})).status_code == 429

    rehearse(story, weight_per_minute=20 + 5 + 2)


def test_an_outage_of_the_exchange_is_a_bad_gateway() -> None:
    async def story(venue: Rehearsal) -> None:
        venue.step()
        answers = [await venue.http.post("/info", json={"type": k, "user": OWNER}) for k in ("userFills", "allMids")]
        assert [answer.status_code for answer in answers] == [502, 200]
        venue.clock.pass_ms(500)
        assert await venue.read("userFills") == []

    rehearse(story, Outage(account=DEMO_ACCOUNT, for_ms=500))


def test_half_a_state_is_none() -> None:
    async def story(venue: Rehearsal) -> None:
        answer = await venue.http.post("/info", json={"type": "clearinghouseState", "user": OWNER})
        assert answer.status_code == 502
        assert (await venue.read("clearinghouseState"))["withdrawable"] == "100000.0"

    rehearse(story, PartialSnapshot(account=DEMO_ACCOUNT, part="positions"))


def test_a_stale_state_is_of_one_moment() -> None:
    async def story(venue: Rehearsal) -> None:
        venue.trade("0.1")
        first = await venue.read("clearinghouseState")
        venue.clock.pass_ms(1_000)
        venue.exchange.move(BTC, D(65_000))
        assert await venue.read("clearinghouseState") == first
        assert (await venue.read("clearinghouseState"))["time"] == first["time"] + 1_000

    rehearse(story, StaleSnapshot(account=DEMO_ACCOUNT, nth=2))
