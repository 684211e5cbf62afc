"""Permissions: what a member of a project may do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.access.policy import Judgement, Policy
from domain.refusals import Invalid

if TYPE_CHECKING:
    from projections.queries import Queries
    from projections.rows import MemberRow

NOTHING = Judgement(False, None)


def permission(queries: Queries, member: MemberRow, action: str) -> Judgement:
    """May a project's member do this (`iotda:exporttasks:create`; contract, section 4)?

    An admin may do everything, the others what their policy allows; one that cannot be read allows
    nothing.
    """
    if member.admin:
        return Judgement(True, None)
    if member.policy is None:
        return NOTHING
    project = queries.project(member.project_id)
    if project is None:
        return NOTHING
    try:
        return Policy.read(member.policy).judge(action, project.enterprise_project_id)
    except Invalid:  # kept since before policies had to be whole
        return NOTHING
