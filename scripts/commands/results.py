"""`results`: the place of the result files."""

from __future__ import annotations

import click

from scripts.talk import as_json, example, say, show


@click.group(epilog=example("results claim"))
def results() -> None:
    """The place of the result files (EXPORT_TASKS_RESULTS)."""


@results.command("claim", epilog=example("results claim"))
@as_json
def claim(as_json: bool) -> None:
    """Mark the place that the settings name as that of this log's result files.

    The first start of a service does so. By hand it is for a place to which the files were copied
    without their mark, or for a new one where all of them are lost: no node of the service takes a
    place that bears none.
    """
    from api.belonging import mark
    from projections.shown import shown
    from scripts.store import existing

    with existing() as parts:
        place = shown(parts.settings.results)
        mark(parts.ledger, parts.results, place)
    show({"results": place, "marked": True}, as_json)
    say("Which files are missing there: export-tasks doctor")
