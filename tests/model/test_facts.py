"""When two facts are the same, when they conflict, which folds first."""

from decimal import Context, localcontext

import msgspec
import pytest

from tests.book.world import ACCOUNT, BTC, D, World
from trueup.model import events as e
from trueup.model.facts import fact_key, order_key, position_key, terms, weak_id
from trueup.model.instruments import Instrument, wallet_currency

TIME = 10**9
KEY = (BTC.symbol, "net")


def told(world: World) -> e.Event:
    return world.events[-1]


FACTS: list[tuple[e.Event, str, tuple[str, str] | None]] = [
    (told(World().buy("1", "100")), "fill|1", KEY),
    (told(World().charge("1")), "fee|1", KEY),
    (told(World().fund("1")), "funding|1", KEY),
    (told(World().transfer("1")), "transfer|1", None),
    (told(World().flag_liquidation()), "liquidation|1", KEY),
    (told(World().split(2, 1)), f"split|1|{BTC.symbol}|net", KEY),
    (told(World().roll(BTC, "1", "1", "1", "1", "a")), "roll|1", KEY),
    (told(World().leverage("5")), "leverage|1", KEY),
    (told(World().margin_mode("cross")), "margin_mode|1", KEY),
    (told(World().opening("1")), "opening_position|1", KEY),
    (told(World().opening_balance("1")), "opening_balance|1", None),
    (told(World().declare("buy", "1", "100")), "declared|1", KEY),
    (told(World().adjust("1", "100")), "adjustment|1", KEY),
    (told(World().order("9", "open")), "order|1", None),
    (told(World()), f"instrument|{BTC.symbol}|1", None),
]
DECISIONS = [
    told(World().mark("1")),
    told(World().match("1", "1", "1")),
    e.Quarantined(ACCOUNT, "", "why", b""),
    e.SourceRead(ACCOUNT, "file", "00", "userFills", 1, 0),
    e.CursorMoved(ACCOUNT, "7"),
    e.Compared(ACCOUNT, "SYNCED", ("file",), 1, 1, (("SYNCED", 1),)),
]


@pytest.mark.parametrize(("fact", "key", "position"), FACTS, ids=lambda value: value if isinstance(value, str) else "")
def test_identity_and_position(fact: e.Event, key: str, position: tuple[str, str] | None) -> None:
    assert fact_key(fact) == key
    assert position_key(fact) == position
    assert terms(fact) == terms(msgspec.structs.replace(fact))


@pytest.mark.parametrize("decision", DECISIONS)
def test_decisions_have_no_identity(decision: e.Event) -> None:
    assert (fact_key(decision), position_key(decision)) == (None, None)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (World().buy("1.50", "100.0"), World().buy("1.5", "100")),
        (World().buy("1", "1", strategy="a"), World().buy("1", "1", strategy="b")),
        (World().buy("1", "1", venue_order_id="7"), World().buy("1", "1", liquidity="maker")),
        (World().adjust("1.0", "1"), World().adjust("1", "1")),
    ],
)
def test_the_same_content(one: World, other: World) -> None:
    assert terms(told(one)) == terms(told(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (World().buy("1", "100"), World().buy("1", "101")),
        (World().buy("1", "100"), World().sell("1", "100")),
        (World().buy("1", "100", fee="1"), World().buy("1", "100", fee="1", fee_currency="BNB")),
        (World().buy("1", "100"), World().at(9).buy("1", "100")),
        (World().fund("1"), World().fund("1", "BTC")),
        (World().split(2, 1), World().split(2, 1, "2")),
        (World(), World(Instrument(BTC.symbol, "BTC", "linear", "BTC", "USDC", "USDC", D(10)))),
    ],
)
def test_other_content(one: World, other: World) -> None:
    assert terms(told(one)) != terms(told(other))


def test_facts_of_an_instant_fold_openings_first_and_rolls_last() -> None:
    instant: list[e.Event] = [
        told(World().opening("1")),
        told(World().charge("1")),
        told(World().buy("1", "1")),
        told(World().buy("1", "1", venue_trade_id="2")),
        told(World().buy("1", "1", venue_trade_id="0", venue_sequence=2**60)),
        told(World().roll(BTC, "1", "1", "1", "1", "a")),
    ]
    keys = [order_key(fact) for fact in instant]  # type: ignore[arg-type]  # no decision among them
    assert keys == sorted(keys)
    assert {key[0] for key in keys} == {TIME}


def test_reports_fold_by_the_venues_sequence_and_terms_by_their_date() -> None:
    report = msgspec.structs.replace(told(World().order("1", "open")), venue_sequence=7)
    assert order_key(report) == (TIME, 7, "order|1")  # type: ignore[arg-type]  # a fact
    later = Instrument(BTC.symbol, "BTC", "linear", "BTC", "USDC", "USDC", version=2, effective_from=5)
    assert order_key(e.InstrumentDefined(ACCOUNT, later)) == (5, -2, f"instrument|{BTC.symbol}|2")
    assert order_key(e.OpeningBalance(ACCOUNT, "USDC", D(1), 5, "x")) == (5, -1, "opening_balance|x")


def test_facts_about_the_account_belong_to_no_position() -> None:
    assert position_key(e.FeeCharged(ACCOUNT, D(1), "USDC", 1, "1")) is None


def test_a_weak_identity_is_a_function_of_the_content_and_its_ordinal() -> None:
    one, same, other = (told(World().buy(size, "100")) for size in ("1.5", "1.50", "2"))
    with localcontext(Context(prec=1)):
        assert weak_id(terms(one), 0) == weak_id(terms(same), 0)
    assert len({weak_id(terms(one), 0), weak_id(terms(one), 1), weak_id(terms(other), 0)}) == 3
    assert weak_id(terms(one), 0).startswith("weak:")


def test_a_wallet_marks_its_currencies() -> None:
    assert (wallet_currency("USDC", ""), wallet_currency("USDC", "spot")) == ("USDC", "USDC@spot")
