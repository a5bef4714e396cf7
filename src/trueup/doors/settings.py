"""Where a door leads: a configuration as a mapping, a file with sections, an address or a directory, in one shape.

The keys of a section are the fields of :class:`DoorSettings`, or the parts of a PostgreSQL address: ``host``, ``port``,
``database``, ``user``, ``password``, ``sslmode``.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
from platformdirs import user_data_path

from trueup.model.errors import BadInput
from trueup.model.identifiers import AccountId, parse_account
from trueup.settings import Settings, load_settings, store_named_in

Config = Mapping[str, Any] | str | Path | None

SECTION = "local"
"""The section that is used when none is named."""

_ADDRESS = ("host", "port", "database", "user", "password", "sslmode")
_OURS = ("store", "account", "currency", "author", "backup_to")


ACCOUNT = "declared:main"


class DoorSettings(msgspec.Struct, frozen=True):
    """What a door needs to know.

    Attributes:
        store: A data directory or a ``postgresql://`` address.
        account: Whose positions are meant where none is named, ``venue:name``.
        currency: What prices are in, for instruments that nobody has defined.
        author: Who is on record as having said so.
        backup_to: A directory for automatic backups; None for none.
    """

    store: str
    account: AccountId
    currency: str = "USD"
    author: str = "program"
    backup_to: str | None = None


def door_settings(config: Config = None, section: str | None = None, *, account: str = ACCOUNT) -> DoorSettings:
    """Read a configuration.

    Args:
        config: A mapping, itself a section or holding sections by name; the path of a JSON file with such a mapping; a
            ``postgresql://`` address; a data directory. None means TRUEUP_STORE, TRUEUP_DATA, or the system's default
            place for data.
        section: Which section; :data:`SECTION` when there are several and none is named.
        account: Whose positions are meant where the configuration does not say.

    Raises:
        BadInput: A key that is not one of those above, a section that is not there, or a file that is not JSON.
    """
    if isinstance(config, str | Path) and Path(config).suffix == ".json":
        config = _read(Path(config).expanduser())
    if isinstance(config, Mapping):
        return _from({"account": account} | dict(_section(config, section)))
    chosen = config or store_named_in(os.environ)
    return DoorSettings(str(chosen or user_data_path("trueup", appauthor=False)), parse_account(account))


SETTINGS_VARIABLE = "TRUEUP_CONFIG"


def in_force(path: str | Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of a file, or of the one that ``TRUEUP_CONFIG`` names, with the environment over them.

    Args:
        path: The file.
        environment: In place of the process's own.

    Raises:
        BadSettings: All mistakes in them.
    """
    variables = os.environ if environment is None else environment
    chosen = path or variables.get(SETTINGS_VARIABLE)
    return load_settings(Path(chosen) if chosen else None, variables)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(
            "config", path, f"cannot be read: {error}", remedy="Start from database_config.json.example."
        ) from error
    if not isinstance(found, dict):
        raise BadInput("config", path, "not a JSON object", remedy="Start from database_config.json.example.")
    return found


def _section(config: Mapping[str, Any], section: str | None) -> Mapping[str, Any]:
    sections = {name: value for name, value in config.items() if isinstance(value, Mapping)}
    if not sections and section is None:
        return config
    name = section or (SECTION if SECTION in sections or len(sections) != 1 else next(iter(sections)))
    if name not in sections:
        raise BadInput(
            "section", name, "not in the configuration", remedy=f"There are: {', '.join(sections) or 'none'}."
        )
    return sections[name]


def _from(section: Mapping[str, Any]) -> DoorSettings:
    for key in section:
        if key not in (*_ADDRESS, *_OURS):
            known = ", ".join((*_OURS, *_ADDRESS))
            raise BadInput(key, section[key], "not a setting of a door", remedy=f"Known are: {known}.")
    ours = {key: section[key] for key in _OURS if section.get(key) is not None}
    if "account" in ours:
        ours["account"] = parse_account(ours["account"])
    if "store" not in ours:
        ours["store"] = _address(section) if "database" in section else door_settings().store
    return DoorSettings(**ours)


def _address(section: Mapping[str, Any]) -> str:
    part = {key: quote(str(section[key]), safe="") for key in _ADDRESS if section.get(key) is not None}
    login = part.get("user", "") + (f":{part['password']}" if "password" in part else "")
    host = f"{part.get('host', 'localhost')}:{part.get('port', 5432)}"
    options = f"?sslmode={part['sslmode']}" if "sslmode" in part else ""
    return f"postgresql://{login}{'@' if login else ''}{host}/{part['database']}{options}"
