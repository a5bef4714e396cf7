"""What the methods of one account share, and what the engine remembers of it for how long."""

from collections.abc import Callable

import msgspec

from trueup.model.identifiers import AccountId
from trueup.ports import Clock
from trueup.testing.servers.jsonrpc_derivatives import wire
from trueup.testing.servers.jsonrpc_derivatives.accounts import Accounts
from trueup.testing.servers.jsonrpc_derivatives.history import AccountHistory
from trueup.testing.servers.jsonrpc_derivatives.markets import Markets
from trueup.testing.servers.jsonrpc_derivatives.params import Params
from trueup.venues.paper.exchange import PaperExchange

MINUTE_MS = 60_000
ORDERS_KEPT_MS = 30 * MINUTE_MS
TRADES_KEPT_MS = 24 * 60 * MINUTE_MS
"""How long what is over is recent."""

INDEXED_MS = MINUTE_MS
"""After how long it is found among what is historical. The venue says: a short delay."""


class Desk(msgspec.Struct, frozen=True):
    """One account's room."""

    account: AccountId
    history: AccountHistory
    exchange: PaperExchange
    markets: Markets
    accounts: Accounts
    clock: Clock

    @property
    def now(self) -> int:
        """Milliseconds."""
        return wire.milliseconds(self.clock.now())

    def memory(self, kept: int, *, historical: bool) -> Callable[[int], bool]:
        """Tells whether something of a time, in milliseconds, is now among what is recent, or historical."""
        now = self.now
        return (lambda time: time <= now - INDEXED_MS) if historical else (lambda time: time > now - kept)


Method = Callable[[Desk, Params], object]
