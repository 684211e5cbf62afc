"""Vault tables: what stands beside the event log, written as each kind of store takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from projections.log import Cursor

COLUMNS = {
    "people": ("user_id", "name_digest", "person_key", "name"),
    "secrets": ("access_key", "user_id", "secret"),
    "passwords": ("user_id", "hash"),
}
"""The vault's tables, in the order in which they are filled."""

_VAULT = (
    "CREATE TABLE IF NOT EXISTS people (user_id TEXT PRIMARY KEY, name_digest BLOB NOT NULL UNIQUE,"
    " person_key BLOB NOT NULL, name BLOB NOT NULL) STRICT",
    "CREATE TABLE IF NOT EXISTS secrets (access_key TEXT PRIMARY KEY, user_id TEXT NOT NULL,"
    " secret BLOB NOT NULL) STRICT",
    "CREATE INDEX IF NOT EXISTS secrets_of ON secrets (user_id)",
    "CREATE TABLE IF NOT EXISTS passwords (user_id TEXT PRIMARY KEY, hash BLOB NOT NULL) STRICT",
)

_TRIES = (
    "CREATE TABLE IF NOT EXISTS tries (subject BLOB PRIMARY KEY, number INTEGER NOT NULL,"
    " last REAL NOT NULL) STRICT",
    "CREATE INDEX IF NOT EXISTS tries_last ON tries (last)",
)

GROUPS = {"people": _VAULT, "tries": _TRIES}
"""What is made together, by the name of its first table."""

_POSTGRES = {" BLOB": " BYTEA", " REAL": " DOUBLE PRECISION", ") STRICT": ")"}
"""SQLite's words, and PostgreSQL's for the same."""


def create(cursor: Cursor, kind: str, *groups: str) -> None:
    """Makes groups of tables (all: `GROUPS`) where they are missing, in a transaction of a log's.

    In a database nothing is said where they are there: who may read and write need not be somebody
    who may make tables.
    """
    for group in groups or GROUPS:
        if kind == "sqlite":
            for statement in GROUPS[group]:
                cursor.execute(statement)
        elif not _is_there(cursor, group):
            for statement in GROUPS[group]:
                cursor.execute(_of_postgres(statement))


def _is_there(cursor: Cursor, table: str) -> bool:
    cursor.execute("SELECT to_regclass(?) IS NOT NULL AS there", (table,))
    return bool(cursor.fetchone()["there"])


def _of_postgres(statement: str) -> str:
    for word, theirs in _POSTGRES.items():
        statement = statement.replace(word, theirs)
    return statement
