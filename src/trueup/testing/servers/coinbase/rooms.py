"""One portfolio, with those who answer for it."""

import msgspec

from trueup.model.identifiers import AccountId
from trueup.ports import Clock
from trueup.testing.servers.coinbase.desk import Desk
from trueup.testing.servers.coinbase.history import History
from trueup.testing.servers.coinbase.products import Products
from trueup.testing.servers.coinbase.shows import Shows
from trueup.venues.paper.exchange import PaperExchange


class Room(msgspec.Struct, frozen=True):
    """What a key opens."""

    account: AccountId
    history: History
    shows: Shows
    desk: Desk

    @classmethod
    def of(
        cls,
        exchange: PaperExchange,
        account: AccountId,
        products: Products,
        clock: Clock,
        *,
        older_positions: bool,
        settles_after: int,
    ) -> "Room":
        """The room of an account of the exchange."""
        history = History(exchange, account, products, settles_after=settles_after)
        shows = Shows(exchange, account, products, history, clock, older_positions=older_positions)
        return cls(account, history, shows, Desk(exchange, account, products, history, shows, clock))
