"""Health: is the process alive, can it answer, and its numbers; nothing of any user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct
from starlette.responses import Response

from api.audit.state import read_state
from api.problems import UNAVAILABLE, Rejected
from api.requests import as_json
from api.upkeep.audit_checks import check_audit
from api.upkeep.findings import Report
from api.version import VERSION
from domain.journal import utc_now
from domain.refusals import Unavailable
from exporter.results import ResultsFailed
from projections.follower import BehindLog, LogAltered, reading

if TYPE_CHECKING:
    from api.installation import Installation
    from api.requests import Asked

READY_SECONDS = 1.0
"""How far the read tables may lag: they must be at the log's head within this time."""

RETRY_SECONDS = "5"
OK = "ok"
AUDIT_CHECKS = {
    "log": "log_altered",
    "audit_place": "audit_place_failing",
    "audit_sinks": "audit_sink_failing",
    "checkpoint": "checkpoint_overdue",
}
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class ReadyQuery(Struct):
    """How much is told; the parameter needs no value."""

    verbose: Annotated[str, Meta(description="tell of each check; no value needed")] | None = None


def livez(_: Asked) -> Response:
    """The process answers."""
    return as_json({"status": "ok"})


def readyz(asked: Asked) -> Response:
    """The stores are reached and the read tables are up to date; an event that could not be applied
    makes it `degraded`, no more: the others go on. So does a log that was altered.

    With `?verbose` each check is told: `ok`, or what `doctor` calls it.
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
    checks = _checks(house, frozen)
    degraded = frozen or checks["log"] != OK
    status = "degraded" if degraded else "ready"
    told = {"status": status, "position": position, "quarantined": frozen}
    verbose = "verbose" in asked.request.query_params
    return as_json({**told, "checks": checks} if verbose else told)


def metrics(asked: Asked) -> Response:
    """For Prometheus. Any process of any node tells the same of the log; of checkpoints, each tells
    what its own machine signed.
    """
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


def _checks(house: Installation, frozen: int) -> dict[str, str]:
    report = Report()
    with reading():
        check_audit(house.settings, house.ledger.journal.recorder, utc_now(), report)
    found = {each.code for each in report.findings}
    return {
        "stores": OK,
        "streams": "quarantined_stream" if frozen else OK,
        **{name: code if code in found else OK for name, code in AUDIT_CHECKS.items()},
    }


def _audit_metrics(house: Installation, events: int) -> dict[str, tuple[str, dict[str, float]]]:
    state = read_state(house.settings.audit_state_file)
    age = {"": (utc_now() - state.at).total_seconds()} if state.at else {}
    failing = [url for url, sink in state.sinks.items() if sink.trouble]
    return {
        "checkpoint_size": ("Events that the last signed checkpoint seals.", {"": state.size}),
        "checkpoint_age_seconds": ("How long ago it was signed.", age),
        "unsealed_events": (
            "Events that are in no checkpoint yet.",
            {"": max(0, events - state.size)},
        ),
        "audit_sinks_failing": ("Sinks that do not take checkpoints.", {"": len(failing)}),
        "audit_place_failing": (
            "1 where checkpoints cannot be kept.",
            {"": int(state.failing is not None)},
        ),
        "log_altered": (
            "1 where the stored events are not those that were signed.",
            {"": int(state.altered is not None)},
        ),
    }


def _metrics(house: Installation) -> dict[str, tuple[str, dict[str, float]]]:
    """Of each metric what it means, and its values by labels."""
    queries = house.queries
    at = queries.follower.position()
    before = at.position
    with reading():
        head = house.ledger.journal.recorder.max_notification_id() or 0
    tasks = dict.fromkeys(("Processing", "Success", "Failed"), 0) | queries.statuses()
    return {
        "build_info": ("Which build this is.", {f'{{version="{VERSION}"}}': 1}),
        "tasks": (
            "Kept export tasks by status.",
            {f'{{status="{status}"}}': count for status, count in sorted(tasks.items())},
        ),
        "queue_depth": ("Unfinished tasks that no exporter works on.", {"": queries.waiting()}),
        "log_position": ("The position of the last event.", {"": head}),
        "projection_position": ("The position that the read tables were at.", {"": before}),
        "projection_lag_positions": ("How far they were behind.", {"": max(0, head - before)}),
        "quarantined_streams": (
            "Streams with an event that could not be applied.",
            {"": len(queries.quarantined())},
        ),
        **_audit_metrics(house, at.count),
    }


def _lines(name: str, told: tuple[str, dict[str, float]]) -> list[str]:
    name, (meaning, values) = f"export_tasks_{name}", told
    head = [f"# HELP {name} {meaning}", f"# TYPE {name} gauge"]
    return head + [f"{name}{labels} {value:.15g}" for labels, value in values.items()]
