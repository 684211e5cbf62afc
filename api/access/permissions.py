"""Permissions: what a member of a project may do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.access.policy import Judgement, Policy
from domain.refusals import Invalid

if TYPE_CHECKING:
    from projections.queries import Queries

NOTHING = Judgement(False, None)


def permission(queries: Queries, project_id: str, user_id: str, action: str) -> Judgement | None:
    """May a user do this (`iotda:exporttasks:create`) in a project (contract, section 4)?

    None where it does not belong to the project. An admin may do everything, the others what their
    policy allows; one that cannot be read allows nothing.
    """
    member = queries.member(project_id, user_id)
    if member is None:
        return None
    if member.admin:
        return Judgement(True, None)
    project = queries.project(project_id)
    if member.policy is None or project is None:
        return NOTHING
    try:
        return Policy.read(member.policy).judge(action, project.enterprise_project_id)
    except Invalid:  # kept since before policies had to be whole
        return NOTHING
