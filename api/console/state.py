"""State: how a kept task stands, as a word and a shape, so that no colour is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    from projections.rows import TaskRow

SILENT = 0.5
"""The share of a lease after which a silence is told. An exporter speaks every quarter of one, so
this is two words missed; after a whole lease another exporter may take over."""


class State(NamedTuple):
    """How a task stands; `again` is in how many seconds that may have changed by itself."""

    kind: str
    word: str
    shape: str
    hint: str = ""
    again: float | None = None


READY = State("ready", "Ready", "✔")
FAILED = State("failed", "Failed", "✖")


def state_of(task: TaskRow, now: datetime) -> State:
    """How a task stands. The clock of this machine says so, and decides nothing."""
    if task.status != "Processing":
        return READY if task.status == "Success" else FAILED
    silence = (now - task.heard_at).total_seconds()
    if task.held:
        return _running(task, silence)
    if task.attempt == 0:
        return State("waiting", "Waiting", "◷", "until an exporter is free")
    left = task.wait - silence
    hint = "handed back; it goes on when an exporter is free"
    return State("waiting", "Waiting again", "↻", hint, left if left > 0 else None)


def _running(task: TaskRow, silence: float) -> State:
    told_after = task.lease * SILENT
    if silence < told_after:
        return State("running", "Running", "▶", "", told_after - silence)
    hint = (
        f"no word from its exporter for {silence:.0f} s: it may have died; after {task.lease:g} s "
        "of silence another one takes over"
    )
    return State("silent", "Exporter silent", "‼", hint, max(1.0, task.lease / 4))
