"""The doctor's checks: each looks at one thing, says how it is, and what to do about it. Nothing is changed."""

import os
import platform
import shutil
import stat
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Literal, Protocol

import apsw
import msgspec

from trueup import __version__
from trueup.engine.scrub import Proven
from trueup.engine.store import Store
from trueup.engine.verifying import Proof
from trueup.journal.sqlite import MOUNTS, check_version, network_disk
from trueup.model.errors import ViewsFailed
from trueup.model.identifiers import AccountId
from trueup.model.times import format_time

FREE_BYTES_LOW = 1 << 30
FREE_BYTES_MIN = 64 << 20
"""Room for a few segments of the journal; with less, booking is about to stop."""

LIBRARIES = ("msgspec", "typer", "rich", "PyYAML", "platformdirs")

NANOSECONDS_A_MINUTE = 60_000_000_000

Verdict = Literal["ok", "warn", "fail"]


class Check(msgspec.Struct, frozen=True):
    """One thing that was looked at.

    Attributes:
        detail: How it is.
        remedy: What to do; empty when it is fine.
    """

    name: str
    verdict: Verdict
    detail: str
    remedy: str = ""


class DescribedStorage(Protocol):
    """Storage that says where and on what it is."""

    def describe(self) -> Mapping[str, str]:
        """What there is to know of the place, by what it concerns."""
        ...


def worst(checks: Sequence[Check]) -> Verdict:
    """The verdict on all of them."""
    order: tuple[Verdict, ...] = ("ok", "warn", "fail")
    return max((check.verdict for check in checks), key=order.index, default="ok")


def check_versions() -> Sequence[Check]:
    """The program and what it stands on."""
    sqlite = apsw.sqlite_lib_version()
    checks = [
        Check("trueup", "ok", __version__),
        Check("python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
    ]
    try:
        check_version(sqlite)
        checks.append(Check("sqlite", "ok", f"{sqlite} (apsw {apsw.apsw_version()})"))
    except ViewsFailed as failure:
        checks.append(Check("sqlite", "fail", failure.message, failure.remedy))
    checks.append(Check("libraries", "ok", ", ".join(f"{name} {version(name)}" for name in LIBRARIES)))
    return checks


def check_directory(path: Path) -> Sequence[Check]:
    """The data directory and the disk it is on."""
    if not path.exists():
        remedy = "Import something first (trueup import --help), or name another directory with --data."
        return [Check("directory", "warn", f"there is none at {path} yet", remedy)]
    return [_permissions(path), _kind_of_disk(path), _space(path)]


def check_place(storage: DescribedStorage) -> Sequence[Check]:
    """What an open storage says of the place it is in, which it would have refused if it were not well."""
    return [Check(name, "ok", detail) for name, detail in storage.describe().items()]


def check_proof(proof: Proof) -> Sequence[Check]:
    """The chain of each ledger, and the views."""
    checks = []
    for ledger in proof.ledgers:
        name = f"chain of {ledger.account}"
        if ledger.log:
            remedy = "Run `trueup recover`; for what the views do not hold, with --from-backup."
            checks.append(Check(name, "fail", "; ".join(ledger.log), remedy))
        else:
            checks.append(Check(name, "ok", f"{ledger.events} events in {ledger.frames} frames, whole"))
    wrong = [*proof.views, *(f"{ledger.account}: {problem}" for ledger in proof.ledgers for problem in ledger.views)]
    if wrong:
        return [*checks, Check("views", "fail", "; ".join(wrong), "Run `trueup views rebuild`.")]
    return [*checks, Check("views", "ok", "what the journal says")]


def check_snapshots(proof: Proof) -> Sequence[Check]:
    """Snapshots that lie, or that a start would pass over."""
    lies = [f"{ledger.account}: {ledger.snapshot}" for ledger in proof.ledgers if ledger.snapshot]
    if lies:
        remedy = "Run `trueup recover`, which deletes it; the journal is not affected."
        return [Check("snapshots", "fail", "; ".join(lies), remedy)]
    found = [f"{ledger.account}: {problem}" for ledger in proof.ledgers for problem in ledger.passed_over]
    if found:
        remedy = "Nothing is lost: a start reads more of the journal, and the next snapshot takes their place."
        return [Check("snapshots", "warn", "; ".join(found), remedy)]
    return [Check("snapshots", "ok", "usable")]


def check_scrubbed(proven: Sequence[Proven], now: int) -> Sequence[Check]:
    """What the scrub of the store last found, and how long ago it proved every layer."""
    wrong = [
        f"{one.layer}{f' of {one.account}' if one.account else ''}: {one.problem}" for one in proven if one.problem
    ]
    if wrong:
        return [Check("scrub", "fail", "; ".join(wrong), "Stop the store and run `trueup recover`.")]
    if not proven:
        return []
    layers = ", ".join(dict.fromkeys(one.layer for one in proven))
    oldest = min(one.looked_at for one in proven)
    ago = f"{max(0, now - oldest) // NANOSECONDS_A_MINUTE} minutes ago or later"
    return [Check("scrub", "ok", f"{layers}: last proven {ago}, at {format_time(oldest)}")]


def check_booked(store: Store, accounts: Sequence[AccountId]) -> Sequence[Check]:
    """What a person should look at in the books."""
    counts = {account: store.ledger(account).book.quarantined for account in accounts}
    waiting = [f"{count} in {account}" for account, count in counts.items() if count]
    healed = [Check("opening", "warn", finding, "It is mended; look at the disk.") for finding in store.findings]
    if waiting:
        remedy = "Look at them with `trueup journal show --kind quarantined`."
        return [*healed, Check("quarantine", "warn", ", ".join(waiting), remedy)]
    return [*healed, Check("quarantine", "ok", "empty")]


def _permissions(path: Path) -> Check:
    mode = stat.S_IMODE(path.stat().st_mode)
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        return Check("directory", "fail", f"{path} cannot be written", f"Mend its permissions ({stat.filemode(mode)}).")
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return Check("directory", "warn", f"{path} is open to others ({mode:o})", f"Run: chmod 700 {path}")
    return Check("directory", "ok", str(path))


def _kind_of_disk(path: Path) -> Check:
    kind = network_disk(path.resolve(), MOUNTS.read_text(encoding="utf-8")) if MOUNTS.exists() else None
    if kind is not None:
        return Check("disk", "fail", f"a network disk ({kind})", "Keep the data directory on a local disk.")
    return Check("disk", "ok", "local")


def _space(path: Path) -> Check:
    free = shutil.disk_usage(path).free
    detail = f"{free >> 20} MiB free"
    if free < FREE_BYTES_LOW:
        return Check("space", "fail" if free < FREE_BYTES_MIN else "warn", detail, "Free space on the disk.")
    return Check("space", "ok", detail)
