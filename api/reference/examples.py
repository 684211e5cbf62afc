"""Examples: of each call what is good to know, what is asked and what comes, as it really does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from api.reference.parameters import APP, BATCH_TASK, PROJECT, SHA256, SIZE, TASK

MADE, DONE = "2026-11-30T11:59:52.000Z", "2026-11-30T12:00:00.000Z"
USER = "5a1c9e0b7d3f4a6e8c2b1d0f9e8a7c6b"
REQUEST = "9b2f6c1d8e7a4f50b3c2d1e0f9a8b7c6"


@dataclass(frozen=True, slots=True)
class Example:
    """A call for people, and a request and its answers.

    `query` has a value of each parameter that an answer below was asked with, `also` of the others.
    """

    text: str
    body: dict[str, Any] | None = None
    query: dict[str, Any] = field(default_factory=dict)
    also: dict[str, Any] = field(default_factory=dict)
    answers: dict[int, Any] = field(default_factory=dict)


_TASK = {
    "export_task_id": TASK,
    "resource_type": "BatchTask",
    "resource_condition": {"task_id": BATCH_TASK},
    "export_format": "xls",
    "status": "Processing",
    "export_count": 0,
    "progress": 1,
    "create_time": MADE,
    "end_time": None,
    "app_type": "APP",
    "app_id": APP,
    "total": None,
    "error_code": None,
    "error_msg": None,
}
_ENDED = {"status": "Success", "export_count": 10, "progress": 100, "end_time": DONE, "total": 10}
_FILE = {
    "task_id": TASK,
    "size": SIZE,
    "sha256": SHA256,
    "rows": 10,
    "sheets": 1,
    "repaired": 0,
    "complete": True,
    "data_as_of": "2026-11-30T11:59:59.000Z",
}
_BATCH = {
    "task_id": BATCH_TASK,
    "task_name": "Firmware 2.2.0",
    "task_type": "firmwareUpgrade",
    "status": "PartialSuccess",
    "task_progress": {
        "total": 2,
        "processing": 0,
        "success": 1,
        "fail": 1,
        "waitting": 0,
        "fail_wait_retry": 0,
        "stopped": 0,
        "removed": 0,
    },
    "create_time": "20261130T114500Z",
    "app_id": APP,
}
_DETAILS = [
    {
        "target": "pump-2",
        "status": "Fail",
        "output": None,
        "error": {"error_code": "IOTDA.014016", "error_msg": "The device is not online."},
    },
    {"target": "pump-1", "status": "Success", "output": "2.2.0", "error": None},
]
_PAGE = {"limit": 10, "marker": "f" * 24, "offset": 0}
_DEFAULT = {"id": "default", "name": "default"}


def _happened(version: int, kind: str, time: str, by: str, **facts: Any) -> dict[str, Any]:
    told = {"version": version, "type": kind, "time": time, "by": by, "request_id": REQUEST}
    return {**told, "key": None, **facts}


_HISTORY = [
    _happened(
        *(1, "task.created", MADE, USER),
        task_id=TASK,
        project_id=PROJECT,
        user_id=USER,
        resource_type="BatchTask",
        resource_condition=f'{{"task_id":"{BATCH_TASK}"}}',
        export_format="xls",
        app_type="APP",
        scope=APP,
        app_id=APP,
        instance_id="instance-1",
    ),
    _happened(
        *(2, "task.progressed", DONE, "exporter"),
        attempt=1,
        exporter="e1",
        lease=60.0,
        rows=0,
        total=None,
        progress=1,
        released=False,
        reason=None,
        wait=0.0,
        crashes=0,
        faults=0,
    ),
    _happened(
        *(3, "task.completed", DONE, "exporter"),
        attempt=1,
        exporter="e1",
        file=f"{TASK}/1-00.xls",
        size=SIZE,
        sha256=SHA256,
        rows=10,
        total=10,
        sheets=1,
        repaired=0,
        complete=True,
        data_as_of="2026-11-30T11:59:59.000Z",
    ),
]

EXAMPLES = {
    "CreateExportTask": Example(
        "The answer is on the disk when it comes, and the work begins by itself. At most five of "
        "your tasks may be unfinished; of more than fifty, the earliest goes. A task with the "
        "same conditions as another is a new task, and its file replaces the other's.",
        body={
            "resource_type": "BatchTask",
            "resource_condition": {"task_id": BATCH_TASK},
            "export_format": "xls",
            "app_type": "APP",
            "app_id": APP,
        },
        answers={201: _TASK},
    ),
    "ListExportTasks": Example(
        "Your own tasks alone. For the next page, send the marker that came with this one. "
        "Parameters that are not known are passed over; one that is given twice is refused.",
        query={"limit": 10, "status": "Success"},
        also={
            "marker": "f" * 24,
            "offset": 0,
            "resource_type": "BatchTask",
            "resource_condition": {"task_id": BATCH_TASK},
            "app_type": "APP",
            "app_id": APP,
            "at": "2026-11-30T12:00:00Z",
        },
        answers={200: {"export_tasks": [_TASK | _ENDED], "page": {"count": 1, "marker": TASK}}},
    ),
    "ShowOneExportTask": Example(
        "Where the task stands, and what a download would give now.",
        also={"at": "2026-11-30T12:00:00Z"},
        answers={200: {**_TASK, **_ENDED, "attempt": 1, "queue_position": None, "file": _FILE}},
    ),
    "DeleteExportTask": Example(
        "An unfinished one stops. Its history stays; its file goes when no other task of the same "
        "conditions needs it.",
        answers={204: None},
    ),
    "ShowExportTask": Example(
        "The bytes themselves, never a redirect. One download in 30 seconds, over all your tasks. "
        "One that broke goes on for nothing: send Range, and If-Range with the ETag. HEAD, and "
        "whatever is refused, costs nothing.",
        answers={200: None, 206: None, 304: None},
    ),
    "ListExportTaskEvents": Example(
        "What happened, oldest first, and by whom; also after the task was removed.",
        answers={200: {"events": _HISTORY}},
    ),
    "ShowExportQuota": Example(
        "What is used of what is allowed, and when the next download is.",
        answers={
            200: {
                "limits": {"unfinished": 5, "kept": 50, "download_interval": 30.0},
                "kept": 1,
                "unfinished": 0,
                "seconds_to_next_download": 0.0,
            }
        },
    ),
    "ListBatchTasks": Example(
        "What can be exported. task_type must be given. Where the batch tasks are those of "
        "another service, the call is not there: 404.",
        query={"task_type": "firmwareUpgrade"},
        also={"app_id": APP, "status": "PartialSuccess", **_PAGE},
        answers={200: {"batchtasks": [_BATCH], "page": {"count": 1, "marker": BATCH_TASK}}},
    ),
    "ShowBatchTask": Example(
        "A batch task with its counts, and a page of what became of each device.",
        also={"task_detail_status": "Fail", "target": "pump-2", **_PAGE},
        answers={
            200: {
                "batchtask": _BATCH,
                "task_details": _DETAILS,
                "page": {"count": 2, "marker": "000000008000000000000001"},
            }
        },
    ),
    "CreateToken": Example(
        "The token comes in the header X-Subject-Token, and goes into X-Auth-Token. Five wrong "
        "passwords in a row lock the name for five minutes.",
        body={
            "auth": {
                "identity": {
                    "methods": ["password"],
                    "password": {
                        "user": {
                            "name": "ada",
                            "password": "correct horse battery",
                            "domain": {"name": "default"},
                        }
                    },
                },
                "scope": {"project": {"id": PROJECT}},
            }
        },
        answers={
            201: {
                "token": {
                    "methods": ["password"],
                    "issued_at": "2026-11-30T12:00:00.000000Z",
                    "expires_at": "2026-12-01T12:00:00.000000Z",
                    "user": {"id": USER, "name": "ada", "domain": _DEFAULT},
                    "project": {"id": PROJECT, "name": "cn-north-4", "domain": _DEFAULT},
                    "roles": [{"id": "admin", "name": "admin"}],
                    "catalog": [
                        {
                            "id": "iotda",
                            "name": "iotda",
                            "type": "iotda",
                            "endpoints": [
                                {
                                    "id": PROJECT,
                                    "interface": "public",
                                    "region": "cn-north-4",
                                    "region_id": "cn-north-4",
                                    "url": f"http://exports.example/v5/iot/{PROJECT}",
                                }
                            ],
                        }
                    ],
                }
            }
        },
    ),
    "ListProjects": Example(
        "The SDK asks this when it knows a region and no project: the one that has the region's "
        "name.",
        query={"name": "cn-north-4"},
        answers={
            200: {
                "projects": [
                    {
                        "id": PROJECT,
                        "name": "cn-north-4",
                        "domain_id": "default",
                        "parent_id": "default",
                        "enabled": True,
                        "is_domain": False,
                        "description": "",
                    }
                ],
                "links": {"self": "/v3/projects", "next": None, "previous": None},
            }
        },
    ),
    "Livez": Example("Nothing else is looked at.", answers={200: {"status": "ok"}}),
    "Readyz": Example(
        "For a load balancer. An event that cannot be applied, or a log that was altered, makes "
        "it degraded, no more.",
        also={"verbose": ""},
        answers={200: {"status": "ready", "position": 12, "quarantined": 0}},
    ),
    "Metrics": Example("Nothing of any user.", answers={200: None}),
    "OpenApi": Example("This document, for programs.", answers={200: None}),
    "Docs": Example("This document, for people.", answers={200: None}),
}
