"""`migrate`: the tables of the event store, and an event store moved to where it can be shared."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from scripts.exits import REFUSED
from scripts.talk import as_json, example, say, show

if TYPE_CHECKING:
    from api.settings import Settings
    from api.upkeep.migrate import Migrated

TO = "postgresql://export-tasks@db.example.com/export-tasks"


@click.command(epilog=example("migrate", f"migrate --to {TO} --results-to s3://exports/results"))
@click.option("--to", metavar="URL", help="The database, postgresql://…, to copy the events to.")
@click.option(
    "--results-to", metavar="URL", help="The place, s3://… or file:///…, to copy result files to."
)
@click.option("--dry-run", is_flag=True, help="Only say what would be made or copied.")
@as_json
@click.pass_context
def migrate(
    context: click.Context, to: str | None, results_to: str | None, dry_run: bool, as_json: bool
) -> None:
    """Make or upgrade the tables of the event store; with --to, copy an embedded one elsewhere.

    Without --to it may run on many machines at once. With --to the service must be stopped; where
    the command is cut off, give it again. Exit 1 where a result file was lost already: the rest is
    copied all the same.
    """
    from api.settings import Settings

    if results_to and not to:
        raise click.UsageError("--results-to goes with --to.")
    settings = Settings.read()
    if dry_run:
        return show(_rehearsed(settings, to), as_json)
    if to is None:
        return show(_schema(settings), as_json)
    done = _moved(settings, to, results_to)
    say("The embedded event store was not changed. Never serve from it again; set, everywhere:")
    to_set = _to_set(settings, to, results_to)
    show(_summary(done) | ({"set": to_set} if as_json else to_set), as_json)
    for each in done.absent:
        say(f"The result {each.key} was not copied: {each.why}.")
    if done.absent:
        context.exit(REFUSED)
    return None


def _rehearsed(settings: Settings, to: str | None) -> dict[str, Any]:
    from api.upkeep.event_places import NothingThere, event_place
    from api.upkeep.migrate import rehearse
    from projections.shown import shown

    if to is not None:
        events, added = rehearse(settings, to)
        return {"from": shown(settings.events), "to": shown(to), "events": events, "added": added}
    try:
        event_place(settings).must_be_there()
    except NothingThere:
        return {"event_store": shown(settings.events), "tables": "would be made"}
    return {"event_store": shown(settings.events), "tables": "there"}


def _schema(settings: Settings) -> dict[str, Any]:
    from api.upkeep.schema import create_schema
    from projections.shown import shown

    create_schema(settings.events)
    return {"event_store": shown(settings.events), "tables": "there"}


def _moved(settings: Settings, to: str, results_to: str | None) -> Migrated:
    from api.upkeep.migrate import migrate as move
    from scripts.pace import pace
    from scripts.serve import LOCK, alone

    with alone(settings.home / LOCK), pace("copying") as advance:
        return move(settings, to, results_to, tell=say, advance=advance)


def _summary(done: Migrated) -> dict[str, Any]:
    from msgspec import to_builtins

    return {
        **asdict(done.log),
        "incarnation": done.incarnation,
        "result_files": done.results,
        "absent": [to_builtins(each) for each in done.absent],
    }


def _to_set(settings: Settings, to: str, results_to: str | None) -> dict[str, str]:
    """What the settings of every machine have to be from now on."""
    from projections.shown import shown

    given = {
        "EXPORT_TASKS_EVENTS": shown(to),
        "EXPORT_TASKS_RESULTS": shown(results_to or settings.results),
        "EXPORT_TASKS_SOURCE": shown(settings.source),
    }
    if settings.given_secret_key is None:
        given["EXPORT_TASKS_SECRET_KEY_FILE"] = f"a copy of {settings.secret_file}"
    return given
