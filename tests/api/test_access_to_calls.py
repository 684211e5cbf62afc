"""The way in: who (401), which project and whether one may (403), for every call there is."""

from __future__ import annotations

import json

import pytest

from api.access.tokens import TOKEN_LIVES
from api.routes import CALLS
from domain.downloads import Downloads
from tests.policies import policy, said
from tests.web_service import BODY, NOWHERE, PROJECT, TASKS, refused

SIGNED = [call for call in CALLS if not call.open]
OF_PROJECTS = [call for call in SIGNED if call.permission]
EVERY = pytest.mark.parametrize("call", SIGNED, ids=lambda call: call.name)
EVERY_OF_PROJECTS = pytest.mark.parametrize("call", OF_PROJECTS, ids=lambda call: call.name)


def path_of(call, project_id="p1"):
    return call.path.format(project_id=project_id, export_task_id=NOWHERE, task_id=NOWHERE)


@EVERY
def test_without_a_signature_or_a_token_nobody_is_let_in(service, call):
    answer = service.http.request(call.method, path_of(call))
    refused(answer, 401, "APIGW.0301", "Incorrect IAM authentication information")


@EVERY
def test_a_wrong_signature_is_not_let_in(service, ann, call):
    request = ann.signed(call.method, path_of(call))
    headers = request.header_params | {"X-Sdk-Date": "20261124T120001Z"}
    answer = service.http.request(call.method, path_of(call), headers=headers)
    refused(answer, 401, "APIGW.0301")


@pytest.mark.parametrize("seconds", [-901, 901])
def test_a_skewed_clock_is_not_let_in(service, ann, seconds):
    request = ann.signed("GET", TASKS)
    service.story.clock.pass_by(seconds=seconds)
    answer = service.http.get(TASKS, headers=request.header_params)
    refused(answer, 401, "APIGW.0301", "X-Sdk-Date")


def test_an_authorization_cut_at_any_byte_is_a_plain_refusal(service, ann):
    headers = ann.signed("GET", TASKS).header_params
    whole = headers["Authorization"]
    for length in range(len(whole)):
        answer = service.http.get(TASKS, headers={**headers, "Authorization": whole[:length]})
        refused(answer, 401, "APIGW.0301")
    assert service.http.get(TASKS, headers=headers).status_code == 200


def test_a_body_or_query_that_was_not_signed_is_not_let_in(service, ann):
    request = ann.signed("POST", TASKS, body=json.dumps(BODY).encode())
    changed = json.dumps({**BODY, "app_type": "APP"}).encode()
    answer = service.http.post(TASKS, content=changed, headers=request.header_params)
    refused(answer, 401, "APIGW.0301")
    request = ann.signed("GET", TASKS, {"limit": 1})
    answer = service.http.get(f"{TASKS}?limit=2", headers=request.header_params)
    refused(answer, 401, "APIGW.0301")


@EVERY_OF_PROJECTS
@pytest.mark.parametrize("project_id", ["nowhere", "p2", "%20", "a" * 65, "..%2fp1", "%00"])
def test_a_project_that_is_not_the_users_is_refused(ann, call, project_id):
    answer = ann.ask(call.method, path_of(call).replace("p1", project_id)) if (
        "%" not in project_id
    ) else ann.by_token(call.method, path_of(call, project_id))  # fmt: skip
    refused(answer, 403, "IOTDA.000021")


@EVERY_OF_PROJECTS
def test_whoever_lacks_the_permission_is_refused_before_anything_else(service, call):
    ben = service.client("Ben", admin=False)
    refused(ben.ask(call.method, path_of(call)), 403, "IOTDA.000022", call.permission)


@EVERY_OF_PROJECTS
def test_a_policy_lets_in_to_what_it_allows_and_to_nothing_else(service, call):
    others = sorted({each.permission for each in OF_PROJECTS} - {call.permission})
    ben = service.client("Ben", admin=False, policy=policy(said("Allow", call.permission)))
    cat = service.client("Cat", admin=False, policy=policy(said("Allow", *others)))
    eve = service.client("Eve", admin=False, policy=policy(said("Deny", call.permission)))
    assert ben.ask(call.method, path_of(call)).status_code not in (401, 403)
    for client in (cat, eve):
        answer = client.ask(call.method, path_of(call))
        refused(answer, 403, "IOTDA.000022", call.permission)


@EVERY_OF_PROJECTS
def test_a_policy_that_is_taken_back_lets_in_to_nothing_from_the_next_request_on(service, call):
    all_of_it = policy(said("Allow", "*:*:*"))
    ben = service.client("Ben", admin=False, policy=all_of_it)
    assert ben.ask(call.method, path_of(call)).status_code not in (401, 403)
    nothing = policy(said("Deny", "*:*:*"))
    service.household.people.grant("Ben", "p1", False, nothing, service.story.caller())
    refused(ben.ask(call.method, path_of(call)), 403, "IOTDA.000022")
    service.household.people.withdraw("Ben", "p1", service.story.caller())
    refused(ben.ask(call.method, path_of(call)), 403, "IOTDA.000021")


@EVERY_OF_PROJECTS
def test_a_token_is_good_in_its_own_project_alone(service, ann, call):
    service.household.people.grant("Ann", "p2", True, None, service.story.caller())
    answer = ann.by_token(call.method, path_of(call), project_id="p2")
    refused(answer, 403, "IOTDA.000021")
    assert ann.by_token(call.method, path_of(call, "p2"), "p2").status_code != 403


def test_a_token_expires(service, ann):
    answer = ann.by_token("GET", TASKS)
    assert answer.status_code == 200
    service.story.clock.now += TOKEN_LIVES
    token = answer.request.headers["x-auth-token"]
    refused(service.http.get(TASKS, headers={"X-Auth-Token": token}), 401, "APIGW.0307", "expired")


def test_a_user_who_was_removed_is_nobody(service, ann):
    ann.create()
    request = ann.signed("GET", TASKS)
    service.household.people.remove_user("Ann", service.story.caller())
    refused(service.http.get(TASKS, headers=request.header_params), 401, "APIGW.0301")


def test_what_is_sent_about_projects_and_requests_is_ignored(ann):
    headers = {"X-Project-Id": "p2", "X-Request-Id": "mine"}
    answer = ann.ask("GET", TASKS, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["x-request-id"] != "mine"


def test_permission_is_judged_before_the_task_is_looked_for(service, ann):
    task_id = ann.finished()
    ben = service.client("Ben", admin=False)
    refused(ben.download(task_id), 403, "IOTDA.000022")
    assert Downloads.Granted.TOPIC not in service.story.told()


def test_a_quota_is_ones_own(service, ann):
    ben = service.client("Ben")
    ann.create()
    assert ben.get(f"{PROJECT}/export-quota").json()["kept"] == 0
