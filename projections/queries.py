"""Read-only questions; each first pulls what the log had when it was asked."""

from __future__ import annotations

from json import loads
from typing import TYPE_CHECKING, Any

from domain.commands import NEWEST
from domain.task import task_stream
from projections.rows import (
    Activity,
    AppRow,
    FileRow,
    KeyRow,
    ListedTask,
    MemberRow,
    Page,
    ProjectRow,
    QuotaRow,
    R,
    TaskRow,
    UserRow,
    all_of,
    columns_of,
)
from projections.schema import UNFINISHED, WAITING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from sqlite_utils import Database

    from domain.conditions import OwnerId
    from projections.follower import Follower

LINE_PAGE = 100
"""Waiting tasks that are read at a time."""

# Owners in turn: whose exports the fewest exporters work on, then who was served least lately.
# (CROSS: SQLite goes through the owners first, in the order of the index, as far as is asked.)
LINE = """
    SELECT {columns} FROM quotas CROSS JOIN tasks USING (project_id, user_id)
    WHERE {waiting} AND status = 'Processing' AND NOT held
    ORDER BY running, served, task_id LIMIT ? OFFSET ?
"""
_OWNERS_BEFORE = """
    SELECT coalesce(sum(unfinished - running), 0) FROM quotas
    WHERE {waiting} AND (running, served) < (?, ?)
"""
_OWN_BEFORE = """
    SELECT count(*) FROM tasks WHERE project_id = ? AND user_id = ? AND task_id < ?
    AND status = 'Processing' AND NOT held
"""
_HELD = f"SELECT {columns_of(TaskRow)} FROM tasks WHERE {UNFINISHED} AND held = 1"  # noqa: S608


class Queries:
    """Every method may raise `domain.refusals.Unavailable`: never stale in silence."""

    def __init__(self, follower: Follower) -> None:
        self.follower = follower

    # Tasks

    def tasks(
        self,
        owner: OwnerId,
        *,
        limit: int = 10,
        marker: str = NEWEST,
        offset: int = 0,
        **filters: str | None,
    ) -> Page:
        """The owner's tasks with ids smaller than `marker`, and how many match in all.

        `filters` are columns and their values; None matches everything. `resource_condition` is
        canonical JSON text.
        """
        wanted = {**owner._asdict(), **{k: v for k, v in filters.items() if v is not None}}
        where = " AND ".join(f"{column} = :{column}" for column in wanted)
        page = {**wanted, "_marker": marker, "_limit": limit, "_offset": offset}
        # One snapshot: the first statement is read to its end after the second has run.
        with self.follower.caught_up() as database:
            total = ask(database, f"SELECT count(*) FROM tasks WHERE {where}", wanted)  # noqa: S608
            found = ask(
                database,
                f"SELECT {columns_of(ListedTask)} FROM tasks WHERE {where}"  # noqa: S608
                " AND task_id < :_marker ORDER BY task_id DESC LIMIT :_limit OFFSET :_offset",
                page,
            )
            return Page(all_of(ListedTask, found), total.fetchone()[0])

    def task(self, owner: OwnerId, task_id: str) -> TaskRow | None:
        """One of the owner's kept tasks."""
        task = self.any_task(task_id)
        return task if task and task.owner == owner else None

    def any_task(self, task_id: str) -> TaskRow | None:
        """A kept task of whichever owner."""
        return self._one(TaskRow, "tasks", stream=task_stream(task_id).hex)

    def all_tasks(self, project_id: str | None = None, user_id: str | None = None) -> list[TaskRow]:
        """Kept tasks of all owners, newest first."""
        rows = self._all(TaskRow, "tasks", project_id=project_id, user_id=user_id)
        return sorted(rows, key=lambda row: row.task_id, reverse=True)

    def work(self) -> Iterator[TaskRow]:
        """Unfinished tasks: those that exporters work on, then the others in the order of turns.

        Read as they are asked for, so that the first cost little, however long the line.
        """
        with self.follower.caught_up() as database:
            # In one look, or a task that is claimed between two of them would be in neither.
            held, page = all_of(TaskRow, ask(database, _HELD)), _line(database, 0)
        yield from held
        offset = 0
        while page:
            yield from page
            offset += LINE_PAGE
            page = self._page(offset) if len(page) == LINE_PAGE else []

    def _page(self, offset: int) -> list[TaskRow]:
        with self.follower.caught_up() as database:
            return _line(database, offset)

    def waiting(self) -> int:
        """How many unfinished tasks no exporter works on."""
        return self.activity().waiting

    def activity(self) -> Activity:
        """How many kept tasks there are, by what they are at."""
        return self._one(Activity, "activity") or Activity()

    def running(self) -> int:
        """How many unfinished tasks exporters work on, on whatever machine."""
        return self.activity().running

    def queue_position(self, task: TaskRow) -> int | None:
        """1 for the next to be claimed; None where it is claimed, or not unfinished."""
        if task.held or task.status != "Processing":
            return None
        quota = self.quota(task.owner)
        before = self._number(_OWNERS_BEFORE, quota.running, quota.served)
        return 1 + before + self._number(_OWN_BEFORE, *task.owner, task.task_id)

    def current_file(self, conditions: str) -> FileRow | None:
        """The file that is current for these conditions (their digest; contract, section 2.4)."""
        with self.follower.caught_up() as database:
            found = ask(
                database,
                f"SELECT {columns_of(FileRow, 'files')} FROM results JOIN files"  # noqa: S608
                " ON files.key = results.current WHERE results.conditions = ?",
                [conditions],
            )
            return next(iter(all_of(FileRow, found)), None)

    def file(self, key: str) -> FileRow | None:
        """The file of a kept task, or one that is current, by its key in the result store."""
        return self._one(FileRow, "files", key=key)

    def quota(self, owner: OwnerId) -> QuotaRow:
        """The owner's numbers; zeros for one who never did anything."""
        return self._one(QuotaRow, "quotas", **owner._asdict()) or QuotaRow(
            *owner, 0, 0, 0, 0, None
        )

    # Projects and people

    def project(self, project_id: str) -> ProjectRow | None:
        """A project."""
        return self._one(ProjectRow, "projects", project_id=project_id)

    def projects(self) -> list[ProjectRow]:
        """All projects, by id."""
        return self._all(ProjectRow, "projects")

    def apps(self, project_id: str | None = None) -> list[AppRow]:
        """The apps of a project, or of all."""
        with self.follower.caught_up() as database:
            found = database.execute("SELECT * FROM projects ORDER BY project_id").fetchall()
        return [
            AppRow(row["project_id"], app_id, app_id == row["default_app"])
            for row in found
            if project_id in (None, row["project_id"])
            for app_id in loads(row["apps"])
        ]

    def key(self, access_key: str) -> KeyRow | None:
        """An access key that is not revoked; it may have expired."""
        return self._known(KeyRow, "keys", access_key=access_key)

    def keys(self, user_id: str) -> list[KeyRow]:
        """A user's access keys."""
        return self._all(KeyRow, "keys", user_id=user_id)

    def user(self, user_id: str) -> UserRow | None:
        """A user that is not removed."""
        return self._one(UserRow, "users", user_id=user_id)

    def users(self) -> list[UserRow]:
        """All users."""
        return self._all(UserRow, "users")

    def member(self, project_id: str, user_id: str) -> MemberRow | None:
        """What a user may do in a project; None: nothing."""
        return self._known(MemberRow, "members", project_id=project_id, user_id=user_id)

    def memberships(
        self, user_id: str | None = None, project_id: str | None = None
    ) -> list[MemberRow]:
        """Who belongs where."""
        return self._all(MemberRow, "members", user_id=user_id, project_id=project_id)

    # The tables themselves

    def quarantined(self) -> list[dict[str, Any]]:
        """Streams with an event that could not be applied: which, at what position, and why."""
        with self.follower.caught_up() as database:
            return [dict(row) for row in database.execute("SELECT * FROM quarantine")]

    def _known(self, kind: type[R], table: str, **key: str) -> R | None:
        """What every request asks for, and seldom changes: not found anew where nothing did."""
        known, at = self.follower.known, (table, *key.values())
        if at not in known:
            known[at] = self._one(kind, table, **key)
        found: R | None = known[at]
        return found

    def _one(self, kind: type[R], table: str, **key: str) -> R | None:
        found = self._all(kind, table, **key)
        return found[0] if found else None

    def _number(self, query: str, *values: str | int) -> int:
        with self.follower.caught_up() as database:
            (number,) = ask(database, query.format(waiting=WAITING), values).fetchone()
            return int(number)

    def _all(self, kind: type[R], table: str, **filters: str | int | None) -> list[R]:
        wanted = {column: value for column, value in filters.items() if value is not None}
        where = " AND ".join(f"{column} = :{column}" for column in wanted) or "true"
        with self.follower.caught_up() as database:
            query = f"SELECT {columns_of(kind)} FROM {table} WHERE {where}"  # noqa: S608
            return all_of(kind, ask(database, query, wanted))


def _line(database: Database, offset: int) -> list[TaskRow]:
    query = LINE.format(waiting=WAITING, columns=columns_of(TaskRow, "tasks"))
    return all_of(TaskRow, ask(database, query, [LINE_PAGE, offset]))


def ask(database: Database, query: str, values: Any = ()) -> sqlite3.Cursor:
    """A query whose rows are plain tuples."""
    cursor = database.conn.cursor()
    cursor.row_factory = None
    return cursor.execute(query, values)
