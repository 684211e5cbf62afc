"""Only what the log proves dead is deleted."""

from __future__ import annotations

import pytest

from exporter.results import result_key
from exporter.sweeper import Swept


@pytest.fixture
def put(factory):
    """Puts a file into the store, as an attempt of a task would; or leaves it half written."""

    def put(task, attempt=1, nonce="00", spool=False):
        key = result_key(task.task_id, attempt, nonce, ".xls")
        path = factory.results.spool(key)
        path.write_bytes(b"bytes")
        if not spool:
            factory.results.put(key, path)
        return key

    return put


def complete(story, task, key):
    """A task completes with this file."""
    return story.complete(task, key=key)


def test_a_running_attempts_file_and_spool_stay(factory, story, put):
    task = story.create()
    story.claim(task)
    put(task)
    put(task, nonce="01", spool=True)
    assert factory.sweeper().sweep() == Swept(0, 2, 0)


def test_a_lower_attempts_file_and_spool_go(factory, story, put):
    task = story.create()
    story.claim(task, "e1")
    put(task)
    put(task, nonce="01", spool=True)
    story.claim(task, "e2")
    kept = put(task, attempt=2)
    assert factory.sweeper().sweep() == Swept(2, 1, 0)
    assert factory.files() == [kept]


def test_a_completed_task_keeps_its_file_alone(factory, story, put):
    task = story.create()
    key = put(task)
    put(task, nonce="01")
    put(task, nonce="02", spool=True)
    complete(story, task, key)
    assert factory.sweeper().sweep() == Swept(2, 1, 0)
    assert factory.files() == [key]


def test_a_failed_tasks_files_go(factory, story, put):
    task = story.create()
    put(task)
    story.ledger.fail(story.claim(task), "IOTDA.014706", "no")
    assert factory.sweeper().sweep() == Swept(1, 0, 0)


def test_a_removed_tasks_files_go(factory, story, put):
    task, running = story.create(), story.create()
    complete(story, task, put(task))
    put(running)
    story.claim(running)
    story.delete(task)
    story.delete(running)
    assert factory.sweeper().sweep() == Swept(2, 0, 0)


def test_a_current_file_stays_though_its_own_task_is_gone(factory, story, put):
    old, new = story.create(), story.create()
    complete(story, old, put(old))
    key = put(new)
    complete(story, new, key)
    story.delete(new)
    factory.sweeper(hours=0).sweep()
    assert factory.files() == [key]


def test_a_superseded_file_stays_for_its_time(factory, story, put):
    old, new = story.create(), story.create()
    superseded, current = put(old), put(new)
    complete(story, old, superseded)
    complete(story, new, current)
    story.clock.pass_by(hours=23, minutes=59)
    assert factory.sweeper().sweep() == Swept(0, 2, 0)
    story.clock.pass_by(minutes=1)
    assert factory.sweeper().sweep() == Swept(1, 1, 0)
    assert factory.files() == [current]


def test_a_file_that_the_log_never_heard_of_stays_and_is_told(factory, put, caplog):
    class Stranger:
        task_id = "0" * 24

    key = put(Stranger)
    assert factory.sweeper().sweep() == Swept(0, 0, 1)
    assert factory.files() == [key]
    assert key in caplog.text


def test_a_file_that_completes_between_listing_and_looking_stays(factory, story, put):
    task = story.create()
    key = put(task)
    listed = factory.results.list

    def then_it_completes():
        yield from list(listed())
        complete(story, task, key)

    factory.results.list = then_it_completes
    assert factory.sweeper().sweep() == Swept(0, 1, 0)


def test_a_file_that_completes_between_two_looks_stays(factory, story, put):
    task = story.create()
    key = put(task)
    look = factory.queries.any_task

    def then_it_completes(task_id):
        found = look(task_id)
        if found.status == "Processing":
            complete(story, task, key)
        return found

    factory.queries.any_task = then_it_completes
    assert factory.sweeper().sweep() == Swept(0, 1, 0)
    assert factory.sweeper().sweep() == Swept(0, 1, 0)
