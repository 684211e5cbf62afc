"""Installation: all that the API answers from, opened over the stores that the settings name."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from anyio import CapacityLimiter

from api.access.authenticate import Doorkeeper
from api.access.people import People
from api.access.tokens import Tokens
from api.access.vault import Vault
from domain.access.register import Register
from domain.journal import Journal
from domain.ledger import Ledger
from exporter.results import open_results
from projections.follower import Follower
from projections.log import open_log
from projections.queries import Queries
from projections.tables import ReadTables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.settings import Settings
    from exporter.results import Results

REQUEST_THREADS = 40
"""Requests that wait for the stores at once; others queue."""

LOGIN_THREADS = 2
"""Passwords that are checked at once: each takes 64 MiB for a moment."""

DOWNLOAD_THREADS = 16
"""Chunks of files that are read at once; a download holds no thread while it is sent."""


@dataclass(frozen=True, slots=True)
class Installation:
    """Open stores and those who know how to use them; all of it safe for threads."""

    settings: Settings
    ledger: Ledger
    queries: Queries
    people: People
    tokens: Tokens
    doorkeeper: Doorkeeper
    results: Results
    requests: CapacityLimiter
    logins: CapacityLimiter
    downloads: CapacityLimiter


@contextmanager
def open_installation(settings: Settings) -> Iterator[Installation]:
    """Opens the stores, and closes them at the end.

    Raises:
        CannotOpen, CannotUnseal, ValueError, SettingsError: a store cannot be used.
    """
    with ExitStack() as opened:
        secret_key = settings.secret_key()
        log = open_log(settings.events)
        opened.callback(log.close)
        vault = Vault(settings.events, secret_key)
        opened.callback(vault.close)
        tables = ReadTables(settings.read_dir)
        opened.callback(tables.close)
        journal = Journal(log.recorder, turns=log.turns)
        ledger = Ledger(journal)
        queries = Queries(Follower(log.recorder, tables))
        people = People(Register(journal), ledger, vault, queries)
        tokens = Tokens(secret_key, settings.domain)
        yield Installation(
            settings=settings,
            ledger=ledger,
            queries=queries,
            people=people,
            tokens=tokens,
            doorkeeper=Doorkeeper(people, tokens, queries),
            results=open_results(settings.results),
            requests=CapacityLimiter(REQUEST_THREADS),
            logins=CapacityLimiter(LOGIN_THREADS),
            downloads=CapacityLimiter(DOWNLOAD_THREADS),
        )
