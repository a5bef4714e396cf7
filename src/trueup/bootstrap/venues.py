"""The wiring of venues: readers of saved answers, and connections to accounts, each loaded where it is asked for."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from trueup.engine.clock import SystemClock
from trueup.engine.reading import Hints
from trueup.model.errors import BadInput
from trueup.model.identifiers import AccountId
from trueup.model.venues import Capabilities, Stage
from trueup.ports import Clock, LiveVenue, Login, Reader
from trueup.settings import (
    AccountSettings,
    CcxtSettings,
    CoinbaseDerivativesSettings,
    CoinbaseSettings,
    DeribitSettings,
    HyperliquidSettings,
    OandaSettings,
    PaperSettings,
    ZerodhaSettings,
)
from trueup.venues.observing import observing

if TYPE_CHECKING:
    from trueup.venues.ccxt.capabilities import Offer


def reader(venue: str, account: AccountId, hints: Hints) -> Reader:
    """A reader of a venue's saved answers.

    Raises:
        BadInput: No such venue.
    """
    if venue not in READERS:
        raise BadInput("venue", venue, "no reader for this venue", remedy=f"Known are: {', '.join(READERS)}.")
    return READERS[venue](account, hints)


def _hyperliquid(account: AccountId, hints: Hints) -> Reader:
    from trueup.venues.hyperliquid.reader import HyperliquidReader

    return HyperliquidReader(account, hints.address, hints.instruments, learnt=hints.learnt)


def _oanda(account: AccountId, hints: Hints) -> Reader:
    from trueup.venues.oanda.reader import OandaReader

    return OandaReader(
        account,
        hints.home_currency,
        hedging=hints.hedging or None,
        open_orders=hints.open_orders,
        learnt=hints.learnt,
    )


def _coinbase(account: AccountId, hints: Hints) -> Reader:
    from trueup.venues.coinbase.reader import CoinbaseReader

    return CoinbaseReader(account, hints.instruments)


def _zerodha(account: AccountId, hints: Hints) -> Reader:
    from trueup.venues.zerodha.reader import ZerodhaReader

    return ZerodhaReader(account, hints.instruments, learnt=hints.learnt)


def _coinbase_derivatives(account: AccountId, hints: Hints) -> Reader:
    del hints  # its instruments explain themselves
    from trueup.venues.coinbase_derivatives.reader import GatewayReader

    return GatewayReader(account)


def _deribit(account: AccountId, hints: Hints) -> Reader:
    del hints  # its instruments explain themselves
    from trueup.venues.deribit.reader import DeribitReader

    return DeribitReader(account)


def _generic(account: AccountId, hints: Hints) -> Reader:
    from trueup.venues.generic.reader import GenericReader

    return GenericReader(account, hints.instruments)


READERS: Mapping[str, Callable[[AccountId, Hints], Reader]] = {
    "hyperliquid": _hyperliquid,
    "oanda": _oanda,
    "coinbase": _coinbase,
    "coinbase_derivatives": _coinbase_derivatives,
    "deribit": _deribit,
    "zerodha": _zerodha,
    "generic": _generic,
}
"""Venues whose saved answers can be read."""


def live_venue(
    account: AccountSettings, *, environment: Mapping[str, str], clock: Clock, random: Random, hints: Hints
) -> LiveVenue:
    """A connection to an account; nothing is sent before it is asked for something. Belongs to one event loop.

    Through that of an account whose stage is to observe, nothing can be changed.

    Args:
        account: What is set of it.
        environment: Where its secrets may be.
        clock: For times around answers.
        random: Spreads attempts in time.
        hints: What the book knows of it.

    Raises:
        BadInput: A secret cannot be had, or there is no connection to this venue.
    """
    venue = _connected(account, environment, clock, random, hints)
    return observing(venue) if account.stage is Stage.OBSERVE else venue


def _connected(
    account: AccountSettings, environment: Mapping[str, str], clock: Clock, random: Random, hints: Hints
) -> LiveVenue:
    match account:
        case HyperliquidSettings():
            return _live_hyperliquid(account, environment, clock, random, hints)
        case OandaSettings():
            return _live_oanda(account, environment, clock, random, hints)
        case CoinbaseSettings():
            return _live_coinbase(account, environment, clock, random, hints)
        case CoinbaseDerivativesSettings():
            return _live_coinbase_derivatives(account, environment, clock, random, hints)
        case DeribitSettings():
            return _live_deribit(account, environment, clock, random, hints)
        case ZerodhaSettings():
            return _live_zerodha(account, environment, clock, random, hints)
        case CcxtSettings():
            return _live_ccxt(account, environment, clock, random, hints)
        case PaperSettings():
            from trueup.venues.paper.client import PaperClient
            from trueup.venues.paper.server import HOST

            return PaperClient(HOST, account.port, account.account, clock=clock, random=random)
        case _:
            raise BadInput(
                "venue",
                account.venue,
                "no connection to this venue",
                remedy="Import its saved answers in the generic formats (trueup import --venue generic).",
            )


def venue_capabilities() -> Mapping[str, Capabilities]:
    """What each venue offers, by its name."""
    from trueup.venues.coinbase import live as coinbase
    from trueup.venues.coinbase_derivatives import live as coinbase_derivatives
    from trueup.venues.deribit import live as deribit
    from trueup.venues.hyperliquid import live as hyperliquid
    from trueup.venues.oanda import live as oanda
    from trueup.venues.paper import venue as paper
    from trueup.venues.zerodha import live as zerodha

    return {
        "hyperliquid": hyperliquid.CAPABILITIES,
        "oanda": oanda.CAPABILITIES,
        "coinbase": coinbase.CAPABILITIES,
        "coinbase_derivatives": coinbase_derivatives.CAPABILITIES,
        "deribit": deribit.CAPABILITIES,
        "zerodha": zerodha.CAPABILITIES,
        "ccxt": Capabilities("time", cannot=("It depends on the exchange: see trueup venues list --all.",)),
        "paper": paper.CAPABILITIES,
        "generic": Capabilities("none", cannot=("Files say what they say: nobody can be asked, and nothing placed.",)),
    }


def _live_hyperliquid(
    account: HyperliquidSettings, environment: Mapping[str, str], clock: Clock, random: Random, hints: Hints
) -> LiveVenue:
    from trueup.venues.hyperliquid import calls, live
    from trueup.venues.transport import limiter, secrets

    mainnet = account.environment == "mainnet"
    signs = account.signer and account.stage is not Stage.OBSERVE
    rest_url = account.rest_url or (live.REST_URL if mainnet else live.TESTNET_REST_URL)
    return live.HyperliquidVenue(
        account.account,
        address=account.address,
        signer=secrets.load("signer", account.signer, environment) if signs else None,
        vault=account.vault,
        mainnet=mainnet,
        rest_url=rest_url,
        stream_url=account.stream_url or (live.STREAM_URL if mainnet else live.TESTNET_STREAM_URL),
        dexes=account.dexes,
        clock=clock,
        random=random,
        instruments=hints.instruments,
        learnt=hints.learnt,
        limiter=limiter.shared(rest_url, calls.LIMITS),
    )


def exchange_offers() -> "Sequence[Offer]":
    """What can be reconciled at each exchange that ccxt knows. Raises :class:`BadInput` where ccxt is not installed."""
    from trueup.venues.ccxt.capabilities import offers

    return offers(SystemClock())


def _live_ccxt(
    account: CcxtSettings, environment: Mapping[str, str], clock: Clock, random: Random, hints: Hints
) -> LiveVenue:
    from trueup.venues.ccxt import live
    from trueup.venues.transport import secrets

    observes = account.stage is Stage.OBSERVE
    names = {"apiKey": "key", "secret": "secret", "password": "password", "uid": "uid"}
    if account.wallet:  # the secret is then the wallet's own key, which reading does without
        names = {} if observes else {"privateKey": "secret"}
    named = {theirs: (ours, getattr(account, ours)) for theirs, ours in names.items() if getattr(account, ours)}
    credentials = {theirs: secrets.load(ours, reference, environment) for theirs, (ours, reference) in named.items()}
    if account.wallet:
        credentials["walletAddress"] = secrets.Secret("wallet", account.wallet)
    return live.CcxtVenue(
        account.account,
        exchange=account.exchange,
        credentials=credentials,
        clock=clock,
        random=random,
        sandbox=account.environment == "sandbox",
        symbols=account.symbols,
        rest_url=account.rest_url,
        stream_url=account.stream_url,
        instruments=hints.instruments,
        traded=hints.traded,
        hedged=hints.hedging,
        learnt=hints.learnt,
    )


def _live_coinbase(
    account: CoinbaseSettings, environment: Mapping[str, str], clock: Clock, random: Random, hints: Hints
) -> LiveVenue:
    from trueup.venues.coinbase import calls, live
    from trueup.venues.transport import limiter, secrets

    key_name = secrets.load("key", account.key, environment)
    rest_url = account.rest_url or live.REST_URL
    return live.CoinbaseVenue(
        account.account,
        key_name=key_name,
        secret=secrets.load("secret", account.secret, environment, lines=True),
        rest_url=rest_url,
        stream_url=account.stream_url or live.STREAM_URL,
        futures=account.futures,
        clock=clock,
        random=random,
        instruments=hints.instruments,
        open_orders=hints.open_orders,
        learnt=hints.learnt,
        limiter=limiter.shared(f"{rest_url} {key_name.reveal()}", calls.LIMITS),
    )


def _live_coinbase_derivatives(
    account: CoinbaseDerivativesSettings, environment: Mapping[str, str], clock: Clock, random: Random, hints: Hints
) -> LiveVenue:
    from trueup.venues.coinbase_derivatives import live
    from trueup.venues.transport import secrets

    return live.coinbase_derivatives_venue(
        account.account,
        key_name=secrets.load("key", account.key, environment),
        private_key=secrets.load("secret", account.secret, environment, lines=True),
        rest_url=account.rest_url or live.REST_URL,
        stream_url=account.stream_url or live.STREAM_URL,
        clock=clock,
        random=random,
        learnt=hints.learnt,
    )


def _live_deribit(
    account: DeribitSettings, environment: Mapping[str, str], clock: Clock, random: Random, hints: Hints
) -> LiveVenue:
    from trueup.venues.deribit import live
    from trueup.venues.transport import secrets

    test = account.environment == "test"
    return live.deribit_venue(
        account.account,
        client_id=secrets.load("key", account.key, environment),
        client_secret=secrets.load("secret", account.secret, environment),
        rest_url=account.rest_url or (live.TEST_REST_URL if test else live.REST_URL),
        stream_url=account.stream_url or (live.TEST_STREAM_URL if test else live.STREAM_URL),
        clock=clock,
        random=random,
        learnt=hints.learnt,
    )


def _live_oanda(
    account: OandaSettings, environment: Mapping[str, str], clock: Clock, random: Random, hints: Hints
) -> LiveVenue:
    from trueup.venues.oanda import live
    from trueup.venues.transport import secrets

    practice = account.environment == "practice"
    return live.OandaVenue(
        account.account,
        account_id=account.account_id,
        token=secrets.load("token", account.token, environment),
        rest_url=account.rest_url or (live.PRACTICE_URL if practice else live.LIVE_URL),
        stream_url=account.stream_url or (live.PRACTICE_STREAM_URL if practice else live.LIVE_STREAM_URL),
        clock=clock,
        random=random,
        hedging=hints.hedging or None,
        home_currency=hints.home_currency,
        open_orders=hints.open_orders,
        learnt=hints.learnt,
    )


def _live_zerodha(
    account: ZerodhaSettings, environment: Mapping[str, str], clock: Clock, random: Random, hints: Hints
) -> LiveVenue:
    from trueup.venues.transport import secrets
    from trueup.venues.zerodha import live

    return live.ZerodhaVenue(
        account.account,
        api_key=secrets.load("api_key", account.api_key, environment),
        token_file=Path(account.token_file),
        rest_url=account.rest_url or live.REST_URL,
        stream_url=account.stream_url or live.STREAM_URL,
        folder=Path(f"{account.token_file}.instruments"),
        clock=clock,
        random=random,
        instruments=hints.instruments,
        learnt=hints.learnt,
    )


def venue_login(account: AccountSettings, *, environment: Mapping[str, str], clock: Clock) -> Login:
    """Logging in at a venue where a person has to. Belongs to one event loop.

    Raises:
        BadInput: At this venue nobody logs in, or a secret cannot be had.
    """
    if not isinstance(account, ZerodhaSettings):
        raise BadInput("venue", account.venue, "nobody logs in there", remedy="Its key in the settings is enough.")
    from trueup.venues.transport import secrets
    from trueup.venues.zerodha import live, login

    return login.KiteLogin(
        account.account,
        api_key=secrets.load("api_key", account.api_key, environment),
        secret=secrets.load("secret", account.secret, environment),
        token_file=Path(account.token_file),
        rest_url=account.rest_url or live.REST_URL,
        base_url=account.login_url or login.LOGIN_URL,
        clock=clock,
    )
