"""An order as the engine shows it, and what was asked for beyond what the exchange keeps of it."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from trueup.model.events import FillBooked, OrderReported
from trueup.model.identifiers import Side
from trueup.model.numbers import ZERO, quotient
from trueup.model.orders import OrderType
from trueup.testing.servers.jsonrpc_derivatives import wire
from trueup.testing.servers.jsonrpc_derivatives.markets import Contract, turned
from trueup.testing.servers.jsonrpc_derivatives.wire import Row

TYPES: Mapping[str, OrderType] = {
    "limit": "limit",
    "market": "market",
    "stop_market": "stop",
    "stop_limit": "stop_limit",
    "take_market": "take_profit",
}
"""The engine's words for kinds of orders, and the exchange's."""

ENDED = frozenset({"filled", "cancelled", "rejected", "triggered"})

AT_MARKET = "market_price"
"""The price of an order that has no limit yet."""

_WORDS: Mapping[str, str] = {ours: word for word, ours in TYPES.items()}
_TRIGGERS: Mapping[str, str] = {"index_price": "I", "mark_price": "M", "last_price": "T"}
_FIRED: Mapping[str, str] = {"stop_market": "market", "stop_limit": "limit", "take_market": "market"}


class Note(msgspec.Struct, frozen=True):
    """What was asked of the engine, and the exchange does not keep; as it is, of an order that somebody made by hand.

    Attributes:
        trigger: Which price the trigger waits for; nothing for an order without one.
        by_api: Whether it came over this interface.
    """

    label: str = ""
    time_in_force: str = "good_til_cancelled"
    post_only: bool = False
    reject_post_only: bool = False
    trigger: str = "last_price"
    by_api: bool = False


class Placed(msgspec.Struct, frozen=True):
    """An order and how it stands.

    Attributes:
        price: Its limit; None where it has none, as a trigger order that will go to the market.
        worth: Of what is filled: quantities times prices, or divided by them for an inverse contract.
        made_by: The trigger order that became this one.
    """

    order_id: str
    user_id: int
    contract: Contract
    note: Note
    kind: str
    side: Side
    amount: Decimal
    price: Decimal | None
    trigger_price: Decimal | None
    reduce_only: bool
    created_at: int
    updated_at: int
    state: str
    filled: Decimal = ZERO
    worth: Decimal = ZERO
    replaced: bool = False
    forced: bool = False
    reason: str = ""
    made_by: str = ""

    @classmethod
    def of(
        cls, report: OrderReported, contract: Contract, note: Note, *, user_id: int, number: int, collar: Decimal
    ) -> "Placed":
        """An order that the exchange tells of for the first time; ``collar`` is how far a market order may go."""
        kind, waits = _WORDS[report.order_type], report.trigger_price is not None
        return cls(
            _trigger_id(contract, report, note, number) if waits else contract.prefixed(str(number)),
            user_id,
            contract,
            note,
            kind,
            report.side,
            report.quantity,
            collar if report.order_type == "market" else report.price,
            report.trigger_price,
            report.reduce_only,
            report.venue_time,
            report.venue_time,
            "untriggered" if waits else "open",
            forced=report.venue_order_id.startswith("forced"),
        )

    @property
    def working(self) -> bool:
        """Whether it may still trade."""
        return self.state not in ENDED

    def fired(self, number: int, time: int, collar: Decimal) -> "tuple[Placed, Placed]":
        """What becomes of a trigger order: itself, triggered, and the order that it makes."""
        made = msgspec.structs.replace(
            self,
            order_id=self.contract.prefixed(str(number)),
            kind=_FIRED[self.kind],
            price=collar if self.price is None else self.price,
            trigger_price=None,
            created_at=time,
            updated_at=time,
            state="open",
            made_by=self.order_id,
        )
        return msgspec.structs.replace(self, state="triggered", updated_at=time), made

    def traded(self, fill: FillBooked) -> "Placed":
        """With a fill more."""
        worth = self.worth + self.contract.market.worth(fill.quantity, fill.price)
        return msgspec.structs.replace(
            self, filled=self.filled + fill.quantity, worth=worth, updated_at=fill.venue_time
        )

    def row(self) -> Row:
        """As every answer and message has it."""
        row: Row = {
            "label": self.note.label,
            "price": AT_MARKET if self.price is None else wire.number(self.price),
            "user_id": self.user_id,
            "amount": wire.number(self.amount),
            "direction": self.side,
            "time_in_force": self.note.time_in_force,
            "instrument_name": self.contract.name,
            "web": not self.note.by_api,
            "api": self.note.by_api,
            "order_id": self.order_id,
            "creation_timestamp": wire.milliseconds(self.created_at),
            "replaced": self.replaced,
            "last_update_timestamp": wire.milliseconds(self.updated_at),
            "post_only": self.note.post_only,
            "reduce_only": self.reduce_only,
            "mmp": False,
            "contracts": wire.rounded(turned(self.contract, self.amount)),
            "reject_post_only": self.note.reject_post_only,
            "order_state": self.state,
            "order_type": self.kind,
            "is_liquidation": self.forced,
            "is_rebalance": False,
            "risk_reducing": False,
        }
        if self.reason:
            row["cancel_reason"] = self.reason
        if self.made_by:
            row["trigger_order_id"] = self.made_by
        if self.trigger_price is None:
            return row | {
                "filled_amount": wire.number(self.filled),
                "average_price": self._average(),
                "max_show": wire.number(self.amount),
            }
        waiting = {"trigger_price": wire.number(self.trigger_price), "trigger": self.note.trigger}
        return row | waiting | {"triggered": self.state == "triggered"}

    def _average(self) -> Decimal:
        if not self.filled:
            return ZERO
        inverse = self.contract.inverse
        return wire.rounded(quotient(self.filled, self.worth) if inverse else quotient(self.worth, self.filled))


def _trigger_id(contract: Contract, report: OrderReported, note: Note, number: int) -> str:
    way = "TP" if report.order_type == "take_profit" else "SL"
    side = "B" if report.side == "buy" else "S"
    return contract.prefixed(f"{way}{_TRIGGERS[note.trigger]}{side}-{number}")
