"""Which fills of the venue our book lacks, and how much of a difference they explain.

Fills that explain a difference are its evidence. Those that explain none are missing all the same: FILL_MISSING.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from trueup.book.valuation import contract_value
from trueup.model.differences import Kind
from trueup.model.events import FillBooked
from trueup.model.instruments import Instrument, wallet_currency
from trueup.model.numbers import ZERO, canonical
from trueup.reconcile.findings import Findings
from trueup.reconcile.state import Sides

Effect = tuple[str, Decimal | None]
"""A venue trade id, and what the fill does to the number in question; None when that cannot be told from it alone."""


def explain(effects: Sequence[Effect], difference: Decimal) -> tuple[str, tuple[str, ...]]:
    """How far missing fills account for a difference: words to append, empty without fills, and their trade ids."""
    if not effects:
        return "", ()
    ids = tuple(trade_id for trade_id, _ in effects)
    these, verb = ("this fill", "explains") if len(ids) == 1 else (f"these {len(ids)} fills", "explain")
    known = [effect for _, effect in effects if effect is not None]
    if len(known) < len(ids):
        return f"; {these} missing in our book may explain it", ids
    rest = difference - sum(known, ZERO)
    if not rest:
        return f"; {these} missing in our book {verb} all of it", ids
    return f"; {these} missing in our book {verb} a part, {canonical(rest)} remains unexplained", ids


def report_fills(found: Findings, subject: str, fills: Sequence[FillBooked], words: str) -> None:
    """Report fills that no difference in quantity stands for."""
    if fills:
        these = "a fill of the venue is" if len(fills) == 1 else f"{len(fills)} fills of the venue are"
        ids = tuple(fill.venue_trade_id for fill in fills)
        found.add(Kind.FILL_MISSING, subject, f"{these} missing in our book; {words}", evidence=ids)


def report_unnamed_fills(sides: Sides, found: Findings) -> None:
    """Report the missing fills that no difference has named: of what was not compared, or agrees without them."""
    if not sides.missing_fills:
        return
    named = {name for difference in found.differences for name in difference.evidence}
    for key, fills in sides.missing_fills.items():
        unnamed = [fill for fill in fills if fill.venue_trade_id not in named]
        report_fills(found, " ".join(key), unnamed, "nothing that was compared differs for it")


def quantity_effects(fills: Iterable[FillBooked]) -> list[Effect]:
    """What fills do to the signed quantity of their position."""
    return [(fill.venue_trade_id, _signed(fill)) for fill in fills]


def cash_effects(fills: Iterable[FillBooked], instruments: Mapping[str, Instrument]) -> dict[str, list[Effect]]:
    """What fills do to balances, by currency; fills of instruments that nobody defined are left out."""
    effects: dict[str, list[Effect]] = {}
    for fill in fills:
        instrument = instruments.get(fill.instrument)
        if instrument is not None:
            for currency, amount in _cash(fill, instrument).items():
                effects.setdefault(currency, []).append((fill.venue_trade_id, amount))
    return effects


def _cash(fill: FillBooked, instrument: Instrument) -> dict[str, Decimal | None]:
    """What one fill does to balances: a derivative's P&L depends on the position unless the venue states it."""
    wallet = instrument.wallet
    effects: dict[str, Decimal | None] = {}
    if instrument.kind == "spot":
        effects[wallet_currency(instrument.base, wallet)] = _signed(fill)
        effects[wallet_currency(instrument.quote, wallet)] = -contract_value(instrument, _signed(fill), fill.price)
    else:
        effects[wallet_currency(fill.settled_currency or instrument.settle, wallet)] = fill.settled_amount
    if fill.fee:
        currency = wallet_currency(fill.fee_currency, wallet)
        before = effects.get(currency, ZERO)
        effects[currency] = None if before is None else before - fill.fee
    return effects


def _signed(fill: FillBooked) -> Decimal:
    return fill.quantity if fill.side == "buy" else -fill.quantity
