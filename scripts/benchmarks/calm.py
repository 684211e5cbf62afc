"""Calm: how late lists and creates are answered while exports run on all processors."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from threading import Event
from time import monotonic, sleep
from typing import TYPE_CHECKING

from domain.commands import DeleteTask
from scripts.benchmarks import homes, tasks
from scripts.benchmarks.figures import Figure, at_most, percentile
from scripts.benchmarks.pacing import Due, paced
from scripts.benchmarks.service import PATH, creating
from scripts.benchmarks.wire import signed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from api.parts import Parts
    from scripts.benchmarks.homes import Server, User
    from scripts.benchmarks.sizes import Sizes

EXPORTERS = 2
RATES = {"list": 20, "create": 5}
"""Requests a second."""

TIMES_IDLE, LEAST_MS = 4, 25.0
P99 = "ms for 99 of 100"
IDLE = "while no export runs"
LARGER = f"the larger of {TIMES_IDLE} × idle and {LEAST_MS:g} ms"
OWNERS = 40
"""Who create: none of them ever has all slots taken."""

WARM_SECONDS = 2.0
LOOK_SECONDS = 0.2
PATIENCE_SECONDS = 300.0


def measure(sizes: Sizes, runs: int, folder: Path) -> Iterator[Figure]:
    """At a stated rate to a whole `serve`, idle, and while two exports run all the time."""
    with homes.parts_of(folder) as parts:
        users = homes.settle(parts, EXPORTERS + OWNERS)
        batch_id = parts.batches.generate(tasks.PROJECT, sizes.calm_rows)
        with homes.serving(parts.settings, EXPORTERS) as server:
            paced(server, _schedule(users, WARM_SECONDS))
            rounds = [
                _round(parts, server, users, batch_id, sizes.calm_seconds) for _ in range(runs)
            ]
    for kind, rate in RATES.items():
        what = f"a {kind}, {rate} a second, while {EXPORTERS} exports run"
        idle = [percentile(each[kind], 0.99) * 1e3 for each, _ in rounds]
        busy = tuple(percentile(each[kind], 0.99) * 1e3 for _, each in rounds)
        larger = tuple(max(TIMES_IDLE * each, LEAST_MS) for each in idle)
        yield Figure(what, P99, IDLE, busy, tuple(idle))
        yield Figure(what, P99, LARGER, busy, larger, at_most(1))


def _round(
    parts: Parts, server: Server, users: list[User], batch_id: str, seconds: float
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """What a round found idle, and busy."""
    exported, creators = users[:EXPORTERS], users[EXPORTERS:]
    _until(lambda: not any(parts.queries.work()))
    idle = paced(server, _schedule(creators, seconds))
    begun = [parts.ledger.create(tasks.creating(each.owner, batch_id)) for each in exported]
    _until(lambda: all(_claimed(parts, task.task_id) for task in begun))
    over = Event()
    with ThreadPoolExecutor(1) as keeper:
        keeping = keeper.submit(_keep_exporting, parts, exported, batch_id, over)
        try:
            busy = paced(server, _schedule(creators, seconds))
        finally:
            over.set()
        keeping.result()
    return idle, busy


def _schedule(users: list[User], seconds: float) -> Iterator[Due]:
    """Creates by users in turn, and lists of each."""
    for kind, rate in RATES.items():
        turns = cycle(users)
        for number in range(int(seconds * rate)):
            user = next(turns)
            creates = kind == "create"
            request = creating(user) if creates else signed(user, "GET", PATH)
            yield Due(number / rate, kind, request, 201 if creates else 200)


def _keep_exporting(parts: Parts, users: list[User], batch_id: str, over: Event) -> None:
    """An export for each at any time; at the end, those that run are deleted."""
    owners = [user.owner for user in users]
    while not over.wait(LOOK_SECONDS):
        busy = {task.owner for task in parts.queries.work()}
        for owner in owners:
            if owner not in busy:
                parts.ledger.create(tasks.creating(owner, batch_id))
    for task in list(parts.queries.work()):
        if task.owner in owners:
            parts.ledger.delete(DeleteTask(task.owner, task.task_id, parts.operator()))


def _claimed(parts: Parts, task_id: str) -> bool:
    task = parts.queries.any_task(task_id)
    return task is not None and task.attempt > 0


def _until(holds: Callable[[], object]) -> None:
    until = monotonic() + PATIENCE_SECONDS
    while not holds():
        if monotonic() > until:
            raise TimeoutError(f"the exporters did nothing in {PATIENCE_SECONDS:g} s")
        sleep(LOOK_SECONDS)
