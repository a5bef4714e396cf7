"""Credentials. What lives only here: where they come from, and that they cannot be shown by accident.

A secret is named, never written down: ``env:NAME``, ``file:PATH`` or ``keyring:SERVICE/USER``. A file that others may
read is refused. The value leaves its wrapper through :meth:`Secret.reveal` alone, where a request is signed.
"""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from trueup.model.errors import BadInput
from trueup.settings import is_reference

HIDDEN = "<secret>"

FILE_BYTES_MAX = 64 << 10
"""A key is small; a larger file was named by mistake."""


class Secret:
    """A credential that shows its name instead of its value, wherever it is printed, logged or stored."""

    __slots__ = ("__value", "name")

    def __init__(self, name: str, value: str) -> None:
        self.name = name
        self.__value = value

    def reveal(self) -> str:
        """The value. For signing a request, and nothing else."""
        return self.__value

    def __repr__(self) -> str:
        return f"Secret({self.name!r})"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{self!r} cannot be pickled or copied")


def load(field: str, reference: str, environment: Mapping[str, str], *, lines: bool = False) -> Secret:
    """The secret behind a reference.

    Args:
        field: Which setting asks, for the message.
        reference: ``env:NAME``, ``file:PATH`` or ``keyring:SERVICE/USER``.
        environment: The process's environment.
        lines: Whether it may have several lines, as a key in PEM has. Such a one is only signed with, never sent.

    Raises:
        BadInput: No such secret, a file that others may read, more than one credential, or not a reference at all. The
            message never repeats what was given in place of a reference: it may be the secret itself.
    """
    if not is_reference(reference):
        raise BadInput(
            field,
            HIDDEN,
            "not a reference to a secret",
            remedy="Name it: env:NAME, file:PATH or keyring:SERVICE/USER; never write it into the settings.",
        )
    kind, _, name = reference.partition(":")
    value = _SOURCES[kind](field, name, environment).strip()
    if not value:
        raise BadInput(field, reference, "the secret is empty", remedy="Put the credential where the reference points.")
    on_one_line = "".join(value.splitlines()) if lines else value
    if not (on_one_line.isascii() and on_one_line.isprintable()):  # whatever sends it would say it aloud as it refuses
        raise BadInput(
            field,
            reference,
            "the secret holds a line end, or another character that no credential has",
            remedy="Keep the credential alone there, on one line.",
        )
    return Secret(reference, value)


def _from_environment(field: str, name: str, environment: Mapping[str, str]) -> str:
    try:
        return environment[name]
    except KeyError:
        raise BadInput(field, f"env:{name}", "this variable is not set", remedy=f"Set {name}.") from None


def _from_file(field: str, name: str, _environment: Mapping[str, str]) -> str:
    reference = f"file:{name}"
    path = Path(name).expanduser()
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe would wait for its other end
    except OSError as error:
        raise BadInput(field, reference, str(error), remedy="Name a file that this user can read.") from error
    try:
        status = os.fstat(descriptor)  # of what was opened, not of what may stand there by now
        if not stat.S_ISREG(status.st_mode) or status.st_size > FILE_BYTES_MAX:
            raise BadInput(field, reference, "not a small file", remedy="Name the file that holds the credential.")
        if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise BadInput(
                field,
                reference,
                f"others may use this file ({stat.filemode(status.st_mode)})",
                remedy=f"chmod 600 {path}, and think of the credential as known to others until it is replaced.",
            )
        return os.read(descriptor, FILE_BYTES_MAX).decode()
    except UnicodeDecodeError:
        raise BadInput(field, reference, "not text", remedy="Name the file that holds the credential.") from None
    finally:
        os.close(descriptor)


def _from_keyring(field: str, name: str, _environment: Mapping[str, str]) -> str:
    reference = f"keyring:{name}"
    service, _, user = name.partition("/")
    try:
        import keyring  # noqa: PLC0415 - optional, and slow to import
        from keyring.errors import KeyringError  # noqa: PLC0415 - with it
    except ImportError:
        raise BadInput(
            field, reference, "no keyring here", remedy="pip install keyring, or use env: or file:."
        ) from None
    try:
        value = keyring.get_password(service, user)
    except KeyringError as error:
        raise BadInput(field, reference, str(error), remedy="Unlock the keyring, or use env: or file:.") from error
    if value is None:
        raise BadInput(field, reference, "not in the keyring", remedy=f"keyring set {service} {user}")
    return value


_SOURCES = {"env": _from_environment, "file": _from_file, "keyring": _from_keyring}
