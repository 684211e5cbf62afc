"""`scripts/bench`: measures the subjects asked for and prints one table."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from scripts.benchmarks import (
    access,
    contest,
    creates,
    downloads,
    exports,
    memory,
    pair,
    rebuilding,
    replay,
    service,
    starting,
    verify,
    workbooks,
)
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
    "access": access.measure,
    "downloads": downloads.measure,
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
    help="Also write every round to this file.",
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
    folder: Path | None,
) -> None:
    """Measure this program, each figure beside a peer in the same run; on Linux."""
    if not Path("/proc/self/status").exists():
        raise click.ClickException("CPU time and memory are read from /proc, which is not here.")
    if everything and only:
        raise click.UsageError("--all and --only exclude each other.")
    sizes = QUICK if quick else FULL
    figures: list[Figure] = []
    with TemporaryDirectory(prefix="export-tasks-bench-", dir=folder) as place:
        for name in only or SUBJECTS:
            say(f"measuring {name}")
            own = Path(place) / name
            own.mkdir()
            figures += SUBJECTS[name](sizes, runs, own)
    print_table(figures)
    click.echo(verdict(figures))
    if to:
        to.write_text(json.dumps(document(figures, runs, quick), indent=2) + "\n")


if __name__ == "__main__":
    bench(prog_name="scripts/bench")
