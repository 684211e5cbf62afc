"""Read-only questions; each first pulls what the log had when it was asked."""

from __future__ import annotations

from json import loads
from typing import TYPE_CHECKING, Any

from domain.task import task_stream
from projections.rows import (
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

if TYPE_CHECKING:
    import sqlite3

    from sqlite_utils import Database

    from domain.conditions import OwnerId
    from projections.follower import Follower

# Owners in turn: whose exports the fewest exporters work on, then who was served least lately.
_LINE = """
    WITH running AS (
        SELECT project_id, user_id, count(*) AS running FROM tasks
        WHERE status = 'Processing' AND held GROUP BY project_id, user_id
    ), line AS (
        SELECT tasks.*, coalesce(running, 0) AS running, served FROM tasks
        JOIN quotas USING (project_id, user_id) LEFT JOIN running USING (project_id, user_id)
        WHERE status = 'Processing'
    )
"""
_WORK = "{line} SELECT {columns} FROM line ORDER BY running, served, task_id"
_BEFORE = """{line}
    SELECT count(*) FROM line, (SELECT running, served, task_id FROM line WHERE task_id = ?) AS this
    WHERE NOT held AND (line.running, line.served, line.task_id)
        <= (this.running, this.served, this.task_id)
"""


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
        marker: str = "f" * 24,
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
            count = _ask(database, f"SELECT count(*) FROM tasks WHERE {where}", wanted)  # noqa: S608
            found = _ask(
                database,
                f"SELECT {columns_of(ListedTask)} FROM tasks WHERE {where}"  # noqa: S608
                " AND task_id < :_marker ORDER BY task_id DESC LIMIT :_limit OFFSET :_offset",
                page,
            )
            return Page(all_of(ListedTask, found), count.fetchone()[0])

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

    def work(self) -> list[TaskRow]:
        """Unfinished tasks in the order in which exporters should look at them."""
        with self.follower.caught_up() as database:
            found = _ask(database, _WORK.format(line=_LINE, columns=columns_of(TaskRow)))
            return all_of(TaskRow, found)

    def queue_position(self, task: TaskRow) -> int | None:
        """1 for the next to be claimed; None where it is claimed, or not unfinished."""
        if task.held or task.status != "Processing":
            return None
        with self.follower.caught_up() as database:
            return (
                int(_ask(database, _BEFORE.format(line=_LINE), [task.task_id]).fetchone()[0])
                or None
            )

    def current_file(self, conditions: str) -> FileRow | None:
        """The file that is current for these conditions (their digest; contract, section 2.4)."""
        with self.follower.caught_up() as database:
            found = _ask(
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
        return self._one(QuotaRow, "quotas", **owner._asdict()) or QuotaRow(*owner, 0, 0, 0, None)

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

    def statuses(self) -> dict[str, int]:
        """How many kept tasks there are of each status."""
        with self.follower.caught_up() as database:
            return dict(
                tuple(row)
                for row in database.execute("SELECT status, count(*) FROM tasks GROUP BY status")
            )

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

    def _all(self, kind: type[R], table: str, **filters: str | None) -> list[R]:
        wanted = {column: value for column, value in filters.items() if value is not None}
        where = " AND ".join(f"{column} = :{column}" for column in wanted) or "true"
        with self.follower.caught_up() as database:
            query = f"SELECT {columns_of(kind)} FROM {table} WHERE {where}"  # noqa: S608
            return all_of(kind, _ask(database, query, wanted))


def _ask(database: Database, query: str, values: Any = ()) -> sqlite3.Cursor:
    """A query whose rows are plain tuples."""
    cursor = database.conn.cursor()
    cursor.row_factory = None
    return cursor.execute(query, values)
