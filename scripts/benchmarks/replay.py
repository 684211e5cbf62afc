"""Catch-up and rebuild of the read tables, beside the library's runner and a bare read."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from projections.follower import Follower
from projections.log import open_log
from projections.rebuild import rebuild
from projections.tables import ReadTables
from scripts.benchmarks import history, raw, runner
from scripts.benchmarks.figures import PER_SECOND, Sample, Stopwatch, at_least, compare

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from eventsourcing.persistence import ApplicationRecorder

    from scripts.benchmarks.figures import Figure
    from scripts.benchmarks.sizes import Sizes

LIBRARY = "the library's ProjectionRunner"
READ = "raw SELECT and JSON decode"
COPY = "raw SELECT, msgspec, one write of the rows"
BARS = {LIBRARY: at_least(5), COPY: at_least(1 / 3, "at least a third"), READ: None}
PATIENCE_SECONDS = 3600.0


def measure(sizes: Sizes, runs: int, folder: Path) -> Iterator[Figure]:
    """Events a second into read tables that were empty, and into tables beside the live ones."""
    path = folder / "events.sqlite"
    with closing(open_log(f"sqlite:///{path}")) as log:
        events = history.fill(log.recorder, sizes.events)
        rounds = [
            _round(log.recorder, path, events, folder / str(number)) for number in range(runs)
        ]
    for ours in ("catch-up", "rebuild"):
        for peer, bar in BARS.items():
            yield compare(f"{ours}, events", PER_SECOND, rounds, peer, ours, bar)


def _round(
    recorder: ApplicationRecorder, log: Path, events: int, folder: Path
) -> dict[str, Sample]:
    watches = {name: Stopwatch() for name in ("catch-up", "rebuild", LIBRARY)}
    with closing(ReadTables(folder)) as tables:
        follower = Follower(recorder, tables)
        with watches["catch-up"], follower.caught_up(PATIENCE_SECONDS):
            pass
        with watches["rebuild"]:
            rebuild(recorder, tables)
        with tables.open() as made:
            copied = raw.copy_rows_of(log, made, folder / "copy.sqlite")
    with watches[LIBRARY]:
        runner.project_all(log, folder / "view.sqlite", events)
    samples = {name: watch.sample(events) for name, watch in watches.items()}
    return {**samples, COPY: copied, READ: raw.read_events_of(log)}
