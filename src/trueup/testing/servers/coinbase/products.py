"""Products as the venue lists them: spot pairs, and the futures of its own clearing member (CFM)."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

import msgspec

from trueup.model.errors import BadInput
from trueup.model.numbers import ZERO, canonical, exact, quotient
from trueup.model.times import NS_PER_SECOND
from trueup.testing.servers.coinbase.wire import Row, refusal, rounded, stamp
from trueup.venues.paper.exchange import PaperExchange
from trueup.venues.paper.markets import Market
from trueup.venues.paper.matching import LEVELS, best

FUTURES_WALLET = "cfm"
"""The wallet of the exchange that futures are paid from and into."""

PERPETUAL_STYLE_NS = 3 * 365 * 86_400 * NS_PER_SECOND
"""What ends so far away is traded, and shown, as if it never ended."""

_NAMES = {"BTC": "Bitcoin", "ETH": "Ethereum", "SOL": "Solana", "USD": "US Dollar"}
_MUCH = Decimal(150_000_000)
_SESSION_NS = 86_400 * NS_PER_SECOND
_HOUR_NS = 3_600 * NS_PER_SECOND


class Product(msgspec.Struct, frozen=True):
    """A market under the venue's name."""

    id: str
    market: Market

    @property
    def spot(self) -> bool:
        """Whether what is traded is a balance."""
        return self.market.spot

    @property
    def base(self) -> str:
        """Currency, or what a future is on."""
        return self.market.instrument.base

    @property
    def quote(self) -> str:
        """Currency of prices and fees."""
        return self.market.instrument.quote

    @property
    def kind(self) -> str:
        """The venue's word."""
        return "SPOT" if self.spot else "FUTURE"


class Products:
    """All products, by the venue's name.

    Raises:
        BadInput: A market that Coinbase could not have: of another kind, or a future outside of the futures' wallet.
    """

    def __init__(self, exchange: PaperExchange) -> None:
        self._exchange = exchange
        self.by_id: dict[str, Product] = {}
        self.by_symbol: dict[str, Product] = {}
        for market in exchange.markets.values():
            terms = market.instrument
            if (terms.kind, terms.wallet) not in {("spot", ""), ("linear", FUTURES_WALLET)}:
                raise BadInput(
                    "markets",
                    market.symbol,
                    "Coinbase has no such market",
                    remedy=f"List spot in the main wallet, and linear futures in the wallet {FUTURES_WALLET!r}.",
                )
            product = Product(terms.native_symbol, market)
            self.by_id[product.id] = self.by_symbol[market.symbol] = product

    def __iter__(self) -> Iterator[Product]:
        return iter(self.by_id.values())

    def find(self, product_id: str) -> Product:
        """A product by the venue's name. Raises :class:`Refusal` (404)."""
        product = self.by_id.get(product_id)
        if product is None:
            raise refusal(404, "NOT_FOUND", "valid product_id is required")
        return product

    def price(self, product: Product) -> Decimal:
        """Now."""
        return self._exchange.prices[product.market.symbol]

    def touch(self, product: Product, *, buys: bool) -> Decimal:
        """What a taker pays or gets for the first lot."""
        with exact():
            return best(product.market, self.price(product), buys=buys)

    def row(self, product: Product, now: int) -> Row:
        """As ``products`` lists it."""
        market, price = product.market, self.price(product)
        names = _spot_names(product) if product.spot else _future_names(product)
        alias, aliases = self._aliases(product)
        return {
            "product_id": product.id,
            "price": canonical(price),
            "price_percentage_change_24h": "0.5",
            "volume_24h": "11005.02587005",
            "volume_percentage_change_24h": "1.25",
            "base_increment": canonical(market.step),
            "quote_increment": "0.01",
            "quote_min_size": "1" if product.spot else "0",
            "quote_max_size": canonical(_MUCH),
            "base_min_size": canonical(market.step),
            "base_max_size": "100000",
            **names,
            "watched": False,
            "is_disabled": False,
            "new": False,
            "cancel_only": False,
            "limit_only": False,
            "post_only": False,
            "trading_disabled": False,
            "auction_mode": False,
            "product_type": product.kind,
            "quote_currency_id": product.quote,
            "fcm_trading_session_details": None if product.spot else _session(now),
            "mid_market_price": "",
            "alias": alias,
            "alias_to": aliases,
            "quote_display_symbol": "USD",
            "view_only": False,
            "price_increment": canonical(market.tick),
            "approximate_quote_24h_volume": rounded(price),
            "new_at": "2023-01-01T00:00:00Z",
            **dict.fromkeys(_EMPTY, ""),
            "is_alpha_testing": False,
            **({} if product.spot else {"future_product_details": _details(product, now)}),
        }

    def book(self, product: Product, now: int, levels: int = LEVELS) -> Row:
        """What is offered at each price."""
        market, price = product.market, self.price(product)
        with exact():
            asks = [price + level * market.level for level in range(1, levels + 1)]
            bids = [price - level * market.level for level in range(1, levels + 1)]
        size = canonical(market.depth)
        return {
            "product_id": product.id,
            "bids": [{"price": canonical(at), "size": size} for at in bids if at > ZERO],
            "asks": [{"price": canonical(at), "size": size} for at in asks],
            "time": stamp(now),
        }

    def book_answer(self, product: Product, now: int) -> Row:
        """The book of one product, with what follows from it."""
        ask, bid = self.touch(product, buys=True), self.touch(product, buys=False)
        with exact():
            spread, middle = ask - bid, quotient(ask + bid, Decimal(2))
            return {
                "pricebook": self.book(product, now),
                "last": canonical(self.price(product)),
                "mid_market": rounded(middle),
                "spread_bps": rounded(quotient(spread * 10_000, middle)),
                "spread_absolute": canonical(spread),
            }

    def _aliases(self, product: Product) -> tuple[str, list[str]]:
        """A pair in USDC trades in the book of the one in dollars, if there is one."""
        usd, usdc = f"{product.base}-USD", f"{product.base}-USDC"
        if not product.spot:
            return "", []
        if product.id == usdc and usd in self.by_id:
            return usd, []
        return "", [usdc] if product.id == usd and usdc in self.by_id else []


_EMPTY = (
    "market_cap", "base_cbrn", "quote_cbrn", "product_cbrn", "icon_color", "icon_url", "display_name_overwrite",
    "about_description", "best_bid_price", "best_ask_price",
)  # fmt: skip
"""Fields for a screen, which the interface leaves empty."""


def expiry(product: Product, now: int) -> int | None:
    """When a future ends; None where it is shown as if it never did."""
    ends = product.market.instrument.expiry
    return None if ends is None or ends - now > PERPETUAL_STYLE_NS else ends


def _spot_names(product: Product) -> Mapping[str, str]:
    return {
        "base_name": _NAMES.get(product.base, product.base),
        "quote_name": _NAMES.get(product.quote, product.quote),
        "status": "online",
        "base_currency_id": product.base,
        "base_display_symbol": product.base,
        "display_name": product.id,
        "product_venue": "CBE",
    }


def _future_names(product: Product) -> Mapping[str, str]:
    return {
        "base_name": "",
        "quote_name": _NAMES.get(product.quote, product.quote),
        "status": "",
        "base_currency_id": "",
        "base_display_symbol": "",
        "display_name": f"{product.base} {product.id.split('-')[1]}",
        "product_venue": "FCM",
    }


def _session(now: int) -> Row:
    began = now // _SESSION_NS * _SESSION_NS
    return {
        "is_session_open": True,
        "open_time": stamp(began),
        "close_time": stamp(began + _SESSION_NS),
        "session_state": "FCM_TRADING_SESSION_STATE_OPEN",
        "after_hours_order_entry_disabled": False,
        "closed_reason": "FCM_TRADING_SESSION_CLOSED_REASON_UNDEFINED",
        "maintenance": None,
    }


def _details(product: Product, now: int) -> Row:
    """What only a future has; what a contract is worth stands nowhere else."""
    terms, ends = product.market.instrument, product.market.instrument.expiry
    perpetual = expiry(product, now) is None
    return {
        "venue": "cde",
        "contract_code": product.id.split("-")[0],
        "contract_expiry": stamp(ends) if ends is not None else None,
        "contract_size": canonical(terms.contract_size),
        "contract_root_unit": terms.base,
        "group_description": f"Nano {_NAMES.get(terms.base, terms.base)} Futures",
        "contract_expiry_timezone": "Europe/London",
        "group_short_description": f"Nano {terms.base}",
        "risk_managed_by": "MANAGED_BY_FCM",
        "contract_expiry_type": "EXPIRING",
        "contract_display_name": f"{terms.base} {'PERP' if perpetual else product.id.split('-')[1]}",
        "time_to_expiry_ms": "0" if ends is None else str(max(ends - now, 0) // 1_000_000),
        "non_crypto": False,
        "contract_expiry_name": "",
        **_funding(now, perpetual=perpetual),
    }


def _funding(now: int, *, perpetual: bool) -> Row:
    """What holders of a perpetual-style future pay each other: here nothing."""
    if not perpetual:
        return {"funding_interval": None, "funding_rate": "", "funding_time": None}
    return {"funding_interval": "3600s", "funding_rate": "0", "funding_time": stamp(now // _HOUR_NS * _HOUR_NS)}
