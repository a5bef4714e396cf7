"""Orders as they are asked for. What becomes of one, the venue tells: :class:`trueup.model.events.OrderReported`."""

from decimal import Decimal
from typing import Literal

import msgspec

from trueup.model.identifiers import Side

OrderType = Literal["limit", "market", "stop", "stop_limit", "take_profit"]
"""``stop`` and ``take_profit`` become market orders when their trigger is reached, ``stop_limit`` a limit order."""

TimeInForce = Literal["", "gtc", "ioc", "fok", "post_only"]
"""Until cancelled; what trades at once; all of it at once or nothing; only what rests. Empty: as the venue does."""


class OrderRequest(msgspec.Struct, frozen=True):
    """An order as it is asked for.

    Attributes:
        client_order_id: Ours; asking again with the same one gives the first order. Empty for a trade by hand.
        order_type: ``market`` and a fired ``stop`` take what is offered and cancel the rest; ``limit`` rests.
        price: Of a limit order, else None.
        trigger_price: Of a stop, else None: a buy fires at or above it, a sell at or below it (a take-profit the other
            way round).
        reduce_only: Trades only as far as it makes the position smaller.
        position_side: Which position it is for, where an account holds both sides.
    """

    instrument: str
    side: Side
    quantity: Decimal
    client_order_id: str = ""
    order_type: OrderType = "market"
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    reduce_only: bool = False
    time_in_force: TimeInForce = ""
    position_side: str = "net"

    @property
    def buys(self) -> bool:
        """Whether it buys."""
        return self.side == "buy"

    @property
    def sign(self) -> int:
        """1 for a buy, -1 for a sell."""
        return 1 if self.buys else -1


class Amendment(msgspec.Struct, frozen=True):
    """What is to change of a resting order; None leaves it as it is.

    Attributes:
        quantity: That is to rest from then on: what was filled already is no part of it.
    """

    quantity: Decimal | None = None
    price: Decimal | None = None
    trigger_price: Decimal | None = None
