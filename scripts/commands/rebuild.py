"""`rebuild`: this node's read tables, built anew from the events."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from scripts.talk import as_json, example, plain, progress, show

if TYPE_CHECKING:
    from projections.rebuild import Rebuilt

FINDING = 3


@click.command(epilog=example("rebuild", "rebuild --compare"))
@click.option("--compare", is_flag=True, help="Only compare: exit 3 where anything differs.")
@as_json
@click.pass_context
def rebuild(context: click.Context, compare: bool, as_json: bool) -> None:
    """Build this node's read tables anew; the service goes on.

    They are built beside the live ones, compared with them row by row, and take their place.
    """
    from api.parts import Parts
    from projections.rebuild import rebuild as build

    with Parts() as parts, progress("rebuilding") as advance:
        done = build(parts.log.recorder, parts.tables, swap=not compare, progress=advance)
    show(asdict(done), as_json=True) if as_json else _tell(done)
    if compare and done.different:
        context.exit(FINDING)


def _tell(done: Rebuilt) -> None:
    numbers = asdict(done) | {"seconds": round(done.seconds, 2)}
    del numbers["differences"]
    show(numbers, as_json=False)
    for each in done.differences:
        click.echo(f"{each.table}: live {plain(each.live)}; rebuilt {plain(each.rebuilt)}")
