"""Batch messages: what the calls about batch tasks are asked and answer, as IoTDA has them."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct

from api.list_query import (
    LIMIT_DEFAULT,
    Limit,
    Marker,
    Offset,
    app_id,
    limit,
    marker,
    offset,
    parameters,
    word,
)
from api.messages import AppId, BatchTaskId, PageEnd
from domain.commands import NEWEST, check
from exporter.sources import BatchStatus, DetailStatus
from exporter.sources.fields import MAX_NAME, MAX_TARGET
from exporter.summary import COUNTED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter import sources

_TARGET = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_TARGET}}}")

OfApp = Annotated[AppId, Meta(description="only those of the app")]
Time = Annotated[str, Meta(description="yyyyMMdd'T'HHmmss'Z'", examples=["20260131T120000Z"])]


class BatchListQuery(Struct):
    """Which batch tasks, and which page of them; `task_type` must be given."""

    task_type: Annotated[
        str, Meta(min_length=1, max_length=MAX_NAME, description="only those of the type")
    ]
    app_id: OfApp | None = None
    status: Annotated[BatchStatus, Meta(description="only those that stand so")] | None = None
    limit: Limit = LIMIT_DEFAULT
    marker: Marker = NEWEST
    offset: Offset = 0


class BatchQuery(Struct):
    """Which details of a batch task, and which page of them."""

    task_detail_status: (
        Annotated[DetailStatus, Meta(description="only details that stand so")] | None
    ) = None
    target: (
        Annotated[str, Meta(pattern=f"^{_TARGET.pattern}$", description="only this device's")]
        | None
    ) = None
    limit: Limit = LIMIT_DEFAULT
    marker: Marker = NEWEST
    offset: Offset = 0


class BatchProgress(Struct):
    """A batch task's details, counted by status."""

    total: int
    processing: int
    success: int
    fail: int
    waitting: int
    fail_wait_retry: int
    stopped: int
    removed: int


class BatchTask(Struct):
    """A batch task; IoTDA's own answer does not say the app."""

    task_id: BatchTaskId
    task_name: Annotated[str, Meta(description="as whoever made it called it")]
    task_type: Annotated[str, Meta(description="what it did, such as firmwareUpgrade")]
    status: Annotated[BatchStatus, Meta(description="it has ended, or runs on")]
    task_progress: BatchProgress
    create_time: Time
    app_id: AppId | None


class BatchDetailError(Struct):
    """Why it failed."""

    error_code: Annotated[str | None, Meta(description="the device's, or the platform's")]
    error_msg: Annotated[str | None, Meta(description="the same in words")]


class BatchDetail(Struct):
    """What became of one device."""

    target: Annotated[str | None, Meta(description="the device's id")]
    status: Annotated[str | None, Meta(description="Success, Fail, …")]
    output: Annotated[str | None, Meta(description="what it answered")]
    error: BatchDetailError | None


class BatchTaskShown(Struct):
    """A batch task with a page of its details, newest first."""

    batchtask: BatchTask
    task_details: list[BatchDetail]
    page: PageEnd


class BatchTaskList(Struct):
    """A page of batch tasks, by falling id."""

    batchtasks: list[BatchTask]
    page: PageEnd


def read_batch_list(query: bytes) -> BatchListQuery:
    """The parameters; unknown ones are ignored.

    Raises:
        Invalid, Rejected: a parameter breaks its rule, is missing, or is given twice.
    """
    sent = _read(query, {"task_type": _task_type, "app_id": app_id, "status": word(BatchStatus)})
    check("task_type", "task_type" in sent, "must be given")
    return BatchListQuery(**sent)


def read_batch(query: bytes) -> BatchQuery:
    """The parameters; unknown ones are ignored. Raises as `read_batch_list`."""
    return BatchQuery(**_read(query, {"task_detail_status": word(DetailStatus), "target": _target}))


def batch_task(task: sources.BatchTask, by_status: Mapping[str, int]) -> BatchTask:
    """A batch task, its details counted."""
    counts = {name: by_status.get(status, 0) for status, name in COUNTED.items()}
    created = datetime.fromisoformat(task.create_time)
    return BatchTask(
        task_id=task.task_id,
        task_name=task.task_name,
        task_type=task.task_type,
        status=task.status,  # type: ignore[arg-type] # a source knows no other
        task_progress=BatchProgress(total=sum(by_status.values()), **counts),
        create_time=created.strftime("%Y%m%dT%H%M%SZ"),
        app_id=task.app_id,
    )


def batch_detail(detail: sources.Detail) -> BatchDetail:
    """A detail."""
    target, status, output, code, message = detail
    error = None if code is message is None else BatchDetailError(code, message)
    return BatchDetail(target, status, output, error)


def _read(query: bytes, readers: Mapping[str, Callable[[str, str], str]]) -> dict[str, Any]:
    every = {**readers, "limit": limit, "marker": marker, "offset": offset}
    return {name: every[name](name, text) for name, text in parameters(query, set(every)).items()}


def _task_type(name: str, text: str) -> str:
    check(name, 1 <= len(text) <= MAX_NAME, f"must be 1 to {MAX_NAME} characters")
    return text


def _target(name: str, text: str) -> str:
    rule = f"must be 1 to {MAX_TARGET} letters, digits, underscores or hyphens"
    check(name, bool(_TARGET.fullmatch(text)), rule)
    return text
