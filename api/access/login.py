"""Login: the body of `POST /v3/auth/tokens` and its answer, as the cloud's identity service's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct

from api.access.tokens import shown
from api.reading import read
from domain.commands import check

if TYPE_CHECKING:
    from api.access.tokens import Token
    from projections.rows import ProjectRow

_SERVICE = "iotda"


def _schema(**words: Any) -> Meta:
    """Told in the schema alone; `read_login` is what judges."""
    return Meta(extra_json_schema=words)


@dataclass(frozen=True, slots=True)
class Login:
    """Who wants a token, and for which project: named by id, by name, or both."""

    name: str
    password: str = field(repr=False)
    domain: str
    project_id: str | None
    project_name: str | None


class LoginDomain(Struct):
    """The domain of the installation: `EXPORT_TASKS_DOMAIN`."""

    name: Annotated[str, Meta(description="default, unless an operator chose another")]


class LoginUser(Struct):
    """Who; names are unique in the domain."""

    name: Annotated[str, Meta(description="the user's name")]
    password: Annotated[str, Meta(description="as export-tasks user password set it")]
    domain: LoginDomain


class LoginPassword(Struct):
    """The one method there is."""

    user: LoginUser


class LoginIdentity(Struct):
    """How it is proven who asks."""

    methods: Annotated[list[str], Meta(description="this one alone"), _schema(const=["password"])]
    password: LoginPassword


class LoginProject(Struct):
    """Which project the token is for: its id, its name, or both."""

    id: Annotated[str | None, Meta(description="its id")] = None
    name: Annotated[str | None, Meta(description="its name, if no other project has it")] = None


_NAMED = [{"required": [key], "properties": {key: {"type": "string"}}} for key in ("id", "name")]


class LoginScope(Struct):
    """What the token is for."""

    project: Annotated[LoginProject, _schema(anyOf=_NAMED)]


class LoginAuth(Struct):
    """Who, and for which project."""

    identity: LoginIdentity
    scope: LoginScope


class LoginBody(Struct):
    """A password for a token; fields that are not known are passed over."""

    auth: LoginAuth


class TokenName(Struct):
    """Something's id and name."""

    id: str
    name: str


class TokenOwned(Struct):
    """A user or a project, and the domain that it belongs to."""

    id: str
    name: str
    domain: TokenName


class TokenEndpoint(Struct):
    """Where the API is: the address at which the token was asked for."""

    id: str
    interface: str
    region: str
    region_id: str
    url: str


class TokenService(Struct):
    """A service, and where it is."""

    id: str
    name: str
    type: str
    endpoints: list[TokenEndpoint]


class TokenTold(Struct):
    """Whose the token is, for which project, and how long it is good; times in UTC."""

    methods: Annotated[list[str], Meta(description="how it was got")]
    issued_at: Annotated[str, Meta(description="since when it is good")]
    expires_at: Annotated[str, Meta(description="until when: 24 hours")]
    user: Annotated[TokenOwned, Meta(description="whose it is")]
    project: Annotated[TokenOwned, Meta(description="where it is good")]
    roles: Annotated[list[TokenName], Meta(description="admin; or policy; or none")]
    catalog: Annotated[list[TokenService], Meta(description="the services: this one")]


class LoginAnswer(Struct):
    """What the token says; the token itself is in the header `X-Subject-Token`."""

    token: TokenTold


def read_login(body: bytes) -> Login:
    """The body of `POST /v3/auth/tokens`; fields it does not know, it passes over.

    Raises:
        Unreadable: it is not JSON.
        Invalid: a field is missing or is not what it must be.
    """
    auth = read(body, LoginBody).auth
    methods, project = auth.identity.methods, auth.scope.project
    check("auth.identity.methods", methods == ["password"], "must be ['password']")
    named = project.id is not None or project.name is not None
    check("auth.scope.project", named, "must have an 'id' or a 'name'")
    user = auth.identity.password.user
    return Login(user.name, user.password, user.domain.name, project.id, project.name)


def describe(
    token: Token,
    user_id: str,
    user_name: str,
    domain: str,
    project: ProjectRow,
    roles: list[str],
    service: str,
) -> LoginAnswer:
    """The answer to a login, as the cloud's identity service shapes it; the token is a header.

    `service` is the address at which the login was asked for, and so where the API is.
    """
    of_domain = TokenName(domain, domain)
    told = TokenTold(
        methods=["password"],
        issued_at=shown(token.issued_at),
        expires_at=shown(token.expires_at),
        user=TokenOwned(user_id, user_name, of_domain),
        project=TokenOwned(project.project_id, project.name, of_domain),
        roles=[TokenName(role, role) for role in roles],
        catalog=[TokenService(_SERVICE, _SERVICE, _SERVICE, [_endpoint(project, service)])],
    )
    return LoginAnswer(told)


def _endpoint(project: ProjectRow, service: str) -> TokenEndpoint:
    return TokenEndpoint(
        id=project.project_id,
        interface="public",
        region=project.name,
        region_id=project.name,
        url=f"{service}/v5/iot/{project.project_id}",
    )
