"""Begin: from an empty store to a project, its app and an admin user with a key."""

from __future__ import annotations

from dataclasses import dataclass, field
from secrets import token_hex
from typing import TYPE_CHECKING

from domain.access import rules
from domain.conditions import OwnerId
from domain.refusals import Refusal

if TYPE_CHECKING:
    from api.parts import Parts

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


def begin(parts: Parts, project_id: str | None, *, name: str, user: str) -> Beginning:
    """Makes a project (None: an id is made up), its default app and an admin user.

    Raises:
        NotEmpty: there is a project already.
        Invalid: an id or a name breaks its rule; nothing is made.
    """
    if projects := parts.queries.projects():
        raise NotEmpty(
            f"The store is not empty: it has the project '{projects[0].project_id}'. "
            "More users: export-tasks user add."
        )
    rules.check_name(user)
    project_id = project_id or token_hex(16)
    parts.register.add_project(project_id, name, "0", None, parts.operator())
    parts.register.add_app(project_id, DEFAULT_APP, True, parts.operator())
    made = parts.people.add_user(user, project_id, True, None, None, parts.operator())
    return Beginning(
        project_id, name, DEFAULT_APP, user, made.user_id, made.access_key, made.secret_key
    )
