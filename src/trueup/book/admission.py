"""What a book refuses: events that could not be folded, told before anything changes.

Whatever passes here folds without an error in every arrival order. Refusals come in the order of the checks below.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import get_args

from msgspec.structs import fields

from trueup.model import events as e
from trueup.model.errors import BadInput, UnknownInstrument
from trueup.model.instruments import Instrument
from trueup.model.numbers import DIGITS_MAX, ONE, ZERO, bounded
from trueup.model.statements import PyramidingStateSaved, SignalLogged
from trueup.model.texts import NAME_MAX, TEXT_MAX, keepable, whole_keepable

Instruments = Mapping[str, Mapping[int, Instrument]]
"""Terms by symbol and version."""

_SAME_IN_ALL_VERSIONS = ("kind", "base", "quote", "settle", "wallet")


def check(event: e.Event, instruments: Instruments, unmatched: Callable[[str], Decimal]) -> None:
    """Refuse what could not be folded.

    Args:
        event: What is offered.
        instruments: All terms defined so far.
        unmatched: How much of a declared trade venue fills have not superseded, by its id.

    Raises:
        UnknownInstrument: A fact about an instrument, or a version of one, that is not defined.
        BadInput: A number that cannot be, a text that no store could keep, or an amount without its currency.
    """
    if type(event) is e.FillBooked:
        _fill(event, instruments, within_bounds=False)
        return
    _amounts(event)
    _kept(event)
    match event:
        case e.TradeDeclared():
            _trade(event, _defined(instruments, event.instrument, event.instrument_version))
        case e.OpeningPosition():
            _price("price", event.price, _defined(instruments, event.instrument, event.instrument_version))
        case e.AdjustmentBooked():
            _adjustment(event, instruments)
        case e.AdjustmentProposed() | e.Corrected() if event.adjustment is not None:
            check(event.adjustment, instruments, unmatched)
        case e.RollBooked():
            terms = _defined(instruments, event.far, 1)
            _price("near_basis", event.near_basis, terms)
            _price("near_price", event.near_price, terms)
        case e.SplitBooked():
            _defined(instruments, event.instrument, 1)
            _split(event)
        case e.InstrumentDefined():
            _terms(event.instrument, instruments.get(event.instrument.symbol, {}))
        case e.TradesAssigned():
            _known(event.instrument, instruments)
            _assignment(event)
        case e.DeclarationMatched():
            _match(event, unmatched(event.declaration_id))
        case PyramidingStateSaved() | SignalLogged():
            return  # their instrument may be traded by many accounts, and defined in none yet
        case _:
            _known(getattr(event, "instrument", ""), instruments)


def check_fills(fills: Sequence[e.FillBooked], instruments: Instruments) -> dict[int, BadInput]:
    """How :func:`check` refuses those of many fills that it does, by place. Fills are the most frequent of facts."""
    numbers: list[Decimal | None] = []
    names: set[str] = set()
    whole: list[int] = []
    for fill in fills:
        numbers += (fill.quantity, fill.price, fill.fee, fill.fee_value, fill.settled_amount, fill.start_position)
        names.update((fill.venue_trade_id, fill.position_side, fill.strategy, fill.fee_currency, fill.settled_currency))
        whole += (fill.venue_time, fill.venue_sequence)
    # Of the texts those that get into tables; and if anything is out of bounds, it is asked of each.
    within_bounds = bounded(*numbers) and keepable(names, NAME_MAX) and whole_keepable(whole)
    refused: dict[int, BadInput] = {}
    for place, fill in enumerate(fills):
        try:
            _fill(fill, instruments, within_bounds=within_bounds)
        except BadInput as refusal:
            refused[place] = refusal
    return refused


def _fill(fill: e.FillBooked, instruments: Instruments, *, within_bounds: bool) -> None:
    """The same checks as of a declared trade, without a detour; of its numbers only where they were not made before."""
    try:
        terms = instruments[fill.instrument][fill.instrument_version]
    except KeyError:
        raise UnknownInstrument(fill.instrument) from None
    if not within_bounds:
        _amounts(fill)
        _kept(fill)
    if terms.kind == "inverse" or not fill.quantity > ZERO:
        _trade(fill, terms)
    if fill.fee and not fill.fee_currency:
        raise BadInput("fee_currency", "", "a fee without its currency", remedy="Name the currency.")
    if fill.settled_amount is not None and not fill.settled_currency:
        raise BadInput("settled_currency", "", "an amount without its currency", remedy="Name the currency.")


def _amounts(event: e.Event) -> None:
    """Numbers of unbounded size would not stay exact, however many digits arithmetic has."""
    subject = event.instrument if type(event) is e.InstrumentDefined else event
    amounts = _AMOUNTS[type(subject)]
    if bounded(*[getattr(subject, field) for field in amounts]):
        return
    field = next(field for field in amounts if not bounded(getattr(subject, field)))
    raise BadInput(
        field,
        getattr(subject, field),
        f"not a finite number of at most {DIGITS_MAX} digits before and after the point",
        remedy="Check the unit of the value.",
    )


def _kept(event: e.Event) -> None:
    """What a store could not keep would stop its tables, or the ledger, for good."""
    subject = event.instrument if type(event) is e.InstrumentDefined else event
    names, texts, whole = _KEPT[type(subject)]
    _require_kept(subject, names, NAME_MAX)
    _require_kept(subject, texts, TEXT_MAX)
    for field in whole:
        number = getattr(subject, field)
        if number is not None and not whole_keepable((number,)):
            raise BadInput(field, number, "more than 64 bits", remedy="Check the unit of the value.")


def _require_kept(subject: e.Event | Instrument, fields_: Sequence[str], longest: int) -> None:
    texts = {field: text for field in fields_ if (text := getattr(subject, field)) is not None}
    if keepable(texts.values(), longest):
        return
    field, text = next((field, text) for field, text in texts.items() if not keepable((text,), longest))
    problem = f"more than {longest} characters" if len(text) > longest else "it holds a character that no store keeps"
    raise BadInput(field, text[:80], problem, remedy="Give a shorter text, without NUL.")


def _defined(instruments: Instruments, symbol: str, version: int) -> Instrument:
    versions = instruments.get(symbol)
    if versions is None or version not in versions:
        raise UnknownInstrument(symbol)
    return versions[version]


def _known(symbol: str, instruments: Instruments) -> None:
    if symbol:
        _defined(instruments, symbol, 1)


def _trade(trade: e.FillBooked | e.TradeDeclared, terms: Instrument) -> None:
    if not _positive(trade.quantity):
        raise BadInput("quantity", trade.quantity, "a trade has a positive size", remedy="State the side apart.")
    _price("price", trade.price, terms)


def _price(field: str, price: Decimal | None, terms: Instrument) -> None:
    if terms.kind == "inverse" and price is not None and not _positive(price):
        raise BadInput(field, price, "an inverse contract's price is positive", remedy="Mend the row.")


def _adjustment(adjustment: e.AdjustmentBooked, instruments: Instruments) -> None:
    if adjustment.cash and not adjustment.currency:
        raise BadInput("currency", "", "an amount without its currency", remedy="Name the currency.")
    if adjustment.instrument:
        terms = _defined(instruments, adjustment.instrument, adjustment.instrument_version)
        _price("price", adjustment.price, terms)


def _split(split: e.SplitBooked) -> None:
    for field in ("new", "old", "quantity_after"):
        number = getattr(split, field)
        if number is not None and not (_positive(Decimal(number)) and bounded(Decimal(number))):
            raise BadInput(field, number, "no ratio or size of a split", remedy="A split 10:1 has new 10 and old 1.")


def _match(match: e.DeclarationMatched, unmatched: Decimal) -> None:
    if not _positive(match.quantity) or match.quantity > unmatched:
        raise BadInput("quantity", match.quantity, f"{unmatched} of that declaration is open", remedy="Match no more.")


def _assignment(assigned: e.TradesAssigned) -> None:
    if not assigned.strategy or assigned.strategy == assigned.of:
        raise BadInput("strategy", assigned.strategy, "they are its already, or nobody's", remedy="Name a strategy.")
    if assigned.since > assigned.until:
        raise BadInput("until", assigned.until, "it ends before it begins", remedy="State the earlier time first.")


def _terms(offered: Instrument, versions: Mapping[int, Instrument]) -> None:
    if not _positive(offered.contract_size):
        raise BadInput("contract_size", offered.contract_size, "not a positive number", remedy="Mend the definition.")
    if offered.kind == "spot" and offered.contract_size != ONE:
        raise BadInput(
            "contract_size",
            offered.contract_size,
            "spot is counted in the base currency itself",
            remedy="Leave it out and state quantities in the base currency.",
        )
    for known in versions.values():
        for field in _SAME_IN_ALL_VERSIONS:
            if getattr(offered, field) != getattr(known, field):
                raise BadInput(
                    field,
                    getattr(offered, field),
                    f"{offered.symbol} has {getattr(known, field)!r}, and versions differ in finer terms only",
                    remedy="Define another instrument under a symbol of its own.",
                )
        older, newer = sorted((offered, known), key=lambda terms: terms.version)
        if older.contract_size != newer.contract_size and older.effective_from >= newer.effective_from:
            raise BadInput(
                "contract_size",
                offered.contract_size,
                f"version {known.version} of {offered.symbol} has {known.contract_size} at the same time",
                remedy="State from when on the newer version holds (effective_from), after that of the older one.",
            )


def _positive(number: Decimal) -> bool:
    return number > ZERO


def _of_type(kind: type, *types: object) -> Sequence[str]:
    return [field.name for field in fields(kind) if field.type in types]


_AMOUNTS: Mapping[type, Sequence[str]] = {
    kind: _of_type(kind, Decimal, Decimal | None) for kind in (Instrument, *get_args(e.Event))
}
"""The decimal fields of each kind of event, and of an instrument's terms."""

_PROSE = frozenset({"reason", "evidence", "cause", "payload", "details", "source", "cursor", "key", "note"})
"""Fields that hold a text; every other one that holds characters is a name."""


_KEPT: Mapping[type, tuple[Sequence[str], Sequence[str], Sequence[str]]] = {
    kind: (
        [name for name in _of_type(kind, str, str | None) if name not in _PROSE],
        [name for name in _of_type(kind, str, str | None) if name in _PROSE],
        _of_type(kind, int, int | None),
    )
    for kind in (Instrument, *get_args(e.Event))
}
"""The names, the texts and the whole numbers of each kind of event, and of an instrument's terms."""
