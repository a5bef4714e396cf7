"""The wiring: the only file that names concrete adapters."""

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, overload

from trueup.engine import copying, rebuilding
from trueup.engine.backing_up import Made
from trueup.engine.backup_chores import BackupChore, RestoreTestChore, Schedule
from trueup.engine.clock import SystemClock
from trueup.engine.reading import Hints
from trueup.engine.rebuilding import Note, Progress
from trueup.engine.recovering import Backup
from trueup.engine.restore_test import ChildTest
from trueup.engine.scrub import Proven, Scrub, known
from trueup.engine.store import Store
from trueup.engine.upgrading import back_up_frames
from trueup.journal.backup.chunks import chain
from trueup.journal.backup.local import LocalDestination, refuse_within
from trueup.journal.backup.manifests import newest_readable
from trueup.journal.backup.new_directory import NewDirectory
from trueup.journal.backup.old_directory import OldDirectory
from trueup.journal.backup.salvage import holding
from trueup.journal.directory import DataDirectory
from trueup.journal.embedded import EmbeddedStorage
from trueup.journal.postgres.address import Address, Place
from trueup.journal.proofs import read_proofs
from trueup.journal.recovery import Copies
from trueup.model.errors import BadInput, DirectoryLocked, NotFound, StorageError
from trueup.model.identifiers import AccountId, Seq
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
    from trueup.journal.postgres.storage import PostgresStorage
    from trueup.venues.ccxt.capabilities import Offer


def open_store(where: Place, progress: Progress | None = None, *, create: bool = True) -> Store:
    """The store in a data directory, owned by this process until it is closed, or in a database.

    Raises:
        DirectoryLocked: Another process owns the directory; the message says who.
        StorageError: It is not a place that this version can use.
        NotFound: There is no store in the database, and none is to be made.
    """
    storage = open_storage(where, create=create)
    try:
        store = Store.open(storage, SystemClock(), *(() if progress is None else (progress,)))
    except BaseException:
        storage.close()
        raise
    keep = storage.keep_proofs if isinstance(storage, EmbeddedStorage) else None
    store.chores([Scrub(store, store.clock.monotonic, keep)])
    return store


@overload
def open_storage(where: Path, *, create: bool = False) -> EmbeddedStorage: ...
@overload
def open_storage(where: Address, *, create: bool = False) -> "PostgresStorage": ...
def open_storage(where: Place, *, create: bool = False) -> "EmbeddedStorage | PostgresStorage":
    """The files of a data directory, owned until they are closed, or a database; no ledger in it is opened or healed.

    Raises: as :func:`open_store`, but for damage.
    """
    if isinstance(where, Path):
        return EmbeddedStorage.open(where, create=create)
    from trueup.journal.postgres.storage import PostgresStorage

    return PostgresStorage.open(where, SystemClock(), Random(), create=create)  # noqa: S311 - spreads attempts in time


def open_outdated(address: Address) -> "PostgresStorage":
    """A database whatever its schema, to look at it and to upgrade it. Raises as :func:`open_store`, but for that."""
    from trueup.journal.postgres.storage import PostgresStorage

    return PostgresStorage.open(address, SystemClock(), Random(), outdated=True)  # noqa: S311 - as above


def back_up_outdated(storage: "PostgresStorage", to: Path, progress: Callable[[Seq, Seq], None]) -> Made:
    """Back up a database that waits for an upgrade. Raises :class:`BackupFailed`."""
    return back_up_frames(storage, SystemClock(), open_destination(to, create=True), progress)


def last_proven(path: Path) -> Sequence[Proven]:
    """What a store running on a data directory last proved of itself; this process need not own it."""
    content = read_proofs(path)
    return known(content) if content is not None else []


def rebuild_views(where: Place, progress: Progress, note: Note) -> None:
    """Make the views of a store anew from its logs. Raises as :func:`open_storage` and the rebuilding do."""
    storage = open_storage(where)
    try:
        rebuilding.rebuild_views(storage, progress, note).close()
    finally:
        storage.close()


def copy_store(source: Place, target: Place, progress: copying.Progress) -> Sequence[copying.Copied]:
    """Bring a store to where another one stands, and prove it. Raises as :func:`open_store` and the copying do."""
    with closing(open_store(source, create=False)) as store:
        return copying.copy(store, open_storage(target, create=True), SystemClock(), progress)


def compare_stores(source: Place, target: Place) -> Sequence[copying.Copied]:
    """Where each ledger stands in two stores. Raises as :func:`open_store` does."""
    with closing(open_store(source, create=False)) as ours, closing(open_store(target, create=False)) as theirs:
        return copying.compare(ours, theirs)


def open_destination(path: Path, *, create: bool = False, apart_from: Path | None = None) -> LocalDestination:
    """A directory that holds backups. Raises as :meth:`LocalDestination.open` does."""
    return LocalDestination.open(path, create=create, apart_from=apart_from)


def keep_backups(
    store: Store, to: Path, *, apart_from: Path | None, tests: bool, schedule: Schedule | None = None
) -> BackupChore:
    """Have a store back itself up until it is closed.

    Args:
        store: Which.
        to: The backup directory. One that is not there, or refuses, never stops the booking.
        apart_from: The data directory of the store, if it has one.
        tests: Whether to prove the newest backup now and then, in a process of its own.
        schedule: How often.

    Raises:
        BadInput: The backup directory and the data directory lie within one another.
    """
    if apart_from is not None:
        refuse_within(to, apart_from)
    plan = schedule or Schedule()
    open_it = partial(open_destination, to, create=True, apart_from=apart_from)
    backups = BackupChore(store, open_it, plan)
    store.chores(
        [backups, *([RestoreTestChore(open_it, partial(_begin_test, to), store.clock, plan)] if tests else [])]
    )
    return backups


def _begin_test(path: Path, name: str) -> ChildTest:
    return ChildTest([sys.executable, "-m", "trueup", "backup", "verify", name, "--from", str(path), "--json"])


def open_for_recovery(path: Path) -> tuple[EmbeddedStorage, list[str]]:
    """The files of a data directory that may not even say any more that it is one; and what was mended to open it.

    Raises:
        DirectoryLocked: Another process owns it.
        StorageError: It is not a data directory that this version can use.
    """
    try:
        return open_storage(path), []
    except DirectoryLocked:
        raise
    except StorageError:
        mended = DataDirectory.mend(path)
        if not mended:
            raise
        return open_storage(path), [mended]


def open_backup(path: Path) -> tuple[Backup, Sequence[str]]:
    """All that a backup directory holds, as second copies of logs; and what is wrong with it, in sentences.

    Raises:
        NotFound: It is not there, or holds no backup that can be read.
        StorageError: It refused.
    """
    destination = open_destination(path)
    manifest, problems = newest_readable(destination)
    held = holding(destination, manifest)
    if not held.ledgers:
        raise NotFound(f"{path} holds no backup that can be read.", remedy="; ".join(problems) or "Name another.")
    chunks = {ledger.account: ledger.chunks for ledger in held.ledgers}

    def frames(account: AccountId) -> Copies:
        return lambda after: chain(destination, account, chunks.get(account, ()), after)

    heads = {ledger.account: ledger.head for ledger in held.ledgers if ledger.head_seq}
    return Backup(heads, frames), [*problems, *held.findings]


def new_directory(path: Path, *apart_from: Path | None) -> NewDirectory:
    """A data directory to restore into. Arguments and errors as of :meth:`NewDirectory.begin`."""
    return NewDirectory.begin(path, apart_from=[other for other in apart_from if other is not None])


def old_directory(path: Path) -> OldDirectory:
    """A data directory that is to be replaced. Raises as :class:`OldDirectory` does."""
    return OldDirectory(path)


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
