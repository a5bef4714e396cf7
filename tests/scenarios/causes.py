"""The causes that the history of a venue tells in the end: what happens, and what it is to be put down to."""

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal

import msgspec

from tests.scenarios.kinds import COINBASE_SPOT, KINDS, VenueKind
from tests.scenarios.scene import Scene
from trueup.model.instruments import wallet_currency
from trueup.model.orders import OrderRequest
from trueup.testing.conformance.life import HOUR_S, price_at, terms

PRICE_MOVES_MAX = 20
"""Of half the price each, until an account is surely ruined."""

Named = Mapping[str, str]
"""Causes, by ``position`` and ``money``."""


def subject(scene: Scene, part: str) -> str:
    """The position or the balance that things happen to."""
    if part == "position":
        return f"{scene.rig.symbol} net"
    of_it = terms(scene.rig)
    return wallet_currency(of_it.settle, of_it.wallet)


# --- what happens -----------------------------------------------------------------------------------------------------


async def added(scene: Scene) -> None:
    scene.trade("buy", 2)


async def reduced(scene: Scene) -> None:
    scene.trade("sell", 1)


async def flipped(scene: Scene) -> None:
    scene.trade("sell", 5)


async def closed(scene: Scene) -> None:
    scene.trade("sell", 3)


async def twice_the_same(scene: Scene) -> None:
    """Two fills of the size, the side and the price of the first one."""
    scene.trade("buy", 3)
    scene.trade("buy", 3)


async def funded(scene: Scene) -> None:
    scene.rig.clock.skip(HOUR_S)
    scene.rig.exchange.advance()


def _pay(scene: Scene, amount: Decimal) -> None:
    scene.rig.exchange.deposit(scene.rig.account, subject(scene, "money"), amount)


async def paid_in(scene: Scene) -> None:
    _pay(scene, scene.kind.amount)


async def paid_out(scene: Scene) -> None:
    _pay(scene, -scene.kind.amount / 5)


async def ruined(scene: Scene) -> None:
    """The price runs away from a short position until it is closed by force."""
    scene.trade("sell", 13)
    rig = scene.rig
    for _ in range(PRICE_MOVES_MAX):
        if not rig.exchange.truth(rig.account).positions.get(rig.symbol):
            return
        rig.exchange.move(rig.symbol, price_at(rig, "1.5"))
    raise AssertionError("the account is too rich")


async def taken_back(scene: Scene) -> None:
    scene.rig.exchange.bust(scene.rig.account, scene.rig.exchange.truth(scene.rig.account).trade_ids[-1])


async def traded_and_paid_in(scene: Scene) -> None:
    await added(scene)
    await paid_in(scene)


async def traded_and_funded(scene: Scene) -> None:
    await added(scene)
    await reduced(scene)
    await funded(scene)


async def filled_in_part(scene: Scene) -> None:
    """Of a large resting order the market takes a part; what is left is cancelled from elsewhere."""
    rig = scene.rig
    rest = OrderRequest(rig.symbol, "buy", 40 * rig.lot, "", "limit", price_at(rig, "0.9"))
    order = rig.exchange.place(rig.account, rest)
    rig.exchange.move(rig.symbol, price_at(rig, "0.88"))
    filled = rig.exchange.cancel(rig.account, order.venue_order_id).filled
    assert 0 < filled < rest.quantity


# --- the table --------------------------------------------------------------------------------------------------------


class Cause(msgspec.Struct, frozen=True):
    """One cause.

    Attributes:
        happens: What happens at the venue.
        named: What it is put down to; where it is empty, what the kind calls a forced trade.
        kinds: Where it can happen.
    """

    happens: Callable[[Scene], Awaitable[None]]
    named: Named
    kinds: tuple[VenueKind, ...] = KINDS

    @property
    def name(self) -> str:
        return self.happens.__name__.replace("_", " ")


FILL = {"position": "FILL_MISSING", "money": "FILL_MISSING"}
TELLS_MONEY = tuple(kind for kind in KINDS if kind.tells_money)

CAUSES = (
    Cause(added, FILL),
    Cause(reduced, FILL),
    Cause(flipped, FILL, tuple(kind for kind in KINDS if kind is not COINBASE_SPOT)),
    Cause(closed, FILL),
    Cause(twice_the_same, FILL),
    Cause(filled_in_part, FILL, tuple(kind for kind in KINDS if kind is not COINBASE_SPOT)),
    Cause(funded, {"money": "FUNDING"}, TELLS_MONEY),
    Cause(paid_in, {"money": "TRANSFER"}, TELLS_MONEY),
    Cause(paid_out, {"money": "TRANSFER"}, TELLS_MONEY),
    Cause(ruined, {"position": "LIQUIDATION", "money": "LIQUIDATION"}, tuple(kind for kind in KINDS if kind.forces)),
    Cause(taken_back, FILL, tuple(kind for kind in KINDS if kind.takes_back)),
    Cause(traded_and_paid_in, {"position": "FILL_MISSING", "money": "TRANSFER"}, TELLS_MONEY),
    Cause(traded_and_funded, {"position": "FILL_MISSING", "money": "FUNDING"}, TELLS_MONEY),
)
