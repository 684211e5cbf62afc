"""A log that is altered behind the service's back, whatever its store."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from projections.log import OpenLog

_POSTGRES = (
    (r"\browid\b", "notification_id"),
    (r"CAST\(state \|\| ' ' AS BLOB\)", r"state || '\\x20'"),
    (r"CAST\(replace\(state, (.*)\) AS BLOB\)", r"convert_to(replace(\1), 'UTF8')"),
    (r"replace\((?=')", "replace(convert_from(state, 'UTF8'), "),
    (r"CAST\(('.*?') AS BLOB\)", r"\1"),
    (r"(?<!['\w])x'", r"'\\x"),
)


def alter(log: OpenLog, *statements: str) -> None:
    """Changes the stored events themselves; `rowid` is their position, as SQLite names it."""
    with log.writing() as cursor:
        for statement in statements:
            cursor.execute(statement if log.kind == "sqlite" else in_postgres(statement))


def spend(log: OpenLog, numbers: int) -> None:
    """Moves the newest event on by so many numbers, as on PostgreSQL conflicts do."""
    newest = "(SELECT max(rowid) FROM stored_events)"
    alter(log, f"UPDATE stored_events SET rowid = rowid + {numbers} WHERE rowid = {newest}")
    if log.kind == "postgresql":
        alter(log, f"SELECT setval('stored_events_notification_id_seq', {newest})")


def in_postgres(statement: str) -> str:
    """What tests say to SQLite, as PostgreSQL has it said."""
    for theirs, ours in _POSTGRES:
        statement = re.sub(theirs, ours, statement)
    return statement
