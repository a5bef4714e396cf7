"""Every key there is, typed. No object here holds a secret: those that need one hold its name."""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import ClassVar

import msgspec

from trueup.model.assets import Named
from trueup.model.errors import BadInput
from trueup.model.identifiers import AccountId
from trueup.model.venues import Stage


class AccountSettings(msgspec.Struct, frozen=True, kw_only=True):
    """An account at a venue.

    Attributes:
        account: ``venue:name``.
        stage: How far it is trusted to trueup.
    """

    venue: ClassVar[str] = ""
    environments: ClassVar[tuple[str, ...]] = ()

    account: AccountId
    stage: Stage = Stage.OBSERVE

    @property
    def at_venue(self) -> tuple[str, ...]:
        """Which account it is there, whatever it is called here; nothing where that is not told."""
        return ()


class HyperliquidSettings(AccountSettings, frozen=True, kw_only=True):
    """An account at Hyperliquid.

    Attributes:
        address: The account's own, never an agent's.
        signer: Names the agent's private key; empty to read only. An account that only observes is given none.
        vault: Whether the account is a vault or a sub-account, for which the signer of its master trades.
        environment: ``mainnet`` or ``testnet``.
        dexes: The perpetual dexes that are looked at; the main one is empty.
        rest_url, stream_url: In place of the venue's own addresses; empty for these.
    """

    venue = "hyperliquid"
    environments = ("mainnet", "testnet")

    address: str
    signer: str = ""
    vault: bool = False
    environment: str = "mainnet"
    dexes: tuple[str, ...] = ("",)
    rest_url: str = ""
    stream_url: str = ""

    @property
    def at_venue(self) -> tuple[str, ...]:
        """By its address, in any spelling."""
        return self.venue, self.environment, self.rest_url, self.address.lower()


class OandaSettings(AccountSettings, frozen=True, kw_only=True):
    """An account at OANDA.

    Attributes:
        account_id: The v20 account number.
        token: Names the personal access token.
        environment: ``practice`` or ``live``, as the token's.
        rest_url, stream_url: In place of the venue's own addresses; empty for these.
    """

    venue = "oanda"
    environments = ("practice", "live")

    account_id: str
    token: str
    environment: str = "practice"
    rest_url: str = ""
    stream_url: str = ""

    @property
    def at_venue(self) -> tuple[str, ...]:
        """By its number."""
        return self.venue, self.environment, self.rest_url, self.account_id


class PaperSettings(AccountSettings, frozen=True, kw_only=True):
    """An account of a paper exchange on this machine.

    Attributes:
        port: On which the exchange listens.
    """

    venue = "paper"

    port: int


class CoinbaseSettings(AccountSettings, frozen=True, kw_only=True):
    """An account at Coinbase: the portfolio of one key.

    Attributes:
        key, secret: Name the two parts of the API key: its name, and its private key. Even reading needs both.
        futures: Whether the portfolio has a wallet for US futures.
        rest_url, stream_url: In place of the venue's own addresses; empty for these.
    """

    venue = "coinbase"

    key: str = ""
    secret: str = ""
    futures: bool = True
    rest_url: str = ""
    stream_url: str = ""

    @property
    def at_venue(self) -> tuple[str, ...]:
        """By its key: of one portfolio; nothing where none is named."""
        return (self.venue, self.rest_url, self.key) if self.key else ()


class CoinbaseDerivativesSettings(AccountSettings, frozen=True, kw_only=True):
    """An account at Coinbase's derivatives gateway.

    Attributes:
        key, secret: Name the two parts of the API key: its name, and its private key. Even reading needs both.
        rest_url, stream_url: In place of the venue's own addresses, with their paths; empty for these.
    """

    venue = "coinbase_derivatives"

    key: str
    secret: str
    rest_url: str = ""
    stream_url: str = ""

    @property
    def at_venue(self) -> tuple[str, ...]:
        """By its key: of one account."""
        return self.venue, self.rest_url, self.key


class DeribitSettings(AccountSettings, frozen=True, kw_only=True):
    """An account at Deribit.

    Attributes:
        key, secret: Name the client id and the client secret of the API key. Even reading needs both.
        environment: ``live`` or ``test``, as the key's.
        rest_url, stream_url: In place of the venue's own addresses, with their paths; empty for these.
    """

    venue = "deribit"
    environments = ("live", "test")

    key: str
    secret: str
    environment: str = "live"
    rest_url: str = ""
    stream_url: str = ""

    @property
    def at_venue(self) -> tuple[str, ...]:
        """By its key: of one account."""
        return self.venue, self.environment, self.rest_url, self.key


class ZerodhaSettings(AccountSettings, frozen=True, kw_only=True):
    """An account at Zerodha, over an app of Kite Connect.

    Attributes:
        api_key: Names the app's key.
        secret: Names the app's secret, which logging in needs and nothing else does.
        token_file: Where the token of each day's login is kept; the day's instruments are kept beside it.
        rest_url, stream_url, login_url: In place of the venue's own addresses; empty for these.
    """

    venue = "zerodha"

    api_key: str
    token_file: str
    secret: str = ""
    rest_url: str = ""
    stream_url: str = ""
    login_url: str = ""

    @property
    def at_venue(self) -> tuple[str, ...]:
        """By its login."""
        return self.venue, self.rest_url, self.token_file


class CcxtSettings(AccountSettings, frozen=True, kw_only=True):
    """An account at any exchange that ccxt knows.

    Attributes:
        exchange: ccxt's name of it, such as ``bybit``.
        key, secret, password, uid: Name what the exchange asks for; ``trueup venues list --all`` says what that is.
        wallet: The account's own address, where it is known by one; the secret is then the key that signs orders, and
            an account that only observes is given none.
        environment: ``live`` or ``sandbox``.
        symbols: Instruments whose trades are read besides those that are held or have an order.
        rest_url, stream_url: In place of the exchange's own scheme and host; empty for these.
    """

    venue = "ccxt"
    environments = ("live", "sandbox")

    exchange: str
    key: str = ""
    secret: str = ""
    password: str = ""
    uid: str = ""
    wallet: str = ""
    environment: str = "live"
    symbols: tuple[str, ...] = ()
    rest_url: str = ""
    stream_url: str = ""

    @property
    def at_venue(self) -> tuple[str, ...]:
        """By its key or its address; nothing where neither is named."""
        known = self.wallet.lower() or self.key
        return (self.venue, self.exchange, self.environment, self.rest_url, known) if known else ()


VENUES: Mapping[str, type[AccountSettings]] = {
    kind.venue: kind
    for kind in (
        HyperliquidSettings,
        OandaSettings,
        PaperSettings,
        CoinbaseSettings,
        CoinbaseDerivativesSettings,
        DeribitSettings,
        ZerodhaSettings,
        CcxtSettings,
    )
}
"""The settings of an account, by the name of its venue."""


ALLOCATION: Mapping[str, Decimal] = MappingProxyType({"hyperliquid": Decimal("0.80"), "coinbase": Decimal("0.20")})
"""Target shares where none are set."""


class Corrections(msgspec.Struct, frozen=True, kw_only=True):
    """What is put right without asking, and what a break forbids (:class:`trueup.reconcile.policy.Policies`).

    Attributes:
        mode: ``report``, ``facts``, ``adjust`` or ``approve``: how far correcting may go.
        modes: The same for one account, one kind of break, or one kind of one account (``oanda:main CASH``).
        adjust_up_to: The most that one adjustment may be worth unasked, in the currency of exposures.
        adjust_per_day: The most that all of a day may be worth together, per account.
        per_hour: Corrections of all sorts, per account.
        storm: More subjects than this differing at once look like a bad feed, and nothing is corrected.
        critical_exposure: What an account's breaks may be worth together before it may only reduce; None for no bound.
        escalate_from: Exposures, ascending, each of which a break is escalated from by one level.
        stops_required: Instruments whose positions need a resting stop at the venue; ``*`` for all.
    """

    mode: str = "facts"
    modes: Mapping[str, str] = {}
    adjust_up_to: Decimal = Decimal(0)
    adjust_per_day: Decimal = Decimal(0)
    per_hour: int = 100
    storm: int = 5
    critical_exposure: Decimal | None = None
    escalate_from: tuple[Decimal, ...] = ()
    stops_required: tuple[str, ...] = ()


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is set.

    Attributes:
        store: A data directory, the address of a database without a password, or the name of a secret that holds such
            an address; empty for this system's place for a program's data.
        backup: The directory for backups; empty for none.
        db_path: The database file of a position manager; empty to keep its positions in memory.
        reconciliation_interval: Seconds between two comparisons of an account with its venue.
        liquidation_threshold: Distance to liquidation, in per cent of the price, below which a position is at risk.
        allocation: Target share of each venue in all that is held; together at most 1.
        corrections: What is put right without asking.
        reporting_currency: In which what is held everywhere is added up.
        rates: Fixed ones, by ``BASE/QUOTE``; they go before the market's.
        assets: Names of coins that stand for an asset, beside those known; each with the units that one of it is.
        accounts: By their id.
        sources: Where each value comes from, by its key: a line of the file, or the name of a variable.
    """

    store: str = ""
    backup: str = ""
    db_path: str = ""
    reconciliation_interval: int = 60
    liquidation_threshold: Decimal = Decimal(5)
    allocation: Mapping[str, Decimal] = ALLOCATION
    corrections: Corrections = Corrections()
    reporting_currency: str = "USD"
    rates: Mapping[str, Decimal] = {}
    assets: Mapping[str, Named] = {}
    accounts: Mapping[AccountId, AccountSettings] = {}
    sources: Mapping[str, str] = {}

    def account(self, name: str) -> AccountSettings:
        """The account of an id. Raises :class:`BadInput` where none is set."""
        if name not in self.accounts:
            known = ", ".join(self.accounts) or "none"
            raise BadInput("account", name, "not in the settings", remedy=f"There are: {known}. See `trueup settings`.")
        return self.accounts[AccountId(name)]
