"""Several machines on this one: nodes over one PostgreSQL and one S3 server, until Ctrl-C.

With --torture they are struck for so many seconds while clients ask them for everything; then it is
judged whether anything was lost, done twice, or is another on another node. Exit 3 where something
was.
"""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path
from random import randrange
from subprocess import TimeoutExpired
from tempfile import mkdtemp
from time import monotonic
from typing import TYPE_CHECKING, Any, get_args

import click

from tests.cluster.options import ClusterOptions
from tests.cluster.run import ClusterTorture
from tests.cluster.scene import Source
from tests.cluster.shown import show
from tests.torture.commands import CommandFailed
from tests.torture.running import DidNotStart

if TYPE_CHECKING:
    from collections.abc import Callable

BROKE_OFF = (DidNotStart, CommandFailed, TimeoutExpired, AssertionError)
FINDING = 3
COUNT = click.IntRange(1)


@click.command(help=__doc__)
@click.option("--nodes", type=click.IntRange(1, 9), default=3, show_default=True, help="Machines.")
@click.option("--workers", type=COUNT, default=2, show_default=True, help="API processes of each.")
@click.option("--exporters", type=COUNT, default=2, show_default=True, help="Exporters of each.")
@click.option(
    "--source",
    type=click.Choice(get_args(Source)),
    default="embedded",
    show_default=True,
    help="Where all nodes read batch tasks.",
)
@click.option("--torture", "seconds", type=float, help="Seconds of load and faults.")
@click.option("--seed", type=int, help="Of the torture; drawn where none is given.")
@click.option("--owners", type=COUNT, default=20, show_default=True, help="Users who ask.")
@click.option("--clients", type=COUNT, default=40, show_default=True, help="Of all of them.")
@click.option(
    "--beside",
    metavar="COMMIT",
    default="",
    help="Torture: the first node runs that commit's program, until it is upgraded halfway.",
)
@click.option("--folder", type=click.Path(path_type=Path), help="Where; made, and must be empty.")
@click.option("--keep", is_flag=True, help="Leave the folder: homes, logs, the servers' data.")
@click.option("--json", "as_json", is_flag=True, help="Print the torture's report as JSON.")
@click.pass_context
def cluster(
    context: click.Context,
    seconds: float | None,
    seed: int | None,
    folder: Path | None,
    keep: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Starts them, and ends them all."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    place = (folder or Path(mkdtemp(prefix="cluster-"))).absolute()
    place.mkdir(parents=True, exist_ok=True)
    began = monotonic()

    def say(line: str) -> None:
        click.echo(f"{monotonic() - began:6.1f} s  {line}", err=True)

    seed = randrange(1_000_000) if seed is None else seed
    options = ClusterOptions(seconds=seconds or 0.0, seed=seed, **given)
    try:
        if seconds is None:
            show(options, place, say)
        else:
            context.exit(_torture(options, place, say, as_json))
    except KeyboardInterrupt:
        say("all of it has ended")
    finally:
        if keep:
            click.echo(f"kept: {place}", err=True)
        else:
            shutil.rmtree(place, ignore_errors=True)


def _torture(
    options: ClusterOptions, place: Path, say: Callable[[str], object], as_json: bool
) -> int:
    say(f"seed {options.seed}")
    try:
        report = ClusterTorture(options, place, say).run()
    except BROKE_OFF as error:
        raise click.ClickException(f"seed {options.seed} broke off: {error!r}") from error
    click.echo(json.dumps(report.whole(), indent=2, default=str) if as_json else report.text())
    return FINDING if report.wrongs else 0


if __name__ == "__main__":
    cluster(prog_name="scripts/cluster")
