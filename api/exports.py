"""Exports: the calls that create, list, show and delete export tasks, and tell of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from api.apps import scope_of
from api.list_query import read_list, read_show
from api.messages import (
    Limits,
    PageEnd,
    Quota,
    TaskList,
    new_task,
    read_create,
    stamp,
    task_item,
    whole_task,
)
from api.problems import INSTANCE, Rejected
from api.reading import check_media_type
from api.requests import as_json
from domain.commands import TASK_ID, CreateTask, DeleteTask
from domain.conditions import ExportConditions, OwnerId
from domain.refusals import NoSuchTask
from domain.task import Task

if TYPE_CHECKING:
    from datetime import datetime

    from api.messages import CreateBody
    from api.requests import Asked
    from api.settings import Settings
    from domain.fact import Fact
    from projections.rows import TaskRow

_UNTOLD = ("originator_id", "originator_version", "timestamp", "address", "traceparent")


def create(asked: Asked) -> Response:
    """Contract, section 1 Create."""
    check_media_type(asked.header("content-type"), asked.header("content-encoding"))
    body = read_create(asked.body)
    return as_json(new_task(create_task(asked, body, asked.header("instance-id"))), 201)


def create_task(asked: Asked, body: CreateBody, instance_id: str | None) -> Task:
    """Creates what is asked for.

    Raises:
        Rejected, Refusal: contract, section 1 Create.
    """
    app_type = body.app_type or "GLOBAL"
    conditions = ExportConditions(
        resource_type="BatchTask",
        resource_condition=body.resource_condition.canonical(),
        export_format=body.export_format or "xls",
        app_type=app_type,
        scope=scope_of(asked.house.queries, asked.project_id, app_type, body.app_id),
    )
    command = CreateTask(asked.owner, conditions, body.app_id, instance_id, asked.caller())
    _check_instance(asked.house.settings, instance_id)
    return asked.house.ledger.create(command)


def list_tasks(asked: Asked) -> Response:
    """Contract, section 1 List."""
    query = read_list(asked.query)
    tasks = asked.house.past.at(query.at).tasks if query.at else asked.house.queries.tasks
    page = tasks(
        asked.owner,
        limit=query.limit,
        marker=query.marker,
        offset=query.offset,
        **query.filters(),
    )
    last = page.tasks[-1].task_id if page.tasks else None
    items = [task_item(row) for row in page.tasks]
    return as_json(TaskList(items, PageEnd(page.count, last)))


def show(asked: Asked) -> Response:
    """One task: where it stands, and what a download would give now; or both as of a time."""
    query = read_show(asked.query)
    if query.at:
        return _show_at(asked, query.at)
    queries, row = asked.house.queries, kept_task(asked)
    file = queries.current_file(row.conditions) if row.status == "Success" else None
    return as_json(whole_task(row, queries.queue_position(row), file))


def delete(asked: Asked) -> Response:
    """Contract, section 2.6."""
    asked.house.ledger.delete(DeleteTask(asked.owner, task_id(asked), asked.caller()))
    return Response(status_code=204)


def events(asked: Asked) -> Response:
    """A task's history, to its owner also after its removal."""
    return as_json({"events": [told(fact) for fact in history(asked)]})


def history(asked: Asked) -> list[Fact]:
    """All that happened to the task in the path.

    Raises:
        NoSuchTask: it never was, or is another owner's.
    """
    found = asked.house.ledger.history(task_id(asked))
    if not found or _owner_of(found[0]) != asked.owner:
        raise NoSuchTask
    return found


def quota(asked: Asked) -> Response:
    """The owner's numbers beside their limits."""
    return as_json(quota_of(asked))


def quota_of(asked: Asked) -> Quota:
    """The owner's numbers beside their limits."""
    ledger, owner = asked.house.ledger, asked.owner
    limits, row = ledger.limits(), asked.house.queries.quota(owner)
    shown = Limits(limits.unfinished, limits.kept, limits.download_interval)
    wait = round(ledger.seconds_to_next_download(owner), 3)
    return Quota(shown, row.kept, row.unfinished, wait)


def task_id(asked: Asked) -> str:
    """The task id in the path. Raises NoSuchTask for what is none: there is no such task."""
    found = asked.parameter("export_task_id")
    if not TASK_ID.fullmatch(found):
        raise NoSuchTask
    return found


def kept_task(asked: Asked) -> TaskRow:
    """The task in the path. Raises NoSuchTask where the owner has no such task."""
    row = asked.house.queries.task(asked.owner, task_id(asked))
    if row is None:
        raise NoSuchTask
    return row


def _show_at(asked: Asked, at: datetime) -> Response:
    """The queue of then is not told: it is of all owners' tasks."""
    found = asked.house.past.at(at).task(asked.owner, task_id(asked))
    if found is None:
        raise NoSuchTask
    row, file = found
    return as_json(whole_task(row, None, file))


def _check_instance(settings: Settings, instance_id: str | None) -> None:
    if instance_id is None and settings.instance_required:
        raise Rejected(INSTANCE, "The header Instance-Id must be given.")
    if instance_id is not None and settings.instances and instance_id not in settings.instances:
        raise Rejected(INSTANCE, "The instance does not exist.")


def _owner_of(fact: Fact) -> OwnerId | None:
    return OwnerId(fact.project_id, fact.user_id) if isinstance(fact, Task.Created) else None


def told(fact: Fact) -> dict[str, Any]:
    """A fact for its owner. The address is sealed: only an operator can read it."""
    envelope = {
        "version": fact.originator_version,
        "type": fact.TOPIC,
        "time": stamp(fact.timestamp),
        "by": fact.by,
        "request_id": fact.request_id,
    }
    return envelope | {name: value for name, value in vars(fact).items() if name not in _UNTOLD}
