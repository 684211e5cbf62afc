"""`backup` and `restore`: an installation copied while it runs, and back again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scripts.exits import REFUSED
from scripts.talk import as_json, example, say, show, show_all

if TYPE_CHECKING:
    from api.access.erasures import Erasure
    from api.settings import Settings
    from api.upkeep.in_place import Found, PutBack
    from api.upkeep.lost import Lost
    from api.upkeep.manifest import Manifest

FOLDER = click.Path(path_type=Path, file_okay=True)
DIFFERENCE = ("kind", "id", "project_id", "user_id", "before", "now")
LOST_EVENT = ("position", "time", "event", "task_id", "project_id", "user_id")


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
    from api.upkeep.backup import back_up
    from scripts.pace import pace
    from scripts.store import existing

    with existing() as parts, pace("copying") as advance:
        made = back_up(parts, to, with_secret_key=with_secret_key, tell=say, advance=advance)
    if not with_secret_key:
        say("The secret key is not in it: keep it elsewhere; a restore asks for it.")
    show({"folder": str(to), **_summary(made)}, as_json)
    _tell_absent(made)
    if not made.complete:
        context.exit(REFUSED)


@click.command(
    epilog=example(
        "restore /mnt/backups/monday --erasures /srv/export-tasks/erasures.jsonl",
        "restore /mnt/backups/monday --dry-run",
        "restore --in-place --dry-run",
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
@click.option(
    "--replaced",
    metavar="URL",
    help="The event store before, where it can still be read: what is lost is named by it.",
)
@click.option("--dry-run", is_flag=True, help="Verify the backup; or, in place, name what is lost.")
@click.option(
    "--insist",
    is_flag=True,
    help="In place, though nothing seems to be gone, or others are at the database.",
)
@as_json
def restore(
    from_: Path | None,
    in_place: bool,
    erasures: tuple[Path, ...],
    replaced: str | None,
    dry_run: bool,
    insist: bool,
    as_json: bool,
) -> None:
    """Put the backup FROM back into an empty home, verified; `serve` goes on from there.

    What the settings name must be empty: choose the home by EXPORT_TASKS_HOME, the database by
    EXPORT_TASKS_EVENTS. Users on a list of erasures, given or in the home, are removed again.
    """
    from api.settings import Settings

    if in_place == (from_ is not None):
        raise click.UsageError("Give either FROM or --in-place.")
    settings = Settings.read()
    if insist and not in_place:
        raise click.UsageError("--insist goes with --in-place.")
    if from_ and dry_run:
        return show(_rehearsed(settings, from_), as_json)
    if from_:
        told, lost = _from(settings, from_, erasures, replaced)
    else:
        told, lost = _in_place(settings, erasures, replaced, dry_run, insist)
    return _show(told, lost, as_json)


def _rehearsed(settings: Settings, folder: Path) -> dict[str, Any]:
    from api.upkeep.restore import rehearse

    return _summary(rehearse(settings, folder, tell=say))


def _from(
    settings: Settings, folder: Path, erasures: tuple[Path, ...], replaced: str | None
) -> tuple[dict[str, Any], Lost]:
    from api.upkeep.lost import Lost, by_log
    from api.upkeep.manifest import EVENTS
    from api.upkeep.restore import restore as put_back
    from scripts.pace import pace

    # Before anything is put back: a log that is not the one before is refused in time.
    copy = f"sqlite:///{(folder / EVENTS).absolute()}"
    lost = by_log(replaced, copy) if replaced else Lost()
    with pace("copying") as advance:
        done = put_back(settings, folder, erasures, tell=say, advance=advance)
    begun = {"incarnation": done.incarnation, "previous": done.manifest.incarnation}
    _tell_absent(done.manifest)
    told = {"home": str(settings.home), **_summary(done.manifest), **begun, "erased": done.erased}
    return ({**told, "lost": lost.events} if replaced else told), lost


def _in_place(
    settings: Settings,
    erasures: tuple[Path, ...],
    replaced: str | None,
    only_look: bool,
    insist: bool,
) -> tuple[dict[str, Any], Lost]:
    from api.upkeep.in_place import look
    from api.upkeep.restore import erasures_of
    from projections.shown import shown

    erased = erasures_of(settings, erasures)
    found = look(settings, replaced, tell=say)
    if found.gone:
        say(f"{found.gone} events, at least, are gone; {found.signed} of them were signed.")
    told = {
        "event_store": shown(settings.events),
        "events": found.events,
        "lost": found.gone,
        "previous": found.previous,
    }
    if not only_look:
        done = _begun(settings, found, erased, insist)
        told |= {"events": done.events, "incarnation": done.incarnation, "erased": done.erased}
    return told, found.lost


def _begun(settings: Settings, found: Found, erased: list[Erasure], insist: bool) -> PutBack:
    """Beside no `serve` of this home, and, unless somebody insists, where all else bids it too."""
    from api.upkeep.in_place import begin_anew, must_be_put_back
    from api.upkeep.quiet import must_be_quiet
    from scripts.serve import LOCK, alone

    with alone(settings.home / LOCK):
        if not insist:
            must_be_put_back(found)
            must_be_quiet(settings.events)
        return begin_anew(settings, erased)


def _show(told: dict[str, Any], lost: Lost, as_json: bool) -> None:
    """What was done, then what is lost, by name."""
    from dataclasses import asdict

    named = asdict(lost)
    del named["events"]
    if as_json:
        return show(told | named, as_json)
    show(told, as_json)
    if lost.differences:
        say(f"What is otherwise than {lost.known_by} had it:")
        show_all(DIFFERENCE, named["differences"], as_json)
    if lost.lost_events:
        say("Every event that is gone:")
        show_all(LOST_EVENT, named["lost_events"], as_json)
    return None


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
