"""`backup` and `restore`: an installation copied while it runs, and back again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scripts.talk import as_json, example, say, show

if TYPE_CHECKING:
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
    epilog=example("restore /mnt/backups/monday --erasures /srv/export-tasks/erasures.jsonl")
)
@click.argument("from_", metavar="FROM", type=FOLDER)
@click.option(
    "--erasures",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    multiple=True,
    help="A list of users removed since the backup: {home}/erasures.jsonl; may be repeated.",
)
@as_json
def restore(from_: Path, erasures: tuple[Path, ...], as_json: bool) -> None:
    """Put the backup FROM back into an empty home, verified; `serve` goes on from there.

    What the settings name must be empty: choose the home by EXPORT_TASKS_HOME. Users on a list of
    erasures, given or in the home, are removed again.
    """
    from api.settings import Settings
    from api.upkeep.restore import restore as put_back

    settings = Settings.read()
    done = put_back(settings, from_, erasures, tell=say)
    told = {"home": str(settings.home), **_summary(done.manifest)}
    begun = {"incarnation": done.incarnation, "previous": done.manifest.incarnation}
    show(told | begun | {"erased": done.erased}, as_json)
    _tell_absent(done.manifest)


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
