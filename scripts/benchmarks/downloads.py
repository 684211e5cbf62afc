"""Downloads of one file, several at a time, beside Starlette's own response with that file."""

from __future__ import annotations

from os import urandom
from typing import TYPE_CHECKING

from scripts.benchmarks import homes, tasks
from scripts.benchmarks.figures import (
    CPU_EACH,
    PEAK,
    PER_SECOND,
    Sample,
    at_least,
    at_most,
    compare,
    peak_memory_of,
)
from scripts.benchmarks.wire import Wire, signed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scripts.benchmarks.figures import Figure
    from scripts.benchmarks.sizes import Sizes

AT_ONCE = 4
FIRST = f"after the first {AT_ONCE} of them"
PEER = "Starlette's FileResponse"


def measure(sizes: Sizes, runs: int, folder: Path) -> Iterator[Figure]:
    """Signed downloads, every one granted, and the same bytes to whoever asks."""
    with homes.parts_of(folder) as parts:
        (user,) = homes.settle(parts, 1)
        task = parts.ledger.create(tasks.creating(user.owner))
        content = urandom(sizes.file_bytes)
        tasks.complete(parts.ledger, task, tasks.claim(parts.ledger, task), content, parts.results)
        file = folder / "file.xls"
        file.write_bytes(content)
        path = f"/v5/iot/{tasks.PROJECT}/export-tasks/{task.task_id}/file"
        requests = [signed(user, "GET", path)] * sizes.downloads
        with (
            homes.api(parts.settings) as server,
            Wire(server, AT_ONCE) as ours,
            homes.filed(parts.settings, file) as other,
            Wire(other, AT_ONCE) as theirs,
        ):
            peers = {"ours": ours, PEER: theirs}
            for each in peers.values():
                each.exchange(requests[:AT_ONCE], 200)
            first = peak_memory_of(server.pid)
            rounds = [
                {k: v.exchange(requests, 200)[0] for k, v in peers.items()} for _ in range(runs)
            ]
            last = peak_memory_of(server.pid)
    what = f"downloads of {sizes.file_bytes / 1e6:g} MB, {AT_ONCE} at a time"
    yield compare(what, PER_SECOND, rounds, PEER, bar=at_least(0.8))
    yield compare(what, CPU_EACH, rounds, PEER)
    memory = [{"ours": Sample(1, 0, peak=last), FIRST: Sample(AT_ONCE, 0, peak=first)}]
    yield compare(f"{what}, the worker", PEAK, memory, FIRST, bar=at_most(1.1, "flat: at most 1.1"))
