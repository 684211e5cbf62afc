"""Routes: the one table of all calls, from which come routing, OpenAPI and the pages."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.routing import Route

from api import batches, exports, health, identity
from api.access.login import LoginAnswer, LoginBody
from api.batch_messages import BatchListQuery, BatchQuery, BatchTaskList, BatchTaskShown
from api.downloads import MEDIA_TYPE, download
from api.health_messages import Alive, Readiness
from api.list_query import ListQuery, ShowQuery
from api.messages import CreateBody, ExportTask, ProjectList, Quota, TaskHistory, TaskList
from api.metrics import page
from api.pages import PAGES
from api.problems import (
    INSTANCE,
    LIMIT_INVALID,
    MARKER_INVALID,
    METHOD,
    NO_API,
    NO_APP,
    NO_APPS,
    NO_BATCH_TASK,
    NO_FILE,
    NO_TASK,
    OTHERS_APP,
    RANGE,
    SEVERAL_APPS,
    TOO_SOON,
    UNFINISHED_LIMIT,
    Rejected,
)
from api.requests import Call, answer
from domain.access.actions import ON_BATCHES, ON_EXPORTS

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

PROJECT = "/v5/iot/{project_id}"
TASKS = PROJECT + "/export-tasks"
TASK = TASKS + "/{export_task_id}"
BATCHES = PROJECT + "/batchtasks"

EXPORTS, BATCH_TASKS = "Export tasks", "Batch tasks"
IDENTITY, SERVICE = "Identity", "Service"
"""The calls by what they are about; one without such a tag is a page, no part of the API."""

_FILE = ("X-Export-Task-Id", "ETag", "Last-Modified", "Cache-Control")
_BYTES = (*_FILE, "Content-Disposition", "Content-Length", "Accept-Ranges")

_API = (
    Call(
        method="POST",
        path=TASKS,
        name="CreateExportTask",
        summary="Create an export task",
        handle=exports.create,
        statuses=(201, 400, 401, 403, 413, 503),
        permission=ON_EXPORTS + "create",
        body=CreateBody,
        headers=("Instance-Id",),
        answer=ExportTask,
        tag=EXPORTS,
        refusals=(
            *(NO_APP, OTHERS_APP, SEVERAL_APPS, NO_APPS),
            *(UNFINISHED_LIMIT, INSTANCE),
        ),
        sdk="create_export_task",
    ),
    Call(
        method="GET",
        path=TASKS,
        name="ListExportTasks",
        brief=True,
        summary="List export tasks, newest first",
        handle=exports.list_tasks,
        statuses=(200, 400, 401, 403, 503),
        permission=ON_EXPORTS + "queryList",
        query=ListQuery,
        answer=TaskList,
        tag=EXPORTS,
        refusals=(LIMIT_INVALID, MARKER_INVALID),
        sdk="list_export_tasks",
    ),
    Call(
        method="GET",
        path=TASK,
        name="ShowOneExportTask",
        brief=True,
        summary="Show one export task",
        handle=exports.show,
        statuses=(200, 400, 401, 403, 404, 503),
        permission=ON_EXPORTS + "query",
        query=ShowQuery,
        answer=ExportTask,
        tag=EXPORTS,
        refusals=(NO_TASK,),
    ),
    Call(
        method="DELETE",
        path=TASK,
        name="DeleteExportTask",
        summary="Delete an export task, whatever its state",
        handle=exports.delete,
        statuses=(204, 401, 403, 404, 503),
        permission=ON_EXPORTS + "delete",
        tag=EXPORTS,
        refusals=(NO_TASK,),
        sdk="delete_export_task",
    ),
    Call(
        method="GET",
        path=TASK + "/file",
        name="ShowExportTask",
        summary="Download the file; one in 30 seconds by default",
        handle=download,
        statuses=(200, 206, 304, 401, 403, 404, 416, 503),
        permission=ON_EXPORTS + "query",
        headers=("Range", "If-Range", "If-None-Match"),
        head=True,
        of_results=True,
        media_type=MEDIA_TYPE,
        tag=EXPORTS,
        refusals=(NO_TASK, NO_FILE, TOO_SOON, RANGE),
        told={200: _BYTES, 206: (*_BYTES, "Content-Range"), 304: _FILE},
        sdk="show_export_task",
    ),
    Call(
        method="GET",
        path=TASK + "/events",
        name="ListExportTaskEvents",
        summary="Show a task's history, also after its removal",
        handle=exports.events,
        statuses=(200, 401, 403, 404, 503),
        permission=ON_EXPORTS + "query",
        answer=TaskHistory,
        tag=EXPORTS,
        refusals=(NO_TASK,),
    ),
    Call(
        method="GET",
        path=PROJECT + "/export-quota",
        name="ShowExportQuota",
        summary="Show one's own numbers beside the limits",
        handle=exports.quota,
        statuses=(200, 401, 403, 503),
        permission=ON_EXPORTS + "queryList",
        answer=Quota,
        tag=EXPORTS,
    ),
    Call(
        method="GET",
        path=BATCHES,
        name="ListBatchTasks",
        summary="List batch tasks of one type, newest first",
        handle=batches.list_batches,
        statuses=(200, 400, 401, 403, 404, 503),
        permission=ON_BATCHES + "queryList",
        query=BatchListQuery,
        answer=BatchTaskList,
        of_source=True,
        tag=BATCH_TASKS,
        refusals=(LIMIT_INVALID, MARKER_INVALID, NO_API),
        sdk="list_batch_tasks",
    ),
    Call(
        method="GET",
        path=BATCHES + "/{task_id}",
        name="ShowBatchTask",
        summary="Show a batch task and a page of its details, newest first",
        handle=batches.show_batch,
        statuses=(200, 400, 401, 403, 404, 503),
        permission=ON_BATCHES + "query",
        query=BatchQuery,
        answer=BatchTaskShown,
        of_source=True,
        tag=BATCH_TASKS,
        refusals=(LIMIT_INVALID, MARKER_INVALID, NO_BATCH_TASK, NO_API),
        sdk="show_batch_task",
    ),
    Call(
        method="POST",
        path="/v3/auth/tokens",
        name="CreateToken",
        summary="Get a token, in X-Subject-Token, for a password",
        handle=identity.login,
        statuses=(201, 400, 401, 413, 503),
        open=True,
        login=True,
        tag=IDENTITY,
        body=LoginBody,
        answer=LoginAnswer,
        told={201: ("X-Subject-Token",)},
    ),
    Call(
        method="GET",
        path="/v3/projects",
        name="ListProjects",
        summary="Find one's projects, by name if one is given",
        handle=identity.projects,
        statuses=(200, 400, 401, 503),
        query=identity.ProjectQuery,
        answer=ProjectList,
        tag=IDENTITY,
    ),
    Call(
        method="GET",
        path="/livez",
        name="Livez",
        answer=Alive,
        summary="Does the process answer?",
        handle=health.livez,
        statuses=(200,),
        open=True,
        light=True,
        tag=SERVICE,
    ),
    Call(
        method="GET",
        path="/readyz",
        name="Readyz",
        answer=Readiness,
        summary="Are the stores reached, and the read tables up to date?",
        handle=health.readyz,
        statuses=(200, 503),
        open=True,
        of_health=True,
        query=health.ReadyQuery,
        tag=SERVICE,
    ),
    Call(
        method="GET",
        path="/metrics",
        name="Metrics",
        summary="Numbers for Prometheus",
        handle=page.metrics,
        statuses=(200,),
        open=True,
        of_health=True,
        media_type=page.TYPE,
        tag=SERVICE,
    ),
)

CALLS = (*_API, *PAGES)


class Endpoint:
    """One path: each method its call. HEAD where a call allows it, or everybody may GET."""

    def __init__(self, calls: list[Call]) -> None:
        self.path = calls[0].path
        self._calls = {call.method: call for call in calls}
        read = self._calls.get("GET")
        if read and read.has_head:
            self._calls["HEAD"] = read

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, or raises for a method that is not supported."""
        call = self._calls.get(scope["method"])
        if call is None:
            allow = ", ".join(sorted(self._calls))
            raise Rejected(METHOD, "The method is not supported.", {"allow": allow})
        response = await answer(call, Request(scope, receive))
        await response(scope, receive, send)


async def no_such_api(scope: Scope, receive: Receive, send: Send) -> None:
    """For every other path."""
    del scope, receive, send
    raise Rejected(NO_API, "The API does not exist.")


def routes() -> list[Route]:
    """A route for each path; the project's first, as they are tried in turn."""
    calls = sorted(CALLS, key=lambda call: call.path, reverse=True)
    by_path = groupby(calls, key=lambda call: call.path)
    return [Route(path, Endpoint(list(calls))) for path, calls in by_path]
