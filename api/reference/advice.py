"""Advice: of each problem what its message says, for example, and what to do about it."""

from __future__ import annotations

from typing import NamedTuple

from api import advice as of_tasks
from api import problems
from api.problems import PROBLEMS, Problem


class Explained(NamedTuple):
    """A message as it really comes, and what who gets it can do."""

    message: str
    do: str


def _todo(problem: Problem) -> str:
    """What the console tells of a failed task, too."""
    return of_tasks.ADVICE[problem.code].todo


_TABLE = {
    problems.INVALID: Explained(
        "Invalid input. 'app_id' must be 1 to 36 letters, digits, underscores or hyphens.",
        "Mend the field that the message names, and send the request again.",
    ),
    problems.UNREADABLE: Explained(
        "The body is not readable as JSON.",
        "Send one JSON object in UTF-8, with Content-Type: application/json or none.",
    ),
    problems.LIMIT_INVALID: Explained(
        "Invalid input. The specified parameter 'limit' is out of range.",
        "Send a limit of 1 to 50, or none.",
    ),
    problems.MARKER_INVALID: Explained(
        "Invalid input. The specified parameter 'marker' is out of range.",
        "Send the marker of the page before as it came: 24 of 0-9 and a-f; or none.",
    ),
    problems.NOT_AUTHENTIC: Explained(
        "Incorrect IAM authentication information: there is neither Authorization nor "
        "X-Auth-Token.",
        "The message says what is wrong. Compare the access key, the secret key and the clock; "
        "behind a proxy, whether it passes the path, Host and query unchanged. Where Retry-After "
        "comes with it, wait that long.",
    ),
    problems.TOKEN_EXPIRED: Explained(
        "Incorrect IAM authentication information: the token expired at "
        "2026-11-30T12:00:00.000000Z.",
        "Get a new token: POST /v3/auth/tokens.",
    ),
    problems.NO_PROJECT: Explained(
        "Operation not allowed. The project is unknown or not the user's.",
        "Compare the project in the path with those of GET /v3/projects.",
    ),
    problems.NOT_PERMITTED: Explained(
        "Operation not allowed. The user does not have the permission iotda:exporttasks:create.",
        "Ask an operator for a policy that allows what the message names: export-tasks user "
        "policy set.",
    ),
    problems.NO_APP: Explained(
        "The application does not exist.",
        "Compare app_id with what there is: export-tasks app list.",
    ),
    problems.OTHERS_APP: Explained(
        "The application does not belong to the project.",
        "Send an app_id of this project, or the request to that app's project.",
    ),
    problems.SEVERAL_APPS: Explained(
        "The project has several applications and no default: app_id must be given.",
        "Send an app_id, or have one made the default: export-tasks app add --default.",
    ),
    problems.NO_APPS: Explained(
        "The project has no application.",
        "Send app_type GLOBAL, or have an app added: export-tasks app add.",
    ),
    problems.UNFINISHED_LIMIT: Explained(
        "There are 5 unfinished export tasks already; wait for one to end.",
        "Wait until one of your tasks ends, or delete one.",
    ),
    problems.NO_TASK: Explained(
        "The export task does not exist.",
        "List your tasks. The earliest goes when the fifty-first comes; its history stays.",
    ),
    problems.NO_FILE: Explained(
        "The export task has no file: its status is Processing.",
        "While it is Processing, ask for the task until it is Success. If it is Failed, its "
        "error_code says why.",
    ),
    problems.TOO_SOON: Explained(
        "Only one download in 30 seconds; try again in 30 s.",
        "Wait for Retry-After seconds. A transfer that broke goes on for nothing: Range with "
        "If-Range.",
    ),
    problems.INSTANCE: Explained(
        "The instance does not exist.",
        "Send Instance-Id as an operator gave it to you (EXPORT_TASKS_INSTANCES).",
    ),
    problems.FAILED_NO_BATCH_TASK: Explained(
        "The batch task does not exist.",
        _todo(problems.FAILED_NO_BATCH_TASK),
    ),
    problems.FAILED_SOURCE: Explained(
        "The source has two batch tasks of that id.",
        _todo(problems.FAILED_SOURCE),
    ),
    problems.FAILED_TOO_LARGE: Explained(
        "The result exceeds the limits of the format: more than 16,711,425 rows.",
        _todo(problems.FAILED_TOO_LARGE),
    ),
    problems.FAILED_ROWS_DIFFER: Explained(
        "The batch task has finished, but 2 rows could be read, and the source counts 3.",
        _todo(problems.FAILED_ROWS_DIFFER),
    ),
    problems.FAILED_DIED: Explained(
        "Its exporters died 3 times.",
        _todo(problems.FAILED_DIED),
    ),
    problems.FAILED_NOT_STORED: Explained(
        "The result could not be stored: the object store does not answer.",
        _todo(problems.FAILED_NOT_STORED),
    ),
    problems.NO_BATCH_TASK: Explained(
        "The batch task does not exist.",
        "List the batch tasks: GET /v5/iot/{project_id}/batchtasks.",
    ),
    problems.NO_API: Explained(
        "The API does not exist.",
        "Compare the path with those in /docs; a slash at its end is a path of its own.",
    ),
    problems.METHOD: Explained(
        "The method is not supported.",
        "Use one of the methods that the header Allow names.",
    ),
    problems.TOO_LARGE: Explained(
        "The body is larger than 65536 bytes.",
        "No call needs as much: send the fields that the call has.",
    ),
    problems.RANGE: Explained(
        "Invalid input. 'Range' must lie within the 5632 bytes of the file.",
        "Ask for a range within the length that Content-Range tells, or for the whole file.",
    ),
    problems.INTERNAL: Explained(
        "Internal server error.",
        "Tell an operator the X-Request-Id: with it the log says what happened.",
    ),
    problems.UNAVAILABLE: Explained(
        "The storage is unavailable; try again.",
        "Wait for Retry-After seconds and send the request again. A create that was answered so "
        "may have been carried out: list your tasks first.",
    ),
}

ADVICE: dict[Problem, Explained] = {problem: _TABLE[problem] for problem in PROBLEMS}


def anchor(problem: Problem) -> str:
    """A problem's name as a fragment and as an example: its code; with its status where two share
    the code.
    """
    alike = [each for each in PROBLEMS if each.code == problem.code]
    where = problem.status or "task"
    return problem.code if problem is alike[0] else f"{problem.code}-{where}"
