"""Permissions: what a member of a project may do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from projections.rows import MemberRow


def allowed(member: MemberRow | None, action: str) -> bool:
    """May a member of a project do this (`iotda:exporttasks:create`; contract, sections 1 and 4)?

    An admin may do everything, anybody else nothing: a member's policy is kept, and says nothing
    yet.
    """
    del action
    return member is not None and member.admin
