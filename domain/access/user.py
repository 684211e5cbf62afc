"""User: somebody, known here by an opaque id, with rights in projects and with keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from domain.fact import Aggregate, stream_id
from domain.refusals import AlreadyThere, NotThere

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from domain.fact import Caller, Fact


def user_stream(user_id: str) -> UUID:
    """The id of a user's stream."""
    return stream_id("user", user_id)


class User(Aggregate):
    """Added once, removed once: its id is never used again."""

    # Events: stored under their topics for ever; a changed class needs an upcaster.

    class Event(Aggregate.Event):
        """Something that happened to the user. Never a name, a password or a secret.

        Fields:
            user_id: the user.
        """

        user_id: str

    class Added(Event):
        """It came into being, without rights."""

        TOPIC: ClassVar[str] = "user.added"

    class Granted(Event):
        """It has other rights in a project.

        Fields:
            project_id: the project.
            admin: may it do everything there?
            policy: otherwise what it may do, as JSON text; null: nothing.
        """

        TOPIC: ClassVar[str] = "user.granted"
        project_id: str
        admin: bool
        policy: str | None

    class Withdrawn(Event):
        """It may do nothing in a project any more.

        Fields:
            project_id: the project.
        """

        TOPIC: ClassVar[str] = "user.withdrawn"
        project_id: str

    class PasswordSet(Event):
        """It has another password; tokens issued before are void."""

        TOPIC: ClassVar[str] = "user.password_set"

    class KeyAdded(Event):
        """It has an access key more.

        Fields:
            access_key: the key, which is no secret.
            temporary: does a security token go with it?
            expires: until when it is good (ISO 8601, UTC); null: until it is revoked.
        """

        TOPIC: ClassVar[str] = "user.key_added"
        access_key: str
        temporary: bool
        expires: str | None

    class KeyRevoked(Event):
        """It has an access key less.

        Fields:
            access_key: the key.
        """

        TOPIC: ClassVar[str] = "user.key_revoked"
        access_key: str

    class OperatorSet(Event):
        """It may do something else to the whole installation.

        Fields:
            role: `view`: it sees everybody's tasks; `operate`: it acts on them too; null: none.
        """

        TOPIC: ClassVar[str] = "user.operator_set"
        role: str | None

    class Removed(Event):
        """It is gone, with its rights and keys."""

        TOPIC: ClassVar[str] = "user.removed"

    # Decisions: they may refuse. All but the first are for a user that exists.

    def add(self, user_id: str, caller: Caller, now: datetime) -> None:
        """Comes into being.

        Raises:
            AlreadyThere: the id is a user's, or was.
        """
        if self.version:
            raise AlreadyThere(f"The user '{user_id}'")
        self.record(self.Added, caller, now, user_id=user_id)

    def grant(
        self, project_id: str, admin: bool, policy: str | None, caller: Caller, now: datetime
    ) -> None:
        """May do this in a project from here on; the same as before changes nothing."""
        if self.rights.get(project_id) != (admin, policy):
            self._note(self.Granted, caller, now, project_id=project_id, admin=admin, policy=policy)

    def withdraw(self, project_id: str, caller: Caller, now: datetime) -> None:
        """May do nothing in a project any more.

        Raises:
            NotThere: it does not belong to it.
        """
        if project_id not in self.rights:
            raise NotThere(f"The user '{self.user_id}' in the project '{project_id}'")
        self._note(self.Withdrawn, caller, now, project_id=project_id)

    def set_password(self, caller: Caller, now: datetime) -> None:
        """Has another password."""
        self._note(self.PasswordSet, caller, now)

    def add_key(
        self, access_key: str, temporary: bool, expires: str | None, caller: Caller, now: datetime
    ) -> None:
        """Gets an access key.

        Raises:
            AlreadyThere: it has this one.
        """
        if access_key in self.keys:
            raise AlreadyThere(f"The access key '{access_key}'")
        self._note(
            self.KeyAdded, caller, now, access_key=access_key, temporary=temporary, expires=expires
        )

    def revoke_key(self, access_key: str, caller: Caller, now: datetime) -> None:
        """Loses an access key.

        Raises:
            NotThere: it has no such key.
        """
        if access_key not in self.keys:
            raise NotThere(f"The access key '{access_key}'")
        self._note(self.KeyRevoked, caller, now, access_key=access_key)

    def set_operator(self, role: str | None, caller: Caller, now: datetime) -> None:
        """Is an operator in this role from here on (None: is none); the same changes nothing."""
        if role != self.operator:
            self._note(self.OperatorSet, caller, now, role=role)

    def remove(self, caller: Caller, now: datetime) -> None:
        """Goes."""
        self._note(self.Removed, caller, now)

    def _note(self, event: type[Fact], caller: Caller, now: datetime, **facts: Any) -> None:
        self.record(event, caller, now, user_id=self.user_id, **facts)

    # Evolutions: they never refuse.

    def __init__(self) -> None:
        self.user_id = ""
        self.exists = False
        self.rights: dict[str, tuple[bool, str | None]] = {}
        self.projects: set[str] = set()
        self.keys: set[str] = set()
        self.operator: str | None = None

    def _added(self, event: Added) -> None:
        self.user_id, self.exists = event.user_id, True

    def _granted(self, event: Granted) -> None:
        self.rights[event.project_id] = (event.admin, event.policy)
        self.projects.add(event.project_id)

    def _withdrawn(self, event: Withdrawn) -> None:
        del self.rights[event.project_id]

    def _password_set(self, event: PasswordSet) -> None:
        """Which password it is stands in the vault alone."""

    def _key_added(self, event: KeyAdded) -> None:
        self.keys.add(event.access_key)

    def _key_revoked(self, event: KeyRevoked) -> None:
        self.keys.discard(event.access_key)

    def _operator_set(self, event: OperatorSet) -> None:
        self.operator = event.role

    def _removed(self, event: Removed) -> None:
        del event
        self.exists = False
        self.rights, self.keys, self.operator = {}, set(), None
