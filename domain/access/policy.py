"""Policy: what a user may do in a project, in the cloud's own words (contract, section 4)."""

from __future__ import annotations

import re
from functools import lru_cache
from json import JSONDecodeError, loads
from typing import Any, NamedTuple

from domain.access.actions import FOLDED, THERE_ARE, folded, is_ours
from domain.refusals import Invalid

LENGTH = 6144
"""Characters that a policy may have."""

VERSION = "1.1"
ALLOW, DENY = "Allow", "Deny"
OPERATOR, KEY = "StringEquals", "g:EnterpriseProjectId"

_PART = r"[A-Za-z0-9*-]+"
_ACTION = re.compile(rf"{_PART}:{_PART}:{_PART}")
_READ = 1024


class Judgement(NamedTuple):
    """Is an action allowed, and by which statement of the policy, counted from 0, is it so?

    None: by no statement, since it is a project's admin who asks, or since none speaks of it.
    """

    allowed: bool
    statement: int | None


class Statement(NamedTuple):
    """Allows or denies actions, folded (`*` stands for any text), in some enterprise projects or in
    all.
    """

    allows: bool
    actions: tuple[str, ...]
    enterprise_projects: frozenset[str] | None

    def speaks_of(self, action: str, enterprise_project: str) -> bool:
        """Does it allow or deny this action there?"""
        there = self.enterprise_projects is None or enterprise_project in self.enterprise_projects
        return there and any(_fits(each, action) for each in self.actions)


class Policy(NamedTuple):
    """Statements, all of them together: one that denies wins, and nothing said is denied."""

    statements: tuple[Statement, ...]

    @classmethod
    def read(cls, text: str) -> Policy:
        """A policy from its JSON text.

        Raises:
            Invalid: it breaks a rule; the message names the place (`$.Statement[0].Effect`).
        """
        return _read(text)

    def judge(self, action: str, enterprise_project: str) -> Judgement:
        """May who has this policy do `action` in a project of this enterprise project?"""
        action = folded(action)
        allowed = Judgement(False, None)
        for number, statement in enumerate(self.statements):
            if not statement.speaks_of(action, enterprise_project):
                continue
            if not statement.allows:
                return Judgement(False, number)
            if not allowed.allowed:
                allowed = Judgement(True, number)
        return allowed

    def check(self) -> None:
        """Raises Invalid for an action of ours that there is not: to deny it would deny nothing.

        A policy that was kept before this was a rule is judged all the same.
        """
        for number, statement in enumerate(self.statements):
            for at, pattern in enumerate(statement.actions):
                known = not is_ours(pattern) or any(_fits(pattern, each) for each in FOLDED)
                _must(known, f"$.Statement[{number}].Action[{at}]", f"must be {THERE_ARE}")


@lru_cache(_READ)
def _read(text: str) -> Policy:
    document = _object("$", _parsed(text), "Version", "Statement")
    _must(document["Version"] == VERSION, "$.Version", f"must be '{VERSION}'")
    statements = _list("$.Statement", document["Statement"])
    return Policy(tuple(_statement(place, each) for place, each in statements))


def _statement(place: str, value: Any) -> Statement:
    fields = _object(place, value, "Effect", "Action", optional=("Condition",))
    effect = fields["Effect"]
    _must(effect in (ALLOW, DENY), f"{place}.Effect", f"must be '{ALLOW}' or '{DENY}'")
    actions = _texts(f"{place}.Action", fields["Action"])
    for at, action in actions:
        spelled = "must be 'service:resource:operation', '*' for any text"
        _must(bool(_ACTION.fullmatch(action)), at, spelled)
    condition = fields.get("Condition")
    where = None if condition is None else _enterprise_projects(f"{place}.Condition", condition)
    return Statement(effect == ALLOW, tuple(folded(action) for _, action in actions), where)


def _enterprise_projects(place: str, condition: Any) -> frozenset[str]:
    operator = _object(place, condition, OPERATOR)[OPERATOR]
    place = f"{place}.{OPERATOR}"
    values = _object(place, operator, KEY)[KEY]
    return frozenset(value for _, value in _texts(f"{place}.{KEY}", values))


def _fits(pattern: str, action: str) -> bool:
    """In time that grows with both lengths alone, however many `*` there are."""
    first, *parts = pattern.split("*")
    if not parts:
        return action == first
    place, end = len(first), len(action) - len(parts[-1])
    if place > end or not (action.startswith(first) and action.endswith(parts[-1])):
        return False
    for part in parts[:-1]:
        place = action.find(part, place, end)
        if place < 0:
            return False
        place += len(part)
    return True


def _parsed(text: str) -> Any:
    _must(len(text) <= LENGTH, "$", f"must be at most {LENGTH} characters")
    try:
        text.encode()
        return loads(text, object_pairs_hook=_once)
    except JSONDecodeError as error:
        line = f"line {error.lineno} column {error.colno}"
        raise _wrong("$", f"must be JSON: {error.msg} at {line}") from None
    except (ValueError, RecursionError):
        raise _wrong("$", "must be JSON, in Unicode, of a few levels") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    _must(len(fields) == len(pairs), "$", "must not say anything twice in one object")
    return fields


def _object(place: str, value: Any, *names: str, optional: tuple[str, ...] = ()) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(place, "must be an object")
    for name in names:
        _must(name in value, place, f"must have '{name}'")
    for name in value:
        known = name in names or name in optional
        _must(known, place, f"must have nothing but {', '.join((*names, *optional))}")
    return value


def _list(place: str, value: Any) -> list[tuple[str, Any]]:
    """The elements of a list, each with its place."""
    if not isinstance(value, list):
        raise _wrong(place, "must be a list")
    return [(f"{place}[{number}]", each) for number, each in enumerate(value)]


def _texts(place: str, value: Any) -> list[tuple[str, str]]:
    """A list's texts, at least one."""
    texts = _list(place, value)
    _must(bool(texts), place, "must not be empty")
    for at, text in texts:
        _must(isinstance(text, str), at, "must be text")
    return texts


def _must(holds: bool, place: str, rule: str) -> None:
    if not holds:
        raise _wrong(place, rule)


def _wrong(place: str, rule: str) -> Invalid:
    return Invalid("policy", f"at {place} {rule}")
