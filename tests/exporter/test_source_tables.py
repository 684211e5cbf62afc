"""Reading batch tasks from tables of somebody's own, in SQLite and in PostgreSQL."""

from __future__ import annotations

from itertools import chain

import pytest

from exporter.sources import BatchTask, open_source
from exporter.sources.listing import Listing, id_of
from tests.own_tables import failure_of, in_postgres, in_sqlite


@pytest.fixture(params=["sqlite", "postgresql"])
def own(request, tmp_path):
    """Somebody's own tables."""
    if request.param == "sqlite":
        own = in_sqlite(tmp_path)
    else:
        own = in_postgres(request.getfixturevalue("database"))
    yield own
    own.close()


@pytest.fixture
def source(own):
    return open_source(own.url)


def targets(pages):
    return [row[0] for row in chain.from_iterable(pages)]


def test_a_batch_task_is_found_in_its_project_and_app_alone(source):
    found = source.find("p", "a1", "app")
    assert found == source.find("p", "a1", None)
    assert found == BatchTask(
        "a1", "p", "app", "name", "createCommands", "Success", "2026-01-31T23:59:59.000Z", 0
    )
    assert source.find("p", "a1", "other") is None
    assert source.find("q", "a1", None) is None
    assert source.find("p", "a2", None) is None


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("status", "success"),
        ("status", None),
        ("create_time", "yesterday"),
        ("create_time", None),
        ("create_time", "0001-01-01T00:00:00+14:00"),
    ],
)
def test_a_batch_task_that_cannot_be_understood_is_a_lasting_failure(own, source, column, value):
    own.execute(f"UPDATE batch_tasks SET {column} = ?", value)
    failure = failure_of(lambda: source.find("p", "a1", None))
    assert f"batch_tasks.{column}" in str(failure)
    assert not failure.passing


def test_two_batch_tasks_of_one_id_are_a_failure(own, source):
    own.execute("INSERT INTO batch_tasks SELECT * FROM batch_tasks")
    assert "two batch tasks" in str(failure_of(lambda: source.find("p", "a1", None)))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5])
def test_pages_are_full_but_for_the_last_and_lose_nothing(own, source, count):
    own.put(*range(count))
    own.put(1, 2, 3, task_id="a2")
    pages = list(source.pages("a1", 2))
    assert targets(pages) == [f"d{seq}" for seq in range(count)]
    assert [len(page) for page in pages] == [2] * (count // 2) + [1] * (count % 2)
    assert source.count("a1") == count


def test_the_order_is_that_of_seq_whatever_its_numbers(own, source):
    ends = (2**63 - 1, 7, -5, -(2**63), 0)
    own.put(*ends)
    assert targets(source.pages("a1", 2)) == [f"d{seq}" for seq in sorted(ends)]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_seq_that_occurs_twice_is_a_failure_even_across_pages(own, source, size):
    own.put(1, 2, 2, 3)
    failure = failure_of(lambda: list(source.pages("a1", size)))
    assert "twice" in str(failure)
    assert not failure.passing


def test_a_seq_that_is_no_integer_is_a_failure(own, source):
    own.put(1, None)
    assert "integer" in str(failure_of(lambda: list(source.pages("a1"))))


def test_a_view_is_as_good_as_a_table(own, source):
    own.put(1, 2)
    for name in ("batch_tasks", "batch_task_details"):
        own.execute(f"ALTER TABLE {name} RENAME TO their_{name}")
        own.execute(f"CREATE VIEW {name} AS SELECT * FROM their_{name}")
    assert source.find("p", "a1", "app").total == 2
    assert targets(source.pages("a1")) == ["d1", "d2"]


def test_missing_tables_and_columns_are_named(own, source):
    own.execute("ALTER TABLE batch_task_details DROP COLUMN error_msg")
    assert "error_msg" in str(failure_of(lambda: list(source.pages("a1"))))
    own.execute("DROP TABLE batch_task_details")
    failure = failure_of(source.check)
    assert "batch_task_details" in str(failure)
    assert not failure.passing


def test_a_locked_source_is_a_passing_failure(own, source, monkeypatch):
    monkeypatch.setattr("exporter.sources.sql.BUSY_SECONDS", 0.01)
    monkeypatch.setattr("exporter.sources.postgres.LOCK_SECONDS", 0.01)
    own.lock()
    failure = failure_of(lambda: list(source.pages("a1")))
    own.unlock()
    assert "locked" in str(failure)
    assert failure.passing
    assert list(source.pages("a1")) == []


def test_a_reader_holds_back_no_writer_between_two_pages(own, source):
    own.put(1, 2, 3)
    pages = source.pages("a1", 1)
    read = next(pages)
    own.lock()
    own.unlock()
    own.put(4)
    assert targets([read, *pages]) == ["d1", "d2", "d3", "d4"]


def test_a_reading_that_is_left_half_way_lets_go(own, source):
    own.put(1, 2, 3)
    pages = source.pages("a1", 1)
    next(pages)
    pages.close()
    own.lock()
    own.unlock()


def test_nothing_is_written_by_a_reading(own, source):
    reading = source.reading()
    failure = failure_of(lambda: reading.rows("DELETE FROM batch_tasks RETURNING task_id"))
    reading.close()
    assert "read" in str(failure)
    assert own.execute("SELECT count(*) FROM batch_tasks") == [(1,)]


def test_all_batch_tasks_are_told_the_newest_first(own, source):
    values = ("a2", "q", None, "n", "t", "Processing", "20260201T000000Z")
    own.execute("INSERT INTO batch_tasks VALUES (?, ?, ?, ?, ?, ?, ?)", *values)
    own.put(1, 2)
    assert [(each.task_id, each.total) for each in source.tasks()] == [("a2", 0), ("a1", 2)]
    assert [each.task_id for each in source.tasks("p")] == ["a1"]
    assert [each.task_id for each in source.tasks(task_id="a2")] == ["a2"]
    assert source.by_status("a1") == {"Success": 2}


def test_details_are_listed_page_by_page_the_newest_first(own, source):
    own.put(*range(5))
    own.put(5, status="Fail")
    listing = Listing(source)
    task = listing.task("p", "a1")
    assert listing.task("q", "a1") is None
    page = listing.details(task, {}, limit=2, marker="f" * 24, offset=1)
    assert ([row[0] for row in page.rows], *page[1:]) == (["d4", "d3"], 6, id_of(3))
    page = listing.details(task, {}, limit=9, marker=id_of(3), offset=1)
    assert ([row[0] for row in page.rows], *page[1:]) == (["d1", "d0"], 6, id_of(0))
    page = listing.details(task, {"status": "Fail"}, limit=9, marker="f" * 24, offset=0)
    assert ([row[0] for row in page.rows], page.matching) == (["d5"], 1)
    assert listing.by_status(task) == {"Success": 5, "Fail": 1}


def test_batch_tasks_are_listed_by_falling_id(own, source):
    for task_id in ("b0", "9f", "0a"):
        values = (task_id, "p", "app", "n", "createCommands", "Fail", "20260201T000000Z")
        own.execute("INSERT INTO batch_tasks VALUES (?, ?, ?, ?, ?, ?, ?)", *values)
    listing, kind = Listing(source), {"task_type": "createCommands"}
    page = listing.tasks("p", kind, limit=2)
    assert ([each.task_id for each in page.rows], *page[1:]) == (["b0", "a1"], 4, "a1")
    page = listing.tasks("p", kind, limit=9, marker="b0", offset=1)
    assert [each.task_id for each in page.rows] == ["9f", "0a"]
    page = listing.tasks("p", {**kind, "status": "Success", "app_id": "app"}, limit=9)
    assert [each.task_id for each in page.rows] == ["a1"]


def test_a_count_is_kept_for_a_second_and_never_for_another_state(own, source):
    now = 100.0
    own.put(1, 2)
    listing = Listing(source, lambda: now)

    def told():
        task = listing.task("p", "a1")
        return listing.details(task, {}, limit=1, marker="f" * 24, offset=0).matching

    assert told() == 2
    own.execute("DELETE FROM batch_task_details WHERE seq = 1")
    assert told() == 2, "a finished one is not counted again"
    now += 1
    assert told() == 1
    own.put(3)
    assert told() == 2, "there is a newer one"
    own.execute("UPDATE batch_tasks SET status = 'Processing'")
    own.execute("DELETE FROM batch_task_details WHERE seq = 2")
    assert told() == 1, "one that runs on is always counted"


def test_counts_of_many_batch_tasks_take_bounded_room(own, source, monkeypatch):
    monkeypatch.setattr("exporter.sources.listing.COUNTS_KEPT", 2)
    listing = Listing(source, lambda: 0.0)
    for task_id in ("a1", "a2", "a3", "a1"):
        task = BatchTask(task_id, "p", None, "", "", "Success", "2026-01-31T23:59:59.000Z", 0)
        own.put(1, task_id=task_id) if source.count(task_id) == 0 else None
        assert listing.by_status(task) == {"Success": 1}
    assert len(listing._counts) == 2
