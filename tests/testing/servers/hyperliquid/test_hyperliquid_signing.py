"""Who may have something done: published signatures, mistakes of signing, agents, vaults, nonces and expiry."""

import msgspec
import pytest

from tests.testing.servers.hyperliquid.rehearsal import (
    AGENT,
    BTC_ID,
    OWNER,
    STRANGER_KEY,
    SUB,
    Rehearsal,
    Row,
    limit,
    rehearse,
    signed,
    signed_by_user,
)
from trueup.testing.servers.hyperliquid.nonces import KEPT, WINDOW_MS, Nonces
from trueup.testing.servers.hyperliquid.signing import Signed, action_hash, signer
from trueup.testing.servers.hyperliquid.world import DEMO_AGENT_KEY, DEMO_KEY, address_of

RESTING = limit(BTC_ID, "buy", "0.01", "50000")
ORDER: Row = {"type": "order", "orders": [RESTING], "grouping": "na"}

PUBLISHED_KEY = "0x0123456789012345678901234567890123456789012345678901234567890123"


def of_eth(kind: Row, **extra: object) -> Row:
    order = {"a": 1, "b": True, "p": "100", "s": "100", "r": False, "t": kind, **extra}
    return {"type": "order", "orders": [order], "grouping": "na"}


GTC: Row = {"limit": {"tif": "Gtc"}}
STOP: Row = {"trigger": {"isMarket": True, "triggerPx": "103", "tpsl": "sl"}}

# Made by the venue's own client, in whose tests they stand.
PUBLISHED: list[tuple[str, Row, bool, str, str, int]] = [
    (
        "order", of_eth(GTC), True,
        "0xd65369825a9df5d80099e513cce430311d7d26ddf477f5b3a33d2806b100d78e",
        "0x2b54116ff64054968aa237c20ca9ff68000f977c93289157748a3162b6ea940e", 28,
    ),
    (
        "order on testnet", of_eth(GTC), False,
        "0x82b2ba28e76b3d761093aaded1b1cdad4960b3af30212b343fb2e6cdfa4e3d54",
        "0x6b53878fc99d26047f4d7e8c90eb98955a109f44209163f52d8dc4278cbbd9f5", 27,
    ),
    (
        "order with a cloid", of_eth(GTC, c="0x00000000000000000000000000000001"), True,
        "0x41ae18e8239a56cacbc5dad94d45d0b747e5da11ad564077fcac71277a946e3",
        "0x3c61f667e747404fe7eea8f90ab0e76cc12ce60270438b2058324681a00116da", 27,
    ),
    (
        "stop", of_eth(STOP), True,
        "0x98343f2b5ae8e26bb2587daad3863bc70d8792b09af1841b6fdd530a2065a3f9",
        "0x6b5bb6bb0633b710aa22b721dd9dee6d083646a5f8e581a20b545be6c1feb405", 27,
    ),
    (
        "no scheduled cancel", {"type": "scheduleCancel"}, True,
        "0x6cdfb286702f5917e76cd9b3b8bf678fcc49aec194c02a73e6d4f16891195df9",
        "0x6557ac307fa05d25b8d61f21fb8a938e703b3d9bf575f6717ba21ec61261b2a0", 27,
    ),
    (
        "scheduled cancel on testnet", {"type": "scheduleCancel", "time": 123456789}, False,
        "0x4e4f2dbd4107c69783e251b7e1057d9f2b9d11cee213441ccfa2be63516dc5bc",
        "0x706c656b23428c8ba356d68db207e11139ede1670481a9e01ae2dfcdb0e1a678", 27,
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("action", "mainnet", "r", "s", "v"), [row[1:] for row in PUBLISHED], ids=[row[0] for row in PUBLISHED]
)
def test_published_signatures_are_their_signers(action: Row, mainnet: bool, r: str, s: str, v: int) -> None:
    request = msgspec.convert({"action": action, "nonce": 0, "signature": {"r": r, "s": s, "v": v}}, Signed)
    assert signer(request, mainnet=mainnet) == address_of(PUBLISHED_KEY)
    assert signer(request, mainnet=not mainnet) != address_of(PUBLISHED_KEY)


def test_the_published_hash_of_an_order_comes_out() -> None:
    order = {"a": 4, "b": True, "p": "1670.1", "s": "0.0147", "r": False, "t": {"limit": {"tif": "Ioc"}}}
    action = {"type": "order", "orders": [order], "grouping": "na"}
    body = {"action": action, "nonce": 1677777606040, "signature": {"r": "0x1", "s": "0x1", "v": 27}}
    expected = "0fcbeda5ae3c4950a548021552a4fea2226858c4453571bf3f24ba017eac2908"
    assert action_hash(msgspec.convert(body, Signed)).hex() == expected


def test_owner_and_agent_may_and_a_stranger_may_not() -> None:
    async def story(venue: Rehearsal) -> None:
        for key in (DEMO_KEY, DEMO_AGENT_KEY):
            assert (await venue.act(ORDER, key))["status"] == "ok"
        refused = await venue.act(ORDER, STRANGER_KEY)
        who = address_of(STRANGER_KEY)
        assert refused == {"status": "err", "response": f"User or API Wallet {who} does not exist."}
        assert len(await venue.read("openOrders")) == 2

    rehearse(story)


ZEROS: Row = {"type": "order", "orders": [RESTING | {"p": "50000.0"}], "grouping": "na"}
SHUFFLED: Row = {"type": "order", "grouping": "na", "orders": [RESTING]}
LARGER: Row = {"type": "order", "orders": [RESTING | {"s": "0.02"}], "grouping": "na"}

MISTAKES: list[tuple[str, Row, Row]] = [
    ("zeros at the end of a price", ZEROS, ZEROS),
    ("fields in another order", SHUFFLED, SHUFFLED),
    ("another size", ORDER, LARGER),
]


@pytest.mark.parametrize(("sent", "hashed"), [row[1:] for row in MISTAKES], ids=[row[0] for row in MISTAKES])
def test_who_signs_something_else_signs_as_somebody_else(sent: Row, hashed: Row) -> None:
    async def story(venue: Rehearsal) -> None:
        answer = await venue.act(sent, hashed=hashed)
        assert answer["status"] == "err"
        assert answer["response"].startswith("User or API Wallet 0x")
        assert (await venue.act(sent, hashed=ORDER if hashed != LARGER else sent))["status"] == "ok", "signed rightly"
        assert len(await venue.read("openOrders")) == 1

    rehearse(story)


def test_a_signature_for_the_other_chain_is_a_strangers() -> None:
    async def story(venue: Rehearsal) -> None:
        assert "does not exist" in (await venue.act(ORDER, source="b"))["response"]

    rehearse(story)


def test_a_signature_that_no_key_makes_has_no_signer() -> None:
    async def story(venue: Rehearsal) -> None:
        body = signed(ORDER, DEMO_KEY, venue.next_nonce())
        body["signature"] |= {"r": "0x" + 64 * "f"}
        assert await venue.send(body) == {"status": "err", "response": "Unable to recover signer."}

    rehearse(story)


def test_a_nonce_is_used_once_whatever_became_of_it() -> None:
    async def story(venue: Rehearsal) -> None:
        bad = {"type": "order", "orders": [limit(BTC_ID, "buy", "0.01", "1")], "grouping": "na"}
        body = signed(bad, DEMO_KEY, venue.next_nonce())
        assert "error" in (await venue.send(body))["response"]["data"]["statuses"][0]
        nonce = body["nonce"]
        assert await venue.send(body) == {"status": "err", "response": f"Invalid nonce: duplicate nonce {nonce}"}
        other_signer = signed(ORDER, DEMO_AGENT_KEY, nonce)
        assert (await venue.send(other_signer))["status"] == "ok"

    rehearse(story)


def test_nonces_are_near_the_time_and_above_the_least_that_is_kept() -> None:
    nonces, now = Nonces(), 10 * WINDOW_MS
    assert nonces.take("a", now - WINDOW_MS - 1, now).startswith("Invalid nonce: nonce too low")
    assert nonces.take("a", now + WINDOW_MS + 1, now).startswith("Invalid nonce: nonce too high")
    assert nonces.take("a", now - 5, now) == ""
    assert nonces.take("a", now - 9, now) == "", "older than another, and above the least"
    for number in range(KEPT):
        assert nonces.take("a", now + number, now) == ""
    assert nonces.take("a", now - 1, now) == f"Invalid nonce: nonce too low {now - 1} < {now}"
    assert nonces.take("b", now - 1, now) == ""


def test_an_action_that_comes_too_late_is_not_done() -> None:
    async def story(venue: Rehearsal) -> None:
        late = await venue.act(ORDER, expires=venue.now_ms - 1)
        assert late["status"] == "err"
        assert "expire" in late["response"]
        assert (await venue.act(ORDER, expires=venue.now_ms))["status"] == "ok"
        assert len(await venue.read("openOrders")) == 1
        unsaid = signed(ORDER, DEMO_AGENT_KEY, venue.next_nonce(), expires=venue.now_ms + 1_000)
        del unsaid["expiresAfter"]
        assert "does not exist" in (await venue.send(unsaid))["response"], "it is part of what is signed"

    rehearse(story)


def test_a_sub_account_is_traded_by_its_masters_keys() -> None:
    async def story(venue: Rehearsal) -> None:
        assert (await venue.act(ORDER, vault=SUB))["status"] == "ok"
        assert len(await venue.read("openOrders", SUB)) == 1
        assert await venue.read("openOrders") == []
        refused = await venue.act(ORDER, vault=OWNER)
        assert refused == {"status": "err", "response": f"Vault not registered: {OWNER}"}

    rehearse(story)


def test_an_agent_is_approved_by_the_owners_own_key() -> None:
    new = address_of(STRANGER_KEY)
    action: Row = {"type": "approveAgent", "agentAddress": new, "agentName": "bot", "nonce": 0}
    fields = {"hyperliquidChain": "string", "agentAddress": "address", "agentName": "string", "nonce": "uint64"}

    async def story(venue: Rehearsal) -> None:
        for key, status in ((DEMO_AGENT_KEY, "err"), (DEMO_KEY, "ok")):
            nonce = venue.next_nonce()
            answer = await venue.send(signed_by_user(action | {"nonce": nonce}, key, nonce, fields))
            assert answer["status"] == status, answer
        elsewhere = action | {"nonce": venue.next_nonce(), "hyperliquidChain": "Testnet"}
        answer = await venue.send(signed_by_user(elsewhere, DEMO_KEY, elsewhere["nonce"], fields))
        assert answer == {"status": "err", "response": "The action is for the other chain."}
        assert (await venue.act(ORDER, STRANGER_KEY))["status"] == "ok"
        assert await venue.read("userRole", new) == {"role": "agent", "data": {"user": OWNER}}
        assert {agent["address"]: agent["name"] for agent in await venue.read("extraAgents")} == {
            AGENT: "agent",
            new: "bot",
        }

    rehearse(story)


def test_a_builder_is_paid_only_where_the_owner_agreed() -> None:
    builder = {"b": address_of(STRANGER_KEY), "f": 10}
    action = ORDER | {"builder": builder}
    approval: Row = {"type": "approveBuilderFee", "maxFeeRate": "0.01%", "builder": builder["b"], "nonce": 0}
    fields = {"hyperliquidChain": "string", "maxFeeRate": "string", "builder": "address", "nonce": "uint64"}

    async def story(venue: Rehearsal) -> None:
        assert await venue.act(action) == {"status": "err", "response": "Builder fee has not been approved."}
        nonce = venue.next_nonce()
        body = signed_by_user(approval | {"nonce": nonce}, DEMO_KEY, nonce, fields)
        assert (await venue.send(body))["status"] == "ok"
        assert await venue.read("maxBuilderFee", builder=builder["b"]) == 10
        assert (await venue.act(action))["status"] == "ok"
        assert (await venue.act({"type": "setReferrer", "code": "SOMEBODY"}))["status"] == "ok"

    rehearse(story)
