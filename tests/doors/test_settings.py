"""Where a door leads: mappings, files with sections, addresses, directories."""

import json
from pathlib import Path

import pytest

from trueup.doors.settings import DoorSettings, door_settings
from trueup.model.errors import BadInput
from trueup.model.identifiers import AccountId

EXAMPLE = Path(__file__).parents[2] / "database_config.json.example"


def test_a_directory_or_an_address_is_the_store(tmp_path: Path) -> None:
    assert door_settings(tmp_path).store == str(tmp_path)
    assert door_settings("postgresql://me@host/db").store == "postgresql://me@host/db"
    assert door_settings({"store": str(tmp_path), "account": "zerodha:main", "author": "bot"}) == DoorSettings(
        str(tmp_path), AccountId("zerodha:main"), author="bot"
    )


def test_the_parts_of_an_address_are_put_together_and_quoted() -> None:
    section = {
        "host": "db",
        "port": 5433,
        "database": "book",
        "user": "me",
        "password": "p@ss/word",
        "sslmode": "require",
    }
    assert door_settings(section).store == "postgresql://me:p%40ss%2Fword@db:5433/book?sslmode=require"
    assert door_settings({"database": "book"}).store == "postgresql://localhost:5432/book"


def test_sections_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "database_config.json"
    path.write_text(json.dumps({"local": {"database": "a"}, "live": {"database": "b"}}), encoding="utf-8")
    assert door_settings(path).store.endswith("/a")
    assert door_settings(str(path), "live").store.endswith("/b")
    assert door_settings({"live": {"database": "b"}}).store.endswith("/b")
    with pytest.raises(BadInput, match="There are: local, live"):
        door_settings(path, "test")


def test_nothing_named_means_the_environment_and_then_the_systems_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUEUP_DATA", "/data")
    assert door_settings().store == "/data"
    monkeypatch.setenv("TRUEUP_STORE", "postgresql://h/d")
    assert door_settings().store == "postgresql://h/d"
    assert door_settings({"account": "a:b"}).store == "postgresql://h/d"
    monkeypatch.delenv("TRUEUP_STORE")
    monkeypatch.delenv("TRUEUP_DATA")
    assert door_settings().store.endswith("trueup")
    assert door_settings().account == "declared:main"


@pytest.mark.parametrize("text", ["", "[]", "{"])
def test_a_file_that_is_no_configuration(tmp_path: Path, text: str) -> None:
    path = tmp_path / "c.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=r"database_config\.json\.example"):
        door_settings(path)


def test_a_key_that_is_no_setting_is_refused_by_name() -> None:
    with pytest.raises(BadInput, match="Known are: store") as refusal:
        door_settings({"databse": "book"})
    assert refusal.value.field == "databse"


def test_a_section_that_is_asked_for_must_be_there() -> None:
    with pytest.raises(BadInput, match="There are: none"):
        door_settings({"database": "book"}, "local")


def test_the_example_can_be_used_as_it_is() -> None:
    sections = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    assert "local" in sections
    for name in sections:
        assert door_settings(sections, name).store
