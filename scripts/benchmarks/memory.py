"""Memory: what a process holds after much work, beside what it held after little."""

from __future__ import annotations

import json
from itertools import cycle, islice
from time import sleep
from typing import TYPE_CHECKING

from scripts.benchmarks import homes, tasks
from scripts.benchmarks.figures import RESIDENT, Sample, at_most, compare, limited, memory_of
from scripts.benchmarks.service import PATH, creating
from scripts.benchmarks.wire import Wire, signed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from api.parts import Parts
    from domain.conditions import OwnerId
    from domain.ledger import Ledger
    from scripts.benchmarks.figures import Figure
    from scripts.benchmarks.sizes import Sizes

FIRST = 100
"""Requests, or exports, after which a process has all that it needs."""

SIGNED_AT_ONCE = 1_000
"""A signature is good for some minutes."""

LISTS, SHOWS = 5, 4
"""For each create, of what it created."""

OF_A_CREATE = 1 + LISTS + SHOWS

API_MB = 150.0
ALIKE = at_most(1.1, "within 10 %")
EXPORTED_ROWS = 100
LOOK_SECONDS = 0.2
PEER = f"after {FIRST}"


def measure(sizes: Sizes, runs: int, folder: Path) -> Iterator[Figure]:
    """Once, however many rounds there are: what leaks leaks in one."""
    del runs
    what = f"an API process after {sizes.requests:,} requests"
    rounds = [_worker(sizes.requests, folder / "worker")]
    yield compare(what, RESIDENT, rounds, PEER, bar=ALIKE)
    yield limited(what, RESIDENT, rounds, API_MB, "under 150 MB")
    rounds = [_exporter(sizes.small_exports, folder / "exporter")]
    what = f"an exporter after {sizes.small_exports:,} exports"
    yield compare(what, RESIDENT, rounds, PEER, bar=ALIKE)


def _worker(number: int, home: Path) -> dict[str, Sample]:
    creates = 1 + (FIRST + number) // OF_A_CREATE
    with homes.parts_of(home) as parts:
        turns = cycle(homes.settle(parts, 1 + creates // homes.UNFINISHED))
        with homes.api(parts.settings) as server, Wire(server) as wire:
            _ask(wire, parts.ledger, list(islice(turns, FIRST // OF_A_CREATE)))
            first = memory_of(server.pid)
            for _ in range(number // SIGNED_AT_ONCE):
                _ask(wire, parts.ledger, list(islice(turns, SIGNED_AT_ONCE // OF_A_CREATE)))
            return _samples(first, memory_of(server.pid))


def _ask(wire: Wire, ledger: Ledger, users: list[homes.User]) -> None:
    """Each creates a task, which an exporter finishes, and lists and shows it."""
    _, created = wire.exchange([creating(user) for user in users], 201)
    requests = []
    for user, answer in zip(users, created, strict=True):
        task_id = json.loads(answer)["export_task_id"]
        tasks.finish(ledger, task_id)
        path = f"{PATH}/{task_id}"
        requests += [signed(user, "GET", PATH)] * LISTS + [signed(user, "GET", path)] * SHOWS
    wire.exchange(requests, 200)


def _exporter(number: int, home: Path) -> dict[str, Sample]:
    with homes.parts_of(home) as parts:
        owners = [user.owner for user in homes.settle(parts, 1 + number // homes.KEPT)]
        batch_id = parts.batches.generate(tasks.PROJECT, EXPORTED_ROWS)
        turns = cycle(owners)
        with homes.exporter(parts.settings) as process:
            _export(parts, batch_id, list(islice(turns, FIRST)))
            first = memory_of(process)
            _export(parts, batch_id, list(islice(turns, number - FIRST)))
            return _samples(first, memory_of(process))


def _export(parts: Parts, batch_id: str, owners: list[OwnerId]) -> None:
    """A task for each, and a wait until the exporter has done them all."""
    made = [parts.ledger.create(tasks.creating(owner, batch_id)) for owner in owners]
    while any(parts.queries.work()):
        sleep(LOOK_SECONDS)
    tasks.must_succeed(parts.ledger, made, EXPORTED_ROWS)


def _samples(first: int, last: int) -> dict[str, Sample]:
    return {PEER: Sample(1, 0, peak=first), "ours": Sample(1, 0, peak=last)}
