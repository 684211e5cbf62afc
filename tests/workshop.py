"""A workshop: exporters over a real log, real read tables, a real source and a result folder."""

from __future__ import annotations

import hashlib
from contextlib import closing
from threading import Thread
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

import xlrd as untyped_xlrd
from eventsourcing.persistence import OperationalError

from domain.task import Task
from exporter.exporter import Exporter
from exporter.results import open_results
from exporter.sources.batches import Batches
from exporter.sources.sql import SqlSource, sqlite_path
from projections.follower import Follower
from projections.log import open_log
from projections.queries import Queries
from projections.tables import ReadTables
from tests.facts import LEASE, Story

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from domain.fact import Fact
    from exporter.results import Results
    from exporter.sources import Detail

xlrd: Any = untyped_xlrd
PAGE = 10
PATIENCE = 60.0
AWAY = OperationalError("away")


class Watch:
    """A monotonic clock that a test moves, and that knows how often it was looked at."""

    def __init__(self) -> None:
        self.now, self.looks = 1000.0, 0

    def __call__(self) -> float:
        self.looks += 1
        return self.now

    def pass_by(self, seconds: float) -> None:
        """Lets time pass."""
        self.now += seconds


class Crash(BaseException):
    """The process ends here."""


class Pages(SqlSource):
    """The local source in small pages; before each, something may happen."""

    def __init__(self, url: str, before_page: Callable[[int], object]) -> None:
        super().__init__(sqlite_path(url))
        self._before_page = before_page

    def pages(self, task_id: str, size: int = PAGE) -> Iterator[list[Detail]]:
        for number, page in enumerate(super().pages(task_id, PAGE), 1):
            self._before_page(number)
            yield page


class Storing:
    """The results as they are; before each put, something may happen."""

    def __init__(self, results: Results, before_put: Callable[[], object]) -> None:
        self._results, self._before_put = results, before_put

    def put(self, key: str, source: Path) -> None:
        self._before_put()
        self._results.put(key, source)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._results, name)


class Workshop:
    """One installation, with a batch task or more, and as many exporters as a test wants."""

    def __init__(
        self, folder: Path, events_url: str | None = None, results_url: str | None = None
    ) -> None:
        self.folder = folder
        self.events_url = events_url or f"sqlite:///{folder}/events.sqlite"
        self.source_url = f"sqlite:///{folder}/source.sqlite"
        self.log = open_log(self.events_url)
        self.story = Story(self.log.recorder)
        self.tables = ReadTables(folder / "read")
        self.queries = Queries(Follower(self.log.recorder, self.tables))
        self.source = SqlSource(sqlite_path(self.source_url))
        self.batches = Batches(self.source_url)
        self.results = open_results(results_url or f"file://{folder}/results", folder / "spool")
        self.watch = Watch()

    def exporter(self, name: str = "e1", **changes: Any) -> Exporter:
        """An exporter whose leases pass by the workshop's watch."""
        parts = {k: changes.pop(k, getattr(self, k)) for k in ("source", "results")}
        options = {
            "lease": LEASE,
            "clock": self.story.clock,
            "watch": self.watch,
            "nonce": lambda: f"{self.story.journal.chance.getrandbits(64):016x}",
            **changes,
        }
        return Exporter(self.story.ledger, self.queries, *parts.values(), name=name, **options)

    def pages(self, before_page: Callable[[int], object]) -> Pages:
        """The source, with something that happens before each page of `PAGE` rows."""
        return Pages(self.source_url, before_page)

    def storing(self, before_put: Callable[[], object]) -> Storing:
        """The results, with something that happens before each put."""
        return Storing(self.results, before_put)

    def batch(self, rows: int = 25, **options: Any) -> str:
        """A finished batch task with made-up details."""
        return self.batches.generate("p1", rows, **options)

    def running_batch(self, rows: int) -> str:
        """A batch task that runs on."""
        lines = [b'{"task_name":"n","status":"Processing"}\n', *lines_of(rows)]
        return self.batches.import_(lines, project_id="p1")

    def create(self, batch: str | None = None, **options: Any) -> Task:
        """A task; without a batch task it gets one of its own."""
        return self.story.create(batch=batch or self.batch(), **options)

    def now(self, task: Task) -> Task:
        """The task as the log has it."""
        found = self.story.ledger.task(task.task_id)
        assert found
        return found

    def history(self, task: Task) -> list[Fact]:
        """What happened to it."""
        return self.story.ledger.history(task.task_id)

    def progressed(self, task: Task) -> list[Task.Progressed]:
        """Its claims, progress and hand-backs."""
        return [event for event in self.history(task) if isinstance(event, Task.Progressed)]

    def files(self, *, spool: bool = False) -> list[str]:
        """The keys in the store, or those of the spools."""
        return [each.key for each in self.results.list() if each.spool is spool]

    def stored(self, key: str) -> bytes:
        """A file's bytes."""
        with closing(self.results.open(key)) as result:
            return b"".join(result.read_range(0, result.size))

    def book(self, task: Task) -> dict[str, list[list[str]]]:
        """The sheets of a task's file as `xlrd` reads them, once the file is what events say."""
        file = self.now(task).file
        assert file
        content = self.stored(file.key)
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file.size, file.sha256)
        return sheets(content)

    def summary(self, task: Task) -> dict[str, str]:
        """The summary of a task's file."""
        return dict(self.book(task)["summary"][1:])

    def rows(self, batch: str) -> list[list[str]]:
        """A batch task's details as cells."""
        found = (row for page in self.source.pages(batch) for row in page)
        return [[cell or "" for cell in row] for row in found]

    def refuse(self, times: int, error: Exception = AWAY, *, after: bool = False) -> None:
        """The event store fails the next writes, before they are made or (`after`) afterwards."""
        recorder = self.story.recorder
        insert, left = recorder.insert_events, times

        def insert_events(stored: Any, **more: Any) -> Any:
            nonlocal left
            if left > 0:
                left -= 1
                if after:
                    insert(stored, **more)
                raise error
            return insert(stored, **more)

        recorder.insert_events = insert_events  # type: ignore[method-assign, assignment]

    def close(self) -> None:
        """Gives back what it holds."""
        self.batches.close()
        self.tables.close()
        self.log.close()


def lines_of(rows: int, status: str = "Success") -> list[bytes]:
    """Details as JSON Lines."""
    return [f'{{"target":"d{n}","status":"{status}"}}\n'.encode() for n in range(rows)]


def sheets(content: bytes) -> dict[str, list[list[str]]]:
    """All cells of a workbook."""
    with xlrd.open_workbook(file_contents=content) as book:
        return {sheet.name: [sheet.row_values(n) for n in range(sheet.nrows)] for sheet in book}


def until_it_goes_on(watch: Watch) -> None:
    """Waits for a heartbeat that has just renewed a lease: it looks at its watch once to say when
    that was, and then whether the lease is due again.
    """
    looks = watch.looks
    until(lambda: watch.looks >= looks + 2, "the heartbeat goes on")


def until(holds: Callable[[], object], what: str) -> None:
    """Waits until something holds."""
    deadline = monotonic() + PATIENCE
    while not holds():
        assert monotonic() < deadline, f"waited in vain until {what}"
        sleep(0.01)


def aside(work: Callable[[], object]) -> Thread:
    """Does something in a thread of its own."""
    thread = Thread(target=work, daemon=True)
    thread.start()
    return thread
