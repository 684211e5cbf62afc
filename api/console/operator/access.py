"""Access: who may see the operators' pages, and who may act there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from api.console.page import page
from api.problems import Problem, Rejected
from domain.access.rules import OPERATE

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response

    from api.requests import Asked, Call

NOT_AN_OPERATOR = Problem(403, "CONSOLE.0003", "a page or act of operators, and the user is none")
CANNOT_RETRY = Problem(409, "CONSOLE.0004", "a retry of a task for which there can be none now")


def operators(
    method: str,
    path: str,
    name: str,
    handle: Callable[[Asked], Response],
    *,
    acts: bool = False,
    **kind: Any,
) -> Call:
    """A page for operators alone; those who only view are not let in where it `acts`."""

    def let_in(asked: Asked) -> Response:
        role = role_of(asked)
        if role is None:
            raise Rejected(NOT_AN_OPERATOR, "These pages are for operators of the service.")
        if acts and role != OPERATE:
            raise Rejected(NOT_AN_OPERATOR, "You may look at this, and change nothing.")
        return handle(in_project(asked))

    return page(method, f"/operator{path}", name, let_in, **kind)


def role_of(asked: Asked) -> str | None:
    """What whoever is signed in may do to the whole installation: `view`, `operate`, or nothing."""
    user = asked.house.queries.user(asked.user_id)
    return user.operator if user else None


def may_act(asked: Asked) -> bool:
    """May whoever is signed in delete and retry?"""
    return role_of(asked) == OPERATE


def is_operator(asked: Asked) -> bool:
    """Has whoever is signed in any pages here?"""
    return role_of(asked) is not None


def in_project(asked: Asked) -> Asked:
    """The request with the project of the session, which the head of every page names."""
    project_id = asked.identity.project_id if asked.identity else None
    return replace(asked, project_id=project_id or "")
