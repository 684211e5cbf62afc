"""Place: one PostgreSQL, as durable as it comes, and one S3 server, which machines share."""

from __future__ import annotations

import os
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from secrets import token_urlsafe
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from api.settings import Settings
from tests.database import Database
from tests.object_store import ObjectStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BUCKET = "export-tasks"


class Place:
    """Where installations are made, each over a database and a prefix of its own."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.folder, self._database, self._numbers = folder, database, count(1)

    def fresh(self) -> str:
        """The address of an empty database."""
        name = f"events{next(self._numbers)}"
        self._database.execute(f"CREATE DATABASE {name}")
        return self._database.url(name)

    def nodes(self, number: int, events: str | None = None) -> list[Settings]:
        """The settings of so many machines that share a log, all else of which is new."""
        events = events or self.fresh()
        name = events.rpartition("/")[2]
        shared = {
            "EXPORT_TASKS_EVENTS": events,
            "EXPORT_TASKS_RESULTS": f"s3://{BUCKET}/{name}",
            "EXPORT_TASKS_SOURCE": f"sqlite:///{self.folder / name}.sqlite",
            "EXPORT_TASKS_SECRET_KEY": token_urlsafe(32),
        }
        return [self._node(f"{name}-{each}", shared) for each in range(1, number + 1)]

    def _node(self, name: str, shared: Mapping[str, str]) -> Settings:
        (self.folder / name).mkdir()
        return Settings.read(shared, home=self.folder / name)


@contextmanager
def place(folder: Path) -> Iterator[Place]:
    """Both servers, until the block ends; how to reach the bucket stands in the environment.

    The database has a folder elsewhere: its user may not enter every folder.
    """
    with TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as elsewhere:
        database = Database(Path(elsewhere) / "data").start()
        try:
            with ObjectStore(folder / "s3") as store:
                store.make_bucket(BUCKET)
                os.environ.update(store.environment())
                yield Place(folder, database)
        finally:
            database.stop()
