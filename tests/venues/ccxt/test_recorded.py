"""Answers of seven exchanges that others recorded or published: each row is told, or refused for a stated reason."""

import asyncio
import json
import re
from collections.abc import Sequence
from decimal import Decimal

import msgspec
import pytest

from tests.venues.ccxt.replay import RECORDED, replaying
from tests.venues.ccxt.worlds import NOW, WORLDS
from trueup.model.differences import VenueSnapshot
from trueup.model.events import Fact, FillBooked, FundingPaid, TransferBooked
from trueup.model.times import NS_PER_MS
from trueup.ports import Refused

HOUR_MS = 3_600_000

pytestmark = pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded answers (venue-data) are not here")


class Recorded(msgspec.Struct, frozen=True):
    """A file, whose answer it is, and what comes of it.

    Attributes:
        request: Which of the exchange's requests it answers.
        told: What is told because of it: a part of the snapshot, or facts of the history.
        refused: Fields for which rows of it are refused.
        unmapped: Instruments in it that are not listed.
        time: Milliseconds of the newest row in it, for the history.
    """

    exchange: str
    file: str
    request: str
    told: Sequence[str] | None = None
    refused: Sequence[str] = ()
    unmapped: Sequence[str] = ()
    time: int = 0

    def __str__(self) -> str:
        return f"{self.exchange} {self.file}"


def binance(file: str, request: str, *told: str, time: int = 0) -> Recorded:
    return Recorded("binanceusdm", f"binance/{file}", f"GET /fapi/{request}", told, time=time)


def bybit(file: str, request: str, *told: str, unmapped: Sequence[str] = (), time: int = 0) -> Recorded:
    return Recorded("bybit", f"bybit/{file}", f"GET /v5/{request}", told, unmapped=unmapped, time=time)


def okx(file: str, request: str, *told: str, time: int = 0) -> Recorded:
    return Recorded("okx", f"okx/{file}", f"GET /api/v5/{request}", told, time=time)


FUTURES, KRAKEN = "jkorf/Endpoints-UsdFutures-", "GET /derivatives/api/v3/"
BITGET, BITGET_FILES = "GET /api/v2/mix/", "bitget/jkorf/Endpoints-Futures-"
KUCOIN, KUCOIN_FILES = "GET /api/v1/", "kucoin/jkorf/Endpoints-Futures-"
ETHER = ("symbol", "symbol")

FILES: Sequence[Recorded] = (
    binance(FUTURES + "Account-GetAccountInfo.txt", "v3/account", "USDT 23.72469206", "BUSD 103.12345678"),
    binance("nautilus/futures-http_json-account_info_v2.json", "v3/account", "USDT 23.72469206"),
    binance(FUTURES + "Trading-GetPositions.txt", "v3/positionRisk", "BTC/USDT:USDT long 0.001"),
    binance(FUTURES + "Account-GetPositionInformation.txt", "v3/positionRisk"),  # one row, of nothing
    binance("nautilus/futures-http_json-position_risk.json", "v3/positionRisk", "BTC/USDT:USDT net 0.001"),
    binance(FUTURES + "Trading-GetOpenOrders.txt", "v1/openOrders", "1917641 stop 0.40"),
    binance(FUTURES + "Trading-GetUserTrades.txt", "v1/userTrades", "FillBooked sell 0.002", time=1569514978020),
    binance(FUTURES + "Account-GetIncomeHistory.txt", "v1/income", "FundingPaid -0.01000000", time=1570636800000),
    bybit(
        "nautilus/http_get_positions.json",
        "position/list?settleCoin=USDT",
        "BTC/USDC:USDC net -0.2",
        "BTC/USD:BTC net -300",
        "BTC/USDT:USDT net 0.5",
        unmapped=("ETHUSDT",),
    ),
    bybit(
        "nautilus/http_get_positions_with_open_time.json",
        "position/list?settleCoin=USDT",
        "BTC/USDC:USDC net -0.2",
        "BTC/USD:BTC net -300",
        unmapped=("LTCUSDT",),
    ),
    bybit("jkorf/Endpoints-V5Api-Account-GetBalances.txt", "account/wallet-balance"),  # one coin, of nothing
    bybit("nautilus/http_get_wallet_balance_with_spot_borrow.json", "account/wallet-balance", "USDT 1200.00"),
    bybit("jkorf/Endpoints-V5Api-Account-GetTransactionHistory.txt", "account/transaction-log", time=1672132480085),
    okx("jkorf/Endpoints-UnifiedApi-Account-GetAccountBalance.txt", "account/balance", "USDT 4850.435693622894"),
    okx("nautilus/http_get_account_balance.json", "account/balance", "USDT 94.42612990333333"),
    okx("jkorf/Endpoints-UnifiedApi-Account-GetBillArchive.txt", "account/bills-archive", time=1597026383085),
    okx("nautilus/http_get_orders_algo_pending.json", "trade/orders-algo-pending", "123456789 stop 1", "88 limit 10"),
    okx("nautilus/http_get_orders_history.json", "trade/orders-pending", "2497956918703120384 limit 0.03"),
    Recorded(
        "krakenfutures",
        "kraken/jkorf/Endpoints-Futures-Account-GetBalances.txt",
        KRAKEN + "accounts",
        ("BTC 0.1185308247", "EUR 4540.5837374453", "USD 5000"),
    ),
    Recorded(
        "krakenfutures",
        "kraken/jkorf/Endpoints-Futures-Trading-GetOpenPositions.txt",
        KRAKEN + "openpositions",
        ("BTC/USD:BTC net -10000",),
        unmapped=("FI_XBTUSD_201225", "PF_DEFIUSD"),
    ),
    Recorded(
        "krakenfutures",
        "kraken/nautilus/http_futures_open_positions.json",
        KRAKEN + "openpositions",
        ("BTC/USD:BTC net -8000.0",),
        unmapped=("PI_ETHUSD",),
    ),
    Recorded("krakenfutures", "kraken/nautilus/http_futures_open_orders.json", KRAKEN + "openorders", refused=ETHER),
    Recorded(
        "krakenfutures",
        "kraken/jkorf/Endpoints-Futures-Trading-GetOpenOrders.txt",
        KRAKEN + "openorders",
        (
            "022774bc-2c4a-4f26-9317-436c8d85746d limit 1501",
            "179f9af8-e45e-469d-b3e9-2fd4675cb7d0 limit 10000",
            "3deea5c8-0274-4d33-988c-9e5a3895ccf8 limit 102",
            "59302619-41d2-4f0b-941f-7e7914760ad3 limit 304",
            "9c2cbcc8-14f6-42fe-a020-6e395babafd1 limit 1000",
            "d08021f7-58cb-4f2c-9c86-da4c60de46bb limit 10000",
            "fcbb1459-6ed2-4b3c-a58c-67c4df7412cf limit 1501",
        ),
    ),
    Recorded(
        "krakenfutures",
        "kraken/nautilus/http_futures_fills.json",
        KRAKEN + "fills",
        ("FillBooked buy 5000.0", "FillBooked sell 2500.0"),
        ("symbol",),
        time=1680882920123,
    ),
    Recorded(
        "bitget", BITGET_FILES + "Account-GetBalances.txt", BITGET + "account/accounts", refused=("unrealizedPL",)
    ),
    Recorded(
        "bitget",
        BITGET_FILES + "Trading-GetPosition.txt",
        BITGET + "position/all-position?productType=USDT",
        (),
        unmapped=("BTCUSDT",),
    ),
    Recorded(
        "bitget", BITGET_FILES + "Trading-GetOpenOrders.txt", BITGET + "order/orders-pending", refused=3 * ("symbol",)
    ),
    Recorded(
        "bitget", BITGET_FILES + "Trading-GetOpenOrders2.txt", BITGET + "order/orders-pending", refused=3 * ("symbol",)
    ),
    Recorded(
        "bitget",
        BITGET_FILES + "Trading-GetHistoricalUserTrades.txt",
        BITGET + "order/fills",
        ("FillBooked sell 0.02",),
        time=1698730804882,
    ),
    Recorded("kucoinfutures", KUCOIN_FILES + "Trading-GetOrders.txt", KUCOIN + "orders", refused=("symbol",)),
    Recorded(
        "kucoinfutures",
        KUCOIN_FILES + "Trading-GetUntriggeredStopOrders.txt",
        KUCOIN + "stopOrders",
        ("622076e79f12700001f84138 stop_limit 2",),
    ),
    Recorded(
        "kucoinfutures",
        KUCOIN_FILES + "Trading-GetUserTrades.txt",
        KUCOIN + "fills",
        (),
        ("symbol",),
        time=1558334496000,
    ),
    Recorded(
        "kucoinfutures",
        KUCOIN_FILES + "Account-GetTransactionHistory.txt",
        KUCOIN + "transaction-history",
        (),
        time=1557997200000,
    ),
    Recorded(
        "deribit",
        "deribit/nautilus/http_get_account_summaries.json",
        "GET /api/v2/private/get_account_summaries",
        ("BTC 302.60065765", "ETH 100"),
    ),
)

_MARKET = (
    r"ExchangeData|instrument|ticker|trades|book|mark_price|option_summary|position_tiers|funding_rate|agg_trade|depth|"
    r"fee_rate|system_status|server_time|symbols|network_status|market_data"
)
_NEVER_SENT = (
    r"Cancel|Place|Set|Edit|Modify|Change|Transfer|Withdraw|Close|Add|Remove|Switch|Start|Stop|Confirm|Repay|Redeem|"
    r"Amend|Manual|PrecheckAccount|cancel_order|send_order|place_|set_position|http_post_"
)
_NOT_MADE = (
    r"(Account|Trading)-Get|user_query_api|account_info|balance|transaction_detail|orders_algo_pending_|funding_pay"
)

OTHERWISE: Sequence[tuple[str, str]] = (
    (_MARKET, "of the market"),
    (r"Subscriptions-|ws_|user_stream|user_data|_websocket_|position_event", "of a stream"),
    (r"Spot-|spot|Margin|-kraken_exchange-|-kraken_api", "of a wallet that is another account to ccxt"),
    (r"CoinFutures|General-Futures", "of another exchange to ccxt (binancecoinm)"),
    (r"Unified-(Account|Trading)-", "of a unified account, which has other requests"),
    (_NEVER_SENT, "of what is never sent"),
    (r"(?i)histor|order_events|ExecutionEvents|Event", "of a list that is not read"),
    (_NOT_MADE, "of a request that is not made"),
)
"""Why every other file is no answer that this adapter reads, by what is in its name; the first one counts."""

FOLDERS = ("binance", "bybit", "okx", "kraken", "bitget", "kucoin", "deribit")


class At:
    """A clock that stands."""

    def __init__(self, milliseconds: int) -> None:
        self.milliseconds = milliseconds

    def now(self) -> int:
        return self.milliseconds * NS_PER_MS

    def monotonic(self) -> float:
        return 0.0


def body_of(file: str) -> bytes:
    """The answer in a file: after the request, where the file begins with that."""
    text = (RECORDED / file).read_text()
    head = re.match(r"(GET|POST)\s*\n\S+\s*\n(true|false)\s*\n", text)
    return json.dumps(json.loads(text[head.end() :] if head else text, parse_float=Decimal), default=str).encode()


def outcome(recorded: Recorded) -> tuple[VenueSnapshot, list[Fact], list[Refused]]:
    """What an adapter tells of an account whose one answer is the file's."""

    async def main() -> tuple[VenueSnapshot, list[Fact], list[Refused]]:
        world = WORLDS[recorded.exchange]()
        for key in [key for key in world if key.startswith(recorded.request)]:
            world[key] = body_of(recorded.file)
        clock = At((recorded.time or NOW) + HOUR_MS)
        async with replaying(recorded.exchange, world, clock=clock) as (venue, _):
            await venue.instruments()
            if not recorded.time:
                return await venue.snapshot(), [], list(venue.refused())
            facts = [fact async for page, _ in venue.history(str(recorded.time - HOUR_MS)) for fact in page]
            return VenueSnapshot(venue.account), facts, list(venue.refused())

    return asyncio.run(main())


def part_told(recorded: Recorded, snapshot: VenueSnapshot) -> list[str] | None:
    """The part of a snapshot that a request is for; None where it is unknown."""
    if re.search("osition", recorded.request):
        held = snapshot.positions
        return None if held is None else [f"{symbol} {side} {row.quantity}" for (symbol, side), row in held.items()]
    if re.search("(?i)order", recorded.request):
        orders = snapshot.open_orders
        return None if orders is None else [f"{key} {row.order_type} {row.quantity}" for key, row in orders.items()]
    balances = snapshot.balances
    return None if balances is None else [f"{currency} {amount}" for currency, amount in balances.items()]


def short(fact: Fact) -> str:
    match fact:
        case FillBooked():
            return f"FillBooked {fact.side} {fact.quantity}"
        case FundingPaid() | TransferBooked():
            return f"{type(fact).__name__} {fact.amount}"
        case _:
            return type(fact).__name__


@pytest.mark.parametrize("recorded", FILES, ids=str)
def test_a_recorded_answer_is_told_or_refused(recorded: Recorded) -> None:
    snapshot, facts, refused = outcome(recorded)
    told = [short(fact) for fact in facts] if recorded.time else part_told(recorded, snapshot)
    assert [row.field for row in refused] == list(recorded.refused)
    assert all(row.problem and row.remedy and row.raw for row in refused)
    assert sorted(snapshot.unmapped) == sorted(recorded.unmapped)
    assert (told if told is None else sorted(told)) == (None if recorded.told is None else sorted(recorded.told))


def test_every_other_file_is_no_answer_of_ours_for_a_stated_reason() -> None:
    read = {recorded.file for recorded in FILES}
    for folder in FOLDERS:
        for path in sorted((RECORDED / folder).rglob("*")):
            name = str(path.relative_to(RECORDED))
            if path.is_file() and name not in read:
                assert any(re.search(words, path.name) for words, _ in OTHERWISE), name
