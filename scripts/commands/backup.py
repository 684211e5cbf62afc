"""`backup` and `restore`: an installation copied while it runs, and back again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scripts.talk import as_json, example, say, show

if TYPE_CHECKING:
    from api.settings import Settings
    from api.upkeep.manifest import Manifest

FOLDER = click.Path(path_type=Path, file_okay=True)


@click.command(epilog=example("backup /mnt/backups/monday", "backup monday --with-secret-key"))
@click.argument("to", type=FOLDER)
@click.option(
    "--with-secret-key",
    is_flag=True,
    help="Copy the secret key too: whoever reads the backup can then open every secret in it.",
)
@as_json
@click.pass_context
def backup(context: click.Context, to: Path, with_secret_key: bool, as_json: bool) -> None:
    """Copy everything to the new or empty folder TO, while the service runs.

    Exit 1 where a result file was lost already: the rest is copied all the same.
    """
    from api.parts import Parts
    from api.upkeep.backup import back_up

    with Parts() as parts:
        made = back_up(parts, to, with_secret_key=with_secret_key, tell=say)
    if not with_secret_key:
        say("The secret key is not in it: keep it elsewhere; a restore asks for it.")
    show({"folder": str(to), **_summary(made)}, as_json)
    _tell_absent(made)
    if not made.complete:
        context.exit(1)


@click.command(
    epilog=example(
        "restore /mnt/backups/monday --erasures /srv/export-tasks/erasures.jsonl",
        "restore /mnt/backups/monday --dry-run",
        "restore --in-place",
    )
)
@click.argument("from_", metavar="[FROM]", type=FOLDER, required=False)
@click.option(
    "--in-place",
    is_flag=True,
    help="The event store was put back by its database's own tools: go on from what it holds.",
)
@click.option(
    "--erasures",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    multiple=True,
    help="A list of users removed since the backup: {home}/erasures.jsonl; may be repeated.",
)
@click.option("--dry-run", is_flag=True, help="Verify the backup and that there is room for it.")
@as_json
def restore(
    from_: Path | None, in_place: bool, erasures: tuple[Path, ...], dry_run: bool, as_json: bool
) -> None:
    """Put the backup FROM back into an empty home, verified; `serve` goes on from there.

    What the settings name must be empty: choose the home by EXPORT_TASKS_HOME, the database by
    EXPORT_TASKS_EVENTS. Users on a list of erasures, given or in the home, are removed again.
    """
    from api.settings import Settings

    if in_place == (from_ is not None):
        raise click.UsageError("Give either FROM or --in-place.")
    settings = Settings.read()
    if dry_run:
        return show(_rehearsed(settings, from_), as_json)
    told = _from(settings, from_, erasures) if from_ else _in_place(settings, erasures)
    return show(told, as_json)


def _rehearsed(settings: Settings, folder: Path | None) -> dict[str, Any]:
    from api.upkeep import in_place, restore

    if folder is not None:
        return _summary(restore.rehearse(settings, folder, tell=say))
    events, lost = in_place.rehearse(settings)
    return {"events": events, "lost": lost}


def _from(settings: Settings, folder: Path, erasures: tuple[Path, ...]) -> dict[str, Any]:
    from api.upkeep.restore import restore as put_back

    done = put_back(settings, folder, erasures, tell=say)
    begun = {"incarnation": done.incarnation, "previous": done.manifest.incarnation}
    _tell_absent(done.manifest)
    return {"home": str(settings.home), **_summary(done.manifest), **begun, "erased": done.erased}


def _in_place(settings: Settings, erasures: tuple[Path, ...]) -> dict[str, Any]:
    from dataclasses import asdict

    from api.upkeep.in_place import begin_anew
    from api.upkeep.restore import erasures_of
    from projections.shown import shown

    done = begin_anew(settings, erasures_of(settings, erasures), tell=say)
    if done.lost:
        say(f"{done.lost} events, at least, that were signed after it are gone.")
    return {"event_store": shown(settings.events), **asdict(done)}


def _summary(manifest: Manifest) -> dict[str, Any]:
    return {
        "version": manifest.version,
        "made_at": manifest.made_at,
        "incarnation": manifest.incarnation,
        "events": manifest.events,
        "position": manifest.position,
        "last_event": manifest.last_event,
        "result_files": len(manifest.results),
        "files": sorted(manifest.files),
        "bytes": manifest.bytes,
        "complete": manifest.complete,
        "absent": [{"key": each.key, "task_id": each.task_id, "why": each.why}
                   for each in manifest.absent],
    }  # fmt: skip


def _tell_absent(manifest: Manifest) -> None:
    for each in manifest.absent:
        say(f"The result {each.key} is not in the backup: {each.why}.")
