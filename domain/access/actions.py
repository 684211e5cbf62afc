"""Actions: what a policy may let do here (contract, section 4)."""

from __future__ import annotations

from domain.commands import check

ON_EXPORTS, ON_BATCHES = "iotda:exporttasks:", "iotda:batchtasks:"
"""What they begin with."""

ACTIONS = (
    ON_EXPORTS + "create",
    ON_EXPORTS + "queryList",
    ON_EXPORTS + "query",
    ON_EXPORTS + "delete",
    ON_BATCHES + "queryList",
    ON_BATCHES + "query",
)

THERE_ARE = f"one of {', '.join(ACTIONS)}"


def folded(action: str) -> str:
    """As it is compared: the cloud's IAM heeds no case either."""
    return action.lower()


FOLDED = frozenset(map(folded, ACTIONS))


def is_ours(action: str) -> bool:
    """Is it on what is here, if it is an action at all? A cloud's policy speaks of more."""
    return folded(action).startswith((ON_EXPORTS, ON_BATCHES))


def check_action(action: str) -> None:
    """One of ours is one that there is. Raises Invalid."""
    known = not is_ours(action) or folded(action) in FOLDED
    check("action", known, f"must be {THERE_ARE}, or of another service or resource")
