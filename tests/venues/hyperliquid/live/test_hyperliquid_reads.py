"""State, markets, prices and the first look, over a real socket from documented answers."""

from collections.abc import Iterator
from decimal import Decimal

import pytest
import stamina

from tests.venues.hyperliquid.live.scripted import (
    AGENT,
    HANG_UP,
    MASTER,
    META,
    HandClock,
    Script,
    Status,
    by_user,
    clearinghouse,
    open_order,
    position,
    run,
)
from tests.venues.hyperliquid.saved import ME, TIME
from trueup.model.errors import AuthenticationFailed, BadInput, Malformed, Rejected, Unavailable
from trueup.model.times import from_ms
from trueup.model.venues import Mark
from trueup.venues.hyperliquid.live import HyperliquidVenue
from trueup.venues.hyperliquid.session import MARKETS_S

BTC = "BTC/USDC:USDC"
GOLD = "xyz:GOLD/USDC:USDC"


@pytest.fixture(autouse=True)
def _without_pauses() -> Iterator[None]:
    with stamina.set_testing(True, attempts=2, cap=True):
        yield


def test_a_snapshot_is_of_all_dexes_and_of_spot() -> None:
    script = Script()
    main = clearinghouse(position("BTC", "0.1"), time=TIME)
    dex = clearinghouse(position("xyz:GOLD", "-2", "8000.0"), time=TIME - 5, value="50.0")
    script.info["clearinghouseState"] = lambda asked: dex if asked.get("dex") else main
    script.info["spotClearinghouseState"] = {"balances": [{"coin": "PURR", "token": 1, "total": "7", "hold": "2"}]}
    script.info["frontendOpenOrders"] = lambda asked: (
        [open_order(coin="xyz:GOLD", oid=43, limitPx="3900")] if asked.get("dex") else [open_order(oid=42)]
    )
    snapshot = run(lambda venue: venue.snapshot(), script, dexes=("", "xyz"))
    assert {key[0]: held.quantity for key, held in snapshot.positions.items()} == {
        BTC: Decimal("0.1"),
        GOLD: Decimal(-2),
    }
    assert snapshot.positions[BTC, "net"].mark_price == 60_000
    assert snapshot.balances == {"USDC": 1000, "USDC@xyz": 50, "USDC@spot": 0, "PURR@spot": 7}
    assert set(snapshot.open_orders) == {"42", "43"}
    assert snapshot.cut == from_ms(TIME - 5)
    assert not snapshot.failed
    assert not snapshot.unmapped
    assert snapshot.position_scope == {BTC, "OLD/USDC:USDC", "ETH/USDC:USDC", GOLD}


@pytest.mark.parametrize(
    ("broken", "parts"),
    [
        ("clearinghouseState", {"positions", "balances"}),
        ("spotClearinghouseState", {"balances"}),
        ("frontendOpenOrders", {"open_orders"}),
    ],
)
@pytest.mark.parametrize("answer", [HANG_UP, Status("503 Upgrading"), b"null", b"[{}]"])
def test_a_part_that_fails_is_named_and_never_empty(broken: str, parts: set[str], answer: object) -> None:
    script = Script()
    script.info["clearinghouseState"] = clearinghouse(position("BTC", "0.1"))
    script.info[broken] = answer
    snapshot = run(lambda venue: venue.snapshot(), script)
    assert set(snapshot.failed) == parts
    assert {part for part in ("positions", "balances", "open_orders") if getattr(snapshot, part) is None} == parts


def test_one_dex_that_fails_leaves_no_positions_that_would_pass_for_all() -> None:
    script = Script()
    script.info["clearinghouseState"] = lambda asked: HANG_UP if asked.get("dex") else clearinghouse()
    script.info["frontendOpenOrders"] = lambda asked: HANG_UP if asked.get("dex") else []
    snapshot = run(lambda venue: venue.snapshot(), script, dexes=("", "xyz"))
    assert (snapshot.positions, snapshot.balances, snapshot.open_orders) == (None, None, None)


def test_a_snapshot_of_which_nothing_came_is_an_error() -> None:
    script = Script()
    for kind in ("clearinghouseState", "spotClearinghouseState", "frontendOpenOrders"):
        script.info[kind] = HANG_UP
    with pytest.raises(Unavailable):
        run(lambda venue: venue.snapshot(), script)


def test_a_market_that_was_listed_since_is_asked_for() -> None:
    script = Script()
    listed = {"universe": [*META["universe"], {"name": "NEW", "szDecimals": 0}]}
    script.info["meta"] = lambda _: listed if script.kinds().count("meta") > 1 else META
    script.info["spotClearinghouseState"] = {"balances": []}
    script.info["frontendOpenOrders"] = [open_order(coin="@200", oid=5)]

    async def story(venue: HyperliquidVenue) -> tuple[object, int]:
        snapshot = await venue.snapshot()
        return snapshot, len(await venue.instruments())

    snapshot, count = run(story, script)
    assert script.kinds().count("spotMeta") == 2
    assert set(snapshot.unmapped) == {"@200"}
    assert count == 6


def test_instruments_are_asked_for_again_when_they_are_old() -> None:
    script = Script()
    clock = HandClock()

    async def story(venue: HyperliquidVenue) -> tuple[object, object]:
        first = await venue.instruments()
        assert await venue.instruments() is first
        assert script.kinds().count("meta") == 1
        clock.at += int((MARKETS_S + 1) * 1e9)
        return first, await venue.instruments()

    first, second = run(story, script, clock=clock)
    assert [instrument.symbol for instrument in first] == [
        "PURR/USDC",
        "HYPE/USDC",
        BTC,
        "OLD/USDC:USDC",
        "ETH/USDC:USDC",
    ]
    assert first == second
    assert script.kinds().count("meta") == 2


def test_marks_come_from_the_contexts_and_who_has_none_is_left_out() -> None:
    script = Script()
    script.info["metaAndAssetCtxs"] = [META, [{"markPx": "60000.5"}, {"markPx": None}, {"markPx": "3000.0"}]]
    script.info["spotMetaAndAssetCtxs"] = [
        {"universe": [], "tokens": []},
        [{"coin": "@107", "markPx": "40.4"}, {"coin": "PURR/USDC", "markPx": "0.2"}],
    ]
    wanted = [BTC, "OLD/USDC:USDC", "HYPE/USDC", "NONE/USDC:USDC", BTC]
    found = run(lambda venue: venue.marks(wanted), script)
    assert found == [Mark(BTC, Decimal("60000.5")), Mark("HYPE/USDC", Decimal("40.4"))]
    assert run(lambda venue: venue.marks([]), Script()) == []


@pytest.mark.parametrize("answer", [{}, [META], [META, [{}]], [META, [{}, {}, {"markPx": "x"}]], [META, ["?", {}, {}]]])
def test_marks_that_cannot_be_read_are_refused(answer: object) -> None:
    script = Script()
    script.info["metaAndAssetCtxs"] = answer
    with pytest.raises(Malformed):
        run(lambda venue: venue.marks([BTC]), script)


@pytest.mark.parametrize("call", ["snapshot", "instruments", "check", "history", "find", "marks", "place"])
def test_the_address_of_an_agent_is_refused_before_anything_passes_for_flat(call: str) -> None:
    script = Script()
    script.info["userRole"] = {"role": "agent", "data": {"user": MASTER}}

    async def story(venue: HyperliquidVenue) -> None:
        match call:
            case "history":
                async for _ in venue.history(None):
                    pass
            case "find":
                await venue.find("a-1")
            case "marks":
                await venue.marks([BTC])
            case "place":
                await venue.close(BTC, "net", "a-1")
            case _:
                await getattr(venue, call)()

    with pytest.raises(AuthenticationFailed, match=MASTER):
        run(story, script)
    assert script.kinds() == ["userRole"]
    assert not script.done


def test_an_address_that_the_venue_does_not_know_is_refused() -> None:
    script = Script()
    script.info["userRole"] = {"role": "missing"}
    with pytest.raises(AuthenticationFailed, match="does not know"):
        run(lambda venue: venue.snapshot(), script)


@pytest.mark.parametrize("answer", [b"null", {}, {"role": 5}, {"role": "agent", "data": 7}])
def test_a_role_that_cannot_be_read_is_refused(answer: object) -> None:
    script = Script()
    script.info["userRole"] = answer
    with pytest.raises(Malformed):
        run(lambda venue: venue.snapshot(), script)


def test_what_is_no_address_is_refused_at_once() -> None:
    with pytest.raises(BadInput, match="not an address"):
        run(lambda venue: venue.snapshot(), Script(), address="0x123")


def test_an_address_other_than_the_one_whose_facts_are_booked_is_refused() -> None:
    with pytest.raises(BadInput, match="what is booked"):
        run(lambda venue: venue.snapshot(), Script(), learnt={"address": MASTER})
    assert run(lambda venue: venue.snapshot(), Script(), learnt={"address": ME}).positions == {}


def test_markets_that_cannot_be_read_are_left_out_and_told() -> None:
    script = Script()
    script.info["meta"] = {"universe": [*META["universe"], {"name": "BAD", "szDecimals": -1}, {"name": "WORSE"}]}

    async def story(venue: HyperliquidVenue) -> tuple[int, object]:
        return len(await venue.instruments()), venue.warnings

    count, (warning,) = run(story, script)
    assert count == 5
    assert "2 markets" in warning


def test_a_dex_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(Rejected, match="nope"):
        run(lambda venue: venue.instruments(), Script(), dexes=("", "nope"))


def test_the_first_look_says_whose_account_it_is_and_what_the_key_may_do() -> None:
    script = Script()
    script.info["userRole"] = by_user({ME: {"role": "user"}, AGENT: {"role": "agent", "data": {"user": ME}}})
    clock = HandClock()
    clock.at -= 3_000_000_000
    told = run(lambda venue: venue.check(), script, clock=clock)
    text = " ".join(told)
    assert f"{ME} is a user" in text
    assert "0 positions" in text
    assert "+3.0" in text
    assert "may trade and not withdraw" in text


def test_the_first_look_without_a_key_says_so() -> None:
    assert "not traded" in run(lambda venue: venue.check(), Script(), signer=None)[-1]


def test_the_first_look_at_an_account_by_its_own_key_warns() -> None:
    script = Script()
    script.info["userRole"] = {"role": "user"}
    assert "may withdraw" in run(lambda venue: venue.check(), script, address=AGENT)[-1]


def test_the_first_look_tells_until_when_the_key_may_act() -> None:
    script = Script()
    assert "does not say" in run(lambda venue: venue.check(), script)[-1]
    other = {"name": "other", "address": MASTER, "validUntil": 5}
    script.info["extraAgents"] = [other, {"name": "ours", "address": AGENT.upper(), "validUntil": 1_800_000_000_000}]
    assert "until 2027-01-15T08:00" in run(lambda venue: venue.check(), script)[-1]
    assert {"type": "extraAgents", "user": ME} in script.asked
    script.info["extraAgents"] = {"agents": []}
    with pytest.raises(Malformed, match="extraAgents"):
        run(lambda venue: venue.check(), script)


@pytest.mark.parametrize(("mode", "told"), [("unifiedAccount", True), ("portfolioMargin", True), ("default", False)])
def test_the_first_look_warns_of_shared_collateral(mode: str, *, told: bool) -> None:
    script = Script()
    script.info["userAbstraction"] = mode
    assert ("share their collateral" in " ".join(run(lambda venue: venue.check(), script))) is told
    script.info["userAbstraction"] = None
    with pytest.raises(Malformed, match="userAbstraction"):
        run(lambda venue: venue.check(), script)


@pytest.mark.parametrize("role", [{"role": "missing"}, {"role": "user"}, {"role": "agent", "data": {"user": MASTER}}])
def test_a_key_of_somebody_else_is_refused(role: object) -> None:
    script = Script()
    script.info["userRole"] = by_user({ME: {"role": "user"}, AGENT: role})
    with pytest.raises(AuthenticationFailed, match=f"not an API wallet \\(agent\\) of {ME}"):
        run(lambda venue: venue.check(), script)


def test_a_sub_account_is_acted_for_by_its_masters_agent() -> None:
    script = Script()
    script.info["userRole"] = by_user(
        {ME: {"role": "subAccount", "data": {"master": MASTER}}, AGENT: {"role": "agent", "data": {"user": MASTER}}}
    )
    assert MASTER in run(lambda venue: venue.check(), script, vault=True)[-1]
    with pytest.raises(AuthenticationFailed, match="vault = true"):
        run(lambda venue: venue.check(), script)


def test_a_vault_is_acted_for_by_whoever_leads_it() -> None:
    script = Script()
    script.info["userRole"] = by_user({ME: {"role": "vault"}, AGENT: {"role": "user"}})
    assert "leads the vault" in run(lambda venue: venue.check(), script, vault=True)[-1]


def test_says_what_it_can_and_how_its_calls_are_doing() -> None:
    script = Script()

    async def story(venue: HyperliquidVenue) -> None:
        assert venue.capabilities.find == "surely"
        assert venue.capabilities.history_max == 10_000
        assert venue.health["rest"].messages == 0
        await venue.snapshot()
        assert venue.health["rest"].messages == 6
        assert venue.health["stream"].connected is False
        assert venue.client_id("a-1") == venue.client_id("a-1") != venue.client_id("a-2")
        assert venue.client_id("0x" + "ab" * 16) == "0x" + "ab" * 16
        assert venue.client_id("") == ""
        assert venue.refused() == []

    run(story, script)


def test_the_role_and_the_markets_are_asked_for_once() -> None:
    script = Script()

    async def story(venue: HyperliquidVenue) -> None:
        await venue.snapshot()
        await venue.snapshot()

    run(story, script)
    assert [script.kinds().count(kind) for kind in ("userRole", "meta", "spotMeta", "perpDexs")] == [1, 1, 1, 0]
