"""Messages: what clients send and get, one definition each for validation, JSON and OpenAPI."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from api import reading
from domain.commands import APP_ID, BATCH_TASK_ID, TASK_ID, check, check_app_id

if TYPE_CHECKING:
    from domain.task import Task
    from projections.rows import FileRow, ListedTask, TaskRow

ResourceType = Literal["BatchTask", "BatchTasks"]
ExportFormat = Literal["xls"]
AppType = Literal["GLOBAL", "APP"]
Status = Literal["Processing", "Success", "Failed"]


def _spelt(pattern: str, what: str) -> Meta:
    """Told in the schema alone; the domain's pattern itself is what judges."""
    return Meta(description=what, extra_json_schema={"pattern": f"^{pattern}$"})


TaskId = Annotated[str, _spelt(TASK_ID.pattern, "an export task; later ones have larger ids")]
BatchTaskId = Annotated[str, _spelt(BATCH_TASK_ID.pattern, "a batch task")]
AppId = Annotated[str, _spelt(APP_ID.pattern, "an app: a resource space of the project")]
Moment = Annotated[
    str,
    Meta(
        description="yyyy-MM-dd'T'HH:mm:ss.SSS'Z', UTC",
        examples=["2026-01-31T12:00:00.000Z"],
        extra_json_schema={"format": "date-time"},
    ),
]


ConditionText = Annotated[
    str,
    Meta(
        description="conditions, as JSON; compared by what they mean, not by how they are written",
        extra_json_schema={
            "contentMediaType": "application/json",
            "contentSchema": {"$ref": "#/components/schemas/ResourceCondition"},
        },
    ),
]


class ResourceCondition(Struct, forbid_unknown_fields=True):
    """Whose details are exported: a batch task's id."""

    task_id: BatchTaskId

    def check(self) -> None:
        """Raises Invalid unless the id is spelt as one."""
        holds = bool(BATCH_TASK_ID.fullmatch(self.task_id))
        check("resource_condition.task_id", holds, "must be 1 to 24 of 0-9 and a-f")

    def canonical(self) -> str:
        """The text by which conditions are compared and stored."""
        return json.dumps({"task_id": self.task_id}, sort_keys=True, separators=(",", ":"))


class CreateBody(Struct, forbid_unknown_fields=True):
    """What is to be exported, and how; null counts as not given."""

    resource_type: Annotated[ResourceType, Meta(description="BatchTasks is taken as BatchTask")]
    resource_condition: ResourceCondition
    export_format: Annotated[ExportFormat | None, Meta(description="xls if not given")] = None
    app_type: Annotated[
        AppType | None, Meta(description="GLOBAL if not given; APP: only what is of one app")
    ] = None
    app_id: Annotated[
        AppId | None,
        Meta(description="with APP the app, or the default one; with GLOBAL it is merely kept"),
    ] = None


def read_create(body: bytes) -> CreateBody:
    """The body of a create.

    Raises:
        Unreadable: it is no JSON.
        Invalid: a field breaks its rule.
    """
    create = reading.read(body, CreateBody)
    create.resource_condition.check()
    check_app_id(create.app_id)
    return create


class TaskFile(Struct):
    """What a download would give now; `task_id` is whose bytes these are."""

    task_id: TaskId
    size: Annotated[int, Meta(description="bytes")]
    sha256: Annotated[str, Meta(description="of the bytes, in hexadecimal")]
    rows: Annotated[int, Meta(description="rows of details")]
    sheets: Annotated[int, Meta(description="sheets of details")]
    repaired: Annotated[int, Meta(description="cells cut or cleaned")]
    complete: Annotated[bool, Meta(description="had the batch task finished when it was read")]
    data_as_of: Annotated[str, Meta(description="when the batch task was read, in UTC")]


class ExportTask(Struct, kw_only=True):
    """An export task, as answered by create, list and show; the last three by show alone."""

    export_task_id: TaskId
    resource_type: Literal["BatchTask"]
    resource_condition: ResourceCondition | Raw
    export_format: ExportFormat
    status: Annotated[Status, Meta(description="Processing until it ends, once")]
    export_count: Annotated[int, Meta(description="rows exported so far")]
    progress: Annotated[
        int,
        Meta(ge=1, le=100, description="100 exactly with Success; a failed task keeps its last"),
    ]
    create_time: Moment
    end_time: Moment | None
    app_type: AppType
    app_id: AppId | None
    total: Annotated[int | None, Meta(description="rows that the source says there are")]
    error_code: Annotated[str | None, Meta(description="why, if it failed")]
    error_msg: Annotated[str | None, Meta(description="why, in words, if it failed")]
    attempt: Annotated[
        int | UnsetType, Meta(description="which try this is; 0: none was made yet")
    ] = UNSET
    queue_position: Annotated[
        int | UnsetType | None, Meta(description="from 1; null once an exporter works on it")
    ] = UNSET
    file: TaskFile | UnsetType | None = UNSET


_TASK: Any = ExportTask
"""Of words that the read tables hold, and mypy does not know."""


class PageEnd(Struct):
    """How many tasks match in all, and the last id of this page: the marker of the next."""

    count: Annotated[int, Meta(description="all that match, on whichever page")]
    marker: Annotated[TaskId | None, Meta(description="null for an empty page")]


class TaskList(Struct):
    """A page of tasks, newest first."""

    export_tasks: list[ExportTask]
    page: PageEnd


class Limits(Struct):
    """The rules' numbers; the interval in seconds."""

    unfinished: Annotated[int, Meta(description="tasks that may be unfinished at once")]
    kept: Annotated[int, Meta(description="tasks that are kept; the earliest goes")]
    download_interval: Annotated[float, Meta(description="seconds from download to download")]


class Quota(Struct):
    """The owner's numbers beside their limits."""

    limits: Limits
    kept: Annotated[int, Meta(description="one's tasks")]
    unfinished: Annotated[int, Meta(description="those that are Processing")]
    seconds_to_next_download: Annotated[float, Meta(description="0: at once")]


class TaskEvent(Struct):
    """Something that happened to a task; besides these, each type has facts of its own."""

    version: Annotated[int, Meta(description="its place in the task's history, from 1")]
    type: str
    time: Moment
    by: Annotated[str, Meta(description="a user's id, or what the service did by itself")]
    request_id: Annotated[str, Meta(description="the request that it came of")]
    key: Annotated[str | None, Meta(description="the access key that signed the request")]


class TaskHistory(Struct):
    """Everything that happened to a task, oldest first."""

    events: list[TaskEvent]


class Project(Struct):
    """A project of the user's, as the cloud's identity service shows it."""

    id: Annotated[str, Meta(description="its id, as paths have it")]
    name: Annotated[str, Meta(description="its name; the SDK looks for its region's")]
    domain_id: Annotated[str, Meta(description="the installation's domain")]
    parent_id: Annotated[str, Meta(description="the same")]
    enabled: bool = True
    is_domain: bool = False
    description: str = ""


class ProjectList(Struct):
    """The user's projects."""

    projects: list[Project]
    links: dict[str, str | None]


class Error(Struct):
    """What every refusal answers."""

    error_code: Annotated[str, Meta(description="for programs")]
    error_msg: Annotated[str, Meta(description="for people")]
    checks: Annotated[
        dict[str, str] | UnsetType,
        Meta(description="of /readyz?verbose alone: as in Readiness"),
    ] = UNSET


def stamp(moment: datetime) -> str:
    """`yyyy-MM-dd'T'HH:mm:ss.SSS'Z'`, in UTC."""
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return utc.isoformat(timespec="milliseconds")[:23] + "Z"


def shortened(text: str) -> str:
    """The same, of a time as the read tables hold it: UTC, in microseconds."""
    return text[:23] + "Z"


def new_task(task: Task) -> ExportTask:
    """A task that has just been created."""
    conditions = task.conditions
    return ExportTask(
        export_task_id=task.task_id,
        resource_type="BatchTask",
        resource_condition=Raw(conditions.resource_condition.encode()),
        export_format="xls",
        status="Processing",
        export_count=0,
        progress=1,
        create_time=stamp(task.created_at),
        end_time=None,
        app_type="APP" if conditions.app_type == "APP" else "GLOBAL",
        app_id=task.app_id,
        total=None,
        error_code=None,
        error_msg=None,
    )


def task_item(row: ListedTask) -> ExportTask:
    """A task as an item of a list."""
    item: ExportTask = _TASK(
        export_task_id=row.task_id,
        resource_type=row.resource_type,
        resource_condition=Raw(row.resource_condition.encode()),
        export_format=row.export_format,
        status=row.status,
        export_count=row.rows,
        progress=row.progress,
        create_time=shortened(row.created_at),
        end_time=shortened(row.ended_at) if row.ended_at else None,
        app_type=row.app_type,
        app_id=row.app_id,
        total=row.total,
        error_code=row.error_code,
        error_msg=row.error_msg,
    )
    return item


def whole_task(
    row: TaskRow, queue_position: int | UnsetType | None, file: FileRow | None
) -> ExportTask:
    """A task as it is answered alone."""
    task = task_item(row)
    task.attempt, task.queue_position = row.attempt, queue_position
    task.file = None if file is None else _file(file)
    return task


def _file(row: FileRow) -> TaskFile:
    return TaskFile(
        task_id=row.task_id,
        size=row.size,
        sha256=row.sha256,
        rows=row.rows,
        sheets=row.sheets,
        repaired=row.repaired,
        complete=row.complete,
        data_as_of=row.data_as_of,
    )
