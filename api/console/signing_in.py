"""Signing in by name and password, and out again."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from api.access.login import Login
from api.console.page import page
from api.console.rendering import bare, needs_tls, see
from api.console.sessions import begin_session, cookie_of, end_session, is_private, local
from api.identity import prove_password
from api.list_query import parameters
from api.problems import INVALID, Rejected
from domain.refusals import Invalid

if TYPE_CHECKING:
    from starlette.responses import Response

    from api.requests import Asked

_FIELDS = {"name", "password", "project", "domain", "next"}
ENDED = (
    "Your session has ended: it lasts for twelve hours, or until you sign out or your password "
    "changes."
)
UNSENT = "You were signed out, so nothing was sent. Sign in, and do it again."
NO_COOKIE = (
    "Your browser did not keep the cookie that signs you in. It takes none over plain HTTP, even "
    "from its own machine: use another browser, or TLS."
)

_NOTICES = {"unsent": UNSENT, "ended": ENDED, "kept": NO_COOKIE}
"""What is told above the form, by what the address asks for."""


def form(asked: Asked) -> Response:
    """Where to sign in; or, where others would read along, how to have that safe."""
    if not is_private(asked.request):
        return needs_tls(asked.request)
    query = asked.request.query_params
    if "kept" in query and cookie_of(asked.request) is not None:
        return see(local(query.get("next", "/")))
    if _nobody_is_here(asked):
        return bare("nobody_yet.html")
    notice = next((words for name, words in _NOTICES.items() if name in query), None)
    return bare(
        "sign_in.html",
        next=local(query.get("next", "/")),
        name="",
        project="",
        domain=asked.house.settings.domain,
        notice=notice,
        refused=None,
    )


def sign_in(asked: Asked) -> Response:
    """Checks the password as for a token, with the same limits, and begins a session."""
    if _nobody_is_here(asked):
        return see("/sign-in")
    sent = dict.fromkeys(_FIELDS, "") | parameters(asked.body, _FIELDS)
    asked.request.state.typed = {k: sent[k] for k in ("name", "project", "domain", "next")}
    now, house = asked.house.ledger.journal.clock(), asked.house
    try:
        user, project, _ = prove_password(asked, _login(asked, sent), now)
    except Invalid:
        message = "You belong to several projects: say which, by its name or its id."
        raise Rejected(INVALID, message) from None
    token = house.sessions.issue(user.user_id, project.project_id, user.password_version, now)
    return begin_session(see(after(local(sent["next"]))), token)


def after(path: str) -> str:
    """Where to go once the cookie is sent: to this path, by way of whether it was kept."""
    return f"/sign-in?kept=1&next={quote(path, safe='')}"


def sign_out(_: Asked) -> Response:
    """Ends the session in this browser."""
    return end_session(see("/sign-in"))


def _nobody_is_here(asked: Asked) -> bool:
    """Is there no project, in which alone anybody can be?"""
    return not asked.house.queries.projects()


def _login(asked: Asked, sent: dict[str, str]) -> Login:
    """A project is named by its id or its name; by neither, where the user has only one."""
    named = sent["project"].strip()
    is_id = bool(named) and asked.house.queries.project(named) is not None
    return Login(
        sent["name"].strip(),
        sent["password"],
        sent["domain"] or asked.house.settings.domain,
        named if is_id else None,
        None if is_id else named or None,
    )


PAGES = (
    page("GET", "/sign-in", "SignInForm", form, open=True),
    page("POST", "/sign-in", "SignIn", sign_in, open=True, login=True),
    page("POST", "/sign-out", "SignOut", sign_out, open=True, light=True),
)
