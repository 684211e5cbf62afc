"""What the questions are answered with."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, TypeVar, cast

from domain.conditions import OwnerId

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task that is kept. `conditions` is their digest; `version` that of its stream."""

    task_id: str
    project_id: str
    user_id: str
    conditions: str
    resource_type: str
    resource_condition: str
    export_format: str
    app_type: str
    scope: str | None
    app_id: str | None
    instance_id: str | None
    status: str
    rows: int
    total: int | None
    progress: int
    created_at: datetime
    ended_at: datetime | None
    error_code: str | None
    error_msg: str | None
    attempt: int
    exporter: str | None
    held: bool
    lease: float
    wait: float
    version: int

    @property
    def owner(self) -> OwnerId:
        """Whose task it is."""
        return OwnerId(self.project_id, self.user_id)


@dataclass(frozen=True, slots=True)
class QuotaRow:
    """An owner's numbers; `served` is the log position of the last time an exporter began one."""

    project_id: str
    user_id: str
    kept: int
    unfinished: int
    served: int
    last_download: datetime | None


@dataclass(frozen=True, slots=True)
class FileRow:
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


@dataclass(frozen=True, slots=True)
class ProjectRow:
    """A project; `upstream_project_id` is the cloud project it may export from."""

    project_id: str
    name: str
    enterprise_project_id: str
    upstream_project_id: str | None


@dataclass(frozen=True, slots=True)
class AppRow:
    """An app (resource space) of a project."""

    project_id: str
    app_id: str
    is_default: bool


@dataclass(frozen=True, slots=True)
class MemberRow:
    """What a user may do in a project: everything (`admin`), or what `policy` (JSON text) says."""

    project_id: str
    user_id: str
    admin: bool
    policy: str | None


@dataclass(frozen=True, slots=True)
class KeyRow:
    """An access key that has not been revoked; its secret lives in the vault."""

    access_key: str
    user_id: str
    temporary: bool
    expires: datetime | None


@dataclass(frozen=True, slots=True)
class UserRow:
    """A user that has not been removed; `password_version` grows with every change of it."""

    user_id: str
    added_at: datetime
    password_version: int


@dataclass(frozen=True, slots=True)
class Page:
    """A page of an owner's tasks, newest first, and how many match in all."""

    tasks: list[TaskRow]
    count: int


_READ: dict[str, Callable[[Any], Any]] = {"bool": bool, "datetime": datetime.fromisoformat}
"""SQLite keeps times as text and truths as numbers."""


def row_of(kind: type[R], row: Mapping[str, Any]) -> R:
    """A dataclass of a row that holds its columns, and perhaps others."""
    found: R = reader_of(kind)([row[field.name] for field in fields(cast("Any", kind))])
    return found


def columns_of(kind: Any, table: str | None = None) -> str:
    """A row's columns in the order in which `reader_of` reads them, for a SELECT."""
    columns: str = _columns_of(kind, f"{table}." if table else "")
    return columns


def reader_of(kind: Any) -> Callable[[Sequence[Any]], Any]:
    """What makes a dataclass of the values of its columns."""
    reader: Callable[[Sequence[Any]], Any] = _reader_of(kind)
    return reader


@cache
def _columns_of(kind: Any, before: str) -> str:
    return ", ".join(before + field.name for field in fields(kind))


@cache
def _reader_of(kind: Any) -> Any:
    read = [(n, _READ.get(str(each.type).split(" ")[0])) for n, each in enumerate(fields(kind))]
    special = [(number, convert) for number, convert in read if convert]

    def reader(row: Sequence[Any]) -> Any:
        values = list(row)
        for number, convert in special:
            if values[number] is not None:
                values[number] = convert(values[number])
        return kind(*values)

    return reader
