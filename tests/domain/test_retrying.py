"""A failed task is retried: a new one in its stead, under the rules of any create."""

from __future__ import annotations

from threading import Thread

import pytest

from domain.commands import RetryTask
from domain.fact import Caller
from domain.refusals import (
    NoSuchTask,
    NotFailed,
    OwnerClosed,
    UnfinishedLimitReached,
)
from domain.task import Task
from tests.facts import ANN, OPERATOR

OLGA = Caller("olga", "r-olga")


def fail(story, task):
    story.ledger.fail(story.claim(task), "IOTDA.014706", "no source")


def retry(story, task, caller=OLGA):
    return story.ledger.retry(RetryTask(task.task_id, caller))


@pytest.fixture
def failed(story):
    """Given a task that failed."""
    task = story.create(app_type="APP", scope="app1", app_id="app1", instance_id="i1")
    fail(story, task)
    return task


def test_a_retry_is_a_new_task_of_the_same_owner_and_conditions(story, failed):
    start = story.head()
    task = retry(story, failed)
    admitted, created = story.events(start)
    first = story.ledger.history(failed.task_id)[0]
    assert (admitted.TOPIC, created.TOPIC) == ("owner.admitted", "task.created")
    assert (created.by, created.request_id, created.retries) == ("olga", "r-olga", failed.task_id)
    told = ("project_id", "user_id", "resource_type", "resource_condition", "export_format")
    for name in (*told, "app_type", "scope", "app_id", "instance_id"):
        assert getattr(created, name) == getattr(first, name)
    assert (task.task_id, task.owner, task.status) == (created.task_id, ANN, "Processing")


def test_the_failed_task_stays_as_it_is(story, failed):
    before = story.ledger.history(failed.task_id)
    retry(story, failed)
    assert story.ledger.history(failed.task_id) == before


def test_a_task_that_retries_none_says_nothing_of_it(story):
    story.create()
    _, created = story.events()
    assert isinstance(created, Task.Created)
    assert created.retries is None
    assert "retries" not in vars(created)


def test_who_retries_twice_gets_the_same_task(story, failed):
    task = retry(story, failed)
    start = story.head()
    assert retry(story, failed).task_id == task.task_id
    story.claim(task)
    assert retry(story, failed).task_id == task.task_id
    assert story.told(start) == ["task.progressed"]


def test_a_retry_that_failed_too_is_followed_by_another(story, failed):
    task = retry(story, failed)
    fail(story, task)
    again = retry(story, failed)
    assert again.task_id > task.task_id
    assert story.events()[-1].retries == failed.task_id


def test_another_unfinished_task_of_the_owner_is_no_retry(story, failed):
    other = story.create()
    assert retry(story, failed).task_id > other.task_id


def test_two_who_retry_at_the_same_moment_get_one_task(story, failed):
    insert, found = story.recorder.insert_events, []

    def another_comes_first(stored, **more):
        story.recorder.insert_events = insert
        thread = Thread(target=lambda: found.append(retry(story, failed, OPERATOR)))
        thread.start()
        thread.join()
        return insert(stored, **more)

    story.recorder.insert_events = another_comes_first
    task = retry(story, failed)
    assert [each.task_id for each in found] == [task.task_id]
    assert story.told().count("task.created") == 2


def test_a_task_that_never_was_is_not_retried(story):
    with pytest.raises(NoSuchTask):
        story.ledger.retry(RetryTask("0" * 24, OLGA))
    assert story.told() == []


@pytest.mark.parametrize("end", ["Processing", "Success", "removed"])
def test_only_a_failed_task_is_retried(story, end):
    task = story.create()
    if end == "Success":
        story.complete(task)
    if end == "removed":
        fail(story, task)
        story.delete(task)
    before = story.head()
    with pytest.raises(NotFailed, match=f"Only a failed .* can be retried: this one is {end}"):
        retry(story, task)
    assert story.head() == before


def test_a_removed_users_task_is_not_retried(story, failed):
    story.ledger.close(ANN, OPERATOR)
    before = story.head()
    with pytest.raises(OwnerClosed, match="The user has been removed"):
        retry(story, failed)
    assert story.head() == before


def test_the_fifth_unfinished_task_may_be_a_retry_and_the_sixth_may_not(story, failed):
    others = [story.create(batch=str(number)) for number in range(4)]
    fail(story, others[0])
    story.create(batch="5")
    retry(story, failed)
    before = story.head()
    with pytest.raises(UnfinishedLimitReached, match="5 unfinished"):
        retry(story, others[0])
    assert story.head() == before


def test_a_retry_takes_the_earliest_tasks_place_like_any_create(story):
    story.limits(unfinished=1, kept=2)
    first = story.create()
    story.complete(first)
    second = story.create()
    fail(story, second)
    task = retry(story, second)
    assert story.told()[-3:] == ["task.evicted", "owner.admitted", "task.created"]
    assert story.ledger.task(first.task_id).evicted == "kept_limit"
    assert task.owner == ANN
