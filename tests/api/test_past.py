"""`?at=`: an owner's list and tasks as they were, in the shape and with the rights of today's."""

from __future__ import annotations

from threading import Event, Thread, current_thread

import pytest

from projections.past import Past
from tests.facts import NOON
from tests.web_service import NOWHERE, PROJECT, TASKS, Service, refused

LONG_AGO, FAR_OFF = "2001-01-01", "2999-12-31T23:59:59Z"


def at(service) -> str:
    """This moment, as a parameter of a query; a second passes."""
    now = service.story.clock.now.isoformat().replace("+00:00", "Z")
    service.story.clock.pass_by(seconds=1)
    return now


@pytest.fixture
def asked(service, ann):
    """What was answered at some times: a time, the list, each task alone."""
    told, ids = [], []
    for happens in (
        lambda: ids.append(ann.create()),
        lambda: service.finish(ids[0], b"one"),
        lambda: ids.append(ann.finished(b"two")),
        lambda: ids.append(ann.create("ab")),
        lambda: ann.ask("DELETE", f"{TASKS}/{ids[1]}"),
        lambda: ann.ask("DELETE", f"{TASKS}/{ids[0]}"),
    ):
        happens()
        tasks = {task_id: ann.get(f"{TASKS}/{task_id}") for task_id in ids}
        told.append((ann.get(), tasks, at(service)))
    return told


def test_a_list_and_each_task_are_answered_as_they_were(ann, asked):
    files = set()
    for listed, tasks, time in asked:
        then = ann.get(query={"at": time})
        assert (then.status_code, then.json()) == (200, listed.json())
        for task_id, shown in tasks.items():
            then = ann.get(f"{TASKS}/{task_id}", {"at": time})
            wanted = shown.json()
            assert then.status_code == shown.status_code
            if shown.status_code == 200:
                wanted["queue_position"] = None
                files.add((task_id, (wanted["file"] or {"task_id": None})["task_id"]))
            assert list(then.json().items()) == list(wanted.items())
    first, second, *_ = tasks
    assert files >= {(first, None), (first, first), (first, second), (second, second)}


def test_before_everything_there_was_nothing(ann, asked):
    _, tasks, _ = asked[-1]
    answer = ann.get(query={"at": LONG_AGO})
    assert answer.json() == {"export_tasks": [], "page": {"count": 0, "marker": None}}
    for task_id in (*tasks, NOWHERE, "x"):
        refused(ann.get(f"{TASKS}/{task_id}", {"at": LONG_AGO}), 404, "IOTDA.014702")


def test_the_future_is_now(ann, asked):
    assert ann.get(query={"at": FAR_OFF}).json() == ann.get().json()
    task_id = ann.get().json()["export_tasks"][0]["export_task_id"]
    then, now = (ann.get(f"{TASKS}/{task_id}", query) for query in ({"at": FAR_OFF}, None))
    assert then.json() | {"queue_position": 1} == now.json()


def test_a_list_of_then_is_filtered_and_paged(ann, asked):
    listed, _, time = asked[3]
    ids = [each["export_task_id"] for each in listed.json()["export_tasks"]]
    for query, wanted, count in (
        ({"limit": 1}, ids[:1], 3),
        ({"limit": 1, "offset": 1}, ids[1:2], 3),
        ({"marker": ids[0]}, ids[1:], 3),
        ({"status": "Success"}, ids[1:], 2),
        ({"resource_condition": '{"task_id":"ab"}'}, ids[:1], 1),
    ):
        told = ann.get(query={**query, "at": time}).json()
        assert [each["export_task_id"] for each in told["export_tasks"]] == wanted
        assert told["page"] == {"count": count, "marker": wanted[-1]}


@pytest.mark.parametrize(
    "time",
    [
        "2026-11-24T12:00:00Z",
        "2026-11-24T12:00:00",
        "2026-11-24T12:00:00.000+00:00",
        "2026-11-24T13:00:00+01:00",
        "20261124T120000Z",
        "2026-11-24 12:00",
        "2026-11-24t12:00:00z",
    ],
)
def test_a_time_is_any_of_iso_8601(service, ann, time):
    assert service.story.clock.now == NOON
    ann.create()
    at(service)
    ann.create()
    assert ann.get(query={"at": time}).json()["page"]["count"] == 1


@pytest.mark.parametrize(
    "time",
    ["", "now", "1700000000", "2026-13-01", "2026-11-24T25:00", "12:00", "\ud83d\ude00".encode(
        "utf-16", "surrogatepass").decode("utf-16"), "0001-01-01T00:00:00+14:00",
     "9999-12-31T23:59:59-14:00", "2026-11-24T12:00:00 00:00"],
)  # fmt: skip
def test_what_is_no_time_is_refused_by_name(ann, time):
    task_id = ann.create()
    for path in (TASKS, f"{TASKS}/{task_id}"):
        refused(ann.get(path, {"at": time}), 400, "IOTDA.000006", "'at'", "ISO 8601")


def test_a_time_given_twice_is_refused(ann):
    task_id = ann.create()
    for path in (TASKS, f"{TASKS}/{task_id}"):
        answer = ann.get(path, [("at", LONG_AGO), ("at", LONG_AGO)])
        refused(answer, 400, "IOTDA.000006", "'at' is given twice")


def test_the_past_is_its_owners_alone_and_needs_the_same_permission(service, ann):
    task_id = ann.create()
    ben = service.client("Ben")
    ben.create()
    time = at(service)
    assert ben.get(query={"at": time}).json()["page"]["count"] == 1
    refused(ben.get(f"{TASKS}/{task_id}", {"at": time}), 404, "IOTDA.014702")
    nobody = service.client("Cid", admin=False)
    refused(nobody.get(query={"at": time}), 403, "IOTDA.000022", "queryList")
    refused(nobody.get(f"{TASKS}/{task_id}", {"at": time}), 403, "IOTDA.000022", "query")
    assert service.http.get(f"{TASKS}?at={time}").status_code == 401


def test_other_calls_take_no_notice_of_a_time(ann):
    task_id = ann.create()
    for path in (f"{TASKS}/{task_id}/events", f"{PROJECT}/export-quota"):
        assert ann.get(path, {"at": "no time"}).status_code == 200


def test_the_document_tells_of_it(service):
    paths = service.http.get("/openapi.json").json()["paths"]
    one = paths["/v5/iot/{project_id}/export-tasks/{export_task_id}"]["get"]
    assert {each["name"] for each in one["parameters"]} == {"project_id", "export_task_id", "at"}
    assert list(one["responses"]) == ["200", "400", "401", "403", "404", "503", "500"]


@pytest.mark.parametrize(("recorded", "told"), [("true", True), ("false", False)])
def test_addresses_stand_in_new_events_unless_the_setting_says_no(tmp_path, recorded, told):
    service = Service(tmp_path, record_addresses=recorded)
    try:
        service.client().create()
        assert [event.address is not None for event in service.story.events()[-2:]] == [told] * 2
    finally:
        service.close()


@pytest.mark.parametrize("query", ["at={}", "limit=5&at={}", "%61t={}", "status=Success&a%74={}"])
def test_the_past_is_not_read_on_the_event_loop(service, ann, monkeypatch, query):
    task_id = ann.create()
    ann.get()
    threads, ask = [], Past.at

    def noted(past, at):
        threads.append(current_thread().name)
        return ask(past, at)

    monkeypatch.setattr(Past, "at", noted)
    for path in (TASKS, f"{TASKS}/{task_id}"):
        assert ann.by_token("GET", f"{path}?{query.format(FAR_OFF)}").status_code == 200
    assert [name.startswith("AnyIO worker") for name in threads] == [True, True]


def test_whoever_asks_for_the_past_holds_nobody_else_up(service, ann, monkeypatch):
    task_id, go_on, began, ask = ann.create(), Event(), Event(), Past.at

    def held(past, at):
        began.set()
        assert go_on.wait(60)
        return ask(past, at)

    monkeypatch.setattr(Past, "at", held)
    looking_back = [
        Thread(target=ann.by_token, args=("GET", f"{TASKS}?at={FAR_OFF}")) for _ in range(5)
    ]
    for each in looking_back:
        each.start()
    assert began.wait(60)
    assert ann.by_token("GET", f"{TASKS}/{task_id}/events").status_code == 200
    go_on.set()
    for each in looking_back:
        each.join()
