"""Task page: one export, what became of it and why, and what can be done with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api.advice import advice
from api.console.page import page
from api.console.rendering import render, see
from api.console.sessions import may
from api.console.state import state_of
from api.console.timeline import DOWNLOADS_LOOKED_AT, timeline
from api.downloads import download
from api.exports import delete, history, quota_of, task_id
from domain.access.actions import ON_EXPORTS
from domain.task import Task, task_stream

if TYPE_CHECKING:
    from starlette.responses import Response

    from api.console.timeline import Item
    from api.requests import Asked
    from domain.fact import Fact
    from projections.rows import TaskRow


def show(asked: Asked) -> Response:
    """A kept task; or, with 410, one that was removed: when, and for which newer one."""
    queries = asked.house.queries
    position = queries.follower.position().position  # before what is shown: nothing is missed
    facts = history(asked)
    row = queries.task(asked.owner, task_id(asked))
    items = _timeline(asked, facts)
    told: dict[str, Any] = {"items": items, "task_id": task_id(asked), "position": position}
    if row is None:
        story = Task.of(task_stream(task_id(asked)), facts)
        return render(asked, "gone.html", 410, created=facts[0], end=facts[-1], story=story, **told)
    return render(asked, "task.html", **told, **_kept(asked, row))


def remove(asked: Asked) -> Response:
    """Deletes it, and leads to the list; a second click finds it deleted, and leads there too."""
    delete(asked)
    return see("/")


def _kept(asked: Asked, row: TaskRow) -> dict[str, Any]:
    queries, now = asked.house.queries, asked.house.ledger.journal.clock()
    state, free = state_of(row, now), row.status == "Processing" and not row.held
    return {
        "task": row,
        "state": state,
        "again": state.again,
        "now": now,
        "waiting": (now - row.heard_at).total_seconds() if free else None,
        "line": queries.queue_position(row),
        "file": queries.current_file(row.conditions) if row.status == "Success" else None,
        "advice": advice(row.error_code) if row.status == "Failed" else None,
        "quota": quota_of(asked),
        "may_delete": may(asked, ON_EXPORTS + "delete"),
        "may_create": may(asked, ON_EXPORTS + "create"),
    }


def _timeline(asked: Asked, facts: list[Fact]) -> list[Item]:
    granted = asked.house.ledger.downloads(asked.owner, DOWNLOADS_LOOKED_AT)
    return timeline(facts, granted, task_id(asked))


_TASK = "/exports/{export_task_id}"

PAGES = (
    page("GET", _TASK, "ShowExport", show, permission=ON_EXPORTS + "query"),
    page("POST", _TASK + "/delete", "DeleteExport", remove, permission=ON_EXPORTS + "delete"),
    page(
        "GET",
        _TASK + "/file",
        "DownloadExport",
        download,
        permission=ON_EXPORTS + "query",
        of_results=True,
    ),
)
