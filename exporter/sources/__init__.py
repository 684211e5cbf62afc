"""Where batch tasks come from: what a source answers, whatever it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, get_args

from projections.shown import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

# Contract, section 5: the words of IoTDA, spelt as IoTDA spells them.
BatchStatus = Literal[
    "Initializing",
    "Waitting",
    "Processing",
    "Success",
    "Fail",
    "PartialSuccess",
    "Stopped",
    "Stopping",
]
DetailStatus = Literal[
    "Processing", "Success", "Fail", "Waitting", "FailWaitRetry", "Stopped", "Removed"
]
BATCH_STATUSES: tuple[str, ...] = get_args(BatchStatus)
FINAL_STATUSES = ("Success", "Fail", "PartialSuccess", "Stopped")
DETAIL_STATUSES: tuple[str, ...] = get_args(DetailStatus)
OPEN_DETAIL_STATUSES = ("Processing", "Waitting", "FailWaitRetry")

DETAIL_COLUMNS = ("target", "status", "output", "error_code", "error_msg")
Detail: TypeAlias = tuple[str | None, ...]
"""One detail, in the order of DETAIL_COLUMNS; None is an empty cell."""

PAGE_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class BatchTask:
    """A batch task as its source tells it (contract, section 5).

    `create_time` is ISO 8601 in UTC; `total` is how many details the source counts now.
    """

    task_id: str
    project_id: str
    app_id: str | None
    task_name: str
    task_type: str
    status: str
    create_time: str
    total: int

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.status in FINAL_STATUSES


class SourceFailed(Exception):
    """The source did not answer. The text is for a user and names nothing of this machine.

    `passing` is true where the same question may be answered later without anybody's help; `wait`
    is how many seconds the source asks to be left alone.
    """

    def __init__(self, text: str, *, passing: bool, wait: float = 0.0) -> None:
        super().__init__(text)
        self.passing, self.wait = passing, wait


class NotAsked(SourceFailed):
    """No question was put: the source had asked before to be left alone for longer."""

    def __init__(self, text: str, wait: float) -> None:
        super().__init__(text, passing=True, wait=wait)


class BatchRefused(Exception):
    """A change to the local source that is not made; the text says why to the one who asked."""


class Source(Protocol):
    """What an exporter asks. Every method raises SourceFailed."""

    def find(self, project_id: str, task_id: str, app_id: str | None) -> BatchTask | None:
        """The batch task of that project; with an `app_id`, only if it is in that app."""
        ...

    def pages(self, task_id: str, size: int = PAGE_ROWS) -> Iterator[list[Detail]]:
        """The details in the source's order, at most `size` at a time."""
        ...

    def count(self, task_id: str) -> int:
        """How many details the source says there are, now."""
        ...

    def check(self) -> None:
        """Asks it something."""
        ...

    def close(self) -> None:
        """Lets go of what is held open."""
        ...


@dataclass(frozen=True, slots=True)
class Remote:
    """What a remote source needs to know: the upstream's region, how many calls a second all may
    make who share it, how many those are now, and which project upstream each here is mapped to.
    """

    region: str = ""
    rate: float = 100.0
    projects: Callable[[], Mapping[str, str]] = dict
    sharers: Callable[[], int] = lambda: 1


def open_source(url: str, remote: Remote = Remote()) -> Source:
    """The source that a URL names. Nothing is read yet: a missing file shows at the first question.

    Raises:
        ValueError: the URL is of no known kind, or malformed; the text says which kinds work.
    """
    scheme = url.partition("://")[0]
    if scheme not in _OPENERS:
        known = ", ".join(f"{name}://" for name in _OPENERS)
        raise ValueError(f"The source '{shown(url)}' is of no known kind; these work: {known}.")
    return _OPENERS[scheme](url, remote)


def is_remote(url: str) -> bool:
    """Whether the URL names a source that somebody else serves."""
    return url.startswith("iotda+")


def _sqlite(url: str, _: Remote) -> Source:
    from exporter.sources.sql import SqlSource, sqlite_path

    return SqlSource(sqlite_path(url))


def _postgres(url: str, _: Remote) -> Source:
    from exporter.sources.postgres import PostgresSource

    return PostgresSource(url)


def _iotda(url: str, remote: Remote) -> Source:
    from exporter.sources.iotda import open_iotda

    return open_iotda(url, remote)


_OPENERS: dict[str, Callable[[str, Remote], Source]] = {
    "sqlite": _sqlite,
    "postgresql": _postgres,
    "iotda+https": _iotda,
    "iotda+http": _iotda,
}


def told(by_status: Mapping[str, int]) -> str:
    """What details tell of their batch task's status: that it runs on, or how it ended."""
    if any(by_status.get(status) for status in OPEN_DETAIL_STATUSES):
        return "Processing"
    return told_at_end(by_status)


def told_at_end(by_status: Mapping[str, int]) -> str:
    """How a batch task ended whose details will not change: one word if all share it."""
    seen = {status for status, count in by_status.items() if count}
    if len(seen) == 1 and seen <= set(FINAL_STATUSES):
        return seen.pop()
    return "PartialSuccess" if seen else "Success"


def utc_text(text: str) -> str:
    """A time in any form of ISO 8601, IoTDA's `20260131T235959Z` too, in the one form shown here.

    A time without a zone is UTC. Raises ValueError where the text is no such time.
    """
    try:
        moment = datetime.fromisoformat(text)
        zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return zoned.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError) as error:
        raise ValueError(f"'{text[:40]}' is not an ISO 8601 time") from error
