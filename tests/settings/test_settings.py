"""Settings: who wins, where each value comes from, and all mistakes at once, none of which repeats a secret."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.model.errors import BadInput, BadSettings
from trueup.model.venues import Stage
from trueup.settings import (
    CoinbaseSettings,
    HyperliquidSettings,
    OandaSettings,
    PaperSettings,
    Settings,
    load_settings,
)
from trueup.settings.shape import VENUES

ADDRESS = "0x" + "a1" * 20
KEY = "0x" + "5ec2e7" * 10 + "beef"
"""As long as a private key."""

EXAMPLE = Path(__file__).parents[2] / "trueup.toml.example"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "trueup.toml"


def mistakes(path: Path | None, environment: dict[str, str] | None = None) -> list[tuple[str, str, str]]:
    """Where, which key, and what is wrong; the file's name left out."""
    with pytest.raises(BadSettings) as caught:
        load_settings(path, environment or {})
    assert all(mistake.remedy and str(mistake) in str(caught.value) for mistake in caught.value.mistakes)
    return [(mistake.where.rpartition("/")[2], mistake.key, mistake.problem) for mistake in caught.value.mistakes]


def test_without_a_file_and_without_variables_everything_is_the_default() -> None:
    settings = load_settings(None, {})
    assert settings == Settings()
    assert (settings.reconciliation_interval, settings.liquidation_threshold) == (60, Decimal(5))
    assert settings.allocation == {"hyperliquid": Decimal("0.80"), "coinbase": Decimal("0.20")}


def test_a_file_is_read_exactly_and_each_value_knows_its_line(file: Path) -> None:
    file.write_text(f"""
reconciliation_interval = 120 # seconds
liquidation_threshold = 2.50

[allocation] # \u2028 is no end of a line
oanda = 0.3

[accounts."hyperliquid:main"]
stage = "correct"
address = "{ADDRESS}"
signer = "env:AGENT"
vault = true
dexes = [
  "",
  "xyz",
]

[accounts."oanda:fx"]
account_id = "101-004-1234567-001"
token = "file:~/token"
environment = "live"
rest_url = "http://127.0.0.1:1"

[accounts]
"paper:a" = {{ port = 4000, stage = "trade" }}
""")
    settings = load_settings(file, {})
    assert settings.liquidation_threshold == Decimal("2.50")
    assert settings.allocation == {"oanda": Decimal("0.3")}
    assert list(settings.accounts.values()) == [
        HyperliquidSettings(
            account=settings.account("hyperliquid:main").account,
            stage=Stage.CORRECT,
            address=ADDRESS,
            signer="env:AGENT",
            vault=True,
            dexes=("", "xyz"),
        ),
        OandaSettings(
            account=settings.account("oanda:fx").account,
            account_id="101-004-1234567-001",
            token=f"file:{Path.home() / 'token'}",
            environment="live",
            rest_url="http://127.0.0.1:1",
        ),
        PaperSettings(account=settings.account("paper:a").account, port=4000, stage=Stage.TRADE),
    ]
    lines = {key: int(source.rpartition(":")[2]) for key, source in settings.sources.items()}
    assert lines["reconciliation_interval"] == 2
    assert lines["allocation.oanda"] == 6
    assert lines["accounts.hyperliquid:main.dexes"] == 13
    assert lines["accounts.oanda:fx.account_id"] == 19
    assert lines["accounts.paper:a.port"] == 25
    assert all(source.startswith(f"{file}:") for source in settings.sources.values())


def test_the_venue_of_an_account_may_be_said_apart_from_its_name(file: Path) -> None:
    file.write_text(f'[accounts."funding:main"]\nvenue = "hyperliquid"\naddress = "{ADDRESS}"\n')
    account = load_settings(file, {}).account("funding:main")
    assert isinstance(account, HyperliquidSettings)


def test_places_on_the_disk_are_seen_from_the_file(file: Path) -> None:
    file.write_text('store = "data"\nbackup = "/mnt/safe"\ndb_path = "../positions.db"\n')
    settings = load_settings(file, {})
    assert settings.store == str(file.parent / "data")
    assert settings.backup == "/mnt/safe"
    assert settings.db_path == str(file.parent / "../positions.db")
    file.write_text(
        'store = "file:store"\n[accounts."oanda:a"]\naccount_id = "101-004-1234567-001"\ntoken = "file:keys/oanda"\n'
    )
    settings = load_settings(file, {})
    assert settings.store == f"file:{file.parent / 'store'}"
    account = settings.account("oanda:a")
    assert isinstance(account, OandaSettings)
    assert account.token == f"file:{file.parent / 'keys/oanda'}"
    file.write_text('store = "postgresql://trueup@db/trueup"\n')
    assert load_settings(file, {}).store == "postgresql://trueup@db/trueup"


ENVIRONMENT = {
    "TRUEUP_STORE": "/store",
    "TRUEUP_DATA": "/data",
    "TRUEUP_BACKUP": "/backup",
    "DB_PATH": "positions.db",
    "RECONCILIATION_INTERVAL": "300",
    "LIQUIDATION_THRESHOLD": "7.5",
    "HL_ALLOCATION": "0.6",
    "CB_ALLOCATION": "0.4",
    "HYPERLIQUID_KEY": ADDRESS,
    "HYPERLIQUID_SECRET": KEY,
    "COINBASE_KEY": "k3y",
    "COINBASE_SECRET": "s3cr3t",
}


def test_every_variable_is_accepted_and_goes_before_the_file(file: Path) -> None:
    file.write_text("reconciliation_interval = 120\nallocation.hyperliquid = 0.1\n")
    settings = load_settings(file, ENVIRONMENT)
    assert (settings.store, settings.backup, settings.db_path) == ("/store", "/backup", "positions.db")
    assert (settings.reconciliation_interval, settings.liquidation_threshold) == (300, Decimal("7.5"))
    assert settings.allocation == {"hyperliquid": Decimal("0.6"), "coinbase": Decimal("0.4")}
    assert settings.accounts == {
        "hyperliquid:main": HyperliquidSettings(
            account=settings.account("hyperliquid:main").account, address=ADDRESS, signer="env:HYPERLIQUID_SECRET"
        ),
        "coinbase:main": CoinbaseSettings(
            account=settings.account("coinbase:main").account, key="env:COINBASE_KEY", secret="env:COINBASE_SECRET"
        ),
    }
    assert settings.sources["accounts.hyperliquid:main.address"] == "HYPERLIQUID_KEY"
    assert set(settings.sources.values()) == ENVIRONMENT.keys() - {"TRUEUP_DATA"}
    assert load_settings(None, {"TRUEUP_DATA": "/data", "TRUEUP_STORE": ""}).store == "/data"


def test_one_share_of_the_environment_leaves_the_other_as_it_is() -> None:
    assert load_settings(None, {"HL_ALLOCATION": "0.5"}).allocation == {
        "hyperliquid": Decimal("0.5"),
        "coinbase": Decimal("0.20"),
    }


def test_a_secret_of_the_environment_that_an_account_of_another_name_uses_makes_no_account(file: Path) -> None:
    file.write_text(f'[accounts."hyperliquid:two"]\naddress = "{ADDRESS}"\nsigner = "env:HYPERLIQUID_SECRET"\n')
    assert list(load_settings(file, {"HYPERLIQUID_SECRET": KEY}).accounts) == ["hyperliquid:two"]
    assert not load_settings(None, {"HYPERLIQUID_SECRET": KEY}).accounts


def test_the_address_of_a_database_with_its_password_stays_in_the_environment() -> None:
    settings = load_settings(None, {"TRUEUP_STORE": "postgresql://u:s3cr3t@h/d"})
    assert settings.store == "env:TRUEUP_STORE"


def test_all_mistakes_are_told_at_once_each_with_its_line(file: Path) -> None:
    file.write_text("""stor = "x"
store = "postgresql://u:pw@h/db"
reconciliation_interval = "60"
liquidation_threshold = 500
accounts.weird.x = 1

[allocation]
hyperliqid = 0.5
coinbase = 1.5

[accounts."hyperliquid:main"]
stage = "trad"
adress = "0x12"
dexes = ["", 1]
vault = 1

[accounts."oandaa:x"]

[accounts."oanda:two"]
token = "env:T"
port = 4
rest_url = "https://user:pw@host"
stream_url = "api.example.com"

[accounts."paper:p"]
port = 70000
""")
    assert mistakes(file, {"RECONCILIATION_INTERVAL": "", "LIQUIDATION_THRESHOLD": "much"}) == [
        ("LIQUIDATION_THRESHOLD", "liquidation_threshold", "not a number"),
        ("trueup.toml:1", "stor", "not a setting"),
        ("trueup.toml:2", "store", "an address with a password"),
        ("trueup.toml:3", "reconciliation_interval", "not a number"),
        ("trueup.toml:5", "accounts.weird", "not an account name"),
        ("trueup.toml:8", "allocation.hyperliqid", "not a venue"),
        ("trueup.toml:9", "allocation.coinbase", "out of range"),
        ("trueup.toml:11", "accounts.hyperliquid:main", "address is missing"),
        ("trueup.toml:12", "accounts.hyperliquid:main.stage", "not a known value"),
        ("trueup.toml:13", "accounts.hyperliquid:main.adress", "not a setting of an account at hyperliquid"),
        ("trueup.toml:14", "accounts.hyperliquid:main.dexes", "not a list of names"),
        ("trueup.toml:15", "accounts.hyperliquid:main.vault", "not a truth value"),
        ("trueup.toml:17", "accounts.oandaa:x", "not a venue"),
        ("trueup.toml:19", "accounts.oanda:two", "account_id is missing"),
        ("trueup.toml:21", "accounts.oanda:two.port", "not a setting of an account at oanda"),
        ("trueup.toml:22", "accounts.oanda:two.rest_url", "holds more than an address"),
        ("trueup.toml:23", "accounts.oanda:two.stream_url", "not an address"),
        ("trueup.toml:26", "accounts.paper:p.port", "out of range"),
    ]


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("stor = 1", "Did you mean store?"),
        ('[accounts."hyperliquid:main"]\nadress = 1', "Did you mean address?"),
        ('[accounts."hyperliquid:main"]\nstage = "trad"', "Did you mean trade?"),
        ('[accounts."oandaa:x"]\nx = 1', "Did you mean oanda?"),
        ('[accounts."x:x"]\nx = 1', f"Known are: {', '.join(VENUES)}."),
    ],
)
def test_what_was_probably_meant_is_named(file: Path, text: str, remedy: str) -> None:
    file.write_text(text)
    with pytest.raises(BadSettings) as caught:
        load_settings(file, {})
    assert remedy in [mistake.remedy for mistake in caught.value.mistakes]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("accounts = 3", "not a table"),
        ("allocation = 0.5", "not a table"),
        ('accounts."paper:a" = 3', "not a table"),
        ("allocation.hyperliquid = true", "not a number"),
        ("allocation.hyperliquid = 0.7\nallocation.oanda = 0.4", "more than all there is"),
        ("liquidation_threshold = nan", "not a number"),
        ("reconciliation_interval = 1.5", "out of range"),
        ("store = 3", "not text"),
        ('store = "postgresql://["', "an address with a password"),
        ('accounts."paper:a".venue = 3', "not a venue"),
        ('accounts."oanda:a".rest_url = "http://h:port"', "not an address"),
        ('accounts."oanda:a".rest_url = "http://api.example.com"', "not encrypted"),
        ('accounts."oanda:a".stream_url = "ws://10.0.0.1:9"', "not encrypted"),
    ],
)
def test_a_value_of_another_kind_is_a_mistake(file: Path, text: str, told: str) -> None:
    file.write_text(text)
    assert told in [problem for _, _, problem in mistakes(file)]


def test_a_file_that_is_not_toml_is_told_by_its_line_and_the_rest_is_still_read(file: Path) -> None:
    file.write_text('store = "a"\nbackup = \n')
    assert [(where, key) for where, key, _ in mistakes(file, {"HL_ALLOCATION": "x"})] == [
        ("HL_ALLOCATION", "allocation.hyperliquid"),
        ("trueup.toml:2", ""),
    ]


@pytest.mark.parametrize("content", [b"\xff\xfe", b"#" * (2 << 20)])
def test_a_file_that_is_no_small_text_is_a_mistake(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    assert "cannot be read" in mistakes(file)[0][2]


def test_a_file_that_is_not_there_is_a_mistake(file: Path) -> None:
    assert mistakes(file) == [("trueup.toml", "", "cannot be read: No such file or directory")]


PLACES_FOR_SECRETS = [
    '[accounts."hyperliquid:main"]\nsigner = "{}"',
    '[accounts."hyperliquid:main"]\naddress = "{}"',
    '[accounts."hyperliquid:main"]\nstage = "{}"',
    '[accounts."hyperliquid:main"]\nvenue = "{}"',
    '[accounts."hyperliquid:main"]\nsecret = "{}"',
    '[accounts."oanda:main"]\ntoken = "{}"',
    '[accounts."oanda:main"]\naccount_id = "{}"',
    '[accounts."oanda:main"]\nrest_url = "https://x:{}@host"',
    '[accounts."oanda:main"]\nstream_url = "https://host/?token={}"',
    '[accounts."coinbase:main"]\nkey = "{}"',
    'store = "postgresql://u:{}@h/d"',
    'store = "postgresql://u@h/d?password={}"',
    'token = "{}"',
    'reconciliation_interval = "{}"',
    'token = "{}',
]


@pytest.mark.parametrize("text", PLACES_FOR_SECRETS)
def test_a_secret_that_is_written_down_is_refused_and_never_repeated(file: Path, text: str) -> None:
    file.write_text(text.format(KEY))
    with pytest.raises(BadSettings) as caught:
        load_settings(file, {})
    assert KEY not in f"{caught.value} {caught.value!r} {caught.value.args} {caught.value.mistakes}"
    assert KEY.removeprefix("0x") not in str(caught.value)


def test_a_secret_in_the_environment_is_in_no_settings() -> None:
    settings = load_settings(None, ENVIRONMENT)
    assert all(secret not in repr(settings) for secret in (KEY, "k3y", "s3cr3t"))


def test_an_account_that_is_not_set_is_said_with_those_that_are(file: Path) -> None:
    file.write_text('[accounts."paper:a"]\nport = 1\n')
    with pytest.raises(BadInput, match="There are: paper:a") as caught:
        load_settings(file, {}).account("paper:b")
    assert caught.value.field == "account"


@given(st.text(alphabet='abc=".[]#\n{}1, \\', max_size=60))
def test_whatever_a_file_says_it_is_settings_or_mistakes_on_lines_that_are_there(text: str) -> None:
    import tempfile

    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(text)
        file.flush()
        try:
            load_settings(Path(file.name), {})
        except BadSettings as error:
            for mistake in error.mistakes:
                line = mistake.where.rpartition(":")[2]
                assert not line.isdecimal() or 1 <= int(line) <= max(1, len(text.split("\n")))


def test_the_example_is_whole_and_names_every_setting_and_every_variable() -> None:
    settings = load_settings(EXAMPLE, {})
    text = EXAMPLE.read_text()
    assert {type(account) for account in settings.accounts.values()} == set(VENUES.values())
    for field in msgspec.structs.fields(Settings):
        assert field.name == "sources" or field.name in text
        assert field.name == "sources" or any(key.split(".")[0] == field.name for key in settings.sources)
    for account in settings.accounts.values():
        for field in msgspec.structs.fields(account):
            assert field.name == "account" or f"accounts.{account.account}.{field.name}" in settings.sources
    assert all(name in text for name in ENVIRONMENT if name != "TRUEUP_DATA")


SHOWN = frozenset(
    {"signer", "rest_url", "stream_url", "login_url", "key", "secret", "password", "uid", "wallet", "symbols"}
)
"""Settings without a default that could be shown."""


def test_the_example_shows_the_defaults() -> None:
    settings, plain = load_settings(EXAMPLE, {}), Settings()
    for name in ("reconciliation_interval", "liquidation_threshold", "allocation"):
        assert getattr(settings, name) == getattr(plain, name)
    for account in settings.accounts.values():
        for field in msgspec.structs.fields(account):
            if not field.required and field.name not in SHOWN:
                assert getattr(account, field.name) == field.default or account.account == "paper:main"


def test_an_account_of_a_venue_under_two_names_is_a_mistake(file: Path) -> None:
    oanda = 'account_id = "101-004-1234567-001"\ntoken = "env:T"\n'
    hyperliquid = f'[accounts."hyperliquid:a"]\naddress = "{ADDRESS}"\n'
    file.write_text(
        f'[accounts."oanda:a"]\n{oanda}[accounts."oanda:b"]\n{oanda}[accounts."oanda:rehearsed"]\n'
        f'rest_url = "http://127.0.0.1:1"\n{oanda}{hyperliquid}'
        f'[accounts."hyperliquid:b"]\naddress = "0x{ADDRESS[2:].upper()}"\n'
    )
    with pytest.raises(BadSettings) as told:
        load_settings(file, {})
    assert [(mistake.where, mistake.problem) for mistake in told.value.mistakes] == [
        (f"{file}:4", "the same account at its venue as oanda:a"),
        (f"{file}:13", "the same account at its venue as hyperliquid:a"),
    ]


def test_a_file_nested_too_deep_is_a_mistake(file: Path) -> None:
    file.write_text(f"store = {'[' * 5_000}{']' * 5_000}")
    with pytest.raises(BadSettings, match="cannot be read"):
        load_settings(file, {})
