"""`batch`: what the local source has."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, BinaryIO

import click

from scripts.commands.projects import project_option
from scripts.consent import Consent, destroys
from scripts.talk import as_json, example, progress, say, show, show_all

_COLUMNS = ("task_id", "project_id", "app_id", "task_type", "status", "total", "create_time")
_FORMATS = click.Choice(["jsonl", "csv"])

app_option = click.option("--app", help="The app it is limited to; none: the whole project.")
file_argument = click.argument("file", type=click.File("rb"))
format_option = click.option(
    "--format", type=_FORMATS, default="jsonl", show_default=True, help="How FILE is written."
)


@click.group(epilog=example("batch list"))
def batch() -> None:
    """Batch tasks of the local source: what can be exported."""


@batch.command(
    "import",
    epilog=example(
        "batch import upgrade.jsonl --project plant-1",
        "batch import - --project plant-1 --format csv < rows.csv",
    ),
)
@file_argument
@project_option
@app_option
@format_option
@as_json
def import_(file: BinaryIO, project: str, app: str | None, format: Any, as_json: bool) -> None:
    """Take in a batch task with its details; all or nothing.

    FILE is - for stdin. JSON Lines: the batch task, then a detail a line; CSV: a header first.
    """
    from scripts.store import existing

    with existing() as parts, progress("importing") as advance:
        parts.must_have(project, app)
        task_id = parts.batches.import_(
            file,
            project_id=project,
            app_id=app,
            format=format,
            progress=advance,
            apps={each.app_id for each in parts.queries.apps(project)},
        )
    show({"task_id": task_id}, as_json)


@batch.command("append", epilog=example("batch append 6a1f0c more.jsonl"))
@click.argument("task_id")
@file_argument
@format_option
@as_json
def append(task_id: str, file: BinaryIO, format: Any, as_json: bool) -> None:
    """Add details to a batch task that runs on; all or nothing."""
    from scripts.store import existing

    with existing() as parts, progress("appending") as advance:
        added = parts.batches.append(task_id, file, format, progress=advance)
    show({"task_id": task_id, "added": added}, as_json)


@batch.command("finish", epilog=example("batch finish 6a1f0c --status Success"))
@click.argument("task_id")
@click.option("--status", help="How it ended; by default what its details tell.")
@as_json
def finish(task_id: str, status: str | None, as_json: bool) -> None:
    """End a batch task that runs on."""
    from scripts.store import existing

    with existing() as parts:
        ended = parts.batches.finish(task_id, status)
    show({"task_id": task_id, "status": ended}, as_json)


@batch.command("generate", epilog=example("batch generate --project plant-1 --rows 100000"))
@project_option
@app_option
@click.option("--rows", type=click.IntRange(min=0), required=True, help="How many details.")
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same details.")
@click.option("--name", help="What it is called; by default what is made up.")
@as_json
def generate(
    project: str, app: str | None, rows: int, seed: int, name: str | None, as_json: bool
) -> None:
    """Make up a finished batch task."""
    from scripts.store import existing

    with existing() as parts, progress("generating", rows) as advance:
        parts.must_have(project, app)
        task_id = parts.batches.generate(project, rows, app, seed, progress=advance, name=name)
    show({"task_id": task_id}, as_json)
    say(f"Export it: export-tasks export create {task_id}")


@batch.command("list", epilog=example("batch list --project plant-1"))
@click.option("--project", help="Only this project's.")
@as_json
def list_batches(project: str | None, as_json: bool) -> None:
    """List the batch tasks, newest first."""
    from scripts.store import existing

    with existing() as parts:
        show_all(_COLUMNS, map(asdict, parts.batches.list(project)), as_json)


@batch.command("show", epilog=example("batch show 6a1f0c"))
@click.argument("task_id")
@as_json
def show_batch(task_id: str, as_json: bool) -> None:
    """Show a batch task and its details counted by status."""
    from scripts.store import existing

    with existing() as parts:
        report = parts.batches.show(task_id)
    show(asdict(report.task) | {"by_status": report.by_status}, as_json)


@batch.command("remove", epilog=example("batch remove 6a1f0c"))
@click.argument("task_id")
@destroys
def remove(task_id: str, consent: Consent) -> None:
    """Remove a batch task; exports of it keep their files."""
    from scripts.store import existing

    with existing() as parts:
        lost = asdict(parts.batches.show(task_id).task) if consent.needed else {}
        if consent.to(f"Remove the batch task {task_id} with its details?", lost):
            parts.batches.remove(task_id)
            consent.done(f"The batch task {task_id} is removed.", task_id=task_id)
