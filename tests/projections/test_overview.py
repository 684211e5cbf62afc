"""What operators are told of everybody's exports."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.commands import Progress
from domain.conditions import OwnerId
from projections import overview as overview_module
from projections.overview import DAYS, HOURS, Overview, Wanted
from projections.rows import Activity, Failures, Seen
from tests.facts import ANN, BEN, LEASE, NOON

NO_SOURCE, NO_BATCH = "IOTDA.014706", "IOTDA.014705"


@pytest.fixture
def overview(node):
    """The operators' questions."""
    return Overview(node.follower)


def fail(story, task, code=NO_SOURCE):
    story.ledger.fail(story.claim(task), code, "no")


def hour(hours, name):
    """What one of the hours saw."""
    (found,) = [each for each in hours if each.hour == name]
    return found


def ids(tasks):
    """Their ids."""
    return [task.task_id for task in tasks]


# Tasks by status


def test_of_an_empty_log_there_is_nothing_to_tell(node, overview):
    assert node.queries.activity() == Activity(0, 0, 0, 0)
    assert overview.hours(NOON) == [
        Seen((NOON - timedelta(hours=ago)).isoformat()[:13]) for ago in range(HOURS - 1, -1, -1)
    ]
    assert (overview.failures(NOON), overview.under_way(), overview.line(9)) == ([], [], [])
    assert overview.oldest() is None
    assert overview.search(Wanted(), 10).tasks == []


def test_tasks_are_counted_by_what_they_are_at(node, story):
    waiting, running, released, done, failed = (story.create(batch=each) for each in "abcde")
    story.claim(running)
    story.ledger.hand_back(story.claim(released), "shutdown")
    story.complete(done)
    fail(story, failed)
    assert node.queries.activity() == Activity(processing=3, success=1, failure=1, running=1)
    assert node.queries.waiting() == 2
    for task in (waiting, running, released, done, failed):
        story.delete(task)
    assert node.queries.activity() == Activity(0, 0, 0, 0)


def test_a_task_that_is_claimed_again_runs_once(node, story):
    task = story.create()
    story.claim(task, "e1")
    story.claim(task, "e2")
    assert node.queries.activity() == Activity(1, 0, 0, 1)


# Hours


def test_an_hour_counts_what_it_saw(overview, story):
    tasks = [story.create(batch=each) for each in "abc"]
    story.complete(tasks[0], rows=300)
    fail(story, tasks[1])
    story.grant(tasks[0])
    story.delete(tasks[2])
    seen = Seen("2026-11-24T12", created=3, completed=1, failed=1, removed=1, downloads=1, rows=300)
    assert overview.hours(NOON)[-1] == seen


def test_hours_that_are_over_stay_for_a_day(overview, story):
    story.create()
    story.clock.pass_by(hours=1)
    story.create()
    hours = overview.hours(story.clock())
    assert [each.created for each in hours[-3:]] == [0, 1, 1]
    story.clock.pass_by(hours=22)
    story.create()
    hours = overview.hours(story.clock())
    assert (len(hours), hours[0].hour, hours[0].created) == (HOURS, "2026-11-24T12", 1)
    story.clock.pass_by(hours=1)
    hours = overview.hours(story.clock())
    assert (hours[0].hour, hours[0].created) == ("2026-11-24T13", 1)


def test_a_day_later_an_hour_takes_the_row_of_another(node, overview, story):
    story.create()
    for _ in range(24):
        story.clock.pass_by(hours=1)
        story.delete(story.create())
    assert len(node.rows("hours")) == HOURS
    assert hour(overview.hours(story.clock()), "2026-11-25T12").created == 1
    story.clock.pass_by(hours=1)
    story.create()
    assert len(node.rows("hours")) == HOURS
    assert all(each.created == 1 for each in overview.hours(story.clock()))


def test_clocks_that_differ_about_the_hour_lose_nothing(overview, story):
    for minutes in (-1, 1, -1, 1):
        story.clock.now = NOON + timedelta(minutes=minutes)
        story.create(batch="a" if minutes < 0 else "b")
    hours = overview.hours(NOON)
    assert [each.created for each in hours[-2:]] == [2, 2]


# Failures


def test_failures_are_counted_by_day_and_code(overview, story):
    tasks = [story.create(batch=each) for each in "abc"]
    fail(story, tasks[0])
    fail(story, tasks[1], NO_BATCH)
    fail(story, tasks[2])
    story.clock.pass_by(days=1)
    later = story.create()
    fail(story, later)
    assert overview.failures(story.clock()) == [
        Failures("2026-11-25", NO_SOURCE, 1, later.task_id),
        Failures("2026-11-24", NO_SOURCE, 2, tasks[2].task_id),
        Failures("2026-11-24", NO_BATCH, 1, tasks[1].task_id),
    ]


def test_failures_of_long_ago_are_not_told(overview, story):
    fail(story, story.create())
    assert len(overview.failures(NOON + timedelta(days=DAYS - 1))) == 1
    assert overview.failures(NOON + timedelta(days=DAYS)) == []


def test_a_month_later_a_day_takes_the_row_of_another(node, overview, story):
    fail(story, story.create())
    story.clock.now = NOON + timedelta(days=30)  # November's 24th and December's are one row
    task = story.create()
    fail(story, task)
    assert overview.failures(story.clock()) == [Failures("2026-12-24", NO_SOURCE, 1, task.task_id)]
    assert len(node.rows("failures")) == 1


# The queue


def test_what_exporters_are_at_says_since_when_and_how_far(overview, story):
    first, second = story.create(batch="a"), story.create(BEN, batch="b")
    story.clock.pass_by(seconds=5)
    story.claim(second, "e2")
    claim = story.claim(first, "e1")
    story.clock.pass_by(seconds=5)
    story.ledger.progress(claim, LEASE, Progress(500, 1000, 45))
    one, other = overview.under_way()
    assert (one.task_id, one.owner, one.exporter) == (first.task_id, ANN, "e1")
    assert (one.rows, one.total, one.progress, one.attempt) == (500, 1000, 45, 1)
    assert (one.claimed_at, one.heard_at) == (
        NOON + timedelta(seconds=5),
        NOON + timedelta(seconds=10),
    )
    assert (other.task_id, other.exporter, other.heard_at) == (
        second.task_id,
        "e2",
        NOON + timedelta(seconds=5),
    )


def test_who_waits_stands_in_the_order_of_turns_and_says_what_for(overview, story):
    tasks = [story.create(batch=each) for each in "abc"] + [story.create(BEN)]
    story.claim(tasks[0])
    story.ledger.hand_back(story.claim(tasks[1]), "the source", wait=4.0, fault=True)
    line = overview.line(10)
    assert ids(line) == [tasks[3].task_id, tasks[1].task_id, tasks[2].task_id]
    assert [(each.wait, each.reason) for each in line] == [
        (0.0, None),
        (4.0, "the source"),
        (0.0, None),
    ]
    assert ids(overview.line(2)) == ids(line[:2])


def test_the_oldest_that_waits_is_not_one_that_runs(overview, story):
    tasks = [story.create(batch=each) for each in "abc"]
    story.claim(tasks[0])
    story.complete(tasks[1])
    assert overview.oldest().task_id == tasks[2].task_id
    story.complete(tasks[2])
    assert overview.oldest() is None


# Anybody's tasks


@pytest.fixture
def tasks(story):
    """Ann's: unfinished, failed in two ways, done; Ben's; and Ann's in another project."""
    found = {}
    for name in "wrfgdbe":
        owner = {"b": BEN, "e": OwnerId("p2", ANN.user_id)}.get(name, ANN)
        story.clock.pass_by(milliseconds=1)
        found[name] = story.create(owner, batch=str(len(found)))
    story.claim(found["r"])
    fail(story, found["f"])
    fail(story, found["g"], NO_BATCH)
    story.complete(found["d"])
    return found


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, "wrfgdbe"),
        ({"project_id": "p1"}, "wrfgdb"),
        ({"user_id": "ann"}, "wrfgde"),
        ({"project_id": "p1", "user_id": "ann"}, "wrfgd"),
        ({"project_id": "p1", "user_id": "ann", "status": "Failed"}, "fg"),
        ({"status": "Processing"}, "wrbe"),
        ({"status": "Processing", "project_id": "p2"}, "e"),
        ({"status": "Success"}, "d"),
        ({"status": "Failed"}, "fg"),
        ({"error_code": NO_BATCH}, "g"),
        ({"status": "Failed", "error_code": NO_SOURCE}, "f"),
        ({"status": "Success", "error_code": NO_SOURCE}, ""),
        ({"project_id": "p3"}, ""),
    ],
)
def test_tasks_are_found_by_what_is_wanted_of_them(overview, tasks, wanted, found):
    newest_first = sorted((tasks[name].task_id for name in found), reverse=True)
    search = overview.search(Wanted(**wanted), 10)
    assert (ids(search.tasks), search.marker, search.cut) == (newest_first, None, False)
    pages, marker = [], "f" * 24
    while marker:
        page = overview.search(Wanted(**wanted), 1, marker)
        pages, marker = pages + ids(page.tasks), page.marker
    assert pages == newest_first


def test_a_page_that_is_just_full_is_the_last(overview, tasks):
    assert overview.search(Wanted(), 7).marker is None
    page = overview.search(Wanted(), 6)
    assert (page.marker, page.cut) == (page.tasks[-1].task_id, False)


@pytest.mark.parametrize(
    ("wanted", "found"), [({}, "eb"), ({"status": "Processing"}, "eb"), ({"user_id": "ann"}, "e")]
)
def test_a_search_that_was_cut_says_so_and_where_to_go_on(
    monkeypatch, overview, tasks, wanted, found
):
    monkeypatch.setattr(overview_module, "SEARCHED_MOST", 2)
    search = overview.search(Wanted(**wanted), 10)
    assert ids(search.tasks) == [tasks[name].task_id for name in found]
    assert (search.marker, search.cut) == (tasks["b"].task_id, True)


def test_a_search_cut_at_the_very_end_finds_nothing_more(monkeypatch, overview, tasks):
    monkeypatch.setattr(overview_module, "SEARCHED_MOST", 7)
    search = overview.search(Wanted(), 10)
    assert search.cut
    rest = overview.search(Wanted(), 10, search.marker)
    assert (rest.tasks, rest.marker, rest.cut) == ([], None, False)


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        ({}, "idx_tasks_task_id"),
        ({"user_id": "ann"}, "idx_tasks_task_id"),
        ({"project_id": "p1", "user_id": "ann"}, "idx_tasks_project_id_user_id_task_id"),
        ({"status": "Processing"}, "unfinished"),
        ({"error_code": NO_SOURCE}, "failed"),
    ],
)
def test_a_search_asks_an_index_and_sorts_nothing_but_what_it_found(
    node, overview, tasks, wanted, index
):
    planned = []
    with node.follower.once(), node.follower.caught_up() as database:  # the one that is asked
        database.conn.set_trace_callback(planned.append)
        overview.search(Wanted(**wanted), 10)
        database.conn.set_trace_callback(None)
    queries = [each for each in planned if "FROM tasks" in each]
    assert len(queries) == 2, "the tasks, and where the search ended"
    with node.follower.caught_up() as database:
        for query in queries:
            plan = [row["detail"] for row in database.execute(f"EXPLAIN QUERY PLAN {query}")]
            on_tasks = [step for step in plan if " tasks " in f"{step} "]
            assert on_tasks
            assert all(f" {index} " in f"{step} " for step in on_tasks), plan
