"""`export` and `quota`: one's own exports, over HTTP with a key."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scripts.cli import Refused
from scripts.consent import Consent, destroys
from scripts.options import DURATION, Manner
from scripts.talk import as_json, example, json_line, say, show, show_all

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts.remote import Remote

STATUSES = click.Choice(["Processing", "Success", "Failed"])
APP_TYPES = click.Choice(["GLOBAL", "APP"])
PATIENCE = 120.0
STDOUT = "-"

_COLUMNS = ("export_task_id", "resource_condition", "status", "progress", "export_count",
            "create_time")  # fmt: skip
_ID = "019a3c5e7f00a1b2c3d4e5f6"

output_option = click.option(
    "--output", "-o", metavar="PATH", help="A file or folder to write to; - is stdout."
)
patience_option = click.option(
    "--patience",
    type=DURATION,
    default=PATIENCE,
    show_default="2m",
    help="How long a service that does not answer is asked again.",
)


@click.group(epilog=example("export list"))
def export() -> None:
    """Your exports, at a service that runs.

    Where it is and who you are is read from EXPORT_TASKS_ENDPOINT (by default
    http://127.0.0.1:8080), EXPORT_TASKS_PROJECT, EXPORT_TASKS_AK and EXPORT_TASKS_SK (or
    EXPORT_TASKS_SK_FILE), for a temporary key EXPORT_TASKS_SECURITY_TOKEN.

    Exit: 0 done; 1 refused or failed; 2 wrong usage; 4 the service did not answer, so it cannot be
    told; 130 interrupted.
    """


@export.command(
    "create",
    epilog=example(
        "export create 5f433ce0c24389024365fdfa",
        "export create 5f433ce0c24389024365fdfa --download",
        "export create 5f433ce0c24389024365fdfa --wait --json",
    ),
)
@click.argument("batch_task")
@click.option("--app", metavar="ID", help="Only what is in this app (resource space).")
@click.option("--app-type", type=APP_TYPES, help="APP alone: in the project's default app.")
@click.option("--instance", metavar="ID", help="Sent as Instance-Id.")
@click.option("--wait", is_flag=True, help="Watch it until it ends.")
@click.option("--download", is_flag=True, help="Wait for it, and for the interval; download it.")
@output_option
@patience_option
@as_json
def create(
    batch_task: str,
    app: str | None,
    app_type: str | None,
    instance: str | None,
    wait: bool,
    download: bool,
    output: str | None,
    patience: float,
    as_json: bool,
) -> None:
    """Export the results of BATCH_TASK: a new export task.

    With --wait and --json a line for each change of it; with --download, then, the file.
    """
    if output is not None and not download:
        raise click.UsageError("--output goes with --download.")
    _check_output(output, as_json)
    remote = _remote()
    asked = {"app_type": app_type or (app and "APP"), "app_id": app}
    body = {"resource_type": "BatchTask", "resource_condition": {"task_id": batch_task}}
    task = remote.create(body | {k: v for k, v in asked.items() if v}, instance)
    task_id = task["export_task_id"]
    if not (wait or download):
        show(task, as_json)
        return say(f"Watch it: export-tasks export watch {task_id}")
    say(f"The export task is {task_id}.")
    with _left(f"It goes on: export-tasks export watch {task_id}"):
        _watch(remote, task_id, patience, as_json, to_stdout=output == STDOUT)
    if download:
        _download(remote, task_id, output, Manner(wait=True, patience=patience), as_json)
    return None


@export.command("list", epilog=example("export list", "export list --status Failed --json"))
@click.option("--status", type=STATUSES, help="Only those that are so.")
@click.option("--batch-task", metavar="ID", help="Only those of this batch task.")
@click.option("--app", metavar="ID", help="Only those in this app (resource space).")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many; else all.")
@as_json
def list_exports(
    status: str | None, batch_task: str | None, app: str | None, limit: int | None, as_json: bool
) -> None:
    """List your export tasks, newest first."""
    condition = json.dumps({"task_id": batch_task}) if batch_task else None
    asked = {"status": status, "resource_condition": condition, "app_id": app}
    tasks = _remote().tasks(limit, {name: value for name, value in asked.items() if value})
    show_all(_COLUMNS, tasks, as_json)


@export.command("show", epilog=example(f"export show {_ID}"))
@click.argument("task_id")
@as_json
def show_export(task_id: str, as_json: bool) -> None:
    """Show an export task, and the file that a download would give now."""
    show(_remote().show(task_id), as_json)


@export.command("watch", epilog=example(f"export watch {_ID}"))
@click.argument("task_id")
@patience_option
@as_json
def watch(task_id: str, patience: float, as_json: bool) -> None:
    """Watch an export task until it ends, also while the service is started again.

    A bar on a terminal, a line for each change elsewhere; JSON Lines with --json. Exit 0: Success.
    1: Failed.
    """
    with _left(f"It goes on: export-tasks export watch {task_id}"):
        _watch(_remote(), task_id, patience, as_json)
    say(f"Download it: export-tasks export download {task_id}")


@export.command(
    "download",
    epilog=example(f"export download {_ID}", f"export download {_ID} --wait -o - > results.xls"),
)
@click.argument("task_id")
@output_option
@click.option("--wait", is_flag=True, help="Wait for the interval between downloads.")
@patience_option
@as_json
def download(task_id: str, output: str | None, wait: bool, patience: float, as_json: bool) -> None:
    """Download the file of an export task; a broken download goes on where it stopped.

    Bytes are gathered in a .part file beside the target, which gets its name once size and SHA-256
    are right. Without --output it is named as the service names it, in this folder.
    """
    _check_output(output, as_json)
    _download(_remote(), task_id, output, Manner(wait, patience), as_json)


@export.command("delete", epilog=example(f"export delete {_ID}"))
@click.argument("task_id")
@destroys
def delete(task_id: str, consent: Consent) -> None:
    """Delete an export task in any state; one that runs stops."""
    remote = _remote()
    lost = remote.show(task_id) if consent.needed else {}
    if consent.to(f"Delete the export task {task_id}?", lost):
        remote.delete(task_id)
        consent.done(f"The export task {task_id} is deleted.", export_task_id=task_id)


@click.command(epilog=example("quota", "quota --json"))
@as_json
def quota(as_json: bool) -> None:
    """Show your own numbers beside their limits, and when the next download is granted."""
    told = _remote().quota()
    if as_json:
        return show(told, as_json)
    limits, wait = told["limits"], told["seconds_to_next_download"]
    numbers = {name: f"{told[name]} of {limits[name]}" for name in ("unfinished", "kept")}
    return show(numbers | {"next_download": f"in {wait:g} s" if wait else "now"}, as_json)


def _remote() -> Remote:
    from api.settings import refuse_unknown
    from scripts.account import Account
    from scripts.remote import Remote

    refuse_unknown(os.environ)
    return Remote(Account.read(os.environ))


def _watch(
    remote: Remote, task_id: str, patience: float, as_json: bool, *, to_stdout: bool = False
) -> None:
    from scripts.watching import watch as run

    run(remote, task_id, patience, as_json=as_json, tell=say if to_stdout else click.echo)


def _check_output(output: str | None, as_json: bool) -> None:
    if output == STDOUT and as_json:
        raise click.UsageError("--json and --output - do not go together: stdout is one of them.")
    if output == STDOUT and sys.stdout.isatty():
        raise click.UsageError("A workbook is not for a terminal: redirect stdout, or name a file.")
    if output and output != STDOUT:
        folder = Path(output) if output.endswith(os.sep) else Path(output).parent
        if not folder.is_dir():
            raise Refused(f"--output {output}: there is no folder {folder}.")


@contextmanager
def _left(told: str) -> Iterator[None]:
    """Ctrl-C ends the command and not the export: `told` is the command's last word then."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(told) from None


def _download(
    remote: Remote, task_id: str, output: str | None, manner: Manner, as_json: bool
) -> None:
    from scripts.fetching import fetch, fetch_to_stdout

    with _left(f"To go on: export-tasks export download {task_id}"):
        if output == STDOUT:
            fetch_to_stdout(remote, task_id, manner)
            return
        offer, file = fetch(remote, task_id, Path(output) if output else None, manner)
    told = {"file": str(file), **offer.document()}
    click.echo(json_line(told)) if as_json else show(told, as_json=False)
