"""Several machines on this one: nodes over one PostgreSQL and one S3 server, until Ctrl-C."""

from __future__ import annotations

import shutil
import signal
from contextlib import ExitStack
from pathlib import Path
from secrets import token_urlsafe
from tempfile import mkdtemp
from time import sleep
from typing import get_args

import click

from scripts.group import command_line
from tests.cluster.scene import Scene, Source, shared
from tests.cluster.servers import Servers
from tests.service import Home

ROWS = 10_000


@click.command(help=__doc__)
@click.option("--nodes", type=click.IntRange(1, 9), default=3, show_default=True, help="Machines.")
@click.option("--workers", default=2, show_default=True, help="API processes of each.")
@click.option("--exporters", default=2, show_default=True, help="Exporters of each.")
@click.option(
    "--source",
    type=click.Choice(get_args(Source)),
    default="embedded",
    show_default=True,
    help="Where all nodes read batch tasks.",
)
@click.option("--folder", type=click.Path(path_type=Path), help="Where; made, and must be empty.")
@click.option("--keep", is_flag=True, help="Leave the folder: homes, logs, the servers' data.")
def cluster(
    nodes: int, workers: int, exporters: int, source: Source, folder: Path | None, keep: bool
) -> None:
    """Starts them, and ends them all."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    place = (folder or Path(mkdtemp(prefix="cluster-"))).absolute()
    place.mkdir(parents=True, exist_ok=True)
    try:
        with ExitStack() as opened:
            click.echo("PostgreSQL and S3 are starting", err=True)
            servers = opened.enter_context(Servers(place))
            more = {"workers": str(workers), "exporters": str(exporters)}
            home = Home(place, **shared(servers, token_urlsafe(32)), **more)
            batch = home.batch(ROWS)
            scene = Scene(place, servers, home, nodes, source, command_line)
            click.echo(f"{nodes} nodes are starting", err=True)
            opened.enter_context(scene)
            click.echo(_told(scene, batch))
            while True:
                sleep(3600)
    except KeyboardInterrupt:
        click.echo("\nall of it has ended", err=True)
    finally:
        if keep:
            click.echo(f"kept: {place}", err=True)
        else:
            shutil.rmtree(place, ignore_errors=True)


def _told(scene: Scene, batch: str) -> str:
    begun, first = scene.home.begun, scene.nodes[0]
    lines = [f"{node.name}  {node.endpoint}  pid {node.pids()[0]}" for node in scene.nodes]
    lines += [f"events   {scene.servers.events}", f"results  {scene.servers.results}"]
    lines += [f"S3       {scene.servers.store.endpoint}", f"logs     {first.home.parent}/*.log"]
    keys = {"AK": begun["access_key"], "SK": begun["secret_key"], "PROJECT": scene.home.project}
    keys["ENDPOINT"] = first.endpoint
    lines += ["", f"A user of every node, and a batch task of {ROWS:,} details:"]
    lines += [f"  export EXPORT_TASKS_{name}={value}" for name, value in keys.items()]
    lines += [f"  export BATCH_TASK={batch}"]
    lines += ["Any node answers, for any other: README.md has an example with the official SDK."]
    return "\n".join([*lines, "Ctrl-C ends it."])


if __name__ == "__main__":
    cluster(prog_name="scripts/cluster")
