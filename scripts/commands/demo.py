"""`demo`: the whole main job from nothing."""

from __future__ import annotations

import sys
from contextlib import nullcontext, redirect_stdout
from pathlib import Path

import click

from scripts.talk import as_json, example, show

ROWS = 100_000
FOLDER = Path("demo-home")


@click.command(epilog=example("demo --rows 5000 --folder /tmp/try-it"))
@click.option(
    "--rows",
    type=click.IntRange(0, 1_000_000),
    default=ROWS,
    show_default=True,
    help="Details of the batch task.",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=FOLDER,
    show_default=True,
    help="Made anew; refused where it holds anything else.",
)
@click.option("--keep", is_flag=True, help="Leave the service running until Ctrl-C.")
@as_json
def demo(rows: int, folder: Path, keep: bool, as_json: bool) -> None:
    """Run the whole main job, checked row by row, in its own folder."""
    from scripts.demonstration import demonstrate

    # What happens is told either way; with --json the result alone is on stdout.
    with redirect_stdout(sys.stderr) if as_json else nullcontext():
        made = demonstrate(rows, folder.absolute(), keep=keep)
    if as_json:
        show(made, as_json)
