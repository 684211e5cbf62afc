"""One of several processes that create tasks of one owner, or of many, for some seconds."""

from __future__ import annotations

import sys
from contextlib import closing, suppress
from itertools import cycle
from time import perf_counter

from domain.journal import Journal
from domain.ledger import Ledger
from domain.refusals import TaskOver
from projections.log import open_log
from scripts.benchmarks import tasks
from scripts.benchmarks.together import tell, wait_for_the_word


def main(url: str, seconds: str, owners: str = "1") -> None:
    """Tells how many seconds each create took; an exporter finishes each task in between."""
    turn = cycle(tasks.owners(int(owners)))
    taken: list[float] = []
    with closing(open_log(url)) as log:
        ledger = Ledger(Journal(log.recorder, clock=log.clock, turns=log.turns))
        wait_for_the_word()
        until = perf_counter() + float(seconds)
        while perf_counter() < until:
            command = tasks.creating(next(turn))
            began = perf_counter()
            task = ledger.create(command)
            taken.append(perf_counter() - began)
            with suppress(TaskOver):  # evicted by fifty newer ones: its slot is free as well
                tasks.complete(ledger, task, tasks.claim(ledger, task))
    tell(taken)


if __name__ == "__main__":
    main(*sys.argv[1:])
