"""What is held of each asset over all accounts, net and gross, however its instruments are called and quoted.

A position counts with what it is exposed to: the base, in the units of its asset. What no table names is listed by
itself and added to nothing; a worth that no rate gives is unknown, and so is every sum that needs it.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import msgspec

from trueup.book.book import Mark
from trueup.book.valuation import contract_value
from trueup.model.assets import AssetMap
from trueup.model.identifiers import AccountId
from trueup.model.instruments import Instrument
from trueup.model.numbers import ZERO, exact
from trueup.model.positions import Position
from trueup.reconcile.rates import Rates


class Leg(msgspec.Struct, frozen=True):
    """One position, as a part of what is held of its asset.

    Attributes:
        quantity: Signed, in units of the asset; None where no mark tells it.
        worth: Signed, in the reporting currency; None where no mark or rate tells it.
        marked_at: Venue time of the oldest mark used; None when there was none.
    """

    account: AccountId
    instrument: str
    position_side: str
    quote: str
    quantity: Decimal | None
    worth: Decimal | None
    marked_at: int | None


class Total(msgspec.Struct, frozen=True):
    """All that is held of one asset; a sum is None where one of its parts is unknown.

    Attributes:
        net, gross: In units of the asset.
        net_worth, gross_worth: In the reporting currency.
    """

    asset: str
    net: Decimal | None
    gross: Decimal | None
    net_worth: Decimal | None
    gross_worth: Decimal | None
    legs: Sequence[Leg]


class Across(msgspec.Struct, frozen=True):
    """What is held over all accounts.

    Attributes:
        assets: By name.
        unmapped: Positions whose base no table names.
        table: The version of the table.
        reporting: The currency of worth.
    """

    assets: Mapping[str, Total]
    unmapped: Sequence[Leg]
    table: str
    reporting: str

    def by_venue(self) -> Mapping[str, Decimal | None]:
        """Gross worth at each venue, unmapped positions included; None where a part of it is unknown."""
        legs = [leg for total in self.assets.values() for leg in total.legs] + list(self.unmapped)
        venues = sorted({leg.account.partition(":")[0] for leg in legs})
        return {
            venue: _sum(
                None if leg.worth is None else abs(leg.worth) for leg in legs if leg.account.partition(":")[0] == venue
            )
            for venue in venues
        }


class Holdings(msgspec.Struct, frozen=True):
    """What one account holds, with its newest marks by instrument."""

    account: AccountId
    positions: Iterable[Position]
    marks: Mapping[str, Mark]


def across(holdings: Iterable[Holdings], table: AssetMap, rates: Rates, reporting: str) -> Across:
    """Add up what is held of each asset.

    Args:
        holdings: Of every account.
        table: Which names are the same asset.
        rates: For worth in the reporting currency.
        reporting: A currency of the rates.
    """
    found: dict[str, list[Leg]] = {}
    unmapped: list[Leg] = []
    with exact():
        for held in holdings:
            for position in held.positions:
                if not position.quantity:
                    continue
                named = table.of(position.instrument.base)
                leg = _leg(held, position, None if named is None else named.units, rates, reporting)
                (unmapped if named is None else found.setdefault(named.asset, [])).append(leg)
        totals = {asset: _total(asset, legs) for asset, legs in sorted(found.items())}
    return Across(totals, tuple(unmapped), table.version, reporting)


def _leg(held: Holdings, position: Position, units: Decimal | None, rates: Rates, reporting: str) -> Leg:
    instrument = position.instrument
    mark = held.marks.get(instrument.symbol)
    quantity = _in_base(instrument, position.quantity, mark)
    worth, at = _worth(instrument, position.quantity, mark, rates, reporting)
    return Leg(
        held.account,
        instrument.symbol,
        position.position_side,
        instrument.quote,
        None if quantity is None or units is None else quantity * units,
        worth,
        at,
    )


def _in_base(instrument: Instrument, quantity: Decimal, mark: Mark | None) -> Decimal | None:
    """What a position is exposed to, in its base coin; of a quanto contract there is no fixed amount."""
    if instrument.kind in {"spot", "linear"}:
        return quantity * instrument.contract_size
    if instrument.kind == "inverse" and mark is not None and mark.price > ZERO:
        return contract_value(instrument, quantity, mark.price)
    return None


def _worth(
    instrument: Instrument, quantity: Decimal, mark: Mark | None, rates: Rates, reporting: str
) -> tuple[Decimal | None, int | None]:
    """Signed worth in the reporting currency, and the oldest mark in it."""
    rate = rates.rate(instrument.settle if instrument.kind == "quanto" else instrument.quote, reporting)
    if rate is None or (mark is None and instrument.kind != "inverse"):
        return None, None
    if instrument.kind == "inverse":
        amount, times = quantity * instrument.contract_size, [rate.at]
    else:
        price = ZERO if mark is None else mark.price
        amount, times = contract_value(instrument, quantity, price), [rate.at, mark.venue_time if mark else None]
    return amount * rate.price, min((time for time in times if time is not None), default=None)


def _total(asset: str, legs: Sequence[Leg]) -> Total:
    quantities, worths = [leg.quantity for leg in legs], [leg.worth for leg in legs]
    return Total(
        asset,
        _sum(quantities),
        _sum(None if quantity is None else abs(quantity) for quantity in quantities),
        _sum(worths),
        _sum(None if worth is None else abs(worth) for worth in worths),
        tuple(legs),
    )


def _sum(amounts: Iterable[Decimal | None]) -> Decimal | None:
    """The sum; None where one is unknown."""
    known = list(amounts)
    parts = [amount for amount in known if amount is not None]
    return sum(parts, ZERO) if len(parts) == len(known) else None
