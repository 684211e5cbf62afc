"""Vault tables: what stands beside the event log, written as each kind of store takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from projections.log import Cursor

COLUMNS = {
    "people": ("user_id", "name_digest", "person_key", "name"),
    "secrets": ("access_key", "user_id", "secret"),
    "passwords": ("user_id", "hash"),
}
"""The vault's tables, in the order in which they are filled."""

VAULT = (
    "CREATE TABLE IF NOT EXISTS people (user_id TEXT PRIMARY KEY, name_digest BLOB NOT NULL UNIQUE,"
    " person_key BLOB NOT NULL, name BLOB NOT NULL) STRICT",
    "CREATE TABLE IF NOT EXISTS secrets (access_key TEXT PRIMARY KEY, user_id TEXT NOT NULL,"
    " secret BLOB NOT NULL) STRICT",
    "CREATE INDEX IF NOT EXISTS secrets_of ON secrets (user_id)",
    "CREATE TABLE IF NOT EXISTS passwords (user_id TEXT PRIMARY KEY, hash BLOB NOT NULL) STRICT",
)

TRIES = (
    "CREATE TABLE IF NOT EXISTS tries (subject BLOB PRIMARY KEY, number INTEGER NOT NULL,"
    " last REAL NOT NULL) STRICT",
    "CREATE INDEX IF NOT EXISTS tries_last ON tries (last)",
)

_POSTGRES = {" BLOB": " BYTEA", " REAL": " DOUBLE PRECISION", ") STRICT": ")"}
"""SQLite's words, and PostgreSQL's for the same."""

_TURN = 0x6578707461736B73
"""The number of the lock that a writer of these tables holds: PostgreSQL's go by numbers."""


def create(cursor: Cursor, kind: str, statements: Iterable[str] = (*VAULT, *TRIES)) -> None:
    """Makes tables where they are missing, in a transaction that is alone."""
    for statement in statements:
        cursor.execute(statement if kind == "sqlite" else _of_postgres(statement))


def be_alone(cursor: Cursor, kind: str) -> None:
    """Waits for every other writer of these tables; SQLite has only one at a time anyway."""
    if kind == "postgresql":
        cursor.execute("SELECT pg_advisory_xact_lock(?)", (_TURN,))


def _of_postgres(statement: str) -> str:
    for word, theirs in _POSTGRES.items():
        statement = statement.replace(word, theirs)
    return statement
