"""`python -m tests.simulation`: many schedules on every core, or one of them as a story."""

from __future__ import annotations

import sys
from time import monotonic
from typing import Any

import click

from tests.simulation.campaign import Campaign, report
from tests.simulation.exhaustive import explore
from tests.simulation.options import Options
from tests.simulation.schedule import play, staged
from tests.simulation.sqlite import fresh_log


@click.command(context_settings={"max_content_width": 100})
@click.option("--minutes", type=float, help="Play schedules for so long (default: 0.5).")
@click.option("--schedules", type=int, help="Play so many schedules.")
@click.option("--first-seed", type=int, default=0, help="The first schedule's seed.")
@click.option("--seed", type=int, help="Play this one alone, and tell its story.")
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="Change an option.")
@click.option("--jobs", type=int, help="Processes (default: one a core).")
@click.option("--sqlite", is_flag=True, help="Over SQLite's recorder instead of the one in memory.")
@click.option("--compare-stores", is_flag=True, help="Over both, and demand equal logs.")
@click.option("--go-on", is_flag=True, help="Do not stop at the first broken rule.")
@click.option("--exhaustive", type=int, metavar="K", help="Every order of a small scene instead.")
@click.option("--full", is_flag=True, help="Demand that every situation was met 100 times.")
def main(
    minutes: float | None,
    schedules: int | None,
    first_seed: int,
    seed: int | None,
    changes: tuple[str, ...],
    jobs: int | None,
    sqlite: bool,
    compare_stores: bool,
    go_on: bool,
    exhaustive: int | None,
    full: bool,
) -> None:
    """Plays the product's own code under a seeded scheduler, with faults, and judges the log.

    Example: scripts/simulate --minutes 10 --full

    Exit: 0 no rule was broken, 1 one was (the seed is printed), 2 wrong usage.
    """
    set_ = _values(changes)
    if seed is not None:
        sys.exit(_story(seed, set_, sqlite))
    if exhaustive is not None:
        sys.exit(_exhaustive(exhaustive))
    limit = minutes if minutes is not None or schedules is not None else 0.5
    until = monotonic() + limit * 60 if limit is not None else None
    campaign = Campaign(first_seed, schedules, until, set_, sqlite, compare_stores, go_on)
    total = campaign.run(jobs)
    sys.exit(report(total, full=full))


def _story(seed: int, changes: dict[str, Any], sqlite: bool) -> int:
    options = Options.draw(seed).changed(**changes)
    print(options.told())
    with staged():
        outcome = play(options, fresh_log if sqlite else None, print)
    print(f"{outcome.calls} calls, {outcome.events} events, log {outcome.digest}")
    print(outcome.wrong or "no rule was broken")
    return 1 if outcome.wrong else 0


def _exhaustive(preemptions: int) -> int:
    count, wrongs = 0, 0
    with staged():
        for choices, wrong in explore(preemptions):
            count += 1
            if wrong:
                wrongs += 1
                print(f"BROKEN by the choices {choices}: {wrong}")
    print(f"{count:,} interleavings with at most {preemptions} preemptions, {wrongs:,} broken")
    return 1 if wrongs else 0


def _values(changes: tuple[str, ...]) -> dict[str, Any]:
    import ast

    try:
        pairs = [change.split("=", 1) for change in changes]
        values = {name: ast.literal_eval(value) for name, value in pairs}
        Options.draw(0).changed(**values)
    except (ValueError, SyntaxError) as error:
        raise click.UsageError(f"--set: {error}") from error
    return values


if __name__ == "__main__":
    main()
