"""`demo`: the whole main job from nothing."""

from __future__ import annotations

from pathlib import Path

import click

from scripts.talk import example

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
def demo(rows: int, folder: Path, keep: bool) -> None:
    """Run the whole main job, checked row by row, in its own folder."""
    from scripts.demonstration import demonstrate

    demonstrate(rows, folder.absolute(), keep=keep)
