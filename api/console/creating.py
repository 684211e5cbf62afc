"""Creating: the form for a new export, with the batch tasks that can be exported where they are
here, and what it is sent to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.console.page import page
from api.console.rendering import render, see
from api.console.sessions import may
from api.exports import create_task
from api.list_query import marker, parameters
from api.messages import CreateBody, ResourceCondition
from domain.access.actions import ON_BATCHES, ON_EXPORTS
from domain.commands import check, check_app_id
from exporter.sources import SourceFailed

if TYPE_CHECKING:
    from starlette.responses import Response

    from api.requests import Asked
    from exporter.sources import BatchTask

SHOWN = 20
"""Batch tasks on a page of the form."""


def form(asked: Asked) -> Response:
    """What to export: one of the batch tasks, or whichever id is typed in."""
    before = parameters(asked.query, {"before"}).get("before") or ""
    settings, away, found = asked.house.settings, False, None
    try:
        found = _batches(asked, marker("before", before) if before else "")
    except SourceFailed:  # it may be back when the export is made
        away = True
    return render(
        asked,
        "new_export.html",
        batches=None if found is None else found[:SHOWN],
        away=away,
        older=found[SHOWN - 1].task_id if found and found[SHOWN:] else None,
        newest=not before,
        apps=asked.house.queries.apps(asked.project_id),
        instances=settings.instances,
        instance_required=settings.instance_required,
    )


def create(asked: Asked) -> Response:
    """Creates the export and leads to its page."""
    fields = {"task_id", "other", "app", "instance"}
    sent = dict.fromkeys(fields, "") | parameters(asked.body, fields)
    batch = (sent["other"] or sent["task_id"]).strip().lower()
    check("batch task", bool(batch), "must be chosen, or its id typed in")
    condition = ResourceCondition(batch)
    condition.check()
    app = sent["app"] or None
    check_app_id(app)
    body = CreateBody("BatchTask", condition, app_type="APP" if app else "GLOBAL", app_id=app)
    task = create_task(asked, body, sent["instance"].strip() or None)
    return see(f"/exports/{task.task_id}")


def _batches(asked: Asked, before: str) -> list[BatchTask] | None:
    """One more than are shown; None where they are elsewhere, or not for this user."""
    listing = asked.house.listing
    if listing is None or not may(asked, ON_BATCHES + "queryList"):
        return None
    return listing.page(asked.project_id, {}, limit=SHOWN + 1, marker=before)


PAGES = (
    page(
        "GET", "/exports/new", "NewExport", form, permission=ON_EXPORTS + "create", of_source=True
    ),
    page("POST", "/exports", "CreateExport", create, permission=ON_EXPORTS + "create"),
)
