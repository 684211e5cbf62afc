"""Identity: tokens for passwords, and a user's projects, as the cloud's service answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from api.access.login import describe, read_login
from api.access.signatures import NotAuthentic
from api.list_query import parameters
from api.messages import Project, ProjectList
from api.reading import check_media_type
from api.requests import as_json
from domain.commands import check

if TYPE_CHECKING:
    from datetime import datetime

    from starlette.responses import Response

    from api.access.login import Login
    from api.requests import Asked
    from projections.queries import Queries
    from projections.rows import MemberRow, ProjectRow, UserRow


class ProjectQuery(Struct):
    """Which of the user's projects."""

    name: Annotated[str, Meta(description="only projects of this name")] | None = None


def login(asked: Asked) -> Response:
    """`POST /v3/auth/tokens`: the token is in `X-Subject-Token` (contract, section 4)."""
    check_media_type(asked.header("content-type"), asked.header("content-encoding"))
    wanted, house = read_login(asked.body), asked.house
    now = house.ledger.journal.clock()
    user, project, member = prove_password(asked, wanted, now)
    token = house.tokens.issue(user.user_id, project.project_id, user.password_version, now)
    name = house.people.name_of(user.user_id) or wanted.name
    service = str(asked.request.base_url).rstrip("/")
    roles = ["admin"] if member.admin else ["policy"] if member.policy else []
    told = describe(token, user.user_id, name, wanted.domain, project, roles, service)
    return as_json(told, 201, {"x-subject-token": token.text})


def prove_password(
    asked: Asked, wanted: Login, now: datetime
) -> tuple[UserRow, ProjectRow, MemberRow]:
    """Whose name and password these are, and in which project.

    Raises:
        NotAuthentic: they are nobody's, there were too many tries (Locked), or it is another domain
            or not the user's project.
        Invalid: it is not clear which project is meant.
    """
    house = asked.house
    if wanted.domain != house.settings.domain:
        raise NotAuthentic("the domain is unknown")
    house.lockout.begin(wanted.name, asked.address, now)
    user = house.people.check_password(wanted.name, wanted.password)
    house.lockout.succeeded(wanted.name, asked.address)
    return user, *_scope(house.queries, user.user_id, wanted)


def projects(asked: Asked) -> Response:
    """`GET /v3/projects`: the user's, of that name if one is given."""
    sent = parameters(asked.query, {"name"})
    domain = asked.house.settings.domain
    found = [
        Project(project.project_id, project.name, domain_id=domain, parent_id=domain)
        for project, _ in _projects_of(asked.house.queries, asked.user_id)
        if sent.get("name") in (None, project.name)
    ]
    links = {"self": "/v3/projects", "next": None, "previous": None}
    return as_json(ProjectList(found, links))


def _scope(queries: Queries, user_id: str, wanted: Login) -> tuple[ProjectRow, MemberRow]:
    """The one project that the login names.

    Raises:
        NotAuthentic: it is none of the user's.
        Invalid: several have the name.
    """
    found = [
        (project, member)
        for project, member in _projects_of(queries, user_id)
        if wanted.project_id in (None, project.project_id)
        and wanted.project_name in (None, project.name)
    ]
    check("auth.scope.project.name", len(found) < 2, "is the name of several projects: give an id")
    if not found:
        raise NotAuthentic("the user does not belong to the project")
    return found[0]


def _projects_of(queries: Queries, user_id: str) -> list[tuple[ProjectRow, MemberRow]]:
    members = {member.project_id: member for member in queries.memberships(user_id=user_id)}
    return [
        (project, members[project.project_id])
        for project in queries.projects()
        if project.project_id in members
    ]
