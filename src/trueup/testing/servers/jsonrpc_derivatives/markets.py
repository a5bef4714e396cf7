"""The exchange's markets as the engine names and describes them: linear perpetuals in a stable coin, inverse ones."""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal

import msgspec

from trueup.model.errors import BadInput
from trueup.model.numbers import exact, quotient
from trueup.testing.servers.jsonrpc_derivatives import wire
from trueup.testing.servers.jsonrpc_derivatives.wire import Row
from trueup.venues.paper.exchange import PaperExchange
from trueup.venues.paper.markets import Market
from trueup.venues.paper.matching import best

ANY = "any"
"""Every currency, or every kind."""

KINDS = frozenset({"future", "option", "spot", "future_combo", "option_combo", "combo", ANY})
LISTED_MS = 1_534_167_754_000
NEVER_MS = 32_503_708_800_000
"""When a perpetual was listed, and when it expires: on the first day of the year 3000."""

_NAME = re.compile(r"[A-Z0-9]+(_[A-Z0-9]+)?-PERPETUAL", re.ASCII)
_TITLES = {"BTC": "Bitcoin", "ETH": "Ethereum", "SOL": "Solana", "USDC": "USD Coin", "USDT": "Tether USD"}
_LOW, _HIGH, _COLLAR = Decimal("0.2"), Decimal("1.8"), Decimal("1.05")


class Contract(msgspec.Struct, frozen=True):
    """A market as the engine knows it."""

    number: int
    market: Market

    @property
    def name(self) -> str:
        """``BTC_USDC-PERPETUAL``."""
        return self.market.instrument.native_symbol

    @property
    def inverse(self) -> bool:
        """Whether it settles in the coin, and its amounts are dollars."""
        return self.market.instrument.kind == "inverse"

    @property
    def currency(self) -> str:
        """What it settles in, which is the currency that it is listed under."""
        return self.market.instrument.settle

    @property
    def size(self) -> Decimal:
        """The amount of one contract: the least that can be traded."""
        return self.market.step

    @property
    def index(self) -> str:
        """The name of its price index."""
        return f"{self.market.instrument.base}_{self.market.instrument.quote}".lower()

    def prefixed(self, text: str) -> str:
        """An id, of an order or a trade; those of bitcoin have no prefix."""
        return text if self.currency == "BTC" else f"{self.currency}-{text}"

    def row(self) -> Row:
        """As ``get_instruments`` lists it."""
        instrument = self.market.instrument
        kind = "reversed" if self.inverse else "linear"
        return {
            "price_index": self.index,
            "rfq": False,
            "kind": "future",
            "instrument_name": self.name,
            "max_leverage": int(instrument.max_leverage or 1),
            "maker_commission": wire.number(self.market.maker_fee),
            "taker_commission": wire.number(self.market.taker_fee),
            "instrument_type": kind,
            "expiration_timestamp": NEVER_MS,
            "creation_timestamp": LISTED_MS,
            "is_active": True,
            "state": "open",
            "tick_size": wire.number(self.market.tick),
            "contract_size": wire.number(self.size),
            "instrument_id": self.number,
            "min_trade_amount": wire.number(self.market.step),
            "future_type": kind,
            "max_liquidation_commission": Decimal("0.0075"),
            "block_trade_commission": Decimal("0.00025"),
            "block_trade_min_trade_amount": 200_000,
            "block_trade_tick_size": Decimal("0.01"),
            "settlement_currency": self.currency,
            "settlement_period": "perpetual",
            "base_currency": instrument.base,
            "counter_currency": instrument.quote,
            "quote_currency": instrument.quote,
            "tick_size_steps": [],
        }


class Markets:
    """Every market of the exchange.

    Raises:
        BadInput: One that the engine could not have, such as a pair, or a contract of more than a unit.
    """

    def __init__(self, exchange: PaperExchange) -> None:
        self._exchange = exchange
        for market in exchange.markets.values():
            _check(market)
        contracts = [Contract(124_972 + place, market) for place, market in enumerate(exchange.markets.values())]
        self._by_name = {contract.name: contract for contract in contracts}
        self._by_symbol = {contract.market.symbol: contract for contract in contracts}

    def __iter__(self) -> Iterator[Contract]:
        return iter(self._by_name.values())

    def of(self, symbol: str) -> Contract:
        """A contract by the exchange's symbol."""
        return self._by_symbol[symbol]

    def named(self, name: str) -> Contract:
        """A contract by its name. Raises :class:`wire.Refusal`."""
        contract = self._by_name.get(name)
        if contract is None:
            raise wire.refused(13020, "not_found", "instrument is not found")
        return contract

    def chosen(self, currency: str, kind: str) -> Sequence[Contract]:
        """Contracts of a currency and a kind."""
        wanted = kind in {ANY, "future"}
        return [each for each in self if wanted and currency in {ANY, each.currency}]

    @property
    def currencies(self) -> Sequence[str]:
        """What anything settles in, or is made of."""
        instruments = [contract.market.instrument for contract in self]
        return list(dict.fromkeys([each.settle for each in instruments] + [each.base for each in instruments]))

    def currency(self, name: str) -> str:
        """A currency that there is, or any. Raises :class:`wire.Refusal`."""
        if name != ANY and name not in self.currencies:
            raise wire.invalid("currency", "invalid currency")
        return name

    def price(self, contract: Contract) -> Decimal:
        """The price now."""
        return self._exchange.prices[contract.market.symbol]

    def touch(self, contract: Contract, *, buys: bool) -> Decimal:
        """What a taker pays or gets for the first lot."""
        return best(contract.market, self.price(contract), buys=buys)

    def band(self, contract: Contract) -> tuple[Decimal, Decimal]:
        """The least and the most that an order may be limited to; on tick."""
        with exact():
            return self.on_tick(contract, self.price(contract) * _LOW), self.on_tick(
                contract, self.price(contract) * _HIGH
            )

    def collar(self, contract: Contract, *, buys: bool) -> Decimal:
        """How far from the price a market order may trade: the limit that it gets."""
        with exact():
            return self.on_tick(contract, self.price(contract) * (_COLLAR if buys else 2 - _COLLAR))

    @staticmethod
    def on_tick(contract: Contract, price: Decimal) -> Decimal:
        """A price, cut to the tick."""
        return price // contract.market.tick * contract.market.tick

    def ticker(self, contract: Contract, now: int) -> Row:
        """As ``ticker`` answers it."""
        price, (least, most) = wire.number(self.price(contract)), self.band(contract)
        depth = wire.number(contract.market.depth)
        return {
            "timestamp": wire.milliseconds(now),
            "state": "open",
            "stats": {
                "high": price,
                "low": price,
                "price_change": Decimal(0),
                "volume": Decimal(0),
                "volume_usd": Decimal(0),
                "volume_notional": Decimal(0),
            },
            "index_price": price,
            "instrument_name": contract.name,
            "last_price": price,
            "settlement_price": price,
            "min_price": wire.number(least),
            "max_price": wire.number(most),
            "open_interest": Decimal(0),
            "mark_price": price,
            "interest_value": Decimal(0),
            "best_ask_price": wire.number(self.touch(contract, buys=True)),
            "best_bid_price": wire.number(self.touch(contract, buys=False)),
            "estimated_delivery_price": price,
            "best_ask_amount": depth,
            "best_bid_amount": depth,
            "current_funding": Decimal(0),
            "funding_8h": wire.number(contract.market.funding_rate),
        }

    def currency_rows(self) -> list[Row]:
        """As ``get_currencies`` lists them."""
        return [
            {
                "currency": name,
                "currency_long": _TITLES.get(name, name),
                "coin_type": name,
                "fee_precision": 4,
                "decimals": 8,
                "in_cross_collateral_pool": False,
                "min_confirmations": 1,
                "min_withdrawal_fee": Decimal("0.0001"),
                "withdrawal_fee": Decimal("0.0001"),
                "withdrawal_priorities": [],
            }
            for name in self.currencies
        ]


def turned(contract: Contract, amount: Decimal) -> Decimal:
    """An amount as a number of contracts."""
    return quotient(amount, contract.size)


def _check(market: Market) -> None:
    instrument = market.instrument
    name = f"{instrument.base}_{instrument.quote}" if instrument.kind == "linear" else instrument.base
    settle = instrument.quote if instrument.kind == "linear" else instrument.base
    known = instrument.kind in {"linear", "inverse"} and _NAME.fullmatch(instrument.native_symbol)
    if not known or (instrument.native_symbol, instrument.settle) != (f"{name}-PERPETUAL", settle):
        raise BadInput(
            "markets",
            instrument.symbol,
            "the engine names linear perpetuals BTC_USDC-PERPETUAL and inverse ones BTC-PERPETUAL",
            remedy="Serve an exchange of such markets.",
        )
    if instrument.contract_size != 1:
        raise BadInput(
            "contract_size",
            instrument.contract_size,
            "amounts are coins or dollars",
            remedy="Use 1, and a lot as step.",
        )
