"""Projects, apps, users and keys, as the read side sees them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from projections.rows import AppRow, KeyRow, MemberRow, ProjectRow
from tests.facts import NOON, OPERATOR

ANN = "a" * 32
KEY = "K" * 20


@pytest.fixture
def register(node):
    """A register with a project, an app and a user."""
    node.register.add_project("p1", "cn-north-4", "0", None, OPERATOR)
    node.register.add_app("p1", "a1", True, OPERATOR)
    node.register.add_user(ANN, "p1", True, None, OPERATOR, access_key=KEY)
    return node.register


def test_projects_and_their_apps(node, register):
    register.add_project("p2", "second", "e2", "up", OPERATOR)
    register.add_app("p1", "a2", False, OPERATOR)
    assert node.queries.project("p2") == ProjectRow("p2", "second", "e2", "up")
    assert [project.project_id for project in node.queries.projects()] == ["p1", "p2"]
    assert node.queries.apps("p1") == [AppRow("p1", "a1", True), AppRow("p1", "a2", False)]
    assert node.queries.apps() == node.queries.apps("p1")


def test_a_new_default_app_takes_the_place_of_the_old(node, register):
    register.add_app("p1", "a2", True, OPERATOR)
    assert node.queries.apps("p1") == [AppRow("p1", "a1", False), AppRow("p1", "a2", True)]
    register.remove_app("p1", "a1", OPERATOR)
    assert node.queries.apps("p1") == [AppRow("p1", "a2", True)]
    register.remove_app("p1", "a2", OPERATOR)
    assert node.queries.apps("p1") == []


def test_a_project_removed_and_added_again_has_no_apps(node, register):
    register.withdraw(ANN, "p1", OPERATOR)
    register.remove_project("p1", OPERATOR)
    assert node.queries.project("p1") is None
    register.add_project("p1", "again", "0", None, OPERATOR)
    assert node.queries.apps("p1") == []


def test_what_a_user_may_do(node, register):
    assert node.queries.member("p1", ANN) == MemberRow("p1", ANN, True, None)
    policy = '{"Version": "1.1", "Statement": []}'
    register.grant(ANN, "p1", False, policy, OPERATOR)
    assert node.queries.member("p1", ANN) == MemberRow("p1", ANN, False, policy)
    assert node.queries.memberships(ANN) == node.queries.memberships(project_id="p1")
    register.withdraw(ANN, "p1", OPERATOR)
    assert node.queries.member("p1", ANN) is None


def test_keys_come_and_go(node, register):
    later = datetime(2026, 11, 25, tzinfo=UTC)
    register.add_key(ANN, "T" * 20, True, later, OPERATOR)
    assert node.queries.key("T" * 20) == KeyRow("T" * 20, ANN, True, later)
    assert node.queries.key(KEY) == KeyRow(KEY, ANN, False, None)
    register.revoke_key(ANN, KEY, OPERATOR)
    assert node.queries.key(KEY) is None
    assert [key.access_key for key in node.queries.keys(ANN)] == ["T" * 20]


def test_a_password_has_a_version(node, register):
    first = node.queries.user(ANN)
    register.set_password(ANN, OPERATOR)
    second = node.queries.user(ANN)
    assert (first.added_at, first.password_version) == (NOON, 0)
    assert second.password_version > 0


def test_a_removed_user_leaves_nothing(node, register):
    register.remove_user(ANN, OPERATOR)
    assert node.queries.user(ANN) is None
    assert node.queries.users() == node.queries.keys(ANN) == node.queries.memberships(ANN) == []


def test_an_operator_is_known_by_its_role_until_it_is_none(node, register):
    assert node.queries.user(ANN).operator is None
    for role in ("view", "operate", None):
        register.set_operator(ANN, role, OPERATOR)
        assert node.queries.user(ANN).operator == role


def test_an_operator_who_is_removed_is_nobody(node, register):
    register.set_operator(ANN, "operate", OPERATOR)
    register.remove_user(ANN, OPERATOR)
    assert node.queries.user(ANN) is None
