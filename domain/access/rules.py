"""What projects, apps, users and keys may be called, and what may be said of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from domain.access.policy import Policy
from domain.commands import check

if TYPE_CHECKING:
    from datetime import datetime

PROJECT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
ENTERPRISE_PROJECT_ID = re.compile(r"[A-Za-z0-9_-]{1,36}")
USER_ID = re.compile(r"[0-9a-f]{32}")
ACCESS_KEY = re.compile(r"[A-Z0-9]{20}")
NAME_LENGTH = 64
VIEW, OPERATE = "view", "operate"
"""What an operator may do: look at everything; delete and retry tasks too."""

_SPELLED = "letters, digits, underscores or hyphens"


def check_project_id(project_id: str, field: str = "project_id") -> None:
    """Contract, section 1. Raises Invalid."""
    check(field, bool(PROJECT_ID.fullmatch(project_id)), f"must be 1 to 64 {_SPELLED}")


def check_enterprise_project_id(enterprise_project_id: str) -> None:
    """Contract, section 4. Raises Invalid."""
    matches = bool(ENTERPRISE_PROJECT_ID.fullmatch(enterprise_project_id))
    check("enterprise_project_id", matches, f"must be 1 to 36 {_SPELLED}")


def check_user_id(user_id: str) -> None:
    """Opaque: whose it is, only the vault knows. Raises Invalid."""
    check("user_id", bool(USER_ID.fullmatch(user_id)), "must be 32 hexadecimal digits")


def check_access_key(access_key: str) -> None:
    """As the cloud's are. Raises Invalid."""
    matches = bool(ACCESS_KEY.fullmatch(access_key))
    check("access_key", matches, "must be 20 upper-case letters or digits")


def check_name(name: str) -> None:
    """What people call a project or a user. Raises Invalid."""
    fits = 1 <= len(name) <= NAME_LENGTH and name.isprintable() and name == name.strip()
    rule = f"must be 1 to {NAME_LENGTH} printable characters, without spaces around them"
    check("name", fits, rule)


def check_policy(policy: str | None) -> None:
    """Contract, section 4. Raises Invalid."""
    if policy is not None:
        Policy.read(policy).check()


def check_role(role: str | None) -> None:
    """Of operators. Raises Invalid."""
    check("role", role in (VIEW, OPERATE, None), f"must be '{VIEW}' or '{OPERATE}', or none")


def check_expiry(temporary: bool, expires: datetime | None) -> None:
    """Temporary keys, and no others, expire; at a time that needs no guessing. Raises Invalid."""
    check("expires", temporary == (expires is not None), "goes with temporary keys")
    known = expires is None or expires.utcoffset() is not None
    check("expires", known, "must have a time zone")
