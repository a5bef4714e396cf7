"""What people type, as exact fields: numbers, times, texts and JSON, under the names that they know.

Everything that is no field is refused by name, so that a misspelt stop is never taken for no stop.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import UnionType
from typing import Any, get_args

import msgspec

from trueup.doors.exact import number
from trueup.model.errors import BadInput
from trueup.model.numbers import canonical
from trueup.model.times import NS_PER_SECOND, parse_time

SYNONYMS: Mapping[str, str] = {
    "asset": "instrument",
    "symbol": "instrument",
    "size": "quantity",
    "id": "position_id",
    "mark_price": "current_price",
    "average_price": "entry_price",
    "signal_type": "kind",
    "type": "kind",
    "signal_timestamp": "timestamp",
    "signal_time": "timestamp",
}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def renamed(given: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    """The fields given, by the names we use.

    Raises:
        BadInput: One that is not among ``known``, or the same twice under two names.
    """
    found: dict[str, Any] = {}
    for name, value in given.items():
        field = name if name in known else SYNONYMS.get(name, name)
        if field not in known:
            raise BadInput(name, value, "not a field of this", remedy=f"Known are: {', '.join(sorted(known))}.")
        if field in found and found[field] != value:
            raise BadInput(name, value, f"contradicts {field}={found[field]!r}", remedy="Give one of the two.")
        found[field] = value
    return found


def time_of(value: object, field: str) -> int:
    """Nanoseconds from an aware datetime or RFC 3339 text.

    Raises:
        BadInput: Neither, or a datetime without a zone.
    """
    if isinstance(value, datetime) and value.tzinfo is not None:
        since = value - _EPOCH
        return (since // timedelta(seconds=1)) * NS_PER_SECOND + since.microseconds * 1_000
    if isinstance(value, str):
        return parse_time(value, field)
    raise BadInput(field, value, "not a time with a zone", remedy="Give an aware datetime or RFC 3339 text.")


def statement_fields(kind: type[msgspec.Struct], given: Mapping[str, Any]) -> dict[str, Any]:
    """Values for fields of a statement, each made into the field's type; None stays unknown."""
    types = {field.name: field.type for field in msgspec.structs.fields(kind)}
    return {name: None if value is None else _made(types[name], name, value) for name, value in given.items()}


def canonical_json(value: object, field: str) -> str:
    """JSON text with sorted keys and exact numbers; a float by its shortest text.

    Raises:
        BadInput: It holds what JSON cannot, such as NaN, or lists within lists without an end.
    """
    try:
        return msgspec.json.encode(_exact(value, field), order="deterministic").decode()
    except RecursionError as error:
        raise BadInput(field, "…", "nested too deeply", remedy="Give it flatter.") from error
    except (TypeError, ValueError) as error:
        raise BadInput(field, value, f"no JSON: {error}", remedy="Use mappings, lists, texts and numbers.") from error


def _exact(value: object, field: str) -> object:
    if isinstance(value, float | Decimal):
        return msgspec.Raw(canonical(number(value, field)).encode())
    if isinstance(value, Mapping):
        return {str(name): _exact(part, field) for name, part in value.items()}
    if isinstance(value, datetime):
        return value.isoformat()
    return [_exact(part, field) for part in value] if isinstance(value, list | tuple) else value


def _made(kind: Any, field: str, value: object) -> object:  # noqa: ANN401 - an annotation
    wanted = next(part for part in get_args(kind) if part is not type(None)) if isinstance(kind, UnionType) else kind
    return _MAKERS[wanted](value, field)


def _text(value: object, field: str) -> str:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str | int) and not isinstance(value, bool):
        return str(value)
    raise BadInput(field, value, "not a text", remedy="Give a text.")


def _truth(value: object, field: str) -> bool:
    if value in (True, False):
        return bool(value)
    raise BadInput(field, value, "neither true nor false", remedy="Give True or False.")


def _count(value: object, field: str) -> int:
    if field.endswith("_at"):
        return time_of(value, field)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise BadInput(field, value, "not a whole number", remedy="Give an int.")


_MAKERS: Mapping[type, Callable[[object, str], object]] = {Decimal: number, str: _text, bool: _truth, int: _count}
