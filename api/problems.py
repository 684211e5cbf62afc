"""Problems: every error of the contract's section 3, and which of them a refusal becomes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from msgspec import json
from starlette.responses import Response

from api.access.lockout import HeldBack, Locked
from api.access.signatures import NotAuthentic
from api.access.tokens import TokenExpired
from api.reading import Unreadable
from domain import codes
from domain.refusals import (
    Contended,
    DownloadTooSoon,
    Invalid,
    NoFile,
    NoSuchTask,
    OwnerClosed,
    TooSlow,
    Unavailable,
    UnfinishedLimitReached,
)
from exporter.results import ResultsFailed
from exporter.sources import SourceFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

RETRY_SECONDS = 1
"""What `Retry-After` says where nothing better is known."""


class Problem(NamedTuple):
    """A row of the table: its HTTP status (None: it stands on failed tasks alone), code, cause."""

    status: int | None
    code: str
    when: str


INVALID = Problem(400, codes.INVALID, "a field or parameter is invalid; the message names it")
UNREADABLE = Problem(400, codes.UNREADABLE, "unreadable JSON, wrong media type")
LIMIT_INVALID = Problem(400, codes.LIMIT_INVALID, "'limit' is out of range")
MARKER_INVALID = Problem(400, codes.MARKER_INVALID, "'marker' is out of range")
NOT_AUTHENTIC = Problem(
    401, codes.NOT_AUTHENTIC, "no, wrong, expired, skewed or locked credentials"
)
TOKEN_EXPIRED = Problem(401, codes.TOKEN_EXPIRED, "token expired")
NO_PROJECT = Problem(403, codes.NO_PROJECT, "the project is unknown or not the user's")
NOT_PERMITTED = Problem(403, codes.NOT_PERMITTED, "the user lacks the permission")
NO_APP = Problem(403, codes.NO_APP, "the app does not exist")
OTHERS_APP = Problem(403, codes.OTHERS_APP, "the app is another project's")
SEVERAL_APPS = Problem(403, codes.SEVERAL_APPS, "APP without app_id: several apps and no default")
NO_APPS = Problem(403, codes.NO_APPS, "APP without app_id: no app")
UNFINISHED_LIMIT = Problem(403, codes.UNFINISHED_LIMIT, "too many unfinished tasks already")
NO_TASK = Problem(404, codes.NO_TASK, "no such export task")
NO_FILE = Problem(403, codes.NO_FILE, "no file: the task is not Success")
TOO_SOON = Problem(403, codes.TOO_SOON, "downloaded less than the interval ago; Retry-After")
INSTANCE = Problem(403, codes.INSTANCE, "the instance is unknown, or required and missing")
FAILED_NO_BATCH_TASK = Problem(
    None, codes.NO_BATCH_TASK, "the batch task does not exist, or not in that app"
)
FAILED_SOURCE = Problem(None, codes.SOURCE_UNREADABLE, "the source could not be read")
FAILED_TOO_LARGE = Problem(
    None, codes.RESULT_TOO_LARGE, "the result exceeds the limits of the format"
)
FAILED_ROWS_DIFFER = Problem(
    None, codes.ROWS_DIFFER, "rows written and rows counted by the source differ"
)
FAILED_DIED = Problem(None, codes.DIED_TOO_OFTEN, "its exporters died too often")
FAILED_NOT_STORED = Problem(None, codes.NOT_STORED, "the result could not be stored")
NO_BATCH_TASK = Problem(404, codes.NO_BATCH_TASK, "no such batch task")
NO_API = Problem(404, codes.NO_API, "no such API")
METHOD = Problem(405, codes.METHOD, "method not supported; Allow")
TOO_LARGE = Problem(413, codes.TOO_LARGE, "body too large")
RANGE = Problem(416, codes.INVALID, "range not satisfiable")
INTERNAL = Problem(500, codes.INTERNAL, "internal error")
UNAVAILABLE = Problem(
    503, codes.UNAVAILABLE, "storage unavailable, lasting contention, shutting down; Retry-After"
)

PROBLEMS = (
    INVALID,
    UNREADABLE,
    LIMIT_INVALID,
    MARKER_INVALID,
    NOT_AUTHENTIC,
    TOKEN_EXPIRED,
    NO_PROJECT,
    NOT_PERMITTED,
    NO_APP,
    OTHERS_APP,
    SEVERAL_APPS,
    NO_APPS,
    UNFINISHED_LIMIT,
    NO_TASK,
    NO_FILE,
    TOO_SOON,
    FAILED_NO_BATCH_TASK,
    FAILED_SOURCE,
    FAILED_TOO_LARGE,
    FAILED_ROWS_DIFFER,
    FAILED_DIED,
    FAILED_NOT_STORED,
    NO_BATCH_TASK,
    INSTANCE,
    NO_API,
    METHOD,
    TOO_LARGE,
    RANGE,
    INTERNAL,
    UNAVAILABLE,
)

_OF: dict[type[Exception], Problem] = {
    Invalid: INVALID,
    Unreadable: UNREADABLE,
    NotAuthentic: NOT_AUTHENTIC,
    TokenExpired: TOKEN_EXPIRED,
    OwnerClosed: NOT_AUTHENTIC,
    UnfinishedLimitReached: UNFINISHED_LIMIT,
    NoSuchTask: NO_TASK,
    NoFile: NO_FILE,
    DownloadTooSoon: TOO_SOON,
    TooSlow: UNAVAILABLE,
    Unavailable: UNAVAILABLE,
    Contended: UNAVAILABLE,
    ResultsFailed: UNAVAILABLE,
    SourceFailed: UNAVAILABLE,
}


@dataclass(eq=False)
class Rejected(Exception):
    """The API's own refusal: which problem, in what words, with which headers, and what more the
    body tells.
    """

    problem: Problem
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, object] = field(default_factory=dict)


def problem_of(error: Exception) -> Problem:
    """What a refusal becomes; whatever is none of ours is an internal error."""
    if isinstance(error, Rejected):
        return error.problem
    return next((_OF[kind] for kind in type(error).__mro__ if kind in _OF), INTERNAL)


def answer(error: Exception) -> Response:
    """The answer to a request that is refused, or that failed."""
    problem = problem_of(error)
    body = {"error_code": problem.code, "error_msg": message(error, problem)}
    more = error.more if isinstance(error, Rejected) else {}
    return Response(json.encode(body | dict(more)), problem.status or 500, _headers(error, problem))


def message(error: Exception, problem: Problem) -> str:
    """A refusal in words for whoever asked; of what is no refusal, nothing is told."""
    if problem is INTERNAL:
        return "Internal server error."
    if isinstance(error, Rejected):
        return _writable(error.message)
    if isinstance(error, NotAuthentic):
        return _writable(f"Incorrect IAM authentication information: {error.reason}.")
    if isinstance(error, ResultsFailed):
        return "The storage is unavailable; try again."
    return _writable(str(error))


def _writable(message: str) -> str:
    """What was sent may be quoted, and may hold what is no Unicode."""
    return message.encode(errors="backslashreplace").decode()


def _headers(error: Exception, problem: Problem) -> dict[str, str]:
    headers = {"content-type": "application/json"}
    if isinstance(error, DownloadTooSoon | HeldBack | Locked):
        headers["retry-after"] = str(error.retry_after)
    if problem is UNAVAILABLE:
        headers["retry-after"] = str(RETRY_SECONDS)
    return headers | dict(error.headers if isinstance(error, Rejected) else {})
