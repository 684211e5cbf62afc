"""Passwords: what they must be, how they are kept, and whether one is right."""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from domain.commands import check
from domain.refusals import Invalid

PASSWORD_SHORTEST = 8
PASSWORD_LONGEST = 128

# OWASP's recommendation: 19 MiB, two passes, one lane; many logins at once fit a small machine.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


def check_new(password: str) -> None:
    """Raises Invalid where a new password is too short or too long."""
    fits = PASSWORD_SHORTEST <= len(password) <= PASSWORD_LONGEST
    rule = f"must be {PASSWORD_SHORTEST} to {PASSWORD_LONGEST} characters"
    check("password", fits, rule)


def hash_password(password: str) -> str:
    """What is kept of a new password (argon2id).

    Raises:
        Invalid: it is too short, too long, or no Unicode text.
    """
    check_new(password)
    try:
        return _HASHER.hash(password)
    except UnicodeEncodeError:
        raise Invalid("password", "must be valid Unicode") from None


def is_right(password: str, kept: str | None) -> bool:
    """Is it the password of which this is kept? Where nothing is, "no" takes as long."""
    if kept is None:
        _HASHER.hash(password)
        return False
    try:
        return _HASHER.verify(kept, password)
    except VerifyMismatchError:
        return False
