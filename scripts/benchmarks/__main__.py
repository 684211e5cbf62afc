"""`scripts/bench`: measures the subjects asked for and prints one table."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import TYPE_CHECKING

import click

from scripts.benchmarks import (
    access,
    calm,
    contest,
    creates,
    downloads,
    exports,
    growth,
    memory,
    pair,
    rebuilding,
    replay,
    service,
    starting,
    verify,
    workbooks,
)
from scripts.benchmarks.page import draw, write_page
from scripts.benchmarks.report import document, print_table, verdict
from scripts.benchmarks.sizes import FULL, QUICK
from scripts.talk import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scripts.benchmarks.figures import Figure
    from scripts.benchmarks.sizes import Sizes

    Measure = Callable[[Sizes, int, Path], Iterator[Figure]]

RUNS = 5
RUNS_MOST = 100

SUBJECTS: dict[str, Measure] = {
    "creates": creates.measure,
    "contest": contest.measure,
    "http-creates": service.creates,
    "start": starting.serve,
    "imports": starting.imports,
    "replay": replay.measure,
    "rebuild-live": rebuilding.live,
    "seal": rebuilding.seal,
    "verify": verify.measure,
    "exports": exports.measure,
    "exporters": pair.measure,
    "workbooks": workbooks.measure,
    "lists": service.lists,
    "shows": service.shows,
    "growth": growth.measure,
    "queue": growth.queue,
    "access": access.measure,
    "downloads": downloads.measure,
    "calm": calm.measure,
    "memory": memory.measure,
}


@click.command()
@click.option("--quick", is_flag=True, help="Tiny sizes: shows that it runs, not how fast.")
@click.option("--all", "everything", is_flag=True, help="Every subject; so it is without --only.")
@click.option("--only", type=click.Choice(list(SUBJECTS)), multiple=True, help="Only this subject.")
@click.option(
    "--runs",
    type=click.IntRange(1, RUNS_MOST),
    default=RUNS,
    show_default=True,
    help="Rounds; the table shows medians.",
)
@click.option(
    "--json",
    "to",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write every round to this file, after each subject.",
)
@click.option(
    "--svg",
    "pictures",
    type=click.Path(file_okay=False, path_type=Path),
    help="Also draw the bars into this folder.",
)
@click.option(
    "--page",
    "told",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Measure nothing: write docs/performance.md and its picture from this JSON.",
)
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
    help="Work on this folder's disk; else on that of temporary files.",
)
def bench(
    quick: bool,
    everything: bool,
    only: tuple[str, ...],
    runs: int,
    to: Path | None,
    pictures: Path | None,
    told: Path | None,
    folder: Path | None,
) -> None:
    """Measure this program, each figure beside a peer in the same run; on Linux."""
    if not Path("/proc/self/status").exists():
        raise click.ClickException("CPU time and memory are read from /proc, which is not here.")
    if told:
        return write_page(json.loads(told.read_text()))
    if everything and only:
        raise click.UsageError("--all and --only exclude each other.")
    sizes, began = QUICK if quick else FULL, monotonic()
    figures: list[Figure] = []
    for name in only or SUBJECTS:
        say(f"{monotonic() - began:5.0f} s: measuring {name}")
        with TemporaryDirectory(prefix="export-tasks-bench-", dir=folder) as place:
            figures += SUBJECTS[name](sizes, runs, Path(place))
        if to:
            found = document(figures, runs, quick, monotonic() - began)
            to.write_text(json.dumps(found, indent=2) + "\n")
    print_table(figures)
    click.echo(verdict(figures))
    if pictures:
        draw(figures, pictures)
    return None


if __name__ == "__main__":
    bench(prog_name="scripts/bench")
