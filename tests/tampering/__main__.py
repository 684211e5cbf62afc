"""`python -m tests.tampering`: real logs tampered with at random, and honest ones, all judged."""

from __future__ import annotations

import sys
from time import monotonic

import click

from tests.tampering.trial import attacks, honest


@click.command()
@click.option("--number", type=click.IntRange(1), default=10_000, show_default=True)
@click.option("--first", type=int, default=0, help="The first log's seed.")
def main(number: int, first: int) -> None:
    """Tampers with real logs, so many times in each of seven ways, and judges honest ones.

    Exit: 0 all were found and none accused, 1 otherwise.
    """
    began = monotonic()
    tallies = (attacks(number, first), honest(number, first))
    for tally in tallies:
        for kind, done in tally.done.items():
            click.echo(f"{kind:<20} {done:>7,}")
        for each in tally.wrong[:20]:
            click.echo(f"WRONG {each}")
    wrong = sum(len(tally.wrong) for tally in tallies)
    click.echo(f"{wrong} wrong, in {monotonic() - began:.0f} s")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
