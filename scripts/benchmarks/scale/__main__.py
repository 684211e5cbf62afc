"""A year of so many users over 1 to 16 event stores, simulated with measured service times."""

from __future__ import annotations

import json
from pathlib import Path

import click

from scripts.benchmarks.scale.chart import chart
from scripts.benchmarks.scale.population import populate
from scripts.benchmarks.scale.stores import Measured, Outcome, outcomes
from scripts.talk import show_all

COUNTS = (1, 2, 4, 8, 16, 32)
COLUMNS = (
    "stores",
    "by",
    "busiest / mean",
    "busiest hour",
    "p99 wait",
    "p99 in a storm",
    "events a year",
    "GB a year",
    "rebuild, hours",
)
PICTURE = Path(__file__).resolve().parents[3] / "docs" / "benchmarks" / "scale.svg"


@click.command(help=__doc__)
@click.option("--users", type=click.IntRange(1), default=10_000_000, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--lives", type=float, default=219.0, show_default=True, help="Of tasks a second.")
@click.option("--transactions", type=click.IntRange(1), default=6, show_default=True, help="Each.")
@click.option("--events", type=click.IntRange(1), default=10, show_default=True, help="Each.")
@click.option("--bytes", "size", type=float, default=527.0, show_default=True, help="An event.")
@click.option("--rebuilt", type=float, default=34_000.0, show_default=True, help="A second.")
@click.option("--svg", is_flag=True, help="Also draw docs/benchmarks/scale.svg.")
@click.option("--json", "as_json", is_flag=True)
def scale(
    users: int,
    seed: int,
    lives: float,
    transactions: int,
    events: int,
    size: float,
    rebuilt: float,
    svg: bool,
    as_json: bool,
) -> None:
    measured = Measured(lives, transactions, events, size, rebuilt)
    found = list(outcomes(populate(users, seed), measured, COUNTS, seed))
    if as_json:
        click.echo(json.dumps([each._asdict() for each in found], indent=2))
    else:
        show_all(COLUMNS, [_line(each) for each in found], as_json=False)
    if svg:
        title = f"{users:,} users: the worst hour of a year, by the number of event stores"
        PICTURE.write_text(chart(found, title))


def _line(found: Outcome) -> dict[str, str]:
    cells = (
        str(found.stores),
        found.by,
        f"{found.share:.2f}",
        f"{found.busy:.1%}",
        _seconds(found.hour_p99),
        _seconds(found.storm_p99),
        f"{found.events / 1e6:,.0f} M",
        f"{found.gigabytes:,.0f}",
        f"{found.rebuild_hours:,.1f}",
    )
    return dict(zip(COLUMNS, cells, strict=True))


def _seconds(value: float) -> str:
    return f"{value * 1e3:.1f} ms" if value < 1 else f"{value:,.0f} s"


if __name__ == "__main__":
    scale(prog_name="scripts/bench --scale")
