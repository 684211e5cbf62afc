"""Homes: an installation with people in it, and the processes that answer for it."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING

from api.access.beginning import begin
from api.parts import Parts
from api.settings import Settings
from domain.commands import SetLimits
from domain.conditions import OwnerId
from scripts.benchmarks.tasks import PROJECT
from scripts.group import READY, command_line

if TYPE_CHECKING:
    from collections.abc import Iterator

UNFINISHED = KEPT = 50
"""Limits that let an owner create all that is measured, with no exporter to end a task."""

STOP_SECONDS = 40.0
WORDS = "processes.log"
"""What the processes of a home say of themselves."""

KNOCK_SECONDS = 0.002
_BACKLOG = 128
ROOT = Path(__file__).resolve().parent.parent.parent
"""Where a module of this program can be run from."""


class NotReady(Exception):
    """A process ended before it took requests; its own words are in the text."""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may do everything in the project, and with which key."""

    owner: OwnerId
    access_key: str
    secret_key: str


@dataclass(frozen=True, slots=True)
class Server:
    """A process that takes requests at a port of this machine."""

    port: int
    pid: int


@contextmanager
def parts_of(home: Path) -> Iterator[Parts]:
    """The parts of an installation in its own folder, whatever the environment says."""
    with Parts(Settings.read({}, home=home)) as parts:
        yield parts


def settle(parts: Parts, users: int) -> list[User]:
    """A project with so many admin users, under limits that are not what is measured."""
    first = begin(parts.people, parts.operator(), PROJECT, name=PROJECT, user="user 0")
    found = [User(first.owner, first.access_key, first.secret_key)]
    for number in range(1, users):
        made = parts.people.add_user(f"user {number}", PROJECT, True, None, None, parts.operator())
        found.append(User(OwnerId(PROJECT, made.user_id), made.access_key, made.secret_key))
    parts.ledger.set_limits(SetLimits(UNFINISHED, KEPT, 0.0, parts.operator()))
    return found


@contextmanager
def api(settings: Settings) -> Iterator[Server]:
    """One API worker, started as `serve` starts it; no exporter beside it."""
    with _listening() as listener:
        command = command_line("worker", "api", str(listener.fileno()))
        with _process(command, settings, listener) as process:
            yield Server(listener.getsockname()[1], process.pid)


@contextmanager
def exporter(settings: Settings) -> Iterator[int]:
    """One exporter, started as `serve` starts it; its process."""
    with _process(command_line("worker", "exporter"), settings) as process:
        yield process.pid


@contextmanager
def serving(settings: Settings, exporters: int) -> Iterator[Server]:
    """A whole `serve`, from the moment that it listens: its workers may not be ready yet."""
    port = _free_port()
    command = command_line("serve", "--port", str(port), "--exporters", str(exporters))
    with _started(command, settings) as process:
        while not _listens(port):
            if process.poll() is not None:
                raise NotReady((settings.home / WORDS).read_text())
            sleep(KNOCK_SECONDS)
        yield Server(port, process.pid)


@contextmanager
def bare(settings: Settings, document: Path) -> Iterator[Server]:
    """The same server with the same settings, where one route answers with a document."""
    with _module("bare", str(document), settings) as server:
        yield server


@contextmanager
def filed(settings: Settings, file: Path) -> Iterator[Server]:
    """The same server with the same settings, where one route answers with a file."""
    with _module("filed", str(file), settings) as server:
        yield server


@contextmanager
def unguarded(settings: Settings, user_id: str) -> Iterator[Server]:
    """The same API worker, which takes everybody for one user and asks for no permission."""
    with _module("unguarded", user_id, settings) as server:
        yield server


@contextmanager
def _module(name: str, argument: str, settings: Settings) -> Iterator[Server]:
    with _listening() as listener:
        module = (sys.executable, "-m", f"scripts.benchmarks.{name}")
        command = [*module, str(listener.fileno()), argument]
        with _process(command, settings, listener) as process:
            yield Server(listener.getsockname()[1], process.pid)


@contextmanager
def _listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG) as listener:
        yield listener


def _free_port() -> int:
    with _listening() as listener:
        port: int = listener.getsockname()[1]
    return port


def _listens(port: int) -> bool:
    with socket.socket() as knocking:
        return knocking.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def _process(
    command: list[str], settings: Settings, listener: socket.socket | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has said that it is ready."""
    with _started(command, settings, listener) as process:
        if process.stdout is None or process.stdout.readline() != READY:
            raise NotReady((settings.home / WORDS).read_text())
        yield process


@contextmanager
def _started(
    command: list[str], settings: Settings, listener: socket.socket | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    with (settings.home / WORDS).open("ab") as words:
        process = subprocess.Popen(  # noqa: S603 (our own)
            command,
            cwd=ROOT,
            env=settings.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=words,
            pass_fds=[listener.fileno()] if listener else [],
        )
        try:
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=STOP_SECONDS)
