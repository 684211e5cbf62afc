"""`scripts/mutate`: changes one small thing of the product at a time; a test must notice each."""

from __future__ import annotations

import json
from time import monotonic
from typing import TYPE_CHECKING

import click

from scripts.talk import say
from tests.mutation.explained import explanations
from tests.mutation.operators import mutants, mutated
from tests.mutation.report import Report, line, toml
from tests.mutation.scope import ROOT, modules
from tests.mutation.trial import verdicts
from tests.planted.tree import copied

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.mutation.mutant import Mutant


@click.command()
@click.option("--list", "listing", is_flag=True, help="Count the mutants, and try none.")
@click.option("--only", metavar="WORDS", multiple=True, help="Only modules with this in the path.")
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True, help="At a time.")
@click.option("--json", "as_json", is_flag=True, help="Print all that was seen as JSON.")
@click.option("--markdown", is_flag=True, help="Print a table for docs/correctness.md.")
@click.option("--toml", "as_toml", is_flag=True, help="Print the survivors to be explained.")
def mutate(
    listing: bool, only: tuple[str, ...], jobs: int, as_json: bool, markdown: bool, as_toml: bool
) -> None:
    """Mutate the rules, the follower and the claim protocol: the tests must notice each mutant.

    Ends with 1 where a survivor is not explained in tests/mutation/survivors.toml, or something
    is explained there that did not survive.
    """
    with copied(ROOT) as tree:
        chosen = mutants_of(tree.root, only)
        if listing:
            return list_modules(chosen)
        report = tried(tree.root, chosen, jobs)
    if as_json:
        click.echo(json.dumps(report.document(), indent=2))
    elif as_toml:
        click.echo(toml(report.unexplained))
    else:
        click.echo(report.table() if markdown else report.summary())
    raise SystemExit(0 if report.good else 1)


def mutants_of(root: Path, only: Sequence[str]) -> list[Mutant]:
    """The mutants of the modules with one of these words in their paths; of all without any."""
    chosen = [each for each in modules(root) if any(words in each for words in only or ("",))]
    if not chosen:
        raise click.ClickException("no module is named so: see --list")
    return [mutant for module in chosen for mutant in mutants(root, module)]


def list_modules(chosen: Sequence[Mutant]) -> None:
    """How many mutants each module has."""
    modules = [mutant.module for mutant in chosen]
    for module in dict.fromkeys(modules):
        click.echo(f"{modules.count(module):5}  {module}")


def tried(root: Path, chosen: Sequence[Mutant], jobs: int) -> Report:
    """Tries them all, and says on the way what became of each."""
    began, seen = monotonic(), []
    for verdict in verdicts(root, chosen, jobs, mutated):
        say(line(verdict))
        seen.append(verdict)
    return Report(seen, explanations(), monotonic() - began)


if __name__ == "__main__":
    mutate(prog_name="scripts/mutate")
