"""What several nodes over one PostgreSQL and one S3 server do, beside what, in one table."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import TYPE_CHECKING

import click

from scripts.benchmarks.report import document, print_table, verdict
from scripts.talk import say
from tests.nodes import creates, downloading, exporting, hot, lag, newcomer
from tests.nodes.place import place
from tests.nodes.sizes import FULL, QUICK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scripts.benchmarks.figures import Figure
    from tests.nodes.place import Place
    from tests.nodes.sizes import Sizes

    Measure = Callable[[Place, Sizes, int], Iterator[Figure]]

SUBJECTS: dict[str, Measure] = {
    "creates": creates.measure,
    "hot": hot.measure,
    "lag": lag.measure,
    "exporters": exporting.measure,
    "downloads": downloading.measure,
    "newcomer": newcomer.measure,
}


@click.command(help=__doc__)
@click.option("--quick", is_flag=True, help="Tiny sizes: shows that it runs, not how fast.")
@click.option("--only", type=click.Choice(list(SUBJECTS)), multiple=True, help="Only this subject.")
@click.option("--runs", type=click.IntRange(1, 100), default=3, show_default=True, help="Rounds.")
@click.option(
    "--json", "to", type=click.Path(dir_okay=False, path_type=Path), help="Also write every round."
)
def nodes(quick: bool, only: tuple[str, ...], runs: int, to: Path | None) -> None:
    sizes, began = QUICK if quick else FULL, monotonic()
    figures: list[Figure] = []
    with TemporaryDirectory(prefix="export-tasks-nodes-") as folder, place(Path(folder)) as there:
        for name in only or SUBJECTS:
            say(f"{monotonic() - began:5.0f} s: measuring {name}")
            figures += SUBJECTS[name](there, sizes, runs)
            if to:
                found = document(figures, runs, quick, monotonic() - began)
                to.write_text(json.dumps(found, indent=2) + "\n")
    print_table(figures)
    click.echo(verdict(figures))


if __name__ == "__main__":
    nodes(prog_name="scripts/bench --nodes")
