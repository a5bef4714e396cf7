"""Addresses: understood or refused, and never shown with their passwords."""

import pytest

from trueup.journal.postgres.address import Address
from trueup.model.errors import BadInput


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://user:hunter2@host:5433/db", "postgresql://user:***@host:5433/db"),
        ("postgres://user:p%40ss@host/db", "postgres://user:***@host/db"),
        ("postgresql://host/db", "postgresql://host/db"),
        ("postgresql://user@/db?host=/run/postgresql", "postgresql://user@/db?host=%2Frun%2Fpostgresql"),
        ("postgresql://u@h/db?password=hunter2&sslmode=require", "postgresql://u@h/db?password=***&sslmode=require"),
        ("postgresql://u@h/db?sslpassword=hunter2", "postgresql://u@h/db?sslpassword=***"),
    ],
)
def test_an_address_is_shown_without_its_password(text: str, shown: str) -> None:
    address = Address.parse(text)
    assert str(address) == shown
    assert repr(address) == f"Address({shown})"


@pytest.mark.parametrize(
    "text",
    [
        "mysql://user:hunter2@host/db",
        "postgresql://user:hunter2@host",
        "postgresql://user:hunter2@host:port/db",
        "postgresql://user:hunter2@host/",
        "postgresql://user:hunter2@[::1/db",
        "postgresql://user:hunter2@host/db?sslmode",
    ],
)
def test_what_is_no_address_is_refused_without_showing_the_password(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        Address.parse(text)
    assert "hunter2" not in str(refused.value)
    assert "postgresql://USER@HOST:PORT/DATABASE" in refused.value.remedy


def test_reads_go_through_a_pooler_that_is_named_with_the_same_credentials() -> None:
    address = Address.parse("postgresql://u:p@db:5432/trueup?sslmode=require&pool=bouncer:6432")
    assert address.direct == "postgresql://u:p@db:5432/trueup?sslmode=require"
    assert address.pooled == "postgresql://u:p@bouncer:6432/trueup?sslmode=require"


def test_without_a_pooler_reads_go_to_the_server_itself() -> None:
    address = Address.parse("postgresql://u@db/trueup")
    assert address.pooled == address.direct == "postgresql://u@db/trueup"


def test_a_directory_is_no_address() -> None:
    assert not Address.is_one("/var/lib/trueup")
    assert not Address.is_one("postgresql")
    assert Address.is_one("postgresql:///db")


def test_what_others_say_is_told_without_the_password_too() -> None:
    address = Address.parse("postgresql://u:p%40ss@db/trueup")
    assert address.without_password("invalid: u:p@ss@db or p%40ss") == "invalid: u:***@db or ***"
    address = Address.parse("postgresql://u@db/trueup?password=hunter2")
    assert address.without_password("no: hunter2") == "no: ***"
    assert Address.parse("postgresql://u@db/trueup").without_password("fine") == "fine"
