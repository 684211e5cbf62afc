"""Audit checks: what keeps the log from being sealed, or its checkpoints from whom they are for."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, cast

from api.audit.state import read_state
from api.upkeep.signed import PUT_BACK
from domain.stored import event_mapper
from projections.checks import incarnation_of

if TYPE_CHECKING:
    from datetime import datetime

    from eventsourcing.persistence import ApplicationRecorder

    from api.audit.state import AuditState
    from api.settings import Settings
    from api.upkeep.findings import Report
    from domain.fact import Fact

OVERDUE = timedelta(minutes=10)
"""How long an event may wait for a checkpoint, where there was one before."""

_MAPPER = event_mapper()


def check_audit(
    settings: Settings, recorder: ApplicationRecorder, now: datetime, report: Report
) -> None:
    """Tells what the keeper wrote down, and whether anybody still signs.

    Raises:
        PersistenceError: the event store cannot be read.
    """
    state = read_state(settings.audit_state_file)
    if state.altered and state.has_ended(incarnation_of(recorder)):
        state.altered = None
    if state.altered:
        report.find(
            "log_altered",
            f"No checkpoint is signed since {_minute(state.altered.since)}: {state.altered.why}",
            "export-tasks audit verify; where it says that the log ends, and more was sealed: "
            f"{PUT_BACK}; else: export-tasks restore FROM (into a new home)",
        )
    if state.failing:
        report.find(
            "audit_place_failing",
            f"No checkpoint can be kept since {_minute(state.failing.since)}: {state.failing.why}",
            f"give back, or make room in, EXPORT_TASKS_AUDIT ({settings.audit})",
        )
    _check_sinks(settings, state, report)
    since = None if state.altered else _unsealed_since(state, recorder)
    if since and now - since >= OVERDUE:
        report.find(
            "checkpoint_overdue",
            f"Events since {_minute(since)} are in no checkpoint.",
            "start the service, whose keeper signs one: export-tasks serve",
        )


def _check_sinks(settings: Settings, state: AuditState, report: Report) -> None:
    for url in settings.audit_sinks:
        trouble = state.sinks[url].trouble if url in state.sinks else None
        if trouble:
            report.find(
                "audit_sink_failing",
                f"The audit sink {url} fails since {_minute(trouble.since)}: {trouble.why}.",
                "give it back, or change EXPORT_TASKS_AUDIT_SINKS; it is given what it missed",
            )


def _unsealed_since(state: AuditState, recorder: ApplicationRecorder) -> datetime | None:
    """When the first event that is in no checkpoint happened; None where all are, or none ever."""
    if state.note is None:
        return None
    first = recorder.select_notifications(state.position, 1, inclusive_of_start=False)
    with suppress(Exception):  # one that cannot be read is another finding
        return cast("Fact", _MAPPER.to_domain_event(first[0])).timestamp if first else None
    return None


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
