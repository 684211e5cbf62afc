"""Routes: the one table of all calls, from which come routing, OpenAPI and the pages."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.routing import Route

from api import batches, exports, health, identity
from api.batch_messages import BatchListQuery, BatchQuery, BatchTaskList, BatchTaskShown
from api.downloads import MEDIA_TYPE, download
from api.list_query import ListQuery, ShowQuery
from api.messages import CreateBody, ExportTask, ProjectList, Quota, TaskHistory, TaskList
from api.metrics import page
from api.pages import pages
from api.problems import METHOD, NO_API, Rejected
from api.requests import Call, answer

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

PROJECT = "/v5/iot/{project_id}"
TASKS = PROJECT + "/export-tasks"
TASK = TASKS + "/{export_task_id}"
BATCHES = PROJECT + "/batchtasks"
PERMISSION = "iotda:exporttasks:"
BATCH_PERMISSION = "iotda:batchtasks:"

CREATE_EXAMPLE = {
    "resource_type": "BatchTask",
    "resource_condition": {"task_id": "5f433ce0c24389024365fdfa"},
    "export_format": "xls",
    "app_type": "APP",
    "app_id": "jeQDJQZltU8iKgFFoW060F5SGZka",
}
LOGIN_EXAMPLE = {
    "auth": {
        "identity": {
            "methods": ["password"],
            "password": {
                "user": {"name": "ada", "password": "…", "domain": {"name": "default"}},
            },
        },
        "scope": {"project": {"id": "plant-1"}},
    }
}

_API = (
    Call(
        method="POST",
        path=TASKS,
        name="CreateExportTask",
        summary="Create an export task",
        handle=exports.create,
        statuses=(201, 400, 401, 403, 413, 503),
        permission=PERMISSION + "create",
        body=CreateBody,
        example=CREATE_EXAMPLE,
        headers=("Instance-Id",),
        answer=ExportTask,
    ),
    Call(
        method="GET",
        path=TASKS,
        name="ListExportTasks",
        brief=True,
        summary="List export tasks, newest first",
        handle=exports.list_tasks,
        statuses=(200, 400, 401, 403, 503),
        permission=PERMISSION + "queryList",
        query=ListQuery,
        answer=TaskList,
    ),
    Call(
        method="GET",
        path=TASK,
        name="ShowOneExportTask",
        brief=True,
        summary="Show one export task",
        handle=exports.show,
        statuses=(200, 400, 401, 403, 404, 503),
        permission=PERMISSION + "query",
        query=ShowQuery,
        answer=ExportTask,
    ),
    Call(
        method="DELETE",
        path=TASK,
        name="DeleteExportTask",
        summary="Delete an export task, whatever its state",
        handle=exports.delete,
        statuses=(204, 401, 403, 404, 503),
        permission=PERMISSION + "delete",
    ),
    Call(
        method="GET",
        path=TASK + "/file",
        name="ShowExportTask",
        summary="Download the file; one in 30 seconds by default",
        handle=download,
        statuses=(200, 206, 304, 401, 403, 404, 416, 503),
        permission=PERMISSION + "query",
        headers=("Range", "If-Range", "If-None-Match", "If-Modified-Since"),
        head=True,
        of_results=True,
        media_type=MEDIA_TYPE,
    ),
    Call(
        method="GET",
        path=TASK + "/events",
        name="ListExportTaskEvents",
        summary="Show a task's history, also after its removal",
        handle=exports.events,
        statuses=(200, 401, 403, 404, 503),
        permission=PERMISSION + "query",
        answer=TaskHistory,
    ),
    Call(
        method="GET",
        path=PROJECT + "/export-quota",
        name="ShowExportQuota",
        summary="Show one's own numbers beside the limits",
        handle=exports.quota,
        statuses=(200, 401, 403, 503),
        permission=PERMISSION + "queryList",
        answer=Quota,
    ),
    Call(
        method="GET",
        path=BATCHES,
        name="ListBatchTasks",
        summary="List batch tasks of one type, newest first",
        handle=batches.list_batches,
        statuses=(200, 400, 401, 403, 404, 503),
        permission=BATCH_PERMISSION + "queryList",
        query=BatchListQuery,
        answer=BatchTaskList,
        of_source=True,
    ),
    Call(
        method="GET",
        path=BATCHES + "/{task_id}",
        name="ShowBatchTask",
        summary="Show a batch task and a page of its details, newest first",
        handle=batches.show_batch,
        statuses=(200, 400, 401, 403, 404, 503),
        permission=BATCH_PERMISSION + "query",
        query=BatchQuery,
        answer=BatchTaskShown,
        of_source=True,
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
        example=LOGIN_EXAMPLE,
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
    ),
    Call(
        method="GET",
        path="/livez",
        name="Livez",
        summary="Does the process answer?",
        handle=health.livez,
        statuses=(200,),
        open=True,
        light=True,
    ),
    Call(
        method="GET",
        path="/readyz",
        name="Readyz",
        summary="Are the stores reached, and the read tables up to date?",
        handle=health.readyz,
        statuses=(200, 503),
        open=True,
        of_health=True,
        query=health.ReadyQuery,
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
    ),
)

CALLS = (*_API, *pages(_API))


class Endpoint:
    """One path: each method its call. HEAD where a call allows it, or everybody may GET."""

    def __init__(self, calls: list[Call]) -> None:
        self.path = calls[0].path
        self._calls = {call.method: call for call in calls}
        read = self._calls.get("GET")
        if read and (read.head or read.open):
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
