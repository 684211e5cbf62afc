"""Any owner's task: what became of it and why; and the two acts, each a command with its event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api.advice import advice
from api.console.operator.access import CANNOT_RETRY, may_act, operators
from api.console.operator.rendering import render
from api.console.rendering import see
from api.console.state import state_of
from api.console.timeline import DOWNLOADS_LOOKED_AT, timeline
from api.exports import task_id
from api.problems import Rejected
from domain.commands import DeleteTask, RetryTask
from domain.refusals import NoSuchTask, NotFailed, OwnerClosed, UnfinishedLimitReached
from domain.task import task_stream

if TYPE_CHECKING:
    from starlette.responses import Response

    from api.requests import Asked
    from domain.task import Task
    from projections.rows import TaskRow


def show(asked: Asked) -> Response:
    """A task that is kept, or was: the history of a removed one stays."""
    queries, ledger = asked.house.queries, asked.house.ledger
    position = queries.follower.position().position  # before what is shown: nothing is missed
    row, frozen = queries.any_task(task_id(asked)), _frozen(asked)
    if row and frozen:
        return render(asked, "frozen.html", row=row, frozen=frozen, acts=may_act(asked))
    task = _task(asked)
    downloads = ledger.downloads(task.owner, DOWNLOADS_LOOKED_AT)
    facts = ledger.history(task.task_id)
    return render(
        asked,
        "task.html",
        position=position,
        events=facts,
        story=task,
        items=timeline(facts, downloads, task.task_id),
        row=row,
        acts=may_act(asked),
        **(_kept(asked, row) if row else {}),
    )


def delete(asked: Asked) -> Response:
    """Deletes it, whatever its state; a second click finds it deleted, and leads to it too."""
    row = asked.house.queries.any_task(task_id(asked))
    owner = row.owner if row else _task(asked).owner
    asked.house.ledger.delete(DeleteTask(owner, task_id(asked), asked.caller()))
    return see(f"/operator/tasks/{task_id(asked)}")


def retry(asked: Asked) -> Response:
    """Exports it again, and leads to the new task; a second click leads there too."""
    try:
        made = asked.house.ledger.retry(RetryTask(task_id(asked), asked.caller()))
    except (NotFailed, OwnerClosed, UnfinishedLimitReached) as refusal:
        raise Rejected(CANNOT_RETRY, str(refusal)) from None
    return see(f"/operator/tasks/{made.task_id}")


def _kept(asked: Asked, row: TaskRow) -> dict[str, Any]:
    queries, now = asked.house.queries, asked.house.ledger.journal.clock()
    return {
        "state": state_of(row, now),
        "line": queries.queue_position(row),
        "file": queries.current_file(row.conditions) if row.status == "Success" else None,
        "advice": advice(row.error_code) if row.status == "Failed" else None,
    }


def _frozen(asked: Asked) -> dict[str, Any] | None:
    """Why its events are applied no more, where one could not be."""
    stream = task_stream(task_id(asked)).hex
    return next(
        (each for each in asked.house.queries.quarantined() if each["stream"] == stream), None
    )


def _task(asked: Asked) -> Task:
    task = asked.house.ledger.task(task_id(asked))
    if task is None:
        raise NoSuchTask
    return task


_TASK = "/tasks/{export_task_id}"

PAGES = (
    operators("GET", _TASK, "OperatorTask", show),
    operators("POST", _TASK + "/delete", "OperatorDelete", delete, acts=True),
    operators("POST", _TASK + "/retry", "OperatorRetry", retry, acts=True),
)
