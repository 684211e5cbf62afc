"""The first link: once, while nobody is there, whoever of many is first."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from api.access.first_link import FirstLink
from tests.facts import OPERATOR
from tests.household import SECRET_KEY
from tests.visitor import PASSWORD, Visitor, text_of

FIELDS = {"project": "plant-1", "name": "cn-north-4", "app": "default", "user": "ada"}
WHOLE = {**FIELDS, "password": PASSWORD, "again": PASSWORD}


@pytest.fixture
def empty(service):
    """A service where nobody is."""
    for project_id in ("p1", "p2"):
        service.household.register.remove_project(project_id, OPERATOR)
    return service


@pytest.fixture
def key() -> str:
    return FirstLink(SECRET_KEY).draw()


def begin(visitor: Visitor, key: str, **changes: str):
    return visitor.post("/begin", key=key, **{**WHOLE, **changes})


def test_it_makes_project_app_and_user_and_signs_in(empty, visitor, key):
    assert "Nobody is here yet" in text_of(visitor.get(f"/begin?key={key}"))
    answer = begin(visitor, key)
    assert answer.status_code == 201
    queries = empty.house.queries
    assert [(each.project_id, each.name) for each in queries.projects()] == [
        ("plant-1", "cn-north-4")
    ]
    assert [(app.app_id, app.is_default) for app in queries.apps("plant-1")] == [("default", True)]
    (member,) = queries.memberships()
    assert member.admin
    (access_key,) = queries.keys(member.user_id)
    assert access_key.access_key in answer.text
    assert empty.house.people.secret_of(access_key.access_key).secret_key in answer.text
    assert "ada in plant-1" in text_of(visitor.get())


def test_until_somebody_is_there_whoever_would_sign_in_is_told_of_the_link(empty, visitor, key):
    asked = visitor.get("/sign-in?next=%2F")
    assert "Nobody is here yet" in text_of(asked)
    assert "Open the link that export-tasks serve printed" in text_of(asked)
    assert "<form" not in asked.text
    sent = visitor.sign_in("Ann")
    assert (sent.status_code, sent.headers["location"]) == (303, "/sign-in")
    begin(visitor, key)
    assert "<form" in Visitor(empty).get("/sign-in").text


def test_after_one_use_it_is_dead_and_says_so(empty, visitor, key):
    begin(visitor, key)
    for answer in (visitor.get(f"/begin?key={key}"), begin(Visitor(empty), key, project="p3")):
        assert answer.status_code == 410
        assert "This link is dead" in text_of(answer)
    assert len(empty.house.queries.users()) == 1


def test_it_is_dead_once_somebody_came_in_another_way(service, visitor, key):
    assert visitor.get(f"/begin?key={key}").status_code == 410
    assert begin(visitor, key).status_code == 410
    assert service.house.queries.users() == []


@pytest.mark.parametrize("change", ["", "0", "x" * 96, "0" * 96])
def test_what_was_not_drawn_here_opens_nothing(empty, visitor, change):
    assert visitor.get(f"/begin?key={change}").status_code == 410
    assert begin(visitor, change).status_code == 410
    assert empty.house.queries.users() == []


def test_a_key_that_was_altered_opens_nothing(empty, visitor, key):
    altered = ("0" if key[0] != "0" else "1") + key[1:]
    assert visitor.get(f"/begin?key={altered}").status_code == 410


def test_another_installations_link_opens_nothing(empty, visitor):
    assert begin(visitor, FirstLink(SECRET_KEY[::-1]).draw()).status_code == 410


@pytest.mark.parametrize(
    ("change", "wrong", "words"),
    [
        ({"again": "another horse"}, "again", "The second password must be the same as the first."),
        ({"password": "short", "again": "short"}, "password", "The password must be 8 to 128 char"),
        ({"project": "no spaces"}, "project", "The project id must be 1 to 64"),
        ({"user": " "}, "user", "Your user name must be 1 to 64 printable characters"),
        ({"name": " "}, "name", "The project name must be 1 to 64 printable characters"),
        ({"app": ""}, "app", "The app id must be 1 to 36"),
    ],
)
def test_what_cannot_be_is_told_where_it_stands_and_nothing_is_made(
    empty, visitor, key, change, wrong, words
):
    answer = begin(visitor, key, **change)
    assert answer.status_code == 400
    assert words in text_of(answer)
    assert re.findall(r'<input id="(\w+)"[^>]* autofocus>', answer.text) == [wrong]
    assert ('value="cn-north-4"' in answer.text) == (wrong != "name")
    assert PASSWORD not in answer.text
    assert empty.house.queries.projects() == []
    assert begin(visitor, key).status_code == 201


def test_of_many_who_come_at_once_one_becomes_the_first_user(empty, key):
    def come(number: int) -> int:
        fields = {"project": f"plant-{number}", "user": f"user {number}"}
        return begin(Visitor(empty), key, **fields).status_code

    with ThreadPoolExecutor(4) as threads:
        answers = sorted(threads.map(come, range(4)))
    assert answers == [201, 410, 410, 410]
    assert len(empty.house.queries.users()) == 1
