"""``Position`` and ``PositionStatus``: one position as a trading program sees it, with the figures it asks for."""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

import msgspec

from trueup.book import valuation
from trueup.doors.exact import Exact, Number, exactly, number, shown
from trueup.doors.fields import renamed
from trueup.doors.terms import plain_terms
from trueup.model.errors import BadInput
from trueup.model.instruments import Instrument
from trueup.model.numbers import ONE, ZERO, exact, quotient

_NUMBERS = ("entry_price", "current_price", "size", "leverage", "liquidation_price", "realized_pnl")


class PositionStatus(StrEnum):
    """Where in its life a position is.

    A ledger says OPEN, CLOSED, or LIQUIDATED when a forced trade ended it; the others are words for what a program is
    about to do.
    """

    OPENING = "OPENING"
    OPEN = "OPEN"
    REDUCED = "REDUCED"
    CLOSING = "CLOSING"
    CLOSED = "CLOSED"
    LIQUIDATED = "LIQUIDATED"


class Position(msgspec.Struct, frozen=True):
    """One position. Numbers may be given as int, float, text or Decimal; they come back exact.

    Attributes:
        size: Signed: negative is short. Of a closed position what was closed.
        entry_price, current_price: Average entry and newest price; None is unknown.
        leverage: None where nobody said. It changes no profit.
        status: See :class:`PositionStatus`.
        realized_pnl: Gross of fees, of all that was closed so far; None for a position that is in no ledger.
        opened_at, closed_at, updated_at: RFC 3339.
        account: The ledger it is in, ``venue:name``; empty for none.
        position_id: Its name there.
        terms: Of the contract; None for a plain one: worth size times price.

    Raises:
        BadInput: A number that is none, or a leverage that is not positive. Prices may be negative: some are.
    """

    asset: str
    entry_price: Exact | None
    current_price: Exact | None
    size: Exact
    leverage: Exact | None
    venue: str
    liquidation_price: Exact | None = None
    status: PositionStatus = PositionStatus.OPEN
    is_base_position: bool = False
    realized_pnl: Exact | None = None
    opened_at: str | None = None
    closed_at: str | None = None
    updated_at: str | None = None
    account: str = ""
    position_id: str = ""
    terms: Instrument | None = None

    if TYPE_CHECKING:

        def __init__(  # noqa: PLR0917 - the documented order
            self,
            asset: str,
            entry_price: Number | None,
            current_price: Number | None,
            size: Number,
            leverage: Number | None,
            venue: str,
            liquidation_price: Number | None = None,
            status: PositionStatus = PositionStatus.OPEN,
            is_base_position: bool = False,  # noqa: FBT001, FBT002 - as above
            *,
            realized_pnl: Number | None = None,
            opened_at: str | None = None,
            closed_at: str | None = None,
            updated_at: str | None = None,
            account: str = "",
            position_id: str = "",
            terms: Instrument | None = None,
        ) -> None: ...

    def __post_init__(self) -> None:
        """Make numbers exact."""
        for field in _NUMBERS:
            given = getattr(self, field)
            if given is None and field != "size":
                continue
            value = number(given, field)
            if field == "leverage" and not value > ZERO:
                raise BadInput(field, given, "not a positive number", remedy="A short position has a negative size.")
            msgspec.structs.force_setattr(self, field, exactly(value))
        msgspec.structs.force_setattr(self, "status", _status(self.status))

    @property
    def is_open(self) -> bool:
        """Whether anything is held."""
        return self.status not in {PositionStatus.CLOSED, PositionStatus.LIQUIDATED}

    def calculate_pnl(self) -> Exact | None:
        """What closing it at the current price would realise, without fees; None where a price is unknown."""
        if self.entry_price is None or self.current_price is None:
            return None
        with exact():
            cost = valuation.contract_value(self._contract, self.size, self.entry_price)
            return shown(valuation.unrealized_pnl(self._contract, self.size, cost, self.current_price))

    def calculate_pnl_percent(self) -> float | None:
        """How far the price moved in its favour, in per cent of the entry; None where a price is unknown.

        Also None where the entry is not positive: then per cents of it mean nothing.
        """
        if self.entry_price is None or self.current_price is None or self.entry_price <= ZERO:
            return None
        with exact():
            moved = (self.current_price - self.entry_price) * ONE.copy_sign(self.size)
            return float(quotient(100 * moved, self.entry_price))

    def calculate_liquidation_distance(self) -> float | None:
        """How far the price may still move against it, in per cent of the current price; None where that is unknown.

        Zero or less when the price is at the liquidation price already, or beyond.
        """
        share = self._liquidation_share()
        return None if share is None else float(100 * share)

    def get_margin_ratio(self) -> float | None:
        """:meth:`calculate_liquidation_distance` as a fraction."""
        share = self._liquidation_share()
        return None if share is None else float(share)

    def notional(self) -> Exact | None:
        """What it is worth at the current price, unsigned; None where that is unknown."""
        if self.current_price is None:
            return None
        with exact():
            return exactly(valuation.notional(self._contract, self.size, self.current_price))

    def to_dict(self) -> dict[str, Any]:
        """All fields; :meth:`from_dict` takes them back."""
        own = {name: getattr(self, name) for name in self.__struct_fields__}
        terms = None if self.terms is None else msgspec.to_builtins(self.terms)
        return own | {"status": self.status.value, "terms": terms}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """The position of some fields.

        Raises:
            BadInput: A field that is not one, one that is missing, or a value that cannot be.
        """
        given = renamed(fields, cls.__struct_fields__)
        for name in ("asset", "entry_price", "current_price", "size", "leverage", "venue"):
            if name not in given:
                raise BadInput(name, None, "missing", remedy="Give it; None where it is unknown.")
        if given.get("terms") is not None:
            given["terms"] = msgspec.convert(given["terms"], Instrument)
        return cls(**given)

    @property
    def _contract(self) -> Instrument:
        return self.terms or plain_terms(self.asset, "USD")

    def _liquidation_share(self) -> Decimal | None:
        if self.current_price is None or self.liquidation_price is None or not self.size:
            return None
        if self.current_price <= ZERO:  # no share of it is a distance
            return None
        with exact():
            return valuation.liquidation_distance(self.size, self.current_price, self.liquidation_price)


def _status(given: str) -> PositionStatus:
    try:
        return PositionStatus(str(given).upper())
    except ValueError:
        known = ", ".join(PositionStatus)
        raise BadInput("status", given, "not the status of a position", remedy=f"Known are: {known}.") from None
