"""What the questions are answered with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, TypeVar

import msgspec

from domain.conditions import OwnerId

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any


class Found(msgspec.Struct, frozen=True, array_like=True):
    """The columns of a table that somebody asks for, in their order."""


R = TypeVar("R", bound=Found)


class ListedTask(Found, frozen=True):
    """What a list tells of a task that is kept; times as the tables hold them (`registry.text`)."""

    task_id: str
    resource_type: str
    resource_condition: str
    export_format: str
    status: str
    rows: int
    progress: int
    created_at: str
    ended_at: str | None
    app_type: str
    app_id: str | None
    total: int | None
    error_code: str | None
    error_msg: str | None


class TaskRow(ListedTask, frozen=True):
    """All of a task that is kept. `conditions` is their digest; `version` that of its stream.

    `heard_at` is when it was created, or its exporter last said something; `batch_name`, what it
    exports by its name, once an exporter has read it.
    """

    project_id: str
    user_id: str
    conditions: str
    scope: str | None
    instance_id: str | None
    attempt: int
    exporter: str | None
    held: bool
    lease: float
    wait: float
    heard_at: datetime
    version: int
    batch_name: str | None

    @property
    def owner(self) -> OwnerId:
        """Whose task it is."""
        return OwnerId(self.project_id, self.user_id)

    @property
    def created(self) -> datetime:
        """When it was created, as a time."""
        return datetime.fromisoformat(self.created_at)


class QuotaRow(Found, frozen=True):
    """An owner's numbers: of the `unfinished` tasks, exporters work on those that are `running`.

    `served` is the log position at which one last began to; before that, of the first create.
    """

    project_id: str
    user_id: str
    kept: int
    unfinished: int
    running: int
    served: int
    last_download: datetime | None


class Seen(Found, frozen=True):
    """What an hour (`2026-11-24T12`, UTC) saw; `rows` are those of completed workbooks."""

    hour: str
    created: int = 0
    completed: int = 0
    failed: int = 0
    removed: int = 0
    downloads: int = 0
    rows: int = 0


class Activity(Found, frozen=True):
    """Kept tasks by status; of those that are processed, exporters work on the `running`."""

    processing: int = 0
    success: int = 0
    failure: int = 0
    running: int = 0

    @property
    def waiting(self) -> int:
        """How many unfinished tasks no exporter works on."""
        return self.processing - self.running


class Failures(Found, frozen=True):
    """How many tasks failed on a day (`2026-11-24`, UTC) for one reason, and the last of them."""

    day: str
    code: str
    tasks: int
    latest: str


class UnderWay(TaskRow, frozen=True):
    """An unfinished task, for operators: since when its exporter is at it, and why one gave it up.

    `wait` seconds and `reason` are the last hand-back's, which was then `heard_at`.
    """

    claimed_at: datetime | None
    reason: str | None


class FileRow(Found, frozen=True):
    """A result file of a kept task or of current conditions; superseded since when, if it is."""

    key: str
    conditions: str
    task_id: str
    size: int
    sha256: str
    rows: int
    sheets: int
    repaired: int
    complete: bool
    data_as_of: str
    completed_at: datetime
    superseded_at: datetime | None


class ProjectRow(Found, frozen=True):
    """A project; `upstream_project_id` is the cloud project it may export from."""

    project_id: str
    name: str
    enterprise_project_id: str
    upstream_project_id: str | None


class AppRow(Found, frozen=True):
    """An app (resource space) of a project."""

    project_id: str
    app_id: str
    is_default: bool


class MemberRow(Found, frozen=True):
    """What a user may do in a project: everything (`admin`), or what `policy` (JSON text) says."""

    project_id: str
    user_id: str
    admin: bool
    policy: str | None


class KeyRow(Found, frozen=True):
    """An access key that has not been revoked; its secret lives in the vault."""

    access_key: str
    user_id: str
    temporary: bool
    expires: datetime | None


class UserRow(Found, frozen=True):
    """A user that has not been removed; `password_version` grows with every change of it.

    `operator` is what it may do to the whole installation: `view`, `operate`, or (None) nothing.
    """

    user_id: str
    added_at: datetime
    password_version: int
    operator: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """A page of an owner's tasks, newest first, and how many match in all."""

    tasks: Sequence[ListedTask]
    count: int


def row_of(kind: type[R], row: Mapping[str, Any]) -> R:
    """One of these, of a row that holds its columns, and perhaps others."""
    return all_of(kind, [[row[name] for name in kind.__struct_fields__]])[0]


def all_of(kind: type[R], found: Iterable[Sequence[Any]]) -> list[R]:
    """These, of rows that hold just the columns of `columns_of`.

    SQLite keeps times as text and truths as numbers.
    """
    return msgspec.convert(list(found), list[kind], strict=False)  # type: ignore[valid-type]


@cache
def columns_of(kind: type[Found], table: str = "") -> str:
    """A row's columns in their order, for a SELECT; of this table, where there are several."""
    before = f"{table}." if table else ""
    return ", ".join(before + name for name in kind.__struct_fields__)
