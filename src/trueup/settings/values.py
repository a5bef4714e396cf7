"""What a value may be. No message repeats a value: it may be a secret in the wrong place."""

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from ipaddress import ip_address
from urllib.parse import urlsplit

from trueup.model.assets import Named
from trueup.model.differences import Kind
from trueup.model.venues import Stage

REFERENCES = ("env", "file", "keyring")
"""How a secret may be named, before the colon."""


def is_reference(text: str) -> bool:
    """Whether this names a secret, and is not one."""
    kind, _, name = text.partition(":")
    return kind in REFERENCES and bool(name)


class FromEnvironment(str):
    """Text from the environment, where a number is text too."""

    __slots__ = ()


class Wrong(Exception):
    """A value that cannot be used: the problem, and what to do."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy


Read = Callable[[object], object]
"""The value of a key; raises :class:`Wrong`."""


def text(value: object) -> str:
    """Any text but none."""
    if not isinstance(value, str) or not value:
        raise Wrong("not text", "Write it in quotation marks.")
    return str(value)


def _matching(pattern: str, problem: str, remedy: str) -> Read:
    def read(value: object) -> str:
        if not isinstance(value, str) or re.fullmatch(pattern, value, re.ASCII) is None:
            raise Wrong(problem, remedy)
        return str(value)

    return read


def one_of(names: Sequence[str]) -> Read:
    """One of these."""

    def read(value: object) -> str:
        found = next((name for name in names if name == value), None)
        if found is None:
            raise Wrong("not a known value", nearest(value, names))
        return found

    return read


def _reference(value: object) -> str:
    if not isinstance(value, str) or not is_reference(value):
        raise Wrong(
            "not the name of a secret",
            "Write env:NAME, file:PATH or keyring:SERVICE/USER. If this was the secret, replace it at the venue.",
        )
    return value


def _url(value: object) -> str:
    address = text(value)
    wrong = Wrong("not an address", "Write it like https://api.example.com.")
    try:
        parts = urlsplit(address)
        _ = parts.port  # raises for what is no port
    except ValueError:
        raise wrong from None
    if parts.scheme not in {"http", "https", "ws", "wss"} or not parts.hostname:
        raise wrong
    if "@" in parts.netloc or parts.query:
        raise Wrong("holds more than an address", "Leave out user, password and query: secrets have keys of their own.")
    if parts.scheme in {"http", "ws"} and not _on_this_machine(parts.hostname):
        raise Wrong("not encrypted", "Write https:// or wss://: whoever is in between would read the credentials.")
    return address


def _on_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise Wrong("not a truth value", "Write true or false.")
    return value


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(name, str) for name in value):
        raise Wrong("not a list of names", 'Write it like ["", "xyz"].')
    return tuple(value)


def _whole(least: int, most: int) -> Read:
    def read(value: object) -> int:
        number = _decimal(value)
        if number != number.to_integral_value() or not least <= number <= most:
            raise Wrong("out of range", f"Write a whole number from {least} to {most}.")
        return int(number)

    return read


def between(least: int, most: int) -> Read:
    """A number of this range, its ends included."""

    def read(value: object) -> Decimal:
        number = _decimal(value)
        if not least <= number <= most:
            raise Wrong("out of range", f"Write a number from {least} to {most}.")
        return number

    return read


def _decimal(value: object) -> Decimal:
    """A number of the file, or the text of one from the environment."""
    try:
        if isinstance(value, int | Decimal | FromEnvironment) and not isinstance(value, bool):
            number = Decimal(value)
            if number.is_finite():
                return number
    except InvalidOperation:
        pass
    raise Wrong("not a number", "Write a plain number, without quotation marks.")


def place(value: object) -> str:
    """A directory, or the address of a database without its password."""
    if has_password(text(value)):
        raise Wrong(
            "an address with a password",
            "Leave the password to PGPASSWORD or ~/.pgpass, or name the whole address: env:NAME.",
        )
    return text(value)


def has_password(address: str) -> bool:
    """Whether an address of a database holds its password, or might."""
    if "://" not in address:
        return False
    try:
        parts = urlsplit(address)
    except ValueError:
        return True
    return parts.password is not None or "password" in parts.query


def rate(value: object) -> Decimal:
    """What one unit is worth in another currency."""
    number = _decimal(value)
    if not number > 0:
        raise Wrong("not a positive rate", 'Write it like "USDC/USD" = 1.')
    return number


def named(value: object) -> Named:
    """The asset of a coin: its name, or its name and units."""
    given = value if isinstance(value, dict) else {"asset": value}
    asset, units = given.get("asset"), given.get("units", 1)
    if not isinstance(asset, str) or not asset or given.keys() - {"asset", "units"} or not _decimal(units) > 0:
        raise Wrong("not an asset", 'Write it like XBT = "BTC", or kPEPE = { asset = "PEPE", units = 1000 }.')
    return Named(asset, _decimal(units))


OF_ALL: Mapping[str, Read] = {
    "store": place,
    "backup": text,
    "db_path": text,
    "reconciliation_interval": _whole(1, 86_400),
    "liquidation_threshold": between(0, 100),
    "reporting_currency": _matching("[A-Z0-9]{2,12}", "not a currency", "Write it like USD."),
}

MODES = ("report", "facts", "adjust", "approve")
"""How far correcting may go, each further than those before it."""


def _modes(value: object) -> Mapping[str, str]:
    if not isinstance(value, dict) or not all(mode in MODES for mode in value.values()):
        raise Wrong("not modes by account or kind", 'Write it like { "oanda:main" = "report", CASH = "adjust" }.')
    kinds = {name.rpartition(" ")[2] if ":" in name else name for name in value}
    unknown = sorted(kind for kind in kinds if ":" not in kind and kind not in Kind.__members__)
    if unknown:
        raise Wrong("neither an account nor a kind of break", nearest(unknown[0], list(Kind.__members__)))
    return {str(name): str(mode) for name, mode in value.items()}


def _exposures(value: object) -> tuple[Decimal, ...]:
    given = tuple(map(_decimal, value)) if isinstance(value, list) else ()
    if not isinstance(value, list) or list(given) != sorted(set(given)) or min(given, default=0) < 0:
        raise Wrong("not a list of ascending amounts", "Write it like [1000, 10000].")
    return given


def _symbols(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) and name for name in value):
        raise Wrong("not a list of symbols", 'Write it like ["BTC/USDC:USDC"], or ["*"] for all.')
    return tuple(value)


OF_CORRECTIONS: Mapping[str, Read] = {
    "mode": one_of(MODES),
    "modes": _modes,
    "adjust_up_to": between(0, 10**12),
    "adjust_per_day": between(0, 10**12),
    "per_hour": _whole(1, 100_000),
    "storm": _whole(1, 100_000),
    "critical_exposure": between(0, 10**12),
    "escalate_from": _exposures,
    "stops_required": _symbols,
}

OF_ACCOUNT: Mapping[str, Read] = {
    "stage": one_of(list(Stage)),
    "rest_url": _url,
    "stream_url": _url,
    "login_url": _url,
    "token_file": text,
    "api_key": _reference,
    "address": _matching(
        "0x[0-9a-fA-F]{40}", "not an address", "Write 0x and 40 hexadecimal digits; a key of 64 does not belong here."
    ),
    "signer": _reference,
    "token": _reference,
    "key": _reference,
    "secret": _reference,
    "futures": _flag,
    "vault": _flag,
    "dexes": _names,
    "account_id": _matching(r"\d{3}-\d{3}-\d+-\d{3}", "not an account number", "Write it like 101-004-1234567-001."),
    "port": _whole(1, 65_535),
    "exchange": _matching("[a-z0-9]{2,32}", "not a name of ccxt's", "Write it like bybit: trueup venues list --all."),
    "password": _reference,
    "uid": _reference,
    "wallet": _matching("[0-9A-Za-z]{8,128}", "not an address", "Write the account's own address, never its key."),
    "symbols": _names,
}


def nearest(given: object, known: Sequence[str]) -> str:
    """The known name that was probably meant, or all of them, as a remedy."""
    near = get_close_matches(given, known, n=1) if isinstance(given, str) else []
    return f"Did you mean {near[0]}?" if near else f"Known are: {', '.join(known)}."
