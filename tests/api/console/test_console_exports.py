"""My exports: the list, the form for a new one, what is done to one; each person's own alone."""

from __future__ import annotations

import json
import re

import pytest

from api.advice import ADVICE, UNKNOWN, advice
from api.console import creating, exports
from api.console.table import PAGES
from api.problems import PROBLEMS
from domain.commands import Progress
from exporter.sources.batches import Batches
from tests.facts import BATCH, LEASE
from tests.visitor import PASSWORD, signed_in, text_of
from tests.web_service import NOWHERE, TASKS

BATCHES = "iotda:batchtasks:queryList"


def ids(answer) -> list[str]:
    """The exports of a list, in its order."""
    return re.findall(r'<tr role="row" data-task="([0-9a-f]{24})"', answer.text)


def fail(service, task_id: str, code: str) -> None:
    claim = service.story.claim(service.story.ledger.task(task_id))
    service.story.ledger.fail(claim, code, "as the exporter says")


def test_an_empty_list_says_how_to_begin(page):
    answer = page.get()
    assert "Create your first export" in text_of(answer)
    assert answer.headers["cache-control"] == "no-store"


def test_the_list_tells_of_each_export_how_it_is_newest_first(service, ann, page):
    ready, failed = ann.finished(b"x" * 4321, "aaa"), ann.create("bbb")
    fail(service, failed, "IOTDA.014705")
    waiting = ann.create("ccc")
    answer = page.get()
    assert ids(answer) == [waiting, failed, ready]
    told = text_of(answer)
    for words in ("Waiting until an exporter is free", "The batch task is not there", "4.3 kB"):
        assert words in told
    assert "1 of 5 slots" in told
    assert "3 of 50 kept" in told
    assert "A download is possible now" in told
    assert f'href="/exports/{ready}/file"' in answer.text
    assert f'href="/exports/{failed}/file"' not in answer.text


def test_a_running_export_shows_its_rows_and_a_bar(service, ann, page):
    task_id = ann.create()
    claim = service.story.claim(service.story.ledger.task(task_id))
    service.story.ledger.progress(claim, LEASE, Progress(1200, 4800, 25))
    answer = page.get()
    assert "1 200 of 4 800 rows" in text_of(answer)
    assert '<progress max="100" value="25"' in answer.text
    assert "Running" in text_of(answer)


def test_an_export_is_called_by_its_batch_tasks_name_once_it_is_known(service, ann, page):
    task_id = ann.create()
    assert f"Batch task {BATCH}" in text_of(page.get())
    claim = service.story.claim(service.story.ledger.task(task_id))
    told = Progress(1200, 4800, 25, "Firmware <2.2.0>")
    service.story.ledger.progress(claim, LEASE, told)
    listed, shown = page.get(), page.get(f"/exports/{task_id}")
    assert f"Firmware <2.2.0> batch task {BATCH}, all apps" in text_of(listed)
    assert 'aria-label="Progress of the export of Firmware &lt;2.2.0&gt;"' in listed.text
    assert "Export of Firmware <2.2.0>" in text_of(shown)
    assert f"batch task {BATCH}" in text_of(shown)


def test_an_exporter_that_is_silent_for_half_its_lease_is_told(service, ann, page):
    task_id = ann.create()
    service.story.claim(service.story.ledger.task(task_id))
    service.story.clock.pass_by(seconds=LEASE / 2 - 1)
    for path in ("/", f"/exports/{task_id}"):
        assert "silent" not in text_of(page.get(path))
        assert 'data-again="1.0"' in page.get(path).text
    service.story.clock.pass_by(seconds=2)
    for path in ("/", f"/exports/{task_id}"):
        told = text_of(page.get(path))
        assert "Exporter silent" in told
        assert "another one takes over" in told


def test_the_filter_is_in_the_address(service, ann, page):
    service.app("p1", "line-1", default=True)
    service.app("p1", "line-2")
    ready, app = ann.finished(batch="aaa"), ann.create("bbb", app_type="APP", app_id="line-2")
    assert ids(page.get("/?state=Success&app=")) == [ready]
    assert ids(page.get("/?app=line-2")) == [app]
    assert ids(page.get("/?state=Success&app=line-2")) == []
    assert "No export fits this" in text_of(page.get("/?state=Failed"))
    assert '<option value="Success" selected>' in page.get("/?state=Success").text
    assert "app line-2 alone" in text_of(page.get())


def test_an_app_that_was_not_named_limits_and_is_shown_and_found_all_the_same(service, ann, page):
    service.app("p1", "line-1", default=True)
    service.app("p1", "line-2")
    limited = ann.create("aaa", app_type="APP")
    ann.create("bbb", app_id="line-1")  # GLOBAL: it limits nothing
    assert ids(page.get("/?app=line-1")) == [limited]
    assert "app line-1 alone" in text_of(page.get("/?app=line-1"))
    assert "app line-1 alone" in text_of(page.get(f"/exports/{limited}"))


@pytest.mark.parametrize("query", ["state=ready", "app=a%20b", "before=x", "state=Failed&state=x"])
def test_a_filter_that_cannot_be_is_told(page, query):
    assert page.get(f"/?{query}").status_code == 400


def test_pages_go_on_behind_the_last_one_shown(service, ann, page, monkeypatch):
    monkeypatch.setattr(exports, "SHOWN", 2)
    made = [ann.finished(batch=f"{number:x}") for number in range(5)][::-1]
    answer, found = page.get("/?state=Success"), []
    while True:
        found += ids(answer)
        older = re.search(r'<a href="([^"]*)" rel="next">', answer.text)
        if not older:
            break
        answer = page.get(older[1].replace("&amp;", "&"))
        assert '<a href="/?state=Success">Newest</a>' in answer.text
    assert found == made


def test_the_earliest_is_told_to_go_next_once_the_shelf_is_full(service, ann, page):
    service.story.limits(kept=2, unfinished=2)
    earliest = ann.finished(batch="aaa")
    assert "goes first" not in text_of(page.get())
    ann.finished(batch="bbb")
    service.story.limits(kept=5, unfinished=2)
    assert "goes first" not in text_of(page.get())  # that is far off
    service.story.limits(kept=3, unfinished=2)
    assert "the earliest: goes first at 3" in text_of(page.get())
    ann.finished(batch="ccc")
    (row,) = re.findall(rf'data-task="{earliest}".*?</tr>', page.get().text, re.DOTALL)
    assert "next to go" in row
    assert page.get().text.count("next to go") == 1


def test_what_is_left_until_the_next_download_is_told(service, ann, page):
    ann.download(ann.finished())
    service.story.clock.pass_by(seconds=10.5)
    answer = page.get()
    assert "Next download in 20 s" in text_of(answer)
    assert 'data-again="19.5"' in answer.text


def test_a_finished_export_tells_what_is_left_and_is_looked_at_again_when_it_is_over(
    service, ann, page
):
    task_id = ann.finished()
    ann.download(task_id)
    service.story.clock.pass_by(seconds=10.5)
    answer = page.get(f"/exports/{task_id}")
    assert "The next download is possible in 20 s" in text_of(answer)
    assert 'data-again="19.5"' in answer.text
    service.story.clock.pass_by(seconds=19.5)
    assert "data-again" not in page.get(f"/exports/{task_id}").text


# A new one


def test_with_batch_tasks_here_one_of_them_is_chosen(service, page, tmp_path):
    made = Batches(service.settings.source)
    chosen = made.generate("p1", 3)
    made.generate("p2", 3)
    made.close()
    answer = page.get("/exports/new")
    assert re.findall(r'name="task_id" value="([0-9a-f]+)"', answer.text) == [chosen]
    done = page.post("/exports", task_id=chosen)
    assert done.status_code == 303
    shown = page.get(done.headers["location"])
    assert f"Export of batch task {chosen}" in text_of(shown)


def test_batch_tasks_are_paged_by_their_ids(service, page, monkeypatch):
    monkeypatch.setattr(creating, "SHOWN", 2)
    made = Batches(service.settings.source)
    every = sorted((made.generate("p1", 1) for _ in range(3)), reverse=True)
    made.close()
    first = page.get("/exports/new")
    found = re.findall(r'name="task_id" value="([0-9a-f]+)"', first.text)
    assert found == every[:2]
    rest = page.get(f"/exports/new?before={found[-1]}")
    assert re.findall(r'name="task_id" value="([0-9a-f]+)"', rest.text) == every[2:]


def test_where_they_are_elsewhere_an_id_is_typed_in(service, page):
    object.__setattr__(service.house, "listing", None)  # as with a remote source
    assert 'name="other"' in page.get("/exports/new").text
    done = page.post("/exports", other=f" {BATCH.upper()} ")
    assert done.status_code == 303
    assert f"Export of batch task {BATCH}" in text_of(page.get(done.headers["location"]))


def test_while_the_source_is_away_an_id_can_be_typed_in_all_the_same(page):
    answer = page.get("/exports/new")
    assert answer.status_code == 200
    assert "does not answer now" in text_of(answer)
    assert page.post("/exports", other=BATCH).status_code == 303


def test_an_export_can_be_limited_to_an_app(service, ann, page):
    service.app("p1", "line-1")
    assert '<option value="line-1">' in page.get("/exports/new").text
    done = page.post("/exports", other=BATCH, app="line-1")
    (task,) = ann.get().json()["export_tasks"]
    assert (task["app_type"], task["app_id"]) == ("APP", "line-1")
    assert "app line-1 alone" in text_of(page.get(done.headers["location"]))


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({}, 400, "must be chosen"),
        ({"other": "not hex"}, 400, "0-9 and a-f"),
        ({"other": BATCH, "app": "a b"}, 400, "app_id"),
        ({"other": BATCH, "app": "unknown"}, 403, "application does not exist"),
    ],
)
def test_a_create_that_cannot_be_is_told(ann, page, fields, status, words):
    answer = page.post("/exports", **fields)
    assert answer.status_code == status
    assert words in text_of(answer)
    assert ann.get().json()["export_tasks"] == []


def test_the_sixth_unfinished_one_is_refused_on_a_page_that_says_what_to_do(ann, page):
    for number in range(5):
        assert page.post("/exports", other=f"{number}").status_code == 303
    answer = page.post("/exports", other="5")
    assert answer.status_code == 403
    assert "delete one that you do not need" in text_of(answer)
    again = page.get("/exports")
    assert (again.status_code, again.headers["location"]) == (303, "/")
    assert len(ann.get().json()["export_tasks"]) == 5


# One of them


def test_the_file_comes_as_the_api_gives_it_and_counts_as_a_download(service, ann, page):
    task_id = ann.finished(b"workbook")
    answer = page.get(f"/exports/{task_id}/file")
    assert answer.content == b"workbook"
    assert answer.headers["content-disposition"].startswith("attachment; filename=")
    refused = page.get(f"/exports/{task_id}/file")
    assert refused.status_code == 403
    assert refused.headers["retry-after"] == "30"
    assert "try again in 30 s" in text_of(refused)
    assert ann.download(task_id).status_code == 403


def test_a_page_elsewhere_takes_nobodys_download(ann, page):
    path = f"/exports/{ann.finished(b'workbook')}/file"
    for site in ("cross-site", "same-site"):
        refused = page.get(path, **{"sec-fetch-site": site})
        assert refused.status_code == 403
        assert "begin at the export's page" in text_of(refused)
    for site in ("same-origin", "none"):
        assert page.get(path, **{"sec-fetch-site": site}).status_code in (200, 403)
    assert page.get(path, **{"sec-fetch-site": "none"}).headers["retry-after"] == "30"


def test_without_a_file_the_download_says_so(ann, page):
    answer = page.get(f"/exports/{ann.create()}/file")
    assert answer.status_code == 403
    assert "There is no file" in text_of(answer)


def test_a_delete_and_the_same_click_again_lead_to_the_list(ann, page):
    task_id = ann.finished()
    for _ in range(2):
        answer = page.post(f"/exports/{task_id}/delete")
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert ids(page.get()) == []


def test_a_deleted_export_has_a_page_that_says_when(ann, page):
    task_id = ann.finished()
    page.post(f"/exports/{task_id}/delete")
    answer = page.get(f"/exports/{task_id}")
    assert answer.status_code == 410
    assert "It was deleted, 2026-11-24 12:00:00 UTC" in text_of(answer)


def test_an_export_that_is_gone_says_its_batch_tasks_name_where_it_was_told(service, ann, page):
    told, untold = ann.create(), ann.create()
    claim = service.story.claim(service.story.ledger.task(told))
    service.story.ledger.progress(claim, LEASE, Progress(batch_name="Meters <hall 3>"))
    for task_id, words in ((told, "Meters <hall 3>, batch task"), (untold, "batch task")):
        page.post(f"/exports/{task_id}/delete")
        assert f"It exported {words} {BATCH} ." in text_of(page.get(f"/exports/{task_id}"))


def test_an_evicted_export_has_a_page_that_says_when_and_for_which_newer_one(service, ann, page):
    service.story.limits(kept=1, unfinished=1)
    first, second = ann.finished(batch="aaa"), ann.create("bbb")
    answer = page.get(f"/exports/{first}")
    assert answer.status_code == 410
    assert f'<a href="/exports/{second}">' in answer.text
    assert "2026-11-24 12:00:00 UTC" in text_of(answer)
    gone = page.post(f"/exports/{first}/delete")
    assert gone.status_code == 404


@pytest.mark.parametrize("task_id", [NOWHERE, "x", "..%2F"])
def test_what_never_was_is_a_page_that_says_so(page, task_id):
    answer = page.get(f"/exports/{task_id}")
    assert answer.status_code == 404
    assert "There is no such export" in text_of(answer)


CODES = sorted({problem.code for problem in PROBLEMS if problem.status is None})


@pytest.mark.parametrize("code", CODES)
def test_a_failed_export_says_why_and_what_to_do_and_can_be_created_again(service, ann, page, code):
    task_id = ann.create()
    fail(service, task_id, code)
    told = text_of(page.get(f"/exports/{task_id}"))
    assert ADVICE[code].why in told
    assert ADVICE[code].todo in told
    assert "as the exporter says" in told
    again = page.post("/exports", other=BATCH)
    assert again.status_code == 303


def test_there_is_advice_for_each_code_of_a_failed_task_and_for_no_other():
    assert sorted(ADVICE) == CODES
    assert advice("IOTDA.9") == advice(None) == UNKNOWN


def test_a_file_that_a_newer_export_replaced_is_told(ann, page):
    older, newer = ann.finished(b"old"), ann.finished(b"new")
    told = page.get(f"/exports/{older}")
    assert "has replaced the file" in text_of(told)
    assert f'<a href="/exports/{newer}">' in told.text
    assert "has replaced" not in text_of(page.get(f"/exports/{newer}"))


# Whose they are


@pytest.fixture
def ben(service):
    """Somebody else in the same project, an admin too."""
    service.client("Ben", password=PASSWORD)
    return signed_in(service, "Ben")


def test_another_users_export_is_as_if_it_did_not_exist(service, ann, page, ben):
    task_id = ann.finished()
    page.get(f"/exports/{task_id}/file")
    for method, path in (
        ("GET", f"/exports/{task_id}"),
        ("GET", f"/exports/{task_id}/file"),
        ("POST", f"/exports/{task_id}/delete"),
    ):
        answer = ben.ask(method, path, {"origin": "http://localhost"})
        assert answer.status_code == 404
        assert "no-store" in answer.headers["cache-control"]
    assert ids(ben.get()) == []
    assert ann.get(f"{TASKS}/{task_id}").status_code == 200
    page.post(f"/exports/{task_id}/delete")
    assert ben.get(f"/exports/{task_id}").status_code == 404


def policy(*actions: str) -> str:
    statement = {"Effect": "Allow", "Action": list(actions)}
    return json.dumps({"Version": "1.1", "Statement": [statement]})


NEEDED = {
    ("GET", "/"): "iotda:exporttasks:queryList",
    ("GET", "/live"): "iotda:exporttasks:queryList",
    ("GET", "/exports/new"): "iotda:exporttasks:create",
    ("POST", "/exports"): "iotda:exporttasks:create",
    ("GET", "/exports/{export_task_id}"): "iotda:exporttasks:query",
    ("GET", "/exports/{export_task_id}/file"): "iotda:exporttasks:query",
    ("POST", "/exports/{export_task_id}/delete"): "iotda:exporttasks:delete",
}


def test_each_page_needs_the_permission_of_the_call_that_does_the_same(service, ann):
    made = ann.finished()
    for action in {*NEEDED.values()}:
        name = action.rpartition(":")[2]
        service.client(name, admin=False, policy=policy(action), password=PASSWORD)
        visitor = signed_in(service, name)
        for (method, path), needed in NEEDED.items():
            if needed == action:
                continue
            answer = visitor.ask(
                method, path.replace("{export_task_id}", made), {"origin": "http://localhost"}
            )
            assert answer.status_code == 403, (method, path, action)
            assert "You may not do this" in text_of(answer)


def test_every_private_page_stands_in_the_table_of_permissions():
    found = {(each.method, each.path): each.permission for each in PAGES if not each.open}
    assert found == NEEDED


def test_batch_tasks_are_listed_only_for_who_may_list_them(service, ann):
    made = Batches(service.settings.source)
    made.generate("p1", 1)
    made.close()
    service.client(
        "Cleo", admin=False, policy=policy("iotda:exporttasks:create"), password=PASSWORD
    )
    assert "made up" not in signed_in(service, "Cleo").get("/exports/new").text
    both = policy("iotda:exporttasks:create", BATCHES)
    service.client("Dan", admin=False, policy=both, password=PASSWORD)
    assert "made up" in signed_in(service, "Dan").get("/exports/new").text


def test_buttons_are_shown_to_who_may_press_them(service, ann):
    may = policy("iotda:exporttasks:query", "iotda:exporttasks:create")
    service.client("Eve", admin=False, policy=may, password=PASSWORD)
    eve = signed_in(service, "Eve")
    answer = eve.get(eve.post("/exports", other=BATCH).headers["location"])
    assert answer.status_code == 200
    assert "Delete this export" not in answer.text
