"""Batches: the calls that show the local source's batch tasks, so that another can export them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.batch_messages import (
    BatchTaskList,
    BatchTaskShown,
    batch_detail,
    batch_task,
    read_batch,
    read_batch_list,
)
from api.messages import PageEnd
from api.problems import NO_API, NO_BATCH_TASK, Rejected
from api.requests import as_json
from domain.commands import BATCH_TASK_ID

if TYPE_CHECKING:
    from starlette.responses import Response

    from api.requests import Asked
    from exporter.sources.listing import Listing


def list_batches(asked: Asked) -> Response:
    """Batch tasks of one type, as the cloud's ListBatchTasks."""
    query, listing = read_batch_list(asked.query), _listing(asked)
    wanted = _given(task_type=query.task_type, app_id=query.app_id, status=query.status)
    tasks, count, last = listing.tasks(
        asked.project_id, wanted, limit=query.limit, marker=query.marker, offset=query.offset
    )
    items = [batch_task(task, listing.by_status(task)) for task in tasks]
    return as_json(BatchTaskList(items, PageEnd(count, last)))


def show_batch(asked: Asked) -> Response:
    """One batch task with a page of its details, as the cloud's ShowBatchTask."""
    query, listing = read_batch(asked.query), _listing(asked)
    task_id = asked.parameter("task_id")
    found = listing.task(asked.project_id, task_id) if BATCH_TASK_ID.fullmatch(task_id) else None
    if found is None:
        raise Rejected(NO_BATCH_TASK, "The batch task does not exist.")
    wanted = _given(status=query.task_detail_status, target=query.target)
    details, count, last = listing.details(
        found, wanted, limit=query.limit, marker=query.marker, offset=query.offset
    )
    task, rows = batch_task(found, listing.by_status(found)), list(map(batch_detail, details))
    return as_json(BatchTaskShown(task, rows, PageEnd(count, last)))


def _listing(asked: Asked) -> Listing:
    if asked.house.listing is None:
        raise Rejected(NO_API, "The API is not published here: the batch tasks are elsewhere.")
    return asked.house.listing


def _given(**wanted: str | None) -> dict[str, str]:
    return {name: text for name, text in wanted.items() if text is not None}
