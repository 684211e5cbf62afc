"""One of several processes that do nothing for some seconds but create tasks of many owners."""

from __future__ import annotations

import sys
from contextlib import closing
from secrets import token_hex
from time import perf_counter

from domain.conditions import OwnerId
from domain.journal import Journal
from domain.ledger import Ledger
from projections.log import open_log
from scripts.benchmarks import tasks
from scripts.benchmarks.together import tell, wait_for_the_word

CREATES_OF_AN_OWNER = 5
"""As many as the limits let stand unfinished."""


def main(url: str, seconds: str) -> None:
    """Tells how many it created."""
    created = 0
    with closing(open_log(url)) as log:
        ledger = Ledger(Journal(log.recorder, clock=log.clock, turns=log.turns))
        wait_for_the_word()
        until = perf_counter() + float(seconds)
        while perf_counter() < until:
            if created % CREATES_OF_AN_OWNER == 0:
                owner = OwnerId(tasks.PROJECT, token_hex(16))
            ledger.create(tasks.creating(owner))
            created += 1
    tell(created)


if __name__ == "__main__":
    main(*sys.argv[1:])
