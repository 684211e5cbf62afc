"""Project: what apps and users belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from domain.fact import Aggregate, stream_id
from domain.refusals import AlreadyThere, NotThere, StillInUse

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from domain.fact import Caller


def project_stream(project_id: str) -> UUID:
    """The id of a project's stream."""
    return stream_id("project", project_id)


class Project(Aggregate):
    """Added, joined by users, removed once none belongs to it, and perhaps added again."""

    # Events: stored under their topics for ever; a changed class needs an upcaster.

    class Event(Aggregate.Event):
        """Something that happened to the project.

        Fields:
            project_id: the project.
        """

        project_id: str

    class Added(Event):
        """It came into being.

        Fields:
            name: its name.
            enterprise_project_id: its enterprise project, which policies can name.
            upstream_project_id: the cloud project that it may export from, if any.
        """

        TOPIC: ClassVar[str] = "project.added"
        name: str
        enterprise_project_id: str
        upstream_project_id: str | None

    class AppAdded(Event):
        """It has an app more.

        Fields:
            app_id: the app.
            default: is it the project's default from here on, in place of a former one?
        """

        TOPIC: ClassVar[str] = "project.app_added"
        app_id: str
        default: bool

    class AppRemoved(Event):
        """It has an app less, perhaps the default.

        Fields:
            app_id: the app.
        """

        TOPIC: ClassVar[str] = "project.app_removed"
        app_id: str

    class Joined(Event):
        """A user belongs to it from here on.

        Fields:
            user_id: the user.
        """

        TOPIC: ClassVar[str] = "project.joined"
        user_id: str

    class Left(Event):
        """A user belongs to it no more.

        Fields:
            user_id: the user.
        """

        TOPIC: ClassVar[str] = "project.left"
        user_id: str

    class Removed(Event):
        """It is gone, with its apps."""

        TOPIC: ClassVar[str] = "project.removed"

    # Decisions: they may refuse. All but the first are for a project that exists.

    def add(
        self,
        project_id: str,
        name: str,
        enterprise_project_id: str,
        upstream_project_id: str | None,
        caller: Caller,
        now: datetime,
    ) -> None:
        """Comes into being, for the first time or again.

        Raises:
            AlreadyThere: it exists.
        """
        if self.exists:
            raise AlreadyThere(f"The project '{project_id}'")
        self.record(
            self.Added,
            caller,
            now,
            project_id=project_id,
            name=name,
            enterprise_project_id=enterprise_project_id,
            upstream_project_id=upstream_project_id,
        )

    def add_app(self, app_id: str, default: bool, caller: Caller, now: datetime) -> None:
        """Takes in an app.

        Raises:
            AlreadyThere: the project has it.
        """
        if app_id in self.apps:
            raise AlreadyThere(f"The app '{app_id}' of the project '{self.project_id}'")
        project_id = self.project_id
        self.record(
            self.AppAdded, caller, now, project_id=project_id, app_id=app_id, default=default
        )

    def remove_app(self, app_id: str, caller: Caller, now: datetime) -> None:
        """Lets an app go.

        Raises:
            NotThere: the project does not have it.
        """
        if app_id not in self.apps:
            raise NotThere(f"The app '{app_id}' of the project '{self.project_id}'")
        self.record(self.AppRemoved, caller, now, project_id=self.project_id, app_id=app_id)

    def join(self, user_id: str, caller: Caller, now: datetime) -> None:
        """Takes in a user that does not belong to it yet."""
        self.record(self.Joined, caller, now, project_id=self.project_id, user_id=user_id)

    def leave(self, user_id: str, caller: Caller, now: datetime) -> None:
        """Lets a user go that belongs to it."""
        self.record(self.Left, caller, now, project_id=self.project_id, user_id=user_id)

    def remove(self, caller: Caller, now: datetime) -> None:
        """Goes.

        Raises:
            StillInUse: users belong to it.
        """
        if self.users:
            raise StillInUse(self.project_id, len(self.users))
        self.record(self.Removed, caller, now, project_id=self.project_id)

    # Evolutions: they never refuse.

    def __init__(self) -> None:
        self.project_id = ""
        self.exists = False
        self.apps: set[str] = set()
        self.users: set[str] = set()

    def _added(self, event: Added) -> None:
        self.project_id, self.exists = event.project_id, True

    def _app_added(self, event: AppAdded) -> None:
        self.apps.add(event.app_id)

    def _app_removed(self, event: AppRemoved) -> None:
        self.apps.discard(event.app_id)

    def _joined(self, event: Joined) -> None:
        self.users.add(event.user_id)

    def _left(self, event: Left) -> None:
        self.users.discard(event.user_id)

    def _removed(self, event: Removed) -> None:
        del event
        self.exists = False
        self.apps.clear()
