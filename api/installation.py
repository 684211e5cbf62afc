"""Installation: all that the API answers from, opened over the stores that the settings name."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from anyio import CapacityLimiter

from api.access.authenticate import Doorkeeper
from api.access.first_link import FirstLink
from api.access.lockout import Lockout
from api.access.tokens import SESSION_LIVES, Tokens
from api.console.watcher import Watcher
from api.parts import Parts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.access.people import People
    from api.access.side_log import SideLog
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

DOWNLOAD_THREADS = 16
"""Files that are opened and chunks that are read at once: where the store hangs, these wait alone.
A download holds no thread while it is sent."""


@dataclass(frozen=True, slots=True)
class Installation:
    """Open stores and those who know how to use them; all of it safe for threads."""

    settings: Settings
    ledger: Ledger
    queries: Queries
    past: Past
    people: People
    tokens: Tokens
    sessions: Tokens
    first_link: FirstLink
    doorkeeper: Doorkeeper
    lockout: Lockout
    side_log: SideLog
    watcher: Watcher
    results: Results
    listing: Listing | None
    requests: CapacityLimiter
    writes: CapacityLimiter
    logins: CapacityLimiter
    sources: CapacityLimiter
    downloads: CapacityLimiter


@contextmanager
def open_installation(settings: Settings) -> Iterator[Installation]:
    """Opens the stores, and closes them at the end.

    Raises:
        CannotOpen, CannotUnseal, SettingsError, Unusable: a store cannot be used.
    """
    with Parts(settings) as parts:
        tokens = Tokens(settings.secret_key(), settings.domain)
        yield Installation(
            settings=settings,
            ledger=parts.ledger,
            queries=parts.queries,
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
            results=parts.results,
            listing=parts.listing,
            requests=CapacityLimiter(REQUEST_THREADS[parts.log.kind]),
            writes=CapacityLimiter(WRITE_THREADS[parts.log.kind]),
            logins=CapacityLimiter(LOGIN_THREADS),
            sources=CapacityLimiter(SOURCE_THREADS),
            downloads=CapacityLimiter(DOWNLOAD_THREADS),
        )
