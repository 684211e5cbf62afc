"""Processes: what each one of a service counts, whatever its work: that it runs, its appends."""

from __future__ import annotations

import os
from contextlib import contextmanager
from threading import Lock
from time import perf_counter
from typing import TYPE_CHECKING

from eventsourcing.persistence import IntegrityError

from api.metrics.cells import Cells, all_cells, totals
from api.metrics.layout import Layout, Sample, observe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from api.settings import Settings

ROLES = ("api", "exporter", "keeper")
APPEND_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
STORED, CONFLICT, FAILED = APPENDS = ("stored", "conflict", "failed")

_LAYOUT = Layout()
_PID = _LAYOUT.cell("pid")
_SECONDS = _LAYOUT.histogram("store_append_duration_seconds", APPEND_BOUNDS)
_OUTCOMES = {each: _LAYOUT.counter("store_appends_total", each) for each in APPENDS}


def cells_folder(settings: Settings) -> Path:
    """Where the processes of this node count."""
    return settings.home / "metrics"


class Working:
    """A process of the service, from here until it is closed or ends; safe for threads."""

    def __init__(self, settings: Settings, role: str) -> None:
        self._cells = Cells.claim(cells_folder(settings), role, _LAYOUT.keys)
        self._cells.numbers[_PID] = os.getpid()
        self._counting = Lock()

    @contextmanager
    def appending(self) -> Iterator[None]:
        """Inside, something is appended to the event store."""
        began, outcome = perf_counter(), FAILED
        try:
            yield
            outcome = STORED
        except IntegrityError:
            outcome = CONFLICT
            raise
        finally:
            seconds = perf_counter() - began
            with self._counting:
                observe(self._cells.numbers, _SECONDS, APPEND_BOUNDS, seconds)
                self._cells.numbers[_OUTCOMES[outcome]] += 1

    def close(self) -> None:
        """This process counts no more."""
        with self._counting:
            self._cells.close()


def appends(folder: Path) -> Iterator[Sample]:
    """The appends of all processes of this node."""
    of_roles = [totals(folder, role, _LAYOUT.keys) for role in ROLES]
    return _LAYOUT.told([sum(cells) for cells in zip(*of_roles, strict=True)])


def running(folder: Path) -> Iterator[tuple[str, int, int]]:
    """Role, number and process id of the processes that run on this node."""
    for role in ROLES:
        for stood in all_cells(folder, role, _LAYOUT.keys):
            if stood.live:
                yield role, stood.number, int(stood.numbers[_PID])
