"""How an account stands: its positions and the summary of each of its currencies."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from trueup.model.differences import VenueSnapshot
from trueup.model.identifiers import AccountId
from trueup.model.numbers import ONE, ZERO, exact, quotient
from trueup.testing.servers.jsonrpc_derivatives import wire
from trueup.testing.servers.jsonrpc_derivatives.cashbook import USERNAME, Session
from trueup.testing.servers.jsonrpc_derivatives.history import AccountHistory
from trueup.testing.servers.jsonrpc_derivatives.markets import Contract, Markets
from trueup.testing.servers.jsonrpc_derivatives.wire import Row
from trueup.venues.paper.account import gain
from trueup.venues.paper.exchange import PaperExchange
from trueup.venues.paper.markets import HALF

OPENED_MS = 1_687_352_432_143
"""When the user was registered."""

_RATES = {"total": {"burst": 20, "rate": 5}}
LIMITS: Row = {
    "limits_per_currency": False,
    "non_matching_engine": {"burst": 100, "rate": 20},
    "matching_engine": {
        "trading": _RATES,
        "spot": {"burst": 20, "rate": 5},
        "quotes": {"burst": 20, "rate": 5},
        "max_quotes": {"burst": 2, "rate": 2},
        "guaranteed_quotes": {"burst": 2, "rate": 2},
        "cancel_all": {"burst": 20, "rate": 5},
    },
}

_OF_OPTIONS = (
    "options_session_rpl", "options_session_upl", "options_vega", "options_value", "options_delta", "options_theta",
    "options_pl", "options_gamma",
)  # fmt: skip
_MAPS = ("options_gamma_map", "options_vega_map", "options_theta_map")


class Accounts:
    """Shows accounts of an exchange."""

    def __init__(self, exchange: PaperExchange, markets: Markets) -> None:
        self._exchange = exchange
        self._markets = markets

    def positions(self, account: AccountId, history: AccountHistory, currency: str, kind: str) -> list[Row]:
        """Of every contract of a currency that was ever traded, flat ones included."""
        prices = self._liquidation_prices(self._snapshot(account))
        return [
            self.position(contract, history, prices.get(contract.market.symbol))
            for contract in self._markets.chosen(currency, kind)
            if contract.name in history.cashbook.sessions
        ]

    def one_position(self, account: AccountId, history: AccountHistory, contract: Contract) -> Row:
        """Of one contract, traded or not."""
        prices = self._liquidation_prices(self._snapshot(account))
        return self.position(contract, history, prices.get(contract.market.symbol))

    def position(self, contract: Contract, history: AccountHistory, liquidation: Decimal | None = None) -> Row:
        """A position; the price that it would be liquidated at is not always told."""
        market, price = contract.market, self._markets.price(contract)
        session = history.cashbook.sessions[contract.name]
        with exact():
            size, cost = session.position.quantity, session.position.cost
            worth = market.worth(size, price)
            floating, total = history.cashbook.floating(contract), gain(market, cost, worth)
            needed = market.initial_margin * abs(worth)
        leverage = int(market.instrument.max_leverage or ONE)
        return {
            "instrument_name": contract.name,
            "kind": "future",
            "direction": "buy" if size > ZERO else "sell" if size < ZERO else "zero",
            "size": wire.number(size),
            "size_currency": wire.rounded(worth) if contract.inverse else wire.number(size),
            "delta": wire.rounded(worth) if contract.inverse else wire.number(size),
            "average_price": _average(contract, session),
            "mark_price": wire.number(price),
            "index_price": wire.number(price),
            "settlement_price": wire.rounded(session.settled_price or price),
            "floating_profit_loss": wire.rounded(floating),
            "realized_profit_loss": wire.rounded(session.realized),
            "total_profit_loss": wire.rounded(total),
            "realized_funding": wire.number(session.funding),
            "interest_value": ZERO,
            "initial_margin": wire.rounded(needed),
            "maintenance_margin": wire.rounded(HALF * needed),
            "open_orders_margin": ZERO,
            "leverage": leverage,
            **({} if liquidation is None else {"estimated_liquidation_price": wire.rounded(liquidation)}),
        }

    def summaries(self, account: AccountId, history: AccountHistory, currencies: Sequence[str]) -> list[Row]:
        """Of each currency."""
        snapshot = self._snapshot(account)
        return [self._summary(snapshot, history, currency) for currency in currencies]

    def _summary(self, snapshot: VenueSnapshot, history: AccountHistory, currency: str) -> Row:
        contracts = [contract for contract in self._markets if contract.currency == currency]
        held = [p for p in (snapshot.positions or {}).values() if self._markets.of(p.instrument) in contracts]
        book = history.cashbook
        with exact():
            floating = sum((position.unrealized_pnl or ZERO for position in held), ZERO)
            equity = (snapshot.balances or {}).get(currency, ZERO) + floating
            cash, realized = book.cash[currency], book.realized(currency)
            unrealized = equity - cash - realized
            needed = sum((self._margin(p.instrument, p.quantity) for p in held), ZERO)
            delta = sum((self._worth(p.instrument, p.quantity) for p in held), ZERO)
            free = equity - needed
        return {
            "currency": currency,
            "balance": wire.number(cash),
            "equity": wire.number(equity),
            "margin_balance": wire.number(equity),
            "available_funds": wire.rounded(free),
            "available_withdrawal_funds": wire.rounded(max(min(free, cash), ZERO)),
            "initial_margin": wire.rounded(needed),
            "maintenance_margin": wire.rounded(HALF * needed),
            "projected_initial_margin": wire.rounded(needed),
            "projected_maintenance_margin": wire.rounded(HALF * needed),
            "session_rpl": wire.number(realized),
            "session_upl": wire.number(unrealized),
            "futures_session_rpl": wire.number(realized),
            "futures_session_upl": wire.number(unrealized),
            "futures_pl": wire.number(floating),
            "total_pl": wire.number(floating),
            "delta_total": wire.rounded(delta),
            "projected_delta_total": wire.rounded(delta),
            "delta_total_map": {self._markets.of(p.instrument).index: wire.number(p.quantity) for p in held},
            "estimated_liquidation_ratio": ZERO,
            "estimated_liquidation_ratio_map": {self._markets.of(p.instrument).index: ZERO for p in held},
            "fee_balance": ZERO,
            "spot_reserve": ZERO,
            "additional_reserve": ZERO,
            "portfolio_margining_enabled": False,
            "cross_collateral_enabled": False,
            "margin_model": "segregated_sm",
            "limits": LIMITS,
            "fees": [_fees(contract) for contract in contracts],
            **dict.fromkeys(_OF_OPTIONS, ZERO),
            **{name: dict[str, Decimal]() for name in _MAPS},
        }

    def _snapshot(self, account: AccountId) -> VenueSnapshot:
        snapshot = self._exchange.snapshot(account)
        if snapshot.failed:
            raise wire.refused(10040, "retry", f"no {', '.join(snapshot.failed)} now")
        return snapshot

    def _liquidation_prices(self, snapshot: VenueSnapshot) -> Mapping[str, Decimal | None]:
        return {held.instrument: held.liquidation_price for held in (snapshot.positions or {}).values()}

    def _worth(self, symbol: str, quantity: Decimal) -> Decimal:
        contract = self._markets.of(symbol)
        return contract.market.worth(quantity, self._markets.price(contract)) if contract.inverse else quantity

    def _margin(self, symbol: str, quantity: Decimal) -> Decimal:
        contract = self._markets.of(symbol)
        worth = contract.market.worth(quantity, self._markets.price(contract))
        return contract.market.initial_margin * abs(worth)


def user(user_id: int) -> Row:
    """What is said of the user besides, where more is asked for."""
    return {
        "id": user_id,
        "email": "user@example.com",
        "system_name": USERNAME,
        "username": USERNAME,
        "block_rfq_self_match_prevention": True,
        "creation_timestamp": OPENED_MS,
        "type": "main",
        "referrer_id": None,
        "login_enabled": False,
        "security_keys_enabled": False,
        "mmp_enabled": False,
        "interuser_transfers_enabled": False,
        "self_trading_reject_mode": "cancel_maker",
        "self_trading_extended_to_subaccounts": False,
    }


def _average(contract: Contract, session: Session) -> Decimal:
    quantity, cost = session.position.quantity, session.position.cost
    if not quantity:
        return ZERO
    return wire.rounded(quotient(quantity, cost) if contract.inverse else quotient(cost, quantity))


def _fees(contract: Contract) -> Row:
    market = contract.market
    rates = {"type": "fixed", "taker": wire.number(market.taker_fee), "maker": wire.number(market.maker_fee)}
    return {
        "value": {"default": rates, "block_trade": Decimal("0.3")},
        "kind": "perpetual",
        "index_name": contract.index,
    }
