"""A PostgreSQL server of the tests' own, which may be killed, starved and misconfigured. No other program uses it.

It is made by ``initdb`` in a directory of its own and listens on the loopback address only. It syncs, as one that is
trusted with money does. As root it runs as the user ``postgres``, since none runs as root.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from time import monotonic
from typing import Any

import asyncpg

from tests.postgresql import ask
from tests.processes import PATIENCE_S

OWNER = "postgres"

PORTS = range(20_000, 32_000)
"""Below those that systems give to outgoing connections, so that a server that was killed finds its port free again."""

WAL_SEGMENT_BYTES = 1 << 20
"""Small, so that a limit to the size of files can leave the log alone and stop tables."""

OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "16MB",
    "commit_delay": "10000",  # microseconds in the middle of each COMMIT, before its log is synced: room for a fault
    "commit_siblings": "0",
}


def programs() -> Path | None:
    """Where the server's programs are; None where no server can be made."""
    if os.geteuid() == 0 and OWNER not in {user.pw_name for user in pwd.getpwall()}:
        return None
    found = shutil.which("initdb")
    beside = [Path(found).parent] if found else []
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    both = ((path / "initdb", path / "postgres") for path in (*beside, *packaged))
    return next((initdb.parent for initdb, server in both if initdb.exists() and server.exists()), None)


class Cluster:
    """One server with its directory. Made with :meth:`made`."""

    def __init__(self, bin_directory: Path, directory: Path) -> None:
        self._bin = bin_directory
        self._directory = directory
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._names = count(1)
        self._as: Mapping[str, Any] = {"cwd": directory, "env": _environment()}
        if os.geteuid() == 0:
            owner = pwd.getpwnam(OWNER)
            os.chown(directory, owner.pw_uid, owner.pw_gid)
            self._as = {**self._as, "user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}

    @classmethod
    @contextmanager
    def made(cls, bin_directory: Path) -> "Iterator[Cluster]":
        """A server that runs, until the end of the block; then nothing of it is left."""
        directory = Path(tempfile.mkdtemp(prefix="trueup-server-"))
        try:
            cluster = cls(bin_directory, directory)
            cluster._initialise()
            try:
                cluster.start()
                yield cluster
            finally:
                cluster.stop(signal.SIGQUIT)
        finally:
            shutil.rmtree(directory)

    def url(self) -> str:
        """The address of its database."""
        return f"postgresql://postgres@127.0.0.1:{self._port}/postgres"

    def new_schema(self) -> str:
        """The address of a schema with nothing in it."""
        name = f"store_{next(self._names)}"
        ask(self.url(), f"CREATE SCHEMA {name}")
        return f"{self.url()}?search_path={name}"

    def start(self, *, file_bytes_max: int | None = None) -> None:
        """Start, recover what a crash left, and wait until connections are accepted.

        Args:
            file_bytes_max: Above which no file of the server can grow: a disk that is full.
        """
        deadline = monotonic() + PATIENCE_S
        words = [str(self._bin / "postgres"), "-D", str(self._directory / "data"), "-p", str(self._port)]
        words += [f"--{name}={value}" for name, value in OPTIONS.items()]
        if file_bytes_max is not None:
            words = ["bash", "-c", 'ulimit -f "$0" && exec "$@"', str(file_bytes_max >> 10), *words]
        while not self._answers():
            assert monotonic() < deadline, self._log().read_text(encoding="utf-8")
            if self._process is None or self._process.poll() is not None:  # what was killed may not have gone yet
                with self._log().open("ab") as log:
                    self._process = subprocess.Popen(words, stdout=log, stderr=log, **self._as)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Shut down: SIGINT ends all sessions in order, SIGQUIT at once and leaves recovery to the next start."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(PATIENCE_S)
            self._process = None

    def demote(self) -> None:
        """Let it be a standby, from its next start on."""
        self._standby().touch()

    def promote(self) -> None:
        """Let it be a primary, from its next start on."""
        self._standby().unlink()

    def kill(self) -> None:
        """SIGKILL every process of the server at once."""
        assert self._process is not None
        first = self._process.pid
        others = Path(f"/proc/{first}/task/{first}/children").read_text(encoding="ascii").split()
        for process in (first, *map(int, others)):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self._process.wait(PATIENCE_S)
        self._process = None

    def kill_writers(self) -> None:
        """SIGKILL the sessions that book, as is done for want of memory; the server then begins anew by itself."""
        for row in ask(self.url(), "SELECT pid FROM pg_stat_activity WHERE application_name = 'trueup writer'"):
            os.kill(row["pid"], signal.SIGKILL)

    @contextmanager
    def setting(self, name: str, value: str) -> Iterator[None]:
        """Reload with a setting changed, and with the former one at the end."""
        former = ask(self.url(), f"SHOW {name}")[0][0]
        self._reload(f"ALTER SYSTEM SET {name} = {value}", name, value)
        try:
            yield
        finally:
            # A server that only reads lets this through all the same: it is no transaction's work.
            self._reload(f"ALTER SYSTEM RESET {name}", name, former)

    def _reload(self, statement: str, name: str, value: str) -> None:
        ask(self.url(), statement, "SELECT pg_reload_conf()")
        deadline = monotonic() + PATIENCE_S
        while ask(self.url(), f"SHOW {name}")[0][0] != value:
            assert monotonic() < deadline, f"the server does not take up {name} = {value}"

    def _initialise(self) -> None:
        words = [str(self._bin / "initdb"), "-D", str(self._directory / "data"), "-U", "postgres", "-A", "trust"]
        words += ["-E", "UTF8", "--locale=C", "--no-sync", f"--wal-segsize={WAL_SEGMENT_BYTES >> 20}"]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, timeout=PATIENCE_S, **self._as)

    def _answers(self) -> bool:
        try:
            ask(self.url(), "SELECT 1")
        except (OSError, asyncpg.PostgresError):
            return False
        return True

    def _standby(self) -> Path:
        return self._directory / "data" / "standby.signal"

    def _log(self) -> Path:
        return self._directory / "log"


def _environment() -> Mapping[str, str]:
    """Without what would lead the server's programs elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PG", "COVERAGE_"))}


def _free_port() -> int:
    for port in PORTS[os.getpid() % 1_000 :: 7]:
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise OSError("no port is free")
