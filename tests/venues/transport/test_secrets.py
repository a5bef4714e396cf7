"""Where credentials come from, and that they are not shown."""

import copy
import pickle
import traceback
from collections.abc import Iterator
from pathlib import Path

import keyring
import msgspec
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

from trueup.model.errors import BadInput
from trueup.venues.transport.secrets import FILE_BYTES_MAX, Secret, load

VALUE = "s3cr3t-0xdeadbeef"


class Ring(KeyringBackend):
    """A keyring in memory; locked for the user ``locked``."""

    priority = 1.0

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # keyring has no types there

    def set_password(self, service: str, username: str, password: str) -> None:
        raise AssertionError("credentials are only read")

    def get_password(self, service: str, username: str) -> str | None:
        if username == "locked":
            raise KeyringLocked("the keyring is locked")
        return VALUE if (service, username) == ("trueup", "main") else None


@pytest.fixture
def ring() -> Iterator[None]:
    before = keyring.get_keyring()
    keyring.set_keyring(Ring())
    yield
    keyring.set_keyring(before)


def test_from_the_environment() -> None:
    assert load("key", "env:KEY", {"KEY": f" {VALUE}\n"}).reveal() == VALUE
    with pytest.raises(BadInput, match="this variable is not set"):
        load("key", "env:KEY", {})


def test_a_key_of_several_lines_is_taken_where_one_is_asked_for() -> None:
    environment = {"KEY": "-----BEGIN KEY-----\nAAAA\n-----END KEY-----\n", "BELL": "AA\nA\a"}
    assert load("key", "env:KEY", environment, lines=True).reveal() == environment["KEY"].strip()
    for name, lines in (("KEY", False), ("BELL", True)):
        with pytest.raises(BadInput, match="holds a line end"):
            load("key", f"env:{name}", environment, lines=lines)


def test_from_a_file_that_only_its_owner_may_read(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(VALUE + "\n")
    path.chmod(0o600)
    assert load("key", f"file:{path}", {}).reveal() == VALUE
    for mode in (0o640, 0o604, 0o602):
        path.chmod(mode)
        with pytest.raises(BadInput, match="others may use this file") as refused:
            load("key", f"file:{path}", {})
        assert VALUE not in str(refused.value)


def test_a_file_that_is_not_there_empty_too_large_or_no_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with pytest.raises(BadInput, match="No such file"):
        load("key", f"file:{path}", {})
    path.touch(0o600)
    with pytest.raises(BadInput, match="the secret is empty"):
        load("key", f"file:{path}", {})
    path.write_text("x" * (FILE_BYTES_MAX + 1))
    with pytest.raises(BadInput, match="not a small file"):
        load("key", f"file:{path}", {})
    with pytest.raises(BadInput, match="not a small file"):
        load("key", f"file:{tmp_path}", {})
    path.write_bytes(VALUE.encode() + b"\xff")
    with pytest.raises(BadInput, match="not text") as refused:
        load("key", f"file:{path}", {})
    assert VALUE not in "".join(traceback.format_exception(refused.value))


@pytest.mark.usefixtures("ring")
def test_from_the_keyring() -> None:
    assert load("key", "keyring:trueup/main", {}).reveal() == VALUE
    with pytest.raises(BadInput, match="not in the keyring"):
        load("key", "keyring:trueup/other", {})
    with pytest.raises(BadInput, match="locked"):
        load("key", "keyring:trueup/locked", {})


@pytest.mark.parametrize("inline", [VALUE, "", "env:", f"vault:{VALUE}"])
def test_what_is_not_a_reference_is_refused_and_never_repeated(inline: str) -> None:
    with pytest.raises(BadInput, match="not a reference to a secret") as refused:
        load("key", inline, {})
    assert VALUE not in "".join(traceback.format_exception(refused.value))


def test_it_shows_its_name_and_never_its_value() -> None:
    secret = Secret("env:KEY", VALUE)
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret:>40}",
        repr([secret]),
        repr({"a": secret}),
    ]
    assert all("env:KEY" in text and VALUE not in text for text in shown)


@pytest.mark.parametrize("store", [pickle.dumps, copy.copy, copy.deepcopy, msgspec.json.encode, msgspec.msgpack.encode])
def test_it_cannot_be_stored(store: object) -> None:
    with pytest.raises(TypeError) as refused:
        store(Secret("env:KEY", VALUE))  # type: ignore[operator]  # each is a function of one value
    assert VALUE not in str(refused.value)


@pytest.mark.parametrize("value", ["one\ntwo", "one\r\ntwo", "one\x00two", "öne"])
def test_what_no_request_can_carry_is_refused_and_not_shown(value: str) -> None:
    with pytest.raises(BadInput, match="no credential has") as refused:
        load("token", "env:TOKEN", {"TOKEN": value})
    told = "".join(traceback.format_exception(refused.value))
    assert "two" not in told
    assert "öne" not in told
