"""Balances, three ways, by currency: cash, and the coins that spot positions are.

A total that our book does not know is never taken for zero: it cannot be compared, so it is FAILED. A currency missing
from the venue's answer is zero, provided the answer speaks for its wallet: it names another currency of that wallet,
or it is empty, as is then the account.
"""

from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property
from itertools import chain

from trueup.model.differences import Kind, Severity, Status
from trueup.model.instruments import wallet_currency
from trueup.model.numbers import ZERO, canonical
from trueup.model.positions import Balance
from trueup.reconcile.database import compare_row
from trueup.reconcile.findings import Findings, worst
from trueup.reconcile.missing import Effect, cash_effects, explain
from trueup.reconcile.state import OurState, Sides
from trueup.reconcile.tolerance import Tolerance, Tolerances, pays_fees_in_kind, round_to_lot

SECTION = "balances"


def compare_balances(sides: Sides, found: Findings) -> None:
    """Compare every balance of the three sides."""
    ours, answers = sides.ours.balances, sides.theirs.balances
    rows = {} if sides.database is None else sides.database.balances
    wallets = {_wallet(currency) for currency in answers or ()}
    context = _Context(sides)
    for currency in dict.fromkeys(chain(ours, rows, answers or ())):
        before = len(found.differences)
        balance, row, answer = ours.get(currency), rows.get(currency), None
        status = compare_row(sides, found, currency, balance, row)
        if SECTION in sides.theirs.failed:
            status = worst([status, Status.FAILED])
        elif answers is not None and (not wallets or _wallet(currency) in wallets):
            answer = answers.get(currency, ZERO)
            found.compared += 1
            _compare_total(context, found, currency, (balance, row, answer))
        else:
            status = worst([status, Status.NOT_COMPARED])
            if answers is not None:
                found.not_compared.append(f"balance of {currency}")
        if answer is not None or sides.database is not None or status is Status.FAILED:
            theirs = None if answer is None else canonical(answer)
            numbers = _shown(balance), _shown(row) if sides.database else None, theirs
            found.row(SECTION, currency, numbers, before, status)


class _Context:
    """What is worked out once, and only when balances differ: how much may, and what missing fills would change."""

    def __init__(self, sides: Sides) -> None:
        self.sides = sides

    def tolerance(self, currency: str) -> tuple[Tolerance, Decimal | None]:
        """The tolerance of a currency, and the lot that its amounts come in."""
        tolerances = self.sides.tolerances
        default = self._coins.get(currency, (tolerances.cash, None))
        return tolerances.by_currency.get(currency, default[0]), default[1]

    def missing(self, currency: str) -> list[Effect]:
        """What missing fills do to the balance."""
        return self._effects.get(currency, [])

    @cached_property
    def _coins(self) -> Mapping[str, tuple[Tolerance, Decimal | None]]:
        return _coin_tolerances(self.sides.ours, self.sides.tolerances)

    @cached_property
    def _effects(self) -> Mapping[str, list[Effect]]:
        fills = chain.from_iterable(self.sides.missing_fills.values())
        return cash_effects(fills, self.sides.ours.instruments)


def _coin_tolerances(ours: OurState, tolerances: Tolerances) -> Mapping[str, tuple[Tolerance, Decimal | None]]:
    """Tolerances of the currencies that are not cash.

    A coin bought on spot is a quantity: whole lots, and one of them where fees are taken from the coin. A coin that
    inverse and quanto contracts settle in is rounded by venues, but a hundredth of it may be a fortune: the relative
    tolerance of cash alone. What linear contracts settle in is cash whatever else it is.
    """
    fee_coins = {position.instrument.symbol for position in ours.positions.values() if pays_fees_in_kind(position)}
    bought: dict[str, tuple[Tolerance, Decimal | None]] = {}
    settling: dict[str, tuple[Tolerance, Decimal | None]] = {}
    cash = set()
    for instrument in ours.instruments.values():
        currency = instrument.base if instrument.kind == "spot" else instrument.settle
        name = wallet_currency(currency, instrument.wallet)
        if instrument.kind == "spot":
            tolerance = tolerances.coin if instrument.symbol in fee_coins else tolerances.quantity
            bought[name] = (tolerance, instrument.quantity_step)
        elif instrument.kind == "linear":
            cash.add(name)
        else:
            settling[name] = (Tolerance(relative=tolerances.cash.relative), None)
    return {name: found for name, found in (bought | settling).items() if name not in cash}


def _compare_total(
    context: _Context, found: Findings, currency: str, three: tuple[Balance | None, Balance | None, Decimal]
) -> None:
    """Report a balance that is unknown, or that differs beyond tolerance."""
    balance, row, theirs = three
    ours = ZERO if balance is None else balance.total
    if ours is None:
        found.add(
            Kind.CASH,
            currency,
            "our balance is unknown: the P&L of closes from an unknown basis is missing in it",
            theirs=canonical(theirs),
            status=Status.FAILED,
        )
        return
    difference = theirs - ours
    if not difference:
        return
    tolerance, step = context.tolerance(currency)
    gap = round_to_lot(theirs, step) - round_to_lot(ours, step)
    if tolerance.allows(gap, theirs, step=step, worth=abs(gap)):
        return
    words, ids = explain(context.missing(currency), difference)
    found.add(
        Kind.CASH,
        currency,
        f"venue has {canonical(abs(difference))} {'more' if difference > ZERO else 'less'}{words}",
        ours=canonical(ours),
        database=_shown(row) if context.sides.database else None,
        theirs=canonical(theirs),
        difference=difference,
        severity=_severity(difference, theirs),
        evidence=ids,
    )


def _severity(difference: Decimal, theirs: Decimal) -> Severity:
    """By the difference's share of the venue's balance: LOW under one basis point, HIGH from one percent on."""
    size, balance = abs(difference), abs(theirs)
    if size * 10_000 < balance:
        return Severity.LOW
    return Severity.MEDIUM if size * 100 < balance else Severity.HIGH


def _wallet(currency: str) -> str:
    return currency.partition("@")[2]


def _shown(balance: Balance | None) -> str | None:
    """The total; None when it is unknown."""
    if balance is None:
        return "0"
    return None if balance.total is None else canonical(balance.total)
