"""One of several processes that defer jobs of `procrastinate` for some seconds."""

from __future__ import annotations

import sys
from time import perf_counter

from scripts.benchmarks.together import tell, wait_for_the_word
from tests.nodes.jobs import queue

TASK = "export"


def main(url: str, seconds: str) -> None:
    """Tells how many it deferred."""
    deferred = 0
    with queue(url).open() as app:
        job = app.configure_task(TASK)
        wait_for_the_word()
        until = perf_counter() + float(seconds)
        while perf_counter() < until:
            job.defer(task_id=f"{deferred:024x}", user_id="ada", project_id="bench")
            deferred += 1
    tell(deferred)


if __name__ == "__main__":
    main(*sys.argv[1:])
