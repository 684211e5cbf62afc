"""Mirror: batch tasks made in an embedded file, told on to a database that all nodes read."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from pathlib import Path

TABLES = """
CREATE TABLE IF NOT EXISTS batch_tasks (
    task_id text PRIMARY KEY, project_id text NOT NULL, app_id text, task_name text NOT NULL,
    task_type text NOT NULL, status text NOT NULL, create_time text NOT NULL
);
CREATE TABLE IF NOT EXISTS batch_task_details (
    seq bigint PRIMARY KEY, task_id text NOT NULL, target text NOT NULL, status text NOT NULL,
    output text, error_code text, error_msg text
);
CREATE INDEX IF NOT EXISTS in_order ON batch_task_details (task_id, seq)
"""
TASKS = "task_id, project_id, app_id, task_name, task_type, status, create_time"
DETAILS = "seq, task_id, target, status, output, error_code, error_msg"
PUT = (
    f"INSERT INTO batch_tasks ({TASKS}) VALUES (%s, %s, %s, %s, %s, %s, %s)"
    " ON CONFLICT (task_id) DO UPDATE SET status = EXCLUDED.status"
)


def mirror(file: Path, url: str) -> None:
    """Tells on what is new in the file: whole, or nothing where the database is away.

    Raises:
        psycopg.OperationalError: it is.
    """
    with (
        closing(sqlite3.connect(file)) as made,
        closing(psycopg.connect(url, connect_timeout=3)) as shared,
        shared.transaction(),
        shared.cursor() as cursor,
    ):
        cursor.execute(TABLES)
        cursor.execute("SELECT coalesce(max(seq), 0) FROM batch_task_details")
        (last,) = cursor.fetchone() or (0,)
        tasks = made.execute(f"SELECT {TASKS} FROM batch_tasks").fetchall()
        details = f"SELECT {DETAILS} FROM batch_task_details WHERE seq > ? ORDER BY seq"
        with cursor.copy(f"COPY batch_task_details ({DETAILS}) FROM STDIN") as copy:
            for row in made.execute(details, (last,)):
                copy.write_row(row)
        cursor.executemany(PUT, tasks)
