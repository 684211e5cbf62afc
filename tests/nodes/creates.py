"""Creates: how many a second one PostgreSQL takes of 1, 3 and 6 processes, beside a job queue."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import cycle, islice
from time import perf_counter
from typing import TYPE_CHECKING

from api.parts import Parts
from projections.log import open_log
from scripts.benchmarks import homes
from scripts.benchmarks.contest import CONTENDING
from scripts.benchmarks.figures import PER_SECOND, Figure, Sample, compare
from scripts.benchmarks.service import creating
from scripts.benchmarks.together import together
from scripts.benchmarks.wire import Wire
from tests.nodes.jobs import queue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts.benchmarks.homes import Server, User
    from tests.nodes.place import Place
    from tests.nodes.sizes import Sizes

PROCESSES = (1, 3, 6)
OWNERS = 10_000
NODES = 3
"""Machines among which API processes are spread; each has read tables of its own to keep."""

LEDGER, LIVES, HTTP, JOBS = "the ledger", "lives", "HTTP", "procrastinate's defer"
CREATING, DEFERRING = "tests.nodes.creating", "tests.nodes.deferring"


def measure(place: Place, sizes: Sizes, runs: int) -> Iterator[Figure]:
    """By as many processes of each: the ledger's creates and whole lives, HTTP's, and jobs."""
    for number in PROCESSES:
        rounds = [_round(place, sizes, number) for _ in range(runs)]
        yield compare(_of("creates", number), PER_SECOND, rounds, JOBS, LEDGER)
        yield compare(
            _of("tasks created, claimed, completed", number), PER_SECOND, rounds, JOBS, LIVES
        )
        yield compare(_of("creates over HTTP", number), PER_SECOND, rounds, JOBS, HTTP)


def _round(place: Place, sizes: Sizes, number: int) -> dict[str, Sample]:
    events, jobs = place.fresh(), place.fresh()
    open_log(events).close()  # makes its tables
    with queue(jobs).open() as app:
        app.schema_manager.apply_schema()
    return {
        LEDGER: _together(CREATING, events, sizes.seconds, number),
        LIVES: _lives(place.fresh(), sizes.seconds, number),
        JOBS: _together(DEFERRING, jobs, sizes.seconds, number),
        HTTP: _over_http(place, sizes.http_creates, number),
    }


def _together(module: str, url: str, seconds: float, number: int) -> Sample:
    took, done = together(*[[module, url, str(seconds)]] * number)
    return Sample(sum(done), took)


def _lives(url: str, seconds: float, number: int) -> Sample:
    """Three transactions each: created, claimed, completed."""
    open_log(url).close()
    took, creates = together(*[[CONTENDING, url, str(seconds), str(OWNERS)]] * number)
    return Sample(sum(map(len, creates)), took)


def _over_http(place: Place, creates: int, number: int) -> Sample:
    nodes = place.nodes(min(number, NODES))
    with Parts(nodes[0]) as parts:
        users = homes.settle(parts, 1 + creates // homes.UNFINISHED)
    with ExitStack() as running:
        servers = [running.enter_context(homes.api(each)) for each in islice(cycle(nodes), number)]
        return _send(servers, users, creates)


def _send(servers: list[Server], users: list[User], creates: int) -> Sample:
    """Each server is sent its share, eight at a time."""
    requests = [creating(user) for user in islice(cycle(users), creates)]
    shares = [requests[number :: len(servers)] for number in range(len(servers))]
    with ExitStack() as opened, ThreadPoolExecutor(len(servers)) as hands:
        wires = [opened.enter_context(Wire(server)) for server in servers]
        began = perf_counter()
        list(hands.map(lambda wire, share: wire.exchange(share, 201), wires, shares))
        return Sample(creates, perf_counter() - began)


def _of(what: str, number: int) -> str:
    return f"{what}, {number} process{'es' if number > 1 else ''}"
