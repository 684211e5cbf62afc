"""The operators' pages: who is let in, what they are told, and the two acts."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from eventsourcing.persistence import StoredEvent

from api.access.first_link import FirstLink
from api.audit.state import AuditState, StateFile, Trouble
from api.console.operator import pages, queue, tasks
from domain.commands import Progress
from domain.task import task_stream
from projections import overview
from tests.facts import BATCH, LEASE, NOON, OPERATOR
from tests.household import SECRET_KEY
from tests.visitor import FROM_HERE, PASSWORD, Visitor, signed_in, text_of
from tests.web_service import NOWHERE

NOTE = "export-tasks/0a1b\n3\nAAAA\n\n— export-tasks.0a1b c2lnbmVk\n"
DIED = "IOTDA.014709"
SHOWN = [page.path for page in pages.PAGES if page.method == "GET"]
ACTS = [page.path for page in pages.PAGES if page.method == "POST"]


def operator(service, name: str, role: str) -> Visitor:
    """Somebody new in this role, signed in."""
    service.household.add(name, password=PASSWORD)
    service.household.people.set_operator(name, role, OPERATOR)
    return signed_in(service, name)


@pytest.fixture
def olga(service) -> Visitor:
    """An operator who may act."""
    return operator(service, "Olga", "operate")


@pytest.fixture
def vera(service) -> Visitor:
    """An operator who may look."""
    return operator(service, "Vera", "view")


@pytest.fixture
def failed(service, ann) -> str:
    """A task of Ann's that failed."""
    return fail(service, ann.create())


def fail(service, task_id: str, code: str = DIED) -> str:
    claim = service.story.claim(service.story.ledger.task(task_id))
    service.story.ledger.fail(claim, code, "as the exporter says")
    return task_id


def claim(service, task_id: str, exporter: str = "e1"):
    return service.story.claim(service.story.ledger.task(task_id), exporter)


def user_id(service, name: str) -> str:
    return service.household.people.user_id_of(name)


def last_event(service, task_id: str):
    return service.story.ledger.history(task_id)[-1]


# Who is let in


@pytest.mark.parametrize("path", SHOWN + ACTS)
def test_whoever_is_not_signed_in_is_led_to_do_so(service, visitor, failed, path):
    method = "POST" if path in ACTS else "GET"
    answer = visitor.ask(method, path.replace("{export_task_id}", failed), FROM_HERE)
    assert (answer.status_code, answer.headers["location"][:14]) == (303, "/sign-in?next=")


@pytest.mark.parametrize("path", SHOWN + ACTS)
def test_who_is_no_operator_is_let_in_nowhere(service, page, failed, path):
    before = service.story.head()
    method = "POST" if path in ACTS else "GET"
    answer = page.ask(method, path.replace("{export_task_id}", failed), FROM_HERE)
    assert answer.status_code == 403
    assert "These pages are for operators" in text_of(answer)
    assert "export-tasks user operator" in text_of(answer)
    assert service.story.head() == before


@pytest.mark.parametrize("path", [path for path in SHOWN if "live" not in path])
def test_every_page_is_shown_to_operators_of_both_kinds(olga, vera, failed, path):
    for who in (olga, vera):
        answer = who.get(path.replace("{export_task_id}", failed))
        assert answer.status_code == 200
        assert "in p1" in text_of(answer)


def test_only_operators_see_the_way_to_their_pages(page, olga, vera):
    assert 'href="/operator"' not in page.get().text
    for who in (olga, vera):
        assert 'href="/operator"' in who.get().text


def test_an_operator_who_is_none_any_more_is_let_in_no_more(service, olga):
    service.household.people.set_operator("Olga", None, OPERATOR)
    assert olga.get("/operator").status_code == 403


def test_the_first_user_by_the_link_is_an_operator_who_may_act(service, visitor):
    for project_id in ("p1", "p2"):
        service.household.register.remove_project(project_id, OPERATOR)
    fields = {"project": "plant-1", "name": "n", "app": "default", "user": "ada"}
    key = FirstLink(SECRET_KEY).draw()
    answer = visitor.post("/begin", key=key, password=PASSWORD, again=PASSWORD, **fields)
    assert answer.status_code == 201
    assert service.house.queries.user(user_id(service, "ada")).operator == "operate"
    assert visitor.get("/operator").status_code == 200


# The acts


def test_who_only_views_is_offered_no_act_and_refused_each(service, vera, failed):
    before = service.story.head()
    assert "<form" not in vera.get(f"/operator/tasks/{failed}").text.partition("<main")[2]
    for act in ("delete", "retry"):
        answer = vera.post(f"/operator/tasks/{failed}/{act}")
        assert answer.status_code == 403
        assert "You may look at this, and change nothing" in text_of(answer)
    assert service.story.head() == before


def test_a_form_of_another_site_does_nothing(service, olga, failed):
    before = service.story.head()
    for act in ("delete", "retry"):
        path = f"/operator/tasks/{failed}/{act}"
        assert olga.ask("POST", path, {"origin": "https://elsewhere"}).status_code == 403
    assert service.story.head() == before


def test_a_task_is_deleted_by_an_event_that_names_the_operator(service, ann, olga):
    task_id = ann.create()
    path = f"/operator/tasks/{task_id}"
    assert f'action="{path}/delete"' in olga.get(path).text
    answer = olga.post(f"{path}/delete")
    assert (answer.status_code, answer.headers["location"]) == (303, path)
    event = last_event(service, task_id)
    assert (event.TOPIC, event.reason) == ("task.evicted", "deleted")
    assert event.by == user_id(service, "Olga")
    shown = olga.get(path)
    assert "This task was removed. Its history stays." in text_of(shown)
    assert "/delete" not in shown.text
    assert ann.get().json()["export_tasks"] == []


def test_a_second_click_on_delete_finds_it_deleted(service, ann, olga):
    path = f"/operator/tasks/{ann.create()}"
    olga.post(f"{path}/delete")
    before = service.story.head()
    assert olga.post(f"{path}/delete").headers["location"] == path
    assert service.story.head() == before


def test_a_failed_task_is_retried_for_its_owner_by_the_operator(service, ann, olga, failed):
    path = f"/operator/tasks/{failed}"
    assert f'action="{path}/retry"' in olga.get(path).text
    made = olga.post(f"{path}/retry").headers["location"].rpartition("/")[2]
    (created,) = service.story.ledger.history(made)
    assert (created.TOPIC, created.by) == ("task.created", user_id(service, "Olga"))
    assert (created.user_id, created.retries) == (ann.user_id, failed)
    shown = olga.get(f"/operator/tasks/{made}")
    assert f"Retries {failed}" in text_of(shown)
    assert "Asked for by Olga" in text_of(shown)
    assert [task["export_task_id"] for task in ann.get().json()["export_tasks"]] == [made, failed]


def test_a_second_click_on_retry_leads_to_the_same_task(service, olga, failed):
    places = {olga.post(f"/operator/tasks/{failed}/retry").headers["location"] for _ in range(2)}
    assert len(places) == 1


@pytest.mark.parametrize("state", ["Processing", "Success", "removed"])
def test_what_did_not_fail_is_not_retried_and_it_is_said_why(service, ann, olga, state):
    task_id = ann.finished() if state == "Success" else ann.create()
    if state == "removed":
        olga.post(f"/operator/tasks/{task_id}/delete")
    assert "/retry" not in olga.get(f"/operator/tasks/{task_id}").text
    answer = olga.post(f"/operator/tasks/{task_id}/retry")
    assert answer.status_code == 409
    assert f"this one is {state}" in text_of(answer)


def test_a_retry_over_the_limit_is_refused_and_one_at_it_is_not(service, ann, olga, failed):
    service.story.limits(unfinished=2)
    ann.create("aaa")
    other = fail(service, ann.create("bbb"))
    assert olga.post(f"/operator/tasks/{failed}/retry").status_code == 303
    answer = olga.post(f"/operator/tasks/{other}/retry")
    assert answer.status_code == 409
    assert "There are 2 unfinished export tasks already" in text_of(answer)


def test_a_removed_users_task_is_shown_and_not_retried(service, olga, failed):
    service.household.people.remove_user("Ann", OPERATOR)
    assert "nobody any more" in text_of(olga.get(f"/operator/tasks/{failed}"))
    answer = olga.post(f"/operator/tasks/{failed}/retry")
    assert answer.status_code == 409
    assert "The user has been removed" in text_of(answer)


@pytest.mark.parametrize("task_id", [NOWHERE, "x", "A" * 24])
def test_a_task_that_never_was_is_not_found(olga, task_id):
    assert olga.get(f"/operator/tasks/{task_id}").status_code == 404
    for act in ("delete", "retry"):
        assert olga.post(f"/operator/tasks/{task_id}/{act}").status_code == 404


# The queue


def test_a_quiet_service_has_an_empty_queue(olga):
    told = text_of(olga.get("/operator"))
    for words in (
        "0 waiting",
        "none age of the oldest",
        "Nothing is being exported",
        "Nothing wai",
    ):
        assert words in told


def test_the_queue_tells_who_works_and_what_waits_for_what(service, ann, olga):
    running, back, waiting = (ann.create(batch) for batch in ("aaa", "bbb", "ccc"))
    attempt = claim(service, running, "exporter-1")
    service.story.ledger.hand_back(claim(service, back), "no source", wait=40.0, fault=True)
    service.story.clock.pass_by(seconds=20)
    service.story.ledger.progress(attempt, LEASE, Progress(5000, 20000, 25))
    told = text_of(olga.get("/operator"))
    assert "2 waiting" in told
    assert "20 s age of the oldest" in told
    assert "1 being exported" in told
    assert f"exporter-1 {running} Ann in p1 Running" in told
    assert "5 000 of 20 000 rows 250 a second" in told
    handed_back = "the end of a pause of 40 s attempt 1 was handed back: no source"
    assert f"1 {back} Ann in p1 {handed_back} 20 s" in told
    assert f"2 {waiting} Ann in p1 an exporter 20 s" in told
    service.story.clock.pass_by(seconds=21)
    assert "the end of a pause" not in text_of(olga.get("/operator"))


def test_an_exporter_that_is_silent_is_told(service, ann, olga):
    claim(service, ann.create())
    service.story.clock.pass_by(seconds=LEASE / 2 - 1)
    assert "silent" not in text_of(olga.get("/operator"))
    assert 'data-again="1.0"' in olga.get("/operator").text
    service.story.clock.pass_by(seconds=1)
    assert "Exporter silent" in text_of(olga.get("/operator"))


def test_that_nothing_works_is_told_once_the_oldest_has_waited_too_long(service, ann, olga):
    task_id = ann.create()
    service.story.clock.pass_by(seconds=queue.STALLED_SECONDS)
    assert "Is an exporter running?" not in text_of(olga.get("/operator"))
    service.story.clock.pass_by(seconds=1)
    assert "Is an exporter running?" in text_of(olga.get("/operator"))
    ann.create("bbb")
    claim(service, task_id)
    assert "Is an exporter running?" not in text_of(olga.get("/operator"))


def test_a_long_line_is_cut_and_the_rest_counted(service, ann, olga, monkeypatch):
    monkeypatch.setattr(queue, "SHOWN", 2)
    for batch in ("aaa", "bbb"):
        ann.create(batch)
    assert "more" not in text_of(olga.get("/operator"))
    ann.create("ccc")
    answer = olga.get("/operator")
    assert "And 1 more: all that have not ended" in text_of(answer)
    assert 'href="/operator/tasks?state=Processing"' in answer.text


# The last day, and failures


def test_the_last_day_is_a_picture_and_a_table_of_the_same_numbers(service, ann, olga):
    ann.download(ann.finished(batch="aaa"))
    service.story.clock.pass_by(hours=1)
    fail(service, ann.create("bbb"))
    answer = olga.get("/operator/hours")
    told = text_of(answer)
    assert "2 created 1 completed 1 failed 10 rows exported 1 downloads 0 removed" in told
    assert "11-24 13:00 1 0 1 0 0 0 11-24 12:00 1 1 0 10 1 0 11-24 11:00 0 0" in told
    assert '<svg viewBox="0 0 768 240" role="img" aria-labelledby="svg-title svg-text">' in (
        answer.text
    )
    picture = answer.text.partition("</title>")[2].partition("</svg>")[0]
    assert len(re.findall(r'<rect class="created"', picture)) == 2
    assert len(re.findall(r'<rect class="(completed|failed)"', picture)) == 2


def test_failures_are_told_by_cause_with_what_to_do_and_where_to_look(service, ann, olga):
    assert "Nothing failed" in text_of(olga.get("/operator/failures"))
    first = fail(service, ann.create("aaa"), "IOTDA.014705")
    service.story.clock.pass_by(days=1)
    died = [fail(service, ann.create(batch)) for batch in ("bbb", "ccc")]
    answer = signed_in(service, "Olga").get("/operator/failures")
    told = text_of(answer)
    assert told.index("Its exporters died too often") < told.index("The batch task is not there")
    assert "2 tasks . Look at the service's log" in told
    assert f'href="/operator/tasks?code={DIED}"' in answer.text
    for task_id in (died[1], first):
        assert f'href="/operator/tasks/{task_id}"' in answer.text
    assert "2026-11-25 2" in told


def test_a_code_that_this_version_does_not_know_is_told_too(service, ann, olga):
    fail(service, ann.create(), "IOTDA.099999")
    assert "does not know the code" in text_of(olga.get("/operator/failures"))


# Anybody's tasks


def ids(answer) -> list[str]:
    """The tasks of a list, in its order."""
    listed = answer.text.partition('id="list"')[2]
    return re.findall(r'<a href="/operator/tasks/([0-9a-f]{24})"><code>', listed)


@pytest.fixture
def several(service, ann) -> dict[str, str]:
    """Ann's failed, finished and waiting tasks, and Ben's."""
    ben = service.client("Ben")
    made = {"failed": fail(service, ann.create("aaa"))}
    for name, create in (
        ("done", lambda: ann.finished(batch="bbb")),
        ("waiting", lambda: ann.create("ccc")),
        ("bens", lambda: ben.create("ddd")),
    ):
        service.story.clock.pass_by(seconds=1)
        made[name] = create()
    return made


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["bens", "waiting", "done", "failed"]),
        ("project=p1", ["bens", "waiting", "done", "failed"]),
        ("project=p2", []),
        ("user=Ann", ["waiting", "done", "failed"]),
        ("user=ann&project=p1&state=Success", ["done"]),
        ("user=nobody", []),
        ("state=Processing&project=&user=&code=", ["bens", "waiting"]),
        (f"code={DIED}", ["failed"]),
    ],
)
def test_the_filter_is_in_the_address(several, olga, query, found):
    answer = olga.get(f"/operator/tasks?{query}")
    assert ids(answer) == [several[name] for name in found]
    assert ("No task fits this" in text_of(answer)) is (not found)


def test_a_user_is_meant_by_id_too(service, several, olga):
    answer = olga.get(f"/operator/tasks?user={user_id(service, 'Ben')}")
    assert ids(answer) == [several["bens"]]


@pytest.mark.parametrize(
    "query",
    ["project=a%20b", "state=ready", "code=x", "before=x", f"user={'x' * 65}", "state=Failed&" * 2],
)
def test_a_filter_that_cannot_be_is_told(olga, query):
    assert olga.get(f"/operator/tasks?{query}").status_code == 400


def test_pages_go_on_behind_the_last_one_shown_and_keep_the_filter(several, olga, monkeypatch):
    monkeypatch.setattr(tasks, "SHOWN", 1)
    answer, found = olga.get("/operator/tasks?user=Ann"), []
    while True:
        found += ids(answer)
        older = re.search(r'<a href="([^"]*)" rel="next">', answer.text)
        if not older:
            break
        answer = olga.get(older[1].replace("&amp;", "&"))
        assert '<a href="/operator/tasks?user=Ann">Newest</a>' in answer.text
    assert found == [several[name] for name in ("waiting", "done", "failed")]


def test_a_search_that_was_cut_says_so(several, olga, monkeypatch):
    monkeypatch.setattr(overview, "SEARCHED_MOST", 2)
    answer = olga.get("/operator/tasks?user=Ann")
    assert ids(answer) == [several["waiting"]]
    assert "there may be more that fit" in text_of(answer)
    rest = re.search(r'<a href="([^"]*)" rel="next">', answer.text)[1].replace("&amp;", "&")
    assert ids(olga.get(rest)) == [several["done"], several["failed"]]


# One task


def test_anybodys_task_is_told_with_its_story(service, ann, olga):
    task_id = ann.finished(b"x" * 4321)
    told = text_of(olga.get(f"/operator/tasks/{task_id}"))
    for words in ("Ready", f"Owner Ann, {ann.user_id}", f"batch task {BATCH}", "4.3 kB", "Created"):
        assert words in told
    assert f'href="/operator/tasks?project=p1&amp;user={ann.user_id}"' in (
        olga.get(f"/operator/tasks/{task_id}").text
    )


def test_a_file_that_a_newer_task_replaced_is_told(ann, olga):
    older, newer = ann.finished(), ann.finished()
    assert f"of {newer} , which replaced it" in text_of(olga.get(f"/operator/tasks/{older}"))


def test_a_frozen_task_is_told_and_can_be_deleted(service, ann, olga, vera):
    task_id = ann.create()
    recorder = service.household.log.recorder
    recorder.insert_events([StoredEvent(task_stream(task_id), 2, "task.unheard_of", b"{}")])
    path, before = f"/operator/tasks/{task_id}", service.story.head()
    told = text_of(olga.get(path))
    assert "This task is frozen: its event at position" in told
    assert "task.unheard_of" in text_of(olga.get("/operator/service"))
    assert "/delete" not in vera.get(path).text
    assert olga.post(f"{path}/delete").headers["location"] == path
    assert service.story.told(before) == ["task.evicted", "owner.released"]


# Log and tables


def test_the_log_and_the_tables_are_told(service, ann, olga):
    service.story.ledger.begin(OPERATOR)
    ann.create()
    told = text_of(olga.get("/operator/service"))
    position = service.house.queries.follower.position()
    assert f"Events {position.count}, up to position {position.position}" in told
    assert position.seal.root.hex() in told
    assert position.incarnation in told
    assert f"position {position.position}, the log's head" in told
    assert "Rebuild none is under way" in told
    assert "None: every event could be applied." in told
    assert "5 an owner at most" in told
    assert "one in 30 s an owner" in told


def test_a_rebuild_under_way_and_the_tables_before_the_last_are_told(service, olga):
    tables = service.house.queries.follower.tables
    name, database = tables.build()
    database.conn.close()
    assert "one is under way, or was killed" in text_of(olga.get("/operator/service"))
    tables.swap(name, keep=True)
    assert "the tables before the last one are kept" in text_of(olga.get("/operator/service"))


def test_the_last_checkpoint_and_what_is_wrong_are_told(service, olga):
    assert "signed none yet" in text_of(olga.get("/operator/service"))
    file = StateFile(service.settings.audit_state_file)
    file.state = AuditState(note=NOTE, size=3, at=NOON - timedelta(minutes=5))
    file.save()
    answer = olga.get("/operator/service")
    told = text_of(answer)
    assert "The last one 5 min ago" in told
    assert re.search(r"<pre [^>]*>(.*?)</pre>", answer.text, re.DOTALL)[1] == NOTE
    assert "It seals 3 events" in told
    file.state.altered = Trouble("the event at position 2", NOON)
    file.state.failing = Trouble("the disk is full", NOON)
    file.save()
    told = text_of(olga.get("/operator/service"))
    assert "not those that were signed" in told
    assert "Checkpoints cannot be kept: the disk is full" in told
