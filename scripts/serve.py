"""Serve: API processes, exporters and a keeper as one supervised group, one to a home."""

from __future__ import annotations

import asyncio
import errno
import socket
from contextlib import closing, contextmanager, suppress
from ipaddress import ip_address
from time import monotonic, sleep
from typing import TYPE_CHECKING, TypeVar

from api.access.first_link import FirstLink
from api.parts import Parts
from api.upkeep.event_places import event_place
from domain.refusals import Unavailable
from projections.lock import Held, locked
from projections.log import CannotOpen
from scripts.beforehand import CannotServe, cut_off, look, missing, naming, remove
from scripts.group import Child, Group, command_line
from scripts.logs import log_to_stderr, tell
from scripts.notify import be_watched, notify
from scripts.ready import make_tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from api.settings import Settings

BIND_SECONDS = 3.0
"""How long a port may still be held by the children of a service that was killed."""

BACKLOG = 1024
LOCK = "serve.lock"

T = TypeVar("T")


def serve(settings: Settings) -> bool:
    """Runs the whole service until SIGTERM or SIGINT; false where a child had to be killed.

    At SIGHUP every process but this one is replaced by a new one, at the same socket.

    Raises:
        CannotServe: another `serve` has this home, the port is taken.
        Refusal, CannotOpen, ResultsFailed, SourceFailed: a store cannot be used.
    """
    log_to_stderr(settings.log_level)
    look(settings)
    with (
        alone(settings.home / LOCK),
        closing(_at(settings.host, settings.port, _bound)) as listener,
    ):
        _open(settings)
        _at(settings.host, settings.port, lambda *_: listener.listen(BACKLOG))
        api = [_api(number, listener) for number in range(1, settings.workers + 1)]
        news = f"listening on {_scheme(settings)}://{_address(listener)}"

        def announce() -> None:
            tell(news)
            _invite(settings, listener)

        return _run(settings, [*api, *_makers(settings)], announce, settings.drain)


def export(settings: Settings) -> bool:
    """Runs exporters alone, as `serve` does with the API."""
    check(settings)
    return _run(settings, _makers(settings), lambda: tell("exporting"))


def _run(
    settings: Settings,
    children: list[Child],
    announce: Callable[[], None],
    drain: float = 0.0,
) -> bool:
    log_to_stderr(settings.log_level)  # anew: progress on a terminal had it for itself

    async def run() -> bool:
        watched = asyncio.create_task(be_watched())
        group = Group(
            children,
            settings.environment(),
            drain=drain,
            rehearsal=command_line("worker", "check"),
            tell=notify,
        )
        clean = await group.run(announce)
        watched.cancel()
        return clean

    return asyncio.run(run())


def _api(number: int, listener: socket.socket) -> Child:
    descriptor = listener.fileno()
    return Child(
        f"API worker {number}", command_line("worker", "api", str(descriptor)), (descriptor,)
    )


def _makers(settings: Settings) -> list[Child]:
    exporters = [
        Child(f"exporter {number}", command_line("worker", "exporter"))
        for number in range(1, settings.exporters + 1)
    ]
    # The keeper stops last: what the others still write down is to be in its last checkpoint.
    keeper = Child("keeper", command_line("worker", "keeper"), last=True)
    return [*exporters, keeper]


def check(settings: Settings) -> None:
    """Whatever can be known to fail fails here, before anybody is listened to or replaced.

    Read tables of this program's form are made where there are none.

    Raises:
        CannotServe, Refusal, CannotOpen, ResultsFailed, SourceFailed: as `serve`.
    """
    log_to_stderr(settings.log_level)
    look(settings)
    _open(settings)


def _open(settings: Settings) -> None:
    """What `check` cannot know without making it where it is missing."""
    with Parts(settings) as parts:
        with naming(settings, "read_dir"):
            make_tables(parts)
            empty = not parts.queries.projects()
        if empty and event_place(settings).staging.exists():
            raise cut_off()
        _ = parts.vault  # without its key no process of the group could work
        with naming(settings, "results"):
            parts.claim_results()
        with naming(settings, "source"):
            parts.check_source()
        parts.auditor()


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """One `serve` a home; the lock, which tells its process, goes with it, however it ends.

    A home that was made for the lock goes again where what follows fails, and left nothing there.
    """
    made = missing(path.parent)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with locked(path, plain=True), _leaving_no_trace(path, made):
            yield
    except Held as held:
        raise CannotServe(f"Another serve runs in this home, {path.parent}: {held}.") from held


@contextmanager
def _leaving_no_trace(lock: Path, made: list[Path]) -> Iterator[None]:
    try:
        yield
    except BaseException:
        if made and list(lock.parent.iterdir()) == [lock]:
            lock.unlink()
            remove(made)
        raise


def _at(host: str, port: int, take: Callable[[str, int], T]) -> T:
    """What can be had at a port, when it is free."""
    until = monotonic() + BIND_SECONDS
    while True:
        try:
            return take(host, port)
        except OSError as error:
            if monotonic() > until or error.errno != errno.EADDRINUSE:
                raise CannotServe(
                    f"Cannot listen on {host} port {port}: {error.strerror}."
                ) from error
        sleep(0.1)


def _bound(host: str, port: int) -> socket.socket:
    """A socket that nobody can reach yet."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _invite(settings: Settings, listener: socket.socket) -> None:
    """Says what to open where nobody is there yet."""
    with suppress(Unavailable, CannotOpen), Parts(settings) as parts:
        if not parts.queries.projects():
            tell(_first_link(settings, listener))


def _first_link(settings: Settings, listener: socket.socket) -> str:
    """A browser is let in from this machine, or by TLS."""
    here = ip_address(listener.getsockname()[0])
    address = _address(listener)
    if here.is_unspecified:
        address = f"localhost:{listener.getsockname()[1]}"
    key = FirstLink(settings.secret_key()).draw()
    return (
        "Nobody is here yet. Open this once, to make the first project and user (or: export-tasks "
        f"init):\n{_scheme(settings)}://{address}/begin?key={key}"
    )


def _scheme(settings: Settings) -> str:
    return "https" if settings.tls_cert else "http"
