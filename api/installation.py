"""Installation: all that the API answers from, opened over the stores that the settings name."""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING

from anyio import CapacityLimiter

from api.access.authenticate import Doorkeeper
from api.access.first_link import FirstLink
from api.access.lockout import Lockout
from api.access.tokens import SESSION_LIVES, Tokens
from api.console.watcher import Watcher
from api.health import Health
from api.metrics.page import Numbers
from api.metrics.pools import Pools
from api.metrics.processes import Working
from api.metrics.traffic import Traffic
from api.parts import Parts
from api.troubles import Troubles
from projections.overview import Overview

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from starlette.routing import Route

    from api.access.people import People
    from api.access.side_log import SideLog
    from api.requests import Call
    from api.settings import Settings
    from domain.ledger import Ledger
    from exporter.results import Results
    from exporter.sources.listing import Listing
    from projections.past import Past
    from projections.queries import Queries

REQUEST_THREADS = {"sqlite": 2, "postgresql": 4}
"""Requests that ask the stores at once, by the kind of event store; others queue. More of them only
wait for each other: every call of a store lets another thread have the interpreter, and each change
of hands costs as much. A store elsewhere is waited for without it."""

WRITE_THREADS = {"sqlite": 1, "postgresql": 4}
"""Requests that change something at once: the embedded store has one writer."""

SOURCE_THREADS = 2
"""Requests that ask the source at once: others do not wait for those."""

LOGIN_THREADS = 2
"""Passwords that are checked at once: each takes 19 MiB for a moment."""

PAST_THREADS = 1
"""Those who ask for another time, at once: that costs what happened since, and only they wait."""

DOWNLOAD_THREADS = 16
"""Files that are opened and chunks that are read at once: where the store hangs, these wait alone.
A download holds no thread while it is sent."""

PROBE_THREADS = 4
"""Those who ask how the service is, at once: each waits some seconds at most."""


@dataclass(frozen=True, slots=True)
class Installation:
    """Open stores and those who know how to use them; all of it safe for threads.

    `draining` is set when the process will stop before long.
    """

    settings: Settings
    ledger: Ledger
    queries: Queries
    overview: Overview
    past: Past
    people: People
    tokens: Tokens
    sessions: Tokens
    first_link: FirstLink
    doorkeeper: Doorkeeper
    lockout: Lockout
    side_log: SideLog
    watcher: Watcher
    traffic: Traffic
    troubles: Troubles
    health: Health
    pools: Pools
    numbers: Numbers
    results: Results
    listing: Listing | None
    requests: CapacityLimiter
    writes: CapacityLimiter
    logins: CapacityLimiter
    sources: CapacityLimiter
    pasts: CapacityLimiter
    downloads: CapacityLimiter
    probing: CapacityLimiter
    draining: Event


@contextmanager
def open_installation(
    settings: Settings,
    calls: Iterable[Call],
    routes: Iterable[Route],
    draining: Event | None = None,
) -> Iterator[Installation]:
    """Opens the stores, and closes them at the end. Requests of these calls are counted by route.

    Raises:
        CannotOpen, CannotUnseal, SettingsError, Unusable: a store cannot be used.
    """
    with (
        Parts(settings) as parts,
        closing(Working(settings, "api")) as working,
        closing(Traffic(settings, calls, routes)) as traffic,
        closing(Pools(settings, _limiters(parts.log.kind))) as pools,
    ):
        parts.appending = working.appending
        health = Health(settings, parts.queries, parts.results)
        tokens = Tokens(settings.secret_key(), settings.domain)
        yield Installation(
            settings=settings,
            ledger=parts.ledger,
            queries=parts.queries,
            overview=Overview(parts.follower),
            past=parts.past,
            people=parts.people,
            tokens=tokens,
            sessions=Tokens(
                settings.secret_key(), settings.domain, purpose="sessions", lives=SESSION_LIVES
            ),
            first_link=FirstLink(settings.secret_key()),
            doorkeeper=Doorkeeper(parts.people, tokens, parts.queries),
            lockout=Lockout(parts.vault, settings.secret_key()),
            side_log=parts.side_log,
            watcher=Watcher(parts.journal),
            traffic=traffic,
            troubles=Troubles(),
            health=health,
            pools=pools,
            numbers=Numbers(
                settings, parts.follower, parts.journal, (traffic, pools), health.results
            ),
            results=parts.results,
            listing=parts.listing,
            draining=draining or Event(),
            **pools.limiters,
        )


def _limiters(kind: str) -> dict[str, CapacityLimiter]:
    threads = {
        "requests": REQUEST_THREADS[kind],
        "writes": WRITE_THREADS[kind],
        "logins": LOGIN_THREADS,
        "sources": SOURCE_THREADS,
        "pasts": PAST_THREADS,
        "downloads": DOWNLOAD_THREADS,
        "probing": PROBE_THREADS,
    }
    return {name: CapacityLimiter(most) for name, most in threads.items()}
