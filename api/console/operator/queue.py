"""Queue: what exporters are at, what waits for them and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from api.console.operator.access import operators
from api.console.operator.rendering import render
from api.console.state import state_of

if TYPE_CHECKING:
    from datetime import datetime

    from starlette.responses import Response

    from api.console.state import State
    from api.requests import Asked
    from projections.rows import UnderWay

SHOWN = 50
"""Waiting tasks that are listed; of the others it is said how many there are."""

STALLED_SECONDS = 60.0
"""How long the oldest may wait while nothing is worked on, before it is told."""


class Line(NamedTuple):
    """An unfinished task as it is listed; `rate` in rows a second, once there is one."""

    task: UnderWay
    state: State
    rate: float | None


def queue(asked: Asked) -> Response:
    """The figures first, then who works, then who waits, in the order of turns."""
    house, now = asked.house, asked.house.ledger.journal.clock()
    position = house.queries.follower.position().position  # before what is shown: nothing is missed
    running = [_line(task, now) for task in house.overview.under_way()]
    waiting = [_line(task, now) for task in house.overview.line(SHOWN)]
    lines = running + waiting
    activity, oldest = house.queries.activity(), house.overview.oldest()
    age = (now - oldest.created).total_seconds() if oldest else None
    return render(
        asked,
        "queue.html",
        position=position,
        activity=activity,
        running=running,
        waiting=waiting,
        more=max(0, activity.waiting - len(waiting)),
        oldest=oldest,
        again=min((line.state.again for line in lines if line.state.again), default=None),
        stalled=age is not None and age > STALLED_SECONDS and not running,
    )


def _line(task: UnderWay, now: datetime) -> Line:
    rate = None
    if task.claimed_at and task.rows:
        seconds = (task.heard_at - task.claimed_at).total_seconds()
        rate = task.rows / seconds if seconds > 0 else None
    return Line(task, state_of(task, now), rate)


PAGES = (operators("GET", "", "OperatorQueue", queue),)
