"""What the venue knows of everybody: accounts by address, whose agent is whose, leverage, and how they stand now."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal

from trueup.model.differences import VenuePosition, VenueSnapshot
from trueup.model.errors import Unavailable
from trueup.model.identifiers import AccountId
from trueup.model.numbers import ZERO, exact, quotient
from trueup.ports import Clock
from trueup.testing.servers.hyperliquid.assets import SPOT, USDC, Asset, Assets, Row
from trueup.testing.servers.hyperliquid.history import AccountHistory
from trueup.testing.servers.hyperliquid.notation import milliseconds, number, rounded
from trueup.testing.servers.hyperliquid.orders import Placed
from trueup.venues.paper.exchange import PaperExchange
from trueup.venues.paper.markets import HALF

AGENT_DAYS = 180
_DAY_MS = 86_400_000


class State:
    """Everything the reads and the writes share.

    Args:
        exchange: Where it all happens.
        accounts: The exchange's accounts by address.
        clock: Whose ``now`` is the venue's time.
        agents: Whose agent an address is.
        masters: Whose sub-account an address is.

    Attributes:
        leverage: As set, by address and coin.
        requests: How many actions each address has sent.
        scheduled: When all orders of an address are to be cancelled, in milliseconds.
        builder_fees: The most that an address pays to a builder, in tenths of a basis point.
    """

    def __init__(
        self,
        exchange: PaperExchange,
        accounts: Mapping[str, AccountId],
        *,
        clock: Clock,
        agents: Mapping[str, str],
        masters: Mapping[str, str],
    ) -> None:
        self.exchange = exchange
        self.assets = Assets(exchange.markets.values())
        self.accounts = {address.lower(): account for address, account in accounts.items()}
        self.agents = {agent.lower(): master.lower() for agent, master in agents.items()}
        self.masters = {address.lower(): master.lower() for address, master in masters.items()}
        self.agent_names: dict[str, tuple[str, int]] = dict.fromkeys(self.agents, ("agent", self._in_days(clock)))
        self.leverage: dict[tuple[str, str], int] = {}
        self.requests: dict[str, int] = defaultdict(int)
        self.scheduled: dict[str, int] = {}
        self.builder_fees: dict[tuple[str, str], int] = {}
        self._clock = clock
        self._histories = {
            address: AccountHistory(exchange, account, place, address, self.assets)
            for place, (address, account) in enumerate(self.accounts.items())
        }

    @property
    def now(self) -> int:
        """Milliseconds."""
        return milliseconds(self._clock.now())

    def approve(self, agent: str, master: str, name: str) -> None:
        """Let an agent sign for an address."""
        self.agents[agent] = master
        self.agent_names[agent] = (name, self._in_days(self._clock))

    def history(self, address: str) -> AccountHistory | None:
        """What happened to an address, up to now; None where it is nobody's. Raises :class:`Unavailable`."""
        history = self._histories.get(address)
        return history.catch_up() if history is not None else None

    def open_orders(self, address: str, dex: str | None) -> Sequence[Placed]:
        """Orders that may still trade, newest first: of a dex, or (None) of all. The main dex has the spot orders."""
        history = self.history(address)
        working = history.working.values() if history else ()
        wallets = {"": {"", SPOT}}.get(dex, {dex}) if dex is not None else None
        chosen = [o for o in working if wallets is None or self.assets.by_coin[o.coin].wallet in wallets]
        return sorted(chosen, key=lambda order: -order.oid)

    def mid(self, asset: Asset) -> Decimal:
        """The price of a market."""
        return self.exchange.prices[asset.market.symbol]

    def run_schedule(self) -> None:
        """Cancel the orders of those whose time has come."""
        for address, time in list(self.scheduled.items()):
            if time <= self.now:
                del self.scheduled[address]
                self.cancel_all(address, "scheduledCancel")

    def cancel_all(self, address: str, status: str) -> None:
        """Cancel every order of an address, for one reason."""
        for order in self.open_orders(address, None):
            self.cancel(address, order, status)

    def cancel(self, address: str, order: Placed, status: str) -> None:
        """Cancel what is left of an order, for a reason."""
        with self._histories[address].canceled_as(status):
            self.exchange.cancel(self.accounts[address], order.report.venue_order_id)

    # --- how an address stands ----------------------------------------------------------------------------------------

    def clearinghouse(self, address: str, dex: str) -> Row:
        """The answer to ``clearinghouseState``; of nobody's address it is an empty account."""
        snapshot = self._snapshot(address)
        cash = (snapshot.balances or {}).get(USDC if not dex else f"{USDC}@{dex}", ZERO)
        assets = {asset.market.symbol: asset for asset in self.assets.perpetuals(dex)}
        held = [(assets[p.instrument], p) for p in (snapshot.positions or {}).values() if p.instrument in assets]
        with exact():
            rows = [self._position(address, asset, position) for asset, position in held]
            values = [position.quantity * _mark(position) for _, position in held]
            used = sum((self._margin(address, *pair) for pair in held), ZERO)
            equity = cash + sum((position.unrealized_pnl or ZERO for _, position in held), ZERO)
            summary = {
                "accountValue": number(equity),
                "totalNtlPos": number(sum(map(abs, values), ZERO)),
                "totalRawUsd": number(equity - sum(values, ZERO)),
                "totalMarginUsed": rounded(used),
            }
            least = sum((HALF * a.market.initial_margin * abs(p.quantity) * _mark(p) for a, p in held), ZERO)
            return {
                "marginSummary": summary,
                "crossMarginSummary": summary,
                "crossMaintenanceMarginUsed": rounded(least),
                "withdrawable": rounded(max(equity - used, ZERO)),
                "assetPositions": [{"type": "oneWay", "position": row} for row in rows],
                "time": self.now if snapshot.cut is None else milliseconds(snapshot.cut),
            }

    def spot(self, address: str) -> Row:
        """The answer to ``spotClearinghouseState``."""
        history = self.history(address)
        balances = (self._snapshot(address).balances or {}).items()
        amounts = {currency.removesuffix(f"@{SPOT}"): amount for currency, amount in balances if "@spot" in currency}
        costs = {a.market.instrument.base: history.entry_notional(a) for a in self.assets.spots} if history else {}
        return {
            "balances": [
                {
                    "coin": token,
                    "token": self.assets.tokens[token],
                    "total": number(amount),
                    "hold": "0.0",
                    "entryNtl": rounded(max(costs.get(token, ZERO), ZERO)),
                }
                for token, amount in amounts.items()
                if token in self.assets.tokens and amount
            ]
        }

    def leverage_of(self, address: str, asset: Asset) -> int:
        """As set; else the most there is, up to 20."""
        most = int(asset.market.instrument.max_leverage or 1)
        return self.leverage.get((address, asset.coin), min(most, 20))

    def _snapshot(self, address: str) -> VenueSnapshot:
        account = self.accounts.get(address)
        if account is None:
            return VenueSnapshot(AccountId(""))
        snapshot = self.exchange.snapshot(account)
        if snapshot.failed:
            raise Unavailable(f"The exchange did not say: {', '.join(snapshot.failed)}.")
        return snapshot

    def _position(self, address: str, asset: Asset, position: VenuePosition) -> Row:
        value = abs(position.quantity) * _mark(position)
        margin, gain = self._margin(address, asset, position), position.unrealized_pnl or ZERO
        history = self.history(address)
        paid = history.paid[position.instrument] if history else {}
        liquidation = position.liquidation_price
        return {
            "coin": asset.coin,
            "szi": number(position.quantity),
            "leverage": {"type": "cross", "value": self.leverage_of(address, asset)},
            "entryPx": rounded(position.entry_price or ZERO),
            "positionValue": number(value),
            "unrealizedPnl": number(gain),
            "returnOnEquity": rounded(quotient(gain, margin)),
            "liquidationPx": None if liquidation is None else rounded(liquidation),
            "marginUsed": rounded(margin),
            "maxLeverage": int(asset.market.instrument.max_leverage or 1),
            "cumFunding": {span: number(paid.get(span, ZERO)) for span in ("allTime", "sinceOpen", "sinceChange")},
        }

    def _margin(self, address: str, asset: Asset, position: VenuePosition) -> Decimal:
        return quotient(abs(position.quantity) * _mark(position), Decimal(self.leverage_of(address, asset)))

    @staticmethod
    def _in_days(clock: Clock) -> int:
        return milliseconds(clock.now()) + AGENT_DAYS * _DAY_MS


def _mark(position: VenuePosition) -> Decimal:
    """The price at the cut; positions of the exchange always have one."""
    return position.mark_price or ZERO
