"""Parameters: what stands in paths and headers, of requests and of answers, and what it means."""

from __future__ import annotations

from typing import Any

from domain.access.rules import PROJECT_ID
from domain.commands import BATCH_TASK_ID, INSTANCE_ID_LENGTH, TASK_ID

PROJECT = "plant-1"
TASK = "01a22c5362c05eed5eed5eed"
BATCH_TASK = "5f433ce0c24389024365fdfa"
APP = "jeQDJQZltU8iKgFFoW060F5SGZka"
SHA256 = "a7cfeecaf5cb532a70c02dcd0fec68bffec92103aa9fc9c7e08621baed2b26d7"
SIZE = 5632
ETAG = f'"{SHA256}"'


def _text(description: str, example: str, **rules: Any) -> dict[str, Any]:
    return {
        "description": description,
        "schema": {"type": "string", **rules},
        "example": example,
    }


ASKED = {
    "project_id": _text(
        "The project: one of the user's.", PROJECT, pattern=f"^{PROJECT_ID.pattern}$"
    ),
    "export_task_id": _text(
        "The export task, as its create answered.", TASK, pattern=f"^{TASK_ID.pattern}$"
    ),
    "task_id": _text("The batch task.", BATCH_TASK, pattern=f"^{BATCH_TASK_ID.pattern}$"),
    "Instance-Id": _text(
        "The instance, kept on the task; it filters nothing. An installation may know some, and "
        "demand one.",
        "instance-1",
        minLength=1,
        maxLength=INSTANCE_ID_LENGTH,
    ),
    "Range": _text(
        "One range of bytes; of several, or of another unit, the whole file comes.", "bytes=0-1023"
    ),
    "If-Range": _text(
        "The ETag of the file whose download broke: if it still is the current one, the range "
        "comes, and within ten minutes of a download it is free; otherwise the whole file.",
        ETAG,
    ),
    "If-None-Match": _text("ETags that are there already: 304 for one of them.", ETAG),
}
"""Parameters of paths, and headers of requests."""

TOLD = {
    "X-Request-Id": _text(
        "The request's own id, on every answer: with it an operator finds the request in the log.",
        "9b2f6c1d8e7a4f50b3c2d1e0f9a8b7c6",
        pattern="^[0-9a-f]{32}$",
    ),
    "Retry-After": _text("Seconds to wait before trying again.", "30", pattern="^[0-9]+$"),
    "Allow": _text("The methods that there are.", "GET, POST"),
    "X-Subject-Token": _text("The token, for X-Auth-Token: good for 24 hours.", "eyJhbGciOi…"),
    "X-Export-Task-Id": _text("Whose bytes these are.", TASK, pattern=f"^{TASK_ID.pattern}$"),
    "ETag": _text("The SHA-256 of the bytes, in quotes.", ETAG, pattern='^"[0-9a-f]{64}"$'),
    "Last-Modified": _text("When the file was made.", "Mon, 30 Nov 2026 12:00:00 GMT"),
    "Cache-Control": _text("Kept by nobody without asking again.", "private, no-cache"),
    "Content-Disposition": _text(
        "The file's name, of ASCII letters, from its task and its time.",
        f'attachment; filename="{TASK}-20261130T120000Z.xls"',
    ),
    "Content-Length": _text("How many bytes come.", str(SIZE), pattern="^[0-9]+$"),
    "Accept-Ranges": _text("Ranges of bytes may be asked for.", "bytes"),
    "Content-Range": _text(
        "Which of the file's bytes these are, and how many it has.", f"bytes 0-1023/{SIZE}"
    ),
}
"""Headers of answers."""

SECURITY = {
    "signature": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "SDK-HMAC-SHA256 or V11-HMAC-SHA256 over the request, as the SDKs sign; "
        "goes with X-Sdk-Date.",
    },
    "signedAt": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Sdk-Date",
        "description": "When it was signed: YYYYMMDDTHHMMSSZ, at most 15 minutes off.",
    },
    "temporaryKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Security-Token",
        "description": "Goes with the signature of a temporary access key.",
    },
    "token": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Auth-Token",
        "description": "A token from POST /v3/auth/tokens, good for 24 hours in one project.",
    },
}
WAYS_IN: list[dict[str, list[str]]] = [
    {"token": []},
    {"signature": [], "signedAt": []},
    {"signature": [], "signedAt": [], "temporaryKey": []},
]
"""One of these is needed, where a call is not open to everybody."""
