"""All tasks: anybody's, as the filter in the address wants them, page by page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode

from api.advice import ADVICE, advice
from api.console.operator.access import operators
from api.console.operator.rendering import render
from api.console.state import state_of
from api.list_query import marker, parameters, word
from api.messages import Status
from domain.access import rules
from domain.commands import NEWEST, check
from projections.overview import SEARCHED_MOST, Wanted

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response

    from api.advice import Advice
    from api.console.state import State
    from api.requests import Asked
    from projections.rows import TaskRow

SHOWN = 50
"""Tasks on a page."""

_CODE = re.compile(r"[A-Z]{2,10}\.[0-9]{4,6}")


def _project(_: str, text: str) -> str:
    rules.check_project_id(text, "project")
    return text


def _code(name: str, text: str) -> str:
    check(name, bool(_CODE.fullmatch(text)), "must be an error code such as IOTDA.014706")
    return text


def _user(name: str, text: str) -> str:
    check(name, len(text) <= rules.NAME_LENGTH, "must be a user's name or id")
    return text


_READERS: dict[str, Callable[[str, str], str]] = {
    "project": _project,
    "user": _user,
    "state": word(Status),
    "code": _code,
    "before": marker,
}


class Line(NamedTuple):
    """A task as it is listed."""

    task: TaskRow
    state: State
    advice: Advice | None


def tasks(asked: Asked) -> Response:
    """The newest that fit first; where many had to be looked through, it says how far that went."""
    sent = parameters(asked.query, set(_READERS))
    given = {name: _READERS[name](name, text) for name, text in sent.items() if text}
    found = asked.house.overview.search(_wanted(asked, given), SHOWN, given.get("before", NEWEST))
    now = asked.house.ledger.journal.clock()
    lines = [
        Line(task, state_of(task, now), advice(task.error_code) if task.error_code else None)
        for task in found.tasks
    ]
    return render(
        asked,
        "tasks.html",
        lines=lines,
        given=dict.fromkeys(_READERS, "") | given,
        filtered=bool(given.keys() - {"before"}),
        cut=found.cut,
        searched=SEARCHED_MOST,
        newest=_address({name: text for name, text in given.items() if name != "before"}),
        older=_address(given | {"before": found.marker}) if found.marker else None,
        projects=[project.project_id for project in asked.house.queries.projects()],
        codes=list(ADVICE),
    )


def _wanted(asked: Asked, given: dict[str, str]) -> Wanted:
    user = given.get("user")
    if user and not rules.USER_ID.fullmatch(user):
        user = asked.house.people.vault.user_id_of(user) or user
    return Wanted(given.get("project"), user, given.get("state"), given.get("code"))


def _address(given: dict[str, str]) -> str:
    return "/operator/tasks" + ("?" + urlencode(given) if given else "")


PAGES = (operators("GET", "/tasks", "OperatorTasks", tasks),)
