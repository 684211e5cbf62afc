"""What the read side answers after what has happened."""

from __future__ import annotations

import pytest

from domain.commands import CompleteTask, Progress
from domain.conditions import OwnerId
from projections import queries as queries_module
from projections.registry import text
from projections.rows import Activity, QuotaRow
from tests.facts import ANN, BEN, LEASE, NOON, a_file


def ids(tasks):
    """Their ids."""
    return [task.task_id for task in tasks]


def test_a_created_task_is_there_at_once(node, story):
    task = story.create(app_id="a1", instance_id="i1")
    row = node.queries.task(ANN, task.task_id)
    assert (row.status, row.rows, row.total, row.progress) == ("Processing", 0, None, 1)
    assert (row.created_at, row.ended_at, row.owner) == (text(NOON), None, ANN)
    assert (row.app_id, row.instance_id, row.attempt, row.held) == ("a1", "i1", 0, False)
    assert row.conditions == task.conditions.digest(ANN)


def test_progress_shows(node, story):
    task = story.create()
    claim = story.claim(task)
    story.ledger.progress(claim, LEASE, Progress(500, 1000, 45))
    row = node.queries.any_task(task.task_id)
    assert (row.rows, row.total, row.progress) == (500, 1000, 45)
    assert (row.attempt, row.exporter, row.held, row.lease) == (1, "e1", True, LEASE)
    assert row.version == 3


def test_a_batch_tasks_name_shows_once_it_was_told(node, story):
    task = story.create()
    claim = story.claim(task)
    assert node.queries.any_task(task.task_id).batch_name is None
    for told, shown in (("Firmware", "Firmware"), (None, "Firmware"), ("Renamed", "Renamed")):
        story.ledger.progress(claim, LEASE, Progress(1, 10, 9, told))
        assert node.queries.any_task(task.task_id).batch_name == shown
    story.complete(task)
    assert node.queries.any_task(task.task_id).batch_name == "Renamed"
    other = story.create()
    claim = story.claim(other)
    story.ledger.complete(CompleteTask(claim, a_file(other, claim), 10, "Firmware"))
    assert node.queries.any_task(other.task_id).batch_name == "Firmware"


def test_a_hand_back_shows(node, story):
    task = story.create()
    story.ledger.hand_back(story.claim(task), "source", wait=4.0, fault=True)
    row = node.queries.any_task(task.task_id)
    assert (row.held, row.wait) == (False, 4.0)


def test_success_shows_with_its_file(node, story):
    task = story.create()
    story.clock.pass_by(seconds=5)
    file = story.complete(task)
    row = node.queries.task(ANN, task.task_id)
    assert (row.status, row.progress, row.rows, row.total) == ("Success", 100, 10, 10)
    assert row.ended_at == text(story.clock())
    current = node.queries.current_file(row.conditions)
    assert (current.key, current.sha256, current.task_id) == (file.key, "ab" * 32, task.task_id)
    assert current.superseded_at is None
    assert node.queries.file(file.key) == current


def test_failure_shows_why(node, story):
    task = story.create()
    story.ledger.fail(story.claim(task), "IOTDA.014705", "No such batch task.")
    row = node.queries.task(ANN, task.task_id)
    assert (row.status, row.error_code) == ("Failed", "IOTDA.014705")
    assert row.error_msg == "No such batch task."


def test_a_task_is_its_owners_alone(node, story):
    task = story.create()
    assert node.queries.task(BEN, task.task_id) is None
    assert node.queries.tasks(BEN).tasks == []


def test_lists_are_newest_first_with_marker_offset_and_limit(node, story):
    story.limits(100, 100)
    tasks = [story.create() for _ in range(12)]
    story.clock.pass_by(seconds=1)
    story.create(BEN)
    newest = ids(reversed(tasks))
    page = node.queries.tasks(ANN)
    assert (ids(page.tasks), page.count) == (newest[:10], 12)
    assert ids(node.queries.tasks(ANN, marker=newest[9]).tasks) == newest[10:]
    assert ids(node.queries.tasks(ANN, offset=3, limit=2).tasks) == newest[3:5]
    assert node.queries.tasks(ANN, marker=newest[9], offset=1, limit=1).count == 12
    assert ids(node.queries.all_tasks()) == ids(node.queries.tasks(BEN).tasks) + newest
    assert ids(node.queries.all_tasks("p1", "ben")) == ids(node.queries.tasks(BEN).tasks)


@pytest.mark.parametrize(
    "filters",
    [
        {"resource_condition": '{"task_id":"ab"}'},
        {"app_type": "APP"},
        {"app_id": "a1"},
        {"status": "Success"},
    ],
)
def test_lists_can_be_filtered(node, story, filters):
    story.create()
    wanted = story.create(batch="ab", app_type="APP", scope="a1", app_id="a1")
    story.complete(wanted)
    page = node.queries.tasks(ANN, resource_type="BatchTask", **filters)
    assert (ids(page.tasks), page.count) == ([wanted.task_id], 1)


def test_the_quota_counts(node, story):
    tasks = [story.create() for _ in range(4)]
    story.complete(tasks[0])
    story.ledger.fail(story.claim(tasks[1]), "IOTDA.014705", "no")
    story.delete(tasks[2])
    story.grant(tasks[0])
    quota = node.queries.quota(ANN)
    assert (quota.kept, quota.unfinished, quota.last_download) == (3, 1, NOON)
    assert node.queries.quota(BEN) == QuotaRow(*BEN, 0, 0, 0, 0, None)
    assert node.queries.activity() == Activity(1, 1, 1, 0)


def test_a_newer_file_replaces_the_older_for_all(node, story):
    first, second = story.create(), story.create()
    old = story.complete(first)
    story.clock.pass_by(minutes=1)
    new = story.complete(second)
    conditions = first.conditions.digest(ANN)
    assert node.queries.current_file(conditions).key == new.key
    assert node.queries.file(old.key).superseded_at == story.clock()


def test_an_older_task_that_finishes_later_replaces_nothing(node, story):
    first, second = story.create(), story.create()
    new = story.complete(second)
    late = story.complete(first)
    assert node.queries.current_file(first.conditions.digest(ANN)).key == new.key
    assert node.queries.file(late.key).superseded_at == NOON


def test_the_current_file_outlives_its_own_task(node, story):
    first, second = story.create(), story.create()
    old, new = story.complete(first), story.complete(second)
    story.delete(second)
    assert node.queries.current_file(first.conditions.digest(ANN)).key == new.key
    story.delete(first)
    assert node.queries.current_file(first.conditions.digest(ANN)) is None
    assert node.queries.file(old.key) is None
    assert node.queries.file(new.key) is None


def test_the_current_file_of_a_removed_task_goes_when_a_newer_one_comes(node, story):
    tasks = [story.create() for _ in range(3)]
    files = [story.complete(task) for task in tasks[:2]]
    story.delete(tasks[1])
    newest = story.complete(tasks[2])
    assert node.queries.file(files[1].key) is None
    assert node.queries.file(files[0].key).superseded_at == NOON
    assert node.queries.current_file(tasks[0].conditions.digest(ANN)).key == newest.key


def test_owners_are_served_in_turn(node, story):
    anns = [story.create(ANN) for _ in range(3)]
    story.clock.pass_by(seconds=1)
    bens = [story.create(BEN)]
    assert ids(node.queries.work())[0] == anns[0].task_id
    story.complete(anns[0])
    assert ids(node.queries.work()) == ids([bens[0], anns[1], anns[2]])
    assert place(node, anns[1]) == 2


def test_an_owner_with_a_running_export_waits_behind_one_without(node, story):
    anns = [story.create(ANN) for _ in range(2)]
    story.create(BEN)
    story.complete(story.create(BEN))
    story.claim(anns[0])
    assert [task.owner for task in node.queries.work()] == [ANN, BEN, ANN]
    assert place(node, anns[0]) is None


def place(node, task):
    return node.queries.queue_position(node.queries.any_task(task.task_id))


def test_places_are_those_of_the_order_in_which_exporters_look(node, story):
    story.limits(50, 50)
    for seed in range(12):
        task = story.create(ANN if seed % 3 else BEN)
        if seed % 4 == 1:
            story.claim(task)
        held, waiting = split(node.queries.work())
        assert [*held, *waiting] == list(node.queries.work())
        assert node.queries.waiting() == len(waiting)
        assert node.queries.running() == len(held)
        places = [node.queries.queue_position(each) for each in waiting]
        assert places == list(range(1, len(waiting) + 1))


def split(work):
    rows = list(work)
    return [row for row in rows if row.held], [row for row in rows if not row.held]


def test_a_line_of_any_length_is_read_to_its_end(node, story, monkeypatch):
    monkeypatch.setattr(queries_module, "LINE_PAGE", 2)
    wanted = []
    for number in range(5):
        assert ids(node.queries.work()) == wanted
        wanted.append(story.create(OwnerId("p1", f"user{number}")).task_id)


def test_a_task_that_is_claimed_while_others_are_looked_at_is_not_passed_over(node, story):
    story.claim(ben := story.create(BEN))
    ann = story.create(ANN)
    work = node.queries.work()
    assert next(work).task_id == ben.task_id
    story.claim(ann)
    assert ids(work) == ids([ann])


def test_who_was_never_served_stands_behind_all_that_were_by_then(node, story):
    story.complete(story.create(ANN))
    ben = story.create(BEN)
    ann = story.create(ANN)
    assert ids(node.queries.work()) == ids([ann, ben])
    story.claim(ann)
    story.create(ANN)
    assert [task.owner for task in node.queries.work() if not task.held] == [BEN, ANN]


def test_a_place_in_a_long_line_is_found_by_the_index(node):
    with node.follower.caught_up() as database:
        for query in ("_OWNERS_BEFORE", "LINE"):
            asked = getattr(queries_module, query).format(
                waiting=queries_module.WAITING, columns="task_id"
            )
            values = ["x"] * asked.count("?")
            plan = database.execute(f"EXPLAIN QUERY PLAN {asked}", values).fetchall()
            assert "INDEX line" in plan[0]["detail"], plan


def test_what_exporters_work_on_is_found_by_the_index(node):
    with node.follower.caught_up() as database:
        plan = database.execute(f"EXPLAIN QUERY PLAN {queries_module._HELD}").fetchall()
        assert "INDEX unfinished" in plan[0]["detail"], plan
