"""Of the node: samples of its processes, its disks, its checkpoints, and which build it runs."""

from __future__ import annotations

import platform
import shutil
from functools import partial
from typing import TYPE_CHECKING

from api.audit.state import read_state
from api.metrics.layout import Sample
from api.metrics.processes import ROLES, cells_folder, running
from api.version import VERSION
from domain.journal import utc_now
from exporter.disk import folder_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.settings import Settings


def samples_of_processes(settings: Settings) -> Iterator[Sample]:
    """The processes that run, and what each takes (as Linux tells)."""
    from prometheus_client import ProcessCollector

    found = list(running(cells_folder(settings)))
    for role in ROLES:
        yield Sample("processes", (role,), sum(each[0] == role for each in found))
    for role, number, pid in found:
        of_process = ProcessCollector(pid=partial(int, pid), registry=None)
        for family in of_process.collect():
            for sample in family.samples:
                yield Sample(sample.name, (role, str(number)), sample.value)


def samples_of_disks(settings: Settings) -> Iterator[Sample]:
    """Room where something is written; a place that is not there yet is left out."""
    folders = {
        "home": settings.home,
        "read_dir": settings.read_dir,
        "results": folder_of(settings.results),
        "audit": folder_of(settings.audit),
    }
    for place, folder in folders.items():
        if folder is None:
            continue
        try:
            usage = shutil.disk_usage(folder)
        except OSError:
            continue
        yield Sample("disk_free_bytes", (place,), usage.free)
        yield Sample("disk_size_bytes", (place,), usage.total)


def samples_of_audit(settings: Settings, events: float | None) -> Iterator[Sample]:
    """What this node signed of the log's events, if it is known how many those are."""
    state = read_state(settings.audit_state_file)
    yield Sample("checkpoint_size", (), state.size)
    if state.at:
        yield Sample("checkpoint_age_seconds", (), (utc_now() - state.at).total_seconds())
    if events is not None:
        yield Sample("unsealed_events", (), max(0, events - state.size))
    failing = sum(1 for sink in state.sinks.values() if sink.trouble)
    yield Sample("audit_sinks_failing", (), failing)
    yield Sample("audit_place_failing", (), state.failing is not None)
    yield Sample("log_altered", (), state.altered is not None)


def build(settings: Settings) -> Sample:
    """Which build this is, and on what."""
    kinds = (settings.events.partition(":")[0], settings.results.partition(":")[0])
    return Sample("build_info", (VERSION, platform.python_version(), *kinds), 1)
