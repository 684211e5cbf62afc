"""Event -> row changes of projects, apps, users, memberships and keys."""

from __future__ import annotations

from json import dumps, loads
from typing import TYPE_CHECKING, Any

from domain.access.project import Project
from domain.access.user import User
from projections.registry import on, text

if TYPE_CHECKING:
    from projections.changes import Changes, Row


@on(Project.Added)
def project_added(event: Project.Added, changes: Changes) -> None:
    """A project, new or again."""
    row = {
        "project_id": event.project_id,
        "name": event.name,
        "enterprise_project_id": event.enterprise_project_id,
        "upstream_project_id": event.upstream_project_id,
        "apps": "[]",
        "default_app": None,
    }
    changes.put("projects", row)


@on(Project.AppAdded)
def app_added(event: Project.AppAdded, changes: Changes) -> None:
    """An app more, perhaps in the former default's place."""
    project = _row(changes, "projects", event.project_id)
    default = event.app_id if event.default else project["default_app"]
    project = _with(project, "apps", event.app_id)
    changes.put("projects", {**project, "default_app": default})


@on(Project.AppRemoved)
def app_removed(event: Project.AppRemoved, changes: Changes) -> None:
    """An app less, perhaps the default."""
    project = _row(changes, "projects", event.project_id)
    default = None if project["default_app"] == event.app_id else project["default_app"]
    project = _without(project, "apps", event.app_id)
    changes.put("projects", {**project, "default_app": default})


@on(Project.Removed)
def project_removed(event: Project.Removed, changes: Changes) -> None:
    """A project less."""
    changes.delete("projects", event.project_id)


@on(User.Added)
def user_added(event: User.Added, changes: Changes) -> None:
    """A user, without rights so far."""
    row = {
        "user_id": event.user_id,
        "added_at": text(event.timestamp),
        "password_version": 0,
        "operator": None,
        "projects": "[]",
        "keys": "[]",
    }
    changes.put("users", row)


@on(User.Granted)
def user_granted(event: User.Granted, changes: Changes) -> None:
    """What a user may do in a project from here on."""
    user = _row(changes, "users", event.user_id)
    row = {
        "project_id": event.project_id,
        "user_id": event.user_id,
        "admin": int(event.admin),
        "policy": event.policy,
    }
    changes.put("members", row)
    changes.put("users", _with(user, "projects", event.project_id))


@on(User.Withdrawn)
def user_withdrawn(event: User.Withdrawn, changes: Changes) -> None:
    """A user left a project."""
    user = _row(changes, "users", event.user_id)
    changes.delete("members", event.project_id, event.user_id)
    changes.put("users", _without(user, "projects", event.project_id))


@on(User.PasswordSet)
def password_set(event: User.PasswordSet, changes: Changes) -> None:
    """Tokens issued for the earlier password are void."""
    user = _row(changes, "users", event.user_id)
    changes.put("users", {**user, "password_version": event.originator_version})


@on(User.KeyAdded)
def key_added(event: User.KeyAdded, changes: Changes) -> None:
    """An access key more."""
    user = _row(changes, "users", event.user_id)
    row = {
        "access_key": event.access_key,
        "user_id": event.user_id,
        "temporary": int(event.temporary),
        "expires": event.expires,
    }
    changes.put("keys", row)
    changes.put("users", _with(user, "keys", event.access_key))


@on(User.KeyRevoked)
def key_revoked(event: User.KeyRevoked, changes: Changes) -> None:
    """An access key less."""
    user = _row(changes, "users", event.user_id)
    changes.delete("keys", event.access_key)
    changes.put("users", _without(user, "keys", event.access_key))


@on(User.OperatorSet)
def operator_set(event: User.OperatorSet, changes: Changes) -> None:
    """What a user may do to the whole installation."""
    user = _row(changes, "users", event.user_id)
    changes.put("users", {**user, "operator": event.role})


@on(User.Removed)
def user_removed(event: User.Removed, changes: Changes) -> None:
    """A user less, with all keys and memberships."""
    user = _row(changes, "users", event.user_id)
    for project_id in loads(user["projects"]):
        changes.delete("members", project_id, event.user_id)
    for access_key in loads(user["keys"]):
        changes.delete("keys", access_key)
    changes.delete("users", event.user_id)


def _row(changes: Changes, table: str, key: str) -> Row:
    row = changes.get(table, key)
    if row is None:
        raise LookupError(f"an event of one of the {table} that is not there")
    return row


def _with(row: Row, column: str, name: str) -> Row:
    return _replaced(row, column, {*loads(row[column]), name})


def _without(row: Row, column: str, name: str) -> Row:
    return _replaced(row, column, {*loads(row[column])} - {name})


def _replaced(row: Row, column: str, names: set[Any]) -> Row:
    return {**row, column: dumps(sorted(names))}
