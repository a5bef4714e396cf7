"""The parameters of a request, from JSON or from a query, where everything is text; each is read as what it must be."""

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

from trueup.model.errors import BadInput
from trueup.model.numbers import parse_decimal
from trueup.testing.servers.jsonrpc_derivatives import wire

_FLAGS = {"true": True, "false": False}


class Params:
    """What a request says, by name; every method raises :class:`wire.Refusal` for what is missing or otherwise."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    def __contains__(self, name: str) -> bool:
        return self._values.get(name) is not None

    def text(self, name: str, default: str | None = None) -> str:
        """Text; where there is no default it has to be there."""
        value = self._values.get(name)
        if value is None and default is not None:
            return default
        if value is None:
            raise wire.invalid(name, "missing required parameter")
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            return str(value)  # a label of digits in a query
        if not isinstance(value, str):
            raise wire.invalid(name, "must be a string")
        return value

    def choice(self, name: str, allowed: Collection[str], default: str | None = None) -> str:
        """One of some words."""
        word = self.text(name, default)
        if word not in allowed:
            raise wire.invalid(name, f"must be one of: {', '.join(sorted(allowed))}")
        return word

    def decimal(self, name: str) -> Decimal | None:
        """A number, exact; None where there is none."""
        value = self._values.get(name)
        if value is None:
            return None
        try:
            return parse_decimal(value, name)
        except BadInput:
            raise wire.invalid(name, "must be a number") from None

    def integer(self, name: str, default: int | None = None, *, least: int = 0, most: int | None = None) -> int:
        """A whole number within bounds."""
        value = self.decimal(name)
        if value is None and default is not None:
            return default
        if value is None:
            raise wire.invalid(name, "missing required parameter")
        if value % 1 or value < least or (most is not None and value > most):
            raise wire.invalid(name, f"must be a whole number from {least}" + (f" to {most}" if most else ""))
        return int(value)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """True or false."""
        value = self._values.get(name)
        if value is None:
            return default
        found = value if isinstance(value, bool) else _FLAGS.get(str(value))
        if found is None:
            raise wire.invalid(name, "must be a boolean")
        return found

    def words(self, name: str) -> Sequence[str]:
        """A list of text."""
        value = self._values.get(name)
        if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
            raise wire.invalid(name, "must be a list of strings")
        return value
