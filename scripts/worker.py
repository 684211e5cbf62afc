"""Worker: what each child process of a service does, until it is told to stop or is left alone."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import socket
from contextlib import closing, suppress
from math import inf
from secrets import token_hex
from threading import Event, Thread
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from uvicorn import Config

from api.metrics.processes import Working
from api.parts import Parts
from api.values import is_shared
from api.waiting import when_there
from domain.fact import Caller
from domain.refusals import Refusal
from exporter.outages import Outages
from exporter.results import ResultsFailed
from scripts.connections import Draining, believed, bounded
from scripts.group import READY
from scripts.listener import Listener
from scripts.logs import log_to_stderr

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

    from api.settings import Settings
    from projections.follower import Follower

DRAIN_SECONDS = 30
"""How long running requests may take to finish after SIGTERM."""

KEEP_ALIVE_SECONDS = 15
ORPHAN_SECONDS = 10
"""How long a child whose parent was killed may take to stop."""

CATCH_UP_SECONDS = 0.5
SWEEP_SECONDS = 60.0
COUNT_SECONDS = 5.0
"""How often it is looked whether a count of refusals has lasted its minute."""

_STARVED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

log = logging.getLogger(__name__)


class Announcing(Draining):
    """A server that tells its parent when it takes requests."""

    _starved_at = -inf

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts, and says so."""
        asyncio.get_running_loop().set_exception_handler(self._on_fault)
        await super().startup(sockets)
        _tell_ready()

    def _on_fault(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Says once a second that there is no descriptor for a connection.

        asyncio says it for each of the connections that it would take at once (two thousand), and
        tries as often again a second later, even when the socket is closed by then.
        """
        error = context.get("exception")
        if isinstance(error, OSError) and error.errno in _STARVED:
            if monotonic() - self._starved_at >= 1:
                log.error("no descriptor is free for a connection: see ulimit -n")
                self._starved_at = monotonic()
        elif not (self.should_exit and isinstance(error, ValueError)):
            loop.default_exception_handler(context)


def serve_api(settings: Settings, descriptor: int) -> None:
    """Answers requests at the socket that the parent listens on."""
    from api.app import create_app

    log_to_stderr(settings.log_level)
    draining = Event()
    serve_app(
        create_app(settings, draining),
        descriptor,
        draining=draining,
        proxies=settings.forwarded_allow_ips,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
    )


def serve_app(
    app: ASGIApp,
    descriptor: int,
    *,
    proxies: tuple[str, ...] = (),
    draining: Event | None = None,
    **settings: Any,
) -> None:
    """Runs any application as `serve_api` runs the API, to the last setting."""
    server = Announcing(
        Config(
            app,
            http=bounded(proxies),
            loop="asyncio",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(proxies),
            forwarded_allow_ips=believed(proxies),
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=DRAIN_SECONDS,
            **settings,
        )
    )
    _on_stop(lambda: setattr(server, "should_exit", True), draining or Event())
    listener = Listener(descriptor, proxies) if server.config.is_ssl else None
    server.run(sockets=[listener or socket.socket(fileno=descriptor)])


def export(settings: Settings) -> None:
    """Makes files; a running one is handed back at the end."""
    stop = _stop_event(settings)
    with Parts(settings) as parts, closing(Working(settings, "exporter")) as working:
        parts.appending = working.appending
        if _opens(parts, stop):
            parts.exporter().run(stop)


def keep(settings: Settings) -> None:
    """Keeps this node's read tables near the log's head, signs checkpoints of the log, sweeps dead
    files, sums up refusals.
    """
    stop = _stop_event(settings)
    with Parts(settings) as parts, closing(Working(settings, "keeper")) as working:
        parts.appending = working.appending
        if _opens(parts, stop):
            _keep(parts, stop)


def _keep(parts: Parts, stop: Event) -> None:
    sweeper, auditor, clock = parts.sweeper(), parts.auditor(), parts.journal.clock
    outages = Outages(log)

    def attempt(what: str, work: Callable[[], object]) -> None:
        """A store that is away now is tried again at the next turn."""
        try:
            work()
            outages.succeeds(what)
        except (Refusal, ResultsFailed) as error:
            outages.fails(what, error)

    next_sweep = next_count = monotonic()
    while not stop.wait(CATCH_UP_SECONDS):
        attempt("catch up", lambda: _catch_up(parts.follower))
        attempt("sign a checkpoint", lambda: auditor.step(clock()))
        if monotonic() >= next_sweep:
            attempt("sweep", sweeper.sweep)
            next_sweep = monotonic() + SWEEP_SECONDS
        if monotonic() >= next_count:
            attempt("count refusals", lambda: _count_refusals(parts))
            next_count = monotonic() + COUNT_SECONDS
    attempt("sign the last checkpoint", lambda: auditor.close(clock()))


def _opens(parts: Parts, stop: Event) -> bool:
    """Opens the event store, and says that this process has started; False where it is to stop.

    A database that is away is waited for: that is no fault of this process.
    """
    if not is_shared(parts.settings.events):
        _ = parts.log
        _tell_ready()
        return True
    _tell_ready()
    return when_there(lambda: parts.log, stop) is not None


def _count_refusals(parts: Parts) -> None:
    caller = Caller(by="keeper", request_id=token_hex(16))
    parts.side_log.hand_on(parts.register, caller, parts.journal.clock())


def _catch_up(follower: Follower) -> None:
    with follower.caught_up():
        pass


def _stop_event(settings: Settings) -> Event:
    log_to_stderr(settings.log_level)
    stop = Event()
    _on_stop(stop.set, Event())
    return stop


def _on_stop(stop: Callable[[], object], draining: Event) -> None:
    """SIGTERM stops; so does the end of stdin, which means that the parent is gone. What it writes
    there before says that this process will be asked to stop before long.
    """
    signal.signal(signal.SIGTERM, lambda *_: stop())
    Thread(target=_watch_parent, args=(draining,), daemon=True).start()


def _watch_parent(draining: Event) -> None:
    while os.read(0, 64):
        draining.set()
    log.warning("the parent process is gone; stopping")
    os.kill(os.getpid(), signal.SIGTERM)
    sleep(ORPHAN_SECONDS)
    os._exit(1)


def _tell_ready() -> None:
    """Once; what is printed to stdout from here on goes to stderr."""
    with suppress(BrokenPipeError):  # the parent is gone, and whoever watches it ends this process
        os.write(1, READY)
    os.dup2(2, 1)
