"""Serve: API processes, exporters and a keeper as one supervised group, one to a home."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from contextlib import closing, contextmanager, suppress
from ipaddress import ip_address
from time import monotonic, sleep
from typing import TYPE_CHECKING

from api.access.first_link import FirstLink
from api.parts import Parts
from api.upkeep.event_places import event_place
from domain.refusals import Refusal, Unavailable
from exporter.results import ResultsFailed
from exporter.sources import SourceFailed
from projections.follower import LogAltered
from projections.lock import Held, locked
from projections.log import CannotOpen
from projections.shown import shown
from scripts.group import Child, Group, command_line
from scripts.logs import log_to_stderr
from scripts.notify import be_watched, notify
from scripts.ready import make_tables
from scripts.talk import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from api.settings import Settings

BIND_SECONDS = 3.0
"""How long a port may still be held by the children of a service that was killed."""

BACKLOG = 1024
LOCK = "serve.lock"


class CannotServe(Refusal):
    """What keeps the service from starting; told before it listens."""


def serve(settings: Settings) -> bool:
    """Runs the whole service until SIGTERM or SIGINT; false where a child had to be killed.

    At SIGHUP every process but this one is replaced by a new one, at the same socket.

    Raises:
        CannotServe: another `serve` has this home, the port is taken.
        Refusal, CannotOpen, ResultsFailed, SourceFailed: a store cannot be used.
    """
    with alone(settings.home / LOCK):
        check(settings)
        with closing(_listening(settings.host, settings.port)) as listener:
            api = [_api(number, listener) for number in range(1, settings.workers + 1)]
            news = f"listening on {_scheme(settings)}://{_address(listener)}"

            def announce() -> None:
                say(news)
                _invite(settings, listener)

            children = [*api, *_makers(settings)]
            return _run(settings, children, announce, settings.drain)


def export(settings: Settings) -> bool:
    """Runs exporters alone, as `serve` does with the API."""
    check(settings)
    return _run(settings, _makers(settings), lambda: say("exporting"))


def _run(
    settings: Settings,
    children: list[Child],
    announce: Callable[[], None],
    drain: float = 0.0,
) -> bool:
    log_to_stderr(settings.log_level)

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
    _check_tls(settings.tls_cert, settings.tls_key)
    with Parts(settings) as parts:
        with _naming(settings, "read_dir"):
            make_tables(parts)
            empty = not parts.queries.projects()
        if empty and event_place(settings).staging.exists():
            raise CannotServe("A restore was cut off; give it again: export-tasks restore FROM")
        _ = parts.vault  # without its key no process of the group could work
        with _naming(settings, "results"):
            parts.claim_results()
        with _naming(settings, "source"):
            parts.check_source()
        parts.auditor()


def _check_tls(certificate: Path | None, key: Path | None) -> None:
    if certificate is None and key is None:
        return
    if certificate is None or key is None:
        raise CannotServe("EXPORT_TASKS_TLS_CERT and EXPORT_TASKS_TLS_KEY go together.")
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
            certificate, key, password=""
        )
    except OSError as error:
        raise CannotServe(
            f"EXPORT_TASKS_TLS_CERT ({certificate}), EXPORT_TASKS_TLS_KEY ({key}): {error}"
        ) from error


@contextmanager
def _naming(settings: Settings, name: str) -> Iterator[None]:
    """Says which setting names the place that cannot be used."""
    try:
        yield
    except LogAltered:
        raise  # no place is to blame
    except (Unavailable, ResultsFailed, SourceFailed, OSError) as error:
        place = shown(settings.given[name].text or "")
        raise CannotServe(f"EXPORT_TASKS_{name.upper()} ({place}): {error}") from error


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """One `serve` a home; the lock, which tells its process, goes with it, however it ends."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with locked(path, plain=True):
            yield
    except Held as held:
        raise CannotServe(f"Another serve runs in this home, {path.parent}: {held}.") from held


def _listening(host: str, port: int) -> socket.socket:
    until = monotonic() + BIND_SECONDS
    while True:
        try:
            return _bound(host, port)
        except OSError as error:
            if monotonic() > until or error.errno != errno.EADDRINUSE:
                raise CannotServe(
                    f"Cannot listen on {host} port {port}: {error.strerror}."
                ) from error
        sleep(0.1)


def _bound(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
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
            say(_first_link(settings, listener))


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
