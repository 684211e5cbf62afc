"""Projects and their apps: given these events, when this command, then those events."""

from __future__ import annotations

import pytest

from domain.access.project import Project, project_stream
from domain.access.register import Register
from domain.refusals import AccessRefusal, AlreadyThere, Invalid, NotThere, StillInUse
from tests.facts import NOON, OPERATOR

ANN, BEN = "a" * 32, "b" * 32


def fact(event, version, **fields):
    return event(
        originator_id=project_stream("p1"),
        originator_version=version,
        timestamp=NOON,
        by="system",
        request_id="0" * 32,
        key=None,
        address=None,
        project_id="p1",
        **fields,
    )


def added(version=1, name="Depot", enterprise="0", upstream=None):
    return fact(
        Project.Added,
        version,
        name=name,
        enterprise_project_id=enterprise,
        upstream_project_id=upstream,
    )


@pytest.fixture
def register(story):
    return Register(story.journal)


@pytest.fixture
def depot(register):
    """Given a project."""
    register.add_project("p1", "Depot", "0", None, OPERATOR)


def test_a_project_is_added(story, register):
    register.add_project("p1", "Depot Nord ☃", "ep-1", "cloud_1", OPERATOR)
    assert story.events() == [added(1, "Depot Nord ☃", "ep-1", "cloud_1")]


def test_a_project_is_not_added_twice(story, register, depot):
    with pytest.raises(AlreadyThere, match=r"The project 'p1' exists already\."):
        register.add_project("p1", "Another", "0", None, OPERATOR)
    assert story.events() == [added()]


def test_a_removed_project_goes_with_its_apps_and_may_be_added_again(story, register, depot):
    register.add_app("p1", "a1", True, OPERATOR)
    register.remove_project("p1", OPERATOR)
    register.add_project("p1", "Depot", "0", None, OPERATOR)
    register.add_app("p1", "a1", False, OPERATOR)
    assert story.events() == [
        added(),
        fact(Project.AppAdded, 2, app_id="a1", default=True),
        fact(Project.Removed, 3),
        added(4),
        fact(Project.AppAdded, 5, app_id="a1", default=False),
    ]


def test_a_project_with_users_is_not_removed(story, register, depot):
    register.add_user(ANN, "p1", True, None, OPERATOR)
    before = story.head()
    with pytest.raises(StillInUse, match=r"1 user belongs to the project 'p1'; remove them"):
        register.remove_project("p1", OPERATOR)
    register.add_user(BEN, "p1", True, None, OPERATOR)
    with pytest.raises(StillInUse, match="2 users belong"):
        register.remove_project("p1", OPERATOR)
    assert story.told(before) == ["project.joined", "user.added", "user.granted"]


def test_a_project_without_users_any_more_is_removed(story, register, depot):
    register.add_user(ANN, "p1", True, None, OPERATOR)
    register.withdraw(ANN, "p1", OPERATOR)
    before = story.head()
    register.remove_project("p1", OPERATOR)
    assert story.events(before) == [fact(Project.Removed, 4)]


def test_apps_are_added_and_removed(story, register, depot):
    register.add_app("p1", "a1", True, OPERATOR)
    register.add_app("p1", "a2", True, OPERATOR)
    register.remove_app("p1", "a1", OPERATOR)
    assert story.events()[1:] == [
        fact(Project.AppAdded, 2, app_id="a1", default=True),
        fact(Project.AppAdded, 3, app_id="a2", default=True),
        fact(Project.AppRemoved, 4, app_id="a1"),
    ]


def test_an_app_is_not_added_twice(story, register, depot):
    register.add_app("p1", "a1", False, OPERATOR)
    before = story.head()
    with pytest.raises(AlreadyThere, match="The app 'a1' of the project 'p1' exists already"):
        register.add_app("p1", "a1", True, OPERATOR)
    assert story.head() == before


def test_an_app_that_is_not_there_is_not_removed(story, register, depot):
    with pytest.raises(NotThere, match="The app 'a1' of the project 'p1' does not exist"):
        register.remove_app("p1", "a1", OPERATOR)
    assert story.events() == [added()]


@pytest.mark.parametrize("removed", [False, True], ids=["never added", "removed"])
@pytest.mark.parametrize(
    "command",
    [
        lambda register: register.remove_project("p1", OPERATOR),
        lambda register: register.add_app("p1", "a1", True, OPERATOR),
        lambda register: register.remove_app("p1", "a1", OPERATOR),
        lambda register: register.add_user(ANN, "p1", True, None, OPERATOR),
        lambda register: register.grant(ANN, "p1", True, None, OPERATOR),
        lambda register: register.withdraw(ANN, "p1", OPERATOR),
    ],
)
def test_nothing_happens_to_a_project_that_is_not_there(story, register, removed, command):
    if removed:
        register.add_project("p1", "Depot", "0", None, OPERATOR)
        register.remove_project("p1", OPERATOR)
    before = story.head()
    with pytest.raises(AccessRefusal, match=r"The project 'p1' does not exist\."):
        command(register)
    assert story.head() == before


@pytest.mark.parametrize("project_id", ["p", "Az_-09", "p" * 64])
def test_project_ids_that_are_taken(story, register, project_id):
    register.add_project(project_id, project_id, "0", project_id, OPERATOR)
    assert story.events()[0].project_id == project_id


@pytest.mark.parametrize("project_id", ["", "p" * 65, "a/b", "p ", "p\n", "ä", "p.1"])
@pytest.mark.parametrize("field", ["project_id", "upstream_project_id"])
def test_project_ids_that_are_not_taken(story, register, project_id, field):
    ids = {"project_id": "p1", "upstream_project_id": None, field: project_id}
    with pytest.raises(Invalid, match=f"'{field}' must be 1 to 64") as refused:
        register.add_project(ids["project_id"], "x", "0", ids["upstream_project_id"], OPERATOR)
    assert refused.value.field == field
    assert story.events() == []


@pytest.mark.parametrize("enterprise", ["0", "e" * 36])
def test_enterprise_projects_that_are_taken(story, register, enterprise):
    register.add_project("p1", "Depot", enterprise, None, OPERATOR)
    assert story.events() == [added(enterprise=enterprise)]


@pytest.mark.parametrize("enterprise", ["", "e" * 37, "e/f"])
def test_enterprise_projects_that_are_not_taken(story, register, enterprise):
    with pytest.raises(Invalid, match="'enterprise_project_id' must be 1 to 36"):
        register.add_project("p1", "Depot", enterprise, None, OPERATOR)
    assert story.events() == []


@pytest.mark.parametrize("name", ["n", "n" * 64, "Depot Süd №1 😀"])
def test_names_that_are_taken(story, register, name):
    register.add_project("p1", name, "0", None, OPERATOR)
    assert story.events() == [added(name=name)]


@pytest.mark.parametrize("name", ["", "n" * 65, " n", "n ", "a\tb", "a\x00b", "\ud800", "a\u2028b"])
def test_names_that_are_not_taken(story, register, name):
    with pytest.raises(Invalid, match="'name' must be 1 to 64 printable characters"):
        register.add_project("p1", name, "0", None, OPERATOR)
    assert story.events() == []


@pytest.mark.parametrize("app_id", ["a", "a" * 36])
def test_app_ids_that_are_taken(story, register, depot, app_id):
    register.add_app("p1", app_id, False, OPERATOR)
    assert story.events()[1:] == [fact(Project.AppAdded, 2, app_id=app_id, default=False)]


@pytest.mark.parametrize("app_id", ["", "a" * 37, "a/b"])
def test_app_ids_that_are_not_taken(story, register, depot, app_id):
    with pytest.raises(Invalid, match="'app_id' must be 1 to 36"):
        register.add_app("p1", app_id, False, OPERATOR)
    assert story.events() == [added()]
