"""`rebuild`: this node's read tables, built anew from the events."""

from __future__ import annotations

from dataclasses import asdict

import click

from scripts.talk import as_json, example, progress, show


@click.command(epilog=example("rebuild"))
@as_json
def rebuild(as_json: bool) -> None:
    """Build this node's read tables anew; the service goes on.

    They are built beside the live ones, compared with them row by row, and take their place.
    """
    from api.parts import Parts
    from projections.rebuild import rebuild as build

    with Parts() as parts, progress("rebuilding") as advance:
        done = build(parts.log.recorder, parts.tables, progress=advance)
    show(asdict(done), as_json)
