"""What `/metrics` tells: of tasks from the log, of requests by process, and never of a user."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.metrics import page, traffic
from api.metrics.cells import Cells
from api.metrics.layout import Sample
from api.metrics.registry import METRICS, PREFIX
from api.metrics.traffic import Ended, TrafficLayout
from api.problems import PROBLEMS
from api.routes import CALLS, TASK, TASKS
from domain.commands import CompleteTask
from domain.conditions import OwnerId
from domain.journal import Decision
from domain.stored import event_mapper
from domain.task import Task, task_stream
from exporter.results import CHUNK_BYTES
from projections.write_lock import BUSY_SECONDS
from tests.facts import BATCH, OPERATOR, a_file
from tests.web_service import TASKS as OF_P1
from tests.web_service import Service
from tests.workshop import until

FILE = TASK + "/file"


def scraped(service, path: str = "/metrics") -> dict[tuple, float]:
    """Every sample, by its name without the prefix and its labels."""
    answer = service.http.get(path)
    assert answer.status_code == 200
    return {
        (sample.name.removeprefix(PREFIX), *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def series(**labels: str) -> tuple:
    """Labels as `scraped` has them."""
    return tuple(sorted(labels.items()))


def requests(told, route: str, method: str, status: str) -> float:
    return told["http_requests_total", *series(route=route, method=method, status=status)]


def test_it_is_prometheus_text_and_no_users(service, ann):
    ann.finished(batch="1")
    ann.create()
    answer = service.http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert ann.user_id not in answer.text
    assert ann.access_key not in answer.text
    assert "p1" not in answer.text
    assert BATCH not in answer.text
    lines = answer.text.splitlines()
    assert all(line.startswith(("# HELP", "# TYPE", PREFIX)) for line in lines)


def test_tasks_are_those_of_the_log(any_service):
    ann = any_service.client("Ann")
    ann.finished(batch="1")
    ann.create()
    any_service.story.clock.pass_by(seconds=90)
    scraped(any_service)  # and the tables are at the log's head
    told = scraped(any_service)
    assert told["tasks", ("status", "Processing")] == 1
    assert told["tasks", ("status", "Success")] == 1
    assert told["tasks", ("status", "Failed")] == 0
    assert (told["queue_depth",], told["claims_held",]) == (1, 0)
    assert told["queue_oldest_age_seconds",] == 90
    assert (told["tasks_created_total",], told["claims_total",]) == (2, 1)
    assert told["claims_ended_total", ("outcome", "completed")] == 1
    assert told["tasks_failed_total", ("code", "IOTDA.014709")] == 0
    assert (told["rows_written_total",], told["written_bytes_total",]) == (10, 8)
    assert told["task_total_seconds_count",] == told["task_run_seconds_bucket", ("le", "0.1")] == 1
    assert told["log_position",] == told["projection_position",] == any_service.story.head()
    assert (told["projection_lag_positions",], told["projection_lag_seconds",]) == (0, 0)


def test_how_far_the_tables_lag_is_told_as_they_were_found(service, ann):
    ann.create()
    scraped(service)
    service.story.clock.pass_by(seconds=20)
    service.story.create()
    service.story.clock.pass_by(seconds=5)
    told = scraped(service)
    assert told["projection_lag_positions",] == 2
    assert told["projection_lag_seconds",] == 5
    assert told["tasks_created_total",] == 2
    assert scraped(service)["projection_lag_positions",] == 0


def test_of_tables_that_do_not_catch_up_it_is_told_how_far_they_lag(service, ann):
    ann.create()
    scraped(service)
    service.story.create()
    with service.house.queries.follower._applying:  # as when another thread works on a long page
        told = scraped(service)
    assert told["projection_lag_positions",] == 2
    assert told["store_up", ("store", "events")] == 1
    assert ("queue_depth",) not in told


def test_without_the_event_store_it_says_so_and_tells_what_else_there_is(service, ann):
    log = service.household.log.path
    log.rename(log.with_name("away"))
    log.mkdir()
    service.house.ledger.journal.recorder.datastore.close()
    told = scraped(service)
    assert told["store_up", ("store", "events")] == 0
    assert told["store_up", ("store", "results")] == 1
    assert told["processes", ("role", "api")] == 1
    assert requests(told, "/metrics", "GET", "200") == 0
    assert ("queue_depth",) not in told
    assert ("log_position",) not in told


def test_without_the_result_store_it_says_so(service):
    service.results.folder.write_text("no folder")
    told = scraped(service)
    assert told["store_up", ("store", "results")] == 0
    assert told["store_up", ("store", "events")] == 1


def test_requests_are_counted_by_route_method_and_status(service, ann):
    task = ann.create()
    ann.get(f"{OF_P1}/{task}")
    ann.get(f"{OF_P1}/{'f' * 24}")
    ann.get(query={"limit": "0"})
    service.http.get(OF_P1)
    told = scraped(service)
    assert requests(told, TASKS, "POST", "201") == 1
    assert requests(told, TASK, "GET", "200") == 1
    assert requests(told, TASK, "GET", "404") == 1
    assert requests(told, TASKS, "GET", "400") == 1
    assert requests(told, TASKS, "GET", "401") == 1
    of_route = series(route=TASKS, method="GET")
    assert told["http_request_duration_seconds_count", *of_route] == 2
    assert told["http_request_duration_seconds_sum", *of_route] > 0
    assert told["http_requests_in_flight",] == 1


def test_errors_are_counted_by_code(service, ann):
    for number in range(6):
        ann.post({"resource_type": "BatchTask", "resource_condition": {"task_id": f"{number}"}})
    service.http.get(OF_P1)
    told = scraped(service)
    refused = series(route=TASKS, method="POST", code="IOTDA.014701")
    assert told["http_errors_total", *refused] == 1
    unknown = series(route=TASKS, method="GET", code="APIGW.0301")
    assert told["http_errors_total", *unknown] == 1
    never = series(route=TASKS, method="POST", code="IOTDA.000022")
    assert told["http_errors_total", *never] == 0


def test_what_is_refused_by_a_page_is_counted_by_its_code_too(service):
    service.http.get("/nowhere", headers={"accept": "text/html"})
    service.http.post("/exports", headers={"origin": "https://elsewhere.example"})
    told = scraped(service)
    assert told["http_errors_total", *series(route="other", method="other", code="APIGW.0101")] == 1
    refused = series(
        route="/exports", method="POST", code="other"
    )  # by a code of the console's own
    assert told["http_errors_total", *refused] == 1


@pytest.mark.parametrize("path", ["/nowhere", "/v5/iot/p1/other", "/livez/", "/%00"])
def test_whatever_path_there_is_not_is_other(service, path):
    service.http.get(path)
    told = scraped(service)
    assert requests(told, "other", "other", "404") == 1
    assert told["http_errors_total", *series(route="other", method="other", code="APIGW.0101")] == 1


@pytest.mark.parametrize("method", ["BREW", "PUT", "OTHER"])
def test_whatever_method_there_is_not_is_other(service, method):
    service.http.request(method, "/livez")
    assert requests(scraped(service), "/livez", "other", "405") == 1


def test_head_is_counted_apart(service):
    service.http.head("/livez")
    told = scraped(service)
    assert requests(told, "/livez", "HEAD", "200") == 1
    assert requests(told, "/livez", "GET", "200") == 0


def test_downloads_are_counted_by_what_became_of_them(service, ann):
    waiting, done = ann.create("1"), ann.finished()
    etag = ann.download(done).headers["etag"]
    ann.download(done)
    ann.download(done, if_none_match=etag)
    ann.download(done, range="bytes=99-")
    ann.download(done, "HEAD")
    ann.download(waiting)
    service.http.get(f"{OF_P1}/{done}/file")
    told = scraped(service)
    outcomes = {key[1][1]: value for key, value in told.items() if key[0] == "downloads_total"}
    assert outcomes == {
        "sent": 1,
        "broken_off": 0,
        "unchanged": 1,
        "too_soon": 1,
        "no_file": 1,
        "refused": 2,
        "failed": 0,
    }
    assert told["downloads_granted_total",] == 1


def test_a_download_whose_file_is_gone_has_failed(service, ann):
    done = ann.create()
    key = service.finish(done)
    service.results.delete(key)
    assert ann.download(done).status_code == 503
    assert scraped(service)["downloads_total", ("outcome", "failed")] == 1


def test_a_download_that_is_held_back_at_its_end_has_failed(service, ann):
    done, content = ann.create(), bytes(2 * CHUNK_BYTES)
    key = service.finish(done, content)
    Path(service.results.where(key)).write_bytes(b"x" + content[1:])
    assert ann.download(done).status_code == 200
    assert scraped(service)["downloads_total", ("outcome", "failed")] == 1


ENDINGS = [
    (Ended(200, None, True, 0.1), "sent"),
    (Ended(206, None, True, 0.1), "sent"),
    (Ended(200, None, False, 0.1), "broken_off"),
    (Ended(traffic.UNANSWERED, None, False, 0.0), "broken_off"),
    (Ended(304, None, True, 0.1), "unchanged"),
    (Ended(404, "IOTDA.014702", True, 0.1), "refused"),
    (Ended(500, "IOTDA.000001", True, 0.1), "failed"),
    (Ended(200, "IOTDA.000007", False, 0.1), "failed"),
]


@pytest.fixture
def counted(service):
    """The traffic of a service, and what its cells say of some metric."""
    counting = service.house.traffic
    endpoint = next(each for each, path in counting._paths.items() if path == FILE)

    def count(ended: Ended, metric: str) -> dict[tuple, float]:
        counting.begin()
        counting.end(endpoint, "GET", ended)
        told = (each for each in counting.samples() if each.metric == metric)
        return {each.labels: each.value for each in told if each.value}

    return count


@pytest.mark.parametrize(("ended", "outcome"), ENDINGS)
def test_each_ending_of_a_download_has_a_name(counted, ended, outcome):
    assert counted(ended, "downloads_total") == {(outcome,): 1}


def test_a_status_that_nobody_documents_has_a_name_too(counted):
    assert counted(Ended(418, None, True, 0.1), "http_requests_total") == {
        (FILE, "GET", "other"): 1
    }


def test_a_code_that_nobody_documents_has_a_name_too(counted):
    ended = Ended(400, "TEAPOT", True, 0.1)
    assert counted(ended, "http_errors_total") == {(FILE, "GET", "other"): 1}


def test_who_went_away_unanswered_has_no_duration(counted, service):
    before = scraped(service)[
        "http_request_duration_seconds_count", *series(route=FILE, method="GET")
    ]
    told = counted(Ended(traffic.UNANSWERED, None, False, 0.0), "http_requests_total")
    assert told[FILE, "GET", "none"] == 1
    after = scraped(service)[
        "http_request_duration_seconds_count", *series(route=FILE, method="GET")
    ]
    assert before == after == 0


@pytest.mark.parametrize("bound", traffic.BOUNDS)
def test_a_bucket_of_durations_ends_with_its_bound(counted, bound):
    within = counted(Ended(200, None, True, bound), "http_request_duration_seconds")
    beyond = counted(Ended(200, None, True, bound * 1.001), "http_request_duration_seconds")
    at = traffic.BOUNDS.index(bound)
    assert [within[FILE, "GET"].counts[each] for each in (at, at + 1)] == [1, 0]
    assert [beyond[FILE, "GET"].counts[each] for each in (at, at + 1)] == [1, 1]


def test_what_other_processes_of_the_node_were_asked_is_added(service, ann):
    ann.create()
    before = scraped(service)
    layout = service.house.traffic.layout
    other = Cells.claim(service.settings.home / "metrics", "traffic", layout.keys)
    other.numbers[layout.calls[TASKS, "POST"].statuses[201]] = 100
    other.numbers[layout.in_flight] = 3
    told = scraped(service)
    assert requests(told, TASKS, "POST", "201") == requests(before, TASKS, "POST", "201") + 100
    assert told["http_requests_in_flight",] == 4
    other.close()
    told = scraped(service)
    assert requests(told, TASKS, "POST", "201") == 101
    assert told["http_requests_in_flight",] == 1  # what a dead process was at, nobody is at


def test_appends_are_timed_and_told_apart(service, ann):
    before = scraped(service)
    journal = service.house.ledger.journal
    ann.create()
    one = scraped(service)
    assert grown(before, one, "store_appends_total", outcome="stored") == 1
    assert grown(before, one, "store_append_duration_seconds_count") == 1
    stored = journal.recorder.select_notifications(None, 1)
    assert journal._append(Decision([stored[0]], None))
    two = scraped(service)
    assert grown(one, two, "store_appends_total", outcome="conflict") == 1
    with closing(sqlite3.connect(service.household.log.path)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        assert ann.post().status_code == 503
    three = scraped(service)
    assert grown(two, three, "store_appends_total", outcome="failed") >= 1
    assert grown(two, three, "store_append_duration_seconds_sum") >= BUSY_SECONDS


def grown(before, after, metric: str, **labels: str) -> float:
    """How much more there is."""
    key = (metric, *series(**labels))
    return after[key] - before[key]


def test_processes_of_the_node_are_told_with_what_they_take(service):
    told = scraped(service)
    assert [told["processes", ("role", role)] for role in ("api", "exporter", "keeper")] == [
        1,
        0,
        0,
    ]
    own = series(role="api", process="1")
    assert told["process_resident_memory_bytes", *own] > 1e6
    assert told["process_open_fds", *own] > 3
    assert told["process_cpu_seconds_total", *own] > 0


def test_threads_are_told_by_what_they_are_for(service, ann):
    pools = service.house.pools
    told = scraped(service)
    assert {name: told["threads_limit", ("pool", name)] for name in pools.limiters} == {
        name: limiter.total_tokens for name, limiter in pools.limiters.items()
    }
    asking = pools.limiters["logins"]
    for who in ("one", "two"):
        service.http.portal.call(asking.acquire_on_behalf_of, who)
    until(lambda: scraped(service)["threads_busy", ("pool", "logins")] == 2, "it is noted")
    third = service.http.portal.start_task_soon(asking.acquire_on_behalf_of, "three")
    until(lambda: scraped(service)["threads_waiting", ("pool", "logins")] == 1, "it is noted")
    for who in ("one", "two"):
        service.http.portal.call(asking.release_on_behalf_of, who)
    third.result()
    until(lambda: scraped(service)["threads_waiting", ("pool", "logins")] == 0, "it is noted")
    service.http.portal.call(asking.release_on_behalf_of, "three")


def test_the_room_on_disks_is_told_where_there_are_any(service, ann):
    ann.finished()
    told = scraped(service)
    for place in ("home", "read_dir", "results"):
        free, size = (told[f"disk_{what}_bytes", ("place", place)] for what in ("free", "size"))
        assert 0 < free < size
    assert ("disk_free_bytes", ("place", "audit")) not in told


def test_which_build_it_is_is_told(service):
    (key,) = [key for key in scraped(service) if key[0] == "build_info"]
    assert dict(key[1:]).keys() == {"version", "python", "events", "results"}
    assert dict(key[1:])["events"] == "sqlite"


def test_every_code_and_status_of_the_tables_has_a_cell():
    layout = TrafficLayout(CALLS)
    for call in CALLS:
        cells = layout.find(call.path, call.method)
        assert set(call.statuses) <= cells.statuses.keys()
        assert {each.code for each in PROBLEMS if each.status} <= cells.codes.keys()
    assert len(layout.keys) == len(set(layout.keys))


def test_two_who_scrape_at_once_are_both_answered(service, ann):
    ann.create()
    first, second = (service.house.numbers.samples() for _ in range(2))
    told = {next(first).metric}  # it has begun, and is not at its end
    others = {each.metric for each in second}
    assert told | {each.metric for each in first} == others


def test_every_metric_is_described_once_and_named_as_prometheus_asks():
    names = [metric.name for metric in METRICS]
    assert len(names) == len(set(names))
    for metric in METRICS:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", metric.name)
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert metric.name.endswith("_info") == (metric.kind == "info")
        assert metric.meaning.endswith(".")
        assert bool(metric.bounds) == (metric.kind == "histogram")


def test_a_sample_of_no_metric_is_a_fault():
    with pytest.raises(KeyError):
        page.Collector([Sample("made_up", (), 1)])


def test_the_tables_of_another_installation_tell_nothing_here(tmp_path):
    one, two = Service(tmp_path / "one"), Service(tmp_path / "two")
    one.client("Ann").create()
    assert requests(scraped(two), TASKS, "POST", "201") == 0
    one.close()
    two.close()


USERS = 10_000


def test_ten_thousand_users_with_tasks_add_no_series(service, ann):
    ann.create()
    before = scraped(service)
    crowd(service.story)
    for number in range(50):
        service.http.request(f"M{number}", f"/v5/iot/project-{number}/export-tasks")
        service.http.get(f"/v5/iot/p1/export-tasks/{number:024x}/file?user={number}")
        service.http.get(f"/made-up/{number}", headers={"User-Agent": f"agent {number}"})
    after = scraped(service)
    assert after.keys() == before.keys()
    assert after["tasks_created_total",] == before["tasks_created_total",] + USERS
    assert grown(before, after, "task_total_seconds_count") == USERS / 2
    assert grown(before, after, "tasks_failed_total", code="IOTDA.014706") == USERS / 2
    assert grown(before, after, "http_requests_total", **elsewhere("404")) == 50


def elsewhere(status: str) -> dict[str, str]:
    """The labels of what is at no path of ours."""
    return {"route": "other", "method": "other", "status": status}


def crowd(story) -> None:
    """Users who each had a task, which an exporter of its own completed or failed."""
    mapper, stored = event_mapper(), []
    for number in range(USERS):
        owner, task_id = OwnerId(f"p{number}", f"user-{number}"), f"{number:024x}"
        task = Task.of(task_stream(task_id), ())
        task.create(task_id, story.creating(owner), story.clock())
        claim = task.take(f"exporter-{number}", 60.0, 3, OPERATOR, story.clock())
        if number % 2:
            task.fail(claim, "IOTDA.014706", f"no source {number}", OPERATOR, story.clock())
        else:
            file = a_file(task, claim)
            task.complete(CompleteTask(claim, file, file.rows), OPERATOR, story.clock())
        stored += [mapper.to_stored_event(each) for each in task.collect_events()]
    story.recorder.insert_events(stored)
