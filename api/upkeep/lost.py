"""Lost: what a log held before it was put back to an earlier state, by name, as far as it is known.

By the log that was replaced, where that can still be read; or by this machine's read tables, which
may have read further than what was put back.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from dataclasses import astuple, dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

from api.audit.stored import event_of, open_events
from api.upkeep.event_copies import NotThePrefix, prefix
from domain.refusals import Refusal
from projections.changes import Changes, nothing
from projections.facts import fact_of
from projections.log import Stored
from projections.position import Position, apply, stream_of
from projections.replay import PAGE, rows_of
from projections.schema import TABLES
from projections.shown import shown
from projections.subjects import SUBJECT
from projections.tables import ReadTables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

    from eventsourcing.persistence import Notification
    from sqlite_utils import Database

    from api.audit.stored import Events
    from projections.changes import Key, Row

    Rows = dict[str, dict[Key, Row]]

KnownBy = Literal["the log that was replaced", "this machine's read tables"]
BY_TABLES: KnownBy = "this machine's read tables"
GONE = "not there"


class NotTheReplaced(Refusal):
    """What was put back is not an earlier state of the log that is said to have been replaced."""


class Kind(NamedTuple):
    """Something that a log has: in which table, under which name, and in which state."""

    table: str
    name: str
    state: Callable[[Row], str]


KINDS = {
    "task": Kind("tasks", "task_id", lambda row: str(row["status"])),
    "project": Kind("projects", "project_id", lambda row: f"apps {row['apps']}"),
    "user": Kind("users", "user_id", lambda _: "there"),
    "right": Kind("members", "user_id", lambda row: "admin" if row["admin"] else row["policy"]),
    "key": Kind("keys", "access_key", lambda _: "there"),
}


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is otherwise than it was before; `not there` before, if it had been removed.

    Whose it is, where that is known: of a task its owner.
    """

    kind: str
    id: str
    project_id: str | None
    user_id: str | None
    before: str
    now: str


@dataclass(frozen=True, slots=True)
class LostEvent:
    """An event that the log does not hold any more, and whom and what it was about."""

    position: int
    time: datetime | None
    event: str
    task_id: str | None
    project_id: str | None
    user_id: str | None


@dataclass(frozen=True, slots=True)
class Lost:
    """How many events are gone, at least; what that changed; the events, where the log tells."""

    events: int = 0
    known_by: KnownBy | None = None
    differences: list[Difference] = field(default_factory=list)
    lost_events: list[LostEvent] = field(default_factory=list)


def by_log(replaced: str, url: str) -> Lost:
    """What the log at the address `replaced` holds beyond the one at `url`.

    Raises:
        NotTheReplaced: it does not begin with the other's events.
        CannotOpen, CannotRead: one of them cannot be read.
    """
    with open_events(replaced) as held, open_events(url) as kept:
        try:
            count = prefix(held, kept)
        except NotThePrefix as error:
            raise NotTheReplaced(f"{shown(replaced)} is not the log before: {error}") from error
        events, changes = _events(held), Changes(nothing)
        for page in _pages(islice(events, count)):
            apply(page, changes)
        now = _of_changes(changes)
        lost = [_told(event, changes) for event in events]
    named = _differences(_of_changes(changes), now)
    return Lost(len(lost), "the log that was replaced", named, lost)


def by_tables(read_dir: Path, url: str) -> Lost:
    """What this machine's read tables show that the log at `url` does not hold; nothing where it
    holds all that they have read, or where they cannot be read.

    Raises:
        CannotOpen, CannotRead: the log cannot be read.
    """
    position, before = _of_tables(read_dir)
    changes, known = Changes(nothing), position.position == 0
    with open_events(url) as events:
        for page in _pages(_events(events)):
            apply(page, changes)
            known = known or any(position.is_at(event) for event in page)
    if known:
        return Lost()
    more = max(0, position.count - Position.read(changes).count)
    named = _differences(before, _of_changes(changes))
    return Lost(more, BY_TABLES, named)


def _events(events: Events) -> Iterator[Notification]:
    for page in events.pages():
        for row in page:
            at, (stream, version, topic, state) = row[0], astuple(event_of(row))
            yield cast("Notification", Stored(at, stream, version, topic, state))


def _pages(events: Iterable[Notification]) -> Iterator[list[Notification]]:
    events = iter(events)
    while page := list(islice(events, PAGE)):
        yield page


def _told(event: Notification, changes: Changes) -> LostEvent:
    """Applies it, too: what later events of a task leave out, its row says, before or after."""
    row = changes.get("tasks", stream_of(event))
    apply([event], changes)
    row = row or changes.get("tasks", stream_of(event)) or {}
    said: dict[str, Any] = {}
    with suppress(Exception):  # one that nobody can read is lost all the same
        said = vars(fact_of(event))
    about = [said.get(name) or row.get(name) for name in SUBJECT]
    return LostEvent(event.id, said.get("timestamp"), event.topic, *about)


def _of_changes(changes: Changes) -> Rows:
    return {kind.table: rows_of(changes, kind.table) for kind in KINDS.values()}


def _of_tables(read_dir: Path) -> tuple[Position, Rows]:
    """Of the beginning, where they are missing or damaged."""
    with suppress(sqlite3.Error, OSError), closing(ReadTables(read_dir)) as tables:
        if tables.current():
            with tables.open() as database:
                rows = {kind.table: _all(database, kind.table) for kind in KINDS.values()}
                return Position.stored(database), rows
    return Position(), {}


def _all(database: Database, table: str) -> dict[Key, Row]:
    rows = map(dict, database.conn.execute(f"SELECT * FROM {table}"))  # noqa: S608 (names are ours)
    return {tuple(row[column] for column in TABLES[table].key): row for row in rows}


def _differences(before: Rows, now: Rows) -> list[Difference]:
    return [
        each
        for kind, (table, *_) in KINDS.items()
        for key in sorted(before[table].keys() | now[table].keys())
        if (each := _difference(kind, before[table].get(key), now[table].get(key)))
    ]


def _difference(kind: str, before: Row | None, now: Row | None) -> Difference | None:
    _, name, state = KINDS[kind]
    was, is_ = (state(row) if row else GONE for row in (before, now))
    row = before or now or {}
    owner = row.get("project_id"), row.get("user_id")
    return Difference(kind, row[name], *owner, was, is_) if was != is_ else None
