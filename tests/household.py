"""A household: people over a real log, vault and read tables, and ways to interrupt them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from api.access.authenticate import Doorkeeper
from api.access.erasures import ERASURES, Erasures
from api.access.people import People
from api.access.removal import Removal
from api.access.tokens import Tokens
from api.access.vault import Vault
from domain.access.register import Register
from projections.follower import Follower
from projections.log import open_log
from projections.queries import Queries
from projections.tables import ReadTables
from tests.facts import OPERATOR, Story

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET_KEY = b"the secret key of the household!"


class Crash(BaseException):
    """The process ends here."""


class Household:
    """One installation with two projects and nobody in it."""

    def __init__(self, folder: Path, url: str | None = None) -> None:
        self.folder = folder
        self.url = url or f"sqlite:///{folder}/events.sqlite"
        self.log = open_log(self.url)
        self.story = Story(self.log.recorder)
        self.register = Register(self.story.journal)
        self.vault = Vault(self.log, SECRET_KEY)
        self.tables = ReadTables(folder / "read")
        self.queries = Queries(Follower(self.log.recorder, self.tables))
        self.erasures = Erasures(folder / ERASURES)
        self.removal = Removal(self.register, self.story.ledger, self.vault, self.erasures)
        self.people = People(self.register, self.vault, self.queries, self.removal)
        self.tokens = Tokens(SECRET_KEY, "default")
        self.doorkeeper = Doorkeeper(self.people, self.tokens, self.queries)
        for project_id in ("p1", "p2"):
            self.register.add_project(project_id, project_id, "0", None, OPERATOR)

    def add(self, name: str = "Ann", password: str | None = None, **changes):
        """Adds an admin of the first project."""
        wanted = {"project_id": "p1", "admin": True, "policy": None, **changes}
        return self.people.add_user(name, password=password, caller=OPERATOR, **wanted)

    def rows(self) -> dict[str, int]:
        """How many rows the vault's tables have."""
        tables = ("people", "secrets", "passwords")
        with self.vault.reading() as cursor:
            counts = {}
            for table in tables:
                cursor.execute(f"SELECT count(*) AS number FROM {table}")
                counts[table] = cursor.fetchone()["number"]
        return counts

    @contextmanager
    def crashing(self, write: int, after: bool) -> Iterator[None]:
        """Ends the process at the given write to vault or log, before it or right after it."""
        writing, insert = self.vault.writing, self.log.recorder.insert_events
        left = write

        def count() -> bool:
            nonlocal left
            left -= 1
            return left == 0

        @contextmanager
        def vault_write():
            last = count()
            if last and not after:
                raise Crash
            with writing() as cursor:
                yield cursor
            if last:
                raise Crash

        def log_write(stored, **more):
            last = count()
            if last and not after:
                raise Crash
            result = insert(stored, **more)
            if last:
                raise Crash
            return result

        self.vault.writing, self.log.recorder.insert_events = vault_write, log_write
        try:
            yield
        finally:
            self.vault.writing, self.log.recorder.insert_events = writing, insert

    def close(self) -> None:
        """Gives back what it holds."""
        self.tables.close()
        self.log.close()
