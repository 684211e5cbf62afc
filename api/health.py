"""Health: is the process alive, can it answer, and its numbers; nothing of any user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from api.problems import UNAVAILABLE, Rejected
from api.requests import as_json
from api.version import VERSION
from domain.refusals import Unavailable
from exporter.results import ResultsFailed
from projections.follower import BehindLog, LogAltered, reading

if TYPE_CHECKING:
    from api.installation import Installation
    from api.requests import Asked

READY_SECONDS = 1.0
"""How far the read tables may lag: they must be at the log's head within this time."""

RETRY_SECONDS = "5"
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def livez(_: Asked) -> Response:
    """The process answers."""
    return as_json({"status": "ok"})


def readyz(asked: Asked) -> Response:
    """The stores are reached and the read tables are up to date; an event that could not be applied
    makes it `degraded`, no more: the others go on.
    """
    house = asked.house
    try:
        with house.queries.follower.caught_up(READY_SECONDS):
            pass
        house.results.marker()
        frozen = len(house.queries.quarantined())
    except (Unavailable, ResultsFailed) as error:
        headers = {"retry-after": RETRY_SECONDS}
        raise Rejected(UNAVAILABLE, _reason(error), headers) from error
    position = house.queries.follower.position().position
    status = "degraded" if frozen else "ready"
    return as_json({"status": status, "position": position, "quarantined": frozen})


def metrics(asked: Asked) -> Response:
    """For Prometheus. Any process of any node tells the same of the log."""
    lines = [line for name, told in _metrics(asked.house).items() for line in _lines(name, told)]
    return Response("".join(f"{line}\n" for line in lines), media_type=METRICS_TYPE)


def _reason(error: Exception) -> str:
    match error:
        case LogAltered():
            return str(error)
        case BehindLog():
            return f"The read tables are more than {READY_SECONDS:g} s behind the event log."
        case ResultsFailed():
            return "The result store does not answer."
    return "The event store or the read tables do not answer."


def _metrics(house: Installation) -> dict[str, tuple[str, dict[str, float]]]:
    """Of each metric what it means, and its values by labels."""
    queries = house.queries
    before = queries.follower.position().position
    with reading():
        head = house.ledger.journal.recorder.max_notification_id() or 0
    tasks = dict.fromkeys(("Processing", "Success", "Failed"), 0) | queries.statuses()
    waiting = sum(not task.held for task in queries.work())
    return {
        "build_info": ("Which build this is.", {f'{{version="{VERSION}"}}': 1}),
        "tasks": (
            "Kept export tasks by status.",
            {f'{{status="{status}"}}': count for status, count in sorted(tasks.items())},
        ),
        "queue_depth": ("Unfinished tasks that no exporter works on.", {"": waiting}),
        "log_position": ("The position of the last event.", {"": head}),
        "projection_position": ("The position that the read tables were at.", {"": before}),
        "projection_lag_positions": ("How far they were behind.", {"": max(0, head - before)}),
        "quarantined_streams": (
            "Streams with an event that could not be applied.",
            {"": len(queries.quarantined())},
        ),
    }


def _lines(name: str, told: tuple[str, dict[str, float]]) -> list[str]:
    name, (meaning, values) = f"export_tasks_{name}", told
    head = [f"# HELP {name} {meaning}", f"# TYPE {name} gauge"]
    return head + [f"{name}{labels} {value:g}" for labels, value in values.items()]
