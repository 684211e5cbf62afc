"""Somebody's own tables of batch tasks, in a database of either kind."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from exporter.sources import SourceFailed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.database import Database

TASK_COLUMNS = ("task_id", "project_id", "app_id", "task_name", "task_type", "status")
DETAIL_COLUMNS = ("task_id", "target", "status", "output", "error_code", "error_msg")
TASK = ("a1", "p", "app", "name", "createCommands", "Success", "20260131T235959Z")


class OwnTables:
    """One finished batch task, a1, without details; `url` is where they are."""

    def __init__(self, url: str, connection: Any, kinds: tuple[str, str] = ("", "")) -> None:
        self.url, self._connection = url, connection
        text, number = kinds
        tasks = ", ".join(f"{name} {text}" for name in (*TASK_COLUMNS, "create_time"))
        details = ", ".join(f"{name} {text}" for name in DETAIL_COLUMNS)
        self.execute(f"CREATE TABLE batch_tasks ({tasks})")
        self.execute(f"CREATE TABLE batch_task_details (seq {number}, {details})")
        self.execute("INSERT INTO batch_tasks VALUES (?, ?, ?, ?, ?, ?, ?)", *TASK)

    def execute(self, sql: str, *values: object) -> list[tuple]:
        """Runs a statement with `?` for values."""
        if isinstance(self._connection, psycopg.Connection):
            sql = sql.replace("?", "%s")
        cursor = self._connection.execute(sql, values)
        return cursor.fetchall() if cursor.description else []

    def put(self, *seqs: object, task_id: str = "a1", status: str = "Success") -> None:
        """Details of these numbers."""
        for seq in seqs:
            row = (seq, task_id, f"d{seq}", status, None, None, None)
            self.execute("INSERT INTO batch_task_details VALUES (?, ?, ?, ?, ?, ?, ?)", *row)

    def lock(self) -> None:
        """Lets nobody read, until `unlock`."""
        if isinstance(self._connection, psycopg.Connection):
            self.execute("BEGIN")
            self.execute("LOCK TABLE batch_task_details IN ACCESS EXCLUSIVE MODE")
        else:
            self.execute("BEGIN EXCLUSIVE")

    def unlock(self) -> None:
        """Lets everybody read."""
        self.execute("ROLLBACK")

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()


def in_sqlite(folder: Path) -> OwnTables:
    """In a file, without any types."""
    path = folder / "a source?.sqlite"
    return OwnTables(f"sqlite:///{path}", sqlite3.connect(path, isolation_level=None))


def in_postgres(database: Database) -> OwnTables:
    """In a schema of its own."""
    url = database.fresh()
    return OwnTables(url, psycopg.connect(url, autocommit=True), ("text", "bigint"))


def failure_of(ask: Callable[[], object]) -> SourceFailed:
    """How a source over them fails that is asked this."""
    with pytest.raises(SourceFailed) as failed:
        ask()
    return failed.value
