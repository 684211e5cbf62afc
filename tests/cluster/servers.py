"""Servers: the one PostgreSQL and the one S3 that all nodes of a cluster share."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Self

from tests.database import QUICK, Database
from tests.object_store import ObjectStore
from tests.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

BUCKET = "export-tasks"
LOOK_SECONDS = 0.5
EVENTS, BATCHES = "events", "batches"
"""The databases: of the event log, and of the batch tasks."""


class Servers:
    """Both of them; they end with this process, however it ends.

    The database has a folder elsewhere, which is removed: its user may not enter every folder.
    The database ends with the *thread* that started it: so one thread, which lives as long as
    this object, does all that is done to it. The store can be reached by a wire that may be slow.
    """

    def __init__(self, folder: Path) -> None:
        self._place = TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True)
        self.database = Database(Path(self._place.name) / "data", **QUICK)
        self.store = ObjectStore(folder / "s3")
        self.wire = Proxy(self.store.port, LOOK_SECONDS)
        self.hand = ThreadPoolExecutor(1, "database")

    def __enter__(self) -> Self:
        try:
            self.by_hand(self.database.start)
            self.store.start()
            self.store.make_bucket(BUCKET)
            for name in (EVENTS, BATCHES):
                self.database.execute(f"CREATE DATABASE {name}")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends both."""
        self.wire.close()
        self.store.close()
        self.by_hand(self.database.stop)
        self.hand.shutdown()
        self._place.cleanup()

    def by_hand(self, work: Callable[[], T]) -> T:
        """Does something to the database, and waits for it."""
        return self.hand.submit(work).result()

    def by_wire(self) -> dict[str, str]:
        """What a user of the store sets who is to reach it by the wire."""
        return self.store.environment(f"http://127.0.0.1:{self.wire.port}")

    @property
    def events(self) -> str:
        """The address of the event log."""
        return self.database.url(EVENTS)

    @property
    def batches(self) -> str:
        """The address of the batch tasks."""
        return self.database.url(BATCHES)

    @property
    def results(self) -> str:
        """The address of the result files."""
        return f"s3://{BUCKET}/results"
