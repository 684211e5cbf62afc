"""Register: the write side of access; one public method per command."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from domain.access import rules
from domain.access.project import Project, project_stream
from domain.access.refused import Refused
from domain.access.user import User, user_stream
from domain.commands import check_app_id
from domain.refusals import AlreadyThere, NotThere

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from domain.access.refused import Summary
    from domain.fact import Aggregate, Caller
    from domain.journal import Journal


class Register:
    """Everything that may happen to projects, apps, users and keys, strict under any concurrency.

    Who joins or leaves changes user and project in one append, so that the version checks keep a
    removed project from being joined. A project is the first to know of a right and the last to
    forget it: so it is at every prefix of the log (the order is part of the stored format).

    Every method may raise `Invalid` for a field and `Unavailable`; the other refusals are named
    where they arise.
    """

    def __init__(self, journal: Journal) -> None:
        self.journal = journal

    # Projects

    def add_project(
        self,
        project_id: str,
        name: str,
        enterprise_project_id: str,
        upstream_project_id: str | None,
        caller: Caller,
    ) -> None:
        """Adds a project, new or again.

        Raises:
            AlreadyThere: it exists.
        """
        rules.check_project_id(project_id)
        rules.check_name(name)
        rules.check_enterprise_project_id(enterprise_project_id)
        if upstream_project_id is not None:
            rules.check_project_id(upstream_project_id, "upstream_project_id")

        def decide(now: datetime) -> tuple[list[Aggregate], None]:
            project = self._history_of_project(project_id)
            project.add(project_id, name, enterprise_project_id, upstream_project_id, caller, now)
            return [project], None

        self.journal.record(decide)

    def remove_project(self, project_id: str, caller: Caller) -> None:
        """Removes a project with its apps.

        Raises:
            NotThere: it does not exist.
            StillInUse: users belong to it.
        """
        self._change_project(project_id, lambda project, now: project.remove(caller, now))

    def add_app(self, project_id: str, app_id: str, default: bool, caller: Caller) -> None:
        """Adds an app to a project, perhaps as its default.

        Raises:
            NotThere: the project does not exist.
            AlreadyThere: it has the app.
        """
        check_app_id(app_id)
        self._change_project(
            project_id, lambda project, now: project.add_app(app_id, default, caller, now)
        )

    def remove_app(self, project_id: str, app_id: str, caller: Caller) -> None:
        """Removes an app from a project.

        Raises:
            NotThere: the project does not exist, or does not have it.
        """
        self._change_project(
            project_id, lambda project, now: project.remove_app(app_id, caller, now)
        )

    # Users

    def add_user(
        self,
        user_id: str,
        project_id: str,
        admin: bool,
        policy: str | None,
        caller: Caller,
        *,
        access_key: str | None = None,
        password: bool = False,
    ) -> None:
        """Adds a user with rights in a project, a first key and a password: all, or nothing.

        Raises:
            AlreadyThere: the id is a user's, or was.
            NotThere: the project does not exist.
        """
        rules.check_user_id(user_id)
        rules.check_policy(policy)
        if access_key is not None:
            rules.check_access_key(access_key)

        def decide(now: datetime) -> tuple[list[Aggregate], None]:
            project, user = self._project(project_id), self._history_of_user(user_id)
            user.add(user_id, caller, now)
            project.join(user_id, caller, now)
            user.grant(project_id, admin, policy, caller, now)
            if access_key is not None:
                user.add_key(access_key, False, None, caller, now)
            if password:
                user.set_password(caller, now)
            return [project, user], None

        self.journal.record(decide)

    def grant(
        self, user_id: str, project_id: str, admin: bool, policy: str | None, caller: Caller
    ) -> None:
        """Says what a user may do in a project, to which it belongs from here on.

        Raises:
            NotThere: the user or the project does not exist.
        """
        rules.check_policy(policy)

        def decide(now: datetime) -> tuple[list[Aggregate], None]:
            project, user = self._project(project_id), self._user(user_id)
            if project_id not in user.rights:
                project.join(user_id, caller, now)
            user.grant(project_id, admin, policy, caller, now)
            return [project, user], None

        self.journal.record(decide)

    def withdraw(self, user_id: str, project_id: str, caller: Caller) -> None:
        """Makes a user belong to a project no more.

        Raises:
            NotThere: the user or the project does not exist, or the one is not in the other.
        """

        def decide(now: datetime) -> tuple[list[Aggregate], None]:
            project, user = self._project(project_id), self._user(user_id)
            user.withdraw(project_id, caller, now)
            project.leave(user_id, caller, now)
            return [user, project], None

        self.journal.record(decide)

    def set_password(self, user_id: str, caller: Caller) -> None:
        """Notes that a user has another password. Raises NotThere: there is no such user."""
        self._change_user(user_id, lambda user, now: user.set_password(caller, now))

    def add_key(
        self,
        user_id: str,
        access_key: str,
        temporary: bool,
        expires: datetime | None,
        caller: Caller,
    ) -> None:
        """Gives a user an access key, a temporary one until `expires`.

        Raises:
            NotThere: there is no such user.
            AlreadyThere: it has this key.
        """
        rules.check_access_key(access_key)
        rules.check_expiry(temporary, expires)
        until = expires.astimezone(UTC).isoformat(timespec="microseconds") if expires else None
        self._change_user(
            user_id, lambda user, now: user.add_key(access_key, temporary, until, caller, now)
        )

    def revoke_key(self, user_id: str, access_key: str, caller: Caller) -> None:
        """Takes an access key from a user. Raises NotThere: no such user, or no such key of it."""
        self._change_user(user_id, lambda user, now: user.revoke_key(access_key, caller, now))

    def set_operator(self, user_id: str, role: str | None, caller: Caller) -> None:
        """Makes a user an operator of the whole installation in this role; None: of nothing.

        Raises:
            NotThere: there is no such user.
        """
        rules.check_role(role)
        self._change_user(user_id, lambda user, now: user.set_operator(role, caller, now))

    def remove_user(self, user_id: str, caller: Caller) -> list[str]:
        """Removes a user, and says which projects it ever belonged to; the same when repeated.

        Raises:
            NotThere: the id never was a user's.
        """

        def decide(now: datetime) -> tuple[list[Aggregate], list[str]]:
            user = self._history_of_user(user_id)
            if not user.version:
                raise NotThere(f"The user '{user_id}'")
            left = [self._history_of_project(each) for each in sorted(user.rights)]
            if user.exists:
                user.remove(caller, now)
            for project in left:
                project.leave(user_id, caller, now)
            return [user, *left], sorted(user.projects)

        return self.journal.record(decide)

    def use_up(self, user_id: str, caller: Caller) -> list[str]:
        """Makes sure that an id which is no user's never becomes one.

        Whoever claimed it and went away, or is about to add it, finds it gone. Says, for an id
        that was a user's, which projects it ever belonged to.

        Raises:
            AlreadyThere: it is a user's.
        """
        rules.check_user_id(user_id)

        def decide(now: datetime) -> tuple[list[Aggregate], list[str]]:
            user = self._history_of_user(user_id)
            if user.exists:
                raise AlreadyThere(f"The user '{user_id}'")
            if not user.version:
                user.add(user_id, caller, now)
                user.remove(caller, now)
            return [user], sorted(user.projects)

        return self.journal.record(decide)

    # Refusals

    def count_refusals(self, summaries: list[Summary], caller: Caller) -> None:
        """Keeps what was counted: all of it, or nothing; what is kept already, not again."""

        def decide(now: datetime) -> tuple[list[Aggregate], None]:
            counts: list[Aggregate] = []
            for summary in summaries:
                count = self.journal.latest(Refused, summary.stream())
                count.count(summary, caller, now)
                counts.append(count)
            return counts, None

        self.journal.record(decide)

    def _change_project(self, project_id: str, change: Callable[[Project, datetime], None]) -> None:
        def decide(now: datetime) -> tuple[list[Aggregate], None]:
            project = self._project(project_id)
            change(project, now)
            return [project], None

        self.journal.record(decide)

    def _change_user(self, user_id: str, change: Callable[[User, datetime], None]) -> None:
        def decide(now: datetime) -> tuple[list[Aggregate], None]:
            user = self._user(user_id)
            change(user, now)
            return [user], None

        self.journal.record(decide)

    def _project(self, project_id: str) -> Project:
        project = self._history_of_project(project_id)
        if not project.exists:
            raise NotThere(f"The project '{project_id}'")
        return project

    def _user(self, user_id: str) -> User:
        user = self._history_of_user(user_id)
        if not user.exists:
            raise NotThere(f"The user '{user_id}'")
        return user

    def _history_of_project(self, project_id: str) -> Project:
        return self.journal.load(Project, project_stream(project_id))

    def _history_of_user(self, user_id: str) -> User:
        return self.journal.load(User, user_stream(user_id))
