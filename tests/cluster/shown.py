"""Shown: a cluster for a person to use, until Ctrl-C."""

from __future__ import annotations

from secrets import token_urlsafe
from time import sleep
from typing import TYPE_CHECKING

import click

from scripts.group import command_line
from tests.cluster.scene import Scene, shared
from tests.cluster.servers import Servers
from tests.service import Home

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cluster.options import ClusterOptions

ROWS = 10_000


def show(options: ClusterOptions, folder: Path, say: Callable[[str], object]) -> None:
    """Starts it, says how to use it, and waits; KeyboardInterrupt ends it all, in order."""
    say("PostgreSQL and S3 are starting")
    with Servers(folder) as servers:
        each = {"workers": str(options.workers), "exporters": str(options.exporters)}
        home = Home(folder, **shared(servers, token_urlsafe(32)), **each)
        batch = home.batch(ROWS)
        say(f"{options.nodes} nodes are starting")
        with Scene(folder, servers, home, options.nodes, options.source, command_line) as scene:
            click.echo(_told(scene, batch))
            while True:
                sleep(3600)


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
