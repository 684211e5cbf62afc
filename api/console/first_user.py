"""First user: what the link leads to that `serve` prints where nobody is there yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.access.beginning import NotEmpty, begin, must_be_empty
from api.access.passwords import PASSWORD_LONGEST, PASSWORD_SHORTEST
from api.console.page import page
from api.console.rendering import bare, needs_tls
from api.console.sessions import begin_session, is_private
from api.list_query import parameters
from domain.access.rules import check_name
from domain.commands import check
from domain.fact import Caller
from domain.refusals import AlreadyThere, Invalid

if TYPE_CHECKING:
    from starlette.responses import Response

    from api.access.beginning import Beginning
    from api.requests import Asked

FIELDS = {"project": "plant-1", "name": "cn-north-4", "app": "default", "user": "admin"}
"""What is asked for, and what stands there at first."""

_CALLED = {
    "project": "The project id",
    "name": "The project name",
    "app": "The app id",
    "user": "Your user name",
    "password": "The password",
    "again": "The second password",
}
_INPUTS = {"project_id": "project", "app_id": "app"}
"""Where a field is typed in, if under another name."""


def form(asked: Asked) -> Response:
    """Asks for the first project and user; or says that the link is dead."""
    if not is_private(asked.request):
        return needs_tls(asked.request)
    key = asked.request.query_params.get("key", "")
    if _user_of(asked, key) is None:
        return _dead()
    return _form(key, FIELDS)


def make(asked: Asked) -> Response:
    """Makes them, and signs in; of all who come with one link, only the first."""
    wanted = {"key", "password", "again", *FIELDS}
    sent = dict.fromkeys(wanted, "") | parameters(asked.body, wanted)
    user_id = _user_of(asked, sent["key"])
    if user_id is None:
        return _dead()
    try:
        check("again", sent["password"] == sent["again"], "must be the same as the first")
        made = _begin(asked, sent, user_id)
    except Invalid as error:
        wrong = _wrong(error, sent["user"])
        kept = {name: sent[name] for name in FIELDS}
        return _form(sent["key"], kept, wrong, f"{_CALLED[wrong]} {error.rule}.")
    except (NotEmpty, AlreadyThere):
        return _dead()
    return _signed_in(asked, made)


def _begin(asked: Asked, sent: dict[str, str], user_id: str) -> Beginning:
    return begin(
        asked.house.people,
        Caller(user_id, asked.request.state.request_id),
        sent["project"],
        name=sent["name"],
        user=sent["user"],
        app=sent["app"],
        password=sent["password"],
        user_id=user_id,
    )


def _signed_in(asked: Asked, made: Beginning) -> Response:
    now, house = asked.house.ledger.journal.clock(), asked.house
    user = house.queries.user(made.user_id)
    version = user.password_version if user else 0
    token = house.sessions.issue(made.user_id, made.project_id, version, now)
    return begin_session(bare("begun.html", 201, made=made), token)


def _user_of(asked: Asked, key: str) -> str | None:
    """The first user's id, while there is nobody; None where the link is dead, or never lived."""
    try:
        must_be_empty(asked.house.people)
    except NotEmpty:
        return None
    return asked.house.first_link.read(key)


def _wrong(error: Invalid, user: str) -> str:
    """The input that breaks a rule; of the two names, that of the user is looked at first."""
    if error.field != "name":
        return _INPUTS.get(error.field, error.field)
    try:
        check_name(user)
    except Invalid:
        return "user"
    return "name"


def _form(
    key: str, values: dict[str, str], wrong: str = "project", refused: str | None = None
) -> Response:
    shortest, longest = PASSWORD_SHORTEST, PASSWORD_LONGEST
    return bare(
        "first_user.html",
        400 if refused else 200,
        key=key,
        values=values,
        wrong=wrong,
        refused=refused,
        shortest=shortest,
        longest=longest,
    )


def _dead() -> Response:
    return bare("dead_link.html", 410)


PAGES = (
    page("GET", "/begin", "FirstUserForm", form, open=True),
    page("POST", "/begin", "FirstUser", make, open=True, login=True),
)
