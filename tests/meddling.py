"""Meddling: what somebody with the store's own tools does to stored events behind our back."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import psycopg

from projections.stores.sqlite import event_file
from tests.altered import in_postgres


def alter(url: str, *statements: str, values: tuple[Any, ...] = ()) -> None:
    """Runs statements as SQLite has them, on whichever store the URL names."""
    for each in statements:
        run(url, each, values)


def run(url: str, statement: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Runs one, and gives what it finds."""
    if url.startswith("sqlite:"):
        with closing(sqlite3.connect(event_file(url), isolation_level=None)) as database:
            return database.execute(statement, values).fetchall()
    statement = in_postgres(statement).replace("?", "%s")
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        cursor = connection.execute(statement.encode(), values or None)
        return cursor.fetchall() if cursor.description else []
