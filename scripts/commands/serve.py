"""`serve`, `exporter` and the processes that they start."""

from __future__ import annotations

from typing import Any

import click

from scripts.talk import example

exporters_option = click.option(
    "--exporters", type=click.IntRange(0, 64), help="Exporter processes."
)


@click.command(epilog=example("serve --port 8080 --workers 2 --exporters 2"))
@click.option("--host", help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="The port; 0: any free one.")
@click.option("--workers", type=click.IntRange(1, 64), help="API processes.")
@exporters_option
def serve(**flags: Any) -> None:
    """Run the API and the exporters until SIGTERM or Ctrl-C."""
    from scripts.serve import serve as run

    _exit(run(_settings(flags)))


@click.command(epilog=example("exporter --exporters 4"))
@click.option("--exporters", type=click.IntRange(1, 64), help="Exporter processes.")
def exporter(**flags: Any) -> None:
    """Run exporters alone, on a machine of their own, until SIGTERM or Ctrl-C."""
    from scripts.serve import export as run

    _exit(run(_settings(flags)))
