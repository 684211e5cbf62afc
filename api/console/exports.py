"""My exports: the list, newest first, with what is left of the owner's numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode

from api.advice import advice
from api.console.page import page
from api.console.rendering import render, see
from api.console.state import state_of
from api.exports import quota_of
from api.list_query import app_id, marker, parameters, word
from api.messages import Status
from domain.access.actions import ON_EXPORTS
from domain.commands import NEWEST
from projections.shelf import earliest, shelf

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from starlette.responses import Response

    from api.advice import Advice
    from api.console.state import State
    from api.requests import Asked
    from projections.shelf import ShelvedTask

SHOWN = 20
"""Exports on a page of the list."""

_READERS: dict[str, Callable[[str, str], str]] = {
    "state": word(Status),
    "app": app_id,
    "before": marker,
}


class Line(NamedTuple):
    """An export as a line of the list."""

    task: ShelvedTask
    state: State
    age: float
    advice: Advice | None


def mine(asked: Asked) -> Response:
    """The owner's exports, as the filter in the address wants them."""
    queries, now = asked.house.queries, asked.house.ledger.journal.clock()
    position = queries.follower.position().position  # before what is shown: nothing is missed
    wanted = _wanted(asked)
    found = shelf(
        queries.follower,
        asked.owner,
        limit=SHOWN + 1,
        before=wanted.get("before", NEWEST),
        status=wanted.get("state"),
        scope=wanted.get("app"),
    )
    lines = [line(task, now) for task in found[:SHOWN]]
    return render(
        asked,
        "exports.html",
        lines=lines,
        older=_address(wanted | {"before": found[SHOWN - 1].task_id}) if found[SHOWN:] else None,
        newest=_address({k: v for k, v in wanted.items() if k != "before"}),
        wanted=dict.fromkeys(_READERS) | wanted,
        filtered=bool(wanted),
        apps=[app.app_id for app in queries.apps(asked.project_id)],
        quota=quota_of(asked),
        next_to_go=earliest(queries.follower, asked.owner),
        position=position,
        again=min((each for one in lines if (each := one.state.again)), default=None),
        now=now,
    )


def line(task: ShelvedTask, now: datetime) -> Line:
    """A kept task as it is listed."""
    age = (now - task.created).total_seconds()
    return Line(
        task, state_of(task, now), age, advice(task.error_code) if task.error_code else None
    )


def _wanted(asked: Asked) -> dict[str, str]:
    """The filter; what is left empty in its form was not given. Raises Invalid, Rejected."""
    sent = parameters(asked.query, set(_READERS))
    return {name: _READERS[name](name, text) for name, text in sent.items() if text}


def _address(wanted: dict[str, str]) -> str:
    return "/?" + urlencode(wanted) if wanted else "/"


def first_page(_: Asked) -> Response:
    """For whoever reloads the address that new exports are sent to: their list is on `/`."""
    return see("/")


PAGES = (
    page("GET", "/", "MyExports", mine, permission=ON_EXPORTS + "queryList"),
    page("GET", "/exports", "Exports", first_page, open=True, light=True),
)
