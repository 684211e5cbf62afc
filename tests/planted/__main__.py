"""`scripts/planted`: plants one bug after the other in a copy, and shows that each is found."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import click

from scripts.talk import say
from tests.planted.catalogue import ROOT, catalogue
from tests.planted.hunt import NOTHING, by_simulator, by_tests, hunted
from tests.planted.report import document, line, summary, table
from tests.planted.tree import copied

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.planted.catalogue import Bug
    from tests.planted.hunt import Hunter, Outcome

FIRST_SEED = 5_000_000
"""Seeds from here on are not used while the simulator is developed."""

SECONDS = 120


@click.command()
@click.option("--list", "listing", is_flag=True, help="Name the bugs, and plant none.")
@click.option("--only", metavar="WORDS", multiple=True, help="Only bugs with this in their names.")
@click.option(
    "--by",
    type=click.Choice(["simulator", "tests", "both"]),
    default="both",
    show_default=True,
    help="Who hunts; the tests hunt what the simulator does not find.",
)
@click.option("--first-seed", type=click.IntRange(0), default=FIRST_SEED, show_default=True)
@click.option(
    "--seconds",
    type=click.IntRange(1),
    default=SECONDS,
    show_default=True,
    help="The simulator's time for each bug.",
)
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True, help="At a time.")
@click.option("--json", "as_json", is_flag=True, help="Print all that was seen as JSON.")
@click.option("--markdown", is_flag=True, help="Print a table for docs/correctness.md.")
def planted(
    listing: bool,
    only: tuple[str, ...],
    by: str,
    first_seed: int,
    seconds: int,
    jobs: int,
    as_json: bool,
    markdown: bool,
) -> None:
    """Plant bugs in the product, one at a time: the simulator or the tests must find each.

    Ends with 1 where one is not found, or can no longer be planted.
    """
    bugs = chosen(only)
    if listing:
        return click.echo("\n".join(bug.name for bug in bugs))
    hunters: dict[str, Hunter] = {
        "simulator": partial(by_simulator, first_seed=first_seed, limit=float(seconds)),
        "tests": by_tests,
    }
    who = list(hunters.values()) if by == "both" else [hunters[by]]
    outcomes = []
    for outcome in hunts([NOTHING, *bugs], who, jobs):
        say(line(outcome))
        outcomes.append(outcome)
    show(outcomes, as_json, markdown)
    raise SystemExit(0 if all(outcome.good for outcome in outcomes) else 1)


def chosen(only: Sequence[str]) -> list[Bug]:
    """The bugs with one of these words in their names; all where none are given."""
    bugs = [bug for bug in catalogue() if any(words in bug.name for words in only or ("",))]
    if not bugs:
        raise click.ClickException("no bug is named so: see --list")
    return bugs


def hunts(bugs: Sequence[Bug], hunters: Sequence[Hunter], jobs: int) -> Iterator[Outcome]:
    """Hunts several at a time, all in copies of one and the same state of the project."""
    with copied(ROOT) as project, ThreadPoolExecutor(jobs) as threads:
        yield from threads.map(lambda bug: hunted(bug, project, hunters), bugs)


def show(outcomes: Sequence[Outcome], as_json: bool, markdown: bool) -> None:
    """The result on stdout."""
    if as_json:
        return click.echo(json.dumps(document(outcomes), indent=2))
    return click.echo(table(outcomes) if markdown else summary(outcomes))


if __name__ == "__main__":
    planted(prog_name="scripts/planted")
