"""The kinds of venue that scenarios play at, each a rig of the conformance suite over sockets, and what it can show."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec

from tests.conformance.venues.rigs import SocketRig
from tests.conformance.venues.test_coinbase import SPOT, coinbase
from tests.conformance.venues.test_hyperliquid import hyperliquid
from tests.conformance.venues.test_jsonrpc_derivatives import INVERSE, SETUPS
from tests.conformance.venues.test_oanda import oanda
from tests.conformance.venues.test_paper import over_a_socket
from tests.conformance.venues.test_zerodha import zerodha

Setup = Callable[..., AbstractAsyncContextManager[SocketRig]]


class VenueKind(msgspec.Struct, frozen=True):
    """A kind of venue.

    Attributes:
        setup: Makes a rig.
        tells_money: Whether its history tells what moves money besides trades.
        begins: Whether accounts begin with what it states, since its history does not tell how the money came.
        takes_back: Whether it takes trades back.
        forces: The name of what it calls a forced trade; empty where it tells it as any other, or does not force.
        amount: Money that is paid in, of its settlement currency.
        fills: What a message of its stream holds that carries fills, or tells of them; empty where it cannot be lost.
    """

    name: str
    setup: Setup
    tells_money: bool = True
    begins: bool = False
    takes_back: bool = False
    forces: str = ""
    amount: Decimal = Decimal(25)
    fills: str = ""

    @property
    def faulty(self) -> Callable[[Any], AbstractAsyncContextManager[SocketRig]]:
        """The same with a plan of wire faults."""
        return lambda plan: self.setup(plan=plan)


PAPER = VenueKind("paper", over_a_socket, takes_back=True, forces="LIQUIDATION")
HYPERLIQUID = VenueKind("hyperliquid", hyperliquid, forces="LIQUIDATION", fills="userFills")
OANDA = VenueKind("oanda", oanda, forces="LIQUIDATION", fills="ORDER_FILL")
COINBASE = VenueKind("coinbase", coinbase, tells_money=False, begins=True, takes_back=True, fills='"update"')
COINBASE_SPOT = VenueKind(
    "coinbase spot", partial(coinbase, traded=SPOT), tells_money=False, begins=True, takes_back=True
)
DERIBIT = VenueKind("deribit", SETUPS["deribit"], forces="LIQUIDATION", fills="user.changes")
DERIBIT_INVERSE = VenueKind("deribit inverse", partial(SETUPS["deribit"], INVERSE), amount=Decimal(1))
GATEWAY = VenueKind("coinbase derivatives", SETUPS["coinbase_derivatives"], forces="LIQUIDATION", fills="user.changes")
ZERODHA = VenueKind("zerodha", zerodha, tells_money=False, fills='"type":"order"')

KINDS = (PAPER, HYPERLIQUID, OANDA, COINBASE, COINBASE_SPOT, DERIBIT, DERIBIT_INVERSE, GATEWAY, ZERODHA)
