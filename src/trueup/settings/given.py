"""What is given, where, and who wins: the environment goes before the file, the file before the default."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from trueup.model.errors import BadInput, BadSettings, Mistake
from trueup.model.identifiers import parse_account
from trueup.settings.lines import KeyPath, lines_of
from trueup.settings.shape import ALLOCATION, VENUES, AccountSettings, Corrections, Settings
from trueup.settings.values import (
    OF_ACCOUNT,
    OF_ALL,
    OF_CORRECTIONS,
    FromEnvironment,
    Read,
    Wrong,
    between,
    has_password,
    is_reference,
    named,
    nearest,
    one_of,
    rate,
)

STORE_VARIABLES = ("TRUEUP_STORE", "TRUEUP_DATA")
"""What may name the store; the first that does."""

FILE_BYTES_MAX = 1 << 20
"""Settings are small; a larger file was named by mistake."""

_VARIABLES: Sequence[tuple[str, KeyPath]] = (
    *((name, ("store",)) for name in STORE_VARIABLES),
    ("TRUEUP_BACKUP", ("backup",)),
    ("DB_PATH", ("db_path",)),
    ("RECONCILIATION_INTERVAL", ("reconciliation_interval",)),
    ("LIQUIDATION_THRESHOLD", ("liquidation_threshold",)),
    ("HL_ALLOCATION", ("allocation", "hyperliquid")),
    ("CB_ALLOCATION", ("allocation", "coinbase")),
    ("HYPERLIQUID_KEY", ("accounts", "hyperliquid:main", "address")),
    ("COINBASE_KEY", ("accounts", "coinbase:main", "key")),
)
"""Names of the environment and what they set; of two for one key the first goes before."""

_SECRETS: Sequence[tuple[str, KeyPath]] = (
    ("HYPERLIQUID_SECRET", ("accounts", "hyperliquid:main", "signer")),
    ("COINBASE_SECRET", ("accounts", "coinbase:main", "secret")),
)
"""The same for what belongs to an account that is named otherwise; elsewhere the variable is nobody's."""

_DEPTH = {"allocation": 2, "corrections": 2, "rates": 2, "assets": 2, "accounts": 3}
"""How many tables deep keys stand, themselves included; what is deeper is a value of the wrong kind."""

_PLACES = frozenset({"store", "backup", "db_path", "token_file"})
"""Keys of where something is on the disk: as seen from the file that says it, as the files of secrets are too."""


def load_settings(path: Path | None, environment: Mapping[str, str]) -> Settings:
    """What is in force.

    Args:
        path: The file; None for none.
        environment: The process's variables.

    Raises:
        BadSettings: All mistakes there are.
    """
    given = _Given()
    if path is not None:
        given.add_file(path)
    given.add_environment(environment)
    settings = _Reading(given).settings()
    if given.mistakes:
        raise BadSettings(sorted(given.mistakes, key=_line))
    return settings


def store_named_in(environment: Mapping[str, str]) -> str:
    """The store that the environment names; empty where it names none."""
    return next((environment[name] for name in STORE_VARIABLES if environment.get(name)), "")


class _Given:
    """Values and their sources by key, as they come, and the mistakes in them.

    Attributes:
        values: Of an empty table, what stands in it under an empty name is None.
    """

    def __init__(self) -> None:
        self.values: dict[KeyPath, object] = {}
        self.sources: dict[KeyPath, str] = {}
        self.mistakes: list[Mistake] = []

    def add_file(self, path: Path) -> None:
        """Take what a file says."""
        try:
            text = _read(path)
            tables = tomllib.loads(text, parse_float=Decimal)
        except (OSError, ValueError, RecursionError) as error:
            line = re.search(r"at line (\d+)", str(error))
            where = f"{path}:{line[1]}" if line is not None else str(path)
            told = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            self.mistakes.append(Mistake(where, "", f"cannot be read: {told}", "Start from trueup.toml.example."))
            return
        for key, number in lines_of(text):
            self.sources.setdefault(key, f"{path}:{number}")
        self._flatten((), tables, path)

    def add_environment(self, environment: Mapping[str, str]) -> None:
        """Take what the environment says, over what is there already."""
        for name, key in reversed(_VARIABLES):
            if environment.get(name):
                hidden = key[-1] == "key" or has_password(environment[name])
                self.values[key] = f"env:{name}" if hidden else FromEnvironment(environment[name])
                self.sources[key] = name
        for name, key in _SECRETS:
            if environment.get(name) and self.below(*key[:2]):
                self.values[key] = f"env:{name}"
                self.sources[key] = name

    def below(self, *table: str) -> dict[str, KeyPath]:
        """What stands in a table, by name."""
        return {key[len(table)]: key for key in self.values if key[: len(table)] == table and len(key) > len(table)}

    def take(self, key: KeyPath, read: Read) -> object:
        """The value of a key; None where it is a mistake."""
        try:
            return read(self.values[key])
        except Wrong as wrong:
            self.refuse(key, wrong.problem, wrong.remedy)
            return None

    def refuse(self, key: KeyPath, problem: str, remedy: str) -> None:
        """Note a mistake, where the key stands or else its table."""
        tables = (key[:end] for end in range(len(key), 0, -1))
        where = next((self.sources[table] for table in tables if table in self.sources), "")
        self.mistakes.append(Mistake(where, ".".join(key), problem, remedy))

    def _flatten(self, table: KeyPath, said: Mapping[str, object], path: Path) -> None:
        for name, value in said.items():
            key = (*table, name)
            self.sources.setdefault(key, self.sources.get(table, str(path)))  # an inline table is one statement
            if isinstance(value, dict) and len(key) < _DEPTH.get(key[0], 1):
                self._flatten(key, value or {"": None}, path)
            else:
                self.values[key] = _beside(path, key, value)


class _Reading:
    """Settings out of what is given."""

    def __init__(self, given: _Given) -> None:
        self._given = given

    def settings(self) -> Settings:
        """What can be read; what cannot is a mistake by then."""
        given = self._given
        known = (*OF_ALL, *_DEPTH)
        for name in dict.fromkeys(key[0] for key in given.values):
            if name not in known:
                given.refuse((name,), "not a setting", nearest(name, known))
            elif name in _DEPTH and (name,) in given.values:
                given.refuse((name,), "not a table", f"Begin it with [{name}].")
        values: dict[str, Any] = {
            name: given.take((name,), read) for name, read in OF_ALL.items() if (name,) in given.values
        }
        found = [self._account(name) for name in given.below("accounts") if name]
        accounts = [account for account in found if account is not None]
        self._refuse_twins(accounts)
        return Settings(
            **values,
            allocation=self._allocation(),
            corrections=self._corrections(),
            rates=self._named("rates", rate),
            assets=self._named("assets", named),
            accounts={account.account: account for account in accounts},
            sources={".".join(key): given.sources[key] for key in given.values if key[-1]},
        )

    def _refuse_twins(self, accounts: Sequence[AccountSettings]) -> None:
        """An account of a venue under two names would be booked, and traded, twice."""
        first: dict[tuple[str, ...], AccountSettings] = {}
        for account in accounts:
            twin = first.setdefault(account.at_venue, account) if account.at_venue else account
            if twin is not account:
                key = ("accounts", account.account)
                self._given.refuse(key, f"the same account at its venue as {twin.account}", "Keep one of them.")

    def _allocation(self) -> Mapping[str, Decimal]:
        """The shares of the file; those of the environment over them, or over the default where the file has none."""
        given = self._given
        shares = {} if ("allocation",) in given.sources else dict(ALLOCATION)
        for name, key in given.below("allocation").items():
            if name and name not in VENUES:
                given.refuse(key, "not a venue", nearest(name, list(VENUES)))
            elif name and isinstance(share := given.take(key, between(0, 1)), Decimal):
                shares[name] = share
        if sum(shares.values()) > 1:
            given.refuse(("allocation",), "more than all there is", "Let the shares add up to 1 at most.")
        return shares

    def _named(self, table: str, read: Read) -> Mapping[str, Any]:
        """A table of which the names are a person's own."""
        given = self._given
        found = {name: given.take(key, read) for name, key in given.below(table).items() if name}
        for name in found:
            if table == "rates" and not all(name.partition("/")):
                given.refuse((table, name), "not a pair of currencies", 'Write it like "USDC/USD" = 1.')
        return {name: value for name, value in found.items() if value is not None}

    def _corrections(self) -> Corrections:
        given = self._given
        values: dict[str, Any] = {}
        for name, key in given.below("corrections").items():
            if name and name not in OF_CORRECTIONS:
                given.refuse(key, "not a setting of corrections", nearest(name, list(OF_CORRECTIONS)))
            elif name:
                values[name] = given.take(key, OF_CORRECTIONS[name])
        return Corrections(**{name: value for name, value in values.items() if value is not None})

    def _account(self, name: str) -> AccountSettings | None:
        given, table = self._given, ("accounts", name)
        said = {inner: key for inner, key in given.below(*table).items() if inner}
        if table in given.values:
            given.refuse(table, "not a table", f'Begin it with [accounts."{name}"].')
            return None
        try:
            account = parse_account(name)
        except BadInput as error:
            given.refuse(table, error.problem, f'Write [accounts."venue:name"]. {error.remedy}')
            return None
        venue = given.values[said["venue"]] if "venue" in said else name.partition(":")[0]
        kind = VENUES.get(venue) if isinstance(venue, str) else None
        if kind is None:
            given.refuse(said.get("venue", table), "not a venue", nearest(venue, list(VENUES)))
            return None
        values = self._values_of(kind, table, said)
        return None if values is None else kind(account=account, **values)

    def _values_of(
        self, kind: type[AccountSettings], table: KeyPath, said: Mapping[str, KeyPath]
    ) -> dict[str, Any] | None:
        """What is said of an account; None where something of it is a mistake."""
        given = self._given
        before = len(given.mistakes)
        fields = {field.name: field for field in msgspec.structs.fields(kind) if field.name != "account"}
        readers = {**OF_ACCOUNT, "environment": one_of(kind.environments)}
        values: dict[str, Any] = {}
        for name, key in said.items():
            if name in fields:
                values[name] = given.take(key, readers[name])
            elif name != "venue":
                given.refuse(key, f"not a setting of an account at {kind.venue}", nearest(name, [*fields, "venue"]))
        for name, field in fields.items():
            if field.required and name not in said:
                given.refuse(table, f"{name} is missing", f'Add a line {name} = … below [accounts."{table[1]}"].')
        return values if len(given.mistakes) == before else None


def _line(mistake: Mistake) -> int:
    """Where to look for a mistake: down the file, after the variables."""
    line = mistake.where.rpartition(":")[2]
    return int(line) if line.isdecimal() else 0


def _read(path: Path) -> str:
    with path.open("rb") as file:
        data = file.read(FILE_BYTES_MAX + 1)
    if len(data) > FILE_BYTES_MAX:
        raise ValueError(f"larger than {FILE_BYTES_MAX} bytes")
    return data.decode()


def _beside(path: Path, key: KeyPath, value: object) -> object:
    """A place on the disk as seen from the file that names it, also that of a secret; anything else as it is."""
    if not isinstance(value, str) or not value:
        return value
    if is_reference(value):
        kind, _, name = value.partition(":")
        return f"file:{_seen_from(path, name)}" if kind == "file" else value
    return _seen_from(path, value) if key[-1] in _PLACES and "://" not in value else value


def _seen_from(path: Path, name: str) -> str:
    return str((path.parent / Path(name).expanduser()).absolute())
