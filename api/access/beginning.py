"""Beginning: from an empty store to a project, its app and an admin user with a key."""

from __future__ import annotations

from dataclasses import dataclass, field
from secrets import token_hex
from typing import TYPE_CHECKING

from api.access.passwords import check_new
from domain.access import rules
from domain.access.rules import OPERATE
from domain.commands import check_app_id
from domain.conditions import OwnerId
from domain.refusals import Refusal

if TYPE_CHECKING:
    from api.access.people import People
    from domain.fact import Caller

DEFAULT_APP = "default"


class NotEmpty(Refusal):
    """Something has begun here already."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """What was made; the secret key is told this once."""

    project_id: str
    project_name: str
    app_id: str
    user_name: str
    user_id: str
    access_key: str
    secret_key: str = field(repr=False)

    @property
    def owner(self) -> OwnerId:
        """Whose the first tasks will be."""
        return OwnerId(self.project_id, self.user_id)


def begin(
    people: People,
    caller: Caller,
    project_id: str | None,
    *,
    name: str,
    user: str,
    app: str = DEFAULT_APP,
    password: str | None = None,
    user_id: str | None = None,
) -> Beginning:
    """Makes a project (None: an id is made up), its default app and an admin user.

    With a password, by which people come to the pages, it is their first operator too.

    Raises:
        NotEmpty: there is a project already.
        AlreadyThere: `user_id`, where one is given, was given before.
        Invalid: an id, a name or the password breaks its rule; nothing is made.
    """
    must_be_empty(people)
    rules.check_name(user)
    check_app_id(app)
    if password is not None:
        check_new(password)
    project_id = project_id or token_hex(16)
    people.register.add_project(project_id, name, "0", None, caller)
    people.register.add_app(project_id, app, True, caller)
    made = people.add_user(user, project_id, True, None, password, caller, user_id)
    if password is not None:
        people.register.set_operator(made.user_id, OPERATE, caller)
    return Beginning(project_id, name, app, user, made.user_id, made.access_key, made.secret_key)


def must_be_empty(people: People) -> None:
    """Raises NotEmpty where there is a project, and so perhaps somebody who uses it."""
    if projects := people.queries.projects():
        raise NotEmpty(
            f"The store is not empty: it has the project '{projects[0].project_id}'. "
            "More users: export-tasks user add."
        )
