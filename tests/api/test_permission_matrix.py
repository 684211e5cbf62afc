"""Who gets what: every call of the API, by everybody who may or may not make it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from api.access.lockout import TRIES_OF_A_KEY, TRIES_OF_A_NAME
from api.access.signatures import SKEW
from api.routes import CALLS
from tests.facts import BATCH, OPERATOR
from tests.policies import policy, said
from tests.web_service import BODY, Client, login

OURS = [call for call in CALLS if call.permission]
OF_A_TASK = ("ShowOneExportTask", "DeleteExportTask", "ShowExportTask", "ListExportTaskEvents")
IN = (None, None)
NOBODY, STRANGER, NOT_PERMITTED = (401, "APIGW.0301"), (403, "IOTDA.000021"), (403, "IOTDA.000022")


def member(service, call, **changes):
    """Somebody in the project, with a right."""
    del call
    return service.client("Ben", **changes)


def allowed(service, call):
    return member(service, call, admin=False, policy=policy(said("Allow", call.permission)))


def allowed_all_but_this(service, call):
    allowed, denied = said("Allow", "iotda:exporttasks:*"), said("Deny", call.permission)
    return member(service, call, admin=False, policy=policy(allowed, denied))


def allowed_something_else(service, call):
    others = {each.permission for each in OURS} - {call.permission}
    return member(service, call, admin=False, policy=policy(said("Allow", *others)))


def allowed_elsewhere(service, call):
    there = said("Allow", call.permission, projects=["elsewhere"])
    return member(service, call, admin=False, policy=policy(there))


def without_a_policy(service, call):
    return member(service, call, admin=False)


def of_another_project(service, call):
    return member(service, call, project_id="p2")


def withdrawn(service, call):
    ben = member(service, call)
    service.household.people.withdraw("Ben", "p1", OPERATOR)
    return ben


def removed(service, call):
    ben = member(service, call)
    service.household.people.remove_user("Ben", OPERATOR)
    return ben


def with_a_revoked_key(service, call):
    ben = member(service, call)
    service.household.people.revoke_key(ben.access_key, OPERATOR)
    return ben


def temporary(service, call, lives):
    member(service, call)
    made = service.household.people.add_key("Ben", timedelta(minutes=1), OPERATOR)
    service.story.clock.pass_by(seconds=lives)
    return Client(service, made)


def with_a_temporary_key(service, call):
    return temporary(service, call, 59)


def with_an_expired_key(service, call):
    return temporary(service, call, 60)


def with_a_wrong_secret(service, call):
    return Client(service, replace(member(service, call).made, secret_key="s" * 40))


class Skewed(Client):
    """Somebody whose clock is off."""

    def signed(self, method, path, query=None, body=b"", headers=None):
        then = self.service.story.clock() - SKEW - timedelta(seconds=1)
        date = {"X-Sdk-Date": then.strftime("%Y%m%dT%H%M%SZ")}
        return super().signed(method, path, query, body, {**(headers or {}), **date})


def with_a_skewed_clock(service, call):
    del call
    return Skewed(service, service.household.add("Ben"))


def guessed_at(service, call):
    """Strangers have tried the name's passwords and the key's secrets until both were locked."""
    ben = member(service, call, password="correct horse")
    guesser = Client(service, replace(ben.made, secret_key="s" * 40))
    for _ in range(max(TRIES_OF_A_KEY, TRIES_OF_A_NAME)):
        assert guesser.get().status_code == 401
        service.http.post("/v3/auth/tokens", json=login("Ben", "wrong horse"))
    locked = service.http.post("/v3/auth/tokens", json=login("Ben", "correct horse"))
    assert locked.headers["retry-after"] == "300"
    return ben


WHO = {
    member: IN,
    guessed_at: IN,
    allowed: IN,
    with_a_temporary_key: IN,
    allowed_all_but_this: NOT_PERMITTED,
    allowed_something_else: NOT_PERMITTED,
    allowed_elsewhere: NOT_PERMITTED,
    without_a_policy: NOT_PERMITTED,
    of_another_project: STRANGER,
    withdrawn: STRANGER,
    removed: NOBODY,
    with_a_revoked_key: NOBODY,
    with_an_expired_key: NOBODY,
    with_a_wrong_secret: NOBODY,
    with_a_skewed_clock: NOBODY,
}
"""Everybody, and the refusal that each gets for every call; IN: none."""


def refusal(answer):
    """The status and the code of a refusal for who asks."""
    refused = answer.status_code in (401, 403)
    return (answer.status_code, answer.json()["error_code"]) if refused else IN


@pytest.mark.parametrize("call", OURS, ids=lambda call: call.name)
@pytest.mark.parametrize("who", WHO, ids=lambda who: who.__name__)
def test_the_matrix(service, ann, call, who):
    task_id = ann.finished()
    path = call.path.format(project_id="p1", export_task_id=task_id, task_id=BATCH)
    ben = who(service, call)
    head = service.story.head()
    answer = ben.ask(call.method, path, body=BODY if call.body else b"")
    assert refusal(answer) == WHO[who]
    if call.name in OF_A_TASK and WHO[who] is IN:  # it is Ann's
        assert (answer.status_code, answer.json()["error_code"]) == (404, "IOTDA.014702")
    if WHO[who] is not IN:
        assert service.story.head() == head, "a refused call leaves no event"
    assert ann.download(task_id).status_code == 200
