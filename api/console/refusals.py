"""Refusals as pages: what was refused, why, and what to do."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from anyio import to_thread

from api import problems
from api.access.lockout import Locked
from api.access.signatures import NotAuthentic
from api.console import sessions
from api.console.operator.access import CANNOT_RETRY, NOT_AN_OPERATOR
from api.console.rendering import bare, head, needs_tls, see
from api.problems import INTERNAL, Problem, problem_of
from api.requests import Asked

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from api.requests import Call

_LOGGER = logging.getLogger(__name__)

# Of each problem a title, and what to do about it.
_TOLD: dict[Problem, tuple[str, str]] = {
    problems.INVALID: ("That cannot be", "Go back, change it, and send it again."),
    problems.NO_PROJECT: (
        "Not your project",
        "You do not belong to this project, or not any more. Sign out and sign in to another, or "
        "ask the operator.",
    ),
    problems.NOT_PERMITTED: (
        "You may not do this",
        "Your policy in this project does not allow it. Ask the operator: export-tasks user "
        "policy show tells what it allows.",
    ),
    problems.UNFINISHED_LIMIT: (
        "Too many unfinished exports",
        "Wait until one of them has ended, or delete one that you do not need.",
    ),
    problems.NO_TASK: (
        "There is no such export",
        "It never was, or is not yours. Your exports are on the first page.",
    ),
    problems.NO_FILE: ("There is no file", "Only an export that is ready has one. Look how it is."),
    problems.TOO_SOON: (
        "Too soon for another download",
        "Your last one counts, of whichever export. The file does not go away meanwhile.",
    ),
    problems.NO_API: ("There is no such page", "Look at the address, or begin at the first page."),
    problems.METHOD: ("That does not work here", "Begin at the first page."),
    problems.TOO_LARGE: ("That is too much", "Send less."),
    problems.UNAVAILABLE: (
        "The service cannot answer now",
        "Its storage is away, or it is starting or stopping. Nothing is lost: try again in a "
        "moment. If it lasts, the operator sees why at /readyz.",
    ),
    sessions.NOT_OURS: (
        "This was not sent from here",
        "Open the page anew and use its own buttons. Behind a proxy: it must pass on the Host "
        "header.",
    ),
    NOT_AN_OPERATOR: (
        "This is for operators",
        "Whoever runs the service may make you one: export-tasks user operator NAME view, or "
        "operate.",
    ),
    CANNOT_RETRY: (
        "This cannot be retried now",
        "Look how the task is now. Where its owner has too many unfinished ones, wait for one of "
        "them to end.",
    ),
    INTERNAL: (
        "Something went wrong here",
        "It is in the service's log, under the request id below. Tell the operator.",
    ),
}
_ELSE = ("That was refused", "Begin at the first page.")


async def refusal(request: Request, error: Exception, page: Call | None) -> Response:
    """The page for whatever is raised while a page is made, under the head of who is signed in."""
    return problem_page(request, error, page, await _head(request, error))


def problem_page(
    request: Request, error: Exception, page: Call | None, head: dict[str, Any] | None = None
) -> Response:
    """The same without asking a store for the head; its code is told those who count."""
    problem = problem_of(error)
    if problem is INTERNAL:
        _LOGGER.error("%s: failed", request.state.request_id, exc_info=error)
    made = _page(request, error, problem, page, head or {})
    if made.status_code >= 400:  # else it leads to where one signs in
        request.state.refused = problem.code
    return made


def to_sign_in(request: Request, *, ended: bool = False) -> Response:
    """Leads whoever has to sign in there, and afterwards back: from a form, which is lost, to the
    page that it was on.
    """
    if request.method == "POST":
        return see(f"/sign-in?next={quote(_page_of_form(request.url.path), safe='')}&unsent=1")
    query = f"?{request.url.query}" if request.url.query else ""
    back = quote(request.url.path + query, safe="")
    return see(f"/sign-in?next={back}" + ("&ended=1" if ended else ""))


def _page_of_form(path: str) -> str:
    """Acts are sent to a path below that of what they are done to."""
    return "/exports/new" if path == "/exports" else path.rpartition("/")[0]


async def _head(request: Request, error: Exception) -> dict[str, Any] | None:
    """None where nobody is signed in, or where the stores are not to be asked."""
    if problem_of(error) in (INTERNAL, problems.UNAVAILABLE) or isinstance(error, NotAuthentic):
        return None
    asked = Asked(request.state.house, request, b"")
    try:
        sessions.must_have_begun(asked)  # before any thread is taken up, or store asked
        return await to_thread.run_sync(_head_of, asked, limiter=asked.house.requests)
    except NotAuthentic:
        return None
    except Exception as trouble:  # noqa: BLE001 (a refusal is told all the same)
        _LOGGER.info("%s: a refusal without its head: %s", request.state.request_id, trouble)
        return None


def _head_of(asked: Asked) -> dict[str, Any]:
    with asked.house.queries.follower.once():
        identity = sessions.session_of(asked)
        return head(replace(asked, identity=identity, project_id=identity.project_id or ""))


def _page(
    request: Request, error: Exception, problem: Problem, page: Call | None, head: dict[str, Any]
) -> Response:
    if problem is sessions.NEEDS_TLS:
        return needs_tls(request)
    if page and page.login and problem.status in (400, 401):
        return _sign_in_again(request, error, problem)
    if isinstance(error, NotAuthentic):
        return sessions.end_session(to_sign_in(request, ended=True))
    return _refusal(request, error, problem, head)


def _refusal(
    request: Request, error: Exception, problem: Problem, head: dict[str, Any]
) -> Response:
    told = problems.answer(error)
    title, todo = _TOLD.get(problem, _ELSE)
    return bare(
        "refused.html",
        told.status_code,
        {name: told.headers[name] for name in ("retry-after", "allow") if name in told.headers},
        title=title,
        why=problems.message(error, problem),
        todo=todo,
        code=problem.code,
        wait=told.headers.get("retry-after"),
        again=request.url.path if "retry-after" in told.headers else None,
        request_id=request.state.request_id,
        **head,
    )


def _sign_in_again(request: Request, error: Exception, problem: Problem) -> Response:
    why = error.reason if isinstance(error, NotAuthentic) else problems.message(error, problem)
    headers = {"retry-after": str(error.retry_after)} if isinstance(error, Locked) else {}
    typed = getattr(request.state, "typed", {})
    fresh = {"next": "/", "name": "", "project": "", "domain": ""}
    values = fresh | typed | {"notice": None, "refused": f"{why[:1].upper()}{why[1:].rstrip('.')}."}
    return bare("sign_in.html", problem.status or 401, headers, **values)
