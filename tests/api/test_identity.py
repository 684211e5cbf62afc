"""Tokens for passwords, and a user's projects, over HTTP."""

from __future__ import annotations

import json

import pytest

from tests import web_service
from tests.facts import OPERATOR
from tests.policies import policy
from tests.web_service import TASKS, Service, refused

TOKENS = "/v3/auth/tokens"
PASSWORD = "correct horse"


def login(who="Ann", password=PASSWORD, domain="default", **project):
    return web_service.login(who, password, domain, **project)


@pytest.fixture
def people(service):
    return service.client("Ann", password=PASSWORD)


def test_a_password_is_exchanged_for_a_token_that_lets_in(service, people):
    answer = service.http.post(TOKENS, json=login())
    assert answer.status_code == 201
    told = answer.json()["token"]
    assert told["user"]["name"] == "Ann"
    assert told["project"]["id"] == "p1"
    assert told["roles"] == [{"id": "admin", "name": "admin"}]
    token = answer.headers["x-subject-token"]
    assert token not in answer.text
    assert service.http.get(TASKS, headers={"X-Auth-Token": token}).status_code == 200


@pytest.mark.parametrize(
    ("rights", "roles"),
    [
        ({"admin": True}, ["admin"]),
        ({"admin": False, "policy": policy()}, ["policy"]),
        ({"admin": False, "policy": None}, []),
    ],
)
def test_a_token_tells_what_its_user_is_in_the_project(service, rights, roles):
    service.client("Ann", password=PASSWORD, **rights)
    told = service.http.post(TOKENS, json=login()).json()["token"]["roles"]
    assert told == [{"id": role, "name": role} for role in roles]


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("exports.example:8443", "exports.example:8443"),
        ("[::1]:80", "[::1]:80"),
        ("[", "testserver"),
        ("a b", "testserver"),
        ("\xe9", "testserver"),
    ],
)
def test_the_catalog_leads_to_where_the_login_was_asked_for(service, people, host, told):
    answer = service.http.post(TOKENS, json=login(), headers={"Host": host.encode("latin-1")})
    assert answer.status_code == 201
    (iotda,) = answer.json()["token"]["catalog"]
    assert iotda["endpoints"][0]["url"] == f"http://{told}/v5/iot/p1"


@pytest.mark.parametrize("project", [{"name": "p1"}, {"id": "p1", "name": "p1"}])
def test_a_project_may_be_named(service, people, project):
    answer = service.http.post(TOKENS, json=login(**project))
    assert answer.json()["token"]["project"]["id"] == "p1"


@pytest.mark.parametrize(
    "body",
    [
        login(who="Nobody"),
        login(password="wrong horse"),
        login(domain="elsewhere"),
        login(id="p2"),
        login(id="nowhere"),
        login(id="p1", name="p2"),
    ],
)
def test_whatever_is_wrong_in_a_login_gets_no_token(service, people, body):
    answer = service.http.post(TOKENS, json=body)
    refused(answer, 401, "APIGW.0301")
    assert "x-subject-token" not in answer.headers


def test_a_name_of_several_projects_needs_an_id(service, people):
    service.household.register.add_project("p3", "p1", "0", None, OPERATOR)
    service.household.people.grant("Ann", "p3", True, None, OPERATOR)
    answer = service.http.post(TOKENS, json=login(name="p1"))
    refused(answer, 400, "IOTDA.000006", "auth.scope.project.name")
    assert service.http.post(TOKENS, json=login(name="p1", id="p3")).status_code == 201


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "IOTDA.000008"),
        (b"{", "IOTDA.000008"),
        (b"\xff", "IOTDA.000008"),
        (b"[" * 10_000 + b"]" * 10_000, "IOTDA.000008"),
        (b"{}", "IOTDA.000006"),
        (b"[]", "IOTDA.000006"),
        (json.dumps(login()).replace("password", "token").encode(), "IOTDA.000006"),
        (json.dumps(login(password=5)).encode(), "IOTDA.000006"),
        (json.dumps(login(password="\ud800x")).encode(), "IOTDA.000006"),
        (b'{"auth": "\xed\xa0\x80"}', "IOTDA.000008"),
        (json.dumps(login(surname="x")).encode(), "IOTDA.000006"),
    ],
)
def test_a_login_that_is_none_is_told_so(service, people, body, code):
    headers = {"Content-Type": "application/json"}
    refused(service.http.post(TOKENS, content=body, headers=headers), 400, code)


def test_a_login_in_another_media_type_is_told_which_to_send(service):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = service.http.post(TOKENS, content=b"a=b", headers=headers)
    refused(answer, 400, "IOTDA.000008", "application/json")


def test_another_domain_is_another_installation(tmp_path):
    service = Service(tmp_path, domain="plant")
    service.client("Ann", password=PASSWORD)
    assert service.http.post(TOKENS, json=login(domain="plant")).status_code == 201
    refused(service.http.post(TOKENS, json=login()), 401, "APIGW.0301")
    service.close()


def test_a_user_s_projects_are_found_by_name(service, people):
    service.household.people.grant("Ann", "p2", False, None, OPERATOR)
    found = people.get("/v3/projects").json()
    assert [project["id"] for project in found["projects"]] == ["p1", "p2"]
    assert found["projects"][0]["enabled"] is True
    (project,) = people.get("/v3/projects", {"name": "p2"}).json()["projects"]
    assert (project["id"], project["name"], project["domain_id"]) == ("p2", "p2", "default")
    assert people.get("/v3/projects", {"name": "p3"}).json()["projects"] == []


def test_nobody_sees_projects_of_others(service, people):
    assert people.get("/v3/projects", {"name": "p2"}).json()["projects"] == []


def test_a_name_given_twice_is_refused(people):
    refused(people.get("/v3/projects", [("name", "a"), ("name", "b")]), 400, "IOTDA.000006")
