"""The read tables: what each holds and how its rows are found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from sqlite_utils import Database

VERSION = 5


WAITING = "unfinished > running"
"""Of an owner who has a task that no exporter works on. In the index's words, or it is not used."""


class Table(NamedTuple):
    """A table's key, its columns with their types, and its indexes."""

    key: tuple[str, ...]
    columns: dict[str, type]
    indexes: tuple[tuple[str, ...], ...] = ()


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
            "heard_at": str,
            "version": int,
            "file": str,
        },
        (("project_id", "user_id", "task_id"), ("status", "held")),
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
    "quarantine": Table(("stream",), {"stream": str, "position": int, "topic": str, "error": str}),
    "moments": Table(("count",), {"count": int, "position": int, "latest": str}),
    "position": Table(
        ("id",),
        {
            "id": int,
            "schema": int,
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
    line = (
        f"CREATE INDEX IF NOT EXISTS line ON quotas (running, served, unfinished) WHERE {WAITING}"
    )
    database.conn.execute(line)


def _key(table: Table) -> Any:
    return table.key[0] if len(table.key) == 1 else table.key
