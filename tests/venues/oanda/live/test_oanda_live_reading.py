"""What the adapter reads of an account is what the reader of saved answers says of the same answers."""

import asyncio
import json
from decimal import Decimal

import pytest

from tests.venues.oanda.live.loopback import (
    ACCOUNT,
    ACCOUNT_ID,
    RECORDED,
    STORY,
    TOKEN,
    Loopback,
    connected,
    pulled,
    transaction,
)
from trueup.book.book import Book
from trueup.model.errors import AuthenticationFailed, Malformed, Unavailable
from trueup.model.events import FillBooked, InstrumentDefined, OpeningBalance, TransferBooked
from trueup.model.identifiers import Seq
from trueup.model.venues import Mark
from trueup.venues.oanda import pricing
from trueup.venues.oanda.reader import OandaReader


def test_history_gives_what_the_saved_answer_gives() -> None:
    async def story() -> None:
        async with connected(Loopback()) as venue:
            facts, _ = await pulled(venue)
        saved = OandaReader(ACCOUNT)
        saved.read("instruments", (STORY / "instruments.json").read_bytes())
        assert facts == saved.read("transactions", (STORY / "transactions.json").read_bytes()).facts
        assert venue.warnings == ()
        assert venue.refused() == []

    asyncio.run(story())


def test_the_book_of_a_pull_agrees_with_the_snapshot() -> None:
    async def story() -> None:
        async with connected(Loopback()) as venue:
            facts, _ = await pulled(venue)
            state = await venue.snapshot()
        book = Book(ACCOUNT)
        book.evolve(facts, Seq(1))
        assert state.positions is not None
        held = {key: (position.quantity, position.entry_price) for key, position in book.positions().items()}
        assert held == {key: (row.quantity, row.entry_price) for key, row in state.positions.items()}
        assert state.balances == {"EUR": book.balances()["EUR"].total}
        assert book.open_orders() == state.open_orders
        assert state.source == ("account at transaction 18",)
        assert state.cut is not None

    asyncio.run(story())


def test_a_state_is_no_older_than_what_the_history_told_before() -> None:
    loopback = Loopback()
    deposit = transaction(19, "TRANSFER_FUNDS", amount="1", accountBalance="1")
    loopback.happen({**deposit, "time": "2026-03-02T23:30:00.999Z"}, tell=False)  # answers say 23:30:00, to the second

    async def story() -> None:
        async with connected(loopback) as venue:
            before = (await venue.snapshot()).cut
            facts, _ = await pulled(venue)
            after = (await venue.snapshot()).cut
        (newest,) = [fact.venue_time for fact in facts if isinstance(fact, TransferBooked)][-1:]
        assert before is not None
        assert after is not None
        assert before < newest <= after

    asyncio.run(story())


def test_a_hedged_account_has_both_sides() -> None:
    async def story() -> None:
        loopback = Loopback()
        loopback.account["hedgingEnabled"] = True
        euro = loopback.account["positions"][0]
        euro["long"] = {"units": "300", "averagePrice": "1.1"}
        async with connected(loopback) as venue:
            state = await venue.snapshot()
            assert venue.capabilities.hedges
        assert state.positions is not None
        assert {key: row.quantity for key, row in state.positions.items()} == {
            ("EUR/USD", "long"): Decimal(300),
            ("EUR/USD", "short"): Decimal(-500),
            ("DE30/EUR", "short"): Decimal(-1),
        }

    asyncio.run(story())


def test_instruments_have_their_steps_and_define_what_facts_name() -> None:
    async def story() -> None:
        async with connected(Loopback()) as venue:
            listed = await venue.instruments()
            facts, _ = await pulled(venue)
        assert {terms.symbol: terms.price_tick for terms in listed} == {
            "EUR/USD": Decimal("0.00001"),
            "DE30/EUR": Decimal("0.1"),
        }
        assert {fact.instrument for fact in facts if isinstance(fact, InstrumentDefined)} == set(listed)

    asyncio.run(story())


def test_marks_are_the_middle_and_leave_out_what_is_not_traded() -> None:
    async def story() -> None:
        loopback = Loopback()
        price = {"instrument": "EUR_USD", "closeoutBid": "1.1", "closeoutAsk": "1.10003", "time": "1772442000.5"}
        loopback.say(f"GET /v3/accounts/{ACCOUNT_ID}/pricing", (200, {"prices": [price]}))
        async with connected(loopback) as venue:
            assert await venue.marks(["EUR/USD", "GBP/USD"]) == [
                Mark("EUR/USD", Decimal("1.100015"), 1772442000500000000)
            ]
            assert await venue.marks([]) == []
        assert [one for one in loopback.requests if "pricing" in one] == [
            f"GET /v3/accounts/{ACCOUNT_ID}/pricing?instruments=EUR_USD"
        ]

    asyncio.run(story())


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded answers are not beside this checkout")
def test_recorded_prices_give_a_mark() -> None:
    (mark,) = pricing.marks("pricing", (RECORDED / "pricing-pricing.json").read_bytes())
    assert (mark.instrument, mark.price) == ("EUR/USD", Decimal("1.29415"))


def test_another_account_behind_the_address_is_refused() -> None:
    async def story() -> None:
        loopback = Loopback()
        loopback.account["id"] = "001-011-7654321-001"
        async with connected(loopback) as venue:
            with pytest.raises(Malformed, match="another account"):
                await venue.snapshot()

    asyncio.run(story())


def test_a_look_says_whose_account_it_is_and_what_the_token_may() -> None:
    async def story() -> None:
        async with connected(Loopback()) as venue:
            told = await venue.check()
        assert (
            f"Account {ACCOUNT_ID} holds 2 positions and 2 open orders, in EUR; one net position per instrument."
            in told
        )
        assert any("cannot withdraw" in sentence for sentence in told)
        assert TOKEN not in str(told)

    asyncio.run(story())


def test_a_token_of_another_account_is_told() -> None:
    async def story() -> None:
        loopback = Loopback()
        loopback.say("GET /v3/accounts", (200, {"accounts": [{"id": "101-1-1-1"}]}))
        async with connected(loopback) as venue:
            with pytest.raises(AuthenticationFailed, match="it sees 101-1-1-1"):
                await venue.check()

    asyncio.run(story())


def test_a_failed_first_look_is_taken_again_by_the_next_call() -> None:
    async def story() -> None:
        loopback = Loopback()
        loopback.say(f"GET /v3/accounts/{ACCOUNT_ID}", *[(200, b"<html>")])
        async with connected(loopback) as venue:
            with pytest.raises(Malformed):
                await venue.snapshot()
            assert (await venue.snapshot()).balances == {"EUR": Decimal("9998.75")}

    asyncio.run(story())


def test_without_a_token_nothing_is_sent() -> None:
    async def story() -> None:
        loopback = Loopback()
        async with connected(loopback, token=None) as venue:
            with pytest.raises(AuthenticationFailed, match="No token"):
                await venue.snapshot()
        assert loopback.requests == []

    asyncio.run(story())


def test_the_token_goes_out_in_its_header_alone_with_the_times_notation() -> None:
    async def story() -> None:
        loopback = Loopback()
        async with connected(loopback) as venue:
            await venue.snapshot()
            assert TOKEN not in repr(venue.__dict__)
        for exchange in loopback.exchanges:
            assert exchange.headers["authorization"] == f"Bearer {TOKEN}"
            assert exchange.headers["accept-datetime-format"] == "RFC3339"
            assert TOKEN not in exchange.line

    asyncio.run(story())


def test_a_history_from_a_time_opens_with_the_balance_there() -> None:
    async def story() -> None:
        async with connected(Loopback()) as venue:
            cursor = await venue.cursor_at(1772488800000000000)  # 22:00, the financing
            facts, _ = await pulled(venue, cursor)
            assert (await venue.cursor_at(1999999999000000000)).startswith('{"id":18')
        openings = [fact for fact in facts if isinstance(fact, OpeningBalance)]
        assert [(fact.amount, fact.opening_id) for fact in openings] == [(Decimal("9999.5"), "EUR:8")]
        assert [fact.venue_trade_id for fact in facts if isinstance(fact, FillBooked)] == ["10", "13"]
        assert venue.warnings == ()

    asyncio.run(story())


def test_a_pull_that_goes_on_opens_nothing() -> None:
    async def story() -> None:
        loopback = Loopback()
        async with connected(loopback) as venue:
            _, cursor = await pulled(venue)
        loopback.happen(transaction(19, "TRANSFER_FUNDS", amount="1.25", accountBalance="10000"))
        async with connected(loopback) as venue:
            facts, _ = await pulled(venue, cursor)
        (fact,) = facts
        assert isinstance(fact, TransferBooked)
        assert fact.amount == Decimal("1.25")

    asyncio.run(story())


def test_orders_of_the_book_end_by_what_is_pulled_after_a_restart() -> None:
    async def story() -> None:
        loopback = Loopback()
        async with connected(loopback) as venue:
            facts, cursor = await pulled(venue)
        book = Book(ACCOUNT)
        book.evolve(facts, Seq(1))
        loopback.account["orders"] = []
        loopback.happen(transaction(19, "ORDER_CANCEL", orderID="14", reason="CLIENT_REQUEST"))
        async with connected(loopback, open_orders=book.open_orders().values()) as venue:
            facts, _ = await pulled(venue, cursor)
        book.evolve(facts, Seq(2))
        assert list(book.open_orders()) == ["18"]

    asyncio.run(story())


def test_a_row_that_cannot_be_read_is_handed_out_with_its_page() -> None:
    async def story() -> None:
        loopback = Loopback()
        loopback.happen(transaction(19, "FEE_OF_A_NEW_KIND", amount="-3", accountBalance="9995.75"))
        async with connected(loopback) as venue:
            _, cursor = await pulled(venue)
            (refused,) = venue.refused()
            assert json.loads(refused.raw)["type"] == "FEE_OF_A_NEW_KIND"
            assert venue.refused() == []
            (warning,) = venue.warnings
            assert "after transaction 19 OANDA states a balance of 9995.75" in warning
            assert '"id":19' in cursor

    asyncio.run(story())


def test_a_venue_that_is_not_there_is_unavailable() -> None:
    async def story() -> None:
        async with connected(Loopback(), rest_url="http://127.0.0.1:9") as venue:
            with pytest.raises(Unavailable):
                await venue.snapshot()

    asyncio.run(story())
