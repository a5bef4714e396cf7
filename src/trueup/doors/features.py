"""Position features that a model is fed, held against what the broker says. Pure."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from trueup.doors.broker_positions import BrokerPosition
from trueup.doors.exact import Exact, Number, number, shown
from trueup.doors.fields import renamed
from trueup.model.errors import BadInput
from trueup.model.numbers import ONE, ZERO, canonical
from trueup.reconcile.tolerance import DEFAULTS

_DIRECTIONS = {"long": ONE, "buy": ONE, "short": -ONE, "sell": -ONE, "flat": ZERO, "none": ZERO}

FEATURES = ("size", "direction", "entry_price", "unrealized_pnl", "time_in_position")


class Features(msgspec.Struct, frozen=True):
    """What the broker, and for the time the ledger, say; None where they do not.

    Attributes:
        size: Unsigned.
        direction: 1 long, -1 short, 0 flat.
        entry_price: None when flat.
        time_in_position: Seconds since it was opened.
    """

    size: Exact | None
    direction: Exact | None
    entry_price: Exact | None
    unrealized_pnl: Exact | None
    time_in_position: Exact | None


class FeaturesChecked(msgspec.Struct, frozen=True):
    """What a check of features found. True when nothing is wrong.

    Attributes:
        problems: In sentences, by feature.
        not_compared: Features that were given, and that nobody can tell.
        truth: What they should be.
    """

    instrument: str
    problems: Mapping[str, str]
    not_compared: Sequence[str]
    truth: Features

    def __bool__(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def truth_of(position: BrokerPosition | None, seconds: Decimal | None) -> Features:
    """The features of a position at the broker; of none, when it is flat there.

    Args:
        position: As the broker states it.
        seconds: How long the ledger has held it; None where it does not know.
    """
    if position is None:
        return Features(shown(ZERO), shown(ZERO), None, shown(ZERO), shown(ZERO))
    direction = ONE if position.side == "long" else -ONE
    return Features(position.units, shown(direction), position.average_price, position.unrealized_pnl, shown(seconds))


def check_features(
    instrument: str, given: Mapping[str, Any], truth: Features, *, pnl_tolerance: Number, seconds_tolerance: Number
) -> FeaturesChecked:
    """Hold features against the truth.

    Args:
        instrument: Which position.
        given: By name, those of :data:`FEATURES` that the model is fed; the direction may be a word.
        truth: What they should be.
        pnl_tolerance: How far the profit may lie apart, in the currency that the broker states it in: the price moves.
        seconds_tolerance: How far the time may lie apart.

    Raises:
        BadInput: A feature that is not one, or no finite number: a model that is fed NaN is broken already.
    """
    fed = renamed(given, FEATURES)
    allowed = {
        "entry_price": DEFAULTS.entry_price * (truth.entry_price or ZERO),
        "unrealized_pnl": number(pnl_tolerance, "pnl_tolerance"),
        "time_in_position": number(seconds_tolerance, "seconds_tolerance"),
    }
    problems, silent = {}, []
    for name, value in fed.items():
        found, should = _number(name, value), getattr(truth, name)
        if should is None and name == "entry_price" and not truth.size:
            should = ZERO  # flat: there is no entry, which a model is told by a zero
        if should is None:
            silent.append(name)
        elif found is None:
            problems[name] = f"unknown to the model; it is {canonical(should)}"
        elif abs(found - should) > allowed.get(name, ZERO):
            problems[name] = f"the model is fed {canonical(found)}; it is {canonical(should)}"
    return FeaturesChecked(instrument, problems, silent, truth)


def _number(name: str, value: object) -> Decimal | None:
    if value is None:
        return None
    if name == "direction" and isinstance(value, str) and value.lower() in _DIRECTIONS:
        return _DIRECTIONS[value.lower()]
    found = number(value, name)
    if name == "direction" and found not in _DIRECTIONS.values():
        raise BadInput(name, value, "no direction", remedy="Give 1, -1 or 0; or long, short or flat.")
    return abs(found) if name == "size" else found
