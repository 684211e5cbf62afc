"""The read tables: what each holds and how its rows are found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from sqlite_utils import Database

VERSION = 6


WAITING = "unfinished > running"
"""Of an owner who has a task that no exporter works on. In the index's words, or it is not used."""

UNFINISHED = "status = 'Processing'"
FAILED = "status = 'Failed'"
"""Of tasks; in the words of their indexes, too."""

PARTIAL = {
    "line": ("quotas (running, served, unfinished)", WAITING),
    "unfinished": ("tasks (held, task_id)", UNFINISHED),
    "failed": ("tasks (task_id)", FAILED),
}
"""Indexes of some rows: their columns, and of which."""


class Table(NamedTuple):
    """A table's key, its columns with their types, and its indexes."""

    key: tuple[str, ...]
    columns: dict[str, type]
    indexes: tuple[tuple[str, ...], ...] = ()


_HOUR: dict[str, type] = {
    "hour": str,
    "created": int,
    "completed": int,
    "failed": int,
    "removed": int,
    "downloads": int,
    "rows": int,
}

TABLES: dict[str, Table] = {
    "tasks": Table(
        ("stream",),
        {
            "stream": str,
            "task_id": str,
            "project_id": str,
            "user_id": str,
            "conditions": str,
            "resource_type": str,
            "resource_condition": str,
            "export_format": str,
            "app_type": str,
            "scope": str,
            "app_id": str,
            "instance_id": str,
            "status": str,
            "rows": int,
            "total": int,
            "progress": int,
            "created_at": str,
            "ended_at": str,
            "error_code": str,
            "error_msg": str,
            "attempt": int,
            "exporter": str,
            "held": int,
            "lease": float,
            "wait": float,
            "reason": str,
            "claimed_at": str,
            "heard_at": str,
            "version": int,
            "file": str,
            "batch_name": str,
        },
        (("project_id", "user_id", "task_id"), ("task_id",)),
    ),
    "quotas": Table(
        ("project_id", "user_id"),
        {
            "project_id": str,
            "user_id": str,
            "kept": int,
            "unfinished": int,
            "running": int,
            "served": int,
            "last_download": str,
        },
    ),
    "results": Table(("conditions",), {"conditions": str, "tasks": str, "current": str}),
    "files": Table(
        ("key",),
        {
            "key": str,
            "conditions": str,
            "task_id": str,
            "size": int,
            "sha256": str,
            "rows": int,
            "sheets": int,
            "repaired": int,
            "complete": int,
            "data_as_of": str,
            "completed_at": str,
            "superseded_at": str,
        },
        (("task_id",),),
    ),
    "projects": Table(
        ("project_id",),
        {
            "project_id": str,
            "name": str,
            "enterprise_project_id": str,
            "upstream_project_id": str,
            "apps": str,
            "default_app": str,
        },
    ),
    "users": Table(
        ("user_id",),
        {
            "user_id": str,
            "added_at": str,
            "password_version": int,
            "operator": str,
            "projects": str,
            "keys": str,
        },
    ),
    "members": Table(
        ("project_id", "user_id"),
        {"project_id": str, "user_id": str, "admin": int, "policy": str},
        (("user_id",),),
    ),
    "keys": Table(
        ("access_key",),
        {"access_key": str, "user_id": str, "temporary": int, "expires": str},
        (("user_id",),),
    ),
    "activity": Table(
        ("id",),
        {"id": int, "processing": int, "success": int, "failure": int, "running": int, **_HOUR},
    ),
    "hours": Table(("slot",), {"slot": str, **_HOUR}),
    "failures": Table(
        ("slot", "code"), {"slot": str, "code": str, "day": str, "tasks": int, "latest": str}
    ),
    "measures": Table(("measure", "of"), {"measure": str, "of": str, "count": int, "amount": int}),
    "quarantine": Table(("stream",), {"stream": str, "position": int, "topic": str, "error": str}),
    "moments": Table(("count",), {"count": int, "position": int, "latest": str}),
    "position": Table(
        ("id",),
        {
            "id": int,
            "incarnation": str,
            "position": int,
            "stream": str,
            "version": int,
            "digest": str,
            "count": int,
            "frontier": str,
            "latest": str,
        },
    ),
}


def create(database: Database) -> None:
    """Makes the tables, strict, with their indexes."""
    for name, table in TABLES.items():
        rows = database.table(name)
        rows.create(table.columns, pk=_key(table), strict=True)
    create_indexes(database)


def create_indexes(database: Database) -> None:
    """Makes those that are missing."""
    for name, table in TABLES.items():
        for index in table.indexes:
            database.table(name).create_index(index, if_not_exists=True)
    for name, (columns, where) in PARTIAL.items():
        statement = f"CREATE INDEX IF NOT EXISTS {name} ON {columns} WHERE {where}"
        database.conn.execute(statement)


def _key(table: Table) -> Any:
    return table.key[0] if len(table.key) == 1 else table.key
