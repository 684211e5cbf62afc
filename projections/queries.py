"""Read-only questions; each first pulls what the log had when it was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from domain.conditions import OwnerId
    from projections.rows import (
        AppRow, FileRow, KeyRow, MemberRow, Page, ProjectRow, QuotaRow, TaskRow, UserRow,
    )


class Queries:
    """Every method may raise `domain.refusals.Unavailable`: never stale in silence."""

    def tasks(self, owner: OwnerId, *, limit: int = 10, marker: str = "f" * 24, offset: int = 0,
              resource_type: str | None = None, resource_condition: str | None = None,
              app_type: str | None = None, app_id: str | None = None,
              status: str | None = None) -> Page:
        """The owner's tasks with ids smaller than `marker`; condition as canonical JSON text."""
        raise NotImplementedError

    def task(self, owner: OwnerId, task_id: str) -> TaskRow | None:
        """One of the owner's kept tasks."""
        raise NotImplementedError

    def any_task(self, task_id: str) -> TaskRow | None:
        """A kept task of whichever owner (operators, sweeper)."""
        raise NotImplementedError

    def all_tasks(self, project_id: str | None = None, user_id: str | None = None) -> list[TaskRow]:
        """Kept tasks of all owners, newest first (operators)."""
        raise NotImplementedError

    def work(self) -> list[TaskRow]:
        """Unfinished tasks in the order in which exporters should take them: owners in turn."""
        raise NotImplementedError

    def queue_position(self, task_id: str) -> int | None:
        """1 for the next to be claimed; None where it is claimed or not unfinished."""
        raise NotImplementedError

    def current_file(self, conditions: str) -> FileRow | None:
        """The file that is current for these conditions (digest)."""
        raise NotImplementedError

    def file(self, key: str) -> FileRow | None:
        """A result file by its key."""
        raise NotImplementedError

    def quota(self, owner: OwnerId) -> QuotaRow:
        """The owner's numbers; zeros for one that never did anything."""
        raise NotImplementedError

    def project(self, project_id: str) -> ProjectRow | None:
        """A project."""
        raise NotImplementedError

    def projects(self) -> list[ProjectRow]:
        """All projects."""
        raise NotImplementedError

    def apps(self, project_id: str | None = None) -> list[AppRow]:
        """The apps of a project, or of all."""
        raise NotImplementedError

    def key(self, access_key: str) -> KeyRow | None:
        """An access key that is not revoked (it may have expired)."""
        raise NotImplementedError

    def keys(self, user_id: str) -> list[KeyRow]:
        """A user's access keys."""
        raise NotImplementedError

    def user(self, user_id: str) -> UserRow | None:
        """A user that is not removed."""
        raise NotImplementedError

    def users(self) -> list[UserRow]:
        """All users."""
        raise NotImplementedError

    def member(self, project_id: str, user_id: str) -> MemberRow | None:
        """What a user may do in a project; None: nothing."""
        raise NotImplementedError

    def memberships(self, user_id: str | None = None, project_id: str | None = None) -> list[MemberRow]:
        """Who belongs where."""
        raise NotImplementedError
