"""The calls of export tasks: what is answered, and what bad input gets."""

from __future__ import annotations

import gzip
import json
import re

import pytest

from api.list_query import LIMIT_DEFAULT, LIMIT_MOST, OFFSET_MOST
from domain.downloads import Downloads
from domain.owner import Owner
from domain.task import Task
from tests.facts import BATCH
from tests.web_service import BODY, NOWHERE, PROJECT, TASKS, Service, refused

MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


# Create


def test_a_create_is_answered_with_the_whole_task(ann):
    answer = ann.post()
    assert answer.status_code == 201
    task = answer.json()
    assert re.fullmatch("[0-9a-f]{24}", task.pop("export_task_id"))
    assert re.fullmatch(MOMENT, task.pop("create_time"))
    assert list(task.items()) == [
        ("resource_type", "BatchTask"),
        ("resource_condition", {"task_id": BATCH}),
        ("export_format", "xls"),
        ("status", "Processing"),
        ("export_count", 0),
        ("progress", 1),
        ("end_time", None),
        ("app_type", "GLOBAL"),
        ("app_id", None),
        ("total", None),
        ("error_code", None),
        ("error_msg", None),
    ]


def test_the_published_example_is_answered_as_it_says(service, ann):
    service.app("p1", "jeQDJQZltU8iKgFFoW060F5SGZka")
    printed = (
        '{\n"resource_type" : "BatchTask",\n"resource_condition" : {\n'
        '"task_id" : "5f433ce0c24389024365fdfa"\n},\n"export_format" : "xls",\n'
        '"app_type" : "APP",\n"app_id" : "jeQDJQZltU8iKgFFoW060F5SGZka"\n}\n'
    )
    answer = ann.post(printed.encode())
    assert answer.status_code == 201
    task = answer.json()
    sent = json.loads(printed)
    assert {name: task[name] for name in sent} == sent
    assert (task["status"], task["progress"], task["export_count"]) == ("Processing", 1, 0)


def test_a_create_says_in_its_event_who_asked_and_how(service, ann):
    answer = ann.post()
    created = service.story.events()[-1]
    assert isinstance(created, Task.Created)
    assert created.by == ann.user_id
    assert created.key == ann.access_key
    assert created.request_id == answer.headers["x-request-id"]
    vault = service.household.vault
    assert vault.unseal_address(ann.user_id, created.address) == "testclient"


def test_the_prose_s_other_word_is_taken_and_echoed_as_the_one(service, ann):
    answer = ann.post({**BODY, "resource_type": "BatchTasks"})
    assert answer.json()["resource_type"] == "BatchTask"
    assert service.story.events()[-1].resource_type == "BatchTask"


@pytest.mark.parametrize(
    "media_type", [None, "application/json", "Application/JSON ; charset=utf-8"]
)
def test_json_is_taken_with_and_without_saying_so(ann, media_type):
    headers = {"Content-Type": media_type} if media_type else {}
    answer = ann.by_token("POST", TASKS, content=json.dumps(BODY).encode(), headers=headers)
    assert answer.status_code == 201


@pytest.mark.parametrize("media_type", ["text/plain", "application/xml", "application/jsonp", ""])
def test_another_media_type_is_told_which_to_send(ann, media_type):
    headers = {"Content-Type": media_type}
    answer = ann.by_token("POST", TASKS, content=json.dumps(BODY).encode(), headers=headers)
    refused(answer, 400, "IOTDA.000008", "application/json")


@pytest.mark.parametrize("name", ["charset=gbk", "v=1; Charset = 'x'", 'charset="utf-16"'])
def test_another_charset_is_told_which_to_send(ann, name):
    headers = {"Content-Type": f"application/json; {name}"}
    answer = ann.by_token("POST", TASKS, content=json.dumps(BODY).encode(), headers=headers)
    refused(answer, 400, "IOTDA.000008", "charset of the Content-Type", "utf-8")


@pytest.mark.parametrize("pack", [gzip.compress, bytes])
@pytest.mark.parametrize("path", [TASKS, "/v3/auth/tokens"])
def test_a_body_that_is_packed_or_says_so_is_told_how_to_send_it(ann, pack, path):
    content = pack(json.dumps(BODY).encode())
    answer = ann.by_token("POST", path, content=content, headers={"Content-Encoding": "gzip"})
    refused(answer, 400, "IOTDA.000008", "Content-Encoding", "identity")


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Encoding": "Identity"},
        {"Content-Type": 'application/json;charset="UTF-8"'},
        {"Content-Type": "application/json; charset=utf-8; v=1"},
    ],
)
def test_what_is_meant_anyway_may_be_said(ann, headers):
    answer = ann.by_token("POST", TASKS, content=json.dumps(BODY).encode(), headers=headers)
    assert answer.status_code == 201


@pytest.mark.parametrize("name", ["Content-Type", "Content-Encoding", "Instance-Id"])
def test_a_header_given_twice_is_refused(ann, name):
    token = ann.by_token("GET", TASKS).request.headers["x-auth-token"]
    headers = [("X-Auth-Token", token), (name, "application/json"), (name, "application/json")]
    answer = ann.service.http.post(TASKS, content=json.dumps(BODY).encode(), headers=headers)
    refused(answer, 400, "IOTDA.000006", name.lower())


def with_field(name, value):
    return {**BODY, name: value}


WRONG = [
    ({}, "'resource_type' is missing"),
    ({"resource_type": "BatchTask"}, "'resource_condition' is missing"),
    ({"resource_condition": {"task_id": "a"}}, "'resource_type' is missing"),
    (with_field("resource_type", "Device"), "'resource_type'"),
    (with_field("resource_type", "batchtask"), "'resource_type'"),
    (with_field("resource_type", 1), "'resource_type'"),
    (with_field("resource_type", None), "'resource_type'"),
    (with_field("resource_type", "\ud800"), "'resource_type'"),
    (with_field("resource_type", "x" * 40_000), "'resource_type'"),
    (with_field("resource_condition", []), "'resource_condition'"),
    (with_field("resource_condition", "{}"), "'resource_condition'"),
    (with_field("resource_condition", {}), "'resource_condition.task_id' is missing"),
    (with_field("resource_condition", {"task_id": None}), "'resource_condition.task_id'"),
    (with_field("resource_condition", {"task_id": 5}), "'resource_condition.task_id'"),
    (with_field("resource_condition", {"task_id": ""}), "'resource_condition.task_id'"),
    (with_field("resource_condition", {"task_id": "a" * 25}), "'resource_condition.task_id'"),
    (with_field("resource_condition", {"task_id": "A"}), "'resource_condition.task_id'"),
    (with_field("resource_condition", {"task_id": "a\n"}), "'resource_condition.task_id'"),
    (with_field("resource_condition", {"task_id": "\ud800"}), "'resource_condition'"),
    (
        with_field("resource_condition", {"task_id": "a", "x": 1}),
        "'resource_condition.x' is unknown",
    ),
    (with_field("resource_condition", {"_type_": "uuid", "task_id": "a"}), "_type_' is unknown"),
    (with_field("export_format", "xlsx"), "'export_format'"),
    (with_field("export_format", 1), "'export_format'"),
    (with_field("app_type", "app"), "'app_type'"),
    (with_field("app_type", []), "'app_type'"),
    (with_field("app_id", ""), "'app_id'"),
    (with_field("app_id", "a" * 37), "'app_id'"),
    (with_field("app_id", "a b"), "'app_id'"),
    (with_field("app_id", "a\n"), "'app_id'"),
    (with_field("app_id", 7), "'app_id'"),
    (with_field("colour", "red"), "'colour' is unknown"),
    (with_field("\ud800", "red"), "surrogate"),
    (with_field("a` - at `$.b`", 1), "is unknown"),
]


@pytest.mark.parametrize(("body", "words"), WRONG)
def test_a_field_that_breaks_its_rule_is_named(service, ann, body, words):
    start = service.story.head()
    refused(ann.post(body), 400, "IOTDA.000006", words)
    assert service.story.head() == start


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"resource_type": "BatchTask", "resource_type": "BatchTask"}', "'resource_type'"),
        (
            b'{"resource_condition": {"task_id": "a", "task_id": "a"}}',
            "'resource_condition.task_id'",
        ),
        (b"[]", "'body' must be a JSON object"),
        (b"null", "'body' must be a JSON object"),
        (b'"BatchTask"', "'body' must be a JSON object"),
        (b"1", "'body' must be a JSON object"),
    ],
)
def test_json_of_another_shape_is_refused(ann, body, words):
    refused(ann.post(body), 400, "IOTDA.000006", words)


DEEP = b"[" * 10_000 + b"]" * 10_000


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"{}{}",
        b"\xff\xfe{}",
        b"\xef\xbb\xbf{}",
        b'{"resource_type": "\xed\xa0\x80"}',
        b'{"resource_type": NaN}',
        b'{"resource_type": -Infinity}',
        b'{"resource_type": ' + b"9" * 5000 + b"}",
        DEEP,
        b'{"resource_type": ' + DEEP + b"}",
    ],
)
def test_what_is_no_json_is_refused(ann, body):
    refused(ann.post(body), 400, "IOTDA.000008")


def test_no_body_is_no_json(ann):
    refused(ann.post(b""), 400, "IOTDA.000008")


@pytest.mark.parametrize("length", [1, 24])
def test_a_batch_task_id_at_its_limits_is_taken(ann, length):
    ann.create("f" * length)


@pytest.mark.parametrize("name", ["export_format", "app_type", "app_id"])
def test_null_counts_as_not_given(ann, name):
    assert ann.post({**BODY, name: None}).status_code == 201


# Apps


@pytest.mark.parametrize("app_type", ["GLOBAL", "APP"])
@pytest.mark.parametrize("length", [1, 36])
def test_an_app_of_the_project_is_kept_and_echoed(service, ann, app_type, length):
    app_id = "-" * length
    service.app("p1", app_id)
    task_id = ann.create(app_type=app_type, app_id=app_id)
    created = service.story.events()[-1]
    assert (created.app_id, created.app_type) == (app_id, app_type)
    assert created.scope == (app_id if app_type == "APP" else None)
    assert ann.get(f"{TASKS}/{task_id}").json()["app_id"] == app_id


@pytest.mark.parametrize("app_type", ["GLOBAL", "APP"])
def test_an_app_that_is_not_there_or_another_projects_is_refused(service, ann, app_type):
    answer = ann.post({**BODY, "app_type": app_type, "app_id": "a1"})
    refused(answer, 403, "IOTDA.001000")
    service.app("p2", "a1")
    answer = ann.post({**BODY, "app_type": app_type, "app_id": "a1"})
    refused(answer, 403, "IOTDA.001007")
    service.app("p1", "a1")
    ann.create(app_type=app_type, app_id="a1")


def test_without_an_app_id_the_projects_default_or_only_app_is_meant(service, ann):
    body = {**BODY, "app_type": "APP"}
    service.app("p2", "elsewhere")
    refused(ann.post(body), 403, "IOTDA.001006")
    service.app("p1", "a1")
    assert ann.post(body).json()["app_id"] is None
    assert service.story.events()[-1].scope == "a1"
    service.app("p1", "a2")
    refused(ann.post(body), 403, "IOTDA.001005")
    service.app("p1", "a3", default=True)
    ann.post(body)
    assert service.story.events()[-1].scope == "a3"


# Instances


@pytest.mark.parametrize("length", [1, 36])
def test_an_instance_id_is_kept_on_the_task(service, ann, length):
    assert ann.post(headers={"Instance-Id": "i" * length}).status_code == 201
    assert service.story.events()[-1].instance_id == "i" * length


@pytest.mark.parametrize("instance", ["", "i" * 37])
def test_an_instance_id_beyond_its_limits_is_refused(ann, instance):
    answer = ann.post(headers={"Instance-Id": instance})
    refused(answer, 400, "IOTDA.000006", "'Instance-Id' must be 1 to 36 characters")


def test_where_instances_are_known_it_must_be_one_of_them_if_sent(tmp_path):
    service = Service(tmp_path, instances="i1,i2")
    ann = service.client()
    ann.create()
    assert ann.post(headers={"Instance-Id": "i2"}).status_code == 201
    refused(ann.post(headers={"Instance-Id": "i3"}), 403, "IOTDA.014711")
    service.close()


def test_where_an_instance_is_required_it_must_be_sent(tmp_path):
    service = Service(tmp_path, instance_required="true")
    ann = service.client()
    refused(ann.post(), 403, "IOTDA.014711", "Instance-Id")
    assert ann.post(headers={"Instance-Id": "any"}).status_code == 201
    service.close()


# Limits of an owner


def test_the_sixth_unfinished_task_is_refused(service, ann):
    for _ in range(5):
        ann.create()
    start = service.story.head()
    refused(ann.post(), 403, "IOTDA.014701", "5 unfinished")
    assert service.story.head() == start


def test_the_fifty_first_task_removes_the_earliest(service, ann):
    service.story.limits(unfinished=2, kept=3)
    tasks = [ann.finished(batch=str(number)) for number in range(4)]
    kept = ann.get().json()["export_tasks"]
    assert [task["export_task_id"] for task in kept] == tasks[:0:-1]
    refused(ann.get(f"{TASKS}/{tasks[0]}"), 404, "IOTDA.014702")


# List


def ids(answer):
    assert answer.status_code == 200, answer.text
    return [task["export_task_id"] for task in answer.json()["export_tasks"]]


def test_an_empty_list_has_no_marker(ann):
    assert ann.get().json() == {"export_tasks": [], "page": {"count": 0, "marker": None}}


def test_a_list_is_newest_first_in_pages(service, ann):
    service.story.limits(unfinished=20)
    tasks = [ann.create() for _ in range(12)][::-1]
    first = ann.get()
    assert ids(first) == tasks[:LIMIT_DEFAULT]
    assert first.json()["page"] == {"count": 12, "marker": tasks[LIMIT_DEFAULT - 1]}
    rest = ann.get(query={"marker": first.json()["page"]["marker"]})
    assert ids(rest) == tasks[LIMIT_DEFAULT:]
    assert rest.json()["page"]["count"] == 12
    assert ids(ann.get(query={"limit": 3, "offset": 2})) == tasks[2:5]
    assert ids(ann.get(query={"limit": 3, "marker": tasks[4], "offset": 1})) == tasks[6:9]
    assert ids(ann.get(query={"marker": "0" * 24})) == []
    assert ids(ann.get(query={"marker": "f" * 24, "limit": 1})) == tasks[:1]


def test_a_list_item_is_the_task_without_what_is_shown_of_one_alone(ann):
    created = ann.post().json()
    assert ann.get().json()["export_tasks"] == [created]


def test_a_list_can_be_filtered(service, ann):
    service.app("p1", "a1")
    service.app("p1", "a2")
    one = ann.finished(batch="1")
    two = ann.create("2", app_type="APP", app_id="a1")
    three = ann.create("2", app_id="a2")
    assert ids(ann.get()) == [three, two, one]
    assert ids(ann.get(query={"status": "Success"})) == [one]
    assert ids(ann.get(query={"status": "Failed"})) == []
    assert ids(ann.get(query={"app_id": "a1"})) == [two]
    assert ids(ann.get(query={"app_id": "a2"})) == [three]
    assert ids(ann.get(query={"app_type": "APP"})) == [two]
    assert ids(ann.get(query={"resource_type": "BatchTask", "app_type": "GLOBAL"})) == [three, one]
    assert ids(ann.get(query={"resource_type": "BatchTasks"})) == [three, two, one]
    assert ann.get(query={"status": "Success"}).json()["page"]["count"] == 1


@pytest.mark.parametrize("text", ['{"task_id":"2"}', ' {"task_id" : "\\u0032"}\n'])
def test_conditions_in_a_list_are_compared_after_parsing(ann, text):
    ann.create("1")
    two = ann.create("2")
    assert ids(ann.get(query={"resource_condition": text})) == [two]


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("limit", "0", "IOTDA.000017"),
        ("limit", str(LIMIT_MOST + 1), "IOTDA.000017"),
        ("limit", "-1", "IOTDA.000017"),
        ("limit", "ten", "IOTDA.000017"),
        ("limit", "1.0", "IOTDA.000017"),
        ("limit", "²", "IOTDA.000017"),
        ("limit", "9" * 5000, "IOTDA.000017"),
        ("limit", "", "IOTDA.000017"),
        ("marker", "f" * 23, "IOTDA.000018"),
        ("marker", "f" * 25, "IOTDA.000018"),
        ("marker", "F" * 24, "IOTDA.000018"),
        ("marker", "", "IOTDA.000018"),
        ("offset", "-1", "IOTDA.000006"),
        ("offset", str(OFFSET_MOST + 1), "IOTDA.000006"),
        ("offset", "x", "IOTDA.000006"),
        ("resource_type", "Device", "IOTDA.000006"),
        ("resource_condition", "{", "IOTDA.000006"),
        ("resource_condition", "[]", "IOTDA.000006"),
        ("resource_condition", "{}", "IOTDA.000006"),
        ("resource_condition", '{"task_id":"Z"}', "IOTDA.000006"),
        ("resource_condition", '{"task_id":"a","task_id":"a"}', "IOTDA.000006"),
        ("resource_condition", '{"task_id":"\\ud800"}', "IOTDA.000006"),
        ("resource_condition", "[" * 9000, "IOTDA.000006"),
        ("app_type", "global", "IOTDA.000006"),
        ("app_id", "", "IOTDA.000006"),
        ("app_id", "a" * 37, "IOTDA.000006"),
        ("status", "success", "IOTDA.000006"),
    ],
)
def test_a_parameter_that_breaks_its_rule_is_named(ann, name, value, code):
    refused(ann.get(query={name: value}), 400, code, f"'{name}")


@pytest.mark.parametrize("limit", [1, LIMIT_MOST])
@pytest.mark.parametrize("offset", [0, OFFSET_MOST])
def test_parameters_at_their_limits_are_taken(ann, limit, offset):
    ann.create()
    found = ids(ann.get(query={"limit": limit, "offset": offset}))
    assert len(found) == (1 if offset == 0 else 0)


@pytest.mark.parametrize("name", ["limit", "marker", "offset", "status", "app_id"])
def test_a_known_parameter_given_twice_is_refused(ann, name):
    answer = ann.get(query=[(name, "1"), (name, "1")])
    refused(answer, 400, "IOTDA.000006", f"'{name}' is given twice")


def test_unknown_parameters_are_ignored_even_twice(ann):
    assert ids(ann.get(query=[("colour", "red"), ("colour", "blue"), ("Limit", "0")])) == []


# Show


def test_one_task_tells_of_its_attempt_its_turn_and_its_file(service, ann):
    first, second = ann.create("1"), ann.create("2")
    shown = ann.get(f"{TASKS}/{second}").json()
    assert (shown["attempt"], shown["queue_position"], shown["file"]) == (0, 2, None)
    service.finish(first, b"some bytes", rows=7, repaired=2)
    shown = ann.get(f"{TASKS}/{first}").json()
    assert (shown["status"], shown["progress"], shown["export_count"]) == ("Success", 100, 7)
    assert (shown["attempt"], shown["queue_position"]) == (1, None)
    assert re.fullmatch(MOMENT, shown["end_time"])
    file = shown["file"]
    assert (file["task_id"], file["size"], file["rows"], file["repaired"]) == (first, 10, 7, 2)
    assert set(file) == {
        *("task_id", "size", "sha256", "rows", "sheets", "repaired", "complete", "data_as_of")
    }


def test_a_claimed_task_has_no_place_in_the_queue(service, ann):
    task_id = ann.create()
    service.story.claim(service.story.ledger.task(task_id))
    shown = ann.get(f"{TASKS}/{task_id}").json()
    assert (shown["attempt"], shown["queue_position"]) == (1, None)


def test_a_failed_task_says_why(service, ann):
    task_id = ann.create()
    claim = service.story.claim(service.story.ledger.task(task_id))
    service.story.ledger.fail(claim, "IOTDA.014705", "The batch task does not exist.")
    shown = ann.get(f"{TASKS}/{task_id}").json()
    assert (shown["status"], shown["error_code"]) == ("Failed", "IOTDA.014705")
    assert shown["error_msg"] == "The batch task does not exist."
    assert shown["file"] is None


def test_an_older_task_shows_the_newer_file_of_its_conditions(service, ann):
    older, newer = ann.finished(b"old"), ann.finished(b"new!")
    file = ann.get(f"{TASKS}/{older}").json()["file"]
    assert (file["task_id"], file["size"]) == (newer, 4)


IDS_THAT_ARE_NONE = [
    NOWHERE,
    "f" * 23,
    "f" * 25,
    "F" * 24,
    "x",
    "..%2f..%2fetc",
    "%2e%2e",
    "%00",
    "%ff",
    "a%2Fb",
    "%E8%AE%BE",
]


@pytest.mark.parametrize("task_id", IDS_THAT_ARE_NONE)
@pytest.mark.parametrize("rest", ["", "/file", "/events"])
def test_an_id_that_is_none_is_like_one_that_is_not_there(ann, task_id, rest):
    refused(ann.by_token("GET", f"{TASKS}/{task_id}{rest}"), 404, "IOTDA.014702")


def test_a_signature_covers_a_path_as_it_was_sent(ann):
    refused(ann.get(f"{TASKS}/a/b"), 404, "APIGW.0101")
    path = f"{TASKS}/..%2f..%2fetc"
    signed = ann.signed("GET", path)
    answer = ann.service.http.get(path, headers=signed.header_params)
    refused(answer, 404, "IOTDA.014702")


# Delete


def test_a_task_is_deleted_in_any_state_and_again(service, ann):
    running, done = ann.create("1"), ann.finished(batch="2")
    for task_id in (running, done, running):
        answer = ann.ask("DELETE", f"{TASKS}/{task_id}")
        assert (answer.status_code, answer.content) == (204, b"")
    assert ids(ann.get()) == []
    assert service.story.told()[-2:] == [Task.Evicted.TOPIC, Owner.Released.TOPIC]


@pytest.mark.parametrize("task_id", IDS_THAT_ARE_NONE)
def test_an_id_that_is_none_cannot_be_deleted(ann, task_id):
    refused(ann.by_token("DELETE", f"{TASKS}/{task_id}"), 404, "IOTDA.014702")


# Somebody else's


def test_another_owners_task_is_as_if_it_did_not_exist(service, ann):
    ben = service.client("Ben")
    task_id = ann.finished()
    for rest in ("", "/file", "/events"):
        refused(ben.get(f"{TASKS}/{task_id}{rest}"), 404, "IOTDA.014702")
    refused(ben.ask("DELETE", f"{TASKS}/{task_id}"), 404, "IOTDA.014702")
    assert ids(ben.get()) == []
    assert ids(ann.get()) == [task_id]


def test_an_owner_s_task_of_one_project_is_not_in_another(service, ann):
    service.household.people.grant("Ann", "p2", True, None, service.story.caller())
    task_id = ann.create()
    path = f"/v5/iot/p2/export-tasks/{task_id}"
    refused(ann.get(path), 404, "IOTDA.014702")


# Events


def test_a_history_is_told_to_its_owner_also_after_removal(service, ann):
    task_id = ann.create()
    service.finish(task_id)
    ann.ask("DELETE", f"{TASKS}/{task_id}")
    events = ann.get(f"{TASKS}/{task_id}/events").json()["events"]
    assert [(each["version"], each["type"]) for each in events] == [
        (1, "task.created"),
        (2, "task.progressed"),
        (3, "task.completed"),
        (4, "task.evicted"),
    ]
    created, claimed, completed, evicted = events
    assert created["by"] == evicted["by"] == ann.user_id
    assert claimed["by"] == "exporter"
    assert (completed["rows"], evicted["reason"]) == (10, "deleted")
    for event in events:
        assert re.fullmatch(MOMENT, event["time"])
        assert event["request_id"]
        assert "address" not in event


# Quota


def test_a_quota_stands_beside_its_limits(service, ann):
    quota = f"{PROJECT}/export-quota"
    assert ann.get(quota).json() == {
        "limits": {"unfinished": 5, "kept": 50, "download_interval": 30.0},
        "kept": 0,
        "unfinished": 0,
        "seconds_to_next_download": 0.0,
    }
    done = ann.finished()
    ann.create()
    assert ann.download(done).status_code == 200
    assert isinstance(service.story.events()[-1], Downloads.Granted)
    service.story.clock.pass_by(seconds=10)
    told = ann.get(quota).json()
    assert (told["kept"], told["unfinished"]) == (2, 1)
    assert told["seconds_to_next_download"] == 20.0
