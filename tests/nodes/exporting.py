"""Exporting: how many exports a minute 1, 2 and 4 exporters make over PostgreSQL and S3."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import cycle, islice
from time import perf_counter, sleep
from typing import TYPE_CHECKING

from api.parts import Parts
from scripts.benchmarks import homes, tasks
from scripts.benchmarks.figures import Figure, Quantity, Sample, compare

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.nodes.place import Place
    from tests.nodes.sizes import Sizes

EXPORTERS = (1, 2, 4)
PER_MINUTE = Quantity("per minute", lambda sample: 60 * sample.number / sample.seconds)
LOOK_SECONDS, PATIENCE_SECONDS = 0.02, 300.0
OWNERS = 20
ONE = "one exporter"


def measure(place: Place, sizes: Sizes, runs: int) -> Iterator[Figure]:
    """From the moment that all tasks wait until the last has its file."""
    rounds = [{_name(each): _round(place, sizes, each) for each in EXPORTERS} for _ in range(runs)]
    what = f"exports of {sizes.rows:,} rows"
    for number in EXPORTERS[1:]:
        yield compare(f"{what}, {_name(number)}", PER_MINUTE, rounds, ONE, _name(number))


def _round(place: Place, sizes: Sizes, number: int) -> Sample:
    (node,) = place.nodes(1)
    with Parts(node) as parts, ExitStack() as running:
        owners = [user.owner for user in homes.settle(parts, OWNERS)]
        parts.claim_results()
        batch_id = parts.batches.generate(tasks.PROJECT, sizes.rows)
        for _ in range(number):
            running.enter_context(homes.exporter(node))
        turn = islice(cycle(owners), sizes.exports)
        made = [parts.ledger.create(tasks.creating(owner, batch_id)) for owner in turn]
        began, finished = perf_counter(), _finished(parts)
        while any(parts.queries.work()):
            if perf_counter() - began > PATIENCE_SECONDS:
                raise TimeoutError(f"not exported in {PATIENCE_SECONDS:g} s")
            sleep(LOOK_SECONDS)
        seconds = perf_counter() - began
        tasks.must_succeed(parts.ledger, made, sizes.rows)
        return Sample(sizes.exports - finished, seconds)


def _finished(parts: Parts) -> int:
    """How many were made while the others were still being created."""
    return sum(row.status == "Success" for row in parts.queries.all_tasks(None, None))


def _name(number: int) -> str:
    return ONE if number == 1 else f"{number} exporters"
