"""Funding and movements of money: amounts with a direction, in the wallet they touched, under a lasting identity."""

import random
from decimal import Decimal
from typing import Any

import pytest

from tests.venues.hyperliquid.saved import ACCOUNT, ME, MS, OTHER, TIME, of, only, read
from trueup.model.events import FeeCharged, FundingPaid, InstrumentDefined, LiquidationFlagged, TransferBooked
from trueup.model.facts import fact_key

HASH = "0x" + "ab" * 32
ZERO_HASH = "0x" + "0" * 64
VAULT = "0x3333333333333333333333333333333333333333"


def row(delta: object, time: int = TIME, identity: str = HASH) -> dict[str, Any]:
    return {"time": time, "hash": identity, "delta": delta}


def funding(coin: str = "BTC", usdc: str = "1.25", **changes: object) -> dict[str, Any]:
    delta = {
        "type": "funding",
        "coin": coin,
        "usdc": usdc,
        "szi": "-0.05",
        "fundingRate": "0.0000125",
        "nSamples": None,
    }
    return row({**delta, **changes}, identity=ZERO_HASH)


def between(kind: str, user: str, destination: str, **fields: object) -> dict[str, Any]:
    return row({"type": kind, "user": user, "destination": destination, **fields})


def moved(value: object, address: str = ME) -> dict[str, Decimal]:
    """By currency, what came in less what went out and was charged."""
    reading = read(value, address=address)
    assert not reading.refused
    sums: dict[str, Decimal] = {}
    for fact in of(reading, TransferBooked):
        sums[fact.currency] = sums.get(fact.currency, Decimal(0)) + fact.amount
    for fee in of(reading, FeeCharged):
        sums[fee.currency] = sums.get(fee.currency, Decimal(0)) - fee.amount
    return sums


# --- funding ----------------------------------------------------------------------------------------------------------


def test_funding_is_positive_when_received() -> None:
    reading = read([funding()])
    assert reading.kind == "userFunding"
    assert only(reading, InstrumentDefined).instrument.symbol == "BTC/USDC:USDC"
    assert only(reading, FundingPaid) == FundingPaid(
        account=ACCOUNT,
        instrument="BTC/USDC:USDC",
        amount=Decimal("1.25"),
        currency="USDC",
        venue_time=TIME * MS,
        venue_id=f"{TIME}:BTC:1.25",
        rate=Decimal("0.0000125"),
    )


def test_the_feed_of_funding_says_the_same_flat() -> None:
    flat = {"time": TIME, "coin": "BTC", "usdc": "1.25", "szi": "-0.05", "fundingRate": "0.0000125", "nSamples": None}
    expected = read([funding()]).facts
    assert read({"channel": "userFundings", "data": {"user": ME, "fundings": [flat]}}).facts == expected
    assert read({"channel": "user", "data": {"funding": flat}}).facts == expected


def test_funding_of_one_hour_and_coin_is_one_payment() -> None:
    keys = [fact_key(fact) for fact in of(read([funding(), funding(), funding("ETH")]), FundingPaid)]
    assert keys == [f"funding|{TIME}:BTC:1.25", f"funding|{TIME}:BTC:1.25", f"funding|{TIME}:ETH:1.25"]


def test_two_payments_of_one_hour_are_known_by_their_amounts_whichever_an_answer_holds() -> None:
    both = of(read([funding(usdc="1"), funding(usdc="2.50"), funding("ETH")]), FundingPaid)
    assert {payment.venue_id for payment in both} == {f"{TIME}:BTC:1", f"{TIME}:BTC:2.5", f"{TIME}:ETH:1.25"}
    for usdc in ("1.0", "2.5"):
        assert only(read([funding(usdc=usdc)]), FundingPaid) in both
    assert list(of(read([funding("ETH"), funding(usdc="2.5"), funding(usdc="1")]), FundingPaid)) == list(both)


def test_joined_payments_are_one_a_time_and_coin_so_another_amount_is_a_conflict() -> None:
    joined = [only(read([funding(usdc=usdc, nSamples=24)]), FundingPaid) for usdc in ("1", "2")]
    assert [payment.venue_id for payment in joined] == [f"{TIME}:BTC"] * 2
    assert only(read([funding(nSamples=1)]), FundingPaid).venue_id == f"{TIME}:BTC:1.25"
    assert read([funding(nSamples="many")]).refused[0].field == "nSamples"


# --- movements --------------------------------------------------------------------------------------------------------


def test_a_deposit() -> None:
    reading = read([row({"type": "deposit", "usdc": "100.5"})])
    assert reading.kind == "userNonFundingLedgerUpdates"
    assert only(reading, TransferBooked) == TransferBooked(
        ACCOUNT, Decimal("100.5"), "USDC", TIME * MS, f"{HASH}:deposit", reason="deposit"
    )


def test_a_withdrawal_states_what_arrives_and_the_fee_besides() -> None:
    reading = read([row({"type": "withdraw", "usdc": "499.0", "nonce": 1, "fee": "1.0"})])
    assert only(reading, TransferBooked).amount == -499
    assert only(reading, TransferBooked).reason == "withdrawal"
    assert only(reading, FeeCharged) == FeeCharged(
        ACCOUNT, Decimal(1), "USDC", TIME * MS, f"{HASH}:fee", reason="withdrawal"
    )


@pytest.mark.parametrize(("to_perp", "perp"), [(True, Decimal(25)), (False, Decimal(-25))])
def test_between_wallets_both_sides_are_booked(to_perp: bool, perp: Decimal) -> None:
    reading = read([row({"type": "accountClassTransfer", "usdc": "25.0", "toPerp": to_perp})])
    assert {(f.venue_id, f.currency, f.amount) for f in of(reading, TransferBooked)} == {
        (f"{HASH}:perp", "USDC", perp),
        (f"{HASH}:spot", "USDC@spot", -perp),
    }


@pytest.mark.parametrize(
    ("delta", "expected"),
    [
        (between("internalTransfer", ME, OTHER, usdc="10", fee="1"), {"USDC": -11}),
        (between("internalTransfer", OTHER, ME.upper().replace("X", "x"), usdc="10", fee="1"), {"USDC": 10}),
        (between("subAccountTransfer", ME, OTHER, usdc="10"), {"USDC": -10}),
        (
            between("spotTransfer", ME, OTHER, token="HYPE", amount="3", fee="0.5", nativeTokenFee="0.1"),
            {"HYPE@spot": Decimal("-3.1"), "USDC@spot": Decimal("-0.5")},
        ),
        (
            between("spotTransfer", OTHER, ME, token="HYPE", amount="3", usdcValue="60", fee="0.5"),
            {"HYPE@spot": 3},
        ),
        (
            between("send", ME, ME, token="USDC", amount="8", sourceDex="", destinationDex="xyz", fee="0.0"),
            {"USDC": -8, "USDC@xyz": 8},
        ),
        (
            between("send", ME, OTHER, token="USDH", amount="8", sourceDex="spot", fee="1", feeToken="USDH"),
            {"USDH@spot": -9},
        ),
        (row({"type": "vaultDeposit", "vault": VAULT, "usdc": "50"}), {"USDC": -50}),
        (row({"type": "vaultCreate", "vault": VAULT, "usdc": "50", "fee": "100"}), {"USDC": -150}),
        (row({"type": "vaultDistribution", "vault": VAULT, "usdc": "7"}), {"USDC": 7}),
        (
            row({
                "type": "vaultWithdraw", "vault": VAULT, "user": ME, "requestedUsd": "60", "commission": "1",
                "closingCost": "0.5", "basis": "50", "netWithdrawnUsd": "58.5",
            }),
            {"USDC": Decimal("58.5")},
        ),
        (row({"type": "vaultLeaderCommission", "user": ME, "usdc": "4"}), {"USDC": 4}),
        (row({"type": "rewardsClaim", "amount": "2"}), {"USDC": 2}),
        (row({"type": "rewardsClaim", "amount": "2", "token": "USDC"}), {"USDC@spot": 2}),
        (row({"type": "spotGenesis", "token": "HYPE", "amount": "12.5"}), {"HYPE@spot": Decimal("12.5")}),
        (row({"type": "cStakingTransfer", "token": "HYPE", "amount": "5", "isDeposit": True}), {"HYPE@spot": -5}),
        (row({"type": "cStakingTransfer", "token": "HYPE", "amount": "5", "isDeposit": False}), {"HYPE@spot": 5}),
    ],
    ids=lambda case: case["delta"]["type"] if "delta" in case else "",
)  # fmt: skip
def test_what_each_kind_moves(delta: dict[str, Any], expected: dict[str, Decimal]) -> None:
    assert moved([delta]) == expected


def test_every_leg_of_a_movement_has_its_own_identity() -> None:
    send = between(
        "send", ME, ME, token="HYPE", amount="8", sourceDex="", destinationDex="spot", fee="1", nativeTokenFee="2"
    )
    facts = read([send], address=ME).facts
    assert {fact_key(fact) for fact in facts} == {
        f"transfer|{HASH}:from", f"transfer|{HASH}:to", f"fee|{HASH}:fee", f"fee|{HASH}:nativeTokenFee",
    }  # fmt: skip


def test_a_liquidation_flags_each_position() -> None:
    positions = [{"coin": "BTC", "szi": "0.5"}, {"coin": "ETH", "szi": "-2"}]
    delta = {"type": "liquidation", "accountValue": "12", "leverageType": "Cross", "liquidatedPositions": positions}
    reading = read([row(delta)])
    assert [(f.instrument, f.venue_id, f.reason) for f in of(reading, LiquidationFlagged)] == [
        ("BTC/USDC:USDC", f"{HASH}:BTC", "liquidation cross"),
        ("ETH/USDC:USDC", f"{HASH}:ETH", "liquidation cross"),
    ]
    assert len(of(reading, InstrumentDefined)) == 2
    bare = only(read([row({"type": "liquidation", "liquidatedPositions": []}, identity=ZERO_HASH)]), LiquidationFlagged)
    assert (bare.instrument, bare.venue_id, bare.reason) == ("", f"{TIME}:account:liquidation", "liquidation")


# --- direction --------------------------------------------------------------------------------------------------------


def test_without_an_address_a_lone_transfer_has_no_direction() -> None:
    (refusal,) = read([between("spotTransfer", ME, OTHER, token="HYPE", amount="3")]).refused
    assert "direction is unknown" in refusal.problem
    assert "address" in refusal.remedy


def test_the_request_or_the_feed_says_whose_it_is() -> None:
    transfer = between("internalTransfer", ME, OTHER, usdc="10", fee="0")
    request = {"type": "userNonFundingLedgerUpdates", "user": ME, "startTime": 0}
    feed = {"channel": "userNonFundingLedgerUpdates", "data": {"user": ME, "nonFundingLedgerUpdates": [transfer]}}
    assert only(read([transfer], request), TransferBooked).amount == -10
    assert only(read(feed), TransferBooked).amount == -10


def test_the_one_party_of_all_transfers_is_the_account() -> None:
    third = "0x4444444444444444444444444444444444444444"
    transfers = [
        between("internalTransfer", OTHER, ME, usdc="10", fee="0"),
        between("subAccountTransfer", ME, third, usdc="3"),
        row({"type": "deposit", "usdc": "1"}),
    ]
    assert moved(transfers, address="") == {"USDC": 8}


def test_a_transfer_between_strangers_is_refused() -> None:
    (refusal,) = read([between("internalTransfer", OTHER, VAULT, usdc="10")], address=ME).refused
    assert refusal.field == "user"
    assert "known to be this account" in refusal.problem


def test_the_vaults_own_side_is_not_guessed() -> None:
    (refusal,) = read([row({"type": "vaultDeposit", "vault": VAULT, "usdc": "50"})], address=VAULT).refused
    assert refusal.field == "vault"


# --- identity ---------------------------------------------------------------------------------------------------------


def test_a_zero_hash_is_no_identity() -> None:
    rows = [
        row({"type": "spotGenesis", "token": token, "amount": "1"}, identity=ZERO_HASH) for token in ("HYPE", "PURR")
    ]
    assert {f.venue_id for f in of(read(rows), TransferBooked)} == {
        f"{TIME}:genesis:HYPE@spot",
        f"{TIME}:genesis:PURR@spot",
    }


def test_one_transaction_with_two_different_movements_keeps_both() -> None:
    rows = [row({"type": "deposit", "usdc": usdc}) for usdc in ("1", "2", "2")]
    first, second = of(read(rows), TransferBooked), of(read(random.Random(1).sample(rows, 3)), TransferBooked)
    assert list(first) == list(second)
    assert len({fact.venue_id for fact in first}) == 3
    assert all(fact.weak for fact in first)


def test_a_movement_listed_twice_is_one() -> None:
    rows = [row({"type": "deposit", "usdc": "1.0"}), row({"type": "deposit", "usdc": "1"})]
    assert {f.venue_id for f in of(read(rows), TransferBooked)} == {f"{HASH}:deposit"}


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("delta", "field"),
    [
        ({"type": "moonTransfer", "usdc": "1"}, "type"),
        ({"usdc": "1"}, "type"),
        ({"type": "deposit", "usdc": "-1"}, "usdc"),
        ({"type": "deposit"}, "usdc"),
        ({"type": "deposit", "usdc": "1_0"}, "usdc"),
        ({"type": "accountClassTransfer", "usdc": "1"}, "toPerp"),
        ({"type": "accountClassTransfer", "usdc": "1", "toPerp": "yes"}, "toPerp"),
        ({"type": "cStakingTransfer", "token": "HYPE", "amount": "1"}, "isDeposit"),
        ({"type": "spotTransfer", "user": ME, "token": "HYPE", "amount": "1"}, "destination"),
        ({"type": "funding", "coin": "@107", "usdc": "1"}, "coin"),
        ({"type": "liquidation", "liquidatedPositions": [5]}, "row"),
        ({"type": "liquidation", "liquidatedPositions": [{"coin": "@1"}]}, "coin"),
        ("x", "delta"),
    ],
)
def test_what_cannot_be_booked_is_refused_and_the_rest_stands(delta: object, field: str) -> None:
    reading = read([row({"type": "deposit", "usdc": "1"}), row(delta)], address=ME)
    assert len(of(reading, TransferBooked)) == 1
    (refusal,) = reading.refused
    assert (refusal.row, refusal.field) == (2, field)


def test_an_unknown_kind_is_named() -> None:
    (refusal,) = read([row({"type": "moonTransfer"})]).refused
    assert refusal.value == "moonTransfer"
    assert "not known" in refusal.problem
