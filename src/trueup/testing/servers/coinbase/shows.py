"""The answers that state how a portfolio stands: wallets, futures held, margin, fees, and what the key may do."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal

from trueup.model.differences import VenuePosition, VenueSnapshot
from trueup.model.errors import Unavailable
from trueup.model.identifiers import AccountId
from trueup.model.instruments import wallet_currency
from trueup.model.numbers import ONE, ZERO, canonical, exact, quotient
from trueup.ports import Clock
from trueup.testing.servers.coinbase.history import History
from trueup.testing.servers.coinbase.keys import Key
from trueup.testing.servers.coinbase.products import FUTURES_WALLET, Product, Products, expiry
from trueup.testing.servers.coinbase.wire import Row, amount, bare, rounded, stamp, uuid
from trueup.venues.paper.exchange import PaperExchange
from trueup.venues.paper.markets import HALF

USD = "USD"
_FIAT = frozenset({"USD", "EUR", "GBP"})
_WALLETS = {True: "ACCOUNT_TYPE_FIAT", False: "ACCOUNT_TYPE_CRYPTO"}
_OPENED = "2021-05-31T09:59:59Z"
_FUTURES_CASH = wallet_currency(USD, FUTURES_WALLET)


class Shows:
    """States one portfolio. Its methods raise :class:`Unavailable` where the exchange does.

    Args:
        older_positions: Whether ``cfm/positions`` is in the form that it had before 2026.
    """

    def __init__(
        self,
        exchange: PaperExchange,
        account: AccountId,
        products: Products,
        history: History,
        clock: Clock,
        *,
        older_positions: bool = False,
    ) -> None:
        self._exchange = exchange
        self._account = account
        self._products = products
        self._history = history
        self._clock = clock
        self._older = older_positions

    # --- wallets ------------------------------------------------------------------------------------------------------

    def accounts(self) -> Sequence[Row]:
        """A wallet for every currency of spot, also where it is empty."""
        balances = self._snapshot().balances or {}
        spot = [product for product in self._products if product.spot]
        currencies = {USD} | {product.base for product in spot} | {product.quote for product in spot}
        currencies |= {currency for currency in balances if "@" not in currency}
        held = self._on_hold()
        return [self._wallet(currency, balances.get(currency, ZERO), held[currency]) for currency in sorted(currencies)]

    def available(self, currency: str) -> Decimal:
        """What of a currency is not on hold. Called under exact arithmetic."""
        balance = (self._snapshot().balances or {}).get(currency, ZERO)
        return balance - min(self._on_hold()[currency], balance)

    def _on_hold(self) -> defaultdict[str, Decimal]:
        held: defaultdict[str, Decimal] = defaultdict(Decimal)
        with exact():
            for order in self._history.catch_up().working():
                put_aside, currency = order.held
                held[currency] += put_aside
        return held

    def _wallet(self, currency: str, balance: Decimal, on_hold: Decimal) -> Row:
        with exact():
            hold = min(on_hold, balance)
            free = balance - hold
        return {
            "uuid": uuid("wallet", self._account, currency),
            "name": f"{currency} Wallet",
            "currency": currency,
            "available_balance": amount(free, currency),
            "default": True,
            "active": True,
            "created_at": _OPENED,
            "updated_at": stamp(self._clock.now()),
            "deleted_at": None,
            "type": _WALLETS[currency in _FIAT],
            "ready": True,
            "hold": amount(hold, currency),
            "retail_portfolio_id": self._history.portfolio_id,
            "platform": "ACCOUNT_PLATFORM_CONSUMER",
        }

    # --- portfolio ----------------------------------------------------------------------------------------------------

    def portfolio(self) -> Row:
        """The only one that the key sees."""
        return {"name": "Default", "uuid": self._history.portfolio_id, "type": "DEFAULT", "deleted": False}

    def breakdown(self) -> Row:
        """``portfolios/{uuid}``, whose older fields are numbers without quotes."""
        snapshot, wallets = self._snapshot(), self.accounts()
        balances = snapshot.balances or {}
        with exact():
            spot = [self._spot_row(wallet, balances.get(wallet["currency"], ZERO)) for wallet in wallets]
            futures = [self._future_row(*held) for held in self._held(snapshot)]
            worth = sum((self._worth(w["currency"], balances.get(w["currency"], ZERO)) for w in wallets), ZERO)
            cash = balances.get(USD, ZERO)
            apart = balances.get(_FUTURES_CASH, ZERO)
            totals = {
                "total_balance": worth + apart,
                "total_futures_balance": apart,
                "total_cash_equivalent_balance": cash,
                "total_crypto_balance": worth - cash,
                "futures_unrealized_pnl": self._unrealized(snapshot),
                "perp_unrealized_pnl": ZERO,
            }
        return {
            "portfolio": self.portfolio(),
            "portfolio_balances": {name: amount(total, USD) for name, total in totals.items()},
            "spot_positions": spot,
            "perp_positions": [],
            "futures_positions": futures,
        }

    def _spot_row(self, wallet: Row, balance: Decimal) -> Row:
        currency = wallet["currency"]
        worth = self._worth(currency, balance)
        return {
            "asset": currency,
            "account_uuid": wallet["uuid"],
            "total_balance_fiat": bare(worth),
            "total_balance_crypto": bare(balance),
            "available_to_trade_fiat": bare(self._worth(currency, Decimal(wallet["available_balance"]["value"]))),
            "available_to_trade_crypto": bare(Decimal(wallet["available_balance"]["value"])),
            "allocation": bare(ZERO),
            "one_day_change": bare(ZERO),
            "cost_basis": amount(ZERO, USD),
            "asset_img_url": "",
            "is_cash": currency in _FIAT,
            "average_entry_price": amount(ZERO, USD),
            "account_type": wallet["type"],
        }

    def _future_row(self, product: Product, held: VenuePosition) -> Row:
        mark = held.mark_price or ZERO
        return {
            "product_id": product.id,
            "contract_size": canonical(product.market.instrument.contract_size),
            "side": f"FUTURES_POSITION_SIDE_{_side(held)}",
            "amount": canonical(abs(held.quantity)),
            "avg_entry_price": rounded(held.entry_price or ZERO),
            "current_price": canonical(mark),
            "unrealized_pnl": rounded(held.unrealized_pnl or ZERO),
            "expiry": self._expiry(product) or None,
            "underlying_asset": product.base,
            "asset_img_url": "",
            "product_name": product.id,
            "venue": "cde",
            "notional_value": canonical(product.market.worth(abs(held.quantity), mark)),
        }

    def _worth(self, currency: str, balance: Decimal) -> Decimal:
        product = self._products.by_id.get(f"{currency}-{USD}")
        return balance if product is None else balance * self._products.price(product)

    # --- futures ------------------------------------------------------------------------------------------------------

    def position(self, product: Product) -> VenuePosition | None:
        """What is held of a future; None where nothing is."""
        return next((held for other, held in self._held(self._snapshot()) if other is product), None)

    def positions(self) -> Sequence[Row]:
        """``cfm/positions``; one that was closed is listed no more."""
        return [self.position_row(product, held) for product, held in self._held(self._snapshot())]

    def position_row(self, product: Product, held: VenuePosition) -> Row:
        """A future that is held, in the form of its time."""
        with exact():
            market, mark = product.market, held.mark_price or ZERO
            worth = market.worth(abs(held.quantity), mark)
            margin = worth * market.initial_margin
        prices = {
            "current_price": canonical(mark),
            "avg_entry_price": rounded(held.entry_price or ZERO),
            "unrealized_pnl": rounded(held.unrealized_pnl or ZERO),
            "daily_realized_pnl": rounded(self._history.realized(market.symbol, self._clock.now())),
        }
        head = {
            "product_id": product.id,
            "expiration_time": self._expiry(product),
            "side": _side(held),
            "number_of_contracts": canonical(abs(held.quantity)),
        }
        if self._older:
            return {**head, **prices}
        liquidation = held.liquidation_price
        return {
            **head,
            **{field: {"value": value, "currency": USD} for field, value in prices.items()},
            "total_fees": amount(ZERO, USD),
            "contract_size": canonical(market.instrument.contract_size),
            "entry_vwap": {"value": prices["avg_entry_price"], "currency": USD},
            "liquidation_price": {"value": "0" if liquidation is None else rounded(liquidation), "currency": USD},
            "leverage": canonical(market.instrument.max_leverage or ONE),
            "im_contribution": {"value": rounded(margin), "currency": USD},
            "mm_contribution": {"value": rounded(margin * HALF), "currency": USD},
            "position_notional": amount(worth, USD),
        }

    def pushed_positions(self, symbols: Sequence[str] | None = None) -> Row:
        """As the user channel tells them: those of the symbols, closed ones too, or (None) all that are held."""
        held = self._held(self._snapshot(), symbols or ())
        rows = [
            {
                "product_id": product.id,
                "side": _side(position),
                "number_of_contracts": canonical(abs(position.quantity)),
                "realized_pnl": rounded(self._history.realized(position.instrument, self._clock.now())),
                "unrealized_pnl": rounded(position.unrealized_pnl or ZERO),
                "entry_price": rounded(position.entry_price or ZERO),
            }
            for product, position in held
            if symbols is None or position.instrument in symbols
        ]
        return {"perpetual_futures_positions": [], "expiring_futures_positions": rows}

    def balance_summary(self) -> Mapping[str, object]:
        """``cfm/balance_summary`` before amounts are written; what is held is not marked into the cash."""
        snapshot = self._snapshot()
        balances = snapshot.balances or {}
        spot, cash = balances.get(USD, ZERO), balances.get(_FUTURES_CASH, ZERO)
        with exact():
            initial = sum((self._margin(product, held) for product, held in self._held(snapshot)), ZERO)
            gain = self._unrealized(snapshot)
            realized = sum(
                (self._history.realized(p.market.symbol, self._clock.now()) for p in self._products if not p.spot), ZERO
            )
            maintenance = initial * HALF
            free = max(cash + gain - initial, ZERO)
            buffer = cash + gain - maintenance
            share = quotient(buffer * 100, maintenance) if maintenance else Decimal(1_000)
        amounts = {
            "futures_buying_power": free,
            "total_usd_balance": spot + cash,
            "cbi_usd_balance": spot,
            "cfm_usd_balance": cash,
            "total_open_orders_hold_amount": ZERO,
            "unrealized_pnl": gain,
            "daily_realized_pnl": realized,
            "initial_margin": initial,
            "available_margin": free,
            "liquidation_threshold": maintenance,
            "liquidation_buffer_amount": buffer,
        }
        window = {
            "initial_margin": rounded(initial),
            "maintenance_margin": rounded(maintenance),
            "liquidation_buffer": rounded(share),
            "total_hold": "0",
            "futures_buying_power": rounded(free),
        }
        return {
            **amounts,
            "liquidation_buffer_percentage": rounded(share),
            "intraday_margin_window_measure": {**_window("INTRADAY"), **window},
            "overnight_margin_window_measure": {**_window("OVERNIGHT"), **window},
        }

    def margin_window(self) -> Row:
        """``cfm/intraday/current_margin_window``."""
        now = self._clock.now()
        window = {"margin_window_type": "MARGIN_WINDOW_TYPE_INTRADAY", "end_time": stamp(now)}
        kills = ("is_intraday_margin_killswitch_enabled", "is_intraday_margin_enrollment_killswitch_enabled")
        return {"margin_window": window, **dict.fromkeys(kills, False)}

    # --- key and fees -------------------------------------------------------------------------------------------------

    def permissions(self, key: Key) -> Row:
        """``key_permissions``."""
        may = {f"can_{scope}": scope in key.scopes for scope in ("view", "trade", "transfer")}
        return {**may, "portfolio_uuid": self._history.portfolio_id, "portfolio_type": "DEFAULT"}

    def transaction_summary(self) -> Row:
        """``transaction_summary``: the fee tier; its totals are numbers without quotes."""
        orders = self._history.catch_up().orders.values()
        spot = next(product.market for product in self._products if product.spot)
        with exact():
            volume = sum((order.value for order in orders), ZERO)
            fees = sum((order.fees for order in orders), ZERO)
        return {
            "total_volume": bare(volume),
            "total_fees": bare(fees),
            "fee_tier": {
                "pricing_tier": "Advanced 1",
                "usd_from": "0",
                "usd_to": "1000",
                "taker_fee_rate": canonical(spot.taker_fee),
                "maker_fee_rate": canonical(spot.maker_fee),
                "aop_from": "",
                "aop_to": "",
            },
            "margin_rate": None,
            "goods_and_services_tax": None,
            "advanced_trade_only_volume": bare(volume),
            "advanced_trade_only_fees": bare(fees),
            "coinbase_pro_volume": bare(ZERO),
            "coinbase_pro_fees": bare(ZERO),
            "total_balance": "",
            "has_promo_fee": False,
        }

    # ------------------------------------------------------------------------------------------------------------------

    def _snapshot(self) -> VenueSnapshot:
        snapshot = self._exchange.snapshot(self._account)
        if snapshot.failed:
            raise Unavailable(f"The exchange did not say: {', '.join(snapshot.failed)}.")
        return snapshot

    def _held(self, snapshot: VenueSnapshot, also: Sequence[str] = ()) -> list[tuple[Product, VenuePosition]]:
        """Futures that are held, and what there is of others that are named."""
        held = {position.instrument: position for position in (snapshot.positions or {}).values()}
        for symbol in also:
            held.setdefault(symbol, VenuePosition(symbol, "net", ZERO))
        return [(self._products.by_symbol[symbol], position) for symbol, position in held.items()]

    def _margin(self, product: Product, held: VenuePosition) -> Decimal:
        return product.market.worth(abs(held.quantity), held.mark_price or ZERO) * product.market.initial_margin

    def _unrealized(self, snapshot: VenueSnapshot) -> Decimal:
        return sum((held.unrealized_pnl or ZERO for _, held in self._held(snapshot)), ZERO)

    def _expiry(self, product: Product) -> str:
        ends = expiry(product, self._clock.now())
        return "" if ends is None else stamp(ends)


def written(summary: Mapping[str, object], *, plain: bool) -> Row:
    """A balance summary with its amounts as objects, as over REST, or plain, as on its channel."""
    return {
        field: value if not isinstance(value, Decimal) else rounded(value) if plain else _amount(value)
        for field, value in summary.items()
    }


def _amount(value: Decimal) -> Row:
    return {"value": rounded(value), "currency": USD}


def _side(held: VenuePosition) -> str:
    return "LONG" if held.quantity >= ZERO else "SHORT"


def _window(kind: str) -> Row:
    level = "MARGIN_LEVEL_TYPE_BASE"
    return {"margin_window_type": f"FCM_MARGIN_WINDOW_TYPE_{kind}", "margin_level": level}
