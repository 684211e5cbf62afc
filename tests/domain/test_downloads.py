"""One download in thirty seconds, and broken ones that go on: contract, section 2.5."""

from __future__ import annotations

import pytest

from domain.downloads import Downloads, downloads_stream
from domain.refusals import DownloadTooSoon, TooSlow
from tests.facts import ANN, BEN, NOON

RESUMABLE_MOST = 50


@pytest.fixture
def task(story):
    """A task to download."""
    return story.create()


def test_a_grant_says_who_got_what(story, task):
    story.grant(task, "e1")
    event = story.events()[-1]
    assert (event.TOPIC, event.by, event.task_id, event.file, event.etag) == (
        "downloads.granted",
        "ann",
        task.task_id,
        "key",
        "e1",
    )


def test_the_next_is_refused_until_the_interval_has_passed(story, task):
    story.grant(task)
    story.clock.pass_by(seconds=29.5)
    before = story.head()
    with pytest.raises(DownloadTooSoon) as refusal:
        story.grant(task)
    assert refusal.value.retry_after == 1
    assert story.head() == before
    assert story.ledger.seconds_to_next_download(ANN) == 0.5


def test_at_the_interval_it_is_granted(story, task):
    story.grant(task)
    story.clock.pass_by(seconds=30)
    assert story.ledger.seconds_to_next_download(ANN) == 0
    story.grant(task)
    assert story.told().count("downloads.granted") == 2


def test_who_has_downloaded_nothing_or_long_ago_need_not_wait(story, task):
    downloads = story.journal.latest(Downloads, downloads_stream(ANN))
    assert downloads.seconds_to_next(30.0, NOON) == 0
    assert story.ledger.seconds_to_next_download(ANN) == 0
    story.grant(task)
    story.clock.pass_by(minutes=5)
    assert story.ledger.seconds_to_next_download(ANN) == 0


def test_it_counts_over_all_of_the_owners_tasks_and_no_one_elses(story, task):
    story.grant(task)
    with pytest.raises(DownloadTooSoon):
        story.grant(story.create())
    story.grant(story.create(BEN), owner=BEN)


def test_a_clock_set_back_grants_nothing_early(story, task):
    story.grant(task)
    story.clock.pass_by(hours=-1)
    with pytest.raises(DownloadTooSoon) as refusal:
        story.grant(task)
    assert refusal.value.retry_after == 3630


def test_an_interval_of_zero_grants_at_once(story, task):
    story.limits(interval=0)
    story.grant(task)
    story.grant(task)
    story.clock.pass_by(hours=-1)
    story.grant(task)


def test_what_may_be_resumed_is_timed_as_its_grant_is_recorded(story, task):
    story.limits(interval=0)
    story.grant(task)
    story.clock.pass_by(hours=-1)
    story.grant(task)
    granted = story.events()[-1]
    assert granted.timestamp == NOON
    assert granted.recent == {granted.etag: NOON.isoformat()}


def _record_slowly(story, seconds):
    insert = story.recorder.insert_events

    def slowly(*arguments, **more):
        story.watch += seconds
        return insert(*arguments, **more)

    story.recorder.insert_events = slowly


def test_a_grant_recorded_too_late_sends_nothing(story, task):
    story.watch = 100.0
    _record_slowly(story, 1.25)
    with pytest.raises(TooSlow):
        story.grant(task)


def test_a_grant_recorded_within_a_second_is_in_time(story, task):
    story.watch = 100.0
    _record_slowly(story, 1.0)
    story.grant(task)
    assert story.told()[-1] == "downloads.granted"


def test_what_was_granted_lately_may_be_resumed(story, task):
    assert not story.ledger.may_resume(ANN, "e1")
    story.grant(task, "e1")
    story.clock.pass_by(minutes=10)
    assert story.ledger.may_resume(ANN, "e1")
    assert not story.ledger.may_resume(BEN, "e1")
    assert not story.ledger.may_resume(ANN, "e2")
    story.clock.pass_by(seconds=1)
    assert not story.ledger.may_resume(ANN, "e1")


def test_what_may_be_resumed_is_bounded(story, task):
    story.limits(interval=0)
    for number in range(RESUMABLE_MOST + 1):
        story.grant(task, f"e{number}")
    assert not story.ledger.may_resume(ANN, "e0")
    assert story.ledger.may_resume(ANN, "e1")
    assert len(story.events()[-1].recent) == RESUMABLE_MOST


def test_granted_again_it_stays_resumable_and_the_old_are_forgotten(story, task):
    story.grant(task, "e1")
    story.clock.pass_by(minutes=11)
    story.grant(task, "e2")
    assert list(story.events()[-1].recent) == ["e2"]


def test_a_pause_before_the_clock_is_read_takes_nothing_from_the_interval(story, task):
    clock = story.clock

    def paused():
        story.journal.clock = clock
        story.watch += 20
        return clock()

    story.journal.clock = paused
    story.grant(task)
    with pytest.raises(DownloadTooSoon):
        story.grant(task)


def test_a_pause_after_the_clock_is_read_sends_nothing(story, task):
    latest = story.journal.latest

    def paused(*arguments):
        story.watch += 20
        return latest(*arguments)

    story.journal.latest = paused
    with pytest.raises(TooSlow):
        story.grant(task)
