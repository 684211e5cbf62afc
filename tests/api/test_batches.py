"""The calls that show batch tasks, by IoTDA's published rules."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from huaweicloudsdkiotda import v5

from domain.commands import NEWEST
from exporter.sources.batches import Batches
from exporter.sources.listing import Listing
from exporter.sources.sql import SqlSource, sqlite_path
from tests.policies import policy, said
from tests.web_service import PROJECT, Service, refused
from tests.workshop import lines_of

BATCHES = PROJECT + "/batchtasks"
TYPE = {"task_type": "firmwareUpgrade"}
IDS = ["a" * 24, "b" * 24, "c" * 23 + "0", "d" * 24]
HEAD = (
    '{"task_name": "Firmware 2.2.0", "task_type": "firmwareUpgrade", "status": "PartialSuccess",'
    ' "create_time": "2026-01-31T23:59:59.999+02:00"}\n'
)
FAILED = b'{"target":"x","status":"Fail","error":{"error_code":"IOTDA.014016","error_msg":"off"}}\n'


@pytest.fixture
def batches(service):
    with Batches(service.settings.source) as batches:
        yield batches


def put(batches, task_id="a" * 24, rows=3, project_id="p1", app_id=None, head=HEAD, more=()):
    lines = [head.encode(), *lines_of(rows), *more]
    return batches.import_(lines, project_id=project_id, app_id=app_id, task_id=task_id)


def shown(client, task_id="a" * 24, **query):
    answer = client.get(f"{BATCHES}/{task_id}", query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def targets(answer):
    return [each["target"] for each in answer["task_details"]]


def listed(client, **query):
    answer = client.get(BATCHES, {**TYPE, **query})
    assert answer.status_code == 200, answer.text
    return answer.json()


def ids(answer):
    return [each["task_id"] for each in answer["batchtasks"]]


def test_a_batch_task_is_shown_with_its_counts_and_details(batches, ann):
    put(batches, rows=1, more=[FAILED])
    answer = shown(ann)
    assert answer["batchtask"] == {
        "task_id": "a" * 24,
        "task_name": "Firmware 2.2.0",
        "task_type": "firmwareUpgrade",
        "status": "PartialSuccess",
        "task_progress": {
            "total": 2,
            "processing": 0,
            "success": 1,
            "fail": 1,
            "waitting": 0,
            "fail_wait_retry": 0,
            "stopped": 0,
            "removed": 0,
        },
        "create_time": "20260131T215959Z",
        "app_id": None,
    }
    assert answer["task_details"] == [
        {
            "target": "x",
            "status": "Fail",
            "output": None,
            "error": {"error_code": "IOTDA.014016", "error_msg": "off"},
        },
        {"target": "d0", "status": "Success", "output": None, "error": None},
    ]


@pytest.mark.parametrize(("rows", "first"), [(0, 0), (9, 9), (10, 10), (11, 10)])
def test_ten_details_are_a_page_the_newest_first(batches, ann, rows, first):
    put(batches, rows=rows)
    answer = shown(ann)
    assert targets(answer) == [f"d{n}" for n in reversed(range(rows))][:first]
    assert answer["page"]["count"] == rows
    assert (answer["page"]["marker"] is None) == (rows == 0)


@pytest.mark.parametrize("limit", [1, 3, 50])
@pytest.mark.parametrize("offset", [0, 1, 49, 499, 500])
def test_a_page_begins_behind_its_marker_and_offset(batches, ann, limit, offset):
    put(batches, rows=560)
    every = [f"d{n}" for n in reversed(range(560))]
    first = shown(ann, limit=7)
    marker = first["page"]["marker"]
    assert targets(first) == every[:7]
    behind = shown(ann, limit=limit, marker=marker, offset=offset)
    assert targets(behind) == every[7 + offset : 7 + offset + limit]
    assert behind["page"]["count"] == 560
    assert (
        targets(shown(ann, limit=limit, marker=NEWEST, offset=offset))
        == (every[offset : offset + limit])
    )


def test_the_marker_of_a_page_is_its_last_details_id_and_pages_join(batches, ann):
    put(batches, rows=23)
    marker, read = NEWEST, []
    while page := shown(ann, limit=5, marker=marker):
        read += targets(page)
        if len(page["task_details"]) < 5:
            break
        assert page["page"]["marker"] < marker
        marker = page["page"]["marker"]
    assert read == [f"d{n}" for n in reversed(range(23))]
    assert targets(shown(ann, marker="0" * 24)) == []
    assert shown(ann, marker="0" * 24)["page"] == {"count": 23, "marker": None}


def test_details_that_come_later_stand_before_the_marker(batches, ann):
    head = HEAD.replace("PartialSuccess", "Processing")
    put(batches, rows=4, head=head)
    marker = shown(ann, limit=2)["page"]["marker"]
    batches.append("a" * 24, lines_of(3))
    assert targets(shown(ann, marker=marker)) == ["d1", "d0"]
    assert shown(ann, marker=marker)["page"]["count"] == 7
    batches.append("a" * 24, lines_of(1))
    batches.finish("a" * 24, "Success")
    assert shown(ann)["page"]["count"] == 8
    assert shown(ann)["batchtask"]["task_progress"]["total"] == 8


def test_details_are_filtered_by_status_and_target(batches, ann):
    put(batches, rows=3, more=[FAILED])
    failed = shown(ann, task_detail_status="Fail")
    assert (targets(failed), failed["page"]["count"]) == (["x"], 1)
    one = shown(ann, target="d1")
    assert (targets(one), one["page"]["count"]) == (["d1"], 1)
    assert targets(shown(ann, target="d1", task_detail_status="Fail")) == []
    assert shown(ann, target="d1")["batchtask"]["task_progress"]["total"] == 4


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"limit": 0}, "IOTDA.000017"),
        ({"limit": 51}, "IOTDA.000017"),
        ({"limit": "x"}, "IOTDA.000017"),
        ({"marker": "f" * 23}, "IOTDA.000018"),
        ({"marker": "g" * 24}, "IOTDA.000018"),
        ({"offset": -1}, "IOTDA.000006"),
        ({"offset": 501}, "IOTDA.000006"),
        ([("limit", 1), ("limit", 1)], "IOTDA.000006"),
    ],
)
def test_a_page_out_of_range_is_refused(batches, ann, query, code):
    put(batches)
    listing = [*TYPE.items(), *(query.items() if isinstance(query, dict) else query)]
    refused(ann.get(f"{BATCHES}/{'a' * 24}", query), 400, code)
    refused(ann.get(BATCHES, listing), 400, code)


@pytest.mark.parametrize(
    "query",
    [
        {"task_detail_status": "success"},
        {"task_detail_status": "PartialSuccess"},
        {"target": "a b"},
        {"target": ""},
        {"target": "x" * 129},
    ],
)
def test_a_filter_of_details_that_breaks_its_rule_is_refused(batches, ann, query):
    put(batches)
    refused(ann.get(f"{BATCHES}/{'a' * 24}", query), 400, "IOTDA.000006", next(iter(query)))


@pytest.mark.parametrize(
    "query",
    [
        {"task_type": None},
        {"task_type": ""},
        {"task_type": "x" * 129},
        {"status": "Removed"},
        {"app_id": "a b"},
        {"app_id": "x" * 37},
    ],
)
def test_a_filter_of_batch_tasks_that_breaks_its_rule_is_refused(batches, ann, query):
    sent = {name: text for name, text in {**TYPE, **query}.items() if text is not None}
    refused(ann.get(BATCHES, sent), 400, "IOTDA.000006", next(iter(query)))


def test_limits_of_texts_are_taken(batches, ann):
    put(batches)
    assert targets(shown(ann, target="x" * 128, limit=50, offset=500)) == []
    assert ids(listed(ann, task_type="x" * 128, app_id="x" * 36)) == []


@pytest.mark.parametrize("task_id", ["b" * 24, "a" * 25, "A" * 24, "%20", "a" * 23])
def test_a_batch_task_that_is_not_there_is_not_found(batches, ann, task_id):
    put(batches)
    refused(ann.by_token("GET", f"{BATCHES}/{task_id}"), 404, "IOTDA.014705")


def test_another_projects_batch_tasks_are_as_if_they_were_not_there(service, batches, ann):
    put(batches, "a" * 24, project_id="p2")
    put(batches, "b" * 24)
    refused(ann.get(f"{BATCHES}/{'a' * 24}"), 404, "IOTDA.014705")
    assert ids(listed(ann)) == ["b" * 24]
    assert listed(ann)["page"] == {"count": 1, "marker": "b" * 24}
    refused(ann.get(BATCHES.replace("p1", "p2"), TYPE), 403, "IOTDA.000021")


def test_batch_tasks_are_listed_by_falling_id_page_by_page(batches, ann):
    for task_id in IDS:
        put(batches, task_id)
    put(batches, "e" * 24, head=HEAD.replace("firmwareUpgrade", "createCommands"))
    falling = sorted(IDS, reverse=True)
    assert ids(listed(ann)) == falling
    assert listed(ann, limit=2)["page"] == {"count": 4, "marker": falling[1]}
    assert ids(listed(ann, limit=2, marker=falling[1])) == falling[2:]
    assert ids(listed(ann, marker=falling[0], offset=1, limit=1)) == falling[2:3]
    assert listed(ann, marker="0" * 24)["page"] == {"count": 4, "marker": None}
    assert [each["task_progress"]["total"] for each in listed(ann)["batchtasks"]] == [3] * 4


def test_batch_tasks_are_filtered_by_app_and_status(batches, ann):
    put(batches, IDS[0], app_id="app-1")
    put(batches, IDS[1], head=HEAD.replace("PartialSuccess", "Processing"))
    assert ids(listed(ann, app_id="app-1")) == [IDS[0]]
    assert listed(ann, app_id="app-1")["batchtasks"][0]["app_id"] == "app-1"
    assert ids(listed(ann, status="Processing")) == [IDS[1]]
    assert ids(listed(ann, status="Stopped")) == []


class Watched(SqlSource):
    """A source that says how its database looks for what it is asked."""

    def __init__(self, path):
        super().__init__(path)
        self.plans = []

    def reading(self):
        found = super().reading()
        ask = found.rows

        def rows(sql, *values):
            plan = ask(f"EXPLAIN QUERY PLAN {sql}", *values)
            self.plans.append((sql, [row[3] for row in plan]))
            return ask(sql, *values)

        found.rows = rows
        return found


def test_reading_a_page_looks_at_no_more_rows_than_it_skips_and_shows(service, batches):
    put(batches, rows=20)
    source = Watched(sqlite_path(service.settings.source))
    listing = Listing(source)
    task = listing.task("p1", "a" * 24)
    listing.details(task, {}, limit=5, marker=NEWEST, offset=0)
    source.plans.clear()
    page = listing.details(task, {}, limit=5, marker=NEWEST, offset=5)
    assert [row[0] for row in page.rows] == [f"d{n}" for n in range(14, 9, -1)]
    steps = [step for _, plan in source.plans for step in plan]
    assert len(steps) == len(source.plans) == 2, "the newest detail, and the page"
    assert all("SEARCH" in step and "_in_order" in step for step in steps), steps


def test_ids_and_seqs_of_a_users_own_tables_may_be_any_integers(service, ann):
    ends = [-(2**63), -1, 0, 1, 2**63 - 1]
    with closing(sqlite3.connect(sqlite_path(service.settings.source))) as database, database:
        database.executescript("""
            CREATE TABLE batch_tasks (task_id, project_id, app_id, task_name, task_type, status,
                                      create_time);
            CREATE TABLE batch_task_details (task_id, seq, target, status, output, error_code,
                                             error_msg);
            INSERT INTO batch_tasks VALUES ('a1', 'p1', NULL, 'n', 't', 'Odd', '20260131T235959Z');
        """)
        rows = [("a1", seq, str(seq), "Success", None, None, 7) for seq in ends]
        database.executemany("INSERT INTO batch_task_details VALUES (?,?,?,?,?,?,?)", rows)
    refused(ann.get(f"{BATCHES}/a1"), 503, "IOTDA.000007", "batch_tasks.status")
    with closing(sqlite3.connect(sqlite_path(service.settings.source))) as database, database:
        database.execute("UPDATE batch_tasks SET status = 'Success'")
    marker, read = NEWEST, []
    for _ in ends:
        page = shown(ann, "a1", limit=1, marker=marker)
        read += targets(page)
        marker = page["page"]["marker"]
    assert read == [str(seq) for seq in reversed(ends)]
    assert targets(shown(ann, "a1", marker=marker)) == []
    assert page["task_details"][0]["error"] == {"error_code": None, "error_msg": "7"}


def test_a_source_that_is_not_there_is_unavailable(service, ann):
    answer = ann.get(f"{BATCHES}/{'a' * 24}")
    assert "source" in refused(answer, 503, "IOTDA.000007")
    assert answer.headers["retry-after"] == "1"


def test_an_installation_without_batch_tasks_of_its_own_shows_none(tmp_path):
    service = Service(tmp_path, source="iotda+https://iotda.example.com")
    try:
        ann = service.client("Ann")
        refused(ann.get(BATCHES, TYPE), 404, "APIGW.0101")
        refused(ann.get(f"{BATCHES}/{'a' * 24}"), 404, "APIGW.0101")
    finally:
        service.close()


def test_reading_batch_tasks_needs_an_action_of_its_own(service, batches):
    put(batches)
    ben = service.client("Ben", admin=False, policy=policy(said("Allow", "iotda:exporttasks:*")))
    for path in (f"{BATCHES}?task_type=x", f"{BATCHES}/{'a' * 24}"):
        refused(ben.by_token("GET", path), 403, "IOTDA.000022", "iotda:batchtasks:query")


def test_the_published_parameters_are_those_of_the_official_sdk(service):
    described = service.http.get("/openapi.json").json()["paths"]
    for path, request in (
        (BATCHES.replace("p1", "{project_id}"), v5.ListBatchTasksRequest),
        (BATCHES.replace("p1", "{project_id}") + "/{task_id}", v5.ShowBatchTaskRequest),
    ):
        parameters = {each["name"]: each for each in described[path]["get"]["parameters"]}
        assert set(parameters) | {"Instance-Id"} == {*request.attribute_map.values(), "project_id"}
        mandatory = {name for name, each in parameters.items() if each["required"]}
        assert mandatory == {"project_id", "task_type" if "task_type" in parameters else "task_id"}
