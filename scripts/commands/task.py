"""`task`: any owner's export tasks, their quota and file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from scripts.consent import Consent, destroys
from scripts.talk import as_json, example, say, show, show_all

if TYPE_CHECKING:
    from projections.rows import FileRow, QuotaRow, TaskRow

_COLUMNS = (
    "export_task_id",
    "project_id",
    "user_id",
    "status",
    "progress",
    "export_count",
    "create_time",
)


@click.group(epilog=example("task list"))
def task() -> None:
    """Export tasks of all users."""


@task.command("list", epilog=example("task list --project plant-1"))
@click.option("--project", help="Only this project's.")
@click.option("--user", help="Only this user's (name or id).")
@as_json
def list_tasks(project: str | None, user: str | None, as_json: bool) -> None:
    """List the tasks that are kept, newest first."""
    from scripts.store import existing

    with existing() as parts:
        rows = parts.queries.all_tasks(project, parts.user_id(user))
        show_all(_COLUMNS, map(_task_document, rows), as_json)


@task.command("show", epilog=example("task show 019a3c5e7f00a1b2c3d4e5f6"))
@click.argument("task_id")
@as_json
def show_task(task_id: str, as_json: bool) -> None:
    """Show a task, the file a download would give, and its owner's quota."""
    from domain.refusals import Refusal
    from scripts.store import existing

    with existing() as parts:
        row = parts.queries.any_task(task_id)
        if row is None:
            raise Refusal(_absent(parts.ledger.task(task_id) is not None, task_id))
        file = parts.queries.current_file(row.conditions) if row.status == "Success" else None
        quota = parts.queries.quota(row.owner)
        show(_task_document(row) | _more(row, file, quota), as_json)


@task.command("delete", epilog=example("task delete 019a3c5e7f00a1b2c3d4e5f6"))
@click.argument("task_id")
@destroys
def delete_task(task_id: str, consent: Consent) -> None:
    """Delete a task in any state; its events stay readable."""
    from domain.commands import DeleteTask
    from domain.refusals import NoSuchTask
    from scripts.store import existing

    with existing() as parts:
        found = parts.ledger.task(task_id)
        if found is None:
            raise NoSuchTask
        row = parts.queries.any_task(task_id) if consent.needed else None
        if consent.to(f"Delete the task {task_id}?", _task_document(row) if row else {}):
            parts.ledger.delete(DeleteTask(found.owner, task_id, parts.operator()))
            consent.done(
                f"The task {task_id} is deleted; its history: export-tasks event list --task "
                f"{task_id}",
                export_task_id=task_id,
            )


@task.command("retry", epilog=example("task retry 019a3c5e7f00a1b2c3d4e5f6"))
@click.argument("task_id")
@as_json
def retry_task(task_id: str, as_json: bool) -> None:
    """Export again what a failed task was to, as a new task of the same owner.

    The failed one stays as it is. Given again while the new one is unfinished, it names that one.
    """
    from domain.commands import RetryTask
    from scripts.store import existing

    with existing() as parts:
        made = parts.ledger.retry(RetryTask(task_id, parts.operator()))
        say(f"{made.task_id} is a new export task in its stead.")
        show({"export_task_id": made.task_id, "retries": task_id}, as_json)


def _absent(was: bool, task_id: str) -> str:
    if was:
        return f"The export task was removed; its history: export-tasks event list --task {task_id}"
    return "The export task does not exist."


def _task_document(row: TaskRow) -> dict[str, Any]:
    from api.messages import shortened

    return {
        "export_task_id": row.task_id,
        "project_id": row.project_id,
        "user_id": row.user_id,
        "resource_type": row.resource_type,
        "resource_condition": row.resource_condition,
        "batch_name": row.batch_name,
        "export_format": row.export_format,
        "app_type": row.app_type,
        "app_id": row.app_id,
        "scope": row.scope,
        "status": row.status,
        "progress": row.progress,
        "export_count": row.rows,
        "total": row.total,
        "create_time": shortened(row.created_at),
        "end_time": shortened(row.ended_at) if row.ended_at else None,
        "error_code": row.error_code,
        "error_msg": row.error_msg,
    }


def _more(row: TaskRow, file: FileRow | None, quota: QuotaRow) -> dict[str, Any]:
    from msgspec.structs import asdict

    return {
        "attempt": row.attempt,
        "exporter": row.exporter,
        "file": asdict(file) if file else None,
        "quota": asdict(quota),
    }
