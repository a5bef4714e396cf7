"""What all accounts are worth together: balances and open profits, in one currency. An unknown part leaves it so."""

from collections.abc import Iterable
from decimal import Decimal

from trueup.book.valuation import unrealized_pnl
from trueup.model.numbers import ZERO, exact
from trueup.model.positions import Balance
from trueup.reconcile.across import Holdings
from trueup.reconcile.rates import Rates


def equity(
    holdings: Iterable[Holdings], balances: Iterable[Balance], rates: Rates, reporting: str
) -> tuple[Decimal | None, tuple[str, ...]]:
    """The worth of everything, and what it is not known for.

    Args:
        holdings: Open positions with their marks. A spot position is a balance as well, and counts as that.
        balances: Of all accounts.
        rates: Into the reporting currency.
        reporting: A currency of the rates.

    Returns:
        The sum, None where a part is unknown; and these parts in words.
    """
    total, unknown = ZERO, []
    with exact():
        for balance in balances:
            worth = _in(reporting, balance.currency.partition("@")[0], balance.total, rates)
            if worth is None:
                unknown.append(f"balance of {balance.currency} in {balance.account}")
            else:
                total += worth
        for held in holdings:
            for position in held.positions:
                instrument, mark = position.instrument, held.marks.get(position.instrument.symbol)
                if not position.quantity or instrument.kind == "spot":
                    continue
                gain = None
                if mark is not None:
                    gain = unrealized_pnl(instrument, position.quantity, position.cost, mark.price)
                worth = _in(reporting, instrument.settle, gain, rates)
                if worth is None:
                    unknown.append(f"profit of {instrument.symbol} in {held.account}")
                else:
                    total += worth
    return (None if unknown else total), tuple(unknown)


def _in(reporting: str, currency: str, amount: Decimal | None, rates: Rates) -> Decimal | None:
    """An amount in the reporting currency; nothing is worth nothing, whatever the rate."""
    if amount is None or not amount:
        return amount
    rate = rates.rate(currency, reporting)
    return None if rate is None else amount * rate.price
