"""What went wrong at the database, as errors of ours. What lives only here: which failures may be tried again.

An error names the SQLSTATE and the constraint, so that it can be looked up, and never a password.
"""

import asyncio
from collections.abc import Mapping

import asyncpg

from trueup.journal.postgres.address import Address
from trueup.model.errors import StorageError

_LOST_STATES = frozenset({"57P01", "57P02", "57P03", "57P05", "25P03", "25P04"})
"""The server was shut down, crashed, or is starting, or it ended a session that took its time. With class 08: the
connection is gone."""

_AGAIN_STATES = frozenset({"40001", "40P01", "55P03", "53300"})
"""Serialisation failure, deadlock, a lock not got in time, too many connections: nothing happened."""

_RESTART = "See that the server runs and can be reached, then open the store again and resume by key."

_BROKEN = "Look into the server's own log and at its disks before anything else; then resume by key."

_LOCKED = "Another session held locks here: pg_stat_activity names it. Open the store again and resume by key."

_REMEDIES: Mapping[str, str] = {
    "08": _RESTART,
    "22": "The values are not what the database can hold; look at them.",
    "23": "The database refused what contradicts it; run `trueup journal verify`.",
    "25": "This server only reads, as a standby does: name the primary.",
    "28": "Check the user, the password and pg_hba.conf.",
    "3D": "Make the database first: CREATE DATABASE.",
    "40": _LOCKED,
    "42": "Check that the role owns the tables, and their schema with `trueup db status`.",
    "53": "Free space or memory on the database server, or allow more connections.",
    "55": _LOCKED,
    "57": _RESTART,
    "57014": "Somebody cancelled it, or the role's statement_timeout is too short for it; then resume by key.",
    "58": _BROKEN,
    "XX": _BROKEN,
}
"""By SQLSTATE class; a state of its own goes first."""


def lost(error: BaseException) -> bool:
    """Whether the connection is lost, and with it perhaps the knowledge of what became of a commit."""
    if isinstance(error, asyncpg.PostgresError):
        return error.sqlstate in _LOST_STATES or str(error.sqlstate).startswith("08")
    if isinstance(error, asyncpg.InterfaceError):
        return type(error) is asyncpg.InterfaceError  # its kinds are mistakes in what was asked
    return isinstance(error, OSError | asyncio.TimeoutError | asyncpg.InternalClientError)


def passing(error: BaseException) -> bool:
    """Whether trying again may help."""
    return lost(error) or getattr(error, "sqlstate", None) in _AGAIN_STATES


def refusal(error: BaseException, address: Address, kind: type[StorageError]) -> StorageError:
    """An error of ours that tells one of the driver's or the system's."""
    state = str(getattr(error, "sqlstate", None) or "")
    constraint = getattr(error, "constraint_name", None)
    told = address.without_password(str(error) or type(error).__name__).rstrip(".")
    named = f" (SQLSTATE {state}{f', constraint {constraint}' if constraint else ''})" if state else ""
    return kind(f"{address}: {told}{named}.", remedy=_REMEDIES.get(state, _REMEDIES.get(state[:2], _RESTART)))
