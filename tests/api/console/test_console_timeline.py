"""A task's story as its page tells it: what happened, who worked on it, and when nobody did."""

from __future__ import annotations

import re

import pytest

from api.console.timeline import RAW_MOST, timeline
from api.console.words import duration, plural, size, wait
from domain.commands import Progress
from tests.facts import LEASE, Story
from tests.visitor import text_of


@pytest.fixture
def story(service) -> Story:
    return service.story


def items(story: Story, task_id: str):
    owner = story.ledger.task(task_id).owner
    return timeline(story.ledger.history(task_id), story.ledger.downloads(owner, 200), task_id)


def test_an_export_from_its_creation_to_its_download(story, ann):
    task_id = ann.create()
    story.clock.pass_by(seconds=7)
    ann.service.finish(task_id)
    story.clock.pass_by(seconds=60)
    ann.download(task_id)
    created, attempt, ready, downloaded = items(story, task_id)
    assert (created.title, created.wait) == ("Created", None)
    assert (attempt.title, attempt.wait) == ("Claimed by e1", 7.0)
    assert (attempt.bar.percent, attempt.bar.total) == (100, attempt.bar.rows)
    assert ready.title == "Ready"
    assert downloaded.title == "Downloaded"
    assert (downloaded.at - ready.at).total_seconds() == 60


def test_an_attempts_progress_is_one_bar_with_its_rate_and_its_latest_events(story, ann):
    task = story.ledger.task(ann.create())
    claim = story.claim(task)
    for number in range(1, 31):
        story.clock.pass_by(seconds=1)
        story.ledger.progress(claim, LEASE, Progress(number * 100, 6000, number))
    _, attempt = items(story, task.task_id)
    assert (attempt.bar.rows, attempt.bar.total, attempt.bar.percent) == (3000, 6000, 30)
    assert attempt.bar.rate == 100.0
    assert attempt.events == 31
    assert len(attempt.raw) == RAW_MOST
    assert attempt.raw[-1]["rows"] == 3000


def test_a_lost_exporters_silence_is_a_gap_before_another_takes_over(story, ann):
    task = story.ledger.task(ann.create())
    story.claim(task)
    story.clock.pass_by(seconds=LEASE + 1)
    story.claim(story.ledger.task(task.task_id), "e2")
    _, first, second = items(story, task.task_id)
    assert first.title == "Claimed by e1"
    assert (second.title, second.wait) == ("Taken over by e2", LEASE + 1)


def test_a_lost_exporters_silence_is_told_however_short(story, ann):
    task = story.ledger.task(ann.create())
    story.claim(task)
    story.clock.pass_by(seconds=4)
    story.claim(story.ledger.task(task.task_id), "e2")
    assert items(story, task.task_id)[2].wait == 4.0


def test_a_hand_back_and_the_wait_for_the_next_attempt(story, ann):
    task = story.ledger.task(ann.create())
    claim = story.claim(task)
    story.ledger.hand_back(claim, "the source is away", wait=30.0, fault=True)
    story.clock.pass_by(hours=2)
    story.claim(story.ledger.task(task.task_id), "e2")
    _, _, back, second = items(story, task.task_id)
    assert back.title == "Handed back by e1"
    assert back.detail == "the source is away; not taken up for 30 s"
    assert (second.title, second.wait) == ("Claimed by e2", 7200.0)


def test_a_wait_of_less_than_five_seconds_is_not_told(story, ann):
    for seconds, told in ((4.9, None), (5.0, 5.0)):
        task = story.ledger.task(ann.create())
        story.clock.pass_by(seconds=seconds)
        story.claim(task)
        assert items(story, task.task_id)[1].wait == told


def test_downloads_of_other_exports_are_not_this_ones(story, ann):
    one, other = ann.finished(batch="aaa"), ann.finished(batch="bbb")
    ann.download(one)
    assert [each.title for each in items(story, other)][-1] == "Ready"


def test_the_page_tells_it_with_each_event_as_it_is_stored(story, ann, page):
    task = story.ledger.task(ann.create())
    story.clock.pass_by(hours=2)
    claim = story.claim(task)
    story.ledger.fail(claim, "IOTDA.014706", "no answer")
    answer = page.get(f"/exports/{task.task_id}")
    told = text_of(answer)
    assert "waiting 2 h" in told
    assert "Claimed by e1" in told
    assert "IOTDA.014706: no answer" in told
    raw = re.findall(r"<pre[^>]*>(.*?)</pre>", answer.text, re.DOTALL)
    assert ["task.created" in raw[0], "task.failed" in raw[-1]] == [True, True]
    assert "address" not in "".join(raw)


def test_while_nobody_works_on_it_the_page_says_for_how_long(story, ann, page):
    task_id = ann.create()
    story.clock.pass_by(minutes=3)
    told = text_of(page.get(f"/exports/{task_id}"))
    assert "waiting 3 min so far" in told
    assert "next in line" in told


def test_what_a_batch_task_says_is_text_and_nothing_else(story, ann, page):
    task = story.ledger.task(ann.create())
    story.ledger.fail(story.claim(task), "IOTDA.014706", "<script>alert(1)</script>")
    assert "<script>alert" not in page.get(f"/exports/{task.task_id}").text


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.4, "less than 1 s"),
        (59, "59 s"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (7265, "2 h 1 min"),
        (90_000, "1 d 1 h"),
        (86_400 + 60, "1 d"),
    ],
)
def test_durations_in_words(seconds, told):
    assert duration(seconds) == told


def test_waits_are_never_told_too_short():
    assert wait(0.1) == "1 s"
    assert wait(30.0) == "30 s"


@pytest.mark.parametrize(
    ("octets", "told"),
    [(999, "999 bytes"), (1000, "1.0 kB"), (3_450_000, "3.5 MB"), (2_000_000_000, "2.0 GB")],
)
def test_sizes_in_words(octets, told):
    assert size(octets) == told


def test_one_is_one():
    assert [plural(1, "row", "rows"), plural(0, "row", "rows")] == ["1 row", "0 rows"]
