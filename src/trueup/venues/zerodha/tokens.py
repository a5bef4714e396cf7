"""The token of a login, in a file that nobody else may read. What lives only here: where it is, and how long it lasts.

A login gives one token, and every call carries it. Kite ends it at about 06:00 the next morning in India, at a logout,
and on some plans at another login; then a person has to log in again. The file is read again when it has changed, so a
program that runs takes the new token without being started anew.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import time, timedelta
from pathlib import Path

import msgspec

from trueup.model.errors import AuthenticationFailed, BadInput
from trueup.model.times import NS_PER_SECOND, format_time, parse_time
from trueup.venues.transport import secrets
from trueup.venues.transport.secrets import Secret
from trueup.venues.zerodha import ist

ENDS = time(6, 0)
"""When Kite ends the tokens of the day before, about."""

ANNOUNCED_NS = 12 * 3_600 * NS_PER_SECOND
"""So long before its end a person is told: from the evening on, before a night's sleep."""


class Login(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A login, as it is kept.

    Attributes:
        user_id: Whose.
        access_token: For every call.
        login_time: RFC 3339.
    """

    user_id: str
    access_token: str
    login_time: str

    def __repr__(self) -> str:
        """Without the token."""
        return f"Login({self.user_id!r}, {self.login_time!r})"

    @property
    def ends_at(self) -> int:
        """When Kite ends the token, about, in nanoseconds."""
        return ends_after(parse_time(self.login_time, "login_time"))


def login(user_id: str, access_token: str, now: int) -> Login:
    """A login made at a time."""
    return Login(user_id, access_token, format_time(now))


def ends_after(venue_time: int) -> int:
    """When a token made at a time ends: at the next :data:`ENDS` in India."""
    today = ist.at(ist.date_of(venue_time), ENDS)
    return today if venue_time < today else ist.at(ist.date_of(venue_time) + timedelta(days=1), ENDS)


class TokenFile:
    """The file that holds an account's login.

    Args:
        path: Where; its directory is made on the first login.
        account: For what a person is told to do.
    """

    def __init__(self, path: Path, account: str) -> None:
        self.remedy = f"Log in: trueup venues login {account}"
        self._path = path
        self._read: tuple[tuple[int, int, int], Login] | None = None

    def load(self) -> Login:
        """The login that is kept now.

        Raises:
            AuthenticationFailed: There is none.
            BadInput: A file that others may read, or that holds something else.
        """
        try:
            status = self._path.stat()
        except FileNotFoundError:
            raise AuthenticationFailed(f"Nobody is logged in: there is no {self._path}.", remedy=self.remedy) from None
        stamp = status.st_ino, status.st_mtime_ns, status.st_mode
        if self._read is None or self._read[0] != stamp:
            self._read = stamp, self._decoded()
        return self._read[1]

    def save(self, made: Login) -> None:
        """Keep a login in place of the one before. Raises :class:`BadInput` where the file cannot be written."""
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(msgspec.json.encode(made))
                    file.flush()
                    os.fsync(file.fileno())
                beside.replace(self._path)
            except BaseException:
                beside.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise BadInput(
                "token_file", str(self._path), str(error.strerror), remedy="Name a place that this user can write to."
            ) from error

    def forget(self) -> None:
        """Remove the login that is kept."""
        with suppress(FileNotFoundError):
            self._path.unlink()

    def warnings(self, now: int) -> Sequence[str]:
        """What a person has to know of the login at a time; nothing while it lasts for long."""
        try:
            ends_at = self.load().ends_at
        except (AuthenticationFailed, BadInput) as error:
            return (f"{error}.",)
        if now >= ends_at:
            return (f"The login ended at about {ist.shown(ends_at)}. {self.remedy}.",)
        if now >= ends_at - ANNOUNCED_NS:
            return (
                f"The login ends at about {ist.shown(ends_at)}; after that, {self.remedy[0].lower()}{self.remedy[1:]}.",
            )
        return ()

    def _decoded(self) -> Login:
        held: Secret = secrets.load("token_file", f"file:{self._path}", {})
        try:
            found = msgspec.json.decode(held.reveal(), type=Login)
            _ = found.ends_at
        except (msgspec.DecodeError, BadInput):
            raise BadInput(
                "token_file", str(self._path), "it does not hold a login", remedy=f"Name another file. {self.remedy}."
            ) from None
        return found
